"""What is read of the newest runs in a bucket."""

from datetime import timedelta

from rotator.audit.bucket.recent import newest
from rotator.model.plan import OutcomeKind
from tests.unit.audit.bucket.wire import Wire
from tests.unit.audit.builders import ARN, an_end, record_rotation
from tests.unit.audit.media import InBucket

DAY = timedelta(days=1)


def test_newest_runs_come_first_and_few_of_the_idle_ones(bucket: InBucket, wire: Wire) -> None:
    """Runs before the time are not read, nor those of other secrets, nor more than so many that did nothing."""
    wanted = []
    with bucket.trail() as trail:
        record_rotation(trail)
        bucket.clock.now += 2 * DAY
        since = bucket.clock.now
        wanted.append(record_rotation(trail))
        for _ in range(3):
            run = trail.begin("uploader", ARN)
            run.record(an_end(OutcomeKind.UP_TO_DATE))
            wanted.append(run.run_id)
            bucket.clock.now += DAY
        record_rotation(trail, "gateway")
    del wanted[1]  # of three idle runs, the oldest
    wire.calls.clear()
    read = [part() for part in newest(bucket.bucket, "uploader", since, 2)]
    assert [{record.run_id for record in run} for run in read] == [{run_id} for run_id in reversed(wanted)]
    assert [record.sequence for record in read[-1]] == list(range(1, len(read[-1]) + 1))
    assert wire.calls == {"ListObjectsV2": 1, "GetObject": 3 + 1 + 1}


def test_an_object_that_is_gone_or_no_event_is_passed_over(bucket: InBucket) -> None:
    """What is left of a run is told; whether that is genuine is for verification."""
    with bucket.trail() as trail:
        record_rotation(trail)
    (part,) = newest(bucket.bucket, "uploader", bucket.clock.now - DAY, 2)
    first, second, *others = bucket.all_keys()
    bucket.delete(first)
    bucket.overwrite(second, b"{}\n")
    (last,) = others
    assert len(part()) == len([line for key, line in bucket.lines() if key == last])
