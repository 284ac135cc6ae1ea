"""The usual line, read and checked in a fraction of the time, piece by piece.

What differs from run to run is cut out: its id, the time, and the attestation. What remains was mostly seen before, in
three pieces: the resources, `unmapped`, and the frame around them. A new piece is parsed and checked as a whole line
is, and what was found is remembered.

A line that cannot be cut so, or that has a piece with anything wrong in it, is left to `rotator.audit.event.parse` and
to every check of `rotator.audit.verify`. A line is called sound here only if those find nothing wrong with it by
itself, and it is read as they read it.
"""

import re
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from rotator.audit.attestation import TIME_MAX_MS, Head, Json, canonical, event_uid
from rotator.audit.event import KNOWN_PATHS, READ_FIELDS, REQUIRED_PATHS, Parts, decoded, key_paths, parts_of, record_of
from rotator.audit.record import Record
from rotator.model.secrecy import looks_secret

_LINE_MAX_BYTES = 4096
"""No usual line is longer; so what is remembered has a bound."""
_RUN_ID = re.compile("[0-9a-z-]{1,39}")
"""Too short for a secret, and without the capital letters of a shorter one."""
_NUMBERED = re.compile(r"1\.[0-9]{1,9}")
"""The id of an event or a call, in a run with the id 1."""
_ATTESTATION = re.compile(
    r'\{"chain_uid":"\n","fingerprint":\{"algorithm_id":3,"value":"([0-9a-f]{64})"\}'
    r'(?:,"prev_event":\{"fingerprint":\{"algorithm_id":3,"value":"([0-9a-f]{64})"\},'
    r'"type_uid":(0|[1-9][0-9]{0,8}),"uid":"\n(\.[0-9]{1,9})"\})?\}'
)
"""Without the id of its run, which comes first in it; and its own fingerprint, which comes next."""
_CHAIN_UID, _FINGERPRINT = '{"chain_uid":""', ',"fingerprint":{"algorithm_id":3,"value":""}'
_OWN = len(_FINGERPRINT) + 64
_ATTESTED = ("", ".chain_uid", ".fingerprint", ".fingerprint.algorithm_id", ".fingerprint.value")
"""What is below `unmapped.attestation_list` in all of that form."""
_GAPS: dict[str, tuple[tuple[str | int, ...], ...]] = {
    "": (
        ("api", "request", "uid"),
        ("metadata", "correlation_uid"),
        ("metadata", "uid"),
        ("resources",),
        ("time",),
        ("unmapped",),
    ),
    "resources": (),
    "unmapped": (("unmapped", "attestation_list", 0), ("unmapped", "revoked", 0)),
}
"""Where something was cut out, by piece: the frame, and what is below a key. A line break is left there. The last one
of `unmapped` is there only where keys were revoked."""
_REVOKED = re.compile(r'"revoked":\["[0-9a-z-]{1,39}(?:","[0-9a-z-]{1,39})*"\]')
"""Few runs revoke the same keys; and no verification goes by them."""
_TEXT = r'"([ !#-\[\]-~]*)"'
_RESOURCES = re.compile(
    rf'\[\{{"name":{_TEXT},"type":"secret","uid":{_TEXT}(?:,"version":{_TEXT})?\}}'
    rf'(?:,\{{"name":{_TEXT},"type":"pinata_api_key","uid":{_TEXT}\}})?\]'
)
"""Resources have versions and keys in them that few other lines have, so their usual form is known here, too."""
_CUT = r'"revoked":["\n"]'
_DIGEST = re.compile("[0-9a-f]{64}")
"""One in a piece may be a fingerprint, and whether that may stand there is not for a piece to tell."""


class SoundEvent(NamedTuple):
    """An event with which nothing is wrong by itself, as far as its place in the trail has to be judged."""

    head: Head
    prev_event: Json
    record: Record
    """What it says, as in a run with the id 1 that is about no secret and has revoked a key 1."""
    about: tuple[str, str]
    """The secret and its ARN."""
    call_uid: str


def read(line: bytes) -> SoundEvent | None:
    """Return the event on a usual line with which nothing is wrong by itself; None for any other line."""
    if len(line) > _LINE_MAX_BYTES or not line.endswith(b"}}\n") or line.find(b"\n") != len(line) - 1:
        return None
    try:
        return _read(line, line.decode("ascii"))
    except ValueError:
        return None


def _read(line: bytes, text: str) -> SoundEvent | None:
    front, _, rest = text.partition('"resources":')
    run_id = front.partition('"correlation_uid":"')[2].partition('"')[0]
    resources, _, rest = rest.partition(',"severity_id":')
    status, _, rest = rest.partition('"time":')
    time, _, rest = rest.partition(",")
    kind, _, rest = rest.partition('"unmapped":')
    start, _, rest = rest.partition('"attestation_list":[')
    attestation, _, end = rest.partition("]")
    if not _RUN_ID.fullmatch(run_id):
        return None
    attested = _ATTESTATION.fullmatch(attestation.replace(run_id, "\n"))
    front = front.replace(run_id, "\n")
    type_uid, record = _told(
        f'{front}"resources":\n,"severity_id":{status}"time":\n,{kind}"unmapped":\n}}',
        f'{{"unmapped":{start}"attestation_list":[\n]{_REVOKED.sub(_CUT, end[:-2], 1)}}}',
    )
    about, time_ms = _about(resources), int(time)
    if attested is None or record is None or about is None or str(time_ms) != time or not 0 <= time_ms <= TIME_MAX_MS:
        return None
    fingerprint, *before = attested.groups()
    at = len(line) - len(end) - len("]") - len(attestation) + len(_CHAIN_UID) + len(run_id)
    if sha256(line[:at] + line[at + _OWN : -1]).hexdigest() != fingerprint:
        return None
    head = Head(run_id, record.sequence, time_ms, type_uid, fingerprint)
    return SoundEvent(head, _reference(run_id, *before), record, about, run_id + record.call_uid[1:])


def _reference(run_id: str, fingerprint: str | None, type_uid: str, number: str) -> Json:
    if fingerprint is None:
        return None
    return {"fingerprint": {"algorithm_id": 3, "value": fingerprint}, "type_uid": int(type_uid), "uid": run_id + number}


@lru_cache(1024)
def _told(frame: str, unmapped: str) -> tuple[int, Record | None]:
    """Return the `type_uid` and the record of a frame and of `unmapped`, in a run with the id 1; None for none."""
    framed, inner = _frame(frame), _unmapped(unmapped)
    if framed is None or inner is None:
        return 0, None
    try:
        type_uid, record = record_of({part: {**framed.get(part, {}), **found} for part, found in inner.items()})
    except (ValueError, TypeError):
        return 0, None
    is_sound = (record.run_id, record.uid) == ("1", event_uid("1", record.sequence))
    is_sound = is_sound and all(_NUMBERED.fullmatch(uid) for uid in (record.uid, record.call_uid))
    return type_uid, record if is_sound else None


@lru_cache(512)
def _frame(text: str) -> Parts | None:
    return _sound(text, "")


@lru_cache(512)
def _unmapped(text: str) -> Parts | None:
    return _sound(text, "unmapped")


@lru_cache(4096)
def _about(resources: str) -> tuple[str, str] | None:
    usual = _RESOURCES.fullmatch(resources)
    if usual and not looks_secret(resources) and not _DIGEST.search(resources):
        return usual[1], usual[2]
    found = _sound(f'{{"resources":{resources}}}', "resources")
    return None if found is None else (found[""].get("secret", ""), found[""].get("arn", ""))


def _sound(piece: str, top: str) -> Parts | None:
    """Return what a record gets from a piece with 1 in each gap; None if anything is wrong with it."""
    text = piece.replace("\n", "1")
    try:
        event: Any = decoded(text)
        found, paths = parts_of(event, _FIELDS[top]), key_paths(event)
        for *parents, key in _GAPS[top][: piece.count("\n")]:
            inner = event
            for parent in parents:
                inner = inner[parent]
            inner[key] = 2 if inner[key] == 1 else "2" + inner[key].removeprefix("1")
        # The gaps are where they belong, and nowhere else, if 2 there gives the text with 2 in each gap.
        is_whole = canonical(event) == piece.replace("\n", "2").encode()
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None
    is_whole = is_whole and paths <= KNOWN_PATHS and _REQUIRED[top] <= paths
    return found if is_whole and not looks_secret(text) and not _DIGEST.search(text) else None


def _top(path: tuple[str, ...]) -> str:
    """Return which piece a path is in."""
    return path[0] if path[0] in _GAPS else ""


_FIELDS = {top: tuple(field for field in READ_FIELDS if _top((*field.parents, field.key)) == top) for top in _GAPS}
_REQUIRED = {
    top: {
        path
        for path in REQUIRED_PATHS - {"unmapped.attestation_list" + below for below in _ATTESTED}
        if _top(tuple(path.split("."))) == top
    }
    for top in _GAPS
}
