"""What is in a stored value, read and written without any code of the program that is judged."""

import base64
import json
import re
import urllib.parse
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from rotator.model.observed import OURS, REPLACED_PREFIX
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.tokens import claims_of
from rotator.sandbox.secrets_manager.state import Secret

LINGERS = -1.0
"""`revoked_at` of a key that the list shows as revoked, and whose token is taken until it is revoked once more."""
EXTRAS = '{"gateway": "https://gateway.example", "retries": 3}'
"""Fields of a value that are none of the program's business; they are carried from version to version."""
_OWN_FIELDS = ("JWT", "pinata_api_key", "pinata_api_secret")
_VERSION_ID = re.compile(r"g([0-9]{6,9})-[0-9]{8}T[0-9]{6}Z-[0-9A-Za-z-]{10}")


@cache
def generation_of(version_id: str) -> int:
    """Return the generation in a version id of ours; 0 if it is not exactly one."""
    match = _VERSION_ID.fullmatch(version_id)
    return int(match[1]) if match else 0


@cache
def generation_in_name(prefix: str, name: str) -> int:
    """Return the generation in the name of a key of ours; 0 if the name is not exactly one."""
    return generation_of(name[len(prefix) :]) if name.startswith(prefix) else 0


class Held(NamedTuple):
    """The credential inside a value."""

    key_id: str
    jwt: str
    agrees: bool
    """The token names the key beside it."""
    secret: str | None
    extras: str
    """The other fields, as text."""


@cache
def held_by(value: str) -> Held | None:
    """Return the credential inside a value, read without any code of the program's."""
    try:
        fields = json.loads(value)
        jwt, key_id = fields["JWT"], fields["pinata_api_key"]
    except (ValueError, KeyError, TypeError):
        return None
    if not key_id:
        return None
    agrees = claims_of(jwt).get("scopedKeyKey") == key_id
    others = {name: fields[name] for name in sorted(fields) if name not in _OWN_FIELDS}
    return Held(key_id, jwt, agrees, fields.get("pinata_api_secret"), json.dumps(others))


def key_id_of(jwt: str) -> str:
    """Return the key that a token names."""
    return str(claims_of(jwt).get("scopedKeyKey"))


def lives(record: KeyRecord) -> bool:
    """Tell whether a key is taken, whatever the list shows."""
    return record.revoked_at is None or record.revoked_at == LINGERS


def held_in(secret: Secret, label: str) -> Held | None:
    """Return the credential inside the version with a label."""
    version_id = secret.labels.get(label)
    version = secret.versions.get(version_id) if version_id else None
    return held_by(version.value) if version and isinstance(version.value, str) else None


def marks(secret: Secret) -> frozenset[str]:
    """Return the keys that labels name as replaced."""
    named = (label for label in secret.labels if label.startswith(REPLACED_PREFIX))
    return frozenset(label.removeprefix(REPLACED_PREFIX) for label in named if label != OURS)


@cache
def value_of_key(record: KeyRecord, jwt: str | None = None, extras: str = EXTRAS) -> str:
    """Return the value that holds a key."""
    own = (jwt or record.jwt, record.key, record.secret)
    return json.dumps(json.loads(extras) | dict(zip(_OWN_FIELDS, own, strict=True)))


@cache
def spoiled(jwt: str) -> str:
    """Return the same claims with a signature that is not the provider's."""
    head, _, signature = jwt.rpartition(".")
    return f"{head}.{signature[::-1]}"


def forms_of(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret could leak."""
    raw = secret.encode()
    yield secret
    yield json.dumps(secret)
    yield repr(raw)
    yield urllib.parse.quote(secret, safe="")
    for shift in range(3):
        yield base64.b64encode(b"\0" * shift + raw).decode()
