"""Recording in a bucket: what it costs, and how dead runs are closed."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import time_machine
from botocore.exceptions import ReadTimeoutError

from rotator.audit.bucket.destination import QUIET_MAX
from rotator.audit.bucket.objects import ObjectTakenError
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Operation
from tests.unit.audit.bucket.wire import Wire, fail
from tests.unit.audit.builders import ARN, an_end, an_intent, an_outcome, record_rotation
from tests.unit.audit.media import InBucket


def test_a_rotation_costs_a_call_for_each_effect(bucket: InBucket, wire: Wire) -> None:
    """Two calls change something; there are an end, a listing and an entry, and nothing is read again."""
    with bucket.trail() as trail:
        for _ in range(3):
            record_rotation(trail)
    assert wire.calls == {"PutObject": 3 * (2 + 1 + 1), "ListObjectsV2": 3 + 1}


def test_a_new_process_reads_one_object_more(bucket: InBucket, wire: Wire) -> None:
    """The end of the run before is looked at, and the ledger for it; those of older runs are not."""
    start = bucket.clock.now
    for number in range(5):
        bucket.clock.now = start + number * 2 * QUIET_MAX
        with time_machine.travel(bucket.clock.now), bucket.trail(f"process{number}-") as trail:
            wire.calls.clear()
            record_rotation(trail)
        assert (wire.calls["ListObjectsV2"], wire.calls["GetObject"]) == ((3, 3) if number else (2, 0))
    assert bucket.source.verify().verdict is Verdict.INTACT


def test_an_event_that_may_be_written_ends_the_run(bucket: InBucket, wire: Wire) -> None:
    """After an unknown outcome nothing more is written, so that no call seems to have no outcome."""
    with bucket.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        wire.fault("PutObject", fail(ReadTimeoutError(endpoint_url="https://x")), 3)
        run.record(an_outcome())
        with pytest.raises(AuditUnavailableError):
            run.record(an_intent(Operation.PROMOTE))
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
    slow.record(an_intent())
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    with pytest.raises(ObjectTakenError):
        slow.record(an_intent(Operation.PROMOTE))
    report = bucket.source.verify()
    assert (report.findings, len(report.cut_short)) == ([], 1)


def test_a_young_run_is_left_alone(bucket: InBucket) -> None:
    """A run that another process may be at is not closed."""
    running = bucket.trail("running").begin("uploader", ARN)
    running.record(an_intent())
    with bucket.trail("next") as trail:
        record_rotation(trail)
    running.record(an_outcome())
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


def test_a_spoilt_run_does_not_stop_the_next(bucket: InBucket) -> None:
    """Recovery judges nothing, and goes on past what it cannot close."""
    bucket.trail("spoilt").begin("uploader", ARN).record(an_intent())
    (key,) = bucket.all_keys()
    bucket.put((key, 0), b"spoilt\n")
    bucket.put((key, 1), b"")
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    assert {found.flaw for found in bucket.source.verify().findings} == {Flaw.NO_EVENT}


def test_the_policy_names_the_calls_that_are_made_and_no_other(bucket: InBucket, wire: Wire) -> None:
    """Over a whole life, every call is in the policy of the documentation, and every action there is used."""
    text = (Path(__file__).parents[4] / "docs" / "audit.md").read_text()
    policies = [json.loads(part.split("```")[0]) for part in text.split("```json\n")[1:3]]
    allowed: set[str] = set()
    for statement in policies[0]["Statement"] + policies[1]["Statement"]:
        actions = statement["Action"]
        allowed |= set(actions) if isinstance(actions, list) else {actions}
    bucket.trail("dead").begin("uploader", ARN).record(an_intent())
    bucket.clock.now += 2 * QUIET_MAX
    with bucket.trail("next") as trail:
        record_rotation(trail)
    assert len(bucket.source.verify().cut_short) == 1
    assert bucket.source.last_outcomes(["uploader"])
    named = {"ListObjectsV2": "s3:ListBucket", "ListObjectVersions": "s3:ListBucketVersions"}
    allowed.remove("s3:GetObjectVersion")  # for GetObject of a version, of what was overwritten or deleted
    assert {named.get(operation, f"s3:{operation}") for operation in wire.calls} == allowed
