"""The ledger: no whole run goes missing, is added, replaced or moved to another place without a finding."""

import json
import shutil
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.audit.attestation import canonical
from rotator.audit.bucket.ledger import FOLDER, BucketLedger, entry_key
from rotator.audit.bucket.source import BucketSource
from rotator.audit.directory.files import audit_files
from rotator.audit.directory.ledger import NAME, DirectoryLedger
from rotator.audit.directory.source import DirectorySource
from rotator.audit.ledger import Entry, Listing, first, parse_entry
from rotator.audit.verify import Flaw, Terms, Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.plan import OutcomeKind
from tests.unit.audit.builders import (
    ARN,
    RunIds,
    TickingClock,
    a_finished_file,
    a_trail,
    an_end,
    an_intent,
    an_outcome,
    as_is,
    chain_lines,
    record_rotation,
    verify,
)
from tests.unit.audit.media import InBucket

LISTING = Listing("run-1", "uploader", 9, "ab" * 32, 1_795_341_208_000)


def entries(directory: Path) -> list[Entry]:
    """Return what the ledger of a directory holds."""
    found = [parse_entry(line) for line in (directory / NAME).read_bytes().splitlines(keepends=True)]
    return [entry for entry in found if entry]


def several(directory: Path, count: int = 3) -> list[Path]:
    """Return files of processes that made a rotation each."""
    clock = TickingClock()
    for number in range(count):
        with a_trail(directory, ids=f"p{number}", clock=clock) as trail:
            record_rotation(trail)
    return audit_files(directory)


def flaws(directory: Path) -> set[Flaw]:
    """Return what verification finds."""
    return {found.flaw for found in verify(directory).findings}


def test_each_run_that_did_something_is_listed(directory: Path) -> None:
    """In the order of their ends, by number; a run that found nothing to do is not."""
    with a_trail(directory) as trail:
        done = record_rotation(trail)
        idle = trail.begin("uploader", ARN)
        idle.record(an_end(OutcomeKind.UP_TO_DATE))
        held = trail.begin("other", ARN)
        held.record(an_end(OutcomeKind.HELD))
    listed = entries(directory)
    assert [(one.number, one.listing.run_id, one.listing.secret) for one in listed] == [
        (1, done, "uploader"),
        (2, held.run_id, "other"),
    ]
    assert listed[1].prev == listed[0].hash
    report = verify(directory)
    assert (report.verdict, report.listed, report.head) == (Verdict.INTACT, 2, listed[1].head)


def test_entry_is_read_as_it_was_written() -> None:
    """A line is an entry if it is exactly what its content is written as."""
    entry = first("place", LISTING).next(LISTING)
    line = entry.line()
    assert parse_entry(line) == entry
    stored = json.loads(line)
    for changed in ({"number": 3}, {"hash": "0" * 64}, {"more": 1}, {"place": None}):
        assert parse_entry(canonical({**stored, **changed}) + b"\n") is None
    assert parse_entry(b"[]\n") is None
    assert parse_entry(line.rstrip()) is None
    assert parse_entry(b"\xff\n") is None


@pytest.mark.parametrize("which", [0, 1, 2])
def test_missing_file_is_found(directory: Path, which: int) -> None:
    """The oldest, one in the middle and the newest."""
    several(directory)[which].unlink()
    report = verify(directory)
    assert (report.verdict, {one.flaw for one in report.findings}) == (Verdict.BROKEN, {Flaw.MISSING_RUN})


def test_files_that_were_moved_away_are_accounted_for_by_a_time(directory: Path) -> None:
    """With `since`, runs that ended before need not be there; later ones do."""
    paths = several(directory)
    second = entries(directory)[1].listing.time_ms
    since = TickingClock().now + timedelta(milliseconds=second - 1000 * int(TickingClock().now.timestamp()))
    paths[0].unlink()
    assert DirectorySource(directory).verify(Terms(since)).verdict is Verdict.INTACT
    paths[1].unlink()
    assert DirectorySource(directory).verify(Terms(since)).verdict is Verdict.BROKEN


def test_emptied_file_is_found(directory: Path) -> None:
    """A file without a line is no proof of anything."""
    several(directory)[1].write_bytes(b"")
    assert Flaw.MISSING_RUN in flaws(directory)


def test_swapped_content_is_found_or_changes_nothing(directory: Path) -> None:
    """Which file a run lies in says nothing, so a swap is no harm; the runs are those that are listed."""
    one, two, _ = several(directory)
    first_content, second_content = one.read_bytes(), two.read_bytes()
    one.write_bytes(second_content)
    two.write_bytes(first_content)
    assert verify(directory).verdict is Verdict.INTACT
    two.write_bytes(second_content)
    assert flaws(directory) >= {Flaw.MISSING_RUN, Flaw.REPEATED_RUN}


def test_file_of_another_place_is_found(directory: Path, tmp_path: Path) -> None:
    """Its runs say that a ledger lists them, and that of this place does not."""
    several(directory)
    other = tmp_path / "other"
    other.mkdir(mode=0o700)
    with a_trail(other, ids="elsewhere") as trail:
        record_rotation(trail)
    (path,) = audit_files(other)
    shutil.copy(path, directory)
    assert flaws(directory) == {Flaw.UNLISTED}


def test_rewritten_run_is_found(directory: Path) -> None:
    """A new chain without a flaw of its own ends in another fingerprint than the one that is listed."""
    with a_trail(directory) as trail:
        run_id = record_rotation(trail)
    (path,) = audit_files(directory)
    path.unlink()
    forged = a_trail(directory / "forged", ids=run_id.rpartition("-")[0])
    (directory / "forged").mkdir(mode=0o700)
    with forged:
        assert record_rotation(forged, "another") == run_id
    (made,) = audit_files(directory / "forged")
    made.rename(path)
    assert flaws(directory) == {Flaw.NOT_AS_LISTED}


@pytest.mark.parametrize("change", ["cut", "first", "middle", "edit", "swap", "none"])
def test_tampering_with_the_ledger_is_found(directory: Path, change: str) -> None:
    """Cut, shortened at the front, thinned, edited, reordered, removed."""
    several(directory)
    path = directory / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    stored = json.loads(lines[1])
    forged = Entry(stored["place"], 2, stored["prev"], Listing("run-x", "uploader", 9, "ab" * 32, stored["time"]))
    path.write_bytes(
        b"".join(
            {
                "cut": lines[:2],
                "first": lines[1:],
                "middle": [lines[0], lines[2]],
                "edit": [lines[0], forged.line(), lines[2]],
                "swap": [lines[1], lines[0], lines[2]],
                "none": [],
            }[change]
        )
    )
    report = verify(directory)
    assert report.verdict is Verdict.BROKEN
    assert {one.flaw for one in report.findings} & {Flaw.LEDGER, Flaw.UNLISTED}


@pytest.mark.parametrize("cut", [1, 40, -1])
def test_torn_entry_is_accounted_for_by_the_next(directory: Path, cut: int) -> None:
    """A process died while it added an entry: it is unfinished, and the next entry says what stands above it."""
    several(directory, 2)
    path = directory / NAME
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[1][:cut])
    assert Flaw.UNFINISHED in flaws(directory)
    ledger = DirectoryLedger(directory, RunIds("id"), as_is)
    entry = ledger.add(LISTING)
    made_up = {Flaw.MISSING_RUN}
    if cut == -1:  # nothing but its line break was missing
        assert (entry.number, entry.torn) == (3, None)
        assert flaws(directory) == made_up
    else:
        assert entry.torn is not None
        assert (entry.number, entry.torn.length) == (2, cut + 1)
        assert flaws(directory) == made_up | {Flaw.UNLISTED}


def test_run_that_was_not_listed_before_its_process_died_is_listed_by_the_next(directory: Path) -> None:
    """The end is recorded, and the process dies before the ledger has it: no run is lost, and none is listed twice."""
    with a_trail(directory) as trail:
        record_rotation(trail)
    (path,) = audit_files(directory)
    (directory / NAME).unlink()
    path.rename(path.with_name(path.name.replace(".jsonl", ".open.jsonl")))
    assert flaws(directory) == {Flaw.UNFINISHED}
    several(directory, 1)
    assert (verify(directory).verdict, len(entries(directory))) == (Verdict.INTACT, 2)


def test_ledger_that_cannot_be_written_loses_no_run(directory: Path) -> None:
    """The run is recorded, the loss is told, and a later run lists it."""
    lost: list[str] = []
    trail = a_trail(directory)
    object.__setattr__(trail, "on_loss", lambda error: lost.append(error.message))
    with trail:
        (directory / NAME).mkdir()
        record_rotation(trail)
        assert len(lost) == 1
        (directory / NAME).rmdir()
        record_rotation(trail)
    assert [one.listing.run_id for one in entries(directory)] == ["run-1", "run-2"]
    assert verify(directory).verdict is Verdict.INTACT


def test_process_that_never_could_list_leaves_it_to_the_next(directory: Path) -> None:
    """Its file stays open, so that the next process sees what is missing."""
    with a_trail(directory) as trail:
        (directory / NAME).mkdir()
        record_rotation(trail)
    (directory / NAME).rmdir()
    assert verify(directory).verdict is Verdict.UNFINISHED
    several(directory, 1)
    assert (verify(directory).verdict, len(entries(directory))) == (Verdict.INTACT, 2)


def test_ledger_that_does_not_end_in_an_entry_is_not_added_to(directory: Path) -> None:
    """Where much more than one entry was torn off, somebody else wrote there."""
    several(directory, 1)
    with (directory / NAME).open("ab") as file:
        file.write(b"x" * 100_000)
    with pytest.raises(AuditUnavailableError, match="it does not end in an entry"):
        DirectoryLedger(directory, RunIds(), as_is).add(LISTING)


def test_ledger_that_cannot_be_added_to_stops_no_later_run(directory: Path) -> None:
    """A file whose run could not be listed stays for the next process, and new runs are recorded meanwhile."""
    for number in range(2):
        with a_trail(directory, ids=f"q{number}") as trail:
            (directory / NAME).mkdir(exist_ok=True)
            record_rotation(trail)
    (directory / NAME).rmdir()
    several(directory, 1)
    assert (verify(directory).verdict, len(entries(directory))) == (Verdict.INTACT, 3)


# In a bucket


def test_writers_that_race_for_a_number_get_one_each(bucket: InBucket) -> None:
    """A number that another process took is passed over for the next one."""
    one, two = (BucketLedger(bucket.bucket, RunIds(prefix), as_is) for prefix in ("a", "b"))
    listings = [replace(LISTING, run_id=f"run-{number}") for number in range(4)]
    numbers = [ledger.add(listing).number for ledger, listing in zip((one, two, one, two), listings, strict=True)]
    assert numbers == [1, 2, 3, 4]
    report = bucket.source.verify()
    assert {found.flaw for found in report.findings} == {Flaw.MISSING_RUN}
    assert report.listed == 4


def test_missing_entry_and_missing_run_of_a_bucket_are_found(bucket: InBucket) -> None:
    """A run's objects, an entry in the middle, and the newest entry."""
    with bucket.trail() as trail:
        runs = [record_rotation(trail) for _ in range(3)]
    assert bucket.source.verify().verdict is Verdict.INTACT
    kept = bucket.bucket.get(entry_key(2)) or b""
    bucket.put((entry_key(2), 0), b"")
    assert Flaw.LEDGER in {found.flaw for found in bucket.source.verify().findings}
    bucket.put((entry_key(2), 0), b"nonsense\n")
    assert Flaw.LEDGER in {found.flaw for found in bucket.source.verify().findings}
    bucket.put((entry_key(2), 0), kept)
    for key in bucket.all_keys():
        if runs[1] in key:
            bucket.delete(key)
    assert [(f.flaw, f.run_id) for f in bucket.source.verify().findings] == [(Flaw.MISSING_RUN, runs[1])]


def test_entry_that_is_none_stops_the_ledger_of_a_bucket(bucket: InBucket) -> None:
    """Nothing is added after what another program wrote; the run itself is recorded."""
    with bucket.trail() as trail:
        record_rotation(trail)
    bucket.put((entry_key(2), 0), b"nonsense\n")
    with pytest.raises(AuditUnavailableError, match="not as rotator wrote it"):
        BucketLedger(bucket.bucket, RunIds(), as_is).add(LISTING)
    assert bucket.bucket.url(FOLDER).endswith("/.ledger/")


def test_run_of_a_bucket_whose_process_died_before_listing_is_listed_by_the_next(bucket: InBucket) -> None:
    """Once a minute has passed; a run that is listed already is not listed again."""
    with bucket.trail() as trail:
        record_rotation(trail)
    bucket.put((entry_key(1), 0), b"")
    assert {found.flaw for found in bucket.source.verify().findings} == {Flaw.UNFINISHED}
    bucket.clock.now += timedelta(minutes=20)
    for prefix in ("next", "after"):
        with bucket.trail(prefix) as trail:
            record_rotation(trail)
        bucket.clock.now += timedelta(minutes=20)
    report = bucket.source.verify()
    assert (report.verdict, report.listed) == (Verdict.INTACT, 3)


def test_run_that_ends_while_a_bucket_is_read_is_looked_for_once_more(
    bucket: InBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry is not among those that were read first, and it is no finding."""
    with bucket.trail() as trail:
        record_rotation(trail)
        real = BucketSource._judged_ledger

        def read_then_end(self: BucketSource, *args: Any) -> Any:  # noqa: ANN401 - as it is given
            judge = real(self, *args)
            record_rotation(trail, "another")
            return judge

        monkeypatch.setattr(BucketSource, "_judged_ledger", read_then_end)
        assert (bucket.source.verify().findings, bucket.source.verify().listed) == ([], 2)


def test_intent_alone_makes_a_run_one_that_did_something(directory: Path) -> None:
    """A run that tried something and found then that nothing was due is listed."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        run.record(an_end(OutcomeKind.UP_TO_DATE))
    assert [one.listing.run_id for one in entries(directory)] == [run.run_id]


@pytest.mark.parametrize(("year", "more"), [(2099, [Flaw.NOT_AS_LISTED]), (2000, [])])
def test_the_last_end_of_a_run_is_compared(directory: Path, year: int, more: list[Flaw]) -> None:
    """A run that is told twice, and ends in two ways, ends as it is told last."""
    a_finished_file(directory)
    path = directory / f"{year}0101T000000Z-0123456789.jsonl"
    path.write_bytes(b"".join(chain_lines("run-1", [an_intent(), an_outcome(), an_end()])))
    path.chmod(0o600)
    assert [finding.flaw for finding in verify(directory).findings] == [Flaw.REPEATED_RUN, *more]


def test_head_that_is_noted_while_a_directory_is_read_is_looked_for_once_more(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that began with a head of that time is no finding; one with a head that never was is."""
    with a_trail(directory) as trail:
        record_rotation(trail)
        real = DirectorySource._judged_ledger

        def read_then_go_on(self: DirectorySource, *args: Any) -> Any:  # noqa: ANN401 - as it is given
            judge = real(self, *args)
            record_rotation(trail, "another")
            newest = entries(directory)[-1]
            for head in (f"{newest.head}@{newest.place}", *wrong):
                trail.begin("uploader", ARN, head).record(an_intent())
            return judge

        monkeypatch.setattr(DirectorySource, "_judged_ledger", read_then_go_on)
        wrong: list[str] = []
        assert DirectorySource(directory).verify().findings == []
        place = entries(directory)[0].place
        wrong += [f"9:{'0' * 16}@{place}", f"{'9' * 17}:{'0' * 16}@{place}", f"0:{'0' * 16}@{place}"]
        found = DirectorySource(directory).verify().findings
    assert [finding.flaw for finding in found] == [Flaw.NOT_REACHED] * 3
