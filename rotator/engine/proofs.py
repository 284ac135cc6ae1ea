"""Proofs: that a new key works and can do no more than it should, and that a revoked one is dead.

An answer of 200 to a revocation proves nothing (Pinata's legacy API says "Revoked" to any text), and a 200 of
testAuthentication says nothing about scopes. So each claim has its own witnesses here, and a time limit.
"""

from dataclasses import dataclass, field

from rotator.engine.observer import Reader, list_ours
from rotator.model.credential import Credential
from rotator.model.errors import KeyRejectedError, KeyScopeError, KeyStillAliveError
from rotator.model.observed import KeyState, Observed, ProviderKey
from rotator.model.ports import Authentication, Deadline, KeyProvider, ProbeAnswer
from rotator.model.secret import Admin, Endpoints, Permissions, Resources, SecretSpec

_DEAD = frozenset({Authentication.REFUSED})
_ALIVE = frozenset({Authentication.ACCEPTED})
_ALIVE_WITHOUT_LEGACY_SCOPE = frozenset({Authentication.ACCEPTED, Authentication.SCOPELESS})


@dataclass(slots=True)
class Proofs:
    """The proofs of one run over one secret."""

    spec: SecretSpec
    provider: KeyProvider
    reader: Reader
    deadline: Deadline
    _working: set[str] = field(default_factory=set)
    """Keys that this run has seen working; none of them is asked about twice."""
    _revoked_with_s: dict[str, float] = field(default_factory=dict)
    """The seconds that were left when a key's revocation was acknowledged."""

    def working(self, held: Credential) -> None:
        """Prove that a key works, within `verify_timeout`. Raises KeyRejectedError if it is not accepted in time."""
        if held.key_id in self._working:
            return
        resources = isinstance(self.spec.permissions, Resources)
        wanted = _ALIVE_WITHOUT_LEGACY_SCOPE if resources else _ALIVE
        within_s = self.spec.verify_timeout.total_seconds()
        answer = self.provider.await_authentication(held.jwt, wanted, within_s, self.deadline)
        if answer not in wanted:
            raise KeyRejectedError(f"testAuthentication does not accept the key after {within_s:g} s: {answer.value}")
        self._working.add(held.key_id)

    def scopes(self, held: Credential, observed: Observed) -> tuple[ProviderKey, ...]:
        """Prove that a working key can do what it is for, and nothing wider; return the keys as listed now.

        A fresh list costs one more call. A rotation that must stay within its smallest budget (no grace, no probes)
        does not ask for one; only a key that an earlier run made is then compared, with the list read at the start.
        Raises KeyRejectedError if it cannot do what `probe` says; KeyScopeError if its listed scopes differ from those
        asked for, or it can do what `negative_probe` forbids.
        """
        spec, listed = self.spec, observed.keys
        if spec.grace or spec.probe or spec.negative_probe:
            expected = frozenset({held.key_id})
            listed = list_ours(self.provider, observed.family, expected, self.deadline)
        echoed = next((key.scopes for key in listed if key.key_id == held.key_id), None)
        if problem := difference(spec.permissions, echoed):
            raise KeyScopeError(f"the scopes that Pinata lists for the new key are not those asked for: {problem}")
        if spec.probe and self._probe(held, spec.probe) is ProbeAnswer.FORBIDDEN:
            raise KeyRejectedError(f"the new key is refused by {spec.probe}, which `probe` says it is for")
        if spec.negative_probe and self._probe(held, spec.negative_probe) is ProbeAnswer.ALLOWED:
            raise KeyScopeError(f"the new key may use {spec.negative_probe}, which `negative_probe` says it must not")
        return listed

    def revoked(self, key_id: str) -> None:
        """Note that a revocation was acknowledged: its time to death runs from here."""
        self._revoked_with_s[key_id] = self.deadline.remaining_s()

    def dead(self, key_id: str, observed: Observed) -> str:
        """Wait until the list and testAuthentication agree that a key is dead; return what they said.

        Raises KeyStillAliveError if one of them says that it lives.
        """
        key = observed.key(key_id)
        within_s = self.spec.verify_timeout.total_seconds()
        listed = self.provider.await_revoked(key_id, key.name if key else None, within_s, self.deadline)
        if listed is not None and listed.state is KeyState.LIVE:
            raise KeyStillAliveError(f"key {key_id} was revoked, but after {within_s:g} s the list shows it as live")
        old = self._credential_of(key_id, observed)
        if old is not None:
            answer = self.provider.await_authentication(old.jwt, _DEAD, within_s, self.deadline)
            if answer not in _DEAD:
                raise KeyStillAliveError(
                    f"key {key_id} was revoked, but after {within_s:g} s its token is {answer.value}"
                )
        left_s = self.deadline.remaining_s()
        by_list = "listed as revoked" if listed is not None else "no longer listed"
        by_token = "its token is refused" if old is not None else "its token is in no version to ask with"
        return f"{by_list}, {by_token}; dead within {self._revoked_with_s.get(key_id, left_s) - left_s:.1f} s"

    def _probe(self, held: Credential, path: str) -> ProbeAnswer:
        return self.provider.probe(held.jwt, path, self.deadline)

    def _credential_of(self, key_id: str, observed: Observed) -> Credential | None:
        """Find the token of a superseded key in a version that is still labelled."""
        for version in observed.may_hold(key_id):
            held = self.reader.credential(version.version_id)
            if held is not None and held.key_id == key_id:
                return held
        return None


def difference(requested: Permissions, echoed: Permissions | None) -> str | None:
    """Say how the scopes that Pinata lists differ from those asked for; None if they do not, or cannot be compared.

    How it lists them is documented for legacy endpoints only, so two kinds of scopes are not compared. An admin key is
    wider than anything.
    """
    match requested, echoed:
        case (Admin(), Admin()) | (_, None):
            return None
        case _, Admin():
            return "it is an admin key"
        case (Resources(names=wanted), Resources(names=shown)) | (Endpoints(names=wanted), Endpoints(names=shown)):
            # Pinata's OpenAPI file: write includes read.
            implied = {name.removesuffix(":write") + ":read" for name in wanted if name.endswith(":write")}
            parts = [
                f"{verb} {', '.join(sorted(names))}"
                for verb, names in (("also has", shown - wanted - implied), ("lacks", wanted - shown - implied))
                if names
            ]
            return "it " + " and ".join(parts) if parts else None
        case _:
            return None
