"""Fake Pinata tokens with the claims of real ones: HS256, about 680 characters.

The key and the secret stand in clear in them. The claims follow published descriptions of Pinata's
JWTs: `scopedKeyKey` is the public key, there is no scope, no key name and no list id, and `exp`
(since 2025) or `iat` (2021 to 2023) but not both. The account is an invented one.
"""

import base64
import binascii
import hashlib
import hmac
import json

_HEADER = base64.urlsafe_b64encode(b'{"alg":"HS256","typ":"JWT"}').rstrip(b"=").decode()
_EMAIL = "sandbox@example.com"


def mint(key: str, secret: str, account_id: str, lifetime: dict[str, int], signing_key: bytes) -> str:
    """Sign a token that names `key`; `lifetime` is the claim `exp` or `iat`, in epoch seconds."""
    regions = [{"desiredReplicationCount": 1, "id": region} for region in ("FRA1", "NYC1")]
    claims: dict[str, object] = {
        "userInformation": {
            "id": account_id,
            "email": _EMAIL,
            "email_verified": True,
            "pin_policy": {"regions": regions, "version": 1},
            "mfa_enabled": False,
            "status": "ACTIVE",
        },
        "authenticationType": "scopedKey",
        "scopedKeyKey": key,
        "scopedKeySecret": secret,
    }
    claims |= lifetime
    signed = f"{_HEADER}.{_encode(json.dumps(claims, separators=(',', ':')).encode())}"
    signature = hmac.digest(signing_key, signed.encode(), hashlib.sha256)
    return f"{signed}.{_encode(signature)}"


def claims_of(token: str) -> dict[str, object]:
    """Decode the payload without checking the signature; empty if `token` is not a JWT at all."""
    parts = token.split(".")
    if len(parts) != 3:  # noqa: PLR2004 - header, payload, signature
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError):
        return {}
    return claims if isinstance(claims, dict) else {}


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
