"""The one word for where a secret stands.

Nothing is decided here: the planner has decided, and the daemon has told. This only says which of the facts a reader
should see first.
"""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.model import OutcomeKind
from rotator.standing import Standing

LATE_AFTER = timedelta(hours=1)
"""How long something may be due before a reader is told: several ticks of the daemon."""


class State(StrEnum):
    """Where a secret stands, the gravest first; the values stand in addresses."""

    PERSON = "person"
    FAILING = "failing"
    LATE = "late"
    UNSEEN = "unseen"
    DUE = "due"
    GRACE = "grace"
    FRESH = "fresh"


LABELS = {
    State.PERSON: "Needs a person",
    State.FAILING: "Failing",
    State.LATE: "Late",
    State.UNSEEN: "Not seen yet",
    State.DUE: "Due",
    State.GRACE: "Old key in grace",
    State.FRESH: "Up to date",
}


def state_of(standing: Standing, now: datetime) -> State:
    """Return the gravest state that the facts about a secret amount to."""
    if standing.needs_person:
        return State.PERSON
    if standing.error or standing.failures or standing.last_outcome == OutcomeKind.FAILED:
        return State.FAILING
    if standing.last_looked_at is None:
        return State.UNSEEN
    late_since = now - LATE_AFTER
    if any(key.dies_at < late_since for key in standing.old_keys):
        return State.LATE
    if standing.due_at is not None and standing.due_at <= now:
        waits = not standing.window_open or standing.last_outcome == OutcomeKind.WAITING
        return State.DUE if waits or standing.due_at >= late_since else State.LATE
    return State.GRACE if standing.old_keys else State.FRESH


def count(states: Iterable[State]) -> dict[State, int]:
    """Return how many secrets are in each state, the gravest first, none left out."""
    counts = Counter(states)
    return {state: counts[state] for state in State}
