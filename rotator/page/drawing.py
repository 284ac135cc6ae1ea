"""Bars and timelines as numbers: where things lie on a line, in percent of its length.

The templates draw them as inline SVG with these numbers as attributes, so that no style attribute is needed and text
keeps its size on every screen.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rotator.audit.lives import KeyLife, RunStory
from rotator.model.status import SecretStatus
from rotator.page.headline import Level
from rotator.page.states import State

LANES_MAX = 8
"""Keys on a timeline, the latest ones."""
TICKS_MAX = 6
TROUBLES_MAX = 60
_PAST_MAX_AGE = 1.15
"""How far a bar goes beyond `max_age`: an overdue key overshoots visibly."""
_DAY = timedelta(days=1)
_HOUR = timedelta(hours=1)
_STEPS = (
    *(_HOUR / 60 * minutes for minutes in (1, 5, 15)),
    *(_HOUR * hours for hours in (1, 3, 6, 12)),
    *(_DAY * days for days in (1, 2, 7, 14, 30, 60, 90, 180, 365)),
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LEAST_WIDTH = 0.6
"""A thing that took no time is still seen."""


@dataclass(frozen=True, slots=True)
class AgeBar:
    """A key's age against `max_age`, in percent of the bar."""

    filled: float
    limit: float
    """Where `max_age` lies."""
    level: Level


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a line."""

    kind: str
    """Of a key's life: `proving`, `current`, `grace` or `orphan`; of the strip: a state."""
    start: float
    width: float


@dataclass(frozen=True, slots=True)
class Lane:
    """One key's life on the timeline."""

    life: KeyLife
    pieces: tuple[Piece, ...]
    end: float | None
    """Where it was proved dead, or revoked; None if it is alive."""
    y: int


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled point on the time axis."""

    x: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The latest keys of a secret over time."""

    start_at: datetime
    end_at: datetime
    lanes: tuple[Lane, ...]
    ticks: tuple[Tick, ...]
    troubles: tuple[float, ...]
    """Where runs failed or were cut short."""
    now: float
    due: float | None
    height: int
    left_out: int
    """Older keys that are not drawn."""


LANE_HEIGHT = 44
_AXIS_HEIGHT = 44


def age_bar(status: SecretStatus, now: datetime) -> AgeBar | None:
    """Return the bar of a secret's current key; None if its age is not known."""
    if status.born_at is None or status.max_age <= timedelta(0):
        return None
    share = max((now - status.born_at) / status.max_age, 0.0)
    is_due = status.due_at is not None and status.due_at <= now
    level = Level.ACT if share > 1 else Level.WATCH if is_due else Level.FINE
    shown = min(share, _PAST_MAX_AGE) / _PAST_MAX_AGE
    return AgeBar(_percent(shown), _percent(1 / _PAST_MAX_AGE), level)


def strip(counts: Mapping[State, int]) -> tuple[Piece, ...]:
    """Return how the secrets are shared out among the states; no state is too small to be seen."""
    total = sum(counts.values())
    weights = {state: max(n, total * _LEAST_WIDTH / 100) for state, n in counts.items() if n}
    whole, past, pieces = sum(weights.values()), 0.0, []
    for state, weight in weights.items():
        pieces.append(Piece(state.value, _percent(past / whole), _percent(weight / whole)))
        past += weight
    return tuple(pieces)


def timeline(
    lives: Sequence[KeyLife], runs: Sequence[RunStory], due_at: datetime | None, now: datetime
) -> Timeline | None:
    """Lay the lives of keys out over time; None if there is none."""
    shown = [life for life in lives if life.begun_at][-LANES_MAX:]
    if not shown:
        return None
    start = min(life.begun_at for life in shown if life.begun_at)
    past = max(now - start, timedelta(minutes=1))
    ahead = past * 0.04
    if due_at is not None and now < due_at < now + past:
        ahead = max(ahead, (due_at - now) * 1.04)
    whole = past + ahead

    def place(moment: datetime) -> float:
        return _percent(min(max((moment - start) / whole, 0.0), 1.0))

    lanes = tuple(
        Lane(life, _pieces(life, now, place), _end(life, place), LANE_HEIGHT * index)
        for index, life in enumerate(reversed(shown))
    )
    troubles = [place(run.time) for run in runs if run.outcome in {"failed", "cut short"}]
    return Timeline(
        start_at=start,
        end_at=start + whole,
        lanes=lanes,
        ticks=tuple(Tick(place(moment), label) for moment, label in _ticks(start, start + whole)),
        troubles=tuple(sorted(set(troubles))[:TROUBLES_MAX]),
        now=place(now),
        due=place(due_at) if due_at is not None and now < due_at <= start + whole else None,
        height=LANE_HEIGHT * len(lanes) + _AXIS_HEIGHT,
        left_out=len(lives) - len(shown),
    )


def _pieces(life: KeyLife, now: datetime, place: Callable[[datetime], float]) -> tuple[Piece, ...]:
    ended_at = life.dead_at or life.revoked_at or now
    first_seen_at = life.promoted_at or life.superseded_at
    stretches = (
        ("proving" if first_seen_at else "orphan", life.created_at, first_seen_at or ended_at),
        ("current", life.promoted_at, life.superseded_at or ended_at),
        ("grace", life.superseded_at or (None if life.known_from else life.revoked_at), ended_at),
    )
    pieces = []
    for kind, start_at, end_at in stretches:
        if start_at is not None:
            start, end = place(start_at), place(end_at)
            pieces.append(Piece(kind, start, round(max(end - start, _LEAST_WIDTH), 2)))
    return tuple(pieces)


def _end(life: KeyLife, place: Callable[[datetime], float]) -> float | None:
    ended_at = life.dead_at or life.revoked_at
    return place(ended_at) if ended_at else None


def _ticks(start: datetime, end: datetime) -> Iterator[tuple[datetime, str]]:
    """Yield round times, in UTC, evenly spaced and few enough for a phone."""
    step = next(
        (step for step in _STEPS if (end - start) / step < TICKS_MAX),
        _DAY * math.ceil((end - start) / _DAY / TICKS_MAX),
    )
    moment = _EPOCH + step * math.ceil((start - _EPOCH) / step)
    while moment <= end:
        yield moment, f"{moment:%b} {moment.day}" + ("" if step >= _DAY else f" {moment:%H:%M}")
        moment += step


def _percent(share: float) -> float:
    return round(share * 100, 2)
