"""The screen of `history`: the life of a secret, a line for each generation, and the trouble in between."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rotator.audit.lives import KeyLife, key_lives
from rotator.audit.record import RUN_ENDS, Record
from rotator.cli.screen import counted
from rotator.model.plan import OutcomeKind
from rotator.model.times import relative_text

_TROUBLES = {OutcomeKind.FAILED.value: "failed", OutcomeKind.HELD.value: "held", "unknown": "cut short"}


def life_lines(secret: str, records: Sequence[Record], now: datetime) -> Iterator[str]:
    """Yield the generations of a secret, the oldest first, each above what went wrong until the next one began."""
    lives = key_lives(records)
    births = [life.known_from or records[0].time for life in lives]
    alive = sum(life.dead_at is None for life in lives)
    known = f"{counted(len(lives), 'key')}, {alive:,} not proved dead" if lives else "this trail knows no key of it"
    yield f"{secret}: {known}"
    yield from _trouble(records, None, births[0] if births else None, now)
    for life, begun_at, until in zip(lives, births, [*births, None][1:], strict=True):
        yield _line(life, now)
        yield from _trouble(records, begun_at, until, now)


def _line(life: KeyLife, now: datetime) -> str:
    parts = []
    if life.created_at:
        parts.append(f"born {relative_text(life.created_at, now)} by {life.trigger or 'hand'} ({life.why or '?'})")
    elif life.generation:
        parts.append("born before this trail begins")
    else:
        parts.append("made by hand")
    if life.superseded_at:
        parts.append(f"replaced {relative_text(life.superseded_at, now)}")
    elif life.promoted_at and not life.revoked_at:
        parts.append("current")
    elif not life.promoted_at and life.created_at:
        parts.append("never current")
    if life.dead_at:
        parts.append(f"dead {relative_text(life.dead_at, now)}" + (f": {life.proof}" if life.proof else ""))
    elif life.revoked_at:
        parts.append(f"revoked {relative_text(life.revoked_at, now)}, not proved dead")
    elif life.superseded_at:
        parts.append("alive, as far as this trail tells")
    return f"  {life.generation or '-':>4}  {life.key_id}  {'; '.join(parts)}"


def _trouble(records: Sequence[Record], since: datetime | None, until: datetime | None, now: datetime) -> Iterator[str]:
    """Yield a line for each kind of run that went wrong in a time: how many, and the last of them."""
    found: dict[str, list[Record]] = {}
    for record in records:
        is_end = record.kind in RUN_ENDS and record.result in _TROUBLES
        if is_end and (since is None or since <= record.time) and (until is None or record.time < until):
            found.setdefault(record.result, []).append(record)
    for result, ends in found.items():
        last = ends[-1]
        why = f"{last.failure.error}: {last.detail}" if last.failure else last.detail or last.reason
        yield f"        {counted(len(ends), 'run')} {_TROUBLES[result]}, last {relative_text(last.time, now)}: {why}"
