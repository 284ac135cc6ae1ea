"""Where every secret stands: what a running daemon tells its status page and its metrics.

Plain values without secret material. The daemon makes them after each look at a secret; whoever shows them decides
nothing.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class OldKey:
    """A superseded key that is still alive."""

    key_id: str
    dies_at: datetime
    """When its grace ends; overdue if in the past."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One secret as last seen; times are aware."""

    name: str
    secret_id: str
    arn: str
    """Empty if the secret could not be found."""
    generation: int | None
    born_at: datetime | None
    max_age: timedelta
    due_at: datetime | None
    window: str
    """As a person reads it; empty if always open."""
    window_open: bool
    old_keys: tuple[OldKey, ...]
    orphans: int
    """Live keys of ours that no label refers to."""
    last_outcome: str
    """The value of an `OutcomeKind`; empty if the secret was never looked at."""
    last_reason: str
    """The value of a `Reason`."""
    last_looked_at: datetime | None
    last_success_at: datetime | None
    failures: int
    """In a row."""
    error: str
    """Of the last run; empty if none."""
    needs_person: str
    """What a person has to do; empty if nothing."""


@dataclass(frozen=True, slots=True)
class Board:
    """Every secret, and what concerns all of them."""

    taken_at: datetime
    standings: tuple[Standing, ...]
    """What needs a person first, then failures, then by `due_at`."""
    audit_error: str
    """Empty if the trail can be written."""
    config_error: str
    """Empty if the newest configuration is in force."""
    version: str
    tick_error: str = ""
    """Why the last tick could not look the fleet over; empty if it could."""
