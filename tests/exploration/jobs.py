"""Explorations as child processes: each begins with a clean memory, and a mutant imports its own package."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import rotator
from tests.exploration.bounds import Report, Violation
from tests.exploration.configurations import BY_NAME
from tests.exploration.explorer import Explorer
from tests.exploration.mutants import BY_NAME as MUTANT_BY_NAME
from tests.exploration.planting import REPOSITORY, Mutant, plant
from tests.exploration.pure import remembered

HUNT_SECONDS_MAX = 60.0
"""Of CPU time, for each exploration."""
EXPLORE_SECONDS_MAX = 6 * 3600.0
"""Of CPU time."""


@dataclass(frozen=True, slots=True)
class Hunt:
    """What became of a mutant."""

    mutant: str
    sentence: str
    killed: Violation | None
    states: int
    seconds: float
    timed_out: bool = False
    """Some exploration did not come to its end."""
    unfit: str = ""
    """Why the bug could not be planted: the source is not what it was."""


def explored(name: str, *, seconds_max: float) -> Report:
    """Explore a configuration in this process, up to its first violation."""
    with remembered():
        return Explorer(BY_NAME[name]).explore(seconds_max=seconds_max)


def explore_all(configurations: Sequence[str], mutants: Sequence[str], workers: int) -> Iterator[Report | Hunt]:
    """Explore configurations and hunt mutants in child processes, and yield each result as it comes.

    Once something is broken without any mutant, no further hunt is begun: it would find the same.
    """
    with ThreadPoolExecutor(workers) as pool, tempfile.TemporaryDirectory(prefix="compiled-") as compiled:
        work: list[Callable[[], Report | Hunt]] = [partial(_explore, name, compiled) for name in configurations]
        work += [partial(_hunt, MUTANT_BY_NAME[name], compiled) for name in mutants]
        jobs = [pool.submit(task) for task in work]
        for job in as_completed(jobs):
            if job.cancelled():
                continue
            result = job.result()
            if isinstance(result, Report) and result.violations:
                for hunt in jobs[len(configurations) :]:
                    hunt.cancel()
            yield result


def as_json(report: Report) -> str:
    """Return a report as one line."""
    return json.dumps(asdict(report) | {"covered": sorted(report.covered)})


def _explore(name: str, compiled: str) -> Report:
    return _child(REPOSITORY, compiled, "explore", name)


def _hunt(mutant: Mutant, compiled: str) -> Hunt:
    states, seconds, timed_out = 0, 0.0, False
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        try:
            plant(mutant, Path(folder))
        except ValueError as error:
            return Hunt(mutant.name, mutant.sentence, None, 0, 0.0, unfit=str(error))
        for name in mutant.hunted_in:
            report = _child(Path(folder), compiled, "explore", name, "--hunt", "--in-this-folder")
            states, seconds = states + report.states, seconds + report.seconds
            timed_out |= not (report.exhausted or report.violations)
            if report.violations and "NameError" in report.violations[0].message:
                message = f"`{mutant.name}` does not run: {report.violations[0].message}"
                return Hunt(mutant.name, mutant.sentence, None, states, seconds, unfit=message)
            if report.violations:
                return Hunt(mutant.name, mutant.sentence, report.violations[0], states, seconds)
    return Hunt(mutant.name, mutant.sentence, None, states, seconds, timed_out)


def hunted(name: str) -> Hunt:
    """Hunt one mutant."""
    with tempfile.TemporaryDirectory(prefix="compiled-") as compiled:
        return _hunt(MUTANT_BY_NAME[name], compiled)


def _child(folder: Path, compiled: str, *arguments: str) -> Report:
    """Run this program in a folder whose copy of the package it imports; what is compiled is shared by all."""
    environment = {
        **os.environ,
        "PYTHONPATH": f"{folder}{os.pathsep}{REPOSITORY}",
        "PYTHONPYCACHEPREFIX": compiled,
        "PYTHONDONTWRITEBYTECODE": "",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.exploration", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    told: dict[str, Any] = json.loads(done.stdout)
    told["covered"] = {(operation, fate) for operation, fate in told["covered"]}
    told["violations"] = [
        Violation(**v | {"choices": tuple(v["choices"]), "trace": tuple(v["trace"])}) for v in told["violations"]
    ]
    return Report(**told)


def require_own_package() -> None:
    """Refuse to hunt a mutant in the package that has no bug in it.

    Raises:
        SystemExit: the package was imported from elsewhere than the current folder.
    """
    imported = Path(rotator.__file__).resolve()
    if not imported.is_relative_to(Path.cwd().resolve()):
        raise SystemExit(f"{imported} is not in this folder")
