"""The benchmark judges: a budget that is missed fails, and so does a measure that could not be taken."""

from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench.fresh import BenchError, environment, in_turn, run
from tests.bench.judged import Bound, Figure, exit_code, table


def figure(measured: float, bound: Bound = Bound.AT_MOST, budget: float = 2.0) -> Figure:
    """Return a figure of some work."""
    return Figure("some work", "other work", measured, bound, budget, "x", "")


@pytest.mark.parametrize(
    ("measured", "bound", "passed"),
    [
        (1.99, Bound.AT_MOST, True),
        (2.0, Bound.AT_MOST, True),
        (2.01, Bound.AT_MOST, False),
        (2.0, Bound.BELOW, False),
        (1.99, Bound.AT_LEAST, False),
        (2.0, Bound.AT_LEAST, True),
        (float("nan"), Bound.AT_MOST, False),
        (float("nan"), Bound.AT_LEAST, False),
        (float("nan"), Bound.BELOW, False),
    ],
)
def test_budget_is_a_bound(measured: float, bound: Bound, *, passed: bool) -> None:
    """Each bound holds on its side, and nothing holds for what is no number."""
    one = figure(measured, bound)
    assert one.passed is passed
    assert ("PASS" in table([one]), "FAIL" in table([one])) == (passed, not passed)


def test_one_missed_budget_fails_the_run() -> None:
    """All kept is 0; one missed of two is 1; nothing measured is 1."""
    assert exit_code([figure(1), figure(2)]) == 0
    assert exit_code([figure(1), figure(3)]) == 1
    assert exit_code([]) == 1


def test_run_shows_and_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be measured is a FAIL beside what can, and the run ends with 1."""

    def broken(_: Path) -> tuple[Figure, ...]:
        raise BenchError("it ended with 1")

    monkeypatch.setattr(bench, "MEASURES", {"kept": lambda _: (figure(1),), "broken": broken})
    assert bench.main([]) == 1
    shown = capsys.readouterr().out
    assert [line.split("|")[5].strip() for line in shown.splitlines()[2:]] == ["PASS", "FAIL"]
    assert bench.main(["kept"]) == 0
    assert bench.main(["no-such"]) == 2


def test_process_is_measured_and_its_failure_seen() -> None:
    """Time, memory and output of a process; a failing one is no measurement."""
    spent = run(["sh", "-c", "echo said"], environment())
    assert spent.output == "said\n"
    assert spent.wall_s > 0
    assert spent.memory_mb > 0
    with pytest.raises(BenchError, match="why"):
        run(["sh", "-c", "echo why >&2; exit 3"], environment())


def test_two_kinds_of_work_take_turns() -> None:
    """The first round is not counted, and each kind is first in every other round."""
    order: list[str] = []
    ours, theirs = iter([100.0, 1.0, 2.0, 9.0]), iter([100.0, 4.0, 4.0, 4.0])

    def take(name: str, seconds: float) -> float:
        order.append(name)
        return seconds

    pair = in_turn(lambda: take("ours", next(ours)), lambda: take("theirs", next(theirs)), 3)
    assert (pair.ours_s, pair.theirs_s, pair.ratio) == (2.0, 4.0, 0.5)
    assert order[2:6] == ["ours", "theirs", "theirs", "ours"]
