"""Events: their shape, their bytes, and what keeps them free of secret material."""

import hashlib
import json
from datetime import timedelta

import pytest

from rotator.audit.attestation import canonical
from rotator.audit.chain import Chain
from rotator.audit.event import KNOWN_PATHS, REQUIRED_PATHS, StoredEvent, key_paths, parse
from rotator.audit.record import Entry, Record, Recovered, Repaired, RunIdentity, Started
from rotator.audit.redaction import REMOVED, TEXT_MAX
from rotator.model.errors import Remedy
from rotator.model.events import Decided, Ended, Event, Failure, Operation, Result
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from tests.unit.audit.builders import (
    ARN,
    KEY,
    KEY_NAME,
    START,
    VERSION,
    WRITER,
    Lines,
    TickingClock,
    a_rotation,
    an_end,
    an_intent,
    an_outcome,
    chain_lines,
)

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzY29wZWRLZXlLZXkiOiJhIn0.c2lnbmF0dXJl-_"
API_SECRET = "9b" * 32

INTENT = (
    b'{"activity_id":1,"activity_name":"Create","actor":{"app_name":"rotator","app_uid":"cli",'
    b'"user":{"uid":"arn:aws:sts::111122223333:assumed-role/rotator/ci"}},"api":{"operation":'
    b'"CreateApiKey","request":{"uid":"run-7.2"},"service":{"name":"pinata"}},"category_uid":6,'
    b'"class_uid":6003,"metadata":{"correlation_uid":"run-7","log_name":"rotation-audit","product":'
    b'{"name":"rotator","version":"1.2.3"},"sequence":2,"uid":"run-7.2","version":"1.8.0"},'
    b'"resources":[{"name":"uploader","type":"secret","uid":"' + ARN.encode() + b'","version":"'
    b'g000012-20261122T095328Z-9f3c1a2b4d"},{"name":"' + KEY_NAME.encode() + b'","type":'
    b'"pinata_api_key","uid":""}],"severity_id":1,"src_endpoint":{"hostname":"runner-1"},"status":'
    b'"Intent","status_detail":"","status_id":99,"time":1795341210000,"type_uid":600301,"unmapped":'
    b'{"attestation_list":[{"chain_uid":"run-7",%s"prev_event":{"fingerprint":{"algorithm_id":3,'
    b'"value":"%s"},"type_uid":600399,"uid":"run-7.1"}}],"kind":"intent","label":""}}'
)
"""The second event of a run, with room for its own fingerprint and that of the first."""

LINE = chain_lines("run-7", [])[0]


def _stored(entry: Entry) -> StoredEvent:
    sink = Lines()
    secret, arn = ("", "") if isinstance(entry, Repaired) else ("uploader", ARN)
    Chain(RunIdentity("run-7", secret, arn), WRITER, sink, TickingClock()).add(entry)
    stored = parse(sink.written[0])
    assert stored
    return stored


def _record(line: bytes) -> Record:
    stored = parse(line)
    assert stored
    return stored.record


def test_an_event_has_exactly_these_bytes() -> None:
    """A second event, its link and its fingerprint are the pinned bytes."""
    first, second = chain_lines("run-7", [an_intent()])
    before = json.loads(first)["unmapped"]["attestation_list"][0]["fingerprint"]["value"].encode()

    unsigned = INTENT % (b"", before)
    own = hashlib.sha256(unsigned).hexdigest().encode()

    assert second == INTENT % (b'"fingerprint":{"algorithm_id":3,"value":"%s"},' % own, before) + b"\n"
    assert own == b"1c584e813901218dca3e304f0813f5e60c93edb4fe735515f24a36ae7c1e6849"


def test_a_start_has_exactly_this_fingerprint() -> None:
    """The first event of a run refers to none, and its fingerprint is the pinned one."""
    (line,) = chain_lines("run-7", [])
    (attestation,) = json.loads(line)["unmapped"]["attestation_list"]
    assert attestation == {
        "chain_uid": "run-7",
        "fingerprint": {"algorithm_id": 3, "value": "26c7d78481d5f5bfca66856fd7ced00c8e0ba22c5ef0a97f76bb3244d128aa67"},
    }


def test_the_canonical_form_is_that_of_rfc_8785() -> None:
    """Keys are sorted, control characters escaped the short way, all else is as it is."""
    event = canonical({"b": [True, None, -1, 0], "a": {}, "A": '\b\t\n\f\r\x1f"\\/\x7f€\u2028😀'})
    assert event == (
        b'{"A":"\\b\\t\\n\\f\\r\\u001f\\"\\\\/\x7f' + "€\u2028😀".encode() + b'","a":{},"b":[true,null,-1,0]}'
    )


@pytest.mark.parametrize(
    ("entry", "type_uid", "status_id", "status", "severity_id", "service"),
    [
        (Started(), 600399, 99, "Started", 1, "rotator"),
        (Decided(Reason.UP_TO_DATE, (), 3), 600399, 99, "Decided", 1, "rotator"),
        (an_intent(Operation.CREATE_KEY), 600301, 99, "Intent", 1, "pinata"),
        (an_intent(Operation.PUT_PENDING), 600303, 99, "Intent", 1, "secretsmanager"),
        (an_intent(Operation.VERIFY_KEY), 600302, 99, "Intent", 1, "pinata"),
        (an_intent(Operation.PROMOTE), 600303, 99, "Intent", 1, "secretsmanager"),
        (an_intent(Operation.UNLABEL), 600303, 99, "Intent", 1, "secretsmanager"),
        (an_intent(Operation.REVOKE_KEY), 600304, 99, "Intent", 1, "pinata"),
        (an_intent(Operation.PROVE_DEAD), 600302, 99, "Intent", 1, "pinata"),
        (an_outcome(), 600301, 1, "Success", 1, "pinata"),
        (an_outcome(result=Result.FAILURE), 600301, 2, "Failure", 3, "pinata"),
        (an_outcome(result=Result.UNKNOWN), 600301, 0, "Unknown", 3, "pinata"),
        (an_end(OutcomeKind.ROTATED), 600399, 1, "Success", 1, "rotator"),
        (an_end(OutcomeKind.UP_TO_DATE), 600399, 1, "Success", 1, "rotator"),
        (an_end(OutcomeKind.WAITING), 600399, 99, "Waiting", 1, "rotator"),
        (an_end(OutcomeKind.HELD), 600399, 99, "Held", 3, "rotator"),
        (an_end(OutcomeKind.FAILED), 600399, 2, "Failure", 3, "rotator"),
        (Recovered("run-1.3", "Promote"), 600399, 0, "Unknown", 3, "rotator"),
        (Repaired(17, "0" * 64), 600399, 99, "Repaired", 1, "rotator"),
    ],
)
def test_each_entry_has_its_place_in_ocsf(  # noqa: PLR0913, PLR0917 - the columns of a table
    entry: Entry, type_uid: int, status_id: int, status: str, severity_id: int, service: str
) -> None:
    """Activity, status, severity and service say what kind of step an event is."""
    event = _stored(entry).event
    assert event["type_uid"] == type_uid
    assert event["activity_id"] == type_uid - 600300
    assert (event["status_id"], event["status"]) == (status_id, status)
    assert event["severity_id"] == severity_id
    assert isinstance(event["api"], dict)
    assert event["api"]["service"] == {"name": service}


def test_the_known_fields_are_those_that_are_written() -> None:
    """All entries together have every known field, and each has the required ones."""
    failed = Ended(OutcomeKind.FAILED, None, "", "", (), Failure("StoreError", Remedy.PERSON, "why", "what"))
    entries = (Recovered("run-1.3", "Promote"), Repaired(17, "0" * 64), failed)
    found = [key_paths(json.loads(line)) for line in chain_lines("run-7", list(a_rotation()))]
    found += [key_paths(_stored(entry).event) for entry in entries]
    assert set().union(*found) == KNOWN_PATHS
    assert frozenset.intersection(*map(frozenset, found)) == REQUIRED_PATHS


def test_an_event_is_read_as_it_was_meant() -> None:
    """Secret, key, version, decision and outcome come back from the stored form."""
    records = [_record(line) for line in chain_lines("run-7", list(a_rotation()))]
    started, decided, intent, done, *_, ended = records
    assert (started.secret, started.arn) == ("uploader", ARN)
    assert started.time == START + timedelta(seconds=1)
    assert {record.writer for record in records} == {WRITER}
    assert decided.actions == ("Create", "Verify", "Promote")
    assert (decided.reason, decided.generation) == ("AGED_OUT", 11)
    assert intent.operation == "CreateApiKey"
    assert done.subject.key_id == KEY
    assert (done.subject.version_id, done.result) == (VERSION, "success")
    assert (ended.result, ended.revoked) == ("rotated", ("old-key",))


def test_an_outcome_names_the_call_of_its_intent() -> None:
    """Intent and outcome share `api.request.uid`; a second call, or outcome, has its own."""
    events: list[Event] = [an_intent(), an_outcome(), an_intent(), an_outcome(), an_outcome()]
    stored = [parse(line) for line in chain_lines("run-7", events)]
    ids = [s and s.record.call_uid for s in stored[1:]]
    assert ids == ["run-7.2", "run-7.2", "run-7.4", "run-7.4", "run-7.6"]


def test_time_never_goes_back_within_a_run() -> None:
    """An event after a clock that was set back carries the time of the one before it."""
    clock, sink = TickingClock(), Lines()
    chain = Chain(RunIdentity("run-7", "uploader", ARN), WRITER, sink, clock)
    chain.add(Started())
    clock.now = START - timedelta(hours=1)
    chain.add(an_intent())
    first, second = (json.loads(line)["time"] for line in sink.written)
    assert first == second


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"refused: Bearer {JWT}", f"refused: Bearer {REMOVED}"),
        (f"refused: {JWT[:30]}", f"refused: {REMOVED}"),
        (f"secret={API_SECRET};", f"secret={REMOVED};"),
        (f"x{API_SECRET.upper()}{API_SECRET}", f"x{REMOVED}"),
        ("half a pair \ud83d", "half a pair ?"),
        ("secretsmanager.eu-central-1.amazonaws.com", "secretsmanager.eu-central-1.amazonaws.com"),
        ("-" * 3000, "-" * TEXT_MAX),
    ],
    ids=["token", "half-token", "secret", "long-hex", "surrogate", "host", "long"],
)
def test_no_text_carries_secret_material(text: str, kept: str) -> None:
    """What looks like a token or an API secret is replaced before it is hashed; the rest stays."""
    assert _stored(an_outcome(detail=text)).record.detail == kept
    ended = Ended(OutcomeKind.FAILED, None, "", "", (text,), Failure("StoreError", Remedy.PERSON, text, text))
    record = _stored(ended).record
    assert record.revoked == (kept,)
    assert record.failure == Failure("StoreError", Remedy.PERSON, kept, kept)


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"{}\n",
        b"[]\n",
        b"null\n",
        b"\xff\n",
        b"\0" * 100,
        b"[" * 100_000,
        LINE.replace(b'"severity_id":1', b'"severity_id":1.0'),
        LINE.replace(b'"severity_id":1', b'"severity_id":NaN'),
        b"9" * 5000,
        LINE.replace(b"1795341209000", b"9999999999999999"),
        LINE.replace(b'"started"', b'"stopped"'),
        LINE.replace(b'"sequence":1', b'"sequence":true'),
    ],
    ids=[
        "empty",
        "object",
        "list",
        "null",
        "not-utf-8",
        "zeros",
        "deep",
        "float",
        "nan",
        "huge",
        "time",
        "kind",
        "sequence",
    ],
)
def test_what_is_no_event_is_none(line: bytes) -> None:
    """Whatever stands on a line, reading it gives an event or none, and never an exception."""
    assert parse(line) is None
