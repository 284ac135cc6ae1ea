"""Instants and spans of time as text: one form each for machines, for the configuration and for people.

A time that comes from outside is read here, or passes `reckoned`: near the ends of the calendar, the next addition
would be an OverflowError.
"""

from datetime import UTC, datetime, timedelta

_SETTING_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))
_SPAN_UNITS = (
    (timedelta(days=2), timedelta(days=1), "d"),
    (timedelta(hours=1), timedelta(hours=1), "h"),
    (timedelta(minutes=1), timedelta(minutes=1), "min"),
    (timedelta(0), timedelta(seconds=1), "s"),
)
"""From which span on a unit is used, how long it is, and its sign."""
_EARLIEST, _LATEST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def time_from(text: str) -> datetime:
    """Read an ISO 8601 time; one without an offset is UTC.

    Raises ValueError if it is none, or if it cannot be reckoned with.
    """
    moment = datetime.fromisoformat(text)
    return reckoned(moment if moment.tzinfo else moment.replace(tzinfo=UTC))


def reckoned(moment: datetime) -> datetime:
    """Return an aware instant in UTC.

    Raises ValueError if it is not from 1970 to 8999: there, no age and no period of the configuration overflows.
    """
    if not _EARLIEST <= moment < _LATEST:
        raise ValueError("a time that cannot be reckoned with")
    return moment.astimezone(UTC)


def ceiled(moment: datetime) -> datetime:
    """Return the whole second at or after an instant."""
    whole = moment.replace(microsecond=0)
    return whole if whole == moment else whole + timedelta(seconds=1)


def time_text(moment: datetime) -> str:
    """Write an instant in UTC, to the second: `2026-11-26T09:53:28Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def setting_text(span: timedelta) -> str:
    """Write whole seconds as the configuration does, without weeks: `1d12h`."""
    rest = int(span.total_seconds())
    shown = ""
    for unit, seconds in _SETTING_UNITS:
        count, rest = divmod(rest, seconds)
        shown += f"{count}{unit}" if count else ""
    return shown or "0s"


def span_text(span: timedelta) -> str:
    """Write a span for people in its largest unit, rounded down: `42 s`, `12 min`, `47 h`, `30 d`."""
    length = abs(span)
    unit, sign = next((unit, sign) for least, unit, sign in _SPAN_UNITS if length >= least)
    return f"{length // unit:,} {sign}"


def relative_text(moment: datetime, now: datetime) -> str:
    """Write an instant as seen from now: `in 3 d`, `12 min ago`, `now`."""
    away = moment - now
    if abs(away) < timedelta(seconds=1):
        return "now"
    return f"in {span_text(away)}" if away > timedelta(0) else f"{span_text(away)} ago"
