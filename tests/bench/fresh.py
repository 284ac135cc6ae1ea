"""Fresh processes, measured from outside, two kinds in turn."""

import os
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROCESS_S = 120.0
_KIB_PER_MB = 1000 * 1000 / 1024


class BenchError(Exception):
    """A process that was to be measured failed."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What one process took, and what it printed."""

    wall_s: float
    cpu_s: float
    memory_mb: float
    """The most it ever held."""
    output: str


def environment(variables: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return this process's variables, without the one that would keep bytecode from being written, and more."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, **(variables or {})}


def run(command: Sequence[str], env: Mapping[str, str], cwd: Path | None = None) -> Spent:
    """Run a program to its end.

    Raises:
        BenchError: it failed; with what it said.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as complaints:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=complaints
        )
        limit = threading.Timer(PROCESS_S, process.kill)
        limit.start()
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - began
        limit.cancel()
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        complaints.seek(0)
        said, complained = output.read(), complaints.read()
    if process.returncode:
        raise BenchError(f"{' '.join(command[:4])}: {said[-2000:]}{complained[-2000:]}")
    cpu_s = usage.ru_utime + usage.ru_stime
    return Spent(wall_s, cpu_s, usage.ru_maxrss / _KIB_PER_MB, said)


@dataclass(frozen=True, slots=True)
class Pair:
    """The medians of two kinds of work, in seconds."""

    ours_s: float
    theirs_s: float

    @property
    def ratio(self) -> float:
        """How many times theirs ours takes."""
        return self.ours_s / self.theirs_s

    @property
    def detail(self) -> str:
        """Both, to be read."""
        return f"{1000 * self.ours_s:.0f} ms / {1000 * self.theirs_s:.0f} ms"


def in_turn(ours: Callable[[], float], theirs: Callable[[], float], rounds: int) -> Pair:
    """Measure both in turn, each first in half of the rounds; a first round is not counted.

    Args:
        ours: does the work once and returns the seconds it took.

        theirs: the same for what it is compared with.

        rounds: how many are counted.
    """
    taken: dict[bool, list[float]] = {True: [], False: []}
    for number in range(rounds + 1):
        for is_ours in (True, False) if number % 2 else (False, True):
            seconds = ours() if is_ours else theirs()
            if number:
                taken[is_ours].append(seconds)
    return Pair(statistics.median(taken[True]), statistics.median(taken[False]))
