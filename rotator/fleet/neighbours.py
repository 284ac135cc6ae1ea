"""All configured secrets, asked whether another one uses a key that could be retired."""

from collections.abc import Mapping, Sequence

from rotator.fleet.lookup import resolve
from rotator.model.credential import Sensitive
from rotator.model.errors import SecretNotFoundError, SecretValueError, StoreDeniedError, StoreRejectedError
from rotator.model.jwt import mentioned
from rotator.model.naming import generation_of_version, ids_of
from rotator.model.observed import AWSCURRENT, AWSPENDING
from rotator.model.ports import Deadline, SecretStore
from rotator.model.secret import SecretSpec

BATCH_MAX = 20
"""Values in one call (API reference, BatchGetSecretValue)."""
FEW = 2 * BATCH_MAX
"""Up to so many neighbours the values of all are read, ours too."""


class Neighbours:
    """All configured secrets, asked whether another one uses a key that could be retired.

    Such a key was made by hand. A version whose id is of our making holds a key that we minted, and among many
    neighbours it is not read: labels tell enough, a hundred to a call, and each neighbour that is not ours yet is a
    twentieth of a call more. In a field of another name such a version may still carry a key over; only among few
    neighbours that is looked at, too.

    What they hold is read once: a key that a neighbour has left since then is kept until somebody asks anew. Safe for
    threads; two that ask at the same time may read the same value.
    """

    def __init__(self, specs: tuple[SecretSpec, ...], store: SecretStore) -> None:
        self._specs = specs
        self._store = store
        self._held: dict[str, tuple[Sensitive | None, ...]] = {}
        """By secret id: the values that may hold any key, None where one cannot be read."""

    def holding(self, arn: str, key_ids: frozenset[str], deadline: Deadline) -> frozenset[str]:
        """Of these keys, return those that are current or pending in another configured secret than `arn`.

        A neighbour that does not exist uses none; one whose value cannot be read may use any: it is safer to revoke
        less. Raises RotatorError if the neighbours could not be asked.
        """
        own = ids_of(arn)
        others = [spec for spec in self._specs if spec.secret_id not in own]
        unknown = [spec for spec in others if spec.secret_id not in self._held]
        if unknown:
            self._look(unknown, deadline)
        held: set[str] = set()
        for spec in others:
            for text in self._held[spec.secret_id]:
                held |= key_ids if text is None else mentioned(text, key_ids)
        return frozenset(held)

    def _look(self, specs: Sequence[SecretSpec], deadline: Deadline) -> None:
        found = resolve(specs, self._store, deadline)
        for _, error in found.lost:
            if not isinstance(error, SecretNotFoundError):
                raise error
        held: dict[str, list[Sensitive | None]] = {spec.secret_id: [] for spec in specs}
        current: dict[str, str] = {}
        is_few = len(found.targets) <= FEW
        for target in found.targets:
            arn = target.description.arn
            for version in target.description.versions:
                is_ours = generation_of_version(version.version_id) > 0
                if AWSCURRENT in version.labels and (is_few or not is_ours):
                    current[arn] = version.version_id
                elif AWSPENDING in version.labels and not is_ours:
                    held[target.spec.secret_id] += self._alone(arn, version.version_id, deadline)
        values = self._current(current, deadline)
        for target in found.targets:
            held[target.spec.secret_id] += values.get(target.description.arn, ())
        self._held |= {secret_id: tuple(texts) for secret_id, texts in held.items()}

    def _current(self, versions: Mapping[str, str], deadline: Deadline) -> dict[str, tuple[Sensitive | None, ...]]:
        """Return the current values of secrets by ARN, of which `versions` has the version that it was on."""
        arns, values = tuple(versions), dict[str, tuple[Sensitive | None, ...]]()
        for at in range(0, len(arns), BATCH_MAX):
            batch = arns[at : at + BATCH_MAX]
            try:
                read = self._store.read_current_values(batch, deadline) if len(batch) > 1 else None
            except StoreDeniedError:
                read = None  # a policy may allow single values alone
            if read is None:
                values |= {arn: self._alone(arn, versions[arn], deadline) for arn in batch}
            else:
                values |= {arn: (text,) for arn, text in read.items()}
        return values

    def _alone(self, arn: str, version_id: str, deadline: Deadline) -> tuple[Sensitive | None, ...]:
        try:
            stored = self._store.read(arn, version_id, deadline)
        except (SecretValueError, StoreRejectedError):  # bytes, or denied
            return (None,)
        return (stored.text,) if stored else ()
