"""What the templates are given: a page of the list, or one secret."""

from dataclasses import dataclass
from datetime import datetime

from rotator.audit.lives import KeyLife, RunStory, key_lives, runs
from rotator.model.errors import RotatorError
from rotator.model.status import FleetStatus, SecretStatus, next_command
from rotator.page.drawing import AgeBar, Piece, Timeline, age_bar, strip, timeline
from rotator.page.headline import Headline, Health, headline
from rotator.page.query import Query
from rotator.page.sources import IDLE_MAX, TOLD_FOR, Told
from rotator.page.states import LABELS, State, count, state_of

PER_PAGE = 100
LIVES_MAX = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One secret as a line of the list."""

    status: SecretStatus
    state: State
    bar: AgeBar | None
    command: str
    """What a person types next; empty if nothing."""


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
    """Of the secrets that have been looked at, as the next two."""
    overdue_keys: int
    orphans: int
    unseen: int
    """Secrets whose old keys and orphans are not known."""


@dataclass(frozen=True, slots=True)
class SecretPage:
    """One secret in full."""

    row: Row
    timeline: Timeline | None
    lives: tuple[KeyLife, ...]
    """The latest first."""
    lives_left_out: int
    runs: tuple[RunStory, ...]
    runs_left_out: int
    """Of those that were read."""
    trail_error: str
    """Why the audit trail could not be read; empty if it could."""
    trail_cut: str = ""
    """Why older runs are missing; empty if none is."""
    told_days: int = TOLD_FOR.days
    idle_max: int = IDLE_MAX


def listing(fleet: FleetStatus, query: Query, health: Health, now: datetime) -> Listing:
    """Return the page of the list that a query asks for; the last one, if it has fewer pages."""
    seen = [(status, state_of(status, now)) for status in fleet.secrets]
    found = [pair for pair in seen if _has(*pair, query.text.casefold(), now)]
    matching = [pair for pair in found if query.state in {None, pair[1]}]
    pages = max(-(-len(matching) // PER_PAGE), 1)
    page = min(query.page, pages)
    shown = matching[(page - 1) * PER_PAGE : page * PER_PAGE]
    everything = count(state for _, state in seen)
    return Listing(
        headline=headline(fleet, everything, health, now),
        counts=count(state for _, state in found),
        total=len(seen),
        matching=len(matching),
        rows=tuple(_row(status, state, now) for status, state in shown),
        page=page,
        pages=pages,
        next_due_at=min((s.due_at for s in fleet.secrets if s.due_at and s.due_at > now), default=None),
        strip=strip(everything),
        overdue_keys=sum(s.overdue_keys(now) or 0 for s in fleet.secrets),
        old_keys=sum(len(s.old_keys or ()) for s in fleet.secrets),
        orphans=sum(s.orphans or 0 for s in fleet.secrets),
        unseen=sum(s.old_keys is None for s in fleet.secrets),
    )


def find(fleet: FleetStatus, name: str) -> SecretStatus | None:
    """Return the secret with this configured name."""
    return next((status for status in fleet.secrets if status.name == name), None)


def secret_page(status: SecretStatus, found: Told | RotatorError, now: datetime) -> SecretPage:
    """Return one secret with the story its records tell, or with the reason why there are none."""
    row = _row(status, state_of(status, now), now)
    if isinstance(found, RotatorError):
        return SecretPage(row, None, (), 0, (), 0, found.message)
    lives = key_lives(found.records)
    told, left_out = runs(found.records)
    return SecretPage(
        row=row,
        timeline=timeline(lives, told, status.due_at, now),
        lives=tuple(reversed(lives))[:LIVES_MAX],
        lives_left_out=max(len(lives) - LIVES_MAX, 0),
        runs=told,
        runs_left_out=left_out,
        trail_error="",
        trail_cut=found.cut,
    )


def _has(status: SecretStatus, state: State, text: str, now: datetime) -> bool:
    """Tell whether a text stands in what is known of a secret, or in a word for its state, hold or old keys."""
    if not text:
        return True
    of_keys = (f"{key.key_id} {'overdue' if key.until <= now else 'grace'}" for key in status.old_keys or ())
    known = (status.name, status.secret_id, status.arn, status.reason or "", status.next_step, status.error)
    on_hold = "" if status.hold is None else f"hold {status.hold}"
    return any(text in part.casefold() for part in (*known, state, LABELS[state], on_hold, *of_keys))


def _row(status: SecretStatus, state: State, now: datetime) -> Row:
    return Row(status, state, age_bar(status, now), next_command(status, now))
