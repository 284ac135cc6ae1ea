"""The rotation that AWS publishes for tokens a provider issues, as a program that the explorer can run.

A stand-in, written for this comparison: the order of the calls and what is done about a failure are those of the
multi-user sample for InfluxDB tokens, `SecretsManagerInfluxDBRotationMultiUser` at b4b8eca in
https://github.com/aws-samples/aws-secrets-manager-rotation-lambdas, whose provider issues tokens as Pinata does. It is
not that code, and it says nothing about how that code does against the provider it was written for.

As published: four steps that AWS invokes in order; each looks at the labels first and returns if its token is current
already; createSecret returns if the pending version has a value, and deletes the new key if it cannot be stored;
finishSecret deletes the old key right after the label has moved. There are versions of the sample without that
deletion in createSecret: there, a put that failed loses a key where here it is cleared up or leaves a dead one pending.

In the sample's favour:

- Consumers are given no grace, so the missing one is forgiven; and so are the missing audit trail, and that nobody
  looks at the scopes of the new key.
- Keys are named for their version, so what it leaves behind can be told from keys of others.
- The reads that find the administrator's password, the address of the database and the id of a token in it are left
  out, so a run has fewer calls that can fail.
- What AWS does never fails: a rotation that failed is invoked again, whole, with the same token; AWSPENDING is taken
  away when all four steps have returned.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from rotator.model.credential import Credential
from rotator.model.errors import KeyRejectedError, RotatorError, StoreRejectedError
from rotator.model.naming import KeyFamily, version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, SecretDescription
from rotator.model.payload import compose, credential_in
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.ports import Authentication, StoredValue
from rotator.model.secret import Demand, SecretSpec
from rotator.sandbox.secrets_manager import rules
from tests.exploration.instances import Start
from tests.exploration.universe import Universe
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Process

_LAMBDA = "arn:aws:lambda:eu-central-1:111122223333:function:sample"


def rotate_as_published(process: Process, spec: SecretSpec, start: Start) -> Outcome:
    """Invoke the four steps in order, as AWS does, until one fails.

    Args:
        process: of this rotation; in truth each step has its own, which makes no difference: nothing is kept.

        spec: of the secret; its grace is not looked at.

        start: its nonce is the whole ClientRequestToken.
    """
    rotation = _Rotation(SimulatedStore(process), SimulatedProvider(process), process, spec, start)
    steps = (rotation.create_secret, None, rotation.test_secret, rotation.finish_secret)
    kind, failure = OutcomeKind.ROTATED, None
    try:
        for step in steps:
            rotation.invoke(step)
    except RotatorError as error:
        kind, failure = OutcomeKind.FAILED, error
    return Outcome(spec.name, "", kind, version_id=start.nonce, error=failure)


@dataclass(frozen=True, slots=True)
class _Rotation:
    """The handler and its steps."""

    store: SimulatedStore
    provider: SimulatedProvider
    process: Process
    spec: SecretSpec
    start: Start

    @property
    def token(self) -> str:
        """The ClientRequestToken, and so the id of the new version."""
        return self.start.nonce

    def invoke(self, step: Callable[[SecretDescription], None] | None) -> None:
        """Look where the labels are, then do a step; setSecret is none, for the key was made with its token."""
        labels = self.store.describe(self.spec.secret_id, self.process)
        if _holder(labels, AWSCURRENT) == self.token:
            return
        if _holder(labels, AWSPENDING) != self.token:
            raise StoreRejectedError(f"version {self.token} is not AWSPENDING")
        if step is not None:
            step(labels)

    def create_secret(self, labels: SecretDescription) -> None:
        """Make a key and store it, unless the pending version has a value already."""
        current = self._current(labels)
        if self.store.read(labels.arn, self.token, self.process) is not None:
            return
        self._authenticate(credential_in(current.text, self.spec.shape))
        name = KeyFamily.of("rotator", labels.arn).key_name(self.token)
        new = self.provider.create_key(name, self.spec.permissions, None, self.process)
        try:
            text = compose(new, self.spec.shape, current.text)
            self.store.put_pending(labels.arn, self.token, text, frozenset(), self.process)
        except RotatorError:
            self.provider.revoke_key(new.key_id, self.process)
            raise

    def test_secret(self, labels: SecretDescription) -> None:
        """Use the pending key."""
        self._current(labels)
        self._authenticate(credential_in(self._pending(labels).text, self.spec.shape))

    def finish_secret(self, labels: SecretDescription) -> None:
        """Move AWSCURRENT, and delete the key that was in it."""
        old = credential_in(self._current(labels).text, self.spec.shape)
        self._pending(labels)
        current = _holder(self.store.describe(self.spec.secret_id, self.process), AWSCURRENT)
        if current == self.token:
            return
        self.store.promote(labels.arn, self.token, current, self.process)
        self.provider.revoke_key(old.key_id, self.process)

    def _current(self, labels: SecretDescription) -> StoredValue:
        return self._value(labels, _holder(labels, AWSCURRENT))

    def _pending(self, labels: SecretDescription) -> StoredValue:
        return self._value(labels, self.token)

    def _value(self, labels: SecretDescription, version: str | None) -> StoredValue:
        value = self.store.read(labels.arn, version, self.process) if version else None
        if value is None:
            raise StoreRejectedError(f"version {version} has no value")
        return value

    def _authenticate(self, key: Credential) -> None:
        if self.provider.authenticate(key.forms[0], self.process) is not Authentication.ACCEPTED:
            raise KeyRejectedError(f"key {key.key_id} is not accepted")


def _holder(labels: SecretDescription, label: str) -> str | None:
    return next((v.version_id for v in labels.versions if label in v.labels), None)


# What AWS does around it


def invoked(universe: Universe, world: int, attempt: int) -> tuple[int, Start] | None:
    """Return the world in which AWS has begun a rotation, or goes on with one that failed, and how it invokes it.

    Args:
        universe: of the world.

        world: its number.

        attempt: the number of the attempt; each new rotation has a token of its own.

    Returns:
        None if no rotation is due.
    """
    now = universe.worlds[world]
    secret, demand = now.secret, Demand.DUE
    pending = secret.labels.get(AWSPENDING)
    if pending is not None:
        return world, Start(demand, now.now_s, pending)
    current = secret.labels[AWSCURRENT]
    if now.now_s - secret.versions[current].created < universe.spec.max_age.total_seconds():
        return None
    made_at = datetime.fromtimestamp(now.now_s, UTC)
    token = version_id(universe.moment(world).generation + 1, made_at, f"rotation{attempt:02}")
    begun = rules.begin_rotation(secret, now.now_s, token=token, lambda_arn=_LAMBDA)
    world = universe.number(now._replace(secret=begun, secret_before=secret))
    return world, Start(demand, now.now_s, token)


def concluded(universe: Universe, world: int) -> int:
    """Return the world after all four steps have returned: AWS takes AWSPENDING away."""
    now = universe.worlds[world]
    pending = now.secret.labels.get(AWSPENDING)
    if pending is None or now.secret.labels.get(AWSCURRENT) != pending:
        return world
    clean = rules.move_label(now.secret, now.now_s, AWSPENDING, remove_from=pending)
    return universe.number(now._replace(secret=clean, secret_before=now.secret))
