"""What the audit trail is told: closed, flat, and free of secret material.

The core speaks these; `rotator.audit` turns them into OCSF events. Key ids and names, never values.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Self

from rotator.model.errors import Remedy, RotatorError
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason


class Operation(StrEnum):
    """One call that changes something or proves something: its name in the trail, and in words."""

    done: str
    to_do: str

    def __new__(cls, name: str, done: str, to_do: str) -> Self:
        """Make the member whose value is `name`."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.done, member.to_do = done, to_do
        return member

    CREATE_KEY = "CreateApiKey", "key created", "create a key"
    PUT_PENDING = "PutSecretValue", "stored as AWSPENDING", "store it as AWSPENDING"
    VERIFY_KEY = "VerifyApiKey", "read back and verified", "verify it"
    LABEL = "AttachLabel", "label attached", "attach a label"
    PROMOTE = "Promote", "promoted to AWSCURRENT", "promote it to AWSCURRENT"
    UNLABEL = "RemoveLabel", "label removed", "remove a label"
    TAG = "TagSecret", "tag set", "set a tag"
    UNTAG = "UntagSecret", "tag removed", "remove a tag"
    REDEPLOY = "RedeployConsumer", "consumer redeployed", "redeploy a consumer"
    HOOK = "RunHook", "hook run", "run a hook"
    REVOKE_KEY = "RevokeApiKey", "superseded key revoked", "revoke a key"
    PROVE_DEAD = "ProveKeyDead", "revoked key proved dead", "prove it dead"


class Result(StrEnum):
    """How a call ended; UNKNOWN means that an effect is possible."""

    SUCCESS = "success"
    FAILURE = "failure"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Subject:
    """What a call is about; a part that does not apply is empty."""

    version_id: str = ""
    key_id: str = ""
    key_name: str = ""
    label: str = ""
    """A staging label, or a tag with its value."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A plan was made: the reason, its actions by name, and the generation of the current version."""

    reason: Reason
    actions: tuple[str, ...]
    generation: int


@dataclass(frozen=True, slots=True)
class Intent:
    """A call is about to be made; it is made only once this is durable."""

    operation: Operation
    subject: Subject


@dataclass(frozen=True, slots=True)
class Done:
    """A call has ended."""

    operation: Operation
    subject: Subject
    result: Result
    detail: str
    """What happened, in our own words: a measured time, or the message of our own error."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a run failed, and who must act."""

    error: str
    """The class of our error, such as `ProviderDeniedError`."""
    remedy: Remedy
    message: str
    next_step: str

    @classmethod
    def of(cls, error: RotatorError) -> "Failure":
        """Return what an error tells."""
        return cls(type(error).__name__, error.remedy, error.message, error.next_step)


@dataclass(frozen=True, slots=True)
class Ended:
    """The run is over."""

    outcome: OutcomeKind
    reason: Reason | None
    version_id: str
    key_id: str
    revoked: tuple[str, ...]
    failure: Failure | None
    """None if nothing failed."""


Event = Decided | Intent | Done | Ended


@dataclass(frozen=True, slots=True)
class RunEnd:
    """How a run ended, as the trail tells it afterwards."""

    ended_at: datetime
    outcome: OutcomeKind
    """FAILED too if the run was cut short."""
    failure: Failure | None
