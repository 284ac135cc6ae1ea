"""What S3 can do to a trail in a bucket: refusals, faults, races, costs."""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import time_machine
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from rotator.audit.bucket import objects
from rotator.audit.bucket.destination import QUIET_MAX
from rotator.audit.bucket.objects import ObjectTakenError, group, newest_runs
from rotator.audit.record import EventKind
from rotator.audit.sources import Criteria
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from tests.unit.audit.builders import ARN, a_rotation, an_end, an_intent, an_outcome, record_rotation
from tests.unit.audit.media import BUCKET, PREFIX, InBucket

EVENTS = 1 + len(list(a_rotation()))
CANARY = "eyJhbGciOiJIUzI1NiJ9.Y2FuYXJ5"


class _Raw:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield the body."""
        yield self.content


def answer(status: int, code: str) -> Callable[[Any], AWSResponse]:
    """Return what answers a request with one of S3's errors."""
    body = f"<Error><Code>{code}</Code><Message>{CANARY}</Message></Error>".encode()
    return lambda request: AWSResponse(request.url, status, HTTPHeaders(), _Raw(body))


def fail(error: Exception) -> Callable[[Any], AWSResponse]:
    """Return what fails a request on the wire."""

    def raise_it(_: object) -> AWSResponse:
        raise error

    return raise_it


class Wire:
    """What happens to the calls of a client, each attempt counted."""

    def __init__(self, bucket: InBucket) -> None:
        self.calls: Counter[str] = Counter()
        self._faults: list[tuple[str, Callable[[Any], AWSResponse]]] = []
        self._lost: list[str] = []
        # Between the two, moto answers; all of them are called, and the first answer counts.
        events = bucket.client.meta.events
        events.register_first("before-send.s3", self._before)  # type: ignore[arg-type]  # the stub lacks answers
        events.register_last("before-send", self._after)

    def fault(self, operation: str, fault: Callable[[Any], AWSResponse], times: int = 1) -> None:
        """Let the next attempts of an operation meet a fault, without an effect."""
        self._faults += times * [(operation, fault)]

    def lose(self, operation: str) -> None:
        """Let the answer to the next attempt of an operation get lost."""
        self._lost.append(operation)

    def _before(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:  # noqa: ANN401 - botocore's
        operation = event_name.rpartition(".")[2]
        self.calls[operation] += 1
        for number, (failing, fault) in enumerate(self._faults):
            if failing == operation:
                del self._faults[number]
                answered = fault(request)
                request.url = "https://nowhere.amazonaws.com/"  # where moto changes nothing
                return answered
        return None

    def _after(self, event_name: str, **_: object) -> None:
        operation = event_name.rpartition(".")[2]
        if operation in self._lost:
            self._lost.remove(operation)
            raise ReadTimeoutError(endpoint_url="https://x")


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat a call at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def wire(bucket: InBucket) -> Wire:
    """Return the wire of the bucket's client."""
    return Wire(bucket)


def test_a_run_is_a_folder_that_sorts(bucket: InBucket) -> None:
    """Keys sort by secret, then by run, the newest first, then by event."""
    with bucket.trail() as trail:
        for secret in ("b", "a", "a"):
            record_rotation(trail, secret)
            bucket.clock.now += timedelta(minutes=1)
    keys = bucket.all_keys()
    assert keys == sorted(keys)
    assert all(re.fullmatch(r"[ab]/\d{13}-\d{8}T\d{6}Z-run-\d/0000\d\d\.json", key) for key in keys)
    runs = [(run.secret, run.run_id) for run in group(p for page in bucket.bucket.pages("") for p in page)]
    assert runs == [("a", "run-3"), ("a", "run-2"), ("b", "run-1")]


def test_a_rotation_costs_a_call_for_each_event(bucket: InBucket, wire: Wire) -> None:
    """Beside them there is one listing; what this process knows to have ended is not read again."""
    with bucket.trail() as trail:
        for _ in range(3):
            record_rotation(trail)
    assert wire.calls == {"PutObject": 3 * EVENTS, "ListObjectsV2": 3}


def test_a_new_process_reads_one_object_more(bucket: InBucket, wire: Wire) -> None:
    """The end of the run before is looked at, and those of older runs are not."""
    start = bucket.clock.now
    for number in range(5):
        bucket.clock.now = start + number * 2 * QUIET_MAX
        with time_machine.travel(bucket.clock.now), bucket.trail(f"process{number}-") as trail:
            wire.calls.clear()
            record_rotation(trail)
        assert (wire.calls["ListObjectsV2"], wire.calls["GetObject"]) == (1, min(number, 1))
    assert bucket.source.verify().verdict is Verdict.INTACT


@pytest.mark.parametrize(
    ("fault", "attempts", "said"),
    [
        pytest.param(answer(403, "AccessDenied"), 1, "denied", id="403"),
        pytest.param(answer(404, "NoSuchBucket"), 1, "no such bucket", id="404"),
        pytest.param(answer(500, "InternalError"), 3, "InternalError", id="500"),
        pytest.param(answer(503, "SlowDown"), 3, "SlowDown", id="503"),
        pytest.param(fail(ReadTimeoutError(endpoint_url="https://x")), 3, "ReadTimeoutError", id="timeout"),
        pytest.param(fail(ConnectTimeoutError(endpoint_url="https://x")), 3, "ConnectTimeout", id="connect"),
        pytest.param(fail(EndpointConnectionError(endpoint_url="https://x")), 3, "Endpoint", id="refused"),
        pytest.param(fail(ValueError(CANARY)), 1, "ValueError", id="foreign"),
    ],
)
@pytest.mark.parametrize("operation", ["PutObject", "ListObjectsV2"])
def test_a_fault_stops_before_the_effect(  # noqa: PLR0913, PLR0917 - parameters of one table
    bucket: InBucket, wire: Wire, operation: str, fault: Callable[[Any], AWSResponse], attempts: int, said: str
) -> None:
    """Nothing begins; the attempts are few, the message names the object, and the next run works."""
    wire.fault(operation, fault, attempts)
    with bucket.trail() as trail:
        with pytest.raises(AuditUnavailableError, match=said) as refused:
            trail.begin("uploader", ARN)
        assert wire.calls[operation] == attempts
        assert f"s3://{BUCKET}/{PREFIX}uploader/" in refused.value.message
        assert CANARY not in repr(refused.getrepr())
        assert refused.value.__cause__ is None
        assert refused.value.__context__ is None
        record_rotation(trail)
    report = bucket.source.verify()
    assert (report.verdict, report.runs) == (Verdict.INTACT, 1)


def test_a_fault_that_passes_is_not_noticed(bucket: InBucket, wire: Wire) -> None:
    """Every call may fail twice, and the trail is whole."""
    for operation in ("PutObject", "ListObjectsV2"):
        wire.fault(operation, answer(503, "SlowDown"), 2)
    with bucket.trail() as trail:
        record_rotation(trail)
    assert bucket.source.verify().verdict is Verdict.INTACT


def test_a_lost_answer_is_a_success(bucket: InBucket, wire: Wire) -> None:
    """If the object came through and only the answer was lost, it is found to be ours."""
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        wire.lose("PutObject")
        run.record(an_intent())
        run.record(an_outcome())
        run.record(an_end())
    assert wire.calls["GetObject"] == 1
    assert len(bucket.all_keys()) == 4
    assert bucket.source.verify().verdict is Verdict.INTACT


def test_what_is_there_is_never_overwritten(bucket: InBucket) -> None:
    """An object with other content ends the run, and stays as it is."""
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        key = bucket.all_keys()[0].replace("000001", "000002")
        bucket.put((key, 0), b"something else\n")
        with pytest.raises(ObjectTakenError, match=r"000002\.json is there already"):
            run.record(an_intent())
        with pytest.raises(AuditUnavailableError):
            run.record(an_end())
    assert bucket.lines()[key, 0] == b"something else\n"
    assert len(bucket.all_keys()) == 2


def test_a_conflict_is_tried_again(bucket: InBucket, wire: Wire) -> None:
    """S3 asks to repeat a conditional write that met another one; not for ever."""
    wire.fault("PutObject", answer(409, "ConditionalRequestConflict"), 2)
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        wire.fault("PutObject", answer(409, "ConditionalRequestConflict"), 3)
        with pytest.raises(AuditUnavailableError, match="ConditionalRequestConflict"):
            run.record(an_intent())


def test_an_event_that_is_perhaps_written_ends_the_run(bucket: InBucket, wire: Wire) -> None:
    """After an unknown outcome nothing more is written, so that no call seems to have no outcome."""
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        wire.fault("PutObject", fail(ReadTimeoutError(endpoint_url="https://x")), 3)
        with pytest.raises(AuditUnavailableError):
            run.record(an_outcome())
        with pytest.raises(AuditUnavailableError, match="ReadTimeoutError"):
            run.record(an_end())
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    report = bucket.source.verify()
    assert (report.verdict, len(report.cut_short)) == (Verdict.INTACT, 1)


def test_a_process_that_was_only_slow_is_stopped(bucket: InBucket) -> None:
    """The event that closes a silent run takes the key of the next one: two cannot go on."""
    slow = bucket.trail("slow").begin("uploader", ARN)
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    with pytest.raises(ObjectTakenError):
        slow.record(an_intent())
    report = bucket.source.verify()
    assert (report.findings, len(report.cut_short)) == ([], 1)


def test_a_young_run_is_left_alone(bucket: InBucket) -> None:
    """A run that another process may be at is not closed."""
    running = bucket.trail("running").begin("uploader", ARN)
    with bucket.trail("next") as trail:
        record_rotation(trail)
    running.record(an_end())
    assert bucket.source.verify().findings == []
    assert bucket.source.verify().cut_short == set()


def test_a_run_that_was_young_then_is_closed_later(bucket: InBucket) -> None:
    """That a run after it ended well hides no dead one."""
    bucket.trail("dead").begin("uploader", ARN).record(an_intent())
    with bucket.trail("next") as trail:
        record_rotation(trail)
        bucket.clock.now += 2 * QUIET_MAX
        record_rotation(trail)
    report = bucket.source.verify()
    assert (report.findings, len(report.cut_short)) == ([], 1)


def test_racing_processes_close_a_run_once(bucket: InBucket) -> None:
    """Of several that find a dead run at the same time one closes it, and all go on."""
    with time_machine.travel(bucket.clock.now - 2 * QUIET_MAX):  # the runs that race are young
        bucket.trail("dead").begin("uploader", ARN).record(an_intent())
    start = Barrier(6)

    def race(number: int) -> None:
        with bucket.trail(f"process{number}-") as trail:
            start.wait(10)
            record_rotation(trail)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(race, range(6)))
    report = bucket.source.verify()
    assert report.findings == []
    assert (report.runs, len(report.cut_short)) == (7, 1)


def test_a_missing_end_among_later_runs_is_no_crash(bucket: InBucket) -> None:
    """A run that any later one would have closed was cut, and verification says so."""
    with bucket.trail() as trail:
        cut = record_rotation(trail)
        for _ in range(2):
            bucket.clock.now += 2 * QUIET_MAX
            record_rotation(trail)
    last = [key for key in bucket.all_keys() if cut in key][-1]
    bucket.put((last, 0), b"")
    (finding,) = bucket.source.verify().findings
    assert (finding.flaw, finding.run_id, finding.sequence) == (Flaw.NO_END, cut, EVENTS - 1)
    assert finding.file.startswith(f"s3://{BUCKET}/{PREFIX}uploader/")


def test_a_missing_line_break_is_found(bucket: InBucket) -> None:
    """Of every object, for each is a line by itself."""
    with bucket.trail() as trail:
        record_rotation(trail)
    for place, line in bucket.lines().items():
        bucket.put(place, line.rstrip())
    report = bucket.source.verify()
    assert [found.flaw for found in report.findings] == EVENTS * [Flaw.ALTERED]
    assert report.verdict is Verdict.BROKEN


def test_a_copied_run_is_found(bucket: InBucket) -> None:
    """Neither under another secret nor as another run does a copy pass."""
    with bucket.trail() as trail:
        record_rotation(trail)
    for old, new in (("uploader/", "another/"), ("-run-1/", "-run-2/")):
        copies = {(key.replace(old, new), 0): line for (key, _), line in bucket.lines().items()}
        for place, line in copies.items():
            bucket.put(place, line)
        assert {found.flaw for found in bucket.source.verify().findings} >= {Flaw.REPEATED_RUN, Flaw.OUT_OF_SEQUENCE}
        for place in copies:
            bucket.put(place, b"")


def test_foreign_objects_are_nobodys_business(bucket: InBucket) -> None:
    """What is not named as an event is passed over; what is, and holds none, is found."""
    with bucket.trail() as trail:
        record_rotation(trail)
    bucket.put(("README", 0), b"hello")
    bucket.put(("uploader/notes.txt", 0), b"hello")
    assert bucket.source.verify().findings == []
    key = next(k for k in bucket.all_keys() if k.endswith("000001.json")).replace("000001", "000099")
    for content in (b"\n", b"{}\n", b"x" * (2 << 20)):
        bucket.put((key, 0), content)
        assert Flaw.NO_EVENT in {found.flaw for found in bucket.source.verify().findings}


def test_a_spoilt_run_does_not_stop_the_next(bucket: InBucket) -> None:
    """Recovery judges nothing, and goes on past what it cannot close."""
    bucket.trail("spoilt").begin("uploader", ARN)
    (key,) = bucket.all_keys()
    bucket.put((key, 0), b"spoilt\n")
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    assert {found.flaw for found in bucket.source.verify().findings} == {Flaw.NO_EVENT}


def test_long_listings_are_read_to_their_end(bucket: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs across pages are whole; a limit on pages is an error that says what to do."""
    monkeypatch.setattr(objects, "PAGE", 13)
    with bucket.trail() as trail:
        for _ in range(3):
            record_rotation(trail)
    report = bucket.source.verify()
    assert (report.findings, report.runs, report.files) == ([], 3, 3 * EVENTS)
    assert len(newest_runs(bucket.bucket, "uploader")) == 1
    monkeypatch.setattr(objects, "PAGES_MAX", 2)
    with pytest.raises(AuditUnavailableError, match="more than 2 pages"):
        bucket.source.verify()


def test_a_denied_read_is_told(bucket: InBucket, wire: Wire) -> None:
    """Reading fails as a whole rather than showing a part."""
    with bucket.trail() as trail:
        record_rotation(trail)
    wire.fault("GetObject", answer(403, "AccessDenied"))
    with pytest.raises(AuditUnavailableError, match=r"GetObject of s3://.* was denied"):
        list(bucket.source.records(Criteria()))
    wire.fault("GetObject", answer(403, "AccessDenied"))
    with pytest.raises(AuditUnavailableError, match="denied"):
        bucket.source.verify()
    kinds = {record.kind for record in bucket.source.records(Criteria())}
    assert EventKind.ENDED in kinds


def test_the_policy_names_the_calls_that_are_made_and_no_other(bucket: InBucket, wire: Wire) -> None:
    """Over a whole life, every call is in the policy of the documentation, and every action there is used."""
    text = (Path(__file__).parents[3] / "docs" / "audit.md").read_text()
    policy = json.loads(text.split("```json\n")[1].split("```")[0])
    allowed: set[str] = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= set(actions) if isinstance(actions, list) else {actions}
    bucket.trail("dead").begin("uploader", ARN).record(an_intent())
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    assert len(bucket.source.verify().cut_short) == 1
    assert bucket.source.last_outcomes(["uploader"])
    named = {"ListObjectsV2": "s3:ListBucket"}
    assert {named.get(operation, f"s3:{operation}") for operation in wire.calls} == allowed
