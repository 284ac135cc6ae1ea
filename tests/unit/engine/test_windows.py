"""When a new key may be made: windows, when they open, to the second, and policies that they cannot meet."""

import re
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from rotator.engine.windows import described, is_open, openings, unmet, unmet_policies
from rotator.model.secret import Blackout, Window
from tests.builders import NOW, a_spec

BERLIN = ZoneInfo("Europe/Berlin")
NIGHT = Window(frozenset({4}), time(22), time(4), BERLIN)
"""Fridays from ten to four in the morning."""
DAY = Window(frozenset({0, 1}), time(9), time(17), BERLIN)
WHOLE_DAY = Window(frozenset({5}), time(0), time(0), UTC_ZONE := ZoneInfo("UTC"))
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Its summer time is half an hour ahead."""
DAILY = frozenset(range(7))


def utc(text: str) -> datetime:
    """Return an instant."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


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


@pytest.mark.parametrize(
    ("window", "day", "expected"),
    [
        pytest.param(Window(DAILY, time(2), time(3), BERLIN), "2027-03-28", [], id="the hour that is skipped"),
        pytest.param(
            Window(DAILY, time(2, 30), time(4), BERLIN),
            "2027-03-28",
            [("2027-03-28T01:00", "2027-03-28T02:00")],
            id="it begins inside the hour that is skipped",
        ),
        pytest.param(
            Window(DAILY, time(2, 30), time(3), BERLIN),
            "2027-10-31",
            [("2027-10-31T00:30", "2027-10-31T01:00"), ("2027-10-31T01:30", "2027-10-31T02:00")],
            id="half of the hour that comes twice",
        ),
        pytest.param(
            Window(DAILY, time(1, 45), time(3), LORD_HOWE),
            "2027-04-03",
            [("2027-04-03T14:45", "2027-04-03T15:00"), ("2027-04-03T15:15", "2027-04-03T16:30")],
            id="half an hour comes twice on Lord Howe",
        ),
        pytest.param(
            Window(DAILY, time(2, 10), time(2, 20), LORD_HOWE),
            "2027-10-02",
            [],
            id="half an hour is skipped on Lord Howe",
        ),
    ],
)
def test_openings_across_changes_of_the_clock(window: Window, day: str, expected: list[tuple[str, str]]) -> None:
    """The openings of one UTC day, as the local clock makes them."""
    since = utc(day)
    found = openings(a_spec(window=window), since, since + timedelta(days=1))
    assert list(found) == [(utc(a), utc(b)) for a, b in expected]


@pytest.mark.parametrize("zone", [BERLIN, LORD_HOWE], ids=str)
@pytest.mark.parametrize(("start", "end"), [(time(2), time(2, 30)), (time(22), time(4)), (time(0), time(0))], ids=str)
def test_openings_agree_with_every_single_look(zone: ZoneInfo, start: time, end: time) -> None:
    """Around both changes of the clock, the intervals say what `is_open` says at each half minute."""
    spec = a_spec(
        window=Window(frozenset({5, 6, 0}), start, end, zone), blackouts=(Blackout(date(2027, 4, 5), date(2027, 4, 5)),)
    )
    for first in ("2027-03-26", "2027-04-02", "2027-10-01", "2027-10-29"):
        since, until = utc(first), utc(first) + timedelta(days=4)
        found = openings(spec, since, until)
        moment = since
        while moment < until:
            inside = any(begins <= moment < ends for begins, ends in found)
            assert inside is is_open(spec, moment), moment
            moment += timedelta(seconds=30)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({}, "", id="no window"),
        pytest.param({"window": Window(DAILY, time(2), time(3), BERLIN)}, "", id="daily"),
        pytest.param(
            {"window": Window(frozenset({0}), time(2), time(3), BERLIN), "max_age": timedelta(days=6)},
            "longer than `max_age`",
            id="weekly, and younger keys are asked for",
        ),
        pytest.param(
            {"window": Window(frozenset({0}), time(2), time(3), BERLIN), "max_age": timedelta(days=7)}, "", id="weekly"
        ),
        pytest.param(
            {"blackouts": (Blackout(date(2020, 1, 1), date(2030, 1, 1)),)},
            "no new key can be made before 2027-10-26",
            id="a blackout over everything",
        ),
        pytest.param(
            {"blackouts": (Blackout(date(2027, 1, 1), date(2027, 2, 1)),)},
            "from 2027-01-01 to 2027-02-02 no new key can be made",
            id="a blackout longer than max_age",
        ),
        pytest.param({"blackouts": (Blackout(date(2027, 1, 1), date(2027, 1, 20)),)}, "", id="a shorter one"),
    ],
)
def test_policy_that_cannot_be_met(changes: dict[str, object], expected: str) -> None:
    """A stretch without an opening that is longer than `max_age` is told, and nothing else is."""
    said = unmet(a_spec(**changes), NOW)
    assert expected in said
    assert bool(said) is bool(expected)


@pytest.mark.parametrize(
    ("max_age", "end", "expected"),
    [
        pytest.param(
            timedelta(minutes=90),
            time(22),
            r"from 2026-09-\d\d 22:00Z to 2026-09-\d\d 02:00Z no .* \(1h30m\)",
            id="some hours",
        ),
        pytest.param(
            timedelta(hours=12),
            time(3),
            r"from 2026-09-\d\d 03:00Z to 2026-09-\d\d 02:00Z no .* \(12h\)",
            id="most of a day",
        ),
    ],
)
def test_short_stretches_are_told_to_the_minute(max_age: timedelta, end: time, expected: str) -> None:
    """Days alone would say "from one day to the same day"; an age is written as in the configuration."""
    spec = a_spec(window=Window(DAILY, time(2), end, ZoneInfo("UTC")), max_age=max_age)
    said = unmet(spec, NOW)
    assert re.search(expected, said), said
    assert "0:00" not in said.replace(":00Z", "")


def test_window_that_never_opens() -> None:
    """A window inside the skipped hour opens on all other days; one whose day is blacked out never does."""
    spec = a_spec(
        window=Window(frozenset({0}), time(2), time(3), BERLIN),
        blackouts=tuple(
            Blackout(NOW.date() + timedelta(weeks=week), NOW.date() + timedelta(weeks=week)) for week in range(60)
        ),
    )
    assert unmet(spec, NOW).startswith("no new key can be made")


def test_fleet_is_told_by_policy() -> None:
    """Secrets that share a policy are told in one line, which names the first and counts the rest."""
    never = (Blackout(date(2020, 1, 1), date(2030, 1, 1)),)
    specs = [a_spec(name=f"n{n}", secret_id=f"s{n}", blackouts=never) for n in range(3)]
    (line,) = unmet_policies([a_spec(), *specs], NOW)
    assert line.startswith("n0 and 2 more: no new key can be made")


def test_windows_in_words() -> None:
    """What the page and the board show."""
    assert described(a_spec()) == ""
    spec = a_spec(
        window=Window(frozenset({1, 0}), time(22), time(4), BERLIN),
        blackouts=(Blackout(date(2026, 12, 24), date(2027, 1, 2)), Blackout(date(2027, 5, 1), date(2027, 5, 1))),
    )
    assert described(spec) == "Mon, Tue 22:00-04:00 Europe/Berlin; not 2026-12-24..2027-01-02, 2027-05-01"
    assert described(a_spec(window=Window(DAILY, time(0), time(0), BERLIN))).startswith("daily")
