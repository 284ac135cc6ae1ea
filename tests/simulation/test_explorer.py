"""The explorer over the real engine: small bounds, exhausted, without a violation."""

from dataclasses import replace

import pytest

from tests.simulation.configurations import QUICK
from tests.simulation.explorer import Explorer

ONE_AFTER_ANOTHER = next(c for c in QUICK if c.instances == 1 and c.budgets.faults >= 3)


def test_one_run_with_one_fault_breaks_nothing() -> None:
    """Every schedule of one due run with at most one fault, and its recovery, keeps the invariants."""
    budgets = replace(ONE_AFTER_ANOTHER.budgets, runs=2, faults=1)
    report = Explorer(replace(ONE_AFTER_ANOTHER, budgets=budgets)).explore()
    assert report.exhausted
    assert report.violations == []
    assert report.states > 300
    assert ("create key", "crash after") in report.covered


@pytest.mark.parametrize("schedule", [(0,)])
def test_a_schedule_replays_the_same(schedule: tuple[int, ...]) -> None:
    """A list of choices leads to the same place each time."""
    explorer = Explorer(ONE_AFTER_ANOTHER)
    assert explorer.replay(schedule) == Explorer(ONE_AFTER_ANOTHER).replay(schedule)
