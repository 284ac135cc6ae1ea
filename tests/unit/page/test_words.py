"""Times and counts in words."""

from datetime import timedelta

import pytest

from rotator.model.times import time_text
from rotator.page.words import counted, exact, relative, span
from tests.page_fleets import NOW


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (47.9 * 3_600, "47 h"),
        (48 * 3_600, "2 d"),
        (86_400 * 1_234, "1,234 d"),
        (-90, "1 min"),
    ],
)
def test_span(seconds: float, said: str) -> None:
    """A span is written in one unit, rounded down, and never broken in two lines."""
    assert span(timedelta(seconds=seconds)) == said.replace(" ", "\u202f")


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (timedelta(days=3), "in 3 d"),
        (timedelta(minutes=-12), "12 min ago"),
        (timedelta(milliseconds=300), "now"),
        (timedelta(milliseconds=-999), "now"),
        (timedelta(seconds=-1), "1 s ago"),
    ],
)
def test_relative(away: timedelta, said: str) -> None:
    """An instant is told from now, and says on which side it lies."""
    assert relative(NOW + away, NOW).replace("\u202f", " ") == said


def test_exact_times_are_utc() -> None:
    """Exact times carry their zone."""
    assert exact(NOW) == "2026-11-24 12:00:00 UTC"
    assert time_text(NOW) == "2026-11-24T12:00:00Z"


def test_counted() -> None:
    """One is singular, all else is plural, and thousands are set apart."""
    assert [counted(n, "key", "keys") for n in (0, 1, 10_000)] == ["0 keys", "1 key", "10,000 keys"]
