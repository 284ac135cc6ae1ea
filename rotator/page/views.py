"""What the templates are given: a page of the list, or one secret."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.audit import Record
from rotator.errors import RotatorError
from rotator.model import Reason
from rotator.page.drawing import AgeBar, Piece, Timeline, age_bar, strip, timeline
from rotator.page.headline import Headline, Health, headline
from rotator.page.lives import KeyLife, Run, key_lives, runs
from rotator.page.query import Query
from rotator.page.states import State, count, state_of
from rotator.reasons import WHY
from rotator.standing import Board, Standing

PER_PAGE = 100
LIVES_MAX = 50
_WHY = {reason.value: clause for reason, clause in WHY.items()}


@dataclass(frozen=True, slots=True)
class Row:
    """One secret as a line of the list."""

    standing: Standing
    state: State
    bar: AgeBar | None
    why: str
    """The clause for its last reason; empty if there is none."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of the list."""

    headline: Headline
    counts: dict[State, int]
    """Secrets in each state that have the text asked for; all states, whichever is asked for."""
    total: int
    """All secrets."""
    matching: int
    """Secrets with the text and in the state asked for."""
    rows: tuple[Row, ...]
    page: int
    pages: int
    next_due_at: datetime | None
    strip: tuple[Piece, ...]
    old_keys: int
    overdue_keys: int
    orphans: int


@dataclass(frozen=True, slots=True)
class Sight:
    """One secret in full."""

    row: Row
    timeline: Timeline | None
    lives: tuple[KeyLife, ...]
    """The latest first."""
    lives_left_out: int
    runs: tuple[Run, ...]
    runs_left_out: int
    trail_error: str
    """Why the audit trail could not be read; empty if it could."""
    next_step: str
    """The command that gets on."""


def listing(board: Board, query: Query, health: Health, now: datetime) -> Listing:
    """Return the page of the list that a query asks for; the last one, if it has fewer pages."""
    seen = [(standing, state_of(standing, now)) for standing in board.standings]
    found = [pair for pair in seen if _has(pair[0], query.text.casefold())]
    matching = [pair for pair in found if query.state in {None, pair[1]}]
    pages = max(-(-len(matching) // PER_PAGE), 1)
    page = min(query.page, pages)
    shown = matching[(page - 1) * PER_PAGE : page * PER_PAGE]
    everything = count(state for _, state in seen)
    return Listing(
        headline=headline(board, everything, health, now),
        counts=count(state for _, state in found),
        total=len(seen),
        matching=len(matching),
        rows=tuple(_row(standing, state, now) for standing, state in shown),
        page=page,
        pages=pages,
        next_due_at=min(
            (s.due_at for s in board.standings if s.due_at and s.due_at > now), default=None
        ),
        strip=strip(everything),
        overdue_keys=sum(key.dies_at < now for s in board.standings for key in s.old_keys),
        old_keys=sum(len(s.old_keys) for s in board.standings),
        orphans=sum(s.orphans for s in board.standings),
    )


def find(board: Board, name: str) -> Standing | None:
    """Return the secret with this configured name."""
    return next((standing for standing in board.standings if standing.name == name), None)


def sight(standing: Standing, records: Sequence[Record] | RotatorError, now: datetime) -> Sight:
    """Return one secret with the story its records tell, or with the reason why there are none."""
    row = _row(standing, state_of(standing, now), now)
    if isinstance(records, RotatorError):
        return Sight(row, None, (), 0, (), 0, records.message, next_step(row))
    lives = key_lives(records)
    told, left_out = runs(records)
    return Sight(
        row=row,
        timeline=timeline(lives, told, standing.due_at, now),
        lives=tuple(reversed(lives))[:LIVES_MAX],
        lives_left_out=max(len(lives) - LIVES_MAX, 0),
        runs=told,
        runs_left_out=left_out,
        trail_error="",
        next_step=next_step(row),
    )


def next_step(row: Row) -> str:
    """Return the command that gets on from where a secret stands; empty if there is nothing to do."""
    name = shlex.quote(row.standing.name)
    match row.state, row.standing.last_reason:
        case State.PERSON, Reason.ON_HOLD:
            secret_id = shlex.quote(row.standing.secret_id)
            return (
                f"aws secretsmanager untag-resource --secret-id {secret_id} --tag-keys rotator:hold"
            )
        case State.PERSON, Reason.DRIFTED | Reason.ROLLED_BACK:
            return f"rotator rotate {name}"
        case ((State.PERSON | State.LATE), _):
            return f"rotator plan {name}"
        case State.FAILING, _:
            return f"rotator history {name}"
        case _:
            return ""


def _has(standing: Standing, text: str) -> bool:
    return not text or any(
        text in part.casefold()
        for part in (
            standing.name,
            standing.secret_id,
            standing.arn,
            standing.last_reason,
            standing.needs_person,
            standing.error,
        )
    )


def _row(standing: Standing, state: State, now: datetime) -> Row:
    why = _WHY.get(standing.last_reason, "")
    return Row(standing, state, age_bar(standing, now), why)
