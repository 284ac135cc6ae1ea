"""What binds an event to its content and to the event before it.

The fingerprint is the SHA-256 of the event in its canonical form (RFC 8785, JCS) without the fingerprint itself, as the
`attestation` object of OCSF defines it; the reference to the previous event is inside, so that nothing can be cut out
of the middle. Object keys are ASCII, and the only values are text, integers, booleans and null: within these limits
Python's encoder gives exactly the canonical form, and no second implementation of it is needed.

No key is involved: anyone who may write the files can also compute a whole new chain. See `rotator.audit.verify`.
"""

import hashlib
import json
from typing import NamedTuple, TypeAlias

Json: TypeAlias = "str | int | bool | list[Json] | dict[str, Json] | None"
JsonObject: TypeAlias = dict[str, Json]

FIRST = 1
"""The sequence number of a chain's first event."""
TIME_MAX_MS = 253_402_300_799_999
"""The end of the year 9999."""
SHA_256 = 3
"""`algorithm_id` of SHA-256 in OCSF's `fingerprint` object."""
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


class Head(NamedTuple):
    """Where a chain stands: what its next event has to continue."""

    run_id: str
    sequence: int
    time_ms: int
    type_uid: int
    fingerprint: str

    def reference(self) -> JsonObject:
        """Return the `prev_event` object of the event that follows."""
        uid = event_uid(self.run_id, self.sequence)
        return {"uid": uid, "type_uid": self.type_uid, "fingerprint": _fingerprint(self.fingerprint)}


def event_uid(run_id: str, sequence: int) -> str:
    """Return the id of an event: unique, because a run's id is."""
    return f"{run_id}.{sequence}"


def canonical(event: JsonObject) -> bytes:
    """Return the canonical form of an event; ValueError if it has none: half a surrogate pair has no UTF-8 form."""
    return _ENCODER.encode(event).encode()


def seal(body: JsonObject, head: Head | None, run_id: str) -> bytes:
    """Return an event in canonical form, attested as the next one after `head` in a run's chain."""
    attested: JsonObject = {"chain_uid": run_id}
    if head is not None:
        attested["prev_event"] = head.reference()
    return sealed(_attested(body, attested))


def sealed(event: JsonObject) -> bytes:
    """Return the canonical form an event must have, with the fingerprint that belongs there.

    Raises ValueError if it has no attestation, or no canonical form.
    """
    match event:
        case {"unmapped": {"attestation_list": [dict() as attested]}}:
            bare = {key: value for key, value in attested.items() if key != "fingerprint"}
            digest = hashlib.sha256(canonical(_attested(event, bare))).hexdigest()
            return canonical(_attested(event, {**attested, "fingerprint": _fingerprint(digest)}))
        case _:
            raise ValueError("the event has no attestation")


def is_sealed(event: JsonObject, line: bytes) -> bool:
    """Tell whether a line is what `sealed` makes of the event on it, and raise as that does; in half the time."""
    match event:
        case {"unmapped": {"attestation_list": [{"fingerprint": {"value": str(value)}}]}}:
            own = b',"fingerprint":' + canonical(_fingerprint(value))
            # With one place for it, that is the attestation's own.
            bare = line.replace(own, b"") if line.count(own) == 1 else b""
            if hashlib.sha256(bare).hexdigest() == value and canonical(event) == line:
                return True
        case _:
            pass
    return sealed(event) == line


def attestation_of(event: JsonObject) -> tuple[Json, Json, Json]:
    """Return the chain, the fingerprint and the previous event of an attestation; None for what it lacks."""
    match event:
        case {"unmapped": {"attestation_list": [dict() as attested, *_]}}:
            fingerprint = attested.get("fingerprint")
            digest = fingerprint.get("value") if isinstance(fingerprint, dict) else None
            return attested.get("chain_uid"), digest, attested.get("prev_event")
        case _:
            return None, None, None


def _attested(event: JsonObject, attested: JsonObject) -> JsonObject:
    unmapped = event["unmapped"]
    inner = unmapped if isinstance(unmapped, dict) else {}
    return {**event, "unmapped": {**inner, "attestation_list": [attested]}}


def _fingerprint(digest: str) -> JsonObject:
    return {"algorithm_id": SHA_256, "value": digest}
