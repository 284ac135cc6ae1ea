"""What a simulated Pinata key may do: the create body parsed at the edge, and the checks.

Two sets of scopes that do not mix: legacy endpoints (booleans) and v3 resources (strings). Names
follow Pinata's OpenAPI documents and the type in its TypeScript SDK. Write includes read (OpenAPI,
v3).
"""

import re
from dataclasses import dataclass

from rotator.sandbox.pinata.switches import EchoOrder, Generation, LowercaseKeyName, Policy, Switches

ENDPOINTS = {
    "data": frozenset({"pinList", "userPinnedDataTotal"}),
    "pinning": frozenset(
        {
            "hashMetadata",
            "hashPinPolicy",
            "pinByHash",
            "pinFileToIPFS",
            "pinJSONToIPFS",
            "pinJobs",
            "unpin",
            "userPinPolicy",
        }
    ),
}
RESOURCES = frozenset(
    {"org:read", "org:write"}
    | {f"org:{part}:{access}" for part in ("files", "groups", "gateways", "analytics") for access in ("read", "write")}
)


class Refused(Exception):  # noqa: N818 - it is the answer of the rules, not a fault of the program
    """The simulated Pinata says no: the HTTP status, the machine reason and the text for people."""

    def __init__(self, status: int, reason: str, details: str) -> None:
        """Refuse with an HTTP status."""
        super().__init__(f"{status} {reason}: {details}")
        self.status = status
        self.reason = reason
        self.details = details


BAD_REQUEST = "BAD_REQUEST"


def bad_request(details: str) -> Refused:
    """Refuse a create or revoke because of what its body says."""
    return Refused(400, BAD_REQUEST, details)


@dataclass(frozen=True, slots=True)
class Permissions:
    """The scopes of one key; endpoints are spelled `pinning.pinFileToIPFS`."""

    admin: bool = False
    endpoints: frozenset[str] = frozenset()
    resources: tuple[str, ...] = ()

    def allow_endpoint(self, endpoint: str) -> bool:
        """Say whether a legacy endpoint such as `data.pinList` is open."""
        return self.admin or endpoint in self.endpoints

    def allow_resource(self, resource: str, switches: Switches) -> bool:
        """Say whether a v3 resource such as `org:files:read` is open."""
        held = set(self.resources)
        if self.admin or resource in held or resource.replace(":read", ":write") in held:
            return True
        if not switches.org_scopes_imply_all:
            return False
        return "org:write" in held or ("org:read" in held and resource.endswith(":read"))

    def allow_key_management(self, generation: Generation, switches: Switches) -> bool:
        """Say whether keys may be managed: legacy wants an admin key, v3 `org:write`."""
        if self.admin:
            return True
        covered = generation is not Generation.LEGACY or switches.org_write_covers_legacy
        return covered and "org:write" in self.resources

    def echo(self, switches: Switches) -> dict[str, object]:
        """Give `scopes` as a list item shows them: only the endpoints that are set."""
        if self.admin:
            return {"admin": True}
        scopes: dict[str, object] = {}
        if self.endpoints:
            groups: dict[str, dict[str, bool]] = {}
            for endpoint in sorted(self.endpoints):
                group, name = endpoint.split(".")
                groups.setdefault(group, {})[name] = True
            scopes["endpoints"] = groups
        if self.resources and switches.resources_echo is not None:
            scopes[switches.resources_echo] = _ordered(self.resources, switches.resources_echo_order)
        return scopes | {"admin": False}


@dataclass(frozen=True, slots=True)
class CreateRequest:
    """A create body that passed every rule about its shape."""

    name: str
    permissions: Permissions
    max_uses: int | None


def parse_create(body: object, generation: Generation, switches: Switches) -> CreateRequest:
    """Read a create body; raise `Refused` with 400 if a rule or switch is against it."""
    if not isinstance(body, dict):
        raise bad_request("the body must be an object")
    max_uses = body.get("maxUses")
    if max_uses is not None and (not _is_integer(max_uses) or max_uses < 1):
        raise bad_request("maxUses must be a positive integer")
    if generation is not Generation.LEGACY and not switches.max_uses_on_v3:
        max_uses = None
    name = _name(body, switches)
    if "permissions" in body:
        return CreateRequest(name, parse_permissions(body["permissions"], generation, switches), max_uses)
    if generation is Generation.LEGACY or switches.permissions_missing is Policy.REFUSED:
        raise bad_request("permissions is required")
    return CreateRequest(name, Permissions(), max_uses)


def parse_permissions(raw: object, generation: Generation, switches: Switches) -> Permissions:
    """Read `permissions` of a create body; raise `Refused` with 400 if a rule is against it."""
    if not isinstance(raw, dict):
        raise bad_request("permissions must be an object")
    known = {"admin", "endpoints"} | ({"resources"} if generation is not Generation.LEGACY else set())
    if unknown := sorted(set(raw) - known):
        raise bad_request(f"permissions.{unknown[0]} is not allowed")
    admin = raw.get("admin", False)
    if not isinstance(admin, bool):
        raise bad_request("permissions.admin must be a boolean")
    endpoints = _endpoints(raw.get("endpoints", {}), switches) if "endpoints" in raw else frozenset()
    resources = _resources(raw.get("resources", []))
    if {"admin", "endpoints"} <= set(raw) and switches.admin_with_endpoints is Policy.REFUSED:
        raise bad_request("permissions.admin is not allowed beside permissions.endpoints")
    if endpoints and resources and switches.mixed_scopes is Policy.REFUSED:
        raise bad_request("permissions.endpoints and permissions.resources do not mix")
    permissions = Permissions(admin, endpoints, resources)
    if permissions == Permissions() and switches.nothing_allowed is Policy.REFUSED:
        raise bad_request("permissions must allow something")
    return permissions


def _name(body: dict[str, object], switches: Switches) -> str:
    name = body.get("keyName")
    if name is None and "keyname" in body:
        match switches.lowercase_key_name:
            case LowercaseKeyName.ACCEPTED:
                name = body["keyname"]
            case LowercaseKeyName.IGNORED:
                return ""
            case LowercaseKeyName.REFUSED:
                raise bad_request("keyName is required")
    if not isinstance(name, str) or not name:
        raise bad_request("keyName must be a string and not empty")
    if switches.name_length_max is not None and len(name) > switches.name_length_max:
        raise bad_request(f"keyName has more than {switches.name_length_max} characters")
    if switches.name_pattern is not None and not re.fullmatch(switches.name_pattern, name):
        raise bad_request("keyName has a character that is not allowed")
    return name


def _endpoints(raw: object, switches: Switches) -> frozenset[str]:
    if not isinstance(raw, dict):
        raise bad_request("permissions.endpoints must be an object")
    given: dict[str, bool] = {}
    for group, names in raw.items():
        if group not in ENDPOINTS or not isinstance(names, dict):
            raise bad_request(f"permissions.endpoints.{group} is not allowed")
        for name, allowed in names.items():
            if name not in ENDPOINTS[group] or not isinstance(allowed, bool):
                raise bad_request(f"permissions.endpoints.{group}.{name} is not allowed")
            given[f"{group}.{name}"] = allowed
    if switches.partial_endpoints is Policy.REFUSED and len(given) < sum(map(len, ENDPOINTS.values())):
        raise bad_request("permissions.endpoints must name every endpoint")
    return frozenset(endpoint for endpoint, allowed in given.items() if allowed)


def _resources(raw: object) -> tuple[str, ...]:
    if not isinstance(raw, list):
        raise bad_request("permissions.resources must be an array")
    for resource in raw:
        if not isinstance(resource, str) or resource not in RESOURCES:
            raise bad_request("permissions.resources names an unknown resource")
    return tuple(dict.fromkeys(raw))


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _ordered(resources: tuple[str, ...], order: EchoOrder) -> list[str]:
    match order:
        case EchoOrder.AS_SENT:
            return list(resources)
        case EchoOrder.SORTED:
            return sorted(resources)
        case EchoOrder.REVERSED:
            return list(reversed(resources))
