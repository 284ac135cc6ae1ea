"""The value of a secret: finding the credential inside it, and composing the next value.

Pure text work. A value is either a JSON object with configured field names, whose other fields are carried over
untouched, or the bare token. What does not fit the configuration is refused, never reshaped.
"""

import base64
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import assert_never

from rotator.model.credential import Credential, Form, HeaderPair, Sensitive, Token
from rotator.model.errors import SecretValueError
from rotator.model.secret import BareJwt, JsonFields, ValueShape

_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_SENDABLE = re.compile(r"[\x21-\x7e]{1,8192}")
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")
_PAIR_KEY = re.compile(r"[0-9A-Fa-f]{20,40}", re.ASCII)
_PAIR_SECRET = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
"""What a header pair consists of. Anything else in its fields is no credential, but perhaps a placeholder."""
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
"""Live keys have 20 hexadecimal characters, documented examples 32; a key's secret has 64."""
_EXPIRY_MAX_S = 100_000_000_000
"""Later than any date that `datetime` knows of is no expiry (the year 5138)."""
VALUE_MAX_BYTES = 65_536
"""The limit of Secrets Manager (API reference, PutSecretValue)."""


@dataclass(frozen=True, slots=True)
class Blank:
    """A value that holds no credential, and nothing but what is ours to fill: a placeholder."""


@dataclass(frozen=True, slots=True)
class TwoKeys:
    """A value whose key field names another key than its token: somebody edited half of it."""

    by_token: Credential


def read_value(text: Sensitive, shape: ValueShape) -> Credential | TwoKeys | Blank:
    """Return what a stored value holds.

    A credential is there if its token or its header pair is well formed. Raises SecretValueError if the value is of
    another shape, so that it may be somebody else's, or if its token cannot be sent.
    """
    match shape:
        case BareJwt():
            if text.reveal().lstrip().startswith("{"):
                raise SecretValueError('the value is JSON, but `format = "jwt"` says it is the bare token')
            return credential(text, key_id=None, secret=None) if text.reveal().strip() else Blank()
        case JsonFields():
            return _read_fields(_json_object(text), shape) if text.reveal().strip() else Blank()
        case _:
            assert_never(shape)


def credential_in(text: Sensitive, shape: ValueShape) -> Credential:
    """Return the credential that a stored value holds. Raises SecretValueError if it does not hold just one."""
    match read_value(text, shape):
        case Credential() as found:
            return found
        case Blank():
            raise SecretValueError("the value holds no credential")
        case TwoKeys():
            raise SecretValueError(
                "the value names two different keys: its key field and its JWT do not belong together"
            )
        case other:
            assert_never(other)


def credential(jwt: Sensitive, *, key_id: str | None, secret: Sensitive | None) -> Credential:
    """Return the credential of a token that names one key only.

    The id of the key is the `scopedKeyKey` claim of the token (seen in every published description of it), or the field
    beside it. Raises SecretValueError if the token cannot be sent in a header, names no key, or another than the field.
    """
    if not _SENDABLE.fullmatch(jwt.reveal()):
        raise SecretValueError("the token is empty, too long, or holds white space or other characters no token has")
    claims = _claims(jwt)
    claimed = claims.get("scopedKeyKey")
    found = key_id or claimed
    if not isinstance(found, str) or not KEY_ID.fullmatch(found):
        raise SecretValueError("the value names no key: neither a key field nor the `scopedKeyKey` claim of its JWT")
    if claimed is not None and claimed != found:
        raise SecretValueError("the value names two different keys: its key field and its JWT do not belong together")
    forms: tuple[Form, ...] = (Token(jwt),)
    if key_id and secret and claims.get("scopedKeySecret") != secret.reveal():
        forms = (*forms, HeaderPair(key_id, secret))
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or not 0 < expires < _EXPIRY_MAX_S:
        return Credential(found, jwt, secret, None, forms)
    return Credential(found, jwt, secret, datetime.fromtimestamp(expires, UTC), forms)


def _read_fields(value: Mapping[str, object], shape: JsonFields) -> Credential | TwoKeys | Blank:
    if all(content in ("", None, {}, []) for content in value.values()):
        return Blank()
    if not any(name in value for name in shape.names):
        raise SecretValueError(f"the value has no field `{shape.names[0]}`")
    jwt, key_id, secret = (_ours(value, name) for name in (shape.jwt, shape.key, shape.secret))
    has_token, has_pair = _holds_token(jwt), bool(_PAIR_KEY.fullmatch(key_id) and _PAIR_SECRET.fullmatch(secret))
    if not has_token and not has_pair:
        return Blank()
    for name in (shape.jwt, *((shape.key, shape.secret) if shape.named_by == "config" else ())):
        if name is not None and name not in value:
            raise SecretValueError(f"the value has no field `{name}`")
    pair = HeaderPair(key_id, Sensitive(secret)) if key_id and secret else None
    if not has_token:
        told: tuple[Form, ...] = (Token(Sensitive(jwt)),) if _SENDABLE.fullmatch(jwt) else ()
        return Credential(key_id, None, Sensitive(secret), None, (*told, HeaderPair(key_id, Sensitive(secret))))
    claimed = _claims_of(jwt).get("scopedKeyKey")
    is_id = bool(_PAIR_KEY.fullmatch(key_id)) or key_id == claimed
    held = credential(
        Sensitive(jwt), key_id=None if claimed else key_id or None, secret=pair.secret if pair and is_id else None
    )
    if claimed and is_id and key_id != claimed:
        return TwoKeys(held)
    if pair and _claims_of(jwt).get("scopedKeySecret") != secret:
        held = replace(held, forms=(Token(Sensitive(jwt)), pair))
    return held


def _ours(value: Mapping[str, object], name: str | None) -> str:
    """Return the text of a field of ours; empty if there is none, or none yet."""
    content = value.get(name) if name is not None else None
    if content is not None and not isinstance(content, str):
        raise SecretValueError(f"the field `{name}` of the value is not a text")
    return content or ""


def _holds_token(text: str) -> bool:
    """Tell whether a text is a token, or one that somebody wrapped in something."""
    return any(_claims_of(part) for part in _JWT.findall(text))


def compose(new: Credential, shape: ValueShape, current: Sensitive | None, *, replacing: bool = False) -> Sensitive:
    """Return the value to store for a new credential, with the other fields of the current value carried over.

    `replacing` is a person's consent to replace a current value that holds no credential of ours; what is not a JSON
    object then is not carried over. Raises SecretValueError if the new token is not a JWT, the current value is of
    another shape, or the new one too large.
    """
    if new.jwt is None or not _JWT.fullmatch(new.jwt.reveal()) or not _claims(new.jwt):
        raise SecretValueError("the new token is not a JWT; nothing was stored")
    match shape:
        case BareJwt():
            if current is not None and not replacing:
                read_value(current, shape)
            text = new.jwt.reveal()
        case JsonFields():
            value, known = _carried_over(current, shape, replacing=replacing)
            secret = new.secret.reveal() if new.secret else None
            for name, content in ((shape.jwt, new.jwt.reveal()), (shape.key, new.key_id), (shape.secret, secret)):
                if name is None or (known is not None and name not in known):
                    continue
                if content is None:
                    raise SecretValueError(f"Pinata gave no value for the field `{name}`")
                value[name] = content
            # A lone surrogate in a carried-over field has no UTF-8 form; escaped, it survives.
            text = json.dumps(value, ensure_ascii=False)
            if _LONE_SURROGATE.search(text):
                text = json.dumps(value)
        case _:
            assert_never(shape)
    if len(text.encode()) > VALUE_MAX_BYTES:
        raise SecretValueError(f"the new value would be larger than {VALUE_MAX_BYTES} bytes")
    return Sensitive(text)


def _carried_over(
    current: Sensitive | None, shape: JsonFields, *, replacing: bool
) -> tuple[dict[str, object], frozenset[str] | None]:
    """Return the fields to carry over, and which fields a value has already; None if ours are all to be written."""
    if current is None:
        return {}, None
    try:
        found = read_value(current, shape)
        value = dict(_json_object(current)) if current.reveal().strip() else {}
    except SecretValueError:
        if not replacing:
            raise
        return _object_or_nothing(current), None
    return value, None if isinstance(found, Blank) else frozenset(value)


def _object_or_nothing(text: Sensitive) -> dict[str, object]:
    try:
        return dict(_json_object(text))
    except SecretValueError:
        return {}


def managing_token(text: Sensitive) -> Sensitive:
    """Return the token in the managing key's secret: the bare token, or the field `JWT` of a JSON object.

    Raises SecretValueError if it is neither.
    """
    if not text.reveal().lstrip().startswith("{"):
        return text
    return Sensitive(_field(_json_object(text), "JWT"))


def mentions(text: Sensitive, key_id: str) -> bool:
    """Tell whether a value of whatever shape holds a key: in clear, or inside the claims of a token."""
    raw = text.reveal()
    return key_id in raw or any(_claims_of(token).get("scopedKeyKey") == key_id for token in _JWT.findall(raw))


def _json_object(text: Sensitive) -> Mapping[str, object]:
    raw = text.reveal()
    if not raw.strip():
        raise SecretValueError("the value is empty")
    problem = None
    try:
        value = json.loads(raw, object_pairs_hook=_object, parse_float=_number, parse_constant=_number)
    except _UnfaithfulError as unfaithful:
        problem = str(unfaithful)
    except ValueError:
        # Raised below, outside this block: the decoder's exception quotes the whole document.
        problem = "the value is not JSON"
        if _JWT.fullmatch(raw.strip()):
            problem += '; it looks like a bare token: set `format = "jwt"`'
    except RecursionError:
        problem = "the value is nested too deeply"
    if problem:
        raise SecretValueError(problem)
    if not isinstance(value, dict):
        raise SecretValueError("the value is JSON, but not an object")
    return value


class _UnfaithfulError(ValueError):
    """A part of a value that could not be carried over as it is."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _UnfaithfulError("the value is JSON with a field that occurs twice")
    return value


def _number(literal: str) -> float:
    number = float(literal)
    if not math.isfinite(number) or Decimal(repr(number)) != Decimal(literal):
        raise _UnfaithfulError("the value holds a number that cannot be carried over exactly; make it a text")
    return number


def _field(value: Mapping[str, object], name: str) -> str:
    if name not in value:
        raise SecretValueError(f"the value has no field `{name}`")
    content = value[name]
    if not isinstance(content, str) or not content:
        raise SecretValueError(f"the field `{name}` of the value is not a text, or empty")
    return content


def _optional_field(value: Mapping[str, object], name: str | None, shape: JsonFields) -> str | None:
    if name is None or (name not in value and shape.named_by == "default"):
        return None
    return _field(value, name)


def _secret_field(value: Mapping[str, object], shape: JsonFields) -> Sensitive | None:
    content = _optional_field(value, shape.secret, shape)
    return None if content is None else Sensitive(content)


def _claims(jwt: Sensitive) -> dict[str, object]:
    return _claims_of(jwt.reveal())


def _claims_of(token: str) -> dict[str, object]:
    """Return the claims of a token; empty if it is no JWT. Only the provider can check the signature (HS256)."""
    if not _JWT.fullmatch(token):
        return {}
    middle = token.split(".")[1]
    try:
        claims = json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
