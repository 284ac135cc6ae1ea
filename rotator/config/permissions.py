"""What a key may do: the scopes that Pinata knows, and how they are declared, read and limited."""

import re

from rotator.config.kinds import FLAG, array, chosen, table
from rotator.config.problems import Node
from rotator.config.schema import Default, Example, Kind, Schema, Setting
from rotator.config.tables import Api
from rotator.config.values import UnfitError, quoted
from rotator.model.secret import Admin, Endpoints, JsonFields, Permissions, Resources, SecretSpec

NO_PERMISSIONS = Resources(frozenset())
MISSING = 'is missing; for example { resources = ["org:files:write"] }'
SCOPES = ["org:read", "org:write"] + [
    f"org:{what}:{access}" for what in ("files", "groups", "gateways", "analytics") for access in ("read", "write")
]
"""Scopes of the v3 API (Pinata TypeScript SDK, type of `permissions.resources`)."""
DATA = ("pinList", "userPinnedDataTotal")
PINNING = (
    "hashMetadata",
    "hashPinPolicy",
    "pinByHash",
    "pinFileToIPFS",
    "pinJSONToIPFS",
    "pinJobs",
    "unpin",
    "userPinPolicy",
)
"""Scopes of the legacy API (Pinata API reference, legacy key creation)."""


def _or_new(known: Kind, form: str, meant: str) -> Kind:
    """Return a kind of names that Pinata may add to: one that begins with `!` is passed as written, if it has the form.

    Without it a name that is not known is a mistake: a key that can do too much is worse than a release too late.
    """

    def parse(written: str, node: Node) -> object:
        name = written.removeprefix("!")
        has_form = re.fullmatch(form, name, re.ASCII) is not None
        try:
            return known.parse(name, node)
        except UnfitError as unknown:
            if not has_form:
                raise
            if name == written:
                end = "" if str(unknown).endswith("?") else "."
                raise UnfitError(f"{unknown}{end} Write {quoted('!' + name)} to pass it to Pinata as it is") from None
        return meant.format(name)

    return known._replace(parse=parse)


def _group(group: str, names: tuple[str, ...]) -> Kind:
    """Return the kind of a group of endpoints: an array of those that are on, or a table of booleans."""
    known = {name: f"{group}.{name}" for name in names}
    flags = tuple(Setting(name, FLAG, Default(value=False), "") for name in names)
    switches = table(Schema(lambda **on: frozenset(known[name] for name in on if on[name]), flags))
    endpoint = _or_new(chosen(known, "the name of an endpoint"), "[A-Za-z0-9]{1,64}", f"{group}.{{}}")
    listed = array(endpoint, frozenset)

    def parse(value: object, node: Node) -> object:
        return (switches if isinstance(value, dict) else listed).read(node)

    return listed._replace(holds=object, parse=parse)


def _endpoints(**groups: frozenset[str]) -> frozenset[str]:
    return frozenset().union(*groups.values())


def _permissions(
    *, resources: frozenset[str] = frozenset(), endpoints: frozenset[str] = frozenset(), admin: bool = False
) -> Permissions:
    if admin:
        return Admin()
    return Endpoints(endpoints) if endpoints else Resources(resources)


def _check_one_family(permissions: Permissions, node: Node) -> None:
    given = [key for key in ("resources", "endpoints", "admin") if node.has(key)]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        node.note(f"expected exactly one of resources, endpoints and admin; found {found}")
    elif permissions == NO_PERMISSIONS and not node.is_faulty():
        node.note("allows nothing; name what the key may do")


_SCOPE = _or_new(chosen({scope: scope for scope in SCOPES}, "a scope"), r"[a-z0-9_-]+(:[a-z0-9_-]+){1,7}", "{}")
_NEW = "A name that this release does not know is passed as written if it begins with `!`, which is left out."
_GROUPS = Schema(
    _endpoints,
    (
        Setting("data", _group("data", DATA), Example(["pinList"]), "endpoints below /data"),
        Setting("pinning", _group("pinning", PINNING), Example(["unpin"]), "endpoints below /pinning"),
    ),
)
PERMISSIONS = Schema(
    _permissions,
    (
        Setting("resources", array(_SCOPE, frozenset), Example(["org:files:write"]), "scopes of the v3 API", _NEW),
        Setting("endpoints", table(_GROUPS), Example({"data": ["pinList"]}), "scopes of the legacy API", _NEW),
        Setting("admin", FLAG, Example(value=True), "every right: only for the secret of the managing key"),
    ),
    _check_one_family,
)


def check_holder(spec: SecretSpec, entry: Node, api: Api, managing_id: str | None) -> None:
    """Check what a key of an entry may do against who holds it: consumers, or we ourselves in `managing_id`."""
    permissions, node = spec.permissions, entry.at("permissions")
    if api == "legacy" and isinstance(permissions, Resources) and permissions != NO_PERMISSIONS:
        node.note('the legacy API knows no `resources`; use `endpoints`, or api = "v3"')
    mints = permissions == Admin() or (isinstance(permissions, Resources) and "org:write" in permissions.names)
    manages = spec.secret_id == managing_id
    if spec.manages and not manages:
        entry.at("manages").note(
            "the managing key is not in this secret: `secret_id` and `[pinata] admin_secret` must be spelled alike"
        )
    if manages and isinstance(spec.shape, JsonFields) and spec.shape.jwt != "JWT":
        entry.at("fields").note('this is the secret of the managing key, whose token is read from the field "JWT"')
    if mints and not manages:
        node.note(
            "admin, and org:write too, can mint keys, and such a key must not be handed to consumers; only the entry"
            " whose `secret_id` is spelled like `admin_secret` may ask for it"
        )
    if manages and not mints and permissions != NO_PERMISSIONS:
        node.note(
            "this is the secret of the managing key, which could not manage keys with these permissions;"
            ' use { admin = true }, or { resources = ["org:write"] } with the v3 API'
        )
