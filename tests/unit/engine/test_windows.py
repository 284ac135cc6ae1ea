"""When a new key may be made."""

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo

import pytest

from rotator.engine.windows import is_open
from rotator.model.secret import Blackout, Window
from tests.builders import a_spec

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(frozenset({4}), time(22), time(4), BERLIN)
"""Fridays from ten to four in the morning."""
DAY = Window(frozenset({0, 1}), time(9), time(17), BERLIN)
WHOLE_DAY = Window(frozenset({5}), time(0), time(0), UTC_ZONE := ZoneInfo("UTC"))


@pytest.mark.parametrize(
    ("window", "local", "expected"),
    [
        pytest.param(DAY, "2026-09-21T09:00", True, id="it opens"),
        pytest.param(DAY, "2026-09-21T08:59:59", False, id="not yet"),
        pytest.param(DAY, "2026-09-21T16:59:59", True, id="still open"),
        pytest.param(DAY, "2026-09-21T17:00", False, id="it closes"),
        pytest.param(DAY, "2026-09-23T12:00", False, id="another day"),
        pytest.param(NIGHT, "2026-09-25T22:00", True, id="the night begins"),
        pytest.param(NIGHT, "2026-09-25T21:59:59", False, id="the night has not begun"),
        pytest.param(NIGHT, "2026-09-26T03:59:59", True, id="the morning after belongs to it"),
        pytest.param(NIGHT, "2026-09-26T04:00", False, id="the night ends"),
        pytest.param(NIGHT, "2026-09-25T03:00", False, id="the morning before does not"),
        pytest.param(NIGHT, "2026-09-26T23:00", False, id="the next night does not"),
        pytest.param(WHOLE_DAY, "2026-09-26T00:00", True, id="a whole day begins"),
        pytest.param(WHOLE_DAY, "2026-09-26T23:59:59", True, id="a whole day lasts"),
        pytest.param(WHOLE_DAY, "2026-09-27T00:00", False, id="a whole day ends"),
    ],
)
def test_window(window: Window, local: str, *, expected: bool) -> None:
    """A window is open on its days, from its start until just before its end."""
    now = datetime.fromisoformat(local).replace(tzinfo=window.zone)
    assert is_open(a_spec(window=window), now.astimezone(UTC)) is expected


def test_sunday_night_reaches_into_monday() -> None:
    """The week wraps around."""
    sunday = Window(frozenset({6}), time(22), time(4), UTC_ZONE)
    assert is_open(a_spec(window=sunday), datetime(2026, 9, 21, 3, tzinfo=UTC))


def test_no_window_is_always_open() -> None:
    """Without a window and blackouts any time will do."""
    assert is_open(a_spec(), datetime(2026, 9, 21, 3, tzinfo=UTC))


@pytest.mark.parametrize(
    ("zone", "instant", "expected"),
    [
        pytest.param(None, "2026-12-23T23:59:59", True, id="the day before"),
        pytest.param(None, "2026-12-24T00:00:00", False, id="the first day"),
        pytest.param(None, "2026-12-26T23:59:59", False, id="the last day"),
        pytest.param(None, "2026-12-27T00:00:00", True, id="the day after"),
        pytest.param(BERLIN, "2026-12-23T23:00:00", False, id="the first day in Berlin"),
        pytest.param(BERLIN, "2026-12-26T23:00:00", True, id="the day after in Berlin"),
    ],
)
def test_blackout(zone: ZoneInfo | None, instant: str, *, expected: bool) -> None:
    """A blackout holds on its first and last day, in the window's zone, else in UTC."""
    window = Window(frozenset(range(7)), time(0), time(0), zone) if zone else None
    spec = a_spec(window=window, blackouts=(Blackout(date(2026, 12, 24), date(2026, 12, 26)),))
    assert is_open(spec, datetime.fromisoformat(instant).replace(tzinfo=UTC)) is expected
