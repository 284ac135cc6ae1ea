"""Signatures of the audit trail, as values: what is stored beside a line, who makes it, and which keys are trusted.

A key is called by its fingerprint, which is of the public key alone. Nothing here holds a private key, computes a
signature or checks one: that is in `rotator.audit.signers`, and in `rotator.aws.kms` for keys in AWS KMS.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

ED25519 = "ed25519"
ECDSA_P256 = "ecdsa-p256-sha256"


@dataclass(frozen=True, slots=True)
class Seal:
    """What is stored beside a line: a signature, and the public key that it fits."""

    algorithm: str
    """`ed25519` or `ecdsa-p256-sha256`."""
    public_key: str
    """Base64 of its DER SubjectPublicKeyInfo."""
    signature: str
    """Base64; of ECDSA the DER form."""


class Signer(Protocol):
    """Signs lines with one key. Safe for threads."""

    @property
    def fingerprint(self) -> str:
        """Return what the key is called. Raises SigningError if its place has to be asked first, and did not tell."""

    def sign(self, message: bytes) -> Seal:
        """Return the seal of a message. Raises SigningError, and nothing else."""


@dataclass(frozen=True, slots=True)
class PinnedSigner:
    """A key whose seals are trusted: for good, or for what was signed before a time."""

    fingerprint: str
    until: datetime | None = None


def fingerprint_of(der: bytes) -> str:
    """Return what a key is called, by the DER SubjectPublicKeyInfo of its public half."""
    return f"sha256:{hashlib.sha256(der).hexdigest()}"
