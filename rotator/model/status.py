"""Where a secret and a fleet stand: the one answer behind `status`, `status --watch`, the page and the metrics.

Plain values without secret material. They are made after each look; whoever shows them decides nothing. What nobody
has looked at is None, never zero.
"""

import shlex
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.model.consumers import Standing
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.tags import untag_command
from rotator.model.times import time_text

LATE_AFTER = timedelta(hours=1)
"""How long a key may be due before a reader is told: several ticks of the daemon."""


class Attention(StrEnum):
    """What a secret asks of people, the gravest first."""

    OUTAGE = "outage"
    """Consumers have no good key: it does not work, or a person said that it has leaked."""
    PERSON = "person"
    """A person has to decide or repair something."""
    FAILING = "failing"
    """The last run or look failed; the next one tries again."""
    NONE = ""


@dataclass(frozen=True, slots=True)
class OldKey:
    """A superseded key that is still alive."""

    key_id: str
    until: datetime
    """When its grace ends; overdue if in the past."""


@dataclass(frozen=True, slots=True)
class SecretStatus:
    """One secret as last seen; times are aware."""

    name: str
    """The configured name."""
    secret_id: str
    """Its name or ARN, as configured."""
    arn: str
    """Empty if the secret could not be found."""
    generation: int | None
    """Of the version that is AWSCURRENT; None if there is none, or if that is not known."""
    born_at: datetime | None
    """When the current key was made."""
    max_age: timedelta
    """The configured limit of its age."""
    due_at: datetime | None
    """When the current key is due by age or expiry; None if there is none of ours."""
    window: str
    """The maintenance window and blackouts as a person reads them; empty if always open."""
    window_open: bool
    """Whether a new key may be made now."""
    reason: Reason | None
    """What the last plan said; None if there was none."""
    next_actions: tuple[str, ...] | None
    """The names of the actions that the last look planned; None if it planned nothing."""
    old_keys: tuple[OldKey, ...] | None
    """Superseded keys that are still alive; None if nobody has looked."""
    consumers: tuple[Standing, ...] | None
    """How far each consumer was at the last look; None if none was asked."""
    orphans: int | None
    """Live keys of ours that no label refers to; None if nobody has looked."""
    hold: str | None
    """The value of the tag `rotator:hold`; None if it is not set, or if the secret could not be found."""
    last_outcome: OutcomeKind | None
    """What the last run came to; None if there was none."""
    last_run_at: datetime | None
    """When it ended, or began where only that is known."""
    last_success_at: datetime | None
    """When a run last ended without a failure."""
    failures: int
    """Runs that failed since then, as far as is known."""
    error: str
    """Why the last run or look failed; empty if it did not."""
    code: str
    """The class of that error, which `rotator explain` takes; empty if it is not known."""
    next_step: str
    """What a person does about it; empty if nothing."""
    attention: Attention
    """What it asks of people."""
    needs_person: bool
    """Whether it does not go away by itself."""
    looked_at: datetime | None
    """When both systems were last asked; None if this is known by labels alone."""

    def overdue_keys(self, now: datetime) -> int | None:
        """Return how many superseded keys are alive although their grace is over; None if nobody has looked.

        One that a consumer still has lives on purpose, until the consumer has had its time.
        """
        if self.old_keys is not None and self.reason is Reason.CONSUMER_BEHIND:
            return 0
        return None if self.old_keys is None else sum(key.until <= now for key in self.old_keys)

    def is_late(self, now: datetime) -> bool:
        """Tell whether a look found what should not be: an old key overdue, no key known to work, or one long due."""
        if self.old_keys is None:
            return False
        if self.overdue_keys(now) or self.born_at is None or self.reason is Reason.NOT_YET_ACCEPTED:
            return True
        waits = not self.window_open or self.last_outcome is OutcomeKind.WAITING
        return self.due_at is not None and self.due_at < now - LATE_AFTER and not waits


@dataclass(frozen=True, slots=True)
class FleetStatus:
    """Every secret, and what concerns all of them."""

    taken_at: datetime
    secrets: tuple[SecretStatus, ...]
    """What needs a person first, then failures, then by `due_at`."""
    audit_error: str
    """Empty if the trail can be written."""
    config_error: str
    """Empty if the newest configuration is in force."""
    version: str
    """The running version of rotator."""
    tick_error: str = ""
    """Why the fleet could not be looked over; empty if it could."""
    managing_expires_at: datetime | None = None
    """When the managing key's token expires; None if it does not say, or no tick has read it."""
    silence: str = ""
    """Why nobody seems to look after the fleet; empty if somebody does, or if nobody ever has."""


def urgency(status: SecretStatus) -> tuple[int, bool, float, str]:
    """Return the sort key of a fleet: what needs people first, then what is due first."""
    due = status.due_at
    return (list(Attention).index(status.attention), due is None, due.timestamp() if due else 0.0, status.name)


def next_command(status: SecretStatus, now: datetime) -> str:  # noqa: PLR0911 - one return per case
    """Return what a person types next; empty if nothing."""
    name, aws = shlex.quote(status.name), f"--secret-id {shlex.quote(status.secret_id)}"
    if status.hold is not None:
        return f"rotator release {name}"
    match status.attention, status.reason:
        case (_, Reason.CONTAIN_STUCK):
            return untag_command(shlex.quote(status.secret_id))
        case (Attention.PERSON, Reason.DRIFTED | Reason.ROLLED_BACK):
            return f"rotator rotate {name}"
        case (Attention.PERSON, Reason.WRONG_REGION | Reason.FOREIGN_OWNER | Reason.REPLICA_STUCK):
            return f"aws secretsmanager describe-secret {aws}"
        case (Attention.PERSON, Reason.TO_BE_DELETED):
            return f"aws secretsmanager restore-secret {aws}"
        case (Attention.OUTAGE, _):
            return f"rotator run {name}"
        case (Attention.PERSON, _):
            return f"rotator plan {name}"
        case (Attention.FAILING, _):
            return f"rotator history {name}"
        case _:
            return f"rotator plan {name}" if status.is_late(now) else ""


def to_json(status: SecretStatus, now: datetime) -> dict[str, object]:
    """Return the object that `status --json` prints for one secret."""
    old_keys = status.old_keys
    return {
        "secret": status.name,
        "secret_id": status.secret_id,
        "generation": status.generation,
        "age_seconds": int((now - status.born_at).total_seconds()) if status.born_at else None,
        "due_at": _time(status.due_at),
        "reason": status.reason,
        "why": status.reason.clause if status.reason else None,
        "next_actions": None if status.next_actions is None else list(status.next_actions),
        "old_keys": None
        if old_keys is None
        else [{"key_id": key.key_id, "until": time_text(key.until)} for key in old_keys],
        "orphans": status.orphans,
        "consumers": None
        if status.consumers is None
        else [{"name": seen.consumer.name, "behind": seen.is_behind} for seen in status.consumers],
        "hold": status.hold,
        "last_outcome": status.last_outcome,
        "last_run_at": _time(status.last_run_at),
        "failures": status.failures,
        "code": status.code or None,
        "error": status.error or None,
        "next_step": status.next_step or None,
        "attention": status.attention,
        "needs_person": status.needs_person,
        "looked_at": _time(status.looked_at),
    }


def _time(moment: datetime | None) -> str | None:
    return time_text(moment) if moment else None
