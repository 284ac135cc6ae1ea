"""`SecretStore` over the label rules."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar, TypeVarTuple

from rotator.model.credential import Sensitive
from rotator.model.errors import (
    LabelConflictError,
    RotatorError,
    SecretNotFoundError,
    SecretValueError,
    StoreDeniedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from rotator.model.observed import AWSCURRENT, AWSPENDING, SecretDescription, Version
from rotator.model.ports import Deadline, StoredValue
from rotator.model.tags import CONTAIN_TAG, HOLD_TAG
from rotator.sandbox.secrets_manager import rules as label_rules
from rotator.sandbox.secrets_manager.state import ReplicaStatus, ResourceNotFoundError, RuleError, Secret
from tests.simulated.world import ARN_PREFIX, Fault, Operation, Process, Systems, arn_of

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
PAGE_SIZE = 100
VALUE_LAG_S = 15.0
REGION = ARN_PREFIX.split(":")[3]
PAUSE_S = 1.0
IN_SYNC, FAILED = ReplicaStatus.IN_SYNC, ReplicaStatus.FAILED
_FAULTS: dict[Fault, Callable[[], RotatorError]] = {
    Fault.LOST: lambda: StoreUnavailableError("Secrets Manager did not answer"),
    Fault.REJECTED: lambda: StoreRejectedError("Secrets Manager refused the request"),
    Fault.DENIED: lambda: StoreDeniedError("this identity may not do this"),
}


@dataclass(frozen=True, slots=True)
class SimulatedStore:
    """Secrets Manager as one process sees it."""

    process: Process

    def describe(self, secret_id: str, deadline: Deadline) -> SecretDescription:
        """Return a secret's labels, dates and hold tag."""
        assert deadline is self.process
        return self._call(Operation.DESCRIBE, labels_of, secret_id)

    def survey(self, secret_ids: tuple[str, ...], deadline: Deadline) -> dict[str, SecretDescription]:
        """Return the labels of many secrets, a page at a time."""
        assert deadline is self.process
        pages = -(-len(self.process.systems.secrets) // PAGE_SIZE)
        rows: dict[str, SecretDescription] = {}
        for _ in range(pages):
            rows = self._call(Operation.LIST_SECRETS, _rows, secret_ids)
        return rows

    def read(self, arn: str, version_id: str, deadline: Deadline) -> StoredValue | None:
        """Return a version's value."""
        assert deadline is self.process
        return self._call(Operation.GET_VALUE, value_of, arn, version_id)

    def version_created_at(self, arn: str, version_id: str, deadline: Deadline) -> datetime | None:
        """Answer ListSecretVersionIds about one version."""
        assert deadline is self.process
        return self._call(Operation.LIST_VERSIONS, created_at_of, arn, version_id)

    def read_current_values(self, arns: tuple[str, ...], deadline: Deadline) -> dict[str, Sensitive | None]:
        """Return the current values of several secrets."""
        assert deadline is self.process
        return self._call(Operation.GET_VALUES, _current_values, arns)

    def read_current(self, secret_id: str, deadline: Deadline) -> Sensitive:
        """Return the value that consumers read, as a process reads its managing key."""
        assert deadline is self.process
        return self._call(Operation.GET_VALUE, _current_value, secret_id)

    def await_value(self, arn: str, version_id: str, deadline: Deadline) -> StoredValue:
        """Return the value of a version that was just written."""
        until_s = self.process.now_s + VALUE_LAG_S
        value = self.read(arn, version_id, deadline)
        while value is None:
            self.process.wait(PAUSE_S)
            if self.process.now_s > until_s:
                raise StoreUnavailableError(f"version {version_id} did not show in time")
            value = self.read(arn, version_id, deadline)
        return value

    def put_pending(
        self, arn: str, version_id: str, text: Sensitive, labels: frozenset[str], deadline: Deadline
    ) -> None:
        """Write a version with AWSPENDING and custom labels."""
        assert deadline is self.process
        asked = (AWSPENDING, *sorted(labels))
        self._call(Operation.PUT_VALUE, _put, arn, version_id, text, asked)

    def promote(self, arn: str, version_id: str, replacing: str | None, deadline: Deadline) -> datetime | None:
        """Move AWSCURRENT by compare-and-swap."""
        assert deadline is self.process
        try:
            self._move(Operation.PROMOTE, arn, AWSCURRENT, to=version_id, away_from=replacing)
            return datetime.fromtimestamp(self.process.now_s + self.process.systems.skew_s, UTC)
        except StoreRejectedError as refused:
            holder = self._holder(arn, AWSCURRENT, deadline)
            if holder == version_id:
                return None
            if holder == replacing:  # refused for another reason than the label's place
                raise
            raise LabelConflictError(refused.message) from None

    def attach(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Put a label on a version."""
        assert deadline is self.process
        try:
            self._move(Operation.ATTACH, arn, label, to=version_id)
        except StoreRejectedError:
            if self._holder(arn, label, deadline) != version_id:
                raise

    def remove(self, arn: str, version_id: str, label: str, deadline: Deadline) -> None:
        """Take a label off a version."""
        assert deadline is self.process
        try:
            self._move(Operation.REMOVE, arn, label, away_from=version_id)
        except StoreRejectedError:
            if self._holder(arn, label, deadline) == version_id:
                raise

    def tag(self, arn: str, key: str, value: str, deadline: Deadline) -> None:
        """Set a tag."""
        assert deadline is self.process
        self._call(Operation.TAG, _tag, arn, key, value)

    def untag(self, arn: str, key: str, deadline: Deadline) -> None:
        """Take a tag off."""
        assert deadline is self.process
        self._call(Operation.UNTAG, _untag, arn, key)

    def _holder(self, arn: str, label: str, deadline: Deadline) -> str | None:
        labels = self.describe(arn, deadline)
        return next((v.version_id for v in labels.versions if label in v.labels), None)

    def _move(
        self, operation: Operation, arn: str, label: str, *, to: str | None = None, away_from: str | None = None
    ) -> None:
        self._call(operation, _move, arn, label, to, away_from)

    def _call(self, operation: Operation, effect: Callable[[Systems, *Ts], T], *args: *Ts) -> T:
        return self.process.call(operation, _FAULTS, effect, *args)


# What a call does and answers: functions of the systems and plain values, so that a call can be delayed or repeated


def labels_of(systems: Systems, secret_id: str) -> SecretDescription:
    """Answer DescribeSecret."""
    name, secret = _secret(systems, secret_id)
    return SecretDescription(
        arn=arn_of(name),
        name=name,
        changed_at=datetime.fromtimestamp(secret.last_changed, UTC),
        hold=secret.tags.get(HOLD_TAG),
        contain=secret.tags.get(CONTAIN_TAG),
        versions=tuple(Version(v, frozenset(on)) for v, on in secret.describe().items()),
        clock_skew_s=systems.skew_s,
        rotation_enabled=True,
        replicas_behind=frozenset(r for r, s in secret.replicas.items() if s is not IN_SYNC),
        replicas_failed=frozenset(r for r, s in secret.replicas.items() if s is FAILED),
        primary_region=REGION if secret.replicas else "",
    )


def value_of(systems: Systems, arn: str, version_id: str) -> StoredValue | None:
    """Answer GetSecretValue."""
    try:
        found = _secret(systems, arn)[1].get(version_id)
    except ResourceNotFoundError:
        return None
    except RuleError as refused:
        raise StoreRejectedError(str(refused)) from None
    if not isinstance(found.value, str):
        raise SecretValueError(f"version {version_id} holds a binary value, not a text")
    made_at = datetime.fromtimestamp(found.version.created, UTC)
    return StoredValue(version_id, Sensitive(found.value), made_at)


def created_at_of(systems: Systems, arn: str, version_id: str) -> datetime | None:
    """Answer ListSecretVersionIds about one version."""
    shown = {found.version_id: found for found in _secret(systems, arn)[1].list_versions()}
    found = shown.get(version_id)
    return datetime.fromtimestamp(found.version.created, UTC) if found else None


def _current_value(systems: Systems, secret_id: str) -> Sensitive:
    value = _secret(systems, secret_id)[1].get(label=AWSCURRENT).value
    return Sensitive(str(value))


def _current_values(systems: Systems, arns: tuple[str, ...]) -> dict[str, Sensitive | None]:
    values: dict[str, Sensitive | None] = {}
    for arn in arns:
        try:
            found = _secret(systems, arn)[1].get(None, AWSCURRENT).value
        except (SecretNotFoundError, ResourceNotFoundError):
            continue
        values[arn] = Sensitive(found) if isinstance(found, str) else None
    return values


def _rows(systems: Systems, secret_ids: tuple[str, ...]) -> dict[str, SecretDescription]:
    rows = {found: labels_of(systems, found) for found in secret_ids if systems.name_of(found)}
    none = frozenset[str]()
    return {found: replace(labels, replicas_behind=none, replicas_failed=none) for found, labels in rows.items()}


def _put(systems: Systems, arn: str, version_id: str, text: Sensitive, labels: tuple[str, ...]) -> None:
    value = text.reveal()
    _change(
        systems, arn, lambda secret, now: label_rules.put(secret, now, token=version_id, value=value, labels=labels)
    )


def _move(systems: Systems, arn: str, label: str, to: str | None, away_from: str | None) -> None:
    _change(
        systems, arn, lambda secret, now: label_rules.move_label(secret, now, label, move_to=to, remove_from=away_from)
    )


def _tag(systems: Systems, arn: str, key: str, value: str) -> None:
    _change(systems, arn, lambda secret, now: label_rules.tag(secret, now, {key: value}))


def _untag(systems: Systems, arn: str, key: str) -> None:
    _change(systems, arn, lambda secret, now: label_rules.untag(secret, now, [key]))


def _change(systems: Systems, arn: str, rule: Callable[[Secret, float], Secret]) -> None:
    name, secret = _secret(systems, arn)
    try:
        systems.secrets[name] = rule(secret, systems.now_s + systems.skew_s)
    except RuleError as refused:
        raise StoreRejectedError(str(refused)) from None


def _secret(systems: Systems, secret_id: str) -> tuple[str, Secret]:
    name = systems.name_of(secret_id)
    if name is None:
        raise SecretNotFoundError(f"there is no secret {secret_id}")
    return name, systems.secrets[name]
