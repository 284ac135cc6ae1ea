"""The ledger of a place: which runs ended there that did something, in one chain, so that no whole run can go missing.

A place is an audit directory, or a bucket and prefix. When such a run has ended, an entry is added for it: the next
number, the run and the fingerprint of its last event, and the hash of the entry before. The fingerprint covers the run,
and the hash covers every entry before, so the newest entry stands for all. Its number and the first digits of its hash
are the head of the place: `1184:9f3c2a1b00c4d7e8`.

An entry may be signed. A signature covers every entry before it, too: a run that was listed while signing failed is
sealed by the next one.

The ledger alone does not show that its newest entries were taken away together with their runs. Keep a head elsewhere.
"""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from rotator.audit.attestation import TIME_MAX_MS, JsonObject, canonical
from rotator.model.signing import Seal

DIGITS = 16
"""Of a hash, in a head."""
ENTRY_MAX_BYTES = 16_384
_FORMAT = 1
_DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Listing:
    """A run that ended, as it is to be listed."""

    run_id: str
    secret: str
    sequence: int
    """Of its last event."""
    fingerprint: str
    """Of its last event, in hex."""
    time_ms: int


@dataclass(frozen=True, slots=True)
class Torn:
    """What was left above an entry by a write that was cut off."""

    length: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry."""

    place: str
    """A random id of the place, made with its first entry."""
    number: int
    """From 1 on, without a gap."""
    prev: str
    """The hash of the entry before; empty for the first."""
    listing: Listing
    torn: Torn | None = None
    seal: Seal | None = None

    @property
    def message(self) -> bytes:
        """What is hashed and signed: all but the signature."""
        return canonical(self._body())

    def _body(self) -> JsonObject:
        run = self.listing
        body: JsonObject = {
            "format": _FORMAT,
            "place": self.place,
            "number": self.number,
            "prev": self.prev,
            "run_id": run.run_id,
            "secret": run.secret,
            "sequence": run.sequence,
            "fingerprint": run.fingerprint,
            "time": run.time_ms,
        }
        if self.torn:
            body["torn"] = {"length": self.torn.length, "sha256": self.torn.sha256}
        return body

    @property
    def hash(self) -> str:
        """The SHA-256 of its message, in hex."""
        return hashlib.sha256(self.message).hexdigest()

    @property
    def head(self) -> str:
        """Its number and the first digits of its hash, as people compare them."""
        return f"{self.number}:{self.hash[:DIGITS]}"

    def line(self) -> bytes:
        """Return the line that is stored."""
        stored: JsonObject = {**self._body(), "hash": self.hash}
        if self.seal is not None:
            stored["seal"] = {
                "algorithm": self.seal.algorithm,
                "public_key": self.seal.public_key,
                "signature": self.seal.signature,
            }
        return canonical(stored) + b"\n"

    def next(self, listing: Listing) -> "Entry":
        """Return the entry that follows."""
        return Entry(self.place, self.number + 1, self.hash, listing)


Sealed = Callable[[Entry], Entry]
"""Returns an entry with its signature; or as it is, where signing failed or is not configured."""


def first(place: str, listing: Listing) -> Entry:
    """Return the first entry of a place."""
    return Entry(place, 1, "", listing)


def parse_entry(line: bytes) -> Entry | None:
    """Return the entry on a line; None if there is none, or if it is not as it was written."""
    try:
        stored = json.loads(line)
        entry = _entry(stored)
        return entry if entry.line() == line else None
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _entry(stored: JsonObject) -> Entry:
    match stored:
        case {
            "format": int(),
            "place": str(place),
            "number": int(number),
            "prev": str(prev),
            "run_id": str(run_id),
            "secret": str(secret),
            "sequence": int(sequence),
            "fingerprint": str(fingerprint),
            "time": int(time_ms),
        } if _DIGEST.fullmatch(fingerprint) and 0 <= time_ms <= TIME_MAX_MS:
            entry = Entry(place, number, prev, Listing(run_id, secret, sequence, fingerprint, time_ms))
        case _:
            raise ValueError("not an entry")
    match stored.get("torn"):
        case {"length": int(length), "sha256": str(sha256)}:
            entry = replace(entry, torn=Torn(length, sha256))
        case _:
            pass
    match stored.get("seal"):
        case {"algorithm": str(algorithm), "public_key": str(public_key), "signature": str(signature)}:
            entry = replace(entry, seal=Seal(algorithm, public_key, signature))
        case _:
            pass
    return entry
