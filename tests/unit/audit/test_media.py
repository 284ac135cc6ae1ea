"""What holds for a trail wherever it lies: the same assertions over a directory and a bucket."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from rotator.audit.attestation import JsonObject, sealed
from rotator.audit.record import EventKind
from rotator.audit.sources import Criteria
from rotator.audit.verify import Flaw, Verdict
from rotator.model.events import Operation
from rotator.model.plan import OutcomeKind
from tests.unit.audit.builders import ARN, KEY, a_rotation, an_end, an_intent, an_outcome, record_rotation
from tests.unit.audit.media import InBucket, Medium

EVENTS = 1 + len(list(a_rotation()))
LONG = timedelta(hours=1)


def _found(medium: Medium) -> list[tuple[Flaw, int | None]]:
    return [(found.flaw, found.sequence) for found in medium.source.verify().findings]


def _rotation(medium: Medium) -> list[tuple[str, int]]:
    """Record a rotation, and return the places of its lines."""
    with medium.trail() as trail:
        record_rotation(trail)
    return list(medium.lines())


def test_an_honest_trail_is_intact(medium: Medium) -> None:
    """What was recorded verifies, is counted, and is found again in its order."""
    with medium.trail() as trail:
        ids = [record_rotation(trail, secret) for secret in ("one", "two", "one")]
    report = medium.source.verify()
    assert report.findings == []
    assert (report.verdict, report.runs, report.events) == (Verdict.INTACT, 3, 3 * EVENTS)
    records = list(medium.source.records(Criteria()))
    assert [r.run_id for r in records] == [run_id for run_id in ids for _ in range(EVENTS)]
    assert [r.sequence for r in records] == 3 * list(range(1, EVENTS + 1))


def test_an_event_is_there_before_its_effect(medium: Medium) -> None:
    """Each event can be read by others as soon as it was recorded, and is not a finding."""
    with medium.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        kinds = [r.kind for r in medium.source.records(Criteria())]
        assert kinds == [EventKind.STARTED, EventKind.INTENT]
        report = medium.source.verify()
        assert (report.verdict, report.in_progress) == (Verdict.INTACT, 1)
        run.record(an_outcome())
        run.record(an_end())


def test_every_line_is_canonical(medium: Medium) -> None:
    """An event is one line of canonical JSON with its attestation, wherever it lies."""
    _rotation(medium)
    for line in medium.lines().values():
        assert sealed(json.loads(line)) + b"\n" == line


def test_a_query_finds_by_each_criterion(medium: Medium) -> None:
    """Secret, run, key and time each narrow what is found, alone and together."""
    medium.clock.now -= 2 * LONG  # no event is later than its medium
    with medium.trail() as trail:
        first = record_rotation(trail, "one")
        medium.clock.now += LONG
        record_rotation(trail, "two")

    def query(criteria: Criteria) -> list[str]:
        return [record.secret for record in medium.source.records(criteria)]

    records = list(medium.source.records(Criteria()))
    middle = records[EVENTS].time
    assert query(Criteria(secret="one")) == ["one"] * EVENTS
    assert query(Criteria(run_id=first)) == ["one"] * EVENTS
    assert query(Criteria(until=middle)) == ["one"] * EVENTS
    assert query(Criteria(key_id=KEY, secret="two")) == ["two"] * 4
    assert query(Criteria(key_id="old-key")) == ["one", "two"]
    assert query(Criteria(secret="three")) == []
    assert query(Criteria(since=middle, until=middle + timedelta(seconds=2))) == ["two"] * 2


def test_the_last_outcome_is_the_latest(medium: Medium) -> None:
    """However runs are mixed, each secret shows its latest end."""
    with medium.trail() as trail:
        long = trail.begin("one", ARN)
        trail.begin("one", ARN).record(an_end(OutcomeKind.FAILED))
        trail.begin("two", ARN).record(an_end(OutcomeKind.WAITING))
        trail.begin("three", ARN).record(an_end(OutcomeKind.HELD))
        long.record(an_end(OutcomeKind.ROTATED))
        trail.begin("two", ARN)
        found = medium.source.last_outcomes(["one", "two", "never"])
    assert {name: record.result for name, record in found.items()} == {"one": "rotated", "two": "waiting"}


def test_threads_do_not_disturb_each_other(medium: Medium) -> None:
    """Runs of eight threads at once are whole chains."""
    with medium.trail() as trail, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: record_rotation(trail, f"secret-{n % 5}"), range(16)))
    report = medium.source.verify()
    assert (report.findings, report.runs) == ([], 16)
    assert {r.run_id for r in medium.source.records(Criteria())} == set(ids)


def test_a_crash_is_closed_by_the_next_run(medium: Medium) -> None:
    """A run that died between an intent and its outcome ends in an event that names the call."""
    crashed = medium.trail("crashed")
    run = crashed.begin("uploader", ARN)
    for event in (an_intent(), an_outcome(), an_intent(Operation.PROMOTE)):
        run.record(event)
    crashed.close()
    medium.clock.now += LONG
    assert _found(medium) == [(Flaw.UNFINISHED, 4)]
    assert medium.source.verify().verdict is Verdict.UNFINISHED

    with medium.trail("next") as trail:
        record_rotation(trail)

    report = medium.source.verify()
    assert report.findings == []
    assert (report.verdict, report.runs, len(report.cut_short)) == (Verdict.INTACT, 2, 1)
    last = list(medium.source.records(Criteria(run_id=run.run_id)))[-1]
    assert (last.kind, last.sequence) == (EventKind.RECOVERED, 5)
    assert "may have happened: Promote" in last.detail
    assert "next" not in last.run_id


@pytest.mark.slow
def test_a_single_changed_byte_is_found(medium: Medium) -> None:
    """In any event, at any place, and the finding says where."""
    for number, place in enumerate(_rotation(medium)):
        line = medium.lines()[place]
        for at in range(number * 7, len(line), 211):
            medium.put(place, line[:at] + bytes([line[at] ^ 1]) + line[at + 1 :])
            report = medium.source.verify()
            assert report.verdict is Verdict.BROKEN, line[at:]
            assert report.findings[0].file.rpartition("/")[2] == place[0].rpartition("/")[2]
        medium.put(place, line)
    assert _found(medium) == []


@pytest.mark.parametrize("sequence", range(1, EVENTS + 1))
def test_a_deleted_event_is_found(medium: Medium, sequence: int) -> None:
    """A gap is found; so is a missing start, and a missing end once a later run shows it."""
    places = _rotation(medium)
    medium.put(places[sequence - 1], b"")
    medium.clock.now += LONG
    with medium.trail("next") as trail:
        if sequence < EVENTS or not isinstance(medium, InBucket):
            record_rotation(trail, "uploader")
    found = _found(medium)
    match sequence:
        case 1:
            assert found[0] == (Flaw.NO_START, 2)
        case last if last == EVENTS and isinstance(medium, InBucket):
            # But for the ledger it could not be told from that of a process that died.
            assert found == [(Flaw.UNFINISHED, EVENTS - 1), (Flaw.NOT_AS_LISTED, None)]
        case last if last == EVENTS:
            assert found == [(Flaw.NO_END, EVENTS - 1), (Flaw.NOT_AS_LISTED, None)]
        case _:
            assert found[0] == (Flaw.OUT_OF_SEQUENCE, sequence + 1)


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda e: e.update(status_detail="all is well"), Flaw.UNLINKED),
        (lambda e: e.update(note="added"), Flaw.MISSHAPEN),
        (lambda e: e["resources"][0].update(name="another"), Flaw.STRANGER),
        (lambda e: e.update(status_detail="9b" * 32), Flaw.EXPOSED),
        (lambda e: e["metadata"].update(sequence=9, uid="run-1.9"), Flaw.OUT_OF_SEQUENCE),
    ],
    ids=["text", "field", "secret", "api-secret", "number"],
)
def test_one_forged_event_is_found(medium: Medium, change: Callable[[JsonObject], object], flaw: Flaw) -> None:
    """An event with a new, right fingerprint breaks the link after it, or contradicts its run."""
    place = _rotation(medium)[3]
    event = json.loads(medium.lines()[place])
    change(event)
    medium.put(place, sealed(event) + b"\n")
    assert flaw in {found for found, _ in _found(medium)}


def test_swapped_events_are_found(medium: Medium) -> None:
    """Two events that changed places are both found."""
    places = _rotation(medium)
    lines = medium.lines()
    medium.put(places[2], lines[places[3]])
    medium.put(places[3], lines[places[2]])
    assert Flaw.OUT_OF_SEQUENCE in {flaw for flaw, _ in _found(medium)}


def test_no_secret_gets_in(medium: Medium) -> None:
    """What looks like a token is taken out before it is written."""
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZWRLZXkiOiJhIn0.c2ln"
    with medium.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        run.record(an_outcome(detail=f"refused {token}"))
        run.record(an_end())
    assert not any(token[:12].encode() in line for line in medium.lines().values())
    assert _found(medium) == []
