"""Observing: what one run reads of the two systems, each thing as seldom as its freshness allows.

A version is immutable, so its value is read at most once per run. Labels are read anew for every pass. The live keys
are listed once; what the run itself does to them is known. The credential that consumers read is proved once, and again
if AWSCURRENT is elsewhere. Secret material stays in the `Reader`; `Observed` has none.
"""

from dataclasses import dataclass, field, replace

from rotator.engine import rollout
from rotator.engine.containment import demanded
from rotator.engine.run import HeldElsewhere, Run
from rotator.model.credential import Credential, Form, Sensitive
from rotator.model.errors import DeadlineExceededError, SecretValueError
from rotator.model.naming import KeyFamily, generation_of_version, nonce_of
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    OURS,
    Content,
    HasKey,
    KeyState,
    NoCredential,
    NoValue,
    Observed,
    Proof,
    ProviderKey,
    SecretDescription,
    Unread,
    Version,
)
from rotator.model.payload import TWO_KEYS, Blank, TwoKeys, check_fits, read_value
from rotator.model.ports import Authentication, Consumers, Deadline, KeyProvider, SecretStore, StoredValue
from rotator.model.secret import Override, SecretSpec

REFUSED_APART_S = 5.0
"""A refusal counts once it was given twice, so long apart: one alone may be a hiccup of the provider."""
_SECOND_ASK_S = REFUSED_APART_S + 0.1


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

    def names_two_keys(self, version: Version | None) -> bool:
        """Tell whether the value of a version that was read names two keys."""
        stored = self._values.get(version.version_id) if version else None
        return stored is not None and isinstance(read_value(stored.text, self.spec.shape), TwoKeys)

    def written_value(self, version_id: str) -> StoredValue:
        """Return the value of a version that surely has one; reads may lag."""
        if version_id not in self._values:
            self._values[version_id] = self.store.await_value(self.arn, version_id, self.deadline)
        return self._values[version_id]

    def kept_text(self, version_id: str | None) -> Sensitive | None:
        """Return the value whose other fields are carried over; bytes, which a person lets us replace, are not."""
        try:
            return self.written_value(version_id).text if version_id else None
        except SecretValueError:
            return None

    def check_fits(self, version_id: str | None, *, replacing: bool) -> None:
        """Check that a new credential fits beside what is kept of a value. Raises SecretValueError if it does not."""
        check_fits(self.spec.shape, self.kept_text(version_id), replacing=replacing)

    def credential(self, version_id: str) -> Credential | None:
        """Return the credential inside a version, by its token if it names two keys; None if it holds none."""
        try:
            stored = self.value(version_id)
            found = read_value(stored.text, self.spec.shape) if stored else Blank()
        except SecretValueError:
            return None
        match found:
            case Blank():
                return None
            case TwoKeys(by_token=held) | held:
                return held


@dataclass(frozen=True, slots=True)
class Observer:
    """Looks at one secret in both systems, for one run."""

    family: KeyFamily
    reader: Reader
    provider: KeyProvider
    consumers: Consumers
    run: Run

    def look(
        self, description: SecretDescription, held_elsewhere: HeldElsewhere | None, earlier: Observed | None
    ) -> Observed:
        """Return what the planner needs to know.

        `earlier` is the state that this run expects after its own actions; its key list is reused. Raises
        SecretValueError if the current value is not what the configuration says, unless a person said to replace it;
        RotatorError if a read failed.
        """
        if not description.is_writable():
            return Observed(description, description.versions, (), (), Proof.NONE, frozenset(), self.family)
        versions = tuple(replace(v, content=self._content(v, description)) for v in description.versions)
        if earlier is None:
            keys = self._keys(versions)
            seen = Observed(description, versions, keys, (), Proof.NONE, frozenset(), self.family)
            contain, managing = description.contain or self.run.contain, self.provider.managing_key_id
            seen = replace(seen, contain=contain, managing=managing)
            seen = self._with_contained(seen)
            seen = replace(seen, witnessed=_witness(seen, self.reader, self.provider))
        else:
            contain = description.contain or (self.run.contain if earlier.contain else None)
            seen = replace(earlier, description=description, versions=versions, protected=frozenset(), contain=contain)
        before = earlier.current.version_id if earlier and earlier.current else None
        if before is None or seen.current is None or before != seen.current.version_id:
            seen = replace(seen, proof=self._proof(seen), rollout=None)
        seen = replace(seen, versions=_with_previous(seen, self.reader))
        seen = replace(seen, protected=_protected(seen, self.reader, self.provider, held_elsewhere))
        if seen.rollout is None and rollout.matters(self.reader.spec, seen):
            return rollout.asked(self.reader.spec, seen, self.consumers, self.reader.deadline)
        return seen

    def with_attempts(self, observed: Observed) -> Observed:
        """Return the same with every revoked key of the decade in which the next key would be made."""
        begins = f"{observed.family.prefix}g{observed.decade()[0]:06}"[:-1]
        revoked = self.provider.list_revoked(begins, self.reader.deadline)
        known = {key.key_id for key in observed.keys}
        more = tuple(k for k in revoked if k.key_id not in known and observed.family.generation(k.name) > 0)
        return replace(observed, keys=(*observed.keys, *more))

    def _content(self, version: Version, description: SecretDescription) -> Content:
        """Read what AWSCURRENT and AWSPENDING hold."""
        if AWSCURRENT in version.labels:
            try:
                stored = self.reader.written_value(version.version_id)
                found = read_value(stored.text, self.reader.spec.shape)
            except SecretValueError as unfit:
                if self.run.demand.overrides(Override.VALUE):
                    return NoCredential()
                problem = unfit.message
            else:
                problem = ""
            if problem:
                raise self._unfit(problem, description)
            held = found.by_token if isinstance(found, TwoKeys) else found
            return (
                NoCredential() if isinstance(held, Blank) else HasKey(held.key_id, stored.created_at, held.expires_at)
            )
        return _optional(version, self.reader, description) if AWSPENDING in version.labels else Unread()

    def _keys(self, versions: tuple[Version, ...]) -> tuple[ProviderKey, ...]:
        """List the live keys, and the current one even if it is revoked."""
        deadline = self.reader.deadline
        expected = _ours_inside(versions)
        live = list_ours(self.provider, self.family, expected, deadline)
        current = next((v for v in versions if AWSCURRENT in v.labels and isinstance(v.content, HasKey)), None)
        if current is None or not isinstance(current.content, HasKey):
            return live
        if current.content.key_id not in expected or any(k.key_id == current.content.key_id for k in live):
            return live
        # Only the name of the key tells its generation where Secrets Manager chose the version id.
        is_own = generation_of_version(current.version_id) > 0
        part = self.family.key_name(current.version_id) if is_own else nonce_of(current.version_id)
        revoked = self.provider.list_revoked(part, deadline)
        return (*live, *(k for k in revoked if k.key_id == current.content.key_id and self.family.generation(k.name)))

    def _with_contained(self, seen: Observed) -> Observed:
        """Look for keys that are to die among the revoked ones, if they are neither live nor in use: rare, and slow."""
        known = {key.key_id for key in seen.keys} | {seen.key_inside(version) for version in seen.versions}
        missing = demanded(seen) - known - set(seen.replaced_key_ids())
        if not missing:
            return seen
        revoked = self.provider.list_revoked(self.family.prefix, self.reader.deadline)
        return replace(seen, keys=(*seen.keys, *(key for key in revoked if key.key_id in missing)))

    def _proof(self, seen: Observed) -> Proof:
        """Ask testAuthentication about what consumers read, in each form that it has."""
        content = seen.current_key
        held = self.reader.credential(seen.current.version_id) if seen.current and content else None
        if held is None or content is None:
            return Proof.NONE
        for form in held.forms:
            if self.provider.authenticate(form, self.reader.deadline) is not Authentication.REFUSED:
                continue
            if self.run.now - content.created_at < self.reader.spec.verify_timeout:
                return Proof.TOO_YOUNG
            if self._is_refused_again(form):
                return Proof.REFUSED
        if self.reader.names_two_keys(seen.current) and not self.run.demand.overrides(Override.VALUE):
            raise self._unfit(f"{TWO_KEYS}; its JWT is accepted", seen.description)
        return Proof.ACCEPTED

    def _unfit(self, problem: str, description: SecretDescription) -> SecretValueError:
        """Return the error of a current value that is left alone, with every way out of it."""
        by_label = {label: version.version_id for version in description.versions for label in version.labels}
        name, previous = self.reader.spec.name, by_label.get(AWSPREVIOUS)
        step = f"Correct the value or its entry; or replace it: `rotator rotate {name} --replace-value`"
        if previous:
            step += (
                f"; or go back: `aws secretsmanager update-secret-version-stage --secret-id {description.arn} "
                f"--version-stage {AWSCURRENT} --move-to-version-id {previous} "
                f"--remove-from-version-id {by_label[AWSCURRENT]}`"
            )
        return SecretValueError(problem, next_step=f"{step}. The value was left alone.")

    def _is_refused_again(self, form: Form) -> bool:
        deadline = self.reader.deadline
        if deadline.remaining_s() < _SECOND_ASK_S:
            raise DeadlineExceededError("the current credential was refused once, and no time is left to ask again")
        answer = self.provider.await_authentication(form, _ALIVE, _SECOND_ASK_S, deadline)
        return answer is Authentication.REFUSED and self.provider.authenticate(form, deadline) is Authentication.REFUSED


_ALIVE = frozenset({Authentication.ACCEPTED, Authentication.SCOPELESS})


def list_ours(
    provider: KeyProvider, family: KeyFamily, expected: frozenset[str], deadline: Deadline
) -> tuple[ProviderKey, ...]:
    """Return the live keys made for this secret: a name that only begins like ours belongs to somebody else."""
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


def _optional(version: Version, reader: Reader, description: SecretDescription) -> Content:
    try:
        stored = reader.value(version.version_id)
        found = read_value(stored.text, reader.spec.shape) if stored else None
    except SecretValueError:  # binary, or another shape
        return NoCredential()
    if stored is None:
        made_at = reader.store.version_created_at(reader.arn, version.version_id, reader.deadline)
        return NoValue(made_at or description.changed_at)  # it was labelled by the last change, or before
    if not isinstance(found, Credential):
        return NoCredential()
    return HasKey(found.key_id, stored.created_at, found.expires_at)


def _with_previous(seen: Observed, reader: Reader) -> tuple[Version, ...]:
    """Read AWSPREVIOUS too if only the key inside tells its generation.

    Secrets Manager's own rotation chooses version ids; the key is then named with the first characters of the id.
    """
    previous = seen.previous
    if previous is None or generation_of_version(previous.version_id) > 0:
        return seen.versions
    if not any(key.name.endswith(nonce_of(previous.version_id)) for key in seen.keys):
        return seen.versions
    return tuple(
        replace(v, content=_optional(v, reader, seen.description)) if v is previous else v for v in seen.versions
    )


def _witness(seen: Observed, reader: Reader, provider: KeyProvider) -> tuple[tuple[str, KeyState], ...]:
    """Ask testAuthentication about superseded keys that the list does not show, or is not believed about."""
    in_use = {seen.key_inside(seen.current), seen.key_inside(seen.pending)}
    # What a label names was current before, and the list may not be believed about it.
    replaced = (key_id for key_id in seen.replaced_key_ids() if key_id not in in_use)
    asked = [(key_id, version) for key_id in replaced for version in seen.may_hold(key_id)]
    states: dict[str, KeyState] = {}
    for key_id, version in asked:
        held = reader.credential(version.version_id)
        if held is not None and held.key_id == key_id:
            refused = [provider.authenticate(form, reader.deadline) is Authentication.REFUSED for form in held.forms]
            states[key_id] = KeyState.REVOKED if all(refused) else KeyState.LIVE
    return tuple(states.items())


def _protected(
    seen: Observed, reader: Reader, provider: KeyProvider, held_elsewhere: HeldElsewhere | None
) -> frozenset[str]:
    """Return the keys that are never revoked: our own, and foreign ones that another configured secret uses."""
    managing = provider.managing_key_id
    in_use = {seen.key_inside(seen.current), seen.key_inside(seen.pending)}
    foreign = frozenset(k for k in seen.replaced_key_ids() if k not in in_use and seen.key(k) is None)
    asked = held_elsewhere if foreign else None
    kept = asked(seen.description.arn, foreign, reader.deadline) if asked else frozenset[str]()
    return kept if managing is None else kept | {managing}
