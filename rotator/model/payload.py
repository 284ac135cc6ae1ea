"""The value of a secret: finding the credential inside it, and composing the next value.

Pure text work. A value is either a JSON object with configured field names, whose other fields are carried over
untouched, or the bare token. What does not fit the configuration is refused, never reshaped.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import assert_never

from rotator.model.credential import Credential, Form, HeaderPair, Sensitive, Token
from rotator.model.errors import SecretValueError
from rotator.model.jwt import BOM, claims_of, holds_jwt, jwt_fault, token_fault
from rotator.model.near_fields import fields_line, near_fields
from rotator.model.secret import BareJwt, JsonFields, ValueShape
from rotator.model.splicing import spliced

_PAIR_KEY = re.compile(r"[0-9A-Fa-f]{20,40}", re.ASCII)
_PAIR_SECRET = re.compile(r"[0-9A-Fa-f]{64}", re.ASCII)
"""What a header pair consists of. Anything else in its fields is no credential, but perhaps a placeholder."""
KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
"""Live keys have 20 hexadecimal characters, documented examples 32; a key's secret has 64."""
_EXPIRY_MAX_S = 100_000_000_000
"""Later than any date that `datetime` knows of is no expiry (the year 5138)."""
VALUE_MAX_BYTES = 65_536
"""The limit of Secrets Manager (API reference, PutSecretValue)."""
TWO_KEYS = "the value names two different keys: its key field and its JWT do not belong together"
_SHORTEST_TOKEN = 100
_TYPICAL_LENGTHS = (1024, 20, 64)
"""Of a token, a key's id and its secret as Pinata makes them: what is assumed where the value holds none yet."""


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
    raw = _without_bom(text)
    match shape:
        case _ if not raw.strip():
            return Blank()
        case BareJwt():
            if raw.lstrip().startswith("{"):
                raise SecretValueError('the value is JSON, but `format = "jwt"` says it is the bare token')
            return credential(Sensitive(raw), key_id=None, secret=None)
        case JsonFields():
            return _read_fields(_json_object(text), shape)
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
            raise SecretValueError(TWO_KEYS)
        case other:
            assert_never(other)


def credential(jwt: Sensitive, *, key_id: str | None, secret: Sensitive | None) -> Credential:
    """Return the credential of a token that names one key only.

    The id of the key is the `scopedKeyKey` claim of the token (seen in every published description of it), or the field
    beside it. Two different ids in one value mean that somebody edited half of it. Raises SecretValueError if the token
    cannot be sent in a header, names no key, or another one than the field.
    """
    if fault := token_fault(jwt):
        raise SecretValueError(f"the token {fault}")
    claims = claims_of(jwt)
    claimed = claims.get("scopedKeyKey")
    found = key_id or claimed
    if not isinstance(found, str) or not KEY_ID.fullmatch(found):
        fault = jwt_fault(jwt) or "has no `scopedKeyKey` claim, as Pinata's have"
        why = "its key field holds something else" if key_id else f"its token {fault}"
        raise SecretValueError(f"the value names no key: {why}")
    if claimed is not None and claimed != found:
        raise SecretValueError(TWO_KEYS)
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
    others = (content for name, content in value.items() if name not in shape.names)
    has_other = any(isinstance(content, str) and holds_jwt(Sensitive(content)) for content in others)
    if not any(name in value for name in shape.names):
        raise SecretValueError(f"the value has no field `{shape.names[0]}`{_near_hint(value)}")
    jwt, key_id, secret = (_ours(value, name) for name in (shape.jwt, shape.key, shape.secret))
    token = Sensitive(jwt)
    has_pair = bool(_PAIR_KEY.fullmatch(key_id) and _PAIR_SECRET.fullmatch(secret))
    if not holds_jwt(token) and not has_pair and not has_other:
        return Blank()
    for name in (shape.jwt, *((shape.key, shape.secret) if shape.named_by == "config" else ())):
        if name is not None and name not in value:
            raise SecretValueError(f"the value has no field `{name}`{_near_hint(value)}")
    if not holds_jwt(token) and not has_pair:
        raise SecretValueError(f"the field `{shape.names[0]}` holds no credential, but another one does")
    pair = HeaderPair(key_id, Sensitive(secret))
    if not holds_jwt(token):
        damaged: tuple[Form, ...] = (Token(token),) if jwt and not token_fault(token) else ()
        return Credential(key_id, None, pair.secret, None, (*damaged, pair))
    claimed = claims_of(token).get("scopedKeyKey")
    held = credential(token, key_id=None if claimed else key_id or None, secret=None)
    if claimed and key_id != claimed and _PAIR_KEY.fullmatch(key_id):
        return TwoKeys(held)
    if not (key_id and secret):
        return held
    is_claimed = (key_id, secret) == (claimed, claims_of(token).get("scopedKeySecret"))
    return replace(held, secret=pair.secret, forms=held.forms if is_claimed else (*held.forms, pair))


def _ours(value: Mapping[str, object], name: str | None) -> str:
    """Return the text of a field of ours; empty if there is none, or none yet."""
    content = value.get(name) if name is not None else None
    if content is not None and not isinstance(content, str):
        raise SecretValueError(f"the field `{name}` of the value is not a text")
    return content or ""


def compose(new: Credential, shape: ValueShape, current: Sensitive | None, *, replacing: bool = False) -> Sensitive:
    """Return the value to store for a new credential, with everything else of the current value as it is.

    `replacing` is a person's consent to replace a current value that holds no credential of ours; what is not a JSON
    object then is not carried over. Raises SecretValueError if the new token is not a JWT, the current value is of
    another shape, or the new one too large.
    """
    if new.jwt is None or jwt_fault(new.jwt):
        raise SecretValueError("the new token is not a JWT; nothing was stored")
    match shape:
        case BareJwt():
            if current is not None and not replacing:
                read_value(current, shape)
            text = new.jwt.reveal()
        case JsonFields():
            raw, names = _kept(current, shape, replacing=replacing)
            secret = new.secret.reveal() if new.secret else None
            parts = {shape.jwt: new.jwt.reveal(), shape.key: new.key_id, shape.secret: secret}
            fields = {name: part for name in names if (part := parts[name]) is not None}
            if missing := names - fields.keys():
                raise SecretValueError(f"Pinata gave no value for the field `{min(missing)}`")
            text = spliced(raw, fields)
        case _:
            assert_never(shape)
    _check_size(text)
    return Sensitive(text)


def check_fits(shape: ValueShape, current: Sensitive | None, *, replacing: bool = False) -> None:
    """Check that a new credential as long as the one in the current value fits, before a key is made for it.

    A part that is too short to be a credential, such as a placeholder, counts as long as Pinata makes it. Raises
    SecretValueError if the new value would be larger than Secrets Manager takes, or the current one is of another
    shape.
    """
    if current is None or isinstance(shape, BareJwt):
        return
    raw, names = _kept(current, shape, replacing=replacing)
    value = json.loads(raw)
    parts: dict[str, str] = {}
    for name, typical in zip((shape.jwt, shape.key, shape.secret), _TYPICAL_LENGTHS, strict=True):
        if name in names:
            held = value.get(name)
            length = len(held) if isinstance(held, str) else 0
            parts[name] = "x" * (length if length >= min(typical, _SHORTEST_TOKEN) else typical)
    _check_size(spliced(raw, parts))


def _kept(current: Sensitive | None, shape: JsonFields, *, replacing: bool) -> tuple[str, frozenset[str]]:
    """Return the JSON object whose other fields stay, and the names of ours that are written into it.

    Default names that a credential lives without are left out; a placeholder gets them all.
    """
    every = frozenset(shape.names)
    try:
        found = read_value(current, shape) if current else Blank()
        value = _json_object(current) if current and _without_bom(current).strip() else None
    except SecretValueError:
        if not replacing:
            raise
        found, value = Blank(), _object_or_nothing(current) if current else None
    raw = _without_bom(current) if current and value is not None else "{}"
    return raw, every if value is None or isinstance(found, Blank) else every & value.keys()


def _object_or_nothing(text: Sensitive) -> Mapping[str, object] | None:
    try:
        return _json_object(text)
    except SecretValueError:
        return None


def _check_size(text: str) -> None:
    size = len(text.encode(errors="surrogatepass"))
    if size > VALUE_MAX_BYTES:
        raise SecretValueError(
            f"the new value would have {size} bytes, and Secrets Manager takes {VALUE_MAX_BYTES}",
            next_step="Move fields that are not the key's to another secret, then run `rotator plan`.",
        )


def shape_of(text: Sensitive) -> ValueShape | None:
    """Return the layout of a value whose token stands alone or in a field that is called likely; None if in neither."""
    try:
        value = _json_object(text)
    except SecretValueError:
        return BareJwt() if holds_jwt(text) else None
    return near_fields(value)


def managing_token(text: Sensitive) -> Sensitive:
    """Return the token in the managing key's secret: the bare token, or the field `JWT` of a JSON object.

    Raises SecretValueError if it is neither.
    """
    bare = _without_bom(text)
    if not bare.lstrip().startswith("{"):
        return Sensitive(bare)
    return Sensitive(_field(_json_object(text), "JWT"))


def _without_bom(text: Sensitive) -> str:
    """Return a value without the byte order mark that some editors put before it."""
    return text.reveal().removeprefix(BOM)


def _json_object(text: Sensitive) -> Mapping[str, object]:
    raw = _without_bom(text)
    if not raw.strip():
        raise SecretValueError("the value is empty")
    problem = None
    try:
        value = json.loads(raw, object_pairs_hook=_object)
    except _TwiceError:
        problem = "the value is JSON with a field that occurs twice"
    except ValueError:
        # Raised below, outside this block: the decoder's exception quotes the whole document.
        problem = "the value is not JSON" + _bare_hint(raw)
    except RecursionError:
        problem = "the value is nested too deeply"
    if problem:
        raise SecretValueError(problem)
    if not isinstance(value, dict):
        hint = _bare_hint(raw) if isinstance(value, str) else ""
        raise SecretValueError("the value is JSON, but not an object" + hint)
    return value


def _bare_hint(text: str) -> str:
    """Say what to do about a token that stands where JSON should; empty if it is not one."""
    token = Sensitive(text)
    if not holds_jwt(token):
        return ""
    fault = token_fault(token)
    mend = f", and mend the token, which {fault}" if fault else ""
    return f'; it looks like a bare token: set `format = "jwt"`{mend}'


class _TwiceError(ValueError):
    """A field that occurs twice: readers differ on which of the two counts."""


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    value = dict(pairs)
    if len(value) < len(pairs):
        raise _TwiceError
    return value


def _field(value: Mapping[str, object], name: str) -> str:
    if name not in value:
        raise SecretValueError(f"the value has no field `{name}`{_near_hint(value)}")
    content = value[name]
    if not isinstance(content, str) or not content:
        raise SecretValueError(f"the field `{name}` of the value is not a text, or empty")
    return content


def _near_hint(value: Mapping[str, object]) -> str:
    """Name the fields that nearly are what was looked for, and the line that makes them so; empty without any."""
    near = near_fields(value)
    if near is None:
        return ""
    names = ", ".join(f"`{name}`" for name in (near.jwt, near.key, near.secret) if name)
    return f"; it has {names}: in its entry of the configuration, set `{fields_line(near)}`"
