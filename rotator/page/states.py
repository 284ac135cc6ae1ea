"""The one word for a secret's status on the page: which of the facts a reader should see first. It decides nothing."""

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum

from rotator.model.status import Attention, SecretStatus


class State(StrEnum):
    """Where a secret stands, the gravest first; the values stand in addresses."""

    OUTAGE = "outage"
    PERSON = "person"
    FAILING = "failing"
    LATE = "late"
    UNSEEN = "unseen"
    DUE = "due"
    GRACE = "grace"
    FRESH = "fresh"


LABELS = {
    State.OUTAGE: "Outage: no good key",
    State.PERSON: "Needs a person",
    State.FAILING: "Failing",
    State.LATE: "Late",
    State.UNSEEN: "Not looked at since the start",
    State.DUE: "Due",
    State.GRACE: "Old key in grace",
    State.FRESH: "Up to date",
}


_ASKED = {Attention.OUTAGE: State.OUTAGE, Attention.PERSON: State.PERSON, Attention.FAILING: State.FAILING}


def state_of(status: SecretStatus, now: datetime) -> State:
    """Return the gravest state that the facts about a secret amount to."""
    if (asked := _ASKED.get(status.attention)) is not None:
        return asked
    if status.old_keys is None:  # what an earlier process saw says nothing of them
        return State.UNSEEN
    if status.is_late(now):
        return State.LATE
    if status.due_at is not None and status.due_at <= now:
        return State.DUE
    return State.GRACE if status.old_keys else State.FRESH


def count(states: Iterable[State]) -> dict[State, int]:
    """Return how many secrets are in each state, the gravest first, none left out."""
    counts = Counter(states)
    return {state: counts[state] for state in State}
