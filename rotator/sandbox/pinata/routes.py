"""Which call a method and path of the Pinata API mean."""

from dataclasses import dataclass
from urllib.parse import unquote

from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.pinata.switches import Generation


@dataclass(frozen=True, slots=True)
class Call:
    """A known call; in `template` the key is spelled `{key}`, `key` is the key itself or empty."""

    operation: Operation
    generation: Generation
    template: str
    key: str = ""

    @property
    def v3(self) -> bool:
        """Whether the call is answered by the v3 application."""
        return self.generation is not Generation.LEGACY

    @property
    def manages_keys(self) -> bool:
        """Whether the call is one of three that exist once per generation."""
        return self.operation in {Operation.CREATE, Operation.LIST, Operation.REVOKE}


@dataclass(frozen=True, slots=True)
class NoSuchPath:
    """A 404."""


@dataclass(frozen=True, slots=True)
class NoSuchMethod:
    """A 405; `allowed` are the methods that the path has."""

    template: str
    allowed: tuple[str, ...]


_LEGACY, _PINATA, _V3 = Generation.LEGACY, Generation.V3_PINATA, Generation.V3
_ROUTES: dict[str, dict[str, tuple[Operation, Generation]]] = {
    "/users/generateApiKey": {"POST": (Operation.CREATE, _LEGACY)},
    "/users/apiKeys": {"GET": (Operation.LIST, _LEGACY)},
    "/users/revokeApiKey": {"PUT": (Operation.REVOKE, _LEGACY)},
    "/v3/pinata/keys": {"POST": (Operation.CREATE, _PINATA), "GET": (Operation.LIST, _PINATA)},
    "/v3/pinata/keys/{key}": {"PUT": (Operation.REVOKE, _PINATA)},
    "/v3/api_keys": {"POST": (Operation.CREATE, _V3), "GET": (Operation.LIST, _V3)},
    "/v3/api_keys/{key}": {"DELETE": (Operation.REVOKE, _V3)},
    "/data/testAuthentication": {"GET": (Operation.AUTHENTICATE, _LEGACY)},
    "/data/pinList": {"GET": (Operation.PINS, _LEGACY)},
    "/v3/files/public": {"GET": (Operation.FILES, _V3)},
}


def route(method: str, path: str, generations: frozenset[Generation]) -> Call | NoSuchPath | NoSuchMethod:
    """Find the call; key paths of a generation outside `generations` do not exist."""
    template, key = path, ""
    parent, _, last = path.rpartition("/")
    if f"{parent}/{{key}}" in _ROUTES and last:
        template, key = f"{parent}/{{key}}", unquote(last)
    methods = _ROUTES.get(template, {})
    calls = {name: Call(*found, template, key) for name, found in methods.items()}
    existing = {name: call for name, call in calls.items() if call.generation in generations or not call.manages_keys}
    if not existing:
        return NoSuchPath()
    return existing.get(method) or NoSuchMethod(template, tuple(existing))
