"""One `[[secrets]]` entry, or the `[defaults]` for all of them: its fields, and rules between them.

`[defaults]` and the entries are read by the same function, each on top of what it inherits, so a
key means the same in both, and a mistake in the defaults is reported once, not by every entry.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Literal

from rotator.config.fields import Table
from rotator.config.values import blackout, chosen_from, clock_time, matching, probe_path, quoted, time_zone
from rotator.model.secret import (
    Admin,
    BareJwt,
    Endpoints,
    JsonFields,
    Permissions,
    Resources,
    SecretSpec,
    ValueShape,
    Window,
)
from rotator.model.times import setting_text

Api = Literal["v3", "v3-pinata", "legacy"]

RESOURCES = frozenset(
    ["org:read", "org:write"]
    + [f"org:{what}:{access}" for what in ("files", "groups", "gateways", "analytics") for access in ("read", "write")]
)
"""Scopes of the v3 API (Pinata TypeScript SDK, type of `permissions.resources`)."""

ENDPOINTS: Mapping[str, tuple[str, ...]] = {
    "data": ("pinList", "userPinnedDataTotal"),
    "pinning": (
        "hashMetadata",
        "hashPinPolicy",
        "pinByHash",
        "pinFileToIPFS",
        "pinJSONToIPFS",
        "pinJobs",
        "unpin",
        "userPinPolicy",
    ),
}
"""Scopes of the legacy API (Pinata API reference, legacy key creation)."""

NO_PERMISSIONS = Resources(frozenset())
BUILT_IN = SecretSpec(
    name="",
    secret_id="",
    permissions=NO_PERMISSIONS,
    shape=JsonFields("JWT", "pinata_api_key", "pinata_api_secret", named_by="default"),
    max_age=timedelta(days=30),
    grace=timedelta(hours=24),
    pending_timeout=timedelta(hours=1),
    live_keys_max=3,
    verify_timeout=timedelta(seconds=30),
    timeout=timedelta(minutes=2),
    check_every=timedelta(hours=1),
    settle=timedelta(minutes=5),
)
"""What an entry is when the file says nothing more; its names and permissions are yet to come."""

ID_EXPECTED = 'the name or the ARN of a secret, such as "prod/pinata/uploader"'
secret_id_text: Callable[[str], str] = matching(
    re.compile(
        r"[A-Za-z0-9/_+=.@!-]{1,512}"
        r"|arn:aws[a-z-]*:secretsmanager:[a-z0-9-]+:\d{12}:secret:[A-Za-z0-9/_+=.@!-]{1,519}",
        re.ASCII,
    )
)

_NAME = 'a name of 1 to 64 letters, digits, ".", "_" and "-"'
_PROBE = 'a path on the Pinata API, such as "/v3/files?limit=1"'
_DAYS = {name: day for day, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))}
_BLACKOUT = 'a day or a range of days, such as "2026-12-24" or "2026-12-24..2027-01-02"'

_NO_TIME = timedelta(0)
_ONE_SECOND = timedelta(seconds=1)
_LIVE_KEYS_LEAST = 2
_LIVE_KEYS_MOST = 100
_USES_LEAST = 100
_USES_MOST = 1_000_000_000


def read_defaults(table: Table) -> SecretSpec:
    """Read `[defaults]`, on top of what is built in."""
    for key in ("name", "secret_id"):
        table.refuse(key, "has no default: it belongs into each [[secrets]] entry")
    spec = _read(table, BUILT_IN)
    table.finish()
    _check_together(spec, table, table)
    return spec


def read_secret(table: Table, inherited: SecretSpec, defaults: Table) -> SecretSpec:
    """Read one entry, on top of the defaults, which were read from the table `defaults`."""
    table.require("name", f"expected {_NAME}")
    table.require("secret_id", f"expected {ID_EXPECTED}")
    if not defaults.has("permissions"):
        table.require("permissions", 'for example { resources = ["org:files:write"] }')
    named = replace(
        inherited,
        name=table.text("name", "", matching(re.compile(r"[A-Za-z0-9._-]{1,64}")), _NAME),
        secret_id=table.text("secret_id", "", secret_id_text, ID_EXPECTED),
    )
    spec = _read(table, named)
    table.finish()
    _check_together(spec, table, defaults)
    return spec


def check_permissions(spec: SecretSpec, table: Table, api: Api, managing_id: str | None) -> None:
    """Check what a key may do against who holds it.

    Args:
        spec: the entry as read.
        table: where it was read from.
        api: the API that is to make the key.
        managing_id: the secret that holds the managing key, if one does.
    """
    permissions = spec.permissions
    if api == "legacy" and isinstance(permissions, Resources) and permissions != NO_PERMISSIONS:
        table.problem("permissions", 'the legacy API knows no `resources`; use `endpoints`, or api = "v3"')
    mints = permissions == Admin() or (isinstance(permissions, Resources) and "org:write" in permissions.names)
    manages = spec.secret_id == managing_id
    if mints and not manages:
        table.problem(
            "permissions",
            "admin, and org:write too, can mint keys, and such a key must not be handed to"
            " consumers; only the entry whose `secret_id` is spelled like `admin_secret` may ask",
        )
    if manages and not mints and permissions != NO_PERMISSIONS:
        table.problem(
            "permissions",
            "this is the secret of the managing key, and these permissions could not manage keys"
            ' any more; use { admin = true }, or { resources = ["org:write"] } with the v3 API',
        )


def check_distinct(key: str, values: Iterable[tuple[Table, str]]) -> None:
    """Check that no two entries have the same value, which each gives beside its table."""
    first: dict[str, int] = {}
    for number, (table, value) in enumerate(values, start=1):
        if value and first.setdefault(value, number) != number:
            table.problem(key, f"{quoted(value)} is taken by entry {first[value]} already")


def _read(table: Table, base: SecretSpec) -> SecretSpec:
    return replace(
        base,
        permissions=_permissions(table, base.permissions),
        shape=_shape(table, base.shape),
        max_age=table.duration("max_age", base.max_age, least=_ONE_SECOND),
        grace=table.duration("grace", base.grace, least=_NO_TIME),
        pending_timeout=table.duration("pending_timeout", base.pending_timeout, least=_ONE_SECOND),
        live_keys_max=table.integer("live_keys_max", base.live_keys_max, _LIVE_KEYS_LEAST, _LIVE_KEYS_MOST),
        verify_timeout=table.duration("verify_timeout", base.verify_timeout, least=_ONE_SECOND),
        timeout=table.duration("timeout", base.timeout, least=_ONE_SECOND),
        check_every=table.duration("check_every", base.check_every, least=_NO_TIME),
        settle=table.duration("settle", base.settle, least=_NO_TIME),
        max_uses=table.integer("max_uses", base.max_uses, _USES_LEAST, _USES_MOST),
        probe=table.text("probe", base.probe, probe_path, _PROBE),
        negative_probe=table.text("negative_probe", base.negative_probe, probe_path, _PROBE),
        window=_window(table, base.window),
        blackouts=table.texts("blackout", base.blackouts, blackout, _BLACKOUT),
    )


def _permissions(table: Table, base: Permissions) -> Permissions:
    inner = table.table("permissions")
    if inner is None:
        return base
    given = [key for key in ("resources", "endpoints", "admin") if inner.has(key)]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        table.problem("permissions", f"expected exactly one of resources, endpoints and admin; found {found}")
    resources = Resources(frozenset(inner.texts("resources", (), chosen_from({r: r for r in RESOURCES}), "a scope")))
    endpoints = Endpoints(_endpoints(inner))
    admin = inner.flag("admin")
    inner.finish()
    if given and not (resources.names or endpoints.names or admin or table.is_faulty("permissions")):
        table.problem("permissions", "allows nothing; name what the key may do")
    if admin:
        return Admin()
    return endpoints if endpoints.names else resources


def _endpoints(permissions: Table) -> frozenset[str]:
    groups = permissions.section("endpoints")
    chosen: set[str] = set()
    for group, names in ENDPOINTS.items():
        if groups.has_table(group):
            switches = groups.section(group)
            chosen.update(f"{group}.{name}" for name in names if switches.flag(name))
            switches.finish()
        else:
            known = {name: f"{group}.{name}" for name in names}
            chosen.update(groups.texts(group, (), chosen_from(known), "the name of an endpoint"))
    groups.finish()
    return frozenset(chosen)


def _shape(table: Table, base: ValueShape) -> ValueShape:
    bare = table.text("format", None, chosen_from({"jwt": BareJwt()}), '"jwt", or no such key')
    fields = table.table("fields")
    if fields is None:
        return bare or base
    if table.has("format"):
        table.problem("fields", '`format = "jwt"` is the bare token, which has no fields')
    fields.require("jwt", "it names the field that holds the token")
    field_name = matching(re.compile(r".{1,256}"))
    expected = "the name of a field of the JSON value"
    shape = JsonFields(
        fields.text("jwt", "JWT", field_name, expected),
        fields.text("key", None, field_name, expected),
        fields.text("secret", None, field_name, expected),
        named_by="config",
    )
    fields.finish()
    names = [name for name in (shape.jwt, shape.key, shape.secret) if name is not None]
    if len(set(names)) < len(names):
        table.problem("fields", "two of the names are the same")
    return shape


def _window(table: Table, base: Window | None) -> Window | None:
    inner = table.table("window")
    if inner is None:
        return base
    for key, example in (("from", "02:00"), ("to", "05:00"), ("zone", "Europe/Berlin")):
        inner.require(key, f'expected for example "{example}"')
    every_day = tuple(_DAYS.values())
    days = inner.texts("days", every_day, chosen_from(_DAYS), 'a day such as "Mon"')
    start = inner.text("from", None, clock_time, 'a time of day such as "02:00"')
    end = inner.text("to", None, clock_time, 'a time of day such as "05:00"')
    zone = inner.text("zone", None, time_zone, 'a time zone such as "Europe/Berlin"')
    inner.finish()
    if not days and not inner.is_faulty("days"):
        inner.problem("days", "is empty, so that no new key could ever be made")
    if start is None or end is None or zone is None:
        return base
    return Window(frozenset(days), start, end, zone)


def _check_together(spec: SecretSpec, table: Table, defaults: Table) -> None:
    """Check pairs of fields, where this table sets one of them and neither is faulty."""
    grace, age = spec.grace, spec.max_age
    verify, run, pending = spec.verify_timeout, spec.timeout, spec.pending_timeout
    longer, not_longer = "must be longer than", "must not be longer than"
    for key, value, demand, other, limit, holds in (
        ("grace", grace, not_longer, "max_age", age, grace <= age),
        ("verify_timeout", verify, not_longer, "timeout", run, verify <= run),
        ("pending_timeout", pending, longer, "timeout", run, pending > run),
    ):
        origins = [(table if table.has(k) else defaults, k) for k in (key, other)]
        set_here = [k for k in (key, other) if table.has(k)]
        if holds or not set_here or any(origin.is_faulty(k) for origin, k in origins):
            continue
        values = f"{setting_text(value)}) {demand} `{other}` ({setting_text(limit)}"
        table.problem(set_here[0], f"`{key}` ({values})")
    if spec.probe is not None and spec.probe == spec.negative_probe:
        table.problem("negative_probe", "is the same path as `probe`: it cannot work and fail")
