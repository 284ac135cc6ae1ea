"""A trail in two places: each line in at least one, and neither with a gap."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import zip_longest
from pathlib import Path

import pytest

from rotator.audit.bucket.destination import BucketDestination
from rotator.audit.directory.destination import DirectoryDestination
from rotator.audit.directory.source import DirectorySource
from rotator.audit.locations import TrailLocations
from rotator.audit.record import EventKind
from rotator.audit.sources import Criteria, Source, last_outcomes_of, records_of, verify_all
from rotator.audit.trail import PAUSE, AuditTrail, Destination
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Operation
from tests.unit.audit.builders import (
    ARN,
    WRITER,
    RunIds,
    a_rotation,
    an_end,
    an_intent,
    an_outcome,
    chain_lines,
    record_rotation,
    verify,
)
from tests.unit.audit.media import BUCKET, InBucket

EVENTS = 1 + len(list(a_rotation()))
LONG = timedelta(hours=1)


class Both:
    """A directory and a bucket, and what is heard of losses."""

    def __init__(self, directory: Path, bucket: InBucket) -> None:
        self.directory, self.bucket = directory, bucket
        self.lost: list[str] = []

    def trail(self, ids: str = "run") -> AuditTrail:
        """Return the audit log of a process that records in both."""
        clock, new_id = self.bucket.clock, RunIds(ids)
        to: list[Destination] = [
            DirectoryDestination(self.directory, WRITER, clock=clock, new_id=new_id),
            BucketDestination(self.bucket.bucket, WRITER, clock=clock),
        ]
        return AuditTrail(to, WRITER, clock=clock, new_id=new_id, on_loss=lambda e: self.lost.append(e.message))

    @property
    def sources(self) -> Sequence[Source]:
        """What it is read from."""
        return DirectorySource(self.directory), self.bucket.source

    def verdicts(self) -> list[Verdict]:
        """Return what each place by itself comes to."""
        return [source.verify().verdict for source in self.sources]


@pytest.fixture
def both(directory: Path, bucket: InBucket) -> Both:
    """Return two empty places."""
    return Both(directory, bucket)


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
    (path,) = both.directory.iterdir()
    assert b"".join(both.bucket.lines().values()) == path.read_bytes()
    assert both.verdicts() == [Verdict.INTACT, Verdict.INTACT]
    assert both.lost == []


def test_a_record_in_both_is_shown_once(both: Both) -> None:
    """What is read from both is one trail, in the order of time."""
    with both.trail() as trail:
        first, second = record_rotation(trail, "one"), record_rotation(trail, "two")
    records = list(records_of(both.sources, Criteria()))
    assert [r.run_id for r in records] == [first] * EVENTS + [second] * EVENTS
    assert last_outcomes_of(both.sources, ["one", "never"])["one"].run_id == first


def test_a_place_that_is_down_stops_nothing(both: Both) -> None:
    """Without the bucket the directory has it all, somebody is told, and it is left alone a while."""
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
    """What was left alone a while may be well again, and a run needs one place only."""
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
        (path,) = both.directory.iterdir()
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
        (path,) = both.directory.iterdir()
        path.unlink()
        _break(both.bucket)
        for _ in range(2):
            with pytest.raises(AuditUnavailableError):
                run.record(an_intent(Operation.PROMOTE))
        both.directory.chmod(0o777)
        with pytest.raises(AuditUnavailableError):
            trail.begin("uploader", ARN)
    assert both.lost == []


def test_each_place_is_judged_by_itself(both: Both) -> None:
    """A change in one of them is found there, and the other one still tells the truth."""
    with both.trail() as trail:
        record_rotation(trail)
    both.bucket.put((both.bucket.all_keys()[4], 0), b"")
    assert both.verdicts() == [Verdict.INTACT, Verdict.BROKEN]
    assert both.bucket.source.verify().findings[0].flaw is Flaw.OUT_OF_SEQUENCE


def test_a_run_that_was_rewritten_in_one_place_is_found(both: Both) -> None:
    """A whole new chain without a flaw of its own contradicts the one in the other place."""
    with both.trail() as trail:
        rewritten, other = record_rotation(trail), record_rotation(trail)
    keys = [key for key in both.bucket.all_keys() if rewritten in key]
    story = chain_lines(rewritten, [an_end()], both.bucket.clock)
    for key, line in zip_longest(keys, story, fillvalue=b""):
        both.bucket.put((str(key), 0), line)
    assert both.verdicts() == [Verdict.INTACT, Verdict.INTACT]
    here, there = verify_all(both.sources)
    assert here.verdict is Verdict.INTACT
    assert [(f.flaw, f.run_id) for f in there.findings] == [(Flaw.CONTRADICTED, rewritten)]
    assert other in there.chains


@pytest.mark.parametrize("with_bucket", [True, False])
def test_places_are_what_is_configured(both: Both, *, with_bucket: bool) -> None:
    """A bucket alone, or a directory alone, is a whole trail."""
    place = TrailLocations(
        None if with_bucket else both.directory, both.bucket.bucket if with_bucket else None, both.bucket.clock
    )
    new_id = RunIds()
    with AuditTrail(place.destinations(WRITER, new_id), WRITER, clock=place.clock, new_id=new_id) as trail:
        record_rotation(trail)
    (source,) = place.sources()
    assert source.verify().events == EVENTS
