"""The schema of events: what is written, read and checked."""

import json
from datetime import timedelta

import pytest

from rotator.audit.attestation import seal
from rotator.audit.chain import Chain
from rotator.audit.event import KNOWN_PATHS, REQUIRED_PATHS, StoredEvent, key_paths, parse, render
from rotator.audit.record import Entry, Position, Record, Recovered, Repaired, RunIdentity, Started
from rotator.model.errors import Remedy
from rotator.model.events import Decided, Ended, Failure, Operation, Result
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from tests.unit.audit.builders import (
    ARN,
    KEY,
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

LINE = chain_lines("run-7", [])[0]
CUT_SHORT = Recovered((("run-1.3", "Promote"),))
TORN = Repaired(17, "0" * 64, 4_711)
STARTED = Started("7:0123456789abcdef@0f1e2d3c4b5a")
FAILED = Ended(OutcomeKind.FAILED, None, "", "", (), Failure("StoreError", Remedy.PERSON, "why", "what"))


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
        (CUT_SHORT, 600399, 0, "Unknown", 3, "rotator"),
        (TORN, 600399, 99, "Repaired", 1, "rotator"),
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


@pytest.mark.parametrize("entry", [Started(), *a_rotation(), an_intent(Operation.LABEL), CUT_SHORT, TORN, FAILED])
def test_what_is_written_is_what_is_read(entry: Entry) -> None:
    """The record of an entry comes back from the line that was made of it."""
    position = Position(RunIdentity("run-7", "uploader", ARN), 3, 1_795_341_209_001, "run-7.2")
    record = Record.of(entry, position, WRITER)
    stored = parse(seal(render(record), None, "run-7"))
    assert stored
    assert stored.record == record


def test_the_known_fields_are_those_that_are_written() -> None:
    """All entries together have every known field, and each has the required ones."""
    found = [key_paths(json.loads(line)) for line in chain_lines("run-7", list(a_rotation()))]
    found += [key_paths(_stored(entry).event) for entry in (CUT_SHORT, TORN, FAILED, STARTED)]
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
    """Reading any line gives an event or none, and never an exception."""
    assert parse(line) is None
