"""What may be done, which of it remains and why, and what one run came to. Frozen values, no secret material."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from rotator.model.consumers import EcsService
from rotator.model.errors import RotatorError
from rotator.model.observed import Observed
from rotator.model.reasons import Reason


class _Named:
    """An action by name, as the trail and `plan --json` have it."""

    __slots__ = ()

    @property
    def name(self) -> str:
        """The name of its class."""
        return type(self).__name__


@dataclass(frozen=True, slots=True)
class Create(_Named):
    """Mint a key and put it as AWSPENDING, under `version_id`, beside `replacing`, the current version if any."""

    version_id: str
    replacing: str | None
    minted_as: str
    """What the key's name ends with: the version id, or one like it where Secrets Manager chose the version id."""


@dataclass(frozen=True, slots=True)
class Restamp(_Named):
    """Put the value of `source` once more under a higher generation, so that what lies between falls below it."""

    version_id: str
    source: str


@dataclass(frozen=True, slots=True)
class Verify(_Named):
    """Read a version back and prove its key."""

    version_id: str


@dataclass(frozen=True, slots=True)
class Promote(_Named):
    """Move AWSCURRENT from `replacing` to a version, as a compare-and-swap, and clear AWSPENDING."""

    version_id: str
    replacing: str | None


@dataclass(frozen=True, slots=True)
class Discard(_Named):
    """Take AWSPENDING off a version that will not be promoted."""

    version_id: str


@dataclass(frozen=True, slots=True)
class Revoke(_Named):
    """Kill a superseded key."""

    key_id: str


@dataclass(frozen=True, slots=True)
class ProveDead(_Named):
    """Show that a revoked key is listed as such and refused."""

    key_id: str


@dataclass(frozen=True, slots=True)
class Unlabel(_Named):
    """Take a `rotator:replaced` label off a version whose key is dead."""

    version_id: str
    label: str


@dataclass(frozen=True, slots=True)
class Stamp(_Named):
    """Put on the current version when it was promoted, as far as that is known: grace runs from there."""

    version_id: str
    promoted_at: datetime


@dataclass(frozen=True, slots=True)
class Tag(_Named):
    """Write into the tag `rotator:contain` which key is meant: the one that was current when the tag was first seen."""

    text: str


@dataclass(frozen=True, slots=True)
class Untag(_Named):
    """Take the tag `rotator:contain` off: every key that it names is proved dead."""

    text: str


@dataclass(frozen=True, slots=True)
class Redeploy(_Named):
    """Let a service replace its tasks, so that they read the current value."""

    service: EcsService


Action = Create | Restamp | Verify | Promote | Discard | Revoke | ProveDead | Unlabel | Stamp | Tag | Untag | Redeploy


@dataclass(frozen=True, slots=True)
class BackOff:
    """Why the next key is not made yet."""

    attempts: int
    """How many failed within the last day."""
    until: datetime
    """When the next one may be made."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The actions that remain, in order, why, and when the secret is next due."""

    reason: Reason
    """Answer to the first question, "must the secret move forward?", also when only the second has actions."""
    actions: tuple[Action, ...]
    due_at: datetime | None
    """When the current key is due by age or expiry; None if there is none of ours."""
    back_off: BackOff | None = None
    """Given with BACKING_OFF."""


class OutcomeKind(StrEnum):
    """What a run over one secret came to, in the words of the command line."""

    ROTATED = "rotated"
    """AWSCURRENT moved, also while the old key waits for its grace."""
    UP_TO_DATE = "up_to_date"
    """Nothing was due; a superseded key may have been revoked."""
    WAITING = "waiting"
    """Something is due and has to wait; it needs no person."""
    HELD = "held"
    """A person has to decide."""
    FAILED = "failed"
    """An error ended the run."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run over one secret: what was decided, what was done, and what is current now."""

    secret: str
    """The configured name."""
    run_id: str
    """Of the run in the audit trail; empty if it was never begun there."""
    kind: OutcomeKind
    """What the run came to."""
    reason: Reason | None = None
    """The forward reason of the first plan; None if the run failed before there was one."""
    version_id: str | None = None
    """The version that is AWSCURRENT at the end, as far as it is known."""
    key_id: str | None = None
    """The key inside that version."""
    actions: tuple[Action, ...] = ()
    """The actions that succeeded, in order."""
    error: RotatorError | None = None
    """What ended the run before its plan was empty; None if nothing did."""
    trouble: RotatorError | None = None
    """What failed beside the run, and harms nothing: a program that was to be told of it."""
    back_off: BackOff | None = None
    """What is waited for, if the last plan said BACKING_OFF."""
    observed: Observed | None = field(default=None, repr=False, compare=False)
    """Both systems at the end, as last seen and as changed by this run; None if it saw nothing."""

    @classmethod
    def failed(cls, secret: str, error: RotatorError) -> "Outcome":
        """Return the outcome of a secret whose run failed before it began."""
        return cls(secret, "", OutcomeKind.FAILED, error=error)

    @property
    def revoked(self) -> tuple[str, ...]:
        """The ids of the keys that were revoked, in order."""
        return tuple(done.key_id for done in self.actions if isinstance(done, Revoke))
