"""What the versions of a bucket's objects tell `verify`: what was written over or deleted, and what was there first."""

from datetime import timedelta

import pytest

from rotator.audit.bucket import objects
from rotator.audit.chain import Chain
from rotator.audit.record import RunIdentity, Started
from rotator.audit.sources import Criteria
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from tests.unit.audit.bucket.wire import Wire, answer
from tests.unit.audit.builders import ARN, WRITER, Lines, TickingClock, a_rotation, an_end, record_rotation
from tests.unit.audit.media import BUCKET, PREFIX, InBucket

EVENTS = 1 + len(list(a_rotation()))
FIRSTS = [1, 4, 8]
"""The first event of each object of a rotation."""


@pytest.fixture
def keys(bucket: InBucket) -> list[str]:
    """Return the keys of one rotation, in order, in a bucket that keeps versions."""
    bucket.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    with bucket.trail() as trail:
        record_rotation(trail)
    return bucket.all_keys()


def _flaws(bucket: InBucket) -> list[tuple[Flaw, int | None]]:
    return [(found.flaw, found.sequence) for found in bucket.source.verify().findings]


def _another_run(bucket: InBucket) -> list[bytes]:
    """Return the lines of a flawless chain with the same run id that says something else."""
    sink = Lines()
    chain = Chain(RunIdentity("run-1", "uploader", ARN), WRITER, sink, TickingClock(bucket.clock.now))
    for entry in (Started(), an_end()):
        chain.add(entry)
    return sink.written


def test_an_untouched_bucket_is_intact(bucket: InBucket, keys: list[str]) -> None:
    """Where nothing was done to what was written, nothing is found, and versions were looked at."""
    bucket.clock.now += 2 * timedelta(hours=1)
    with bucket.trail("next") as trail:
        record_rotation(trail)
    report = bucket.source.verify()
    assert (report.findings, report.verdict, report.versions_unread) == ([], Verdict.INTACT, "")
    assert (report.events, report.files) == (2 * EVENTS, 2 * len(keys))


def test_a_deleted_object_is_named_and_still_judged(bucket: InBucket, keys: list[str]) -> None:
    """A delete marker is the only flaw, since the version below it is in its place in the chain."""
    bucket.delete(keys[1])
    report = bucket.source.verify()
    (finding,) = report.findings
    assert (finding.flaw, finding.sequence, finding.run_id) == (Flaw.DELETED, 4, "run-1")
    assert finding.file == f"s3://{BUCKET}/{PREFIX}{keys[1]}"
    assert (report.verdict, report.events) == (Verdict.BROKEN, EVENTS)


def test_a_deleted_run_is_found(bucket: InBucket, keys: list[str]) -> None:
    """A run of which every object was deleted, which leaves no trace in a listing, is found in full."""
    for key in keys:
        bucket.delete(key)
    assert bucket.all_keys() == []
    assert _flaws(bucket) == [(Flaw.DELETED, number) for number in FIRSTS]


def test_an_overwritten_object_is_judged_by_its_first_version(bucket: InBucket, keys: list[str]) -> None:
    """What was written over an event is found as such, and what it says is not what counts."""
    bucket.overwrite(keys[1], b"nothing of the kind\n")
    assert _flaws(bucket) == [(Flaw.OVERWRITTEN, 4)]
    bucket.overwrite(keys[1], b"again\n")
    (finding,) = bucket.source.verify().findings
    assert "3 versions" in finding.detail


def test_a_spoilt_first_version_is_found_below_a_sound_one(bucket: InBucket, keys: list[str]) -> None:
    """The oldest version is judged even where the latest one is as it should be."""
    line = bucket.lines()[keys[2], 0]
    copy = keys[2].replace("000008", "000099")
    bucket.overwrite(copy, b"spoilt\n")
    bucket.overwrite(copy, line)
    assert set(_flaws(bucket)) == {(Flaw.OVERWRITTEN, 99), (Flaw.NO_EVENT, 99)}


def test_a_run_that_was_replaced_is_found(bucket: InBucket, keys: list[str]) -> None:
    """A new chain under the same keys, after the old one was deleted, is flawless by itself, and does not pass."""
    for key in keys:
        bucket.delete(key)
    bucket.overwrite(keys[0], b"".join(_another_run(bucket)))
    found = _flaws(bucket)
    assert [number for flaw, number in found if flaw is Flaw.DELETED] == FIRSTS
    assert [number for flaw, number in found if flaw is Flaw.OVERWRITTEN] == [1]
    assert len(found) == len(FIRSTS) + 1


def test_a_version_that_was_deleted_below_its_marker_is_found(bucket: InBucket, keys: list[str]) -> None:
    """With only the marker left, the event is missing, and the marker says that it was deleted."""
    bucket.delete(keys[1])
    listed = bucket.client.list_object_versions(Bucket=BUCKET, Prefix=PREFIX + keys[1])
    bucket.client.delete_object(Bucket=BUCKET, Key=PREFIX + keys[1], VersionId=listed["Versions"][0]["VersionId"])
    assert set(_flaws(bucket)) >= {(Flaw.DELETED, 4), (Flaw.NO_EVENT, 4), (Flaw.OUT_OF_SEQUENCE, 8)}


def test_versions_of_one_object_may_lie_on_two_pages(
    bucket: InBucket, keys: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a listing is cut into pages, each object is told once."""
    for number in range(4):
        bucket.overwrite(keys[1], b"%d\n" % number)
    bucket.delete(keys[2])
    for size in (2, 3, 5):
        monkeypatch.setattr(objects, "PAGE", size)
        assert _flaws(bucket) == [(Flaw.OVERWRITTEN, 4), (Flaw.DELETED, 8)]


def test_the_pages_of_versions_are_limited(bucket: InBucket, keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A trail of too many versions is refused as a whole, not judged by a part of it."""
    monkeypatch.setattr(objects, "PAGE", len(keys) // 2)
    monkeypatch.setattr(objects, "PAGES_MAX", 1)
    with pytest.raises(AuditUnavailableError, match="more than 1 pages"):
        bucket.source.verify()


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (501, "NotImplemented")])
def test_versions_that_may_not_be_listed_are_no_flaw(
    bucket: InBucket, keys: list[str], wire: Wire, status: int, code: str
) -> None:
    """Without the right, or where there is no such call, the report says so, and objects are judged as they are."""
    wire.fault("ListObjectVersions", answer(status, code), times=3)
    report = bucket.source.verify()
    assert (report.findings, report.verdict, report.files) == ([], Verdict.INTACT, len(keys))
    assert "ListObjectVersions of s3://" in report.versions_unread


def test_a_version_that_may_not_be_read_is_told(bucket: InBucket, keys: list[str], wire: Wire) -> None:
    """Without the right to read versions, what was overwritten is found all the same, and judged as it is now."""
    bucket.overwrite(keys[2], bucket.bucket.get(keys[2]) or b"")
    wire.fault("GetObject", answer(403, "AccessDenied"), where="versionId=")
    report = bucket.source.verify()
    assert [found.flaw for found in report.findings] == [Flaw.OVERWRITTEN]
    assert "was denied" in report.versions_unread


def test_a_failure_to_list_versions_is_no_verdict(bucket: InBucket, keys: list[str], wire: Wire) -> None:
    """A listing that fails, rather than being refused, fails the verification."""
    assert keys
    wire.fault("ListObjectVersions", answer(503, "SlowDown"), times=3)
    with pytest.raises(AuditUnavailableError, match="ListObjectVersions"):
        bucket.source.verify()


def test_a_bucket_without_versions_is_no_flaw(bucket: InBucket) -> None:
    """Where no versions are kept, the report says that none were looked at."""
    with bucket.trail() as trail:
        record_rotation(trail)
    report = bucket.source.verify()
    assert (report.findings, report.verdict) == ([], Verdict.INTACT)
    assert report.versions_unread == "the bucket keeps no versions"


def test_ends_and_one_run_take_few_reads(bucket: InBucket, keys: list[str], wire: Wire) -> None:
    """How runs ended is read from one object of each; one run, or one secret, from its own objects."""
    with bucket.trail("other") as trail:
        record_rotation(trail, "another")
    since = bucket.clock.now - 2 * timedelta(hours=1)
    reads = wire.calls["GetObject"]
    assert len(bucket.source.endings(since)) == 2
    assert wire.calls["GetObject"] - reads == 2
    for criteria in (Criteria(run_id="run-1"), Criteria(secret="uploader")):
        reads = wire.calls["GetObject"]
        assert len(list(bucket.source.records(criteria))) == EVENTS
        assert wire.calls["GetObject"] - reads == len(keys)
