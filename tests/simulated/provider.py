"""`KeyProvider` over the rules of the simulated Pinata."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TypeVar, TypeVarTuple

from rotator.model.credential import Credential, Form, HeaderPair, Sensitive, Token
from rotator.model.errors import (
    CreateOutcomeUnknownError,
    ProviderContractError,
    ProviderDeniedError,
    ProviderRejectedError,
    ProviderUnavailableError,
    RotatorError,
)
from rotator.model.observed import KeyState, ProviderKey
from rotator.model.payload import credential
from rotator.model.ports import Authentication, Deadline, ProbeAnswer
from rotator.model.secret import Admin, Endpoints, Permissions, Resources
from rotator.pinata.bodies import create_body
from rotator.sandbox.pinata.faults import Operation as PinataOperation
from rotator.sandbox.pinata.records import Bearer, KeyPair, KeyRecord, ListQuery
from rotator.sandbox.pinata.routes import Call, route
from rotator.sandbox.pinata.scopes import Refused
from rotator.sandbox.pinata.switches import Generation, Switches
from tests.simulated.world import Fault, Operation, Process, Systems

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
PAGES_MAX = 100
PAUSE_S = 1.0
LAST_LOOK_S = 0.05
_READ: dict[Fault, Callable[[], RotatorError]] = {
    Fault.LOST: lambda: ProviderUnavailableError("Pinata did not answer"),
    Fault.REJECTED: lambda: ProviderContractError("Pinata answered nonsense"),
    Fault.DENIED: lambda: ProviderDeniedError("Pinata refused the managing key"),
}
_CREATE: dict[Fault, Callable[[], RotatorError]] = _READ | {
    Fault.LOST: lambda: CreateOutcomeUnknownError("Pinata did not answer; a key may exist"),
    Fault.REJECTED: lambda: ProviderRejectedError("Pinata refused to make a key"),
}


@dataclass(frozen=True, slots=True)
class SimulatedProvider:
    """The managing key's view of the simulated Pinata, for one process."""

    process: Process
    generation: Generation = Generation.V3

    managing: Credential | None = None
    """Whose key it is; None is the one that the systems begin with."""

    @property
    def managing_key_id(self) -> str | None:
        """The id of the managing key."""
        return self.managing.key_id if self.managing else self.process.systems.admin.key

    def acting_as(self, managing: Credential) -> "SimulatedProvider":
        """Return the same Pinata as another managing key sees it."""
        return replace(self, managing=managing)

    def list_keys(self, prefix: str, expected: frozenset[str], deadline: Deadline) -> tuple[ProviderKey, ...]:
        """Return the live keys whose name contains a prefix, as Pinata's own filter does, and every page of them.

        The adapter promises less: names that begin with it. What the program does with others is thus seen, too.
        """
        del expected
        assert deadline is self.process
        return tuple(self._listed(prefix, revoked=False))

    def list_revoked(self, part: str, deadline: Deadline) -> tuple[ProviderKey, ...]:
        """Return the revoked keys whose name contains a part."""
        assert deadline is self.process
        return tuple(self._listed(part, revoked=True))

    def await_listed(self, key_id: str, name: str, within_s: float, deadline: Deadline) -> ProviderKey | None:
        """Look for a new key under its name, and at last under any name of ours."""
        assert deadline is self.process
        near = name.partition("/")[0]
        for found in self._polled(lambda: self._seen(key_id, name, revoked=False), within_s):
            if found is not None:
                return found
        return self._seen(key_id, near, revoked=False)

    def create_key(self, name: str, permissions: Permissions, max_uses: int | None, deadline: Deadline) -> Credential:
        """Mint a key."""
        assert deadline is self.process
        return self._call(
            Operation.CREATE_KEY, _create, self.generation, name, permissions, max_uses, *self._as, faults=_CREATE
        )

    def authenticate(self, form: Form, deadline: Deadline) -> Authentication:
        """Ask testAuthentication once."""
        assert deadline is self.process
        return self._call(Operation.TEST_AUTHENTICATION, _authenticate, form)

    def await_authentication(
        self, form: Form, wanted: frozenset[Authentication], within_s: float, deadline: Deadline
    ) -> Authentication:
        """Ask until the answer is a wanted one, twice in a row after an unwanted one."""
        answers = self._polled(lambda: self.authenticate(form, deadline), within_s)
        first = unwanted = next(answers)
        if first in wanted:
            return first
        before = first
        for answer in answers:
            if answer in wanted and before in wanted:
                return answer
            unwanted = unwanted if answer in wanted else answer
            before = answer
        return unwanted

    def await_revoked(self, key_id: str, name: str, within_s: float, deadline: Deadline) -> ProviderKey | None:
        """Look for a key until it shows as revoked."""
        assert deadline is self.process
        seen = None
        for found in self._polled(lambda: self._find(key_id, name), within_s):
            seen = found or seen
            if seen is not None and seen.state is KeyState.REVOKED:
                break
        return seen

    def probe(self, form: Form, path: str, deadline: Deadline) -> ProbeAnswer:
        """GET a path with a token."""
        assert deadline is self.process
        return self._call(Operation.PROBE, _probe, form, path)

    def revoke_key(self, key_id: str, deadline: Deadline) -> None:
        """Revoke a key."""
        assert deadline is self.process
        self._call(Operation.REVOKE_KEY, _revoke, self.generation, key_id, *self._as)

    def _find(self, key_id: str, name: str) -> ProviderKey | None:
        return self._seen(key_id, name, revoked=True) or self._seen(key_id, name, revoked=False)

    def _seen(self, key_id: str, name: str, *, revoked: bool) -> ProviderKey | None:
        return next((key for key in self._listed(name, revoked=revoked) if key.key_id == key_id), None)

    def _listed(self, name: str, *, revoked: bool) -> Iterator[ProviderKey]:
        received = 0
        for _ in range(PAGES_MAX):
            query = ListQuery(offset=received, name=name, revoked=revoked)
            page = self._call(Operation.LIST_KEYS, _page, self.generation, query, *self._as)
            yield from page.keys
            received += len(page.keys)
            if page.is_last:
                return
        raise ProviderContractError("the list does not end")

    @property
    def _as(self) -> tuple[Credential, ...]:
        return () if self.managing is None else (self.managing,)

    def _polled(self, ask: Callable[[], T], within_s: float) -> Iterator[T]:
        until_s = self.process.now_s + within_s
        yield ask()
        while (left_s := min(until_s - self.process.now_s, self.process.remaining_s()) - LAST_LOOK_S) > 0:
            self.process.wait(min(PAUSE_S, left_s))
            yield ask()

    def _call(
        self,
        operation: Operation,
        effect: Callable[[Systems, *Ts], T],
        *args: *Ts,
        faults: dict[Fault, Callable[[], RotatorError]] = _READ,
    ) -> T:
        return self.process.call(operation, faults, effect, *args)


# What a call does and answers: functions of the systems and plain values, so that a call can be delayed or repeated


@dataclass(frozen=True, slots=True)
class KeyPage:
    """One page of the key list."""

    keys: tuple[ProviderKey, ...]
    is_last: bool


def _create(
    systems: Systems,
    generation: Generation,
    name: str,
    permissions: Permissions,
    max_uses: int | None,
    *managing: Credential,
) -> Credential:
    body = create_body(name, permissions, max_uses)
    with _refusals():
        made = systems.pinata.create(_admin(systems, *managing), generation, body)
    return credential(Sensitive(made.jwt), key_id=None, secret=Sensitive(made.secret))


def _authenticate(systems: Systems, form: Form) -> Authentication:
    try:
        systems.pinata.test_authentication(_login(form))
    except Refused as refused:
        scopeless = refused.reason == "NO_SCOPES_FOUND"
        return Authentication.SCOPELESS if scopeless else Authentication.REFUSED
    return Authentication.ACCEPTED


def _login(form: Form) -> Bearer | KeyPair:
    match form:
        case Token(jwt=jwt):
            return Bearer(jwt.reveal())
        case HeaderPair(key_id=key_id, secret=secret):
            return KeyPair(key_id, secret.reveal())


def _probe(systems: Systems, form: Form, path: str) -> ProbeAnswer:
    pinata, bearer = systems.pinata, _login(form)
    called = route("GET", path, pinata.switches.generations)
    assert isinstance(called, Call)
    try:
        if called.operation is PinataOperation.PINS:
            pinata.open_endpoint(bearer, "data.pinList")
        else:
            pinata.open_resource(bearer, "org:files:read")
    except Refused:
        return ProbeAnswer.FORBIDDEN
    return ProbeAnswer.ALLOWED


def _revoke(systems: Systems, generation: Generation, key_id: str, *managing: Credential) -> None:
    with _refusals():
        try:
            systems.pinata.revoke(_admin(systems, *managing), generation, key_id)
        except Refused as refused:
            gone = refused.status == HTTPStatus.NOT_FOUND and generation is not Generation.LEGACY
            if not gone:
                raise


def _page(systems: Systems, generation: Generation, query: ListQuery, *managing: Credential) -> KeyPage:
    pinata = systems.pinata
    with _refusals():
        page = pinata.list_keys(_admin(systems, *managing), generation, query)
    keys = tuple(_key(record, pinata.switches) for record in page.records)
    return KeyPage(keys, is_last=len(keys) < pinata.switches.page_size)


def _admin(systems: Systems, *managing: Credential) -> Bearer:
    return Bearer(next((one.jwt.reveal() for one in managing if one.jwt), systems.admin.jwt))


@contextmanager
def _refusals() -> Iterator[None]:
    """Turn a refusal of the simulated Pinata into the error of the adapter."""
    try:
        yield
    except Refused as refused:
        error = ProviderDeniedError if refused.status in {401, 403} else ProviderRejectedError
        raise error(refused.details) from None


def _key(record: KeyRecord, switches: Switches) -> ProviderKey:
    return ProviderKey(
        key_id=record.key,
        name=record.name,
        created_at=datetime.fromtimestamp(record.created_at, UTC),
        state=KeyState.LIVE if record.revoked_at is None else KeyState.REVOKED,
        uses=record.uses,
        max_uses=record.max_uses,
        scopes=_scopes(record, switches),
    )


def _scopes(record: KeyRecord, switches: Switches) -> Permissions | None:
    held = record.permissions
    if held.admin:
        return Admin()
    if held.endpoints:
        return Endpoints(held.endpoints)
    return Resources(frozenset(held.resources)) if switches.resources_echo else None
