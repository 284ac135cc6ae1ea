"""Other people's clients, installed below `build/consumers/` from lock files, and consumers made of them.

The aws command and AWS's caching client bring a botocore of their own, so they stay out of rotator's environment.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent
BUILD = HERE.parents[1] / "build/consumers"
PACKAGES = BUILD / "python"
PYTHON = (sys.executable, "-S")
"""Without the packages of rotator's environment."""
AWS = (*PYTHON, "-m", "awscli")
INSTALL_S = 600.0
END_S = 60.0
PAUSE_S = 0.02
JAVASCRIPT = ("package.json", "package-lock.json", "powertools.mjs")


def prepare() -> None:
    """Install what is missing, or what a lock file has changed since; of several processes one does."""
    BUILD.mkdir(parents=True, exist_ok=True)
    with (BUILD / ".lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        lock = HERE / "requirements.lock"
        stamp = PACKAGES / f".installed-from.{sys.implementation.cache_tag}"
        _once(stamp, (lock,), lambda: _install_python(lock))
        _once(BUILD / "node_modules/.installed-from", tuple(HERE / name for name in JAVASCRIPT), _install_javascript)


def _once(stamp: Path, sources: tuple[Path, ...], install: Callable[[], None]) -> None:
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        shutil.rmtree(stamp.parent, ignore_errors=True)
        install()
        stamp.write_text(digest, encoding="utf-8")


def _install_python(lock: Path) -> None:
    options = ["-qq", "--no-deps", "--require-hashes", "--only-binary=:all:"]
    where = ["--target", str(PACKAGES), "--requirement", str(lock)]
    command = [sys.executable, "-m", "pip", "install", *options, *where]
    subprocess.run(command, check=True, timeout=INSTALL_S)


def _install_javascript() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError("npm is needed for a consumer in JavaScript; install Node.js 20 or newer")
    for name in JAVASCRIPT:
        shutil.copy(HERE / name, BUILD)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([npm, "ci", *options], cwd=BUILD, check=True, timeout=INSTALL_S)


def environment() -> dict[str, str]:
    """Return this process's variables, with which Python finds the installed clients and nothing else."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "PYTHONPATH": str(PACKAGES), "AWS_PAGER": ""}


COMMANDS = {
    "aws command": ("sh", str(HERE / "cli.sh")),
    "aws-secretsmanager-caching": (*PYTHON, str(HERE / "caching.py")),
    "Powertools for JavaScript": ("node", str(BUILD / "powertools.mjs")),
}


class OutsideConsumer:
    """A context manager: one of `COMMANDS` as a process, until it is left.

    Args:
        name: which one.

        variables: with which it reaches AWS; and `SECRET_ID`, which it reads, `URL`, which it calls at Pinata, and
            `CACHE_S`, how long it may use a value before it reads it again.

        output: where its lines go; what it complains of goes beside it.
    """

    def __init__(self, name: str, variables: Mapping[str, str], output: Path) -> None:
        self.name = name
        self._variables = {**environment(), **variables, "AWS": " ".join(AWS)}
        self._output = output
        self._complaints = output.with_suffix(".stderr")

    def __enter__(self) -> Self:
        """Start it, in a group of its own, so that what it starts ends with it."""
        with self._output.open("wb") as output, self._complaints.open("wb") as complaints:
            self._process = subprocess.Popen(
                COMMANDS[self.name],
                env=self._variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=complaints,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it."""
        os.killpg(self._process.pid, 15)
        self._process.wait(END_S)

    def _lines(self) -> list[list[str]]:
        text = self._output.read_text(encoding="utf-8")
        return [line.split() for line in text.splitlines(keepends=True) if line.endswith("\n")]

    @property
    def default_cache_s(self) -> float:
        """How long the client caches if it is not told otherwise."""
        return float(self._lines()[0][1])

    @property
    def uses(self) -> list[tuple[str, int]]:
        """Every call so far: the key, and the status Pinata answered."""
        return [(key, int(status)) for key, status in self._lines()[1:]]

    @property
    def keys(self) -> list[str]:
        """The keys it used, in order."""
        return list(dict.fromkeys(key for key, _ in self.uses))

    @property
    def refused(self) -> int:
        """How many calls Pinata did not answer with 200."""
        return sum(status != 200 for _, status in self.uses)

    def wait_until(self, what: Callable[["OutsideConsumer"], bool], timeout_s: float) -> None:
        """Wait until something is true of it.

        Raises:
            RuntimeError: it ended, or the time ran out; with what it complained of.
        """
        give_up_at = time.monotonic() + timeout_s
        while not what(self):
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                text = self._complaints.read_text(encoding="utf-8")[-2000:]
                raise RuntimeError(f"{self.name} does not get there: {text}")
            time.sleep(PAUSE_S)
