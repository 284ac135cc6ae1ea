"""What verification makes of the objects of a bucket."""

import pytest

from rotator.audit.bucket.destination import QUIET_MAX
from rotator.audit.record import EventKind
from rotator.audit.sources import Criteria
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from tests.unit.audit.bucket.wire import Wire, answer
from tests.unit.audit.builders import a_rotation, record_rotation
from tests.unit.audit.media import BUCKET, PREFIX, InBucket

EVENTS = 1 + len(list(a_rotation()))


def test_a_missing_end_among_later_runs_is_no_crash(bucket: InBucket) -> None:
    """A run that any later one would have closed was cut, and verification says so."""
    with bucket.trail() as trail:
        cut = record_rotation(trail)
        for _ in range(2):
            bucket.clock.now += 2 * QUIET_MAX
            record_rotation(trail)
    last = [place for place in bucket.lines() if cut in place[0]][-1]
    bucket.put(last, b"")
    finding, listed = bucket.source.verify().findings
    assert (finding.flaw, finding.run_id, finding.sequence) == (Flaw.NO_END, cut, EVENTS - 1)
    assert (listed.flaw, listed.run_id) == (Flaw.NOT_AS_LISTED, cut)
    assert finding.file.startswith(f"s3://{BUCKET}/{PREFIX}uploader/")


def test_a_missing_line_break_is_found(bucket: InBucket) -> None:
    """Of every object."""
    with bucket.trail() as trail:
        record_rotation(trail)
    keys = bucket.all_keys()
    for key in keys:
        bucket.overwrite(key, (bucket.bucket.get(key) or b"").rstrip())
    report = bucket.source.verify()
    assert [found.flaw for found in report.findings] == len(keys) * [Flaw.ALTERED]
    assert report.verdict is Verdict.BROKEN


def test_a_copied_run_is_found(bucket: InBucket) -> None:
    """Neither under another secret nor as another run does a copy pass."""
    with bucket.trail() as trail:
        record_rotation(trail)
    for old, new in (("uploader/", "another/"), ("-run-1/", "-run-2/")):
        copies = {key.replace(old, new): bucket.bucket.get(key) or b"" for key in bucket.all_keys()}
        for key, content in copies.items():
            bucket.overwrite(key, content)
        assert {found.flaw for found in bucket.source.verify().findings} >= {Flaw.REPEATED_RUN, Flaw.OUT_OF_SEQUENCE}
        for key in copies:
            bucket.delete(key)


def test_foreign_objects_are_passed_over(bucket: InBucket) -> None:
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
