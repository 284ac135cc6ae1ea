"""Signatures of the audit trail: keys in files, made and read, and the check of any seal.

A key file is Ed25519 in PEM (PKCS8), for its owner alone. Seals of both algorithms are checked here, without asking
AWS KMS. All of it needs an extra, the package `cryptography`; without it nothing is signed by a key in a file, and no
seal counts as checked.

A private key is in `Sensitive` or inside the library, and in no message. Which keys are trusted is not decided here.
"""

import base64
import os
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Self

from rotator.model.credential import Sensitive
from rotator.model.errors import INSTALL_SIGN, ConfigError, SealsUncheckedError, SigningError
from rotator.model.signing import ECDSA_P256, ED25519, PinnedSigner, Seal, Signer, fingerprint_of

if TYPE_CHECKING:
    from types import ModuleType

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

__all__ = ["FileSigner", "PinnedSigner", "Seal", "SealError", "Signer", "fingerprint_of", "make_key", "verify"]

KEY_BYTES_MAX = 4096
"""A key file has about 120 bytes."""
_OTHERS = 0o077
_MISSING = "the package `cryptography` is not installed"


class SealError(ValueError):
    """A seal does not fit its message, or is not understood."""


@dataclass(frozen=True, slots=True)
class FileSigner:
    """Signs with a key that was read from a file."""

    fingerprint: str
    _public_key: str
    _key: "Ed25519PrivateKey" = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Return the signer of a key file.

        Raises SigningError if the file cannot be used, or `cryptography` is missing.
        """
        text = _text_of(path)
        signatures = _signatures()
        if signatures is None:
            raise SigningError(f"the signing key {path} cannot be used: {_MISSING}", next_step=INSTALL_SIGN)
        try:
            key = signatures.private_key(text)
        except ValueError as error:
            problem = str(error)
        else:
            der = signatures.public_half(key)
            return cls(fingerprint_of(der), _base64(der), key)
        raise _unusable(path, problem)

    def sign(self, message: bytes) -> Seal:
        """Return the seal of a message."""
        return Seal(ED25519, self._public_key, _base64(self._key.sign(message)))


def make_key(path: Path) -> str:
    """Write a new private key to a file that is not there yet, for its owner alone; return its fingerprint.

    Raises ConfigError if it cannot be written, or `cryptography` is missing.
    """
    signatures = _signatures()
    if signatures is None:
        raise ConfigError(f"no key was made: {_MISSING}", next_step=INSTALL_SIGN)
    pem, der = signatures.new_key()
    if problem := _written(path, pem):
        raise ConfigError(f"no key was made: {path} {problem}", next_step="Name another file.")
    return fingerprint_of(der)


def verify(seal: Seal, message: bytes) -> str:
    """Return the fingerprint of the key that signed a message; whether it is trusted is for the caller to find.

    Raises SealError if the signature does not fit, or the key or the algorithm is not understood. Raises
    SealsUncheckedError if `cryptography` is missing: then it is not known whether the seal is good.
    """
    if seal.algorithm not in {ED25519, ECDSA_P256}:
        raise SealError("its algorithm is not known here")
    der, signature = _bytes_of(seal.public_key, "public key"), _bytes_of(seal.signature, "signature")
    signatures = _signatures()
    if signatures is None:
        raise SealsUncheckedError(f"seals were not checked: {_MISSING}")
    try:
        signatures.check(seal.algorithm, der, signature, message)
    except ValueError as error:
        problem = str(error)
    else:
        return fingerprint_of(der)
    raise SealError(f"its {problem}")


def _signatures() -> "ModuleType | None":
    """Return the module that computes; None if `cryptography` is not installed."""
    try:
        from rotator.audit import signatures  # noqa: PLC0415 - it needs an extra that may be missing, and is slow to import
    except ImportError:
        return None
    return signatures


def _text_of(path: Path) -> Sensitive:
    """Return what a key file holds. Raises SigningError if it is not a small file that its owner alone can use."""
    try:
        # A pipe is not waited for.
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                problem = "is not a regular file"
            elif status.st_mode & _OTHERS:
                problem = "can be used by others; run `chmod 600` on it, or make a new key if they may have read it"
            elif status.st_size > KEY_BYTES_MAX:
                problem = f"is larger than {KEY_BYTES_MAX} bytes"
            else:
                return Sensitive(os.read(descriptor, KEY_BYTES_MAX).decode("ascii", "replace"))
        finally:
            os.close(descriptor)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
        if path.is_symlink():
            problem = "is a symbolic link; name the file itself"
    raise _unusable(path, problem)


def _unusable(path: Path, problem: str) -> SigningError:
    return SigningError(f"the signing key {path} {problem}")


def _written(path: Path, pem: Sensitive) -> str:
    """Write a key file durably; return what went wrong. What this began to write is taken away then."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return "is there already, and was left as it is"
    except OSError as error:
        return f"cannot be written: {error.strerror}"
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
            os.fchmod(descriptor, 0o600)  # whatever the umask is
            file.write(pem.reveal().encode())
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        with suppress(OSError):
            path.unlink()
        return f"cannot be written: {error.strerror}"
    return ""


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _bytes_of(text: str, what: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        pass
    raise SealError(f"its {what} is not base64")
