"""What signing and checking compute, over the package `cryptography`: an extra, so import this where it is needed only.

Keys and signatures as bytes, in and out. No file is touched and no key trusted here; what does not fit is a ValueError
that quotes nothing, and no exception of the library comes out.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

from rotator.model import signing
from rotator.model.credential import Sensitive

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey


def new_key() -> tuple[Sensitive, bytes]:
    """Return a new Ed25519 key: its PEM (PKCS8), and its public half."""
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return Sensitive(pem.decode()), public_half(key)


def private_key(pem: Sensitive) -> Ed25519PrivateKey:
    """Read an Ed25519 key. Raises ValueError, which completes "the key ...", if it is none."""
    problem = "holds no private key in PEM (PKCS8)"
    try:
        key = load_pem_private_key(pem.reveal().encode(), None)
    except TypeError:
        problem = "is encrypted, and rotator has no passphrase for it"
    except (ValueError, UnsupportedAlgorithm):
        pass
    else:
        if isinstance(key, Ed25519PrivateKey):
            return key
        problem = "is not an Ed25519 key"
    raise ValueError(problem)


def public_half(key: Ed25519PrivateKey) -> bytes:
    """Return the DER SubjectPublicKeyInfo that belongs to a private key."""
    return _der(key.public_key())


def check(algorithm: str, der: bytes, signature: bytes, message: bytes) -> None:
    """Check a signature. Raises ValueError, which completes "its ...", if it does not fit or is not understood.

    Of each public key one spelling is understood: another would have another fingerprint.
    """
    key = _public_key(der)
    try:
        match algorithm, key:
            case signing.ED25519, Ed25519PublicKey():
                key.verify(signature, message)
            case signing.ECDSA_P256, EllipticCurvePublicKey(curve=SECP256R1()):
                key.verify(signature, message, ECDSA(SHA256()))
            case _:
                raise ValueError("public key is not one of its algorithm")
    except InvalidSignature:
        is_genuine = False
    else:
        is_genuine = True
    if not is_genuine:
        raise ValueError("signature does not fit")


def _public_key(der: bytes) -> PublicKey | None:
    try:
        key = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, PublicKey) and _der(key) == der else None


def _der(key: PublicKey) -> bytes:
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
