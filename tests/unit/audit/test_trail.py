"""A trail in two places: each line in at least one, and neither with a gap."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from rotator.audit.directory.files import audit_files
from rotator.audit.directory.source import DirectorySource
from rotator.audit.record import EventKind, Record
from rotator.audit.sources import Criteria, last_outcomes_of, records_of, verify_all
from rotator.audit.trail import NOTED_EVERY, PAUSE, AuditTrail
from rotator.audit.verify import Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Ended, Operation, Result
from rotator.model.plan import OutcomeKind
from tests.unit.audit.builders import (
    ARN,
    KEY,
    TickingClock,
    a_trail,
    an_end,
    an_intent,
    an_outcome,
    query,
    record_rotation,
    verify,
)
from tests.unit.audit.media import BUCKET, Both, InBucket

LONG = timedelta(hours=1)


def _break(bucket: InBucket) -> None:
    """Take the bucket away, with all that is in it."""
    for key in bucket.all_keys():
        bucket.delete(key)
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
            trail.begin("uploader", ARN).record(an_intent())
        both.directory.chmod(0o777)
        record_rotation(trail)
    assert both.bucket.source.verify().runs == 1


def test_a_place_that_fails_within_a_run_gets_no_more_of_it(both: Both) -> None:
    """There the run was cut short, here it is whole; neither shows a gap."""
    with both.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        key = both.bucket.all_keys()[-1].replace("000001", "000003")
        both.bucket.put((key, 0), b"in the way\n")
        run.record(an_outcome())
        run.record(an_intent(Operation.PROMOTE))
        both.bucket.put((key, 0), b"")
        run.record(an_outcome(Operation.PROMOTE))
        run.record(an_end())
        assert len(both.lost) == 1
        both.bucket.clock.now += LONG
        record_rotation(trail)
    assert both.verdicts() == [Verdict.INTACT, Verdict.INTACT]
    here, there = ([r.kind for r in source.records(Criteria(run_id=run.run_id))] for source in both.sources)
    call = [EventKind.INTENT, EventKind.DONE]
    assert here == [EventKind.STARTED, *call, *call, EventKind.ENDED]
    assert there == [EventKind.STARTED, EventKind.INTENT, EventKind.RECOVERED]
    shown = [r.kind for r in records_of(both.sources, Criteria(run_id=run.run_id))]
    assert sorted(shown) == sorted([*here, EventKind.RECOVERED])
    assert last_outcomes_of(both.sources, ["uploader"])["uploader"].kind is EventKind.ENDED
    assert [report.findings for report in verify_all(both.sources)] == [[], []]


def test_the_directory_may_be_the_one_that_fails(both: Both) -> None:
    """The bucket goes on alone, and the file is closed by the next process that can."""
    with both.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        (path,) = audit_files(both.directory)
        path.unlink()
        for event in (an_outcome(), an_end()):
            run.record(event)
    assert "removed or changed" in both.lost[0]
    assert both.bucket.source.verify().verdict is Verdict.INTACT
    assert len(both.bucket.lines()) == 4


def test_nothing_happens_without_either(both: Both) -> None:
    """If no place takes an intent, it is refused, at the start of a run or within it."""
    with both.trail() as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        run.record(an_outcome())
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


def _noting(directory: Path) -> tuple[AuditTrail, TickingClock]:
    """Return a trail that knows what it says already, and its clock."""
    clock, source = TickingClock(datetime.now(UTC)), DirectorySource(directory)
    trail = a_trail(directory, clock=clock)
    return replace(trail, last=lambda secret, since: source.last_outcomes({secret}, since).get(secret)), clock


def _kinds(directory: Path) -> list[str]:
    return [record.kind.value for record in query(directory)]


def test_a_run_that_finds_nothing_to_do_is_noted_once_a_day(directory: Path) -> None:
    """As long as the trail says the same of its secret; each secret has a line of its own."""
    trail, clock = _noting(directory)
    with trail:
        for secret in ("one", "two", "one", "one"):
            trail.begin(secret, ARN).record(an_end(OutcomeKind.UP_TO_DATE))
        assert [(r.secret, r.is_note) for r in query(directory)] == [("one", True), ("two", True)]
        clock.now += NOTED_EVERY - timedelta(minutes=1)
        trail.begin("one", ARN).record(an_end(OutcomeKind.WAITING))
        assert len(_kinds(directory)) == 2
        clock.now += timedelta(minutes=2)
        trail.begin("one", ARN).record(an_end(OutcomeKind.WAITING))
    assert _kinds(directory) == ["ended"] * 3
    report = verify(directory)
    assert (report.findings, report.verdict, report.listed) == ([], Verdict.INTACT, 0)


@pytest.mark.parametrize(
    ("before", "end", "is_noted"),
    [
        (an_end(), an_end(OutcomeKind.UP_TO_DATE), False),
        (an_end(OutcomeKind.FAILED), an_end(OutcomeKind.UP_TO_DATE), True),
        (an_end(OutcomeKind.HELD), an_end(OutcomeKind.WAITING), True),
        (an_end(), replace(an_end(OutcomeKind.UP_TO_DATE), key_id="another"), True),
        (an_end(), replace(an_end(OutcomeKind.UP_TO_DATE), key_id=""), False),
    ],
    ids=["all-well", "failed-before", "held-before", "another-key", "no-key-seen"],
)
def test_what_the_trail_does_not_say_yet_is_noted(
    directory: Path, before: Ended, end: Ended, *, is_noted: bool
) -> None:
    """Another outcome, except between those in which all is well, and another key."""
    trail, _ = _noting(directory)
    with trail:
        trail.begin("one", ARN).record(before)
        count = len(_kinds(directory))
        trail.begin("one", ARN).record(end)
    assert _kinds(directory)[count:] == (["ended"] if is_noted else [])


def test_a_run_that_did_something_is_recorded_whole(directory: Path) -> None:
    """However it ends, and however long ago the last one was."""
    trail, _ = _noting(directory)
    with trail:
        for _ in range(2):
            run = trail.begin("one", ARN)
            for event in (an_intent(), an_outcome(), an_end(OutcomeKind.UP_TO_DATE)):
                run.record(event)
    assert _kinds(directory) == ["started", "intent", "done", "ended"] * 2


def test_a_place_that_cannot_be_read_stops_no_look(both: Both) -> None:
    """What finds nothing to do is recorded where it can be, and a place that is down is asked once."""
    asked: list[str] = []

    def last(secret: str, since: datetime) -> Record | None:
        asked.append(secret)
        return last_outcomes_of(both.sources, {secret}, since).get(secret)

    with replace(both.trail(), last=last) as trail:
        trail.begin("one", ARN).record(an_end(OutcomeKind.UP_TO_DATE))
        trail.begin("one", ARN).record(an_end(OutcomeKind.UP_TO_DATE))
        assert (_kinds(both.directory), asked) == (["ended"], ["one", "one"])
        _break(both.bucket)
        both.bucket.clock.now += NOTED_EVERY
        for _ in range(3):
            trail.begin("one", ARN).record(an_end(OutcomeKind.UP_TO_DATE))
    assert (_kinds(both.directory), asked) == (["ended"] * 2, ["one", "one"])
    assert len(both.lost) == 1


def test_a_trail_that_cannot_be_read_is_written(directory: Path) -> None:
    """If nobody knows what it says, one line more is no harm."""

    def denied(_secret: str, _since: datetime) -> Record | None:
        raise AuditUnavailableError("denied", next_step="")

    with replace(a_trail(directory), last=denied) as trail:
        trail.begin("one", ARN).record(an_end(OutcomeKind.UP_TO_DATE))
    assert _kinds(directory) == ["ended"]


def test_a_proof_alone_is_recorded(directory: Path) -> None:
    """A run that proved something has done something, though it has changed nothing."""
    trail, _ = _noting(directory)
    with trail:
        run = trail.begin("one", ARN)
        for event in (an_intent(Operation.VERIFY_KEY), an_outcome(Operation.VERIFY_KEY)):
            run.record(event)
        assert _kinds(directory) == []
        run.record(an_end(OutcomeKind.UP_TO_DATE))
    assert _kinds(directory) == ["started", "intent", "done", "ended"]


def test_only_what_was_to_change_something_is_noted_on_the_secret(directory: Path) -> None:
    """A tag moves the date of change, and a secret that is held would be looked at again at once, over and over."""
    told: list[str] = []
    with replace(a_trail(directory), witness=lambda _arn, _noted, heads: told.extend(heads)) as trail:
        trail.begin("one", ARN).record(an_end(OutcomeKind.HELD))
        assert told == []
        run = trail.begin("one", ARN)
        for event in (an_intent(), an_outcome(), an_end(OutcomeKind.HELD)):
            run.record(event)
    assert [head.partition(":")[0] for head in told] == ["2"]


def test_what_another_process_met_is_answered(directory: Path) -> None:
    """A failure elsewhere is not the last word on a secret that this process finds well."""
    trail, clock = _noting(directory)
    with trail, a_trail(directory, ids="other", clock=clock) as other:
        trail.begin("one", ARN).record(an_end(OutcomeKind.UP_TO_DATE))
        other.begin("one", ARN).record(an_end(OutcomeKind.FAILED))
        for _ in range(2):
            trail.begin("one", ARN).record(an_end(OutcomeKind.UP_TO_DATE))
        last = DirectorySource(directory).last_outcomes({"one"})["one"]
    assert (last.result, len(_kinds(directory))) == ("up_to_date", 4)
