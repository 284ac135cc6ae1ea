"""Tokens as text: what people put around them, whether one is a JWT, and which key it names."""

import base64
import json
import re

from rotator.model.credential import Sensitive

BOM = "\ufeff"
"""The byte order mark, which some editors put before a text."""
_JWT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)
_NOT_IN_JWT = re.compile(r"[^A-Za-z0-9_.-]+", re.ASCII)
_VISIBLE = re.compile(r"[\x21-\x7e]+")
_TOKEN_MAX = 8192
_SCHEME = "bearer "
_OTHER_PARTS = {20: "the id of a key", 32: "the id of a key", 64: "the secret of a key"}
"""By their number of hexadecimal digits."""


def token_fault(token: Sensitive) -> str:
    """Say why a token cannot be sent in a header, as "ends with a newline"; empty if it can.

    All that was put around it is named: a text can begin with `Bearer ` and end with a newline.
    """
    text, faults = _peeled(token.reveal())
    if not text:
        return "is empty, or holds only what is put around one" if faults else "is empty"
    if len(text) > _TOKEN_MAX:
        faults.append(f"is too long: more than {_TOKEN_MAX} characters")
    elif len(text.split()) > 1:
        faults.append("holds white space inside")
    elif not _VISIBLE.fullmatch(text):
        faults.append("holds characters that no token has")
    return " and ".join(dict.fromkeys(faults))


def jwt_fault(token: Sensitive) -> str:
    """Say why a token is not a JWT, as "is not a JWT: ..."; empty if it is one."""
    text = token.reveal()
    if re.fullmatch(r"[0-9a-f]*", text) and len(text) in _OTHER_PARTS:
        return f"is not a JWT; it may be {_OTHER_PARTS[len(text)]}"
    if not _JWT.fullmatch(text):
        return "is not a JWT: that has three parts of letters, digits, `-` and `_`, with dots between"
    return "" if claims_of(token) else "is not a JWT: its middle part holds no JSON object"


def holds_jwt(text: Sensitive) -> bool:
    """Tell whether a text is a JWT, once what people put around one is taken off."""
    return _JWT.fullmatch(_peeled(text.reveal())[0]) is not None


def claims_of(token: Sensitive) -> dict[str, object]:
    """Return the claims of a token; empty if it is no JWT. Only the provider can check the signature (HS256)."""
    text = token.reveal()
    return _claims_in(text.split(".")[1]) if _JWT.fullmatch(text) else {}


def mentioned(text: Sensitive, key_ids: frozenset[str]) -> frozenset[str]:
    """Return which of some keys a value of whatever shape holds: in clear, or inside the claims of a token.

    It takes time in proportion to the length of the value, whatever it holds: a neighbour's value is anybody's text.
    """
    raw = text.reveal()
    claimed = {_claims_in(part).get("scopedKeyKey") for run in _NOT_IN_JWT.split(raw) for part in run.split(".")[1:-1]}
    return frozenset(key_id for key_id in key_ids if key_id in raw or key_id in claimed)


def _peeled(text: str) -> tuple[str, list[str]]:
    """Return a text without what people put around a token, and what that was."""
    faults: list[str] = []
    while True:
        text, fault = _without_one(text)
        if not fault:
            return text, faults
        faults.append(fault)


def _without_one(text: str) -> tuple[str, str]:
    """Take one layer off a text; return the rest, and what the layer was: empty if there is none."""
    if text.startswith(BOM):
        return text[len(BOM) :], "begins with a byte order mark"
    if text.endswith(("\n", "\r")):
        return text.rstrip("\r\n"), "ends with a newline (`echo` adds one, `printf %s` does not)"
    if text != text.strip():
        return text.strip(), "has white space around it"
    if text[: len(_SCHEME)].lower() == _SCHEME:
        return text[len(_SCHEME) :], "begins with `Bearer `, which belongs to the header"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`":
        return text[1:-1], "is in quotes"
    return text, ""


def _claims_in(part: str) -> dict[str, object]:
    """Return the JSON object that the middle part of a token encodes; empty if it is none."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
