"""Pinata's JSON, as values: what a create sends, and what answers say.

Pure. Nothing here raises on a strange body: it returns `Misfit`, because an exception that crosses
a frame in which a body is unpacked could be shown with that frame's variables. Of a list item only
the fields named here are read; real ones can carry a secret.

Sources: PinataCloud/docs (OpenAPI files), the types in PinataCloud/pinata, and live answers published by others.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from rotator.model.credential import Credential, Sensitive
from rotator.model.errors import SecretValueError
from rotator.model.observed import KeyState, ProviderKey
from rotator.model.payload import KEY_ID, credential
from rotator.model.secret import Admin, Endpoints, Permissions, Resources
from rotator.model.times import time_from

PAGE_SIZE = 10
"""Keys on a page, by the documentation of 2023; newer ones give no number."""
WHY_MAX_CHARS = 120

_RUN = re.compile(r"[\w+/=.~%-]{16,}", re.ASCII)
_WORD = re.compile(r"[A-Za-z_]{1,31}", re.ASCII)
"""Such as KEYS_MUST_BE_STRINGS; any other run of 16 characters could be a piece of a token."""
_SCOPE_FIELDS = frozenset({"admin", "endpoints", "resources"})


@dataclass(frozen=True, slots=True)
class Misfit:
    """A body that is not what the contract says; `detail` quotes nothing of it."""

    detail: str


@dataclass(frozen=True, slots=True)
class ListedKey:
    """One item of the key list. `key` is None if more than its id and name was unreadable."""

    key_id: str
    name: str
    key: ProviderKey | None


@dataclass(frozen=True, slots=True)
class KeyPage:
    """One page of the key list; `count` may be the total or the length of the page."""

    rows: tuple[ListedKey, ...]
    count: int | None

    def is_last(self, received: int) -> bool:
        """Tell whether the list ends here, after so many rows with those of this page."""
        if not self.rows:
            return True
        return len(self.rows) < PAGE_SIZE and (self.count is None or self.count <= received)


@dataclass(frozen=True, slots=True)
class UnusableKey:
    """The answer to a create that gives no credential; `key_id` names the key, if it tells."""

    key_id: str | None
    detail: str


def create_body(name: str, permissions: Permissions, max_uses: int | None) -> dict[str, object]:
    """Return what a create sends. Only one kind of scopes is in it: sources differ on mixtures."""
    body: dict[str, object] = {"keyName": name, "permissions": _scopes(permissions)}
    return body if max_uses is None else body | {"maxUses": max_uses}


def minted(body: Sensitive) -> Credential | UnusableKey:
    """Return the credential in the answer to a create: a JWT that names the key beside it."""
    value = _object(body) or {}
    key_id, jwt, secret = (value.get(field) for field in ("pinata_api_key", "JWT", "pinata_api_secret"))
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        return UnusableKey(None, "it names no key in `pinata_api_key`")
    if not isinstance(jwt, str) or not isinstance(secret, str) or not secret:
        return UnusableKey(key_id, "`JWT` or `pinata_api_secret` is missing or not a text")
    try:
        # Without the key's id beside it, only the claims of a real JWT can name the key.
        new = credential(Sensitive(jwt), key_id=None, secret=Sensitive(secret))
    except SecretValueError:
        return UnusableKey(key_id, "`JWT` is not a token that names a key")
    if new.key_id != key_id:
        return UnusableKey(key_id, "`JWT` belongs to another key")
    return new


def key_page(body: Sensitive) -> KeyPage | Misfit:
    """Return one page of the key list."""
    value = _object(body)
    if value is None:
        return Misfit("it is not a JSON object")
    items, count = value.get("keys"), value.get("count")
    if not isinstance(items, list):
        return Misfit("it has no list `keys`")
    rows = [_row(item) for item in items]
    if None in rows:
        return Misfit("an item in it is not an object")
    return KeyPage(tuple(row for row in rows if row), _integer(count))


def is_object(body: Sensitive) -> bool:
    """Tell whether a body is a JSON object, as every answer of testAuthentication is."""
    return _object(body) is not None


def reason(body: Sensitive) -> str:
    """Return the machine reason in an error body of the legacy shape; empty if there is none."""
    error = (_object(body) or {}).get("error")
    code = error.get("reason") if isinstance(error, dict) else None
    return code if isinstance(code, str) else ""


def why(body: Sensitive) -> str:
    """Return what an error body says, in any of the four shapes seen, fit for a message.

    One printable line of at most `WHY_MAX_CHARS` characters, without anything like a token.
    """
    value = _object(body)
    error = body.reveal()[: 64 * WHY_MAX_CHARS] if value is None else value.get("error")
    if isinstance(error, dict):
        told = [error.get(field) for field in ("reason", "code", "details", "message")]
        error = ": ".join(str(part) for part in told if isinstance(part, str) and part)
    text = error if isinstance(error, str) else ""
    printable = "".join(char if char.isprintable() else " " for char in text)
    shown = _RUN.sub(_word_or_ellipsis, " ".join(printable.split()))
    return shown if len(shown) <= WHY_MAX_CHARS else shown[: WHY_MAX_CHARS - 1] + "…"


def _word_or_ellipsis(run: re.Match[str]) -> str:
    return run[0] if _WORD.fullmatch(run[0]) else "…"


def _object(body: Sensitive) -> Mapping[str, object] | None:
    try:
        value = json.loads(body.reveal())
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _row(item: object) -> ListedKey | None:
    if not isinstance(item, dict):
        return None
    key_id, name = item.get("key"), item.get("name")
    # A key without a name is somebody else's: none of its fields has to please us.
    named = name if isinstance(name, str) else ""
    if not isinstance(key_id, str) or not KEY_ID.fullmatch(key_id):
        return ListedKey("", named, None)
    return ListedKey(key_id, named, _key(key_id, named, item))


def _key(key_id: str, name: str, item: Mapping[str, object]) -> ProviderKey | None:
    created_at, revoked = _moment(item.get("createdAt")), item.get("revoked", False)
    uses, max_uses = item.get("uses"), item.get("max_uses")
    counts_fit = all(number is None or _integer(number) is not None for number in (uses, max_uses))
    if created_at is None or not isinstance(revoked, bool) or not counts_fit or (_integer(uses) or 0) < 0:
        return None
    limit = _integer(max_uses) or 0
    return ProviderKey(
        key_id,
        name,
        created_at,
        KeyState.REVOKED if revoked else KeyState.LIVE,
        uses=_integer(uses) or 0,
        # Clients have met null, a missing field, 0 and -1 for a key without a limit.
        max_uses=limit if limit > 0 else None,
        scopes=_echoed(item.get("scopes")),
    )


def _moment(text: object) -> datetime | None:
    try:
        return time_from(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _scopes(permissions: Permissions) -> dict[str, object]:
    match permissions:
        case Admin():
            return {"admin": True}
        case Resources(names):
            return {"resources": sorted(names)}
        case Endpoints(names):
            groups: dict[str, dict[str, bool]] = {}
            for group, _, endpoint in (name.partition(".") for name in sorted(names)):
                groups.setdefault(group, {})[endpoint] = True
            return {"endpoints": groups}
        case _:
            assert_never(permissions)


def _echoed(scopes: object) -> Permissions | None:
    """Read the scopes of a list item; no document says how `resources` are echoed."""
    if not isinstance(scopes, dict) or any(scopes[name] for name in scopes.keys() - _SCOPE_FIELDS):
        return None
    admin, resources = scopes.get("admin"), scopes.get("resources")
    endpoints = _endpoints(scopes.get("endpoints"))
    if admin is True:
        return Admin()
    if endpoints and not resources:
        return Endpoints(endpoints)
    if isinstance(resources, list) and resources and not endpoints:
        names = frozenset(name for name in resources if isinstance(name, str))
        return Resources(names) if len(names) == len(resources) else None
    return None


def _endpoints(groups: object) -> frozenset[str]:
    """Return the endpoints that are set, as `group.endpoint`."""
    if not isinstance(groups, dict):
        return frozenset()
    return frozenset(
        f"{group}.{endpoint}"
        for group, switches in groups.items()
        if isinstance(switches, dict)
        for endpoint, is_set in switches.items()
        if is_set is True
    )
