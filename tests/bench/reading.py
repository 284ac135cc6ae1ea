"""What it costs to look something up in a year of audit trail, and to verify it, against tools that read its bytes."""

import resource
import subprocess
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path

from rotator.audit.directory.source import DirectorySource
from rotator.audit.lives import key_lives, runs
from rotator.audit.sources import Criteria, verify_all
from rotator.audit.verify import Verdict
from tests.audit_year import BEGAN_AT, YEAR, secret_name, write_year
from tests.bench.fresh import BenchError
from tests.bench.judged import Bound, Figure

EVENTS, SECRETS = 100_000, 1_000
"""A tenth of what a thousand secrets, looked at once a day, record in a year."""
FACTOR_MAX = 3
VERIFY_FACTOR_MAX = 8
ROUNDS = 5
_NAME = secret_name(3)
_DAY = Criteria(since=BEGAN_AT + YEAR / 2, until=BEGAN_AT + YEAR / 2 + timedelta(days=1))


def reading(folder: Path) -> tuple[Figure, ...]:
    """Measure `history` of a secret, a day of `audit show`, the page's data, and `audit verify`.

    In CPU time: the best of some rounds, all of it in turn and in one process, so that a slow moment of the machine
    meets all.
    """
    directory = folder / "year"
    directory.mkdir(mode=0o700)
    write_year(directory, events=EVENTS, secrets=SECRETS)
    paths = [str(path) for path in sorted(directory.iterdir())]
    bare = {"grep -F NAME": ["grep", "-F", _NAME, *paths], "sha256sum": ["sha256sum", *paths]}
    works = _works(DirectorySource(directory))
    best = dict.fromkeys((*bare, *works), float("inf"))
    for _ in range(ROUNDS):
        for name, command in bare.items():
            best[name] = min(best[name], _spent_by_children_s(command))
        for name, (work, _, _) in works.items():
            began_s = time.thread_time()
            work()
            best[name] = min(best[name], time.thread_time() - began_s)
    return tuple(
        Figure(
            f"{name}, {EVENTS:,} events",
            against,
            best[name] / best[against],
            Bound.AT_MOST,
            factor_max,
            "x",
            f"{1000 * best[name]:.0f} ms / {1000 * best[against]:.0f} ms of CPU",
        )
        for name, (_, against, factor_max) in works.items()
    )


def _works(source: DirectorySource) -> dict[str, tuple[Callable[[], object], str, int]]:
    """Return what is measured by its name, what it is compared with, and how often that it may take."""

    def history() -> None:
        if len(list(source.records(Criteria(secret=_NAME)))) < EVENTS // SECRETS // 2:
            raise BenchError("the secret's records were not found")

    def page() -> None:
        records = tuple(source.records(Criteria(secret=_NAME)))
        key_lives(records)
        runs(records)

    def verify() -> None:
        (report,) = verify_all([source])
        if report.verdict is not Verdict.INTACT:
            raise BenchError("the trail is not intact")

    return {
        "history of one secret": (history, "grep -F NAME", FACTOR_MAX),
        "one day of audit show": (lambda: list(source.records(_DAY)), "grep -F NAME", FACTOR_MAX),
        "the page of one secret": (page, "grep -F NAME", FACTOR_MAX),
        "audit verify": (verify, "sha256sum", VERIFY_FACTOR_MAX),
    }


def _spent_by_children_s(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
