"""What it costs to look something up in a year of audit trail, against `grep -F` over the same bytes."""

import resource
import subprocess
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from rotator.audit.directory.source import DirectorySource
from rotator.audit.lives import key_lives, runs
from rotator.audit.sources import Criteria
from tests.audit_year import BEGAN_AT, YEAR, secret_name, write_year
from tests.bench.fresh import BenchError
from tests.bench.judged import Bound, Figure

EVENTS, SECRETS = 100_000, 1_000
"""A tenth of what a thousand secrets, looked at once a day, record in a year."""
FACTOR_MAX = 3
ROUNDS = 5
_NAME = secret_name(3)
_DAY = Criteria(since=BEGAN_AT + YEAR / 2, until=BEGAN_AT + YEAR / 2 + timedelta(days=1))


def reading(folder: Path) -> tuple[Figure, ...]:
    """Measure `history` of a secret, a day of `audit show`, and the page's data, in CPU time: the best of some rounds.

    All of it in turn and in one process, so that a slow moment of the machine meets all.
    """
    directory = folder / "year"
    directory.mkdir(mode=0o700)
    write_year(directory, events=EVENTS, secrets=SECRETS)
    command = ["grep", "-F", _NAME, *map(str, sorted(directory.iterdir()))]
    works = _works(DirectorySource(directory))
    best = dict.fromkeys(works, float("inf"))
    bare_s = float("inf")
    for _ in range(ROUNDS):
        bare_s = min(bare_s, _spent_by_children_s(lambda: subprocess.run(command, check=True, capture_output=True)))
        for name, work in works.items():
            began_s = time.thread_time()
            work()
            best[name] = min(best[name], time.thread_time() - began_s)
    return tuple(
        Figure(
            f"{name}, {EVENTS:,} events",
            "grep -F NAME",
            taken_s / bare_s,
            Bound.AT_MOST,
            FACTOR_MAX,
            "x",
            f"{1000 * taken_s:.0f} ms / {1000 * bare_s:.0f} ms of CPU",
        )
        for name, taken_s in best.items()
    )


def _works(source: DirectorySource) -> dict[str, Callable[[], object]]:
    """Return what is measured, by its name."""

    def history() -> None:
        if len(list(source.records(Criteria(secret=_NAME)))) < EVENTS // SECRETS // 2:
            raise BenchError("the secret's records were not found")

    def page() -> None:
        records = tuple(source.records(Criteria(secret=_NAME)))
        key_lives(records)
        runs(records)

    return {
        "history of one secret": history,
        "one day of audit show": lambda: list(source.records(_DAY)),
        "the page of one secret": page,
    }


def _spent_by_children_s(work: Callable[[], object]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
