"""Proofs: that a new key works and can do no more than it should, and that a revoked one is dead.

An answer of 200 to a revocation proves nothing (Pinata's legacy API says "Revoked" to any text), and a 200 of
testAuthentication says nothing about scopes. So each claim has its own witnesses here, and a time limit.
"""

from dataclasses import dataclass, field

from rotator.engine.observer import Reader
from rotator.engine.run import Run
from rotator.model.credential import Credential, Form, Token
from rotator.model.errors import (
    KeyNameError,
    KeyNotListedError,
    KeyNotYetDeadError,
    KeyRejectedError,
    KeyScopeError,
    KeyStillAliveError,
)
from rotator.model.observed import KeyState, Observed, ProviderKey
from rotator.model.ports import Authentication, KeyProvider, ProbeAnswer
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
    run: Run
    _working: set[str] = field(default_factory=set)
    """Keys that this run has seen working; none of them is asked about twice."""
    _revoked_at_s: dict[str, float] = field(default_factory=dict)
    """When a revocation of this run was acknowledged, on the clock of the run."""

    def working(self, held: Credential) -> None:
        """Prove that a key works in each form. Raises KeyRejectedError if it does not within `verify_timeout`."""
        if held.key_id in self._working:
            return
        resources = isinstance(self.spec.permissions, Resources)
        wanted = _ALIVE_WITHOUT_LEGACY_SCOPE if resources else _ALIVE
        within_s = self.spec.verify_timeout.total_seconds()
        for form in held.forms:
            answer = self.provider.await_authentication(form, wanted, within_s, self.run.deadline)
            if answer not in wanted:
                what = "token" if isinstance(form, Token) else "header pair"
                raise KeyRejectedError(
                    f"testAuthentication does not accept the key's {what} after {within_s:g} s: {answer.value}"
                )
        self._working.add(held.key_id)

    def usable(self, held: Credential, observed: Observed) -> None:
        """Prove that a key works and can do no more than it should. Raises as `working` and `scopes` do."""
        self.working(held)
        self.scopes(held, observed)

    def listed(self, made: Credential, name: str) -> ProviderKey:
        """Prove that a key that was just made is listed under exactly its name, with the scopes asked for.

        No rule finds a key again that has another name. Raises KeyNameError or KeyScopeError if the list says something
        else; KeyNotListedError if it does not show the key within `verify_timeout`.
        """
        within_s = self.spec.verify_timeout.total_seconds()
        key = self.provider.await_listed(made.key_id, name, within_s, self.run.deadline)
        if key is None:
            raise KeyNotListedError(
                f"Pinata made key {made.key_id}, but its list does not show it after {within_s:g} s"
            )
        if key.name != name:
            raise KeyNameError(f"Pinata lists key {made.key_id} as {key.name!r}, not by the name that was asked for")
        if problem := difference(self.spec.permissions, key.scopes):
            raise KeyScopeError(f"the scopes that Pinata lists for the new key are not those asked for: {problem}")
        return key

    def scopes(self, held: Credential, observed: Observed) -> None:
        """Prove that a working key can do what it is for, and nothing wider.

        Raises KeyRejectedError if it cannot do what `probe` says; KeyScopeError if its listed scopes differ from those
        asked for, or it can do what `negative_probe` forbids.
        """
        spec, key, form = self.spec, observed.key(held.key_id), held.forms[0]
        if problem := difference(spec.permissions, key.scopes if key else None):
            raise KeyScopeError(f"the scopes that Pinata lists for the new key are not those asked for: {problem}")
        if spec.probe and self._probe(form, spec.probe) is ProbeAnswer.FORBIDDEN:
            raise KeyRejectedError(f"the new key is refused by {spec.probe}, which `probe` says it is for")
        if spec.negative_probe and self._probe(form, spec.negative_probe) is ProbeAnswer.ALLOWED:
            raise KeyScopeError(f"the new key may use {spec.negative_probe}, which `negative_probe` says it must not")

    def revoked(self, key_id: str) -> None:
        """Note that a revocation was acknowledged: its time to death runs from here."""
        self._revoked_at_s[key_id] = self.run.monotonic_s()

    def dead(self, key_id: str, observed: Observed) -> str:
        """Wait until the list and testAuthentication agree that a key is dead; return what they said.

        The list is asked by name, so a hand-made key is proved by its own credential, as long as a version holds it.
        Raises KeyStillAliveError if one of them says that it lives.
        """
        key = observed.key(key_id)
        within_s = self.spec.verify_timeout.total_seconds()
        old = self._credential_of(key_id, observed)
        by_list = "its name is not known, so the list was not asked"
        if key is not None or old is None:  # the whole list, if there is neither a name nor anything to ask with
            name = key.name if key is not None else ""
            listed = self.provider.await_revoked(key_id, name, within_s, self.run.deadline)
            if listed is not None and listed.state is KeyState.LIVE:
                raise self._alive(key_id, observed, f"the list shows it as live after {within_s:g} s")
            by_list = "listed as revoked" if listed is not None else "no longer listed"
        by_asking = "its token is in no version to ask with"
        for form in old.forms if old is not None else ():
            what = "token" if isinstance(form, Token) else "header pair"
            answer = self.provider.await_authentication(form, _DEAD, within_s, self.run.deadline)
            if answer not in _DEAD:
                raise self._alive(key_id, observed, f"its {what} is {answer.value} after {within_s:g} s")
            by_asking = f"its {what} is refused"
        since_s = self._revoked_at_s.get(key_id)
        took = "" if since_s is None else f"; dead within {self.run.monotonic_s() - since_s:.1f} s"
        return f"{by_list}, {by_asking}{took}"

    def _alive(self, key_id: str, observed: Observed, seen: str) -> KeyStillAliveError:
        """Say that a revoked key lives: for a while that is propagation, and then it is for a person."""
        message = f"key {key_id} was revoked, but {seen}"
        is_first = key_id in self._revoked_at_s and key_id not in observed.replaced_key_ids()
        return KeyNotYetDeadError(message) if is_first else KeyStillAliveError(message)

    def _probe(self, form: Form, path: str) -> ProbeAnswer:
        return self.provider.probe(form, path, self.run.deadline)

    def _credential_of(self, key_id: str, observed: Observed) -> Credential | None:
        """Find the token of a superseded key in a version that is still labelled."""
        for version in observed.may_hold(key_id):
            held = self.reader.credential(version.version_id)
            if held is not None and held.key_id == key_id:
                return held
        return None


def is_same_key(minted: Credential, stored: Credential) -> bool:
    """Tell whether a stored credential is the one that was minted, in each form that is stored."""
    token, secret = stored.jwt in {None, minted.jwt}, stored.secret in {None, minted.secret}
    return minted.key_id == stored.key_id and token and secret


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
