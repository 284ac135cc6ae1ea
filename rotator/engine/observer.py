"""Observing: what one run reads of the two systems, each thing as seldom as its freshness allows.

A version is immutable, so its value is read at most once per run. Labels are read anew for every pass. The key list
is read once; what the run itself does to it is known. Secret material stays in the `Reader`; `Observed` has none.
"""

from dataclasses import dataclass, field, replace

from rotator.engine.run import HeldElsewhere
from rotator.model.credential import Credential
from rotator.model.errors import SecretValueError
from rotator.model.naming import KeyFamily, generation_of_version, nonce_of
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    OURS,
    Content,
    HasKey,
    KeyState,
    NoValue,
    Observed,
    ProviderKey,
    SecretDescription,
    Unread,
    Unusable,
    Version,
)
from rotator.model.payload import credential_in
from rotator.model.ports import Authentication, Deadline, KeyProvider, SecretStore, StoredValue
from rotator.model.secret import SecretSpec


@dataclass(slots=True)
class Reader:
    """The values one run has read: the one place where secret material rests between two calls."""

    spec: SecretSpec
    arn: str
    store: SecretStore
    deadline: Deadline
    _values: dict[str, StoredValue] = field(default_factory=dict)

    def value(self, version_id: str) -> StoredValue | None:
        """Return a version's value, or None if it has none (yet)."""
        if version_id not in self._values:
            stored = self.store.read(self.arn, version_id, self.deadline)
            if stored is None:
                return None
            self._values[version_id] = stored
        return self._values[version_id]

    def written_value(self, version_id: str) -> StoredValue:
        """Return the value of a version that surely has one; reads may lag."""
        if version_id not in self._values:
            self._values[version_id] = self.store.await_value(self.arn, version_id, self.deadline)
        return self._values[version_id]

    def credential(self, version_id: str) -> Credential | None:
        """Return the credential inside a version, or None if it holds none."""
        try:
            stored = self.value(version_id)
            return credential_in(stored.text, self.spec.shape) if stored else None
        except SecretValueError:
            return None


def observe(  # noqa: PLR0913, PLR0917 - both systems, and what is known already
    description: SecretDescription,
    family: KeyFamily,
    reader: Reader,
    provider: KeyProvider,
    held_elsewhere: HeldElsewhere | None,
    earlier: Observed | None,
) -> Observed:
    """Return what the planner needs to know.

    `earlier` is the state that this run expects after its own actions; its key list is reused. Raises SecretValueError
    if the current value is not what the configuration says; RotatorError if a read failed.
    """
    versions = tuple(replace(v, content=_content(v, reader)) for v in description.versions)
    if earlier is None:
        keys = list_ours(provider, family, _ours_inside(versions), reader.deadline)
        seen = Observed(description, versions, keys, (), frozenset(), family)
        seen = replace(seen, witnessed=_witness(seen, reader, provider))
    else:
        seen = Observed(description, versions, earlier.keys, earlier.witnessed, frozenset(), family)
    seen = replace(seen, versions=_with_previous(seen, reader))
    return replace(seen, protected=_protected(seen, reader, provider, held_elsewhere))


def list_ours(
    provider: KeyProvider, family: KeyFamily, expected: frozenset[str], deadline: Deadline
) -> tuple[ProviderKey, ...]:
    """Return the keys made for this secret: a name that only begins like ours belongs to somebody else."""
    listed = provider.list_keys(family.prefix, expected, deadline)
    return tuple(key for key in listed if family.generation(key.name) > 0)


def _ours_inside(versions: tuple[Version, ...]) -> frozenset[str]:
    """Return the keys inside versions of ours: a complete list shows them.

    Where Secrets Manager chose the version id, it does not tell whose the version is. In a secret that is ours
    another key is a rare sight, and looking for it twice is cheap.
    """
    is_ours = any(OURS in version.labels for version in versions)
    named = {key_id for version in versions for key_id in version.replaced()}
    return frozenset(
        version.content.key_id
        for version in versions
        if isinstance(version.content, HasKey)
        and (generation_of_version(version.version_id) > 0 or (is_ours and version.content.key_id not in named))
    )


def _content(version: Version, reader: Reader) -> Content:
    """Read what AWSCURRENT and AWSPENDING hold; a current value must be a credential."""
    if AWSCURRENT in version.labels:
        stored = reader.written_value(version.version_id)
        held = credential_in(stored.text, reader.spec.shape)
        return HasKey(held.key_id, stored.created_at, held.expires_at)
    return _optional(version, reader) if AWSPENDING in version.labels else Unread()


def _optional(version: Version, reader: Reader) -> Content:
    try:
        stored = reader.value(version.version_id)
    except SecretValueError:  # binary
        return Unusable()
    if stored is None:
        return NoValue()
    held = reader.credential(version.version_id)
    return HasKey(held.key_id, stored.created_at, held.expires_at) if held else Unusable()


def _with_previous(seen: Observed, reader: Reader) -> tuple[Version, ...]:
    """Read AWSPREVIOUS too if only the key inside tells its generation.

    Secrets Manager's own rotation chooses version ids; the key is then named with the first characters of the id.
    """
    previous = seen.previous
    if previous is None or generation_of_version(previous.version_id) > 0:
        return seen.versions
    if not any(key.name.endswith(nonce_of(previous.version_id)) for key in seen.keys):
        return seen.versions
    return tuple(replace(v, content=_optional(v, reader)) if v is previous else v for v in seen.versions)


def _witness(seen: Observed, reader: Reader, provider: KeyProvider) -> tuple[tuple[str, KeyState], ...]:
    """Ask testAuthentication about keys that matter and that the list does not show."""
    asked: list[tuple[str, Version]] = []
    current = seen.key_inside(seen.current)
    if seen.current and current and generation_of_version(seen.current.version_id) > 0 and not seen.key(current):
        asked.append((current, seen.current))
    in_use = {current, seen.key_inside(seen.pending)}
    # What a label names was current before, and the list may not be believed about it.
    replaced = (key_id for key_id in seen.replaced_key_ids() if key_id not in in_use)
    asked += [(key_id, version) for key_id in replaced for version in seen.may_hold(key_id)]
    states: dict[str, KeyState] = {}
    for key_id, version in asked:
        held = reader.credential(version.version_id)
        if held is not None and held.key_id == key_id:
            answer = provider.authenticate(held.jwt, reader.deadline)
            states[key_id] = KeyState.REVOKED if answer is Authentication.REFUSED else KeyState.LIVE
    return tuple(states.items())


def _protected(
    seen: Observed, reader: Reader, provider: KeyProvider, held_elsewhere: HeldElsewhere | None
) -> frozenset[str]:
    """Return the keys that are never revoked: our own, and foreign ones that another configured secret uses."""
    managing = provider.managing_key_id
    in_use = {seen.key_inside(seen.current), seen.key_inside(seen.pending)}
    foreign = frozenset(
        k for k in seen.replaced_key_ids() if k not in in_use and seen.key(k) is None and seen.is_live(k)
    )
    asked = held_elsewhere if foreign else None
    kept = asked(seen.description.arn, foreign, reader.deadline) if asked else frozenset[str]()
    return kept if managing is None else kept | {managing}
