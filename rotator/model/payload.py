"""The value of a secret: finding the credential inside it, and composing the next value.

Pure text work. A value is either a JSON object with configured field names, whose other fields are carried over
untouched, or the bare token. What does not fit the configuration is refused, never reshaped.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import assert_never

from rotator.model.credential import Credential, Sensitive
from rotator.model.errors import SecretValueError
from rotator.model.jwt import BOM, claims_of, holds_jwt, jwt_fault, token_fault
from rotator.model.near_fields import fields_line, near_fields
from rotator.model.secret import BareJwt, JsonFields, ValueShape
from rotator.model.splicing import spliced

KEY_ID = re.compile(r"[A-Za-z0-9_-]{1,40}", re.ASCII)
"""Live keys have 20 hexadecimal characters, documented examples 32; a key's secret has 64."""
_EXPIRY_MAX_S = 100_000_000_000
"""Later than any date that `datetime` knows of is no expiry (the year 5138)."""
VALUE_MAX_BYTES = 65_536
"""The limit of Secrets Manager (API reference, PutSecretValue)."""
_SHORTEST_TOKEN = 100
_TYPICAL_LENGTHS = (1024, 20, 64)
"""Of a token, a key's id and its secret as Pinata makes them: what is assumed where the value holds none yet."""


def credential_in(text: Sensitive, shape: ValueShape) -> Credential:
    """Return the credential that a stored value holds.

    Raises SecretValueError if the value is empty, of another shape, or holds no usable key.
    """
    match shape:
        case BareJwt():
            bare = _without_bom(text)
            if bare.lstrip().startswith("{"):
                raise SecretValueError('the value is JSON, but `format = "jwt"` says it is the bare token')
            return credential(Sensitive(bare), key_id=None, secret=None)
        case JsonFields():
            value = _json_object(text)
            return credential(
                Sensitive(_field(value, shape.jwt)),
                key_id=_optional_field(value, shape.key, shape),
                secret=_secret_field(value, shape),
            )
        case _:
            assert_never(shape)


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
        raise SecretValueError("the value names two different keys: its key field and its JWT do not belong together")
    expires = claims.get("exp")
    if not isinstance(expires, int | float) or not 0 < expires < _EXPIRY_MAX_S:
        return Credential(found, jwt, secret, None)
    return Credential(found, jwt, secret, datetime.fromtimestamp(expires, UTC))


def compose(new: Credential, shape: ValueShape, current: Sensitive | None) -> Sensitive:
    """Return the value to store for a new credential, with everything else of the current value as it is.

    Raises SecretValueError if the new token is not a JWT, the current value is of another shape, or the new one too
    large.
    """
    if jwt_fault(new.jwt):
        raise SecretValueError("the new token is not a JWT; nothing was stored")
    match shape:
        case BareJwt():
            if current is not None:
                credential_in(current, shape)
            text = new.jwt.reveal()
        case JsonFields():
            value = _json_object(current) if current is not None else None
            parts: dict[str, str] = {}
            for name, content in (
                (shape.jwt, new.jwt.reveal()),
                (shape.key, new.key_id),
                (shape.secret, new.secret.reveal() if new.secret else None),
            ):
                if name is None or (value is not None and name not in value):
                    continue
                if content is None:
                    raise SecretValueError(f"Pinata gave no value for the field `{name}`")
                parts[name] = content
            text = spliced(_without_bom(current), parts) if current is not None else json.dumps(parts)
        case _:
            assert_never(shape)
    _check_size(text)
    return Sensitive(text)


def check_fits(shape: ValueShape, current: Sensitive | None) -> None:
    """Check that a new credential as long as the one in the current value fits, before a key is made for it.

    A part that is too short to be a credential, such as a placeholder, counts as long as Pinata makes it. Raises
    SecretValueError if the new value would be larger than Secrets Manager takes, or the current one is of another
    shape.
    """
    if current is None or isinstance(shape, BareJwt):
        return
    value = _json_object(current)
    parts: dict[str, str] = {}
    for name, typical in zip((shape.jwt, shape.key, shape.secret), _TYPICAL_LENGTHS, strict=True):
        if name is not None and name in value:
            held = value[name]
            length = len(held) if isinstance(held, str) else 0
            parts[name] = "x" * (length if length >= min(typical, _SHORTEST_TOKEN) else typical)
    _check_size(spliced(_without_bom(current), parts))


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


def _optional_field(value: Mapping[str, object], name: str | None, shape: JsonFields) -> str | None:
    if name is None or (name not in value and shape.named_by == "default"):
        return None
    return _field(value, name)


def _secret_field(value: Mapping[str, object], shape: JsonFields) -> Sensitive | None:
    content = _optional_field(value, shape.secret, shape)
    return None if content is None else Sensitive(content)
