"""The outside world: the provider of keys, the store of secrets, the audit log and the time that is left.

Each protocol has two implementations, a real one and a simulated one. The rules for all of them:

- a call raises nothing but `RotatorError`, never a library's exception, and never one that carries a secret;
- reads, verification and revocation may be retried inside, within the deadline; `create_key` never is;
- methods named `await_...` poll until they see what they wait for, or time is up; the others ask once;
- `DeadlineExceededError` means that the call was not made.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Protocol

from rotator.model.consumers import Consumer, EcsService, Promotion, Standing
from rotator.model.credential import Credential, Form, Sensitive
from rotator.model.errors import RotatorError
from rotator.model.events import Event
from rotator.model.observed import ProviderKey, SecretDescription
from rotator.model.secret import Permissions


class Deadline(Protocol):
    """The time one run over one secret has left, on a clock that nobody can set."""

    def remaining_s(self) -> float:
        """Return the seconds left, negative when time is up."""


Stopping = Callable[[], bool]
"""Tell whether this process was told to stop: no further action is begun then, and one that is begun is ended."""


def never_stopping() -> bool:
    """Go on to the end, as a command does that a person waits for."""
    return False


class Authentication(Enum):
    """What testAuthentication says of a token."""

    ACCEPTED = "accepted"
    SCOPELESS = "recognised, but refused for want of a legacy scope"
    """403 NO_SCOPES_FOUND. It shows that the key is alive, not that it is dead."""
    REFUSED = "refused"


class ProbeAnswer(Enum):
    """What an endpoint says to a token."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"


@dataclass(frozen=True, slots=True)
class AccountKeys:
    """The keys of a whole account, everybody's, as far as the list was read."""

    keys: tuple[ProviderKey, ...]
    unreadable: int
    """So many more have no date or state that can be read: somebody else's."""
    is_whole: bool
    """Whether the list was read to its end."""


class KeyProvider(Protocol):
    """Pinata's API keys."""

    @property
    def managing_key_id(self) -> str | None:
        """The id of the key we ourselves use, if its token tells."""

    def acting_as(self, managing: Credential) -> "KeyProvider":
        """Return the same provider as another managing key sees it, within the same budget of requests.

        Raises KeyRejectedError if the credential has no token.
        """

    def list_keys(self, prefix: str, expected: frozenset[str], deadline: Deadline) -> tuple[ProviderKey, ...]:
        """Return every live key whose name begins with exactly `prefix`, and revoked ones as far as they come along.

        `expected` are ids of live keys that a complete list shows, as far as is known.

        Raises ProviderUnavailableError, ProviderDeniedError, ProviderContractError or DeadlineExceededError.
        """

    def list_revoked(self, part: str, deadline: Deadline) -> tuple[ProviderKey, ...]:
        """Return the revoked keys whose name contains `part`; live ones too if the filter is not obeyed.

        Raises as `list_keys` does.
        """

    def await_listed(self, key_id: str, name: str, within_s: float, deadline: Deadline) -> ProviderKey | None:
        """Look for a key that was just made in the list of live keys, until it shows or time is up.

        It may come back under another name. None means that it did not show under its name, nor near it.
        """

    def create_key(self, name: str, permissions: Permissions, max_uses: int | None, deadline: Deadline) -> Credential:
        """Mint a key. Called once per attempt: an answer that is lost may have left a live key.

        Raises CreateOutcomeUnknownError if a key may exist; if none does, ProviderRejectedError,
        ProviderUnavailableError, ProviderDeniedError or DeadlineExceededError.
        """

    def authenticate(self, form: Form, deadline: Deadline) -> Authentication:
        """Ask testAuthentication with one form of a credential, once but for transient faults.

        Raises ProviderUnavailableError, ProviderContractError or DeadlineExceededError.
        """

    def await_authentication(
        self, form: Form, wanted: frozenset[Authentication], within_s: float, deadline: Deadline
    ) -> Authentication:
        """Ask testAuthentication until the answer is a wanted one or time is up; return the last answer.

        After an unwanted answer, two wanted ones in a row are needed: propagation flaps.
        """

    def await_revoked(self, key_id: str, name: str, within_s: float, deadline: Deadline) -> ProviderKey | None:
        """Look for a key until the list shows it as revoked or time is up.

        Return it as last seen; None if it was not seen. Without a name the whole account is looked through.
        """

    def probe(self, form: Form, path: str, deadline: Deadline) -> ProbeAnswer:
        """GET a path with a credential: ALLOWED for 2xx, FORBIDDEN for 401 and 403.

        Raises ProviderUnavailableError, ProviderContractError (any other answer) or DeadlineExceededError.
        """

    def revoke_key(self, key_id: str, deadline: Deadline) -> None:
        """Revoke a key; repeating it is harmless, and returning proves nothing.

        Raises ProviderUnavailableError, ProviderDeniedError, ProviderContractError or DeadlineExceededError.
        """


@dataclass(frozen=True, slots=True)
class StoredValue:
    """The value of one version: a version is immutable, so it needs to be read only once."""

    version_id: str
    text: Sensitive
    created_at: datetime


class SecretStore(Protocol):
    """Versions and staging labels in AWS Secrets Manager."""

    def describe(self, secret_id: str, deadline: Deadline) -> SecretDescription:
        """Return a secret's labels, dates and hold tag.

        Raises SecretNotFoundError, StoreDeniedError, StoreUnavailableError or DeadlineExceededError.
        """

    def survey(self, secret_ids: tuple[str, ...], deadline: Deadline) -> dict[str, SecretDescription]:
        """Return what `describe` would, by secret id, for a whole fleet in a hundredth of the calls.

        Ids that the list does not show (yet) are missing from the answer.
        """

    def version_created_at(self, arn: str, version_id: str, deadline: Deadline) -> datetime | None:
        """Return when a labelled version was made, with or without a value; None if it is not shown (yet)."""

    def read(self, arn: str, version_id: str, deadline: Deadline) -> StoredValue | None:
        """Return a version's value, or None if it has none or is not visible yet."""

    def read_current_values(self, arns: tuple[str, ...], deadline: Deadline) -> dict[str, Sensitive | None]:
        """Return the values on AWSCURRENT of at most twenty secrets in one call, by ARN.

        None where a value cannot be read; a secret without one is missing. Raises StoreDeniedError if this identity may
        not ask for several at once, StoreUnavailableError or DeadlineExceededError.
        """

    def await_value(self, arn: str, version_id: str, deadline: Deadline) -> StoredValue:
        """Return the value of a version that was just written; reads lag behind writes.

        Raises StoreUnavailableError if it did not show in time.
        """

    def put_pending(
        self, arn: str, version_id: str, text: Sensitive, labels: frozenset[str], deadline: Deadline
    ) -> None:
        """Write a version with AWSPENDING and the given custom labels; idempotent by the version id.

        Raises StoreRejectedError if it surely was not written, StoreUnavailableError if it may have been.
        """

    def promote(self, arn: str, version_id: str, replacing: str | None, deadline: Deadline) -> datetime | None:
        """Move AWSCURRENT to a version if it is on `replacing`; success if it is there already.

        Return the time of the answer, by the store's clock; None if that call had no answer. Raises
        LabelConflictError if it is on neither.
        """

    def attach(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Put a custom label that is nowhere yet on a version; success if it is there already."""

    def remove(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Take a label off a version; success if it is not there."""

    def tag(self, arn: str, key: str, value: str, deadline: Deadline) -> None:
        """Set a tag of a secret, whatever its value was."""

    def untag(self, arn: str, key: str, deadline: Deadline) -> None:
        """Take a tag off a secret; success if it is not there."""


class Consumers(Protocol):
    """Whoever keeps a key after reading it, as the configuration names them."""

    def ask(self, consumer: Consumer, promotion: Promotion, deadline: Deadline) -> Standing:
        """Return how far a consumer has followed a promotion; UNKNOWN, with the reason, if it cannot be asked."""

    def redeploy(self, service: EcsService, promotion: Promotion, deadline: Deadline) -> None:
        """Begin a deployment of a service once `READ_LAG` has passed since a promotion; it may be begun twice.

        Raises RedeployError if it was refused, could not be asked for, or too little time is left to wait.
        """


class AuditRun(Protocol):
    """The audit trail of one run over one secret."""

    @property
    def run_id(self) -> str:
        """The id of this run; empty as long as nothing of it is on record."""

    @property
    def trouble(self) -> RotatorError | None:
        """What failed beside the run, once it has ended: a program that was to be told of it."""

    def record(self, event: Event) -> None:
        """Record an event; the intent of a call that changes something, and an end, are durable on return.

        Raises AuditUnavailableError if it is not recorded; no effect may follow.
        """


class AuditLog(Protocol):
    """Where runs are recorded."""

    def begin(self, secret: str, arn: str, audit_head: str | None = None) -> AuditRun:
        """Start the trail of one run; `audit_head` is what is noted on the secret, None if that was not read.

        Raises AuditUnavailableError, which stops the run before any effect.
        """
