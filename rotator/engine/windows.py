"""When a new key may be made: maintenance windows, blackout days, and policies that they cannot meet.

Pure: an instant in, an answer out. A window only ever delays making a key; it never triggers anything. Intervals are
exact across changes to and from summer time: between two instants at which a local clock passes an edge of the
window, midnight, or a change of its zone's offset, `is_open` cannot change, so it is asked once in each stretch.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from itertools import pairwise

from rotator.model.secret import SecretSpec
from rotator.model.times import setting_text

HORIZON = timedelta(days=400)
"""How far a policy is looked at: a year, and a few weeks for what a blackout at its end puts off."""
_DAY = timedelta(days=1)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def is_open(spec: SecretSpec, now: datetime) -> bool:
    """Tell whether a new key may be made for a secret at an instant."""
    local = now.astimezone(spec.window.zone if spec.window else UTC)
    if any(blackout.first <= local.date() <= blackout.last for blackout in spec.blackouts):
        return False
    window = spec.window
    if window is None:
        return True
    today, clock = local.weekday(), local.time()
    if window.start < window.end:
        return today in window.days and window.start <= clock < window.end
    # Over midnight: the hours before `end` belong to the window that opened yesterday.
    yesterday = (today - 1) % 7
    return (today in window.days and clock >= window.start) or (yesterday in window.days and clock < window.end)


def openings(spec: SecretSpec, since: datetime, until: datetime) -> tuple[tuple[datetime, datetime], ...]:
    """Return the intervals within [since, until) in which a new key may be made, in UTC, in order."""
    edges = [since, *(e for e in sorted(set(_edges(spec, since, until))) if since < e < until)]
    found: list[tuple[datetime, datetime]] = []
    for begins, ends in pairwise([*edges, until]):
        if not is_open(spec, begins):
            continue
        if found and found[-1][1] == begins:
            begins = found.pop()[0]  # noqa: PLW2901 - the interval before goes on
        found.append((begins, ends))
    return tuple(found)


def unmet(spec: SecretSpec, now: datetime) -> str:
    """Say why `max_age` cannot be kept inside the windows of the coming year; empty if it can.

    Most windows delay a rotation by some hours or days; that is what they are for. Told is what no patience helps: a
    stretch without any opening that is longer than `max_age`.
    """
    if spec.window is None and not spec.blackouts:
        return ""
    found = openings(spec, now, now + HORIZON)
    if not found:
        return (
            f"no new key can be made before {_day(now + HORIZON)}: its window and blackouts leave "
            "no opening, so its key grows old whatever `max_age` says"
        )
    closed = _longest_closed(found, now)
    if closed[1] - closed[0] <= spec.max_age:
        return ""
    return (
        f"{_span(*closed)} no new key can be made, which is longer than "
        f"`max_age` ({setting_text(spec.max_age)}): widen `window`, shorten `blackout`, or raise `max_age`"
    )


def unmet_policies(specs: Sequence[SecretSpec], now: datetime) -> tuple[str, ...]:
    """Return a line for each policy of a fleet that `unmet` finds, with the secrets that share it."""
    shared: dict[object, list[SecretSpec]] = {}
    for spec in specs:
        shared.setdefault((spec.window, spec.blackouts, spec.max_age), []).append(spec)
    lines = []
    for first, *others in shared.values():
        if problem := unmet(first, now):
            more = f" and {len(others)} more" if others else ""
            lines.append(f"{first.name}{more}: {problem}")
    return tuple(lines)


def described(spec: SecretSpec) -> str:
    """Write a window and its blackouts for people; empty if a new key may be made at any time."""
    parts = []
    if window := spec.window:
        days = [_DAYS[day] for day in sorted(window.days)]
        when = "daily" if len(days) == len(_DAYS) else ", ".join(days)
        parts.append(f"{when} {window.start:%H:%M}-{window.end:%H:%M} {window.zone}")
    if spec.blackouts:
        spans = [f"{b.first}" if b.first == b.last else f"{b.first}..{b.last}" for b in spec.blackouts]
        parts.append(f"not {', '.join(spans)}")
    return "; ".join(parts)


def _longest_closed(found: Sequence[tuple[datetime, datetime]], now: datetime) -> tuple[datetime, datetime]:
    """Return the longest stretch between openings; what lies beyond the horizon is unknown and not counted."""
    ends = [now, *(end for _, end in found)]
    begins = [begin for begin, _ in found]
    return max(zip(ends, begins, strict=False), key=lambda gap: gap[1] - gap[0])


def _edges(spec: SecretSpec, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the instants at which `is_open` may change."""
    zone: tzinfo = spec.window.zone if spec.window else UTC
    times = {time(0), *((spec.window.start, spec.window.end) if spec.window else ())}
    day, last = since.astimezone(zone).date() - _DAY, until.astimezone(zone).date() + _DAY
    while day <= last:
        for clock in times:
            for fold in (0, 1):
                yield _instant(day, clock, zone, fold)
        yield from _offset_change(_instant(day, time(0), zone, 0), zone)
        day += _DAY


def _instant(day: date, clock: time, zone: tzinfo, fold: int) -> datetime:
    return datetime.combine(day, clock, zone).replace(fold=fold).astimezone(UTC)


def _offset_change(begins: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yield the second at which a zone's offset changes within the day that begins there, if it does."""
    ends = begins + _DAY
    before = begins.astimezone(zone).utcoffset()
    if ends.astimezone(zone).utcoffset() == before:
        return
    while ends - begins > timedelta(seconds=1):
        middle = begins + timedelta(seconds=(ends - begins).total_seconds() // 2)
        if middle.astimezone(zone).utcoffset() == before:
            begins = middle
        else:
            ends = middle
    yield ends


def _day(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d}"


def _span(begins: datetime, ends: datetime) -> str:
    """Write a stretch by its days, or to the minute if these would not tell it."""
    if ends - begins >= 2 * _DAY:
        return f"from {_day(begins)} to {_day(ends)}"
    return " ".join(
        f"{word} {moment.astimezone(UTC):%Y-%m-%d %H:%M}Z" for word, moment in (("from", begins), ("to", ends))
    )
