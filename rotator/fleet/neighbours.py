"""All configured secrets, asked whether another one uses a key that could be retired."""

from collections.abc import Iterator
from threading import Lock

from rotator.model.credential import Sensitive
from rotator.model.errors import SecretNotFoundError, SecretValueError
from rotator.model.jwt import mentioned
from rotator.model.naming import ids_of
from rotator.model.observed import AWSCURRENT, AWSPENDING
from rotator.model.ports import Deadline, SecretStore
from rotator.model.secret import SecretSpec


class Neighbours:
    """All configured secrets, asked whether another one uses a key that could be retired.

    What they hold is read once: a key that a neighbour has left since then is kept until somebody asks anew.
    """

    def __init__(self, specs: tuple[SecretSpec, ...], store: SecretStore) -> None:
        self._specs = specs
        self._store = store
        self._lock = Lock()
        self._held: dict[str, tuple[Sensitive | None, ...]] = {}
        """By secret id: its current and pending values, None where one cannot be read."""

    def holding(self, arn: str, key_ids: frozenset[str], deadline: Deadline) -> frozenset[str]:
        """Of these keys, return those that are current or pending in another configured secret than `arn`.

        A neighbour that does not exist uses none; one whose value cannot be read may use any: it is safer to revoke
        less. Raises RotatorError if a neighbour could not be asked.
        """
        held: set[str] = set()
        for spec in self._specs:
            if spec.secret_id in ids_of(arn):
                continue
            for text in self._values(spec.secret_id, deadline):
                held |= key_ids if text is None else mentioned(text, key_ids)
        return frozenset(held)

    def _values(self, secret_id: str, deadline: Deadline) -> tuple[Sensitive | None, ...]:
        with self._lock:
            if secret_id not in self._held:
                self._held[secret_id] = tuple(self._read(secret_id, deadline))
            return self._held[secret_id]

    def _read(self, secret_id: str, deadline: Deadline) -> Iterator[Sensitive | None]:
        try:
            labels = self._store.describe(secret_id, deadline)
        except SecretNotFoundError:
            return
        for version in labels.versions:
            if version.labels & {AWSCURRENT, AWSPENDING}:
                try:
                    stored = self._store.read(labels.arn, version.version_id, deadline)
                except SecretValueError:
                    yield None
                else:
                    if stored is not None:
                        yield stored.text
