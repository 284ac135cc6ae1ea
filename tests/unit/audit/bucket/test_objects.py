"""What S3 can do to a write or a listing: refusals, faults, lost answers."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, ReadTimeoutError

from rotator.audit.bucket import objects
from rotator.audit.bucket.objects import ObjectTakenError, group, newest_runs
from rotator.audit.verify import Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Operation
from tests.unit.audit.bucket.wire import CANARY, Wire, answer, fail
from tests.unit.audit.builders import ARN, an_end, an_intent, an_outcome, record_rotation
from tests.unit.audit.media import BUCKET, PREFIX, InBucket

OBJECTS = 3
"""Of a rotation: two calls change something, and there is an end."""


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
            trail.begin("uploader", ARN).record(an_intent())
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
    assert len(bucket.lines()) == 4
    assert bucket.source.verify().verdict is Verdict.INTACT


def test_what_is_there_is_never_overwritten(bucket: InBucket) -> None:
    """An object with other content ends the run, and stays as it is."""
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        run.record(an_outcome())
        key = bucket.all_keys()[0].replace("000001", "000003")
        bucket.put((key, 0), b"something else\n")
        with pytest.raises(ObjectTakenError, match=r"000003\.json is there already"):
            run.record(an_intent(Operation.PROMOTE))
        with pytest.raises(AuditUnavailableError):
            run.record(an_end())
    assert bucket.lines()[key, 0] == b"something else\n"
    assert len(bucket.all_keys()) == 2


def test_a_conflict_is_tried_again(bucket: InBucket, wire: Wire) -> None:
    """S3 asks to repeat a conditional write that met another one; that is done a few times."""
    wire.fault("PutObject", answer(409, "ConditionalRequestConflict"), 2)
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        run.record(an_outcome())
        wire.fault("PutObject", answer(409, "ConditionalRequestConflict"), 3)
        with pytest.raises(AuditUnavailableError, match="ConditionalRequestConflict"):
            run.record(an_intent(Operation.PROMOTE))


def test_long_listings_are_read_to_their_end(bucket: InBucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs across pages are whole; a limit on pages is an error that says what to do."""
    monkeypatch.setattr(objects, "PAGE", 5)
    with bucket.trail() as trail:
        for _ in range(3):
            record_rotation(trail)
    report = bucket.source.verify()
    assert (report.findings, report.runs, report.files) == ([], 3, 3 * OBJECTS)
    assert len(newest_runs(bucket.bucket, "uploader")) == 1
    monkeypatch.setattr(objects, "PAGES_MAX", 2)
    with pytest.raises(AuditUnavailableError, match="more than 2 pages"):
        bucket.source.verify()
