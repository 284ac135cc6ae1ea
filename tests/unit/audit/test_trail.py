"""A trail in two places: each line in at least one, and neither with a gap."""

from datetime import timedelta
from pathlib import Path

import pytest

from rotator.audit.directory.files import audit_files
from rotator.audit.record import EventKind
from rotator.audit.sources import Criteria, last_outcomes_of, records_of, verify_all
from rotator.audit.trail import PAUSE
from rotator.audit.verify import Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Operation, Result
from tests.unit.audit.builders import ARN, KEY, a_trail, an_end, an_intent, an_outcome, record_rotation, verify
from tests.unit.audit.media import BUCKET, Both, InBucket

LONG = timedelta(hours=1)


def _break(bucket: InBucket) -> None:
    """Take the bucket away, with all that is in it."""
    for key in bucket.all_keys():
        bucket.put((key, 0), b"")
    bucket.client.delete_bucket(Bucket=BUCKET)


def _empty_again(bucket: InBucket) -> None:
    bucket.client.create_bucket(Bucket=BUCKET)


def test_both_hold_the_same_bytes(both: Both) -> None:
    """Each place has the whole trail, byte for byte."""
    with both.trail() as trail:
        record_rotation(trail)
    (path,) = audit_files(both.directory)
    assert b"".join(both.bucket.lines().values()) == path.read_bytes()
    assert both.verdicts() == [Verdict.INTACT, Verdict.INTACT]
    assert both.lost == []


def test_a_place_that_is_down_stops_nothing(both: Both) -> None:
    """Without the bucket the directory has it all; the loss is reported, and the bucket left alone for a while."""
    _break(both.bucket)
    with both.trail() as trail:
        record_rotation(trail)
        record_rotation(trail)
        assert len(both.lost) == 1
        assert "no such bucket" in both.lost[0]
        _empty_again(both.bucket)
        both.bucket.clock.now += PAUSE
        record_rotation(trail)
    assert verify(both.directory).runs == 3
    assert both.bucket.source.verify().runs == 1
    assert both.verdicts() == [Verdict.INTACT, Verdict.INTACT]


def test_a_place_that_rests_is_tried_when_the_other_fails(both: Both) -> None:
    """A place that was left alone may work again, and a run needs one place only."""
    _break(both.bucket)
    with both.trail() as trail:
        record_rotation(trail)
    with both.trail("next") as trail:
        record_rotation(trail)
        _empty_again(both.bucket)
        (path,) = both.directory.glob("*.open.jsonl")
        path.unlink()
        with pytest.raises(AuditUnavailableError):
            trail.begin("uploader", ARN)
        both.directory.chmod(0o777)
        record_rotation(trail)
    assert both.bucket.source.verify().runs == 1


def test_a_place_that_fails_within_a_run_gets_no_more_of_it(both: Both) -> None:
    """There the run was cut short, here it is whole; neither shows a gap."""
    with both.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        key = both.bucket.all_keys()[-1].replace("000002", "000003")
        both.bucket.put((key, 0), b"in the way\n")
        run.record(an_outcome())
        both.bucket.put((key, 0), b"")
        run.record(an_end())
        assert len(both.lost) == 1
        both.bucket.clock.now += LONG
        record_rotation(trail)
    assert both.verdicts() == [Verdict.INTACT, Verdict.INTACT]
    here, there = ([r.kind for r in source.records(Criteria(run_id=run.run_id))] for source in both.sources)
    assert here == [EventKind.STARTED, EventKind.INTENT, EventKind.DONE, EventKind.ENDED]
    assert there == [EventKind.STARTED, EventKind.INTENT, EventKind.RECOVERED]
    shown = [r.kind for r in records_of(both.sources, Criteria(run_id=run.run_id))]
    assert sorted(shown) == sorted({*here, *there})
    assert last_outcomes_of(both.sources, ["uploader"])["uploader"].kind is EventKind.ENDED
    assert [report.findings for report in verify_all(both.sources)] == [[], []]


def test_the_directory_may_be_the_one_that_fails(both: Both) -> None:
    """The bucket goes on alone, and the file is closed by the next process that can."""
    with both.trail() as trail:
        run = trail.begin("uploader", ARN)
        (path,) = audit_files(both.directory)
        path.unlink()
        for event in (an_intent(), an_outcome(), an_end()):
            run.record(event)
    assert "removed or changed" in both.lost[0]
    assert both.bucket.source.verify().verdict is Verdict.INTACT
    assert len(both.bucket.all_keys()) == 4


def test_nothing_happens_without_either(both: Both) -> None:
    """If no place takes an intent, it is refused, at the start of a run or within it."""
    with both.trail() as trail:
        run = trail.begin("uploader", ARN)
        (path,) = audit_files(both.directory)
        path.unlink()
        _break(both.bucket)
        for _ in range(2):
            with pytest.raises(AuditUnavailableError):
                run.record(an_intent(Operation.PROMOTE))
        both.directory.chmod(0o777)
        with pytest.raises(AuditUnavailableError):
            trail.begin("uploader", ARN)
    assert both.lost == []


def test_a_trail_that_breaks_says_what_was_done_by_then(directory: Path) -> None:
    """Exit code 4 does not mean that nothing was done: each change before it is named, the unrecorded one too."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        run.record(an_outcome())
        run.record(an_intent(Operation.VERIFY_KEY))
        run.record(an_outcome(Operation.VERIFY_KEY))
        run.record(an_intent(Operation.PROMOTE))
        (path,) = audit_files(directory)
        path.unlink()
        for _ in range(2):
            with pytest.raises(AuditUnavailableError) as broken:
                run.record(an_outcome(Operation.PROMOTE, Result.UNKNOWN))
        assert broken.value.message.count("done by this run before") == 1
        assert f"key created ({KEY}), perhaps promoted to AWSCURRENT ({KEY})" in broken.value.message
        directory.chmod(0o777)
        with pytest.raises(AuditUnavailableError, match="nothing was done by this run"):
            trail.begin("uploader", ARN)
