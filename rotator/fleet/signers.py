"""Whether the key that signs the audit trail is one of those that are trusted. Pure, and changes nothing."""

from collections.abc import Iterator, Sequence
from datetime import datetime

from rotator.fleet.doctor import Finding
from rotator.model.signing import PinnedSigner
from rotator.model.times import relative_text, time_text

CHECK = "signer"
_COMMAND = "rotator config check"


def untrusted(fingerprint: str, pinned: Sequence[PinnedSigner], now: datetime) -> Iterator[Finding]:
    """Yield why seals of a key are not trusted; without any key that is named, each is."""
    if not pinned:
        return
    trusted = next((one for one in pinned if one.fingerprint == fingerprint), None)
    if trusted is None:
        what = f"the key of `[audit] sign`, {fingerprint}, is not one of `signers`"
        yield Finding(CHECK, None, what, "what it signs is not trusted; add it, or sign with another key", _COMMAND)
    elif trusted.until is not None and trusted.until <= now:
        what = f"the key of `[audit] sign`, {fingerprint}, was trusted until {time_text(trusted.until)}"
        why = f"that ended {relative_text(trusted.until, now)}; sign with the key that replaces it"
        yield Finding(CHECK, None, what, why, _COMMAND)
