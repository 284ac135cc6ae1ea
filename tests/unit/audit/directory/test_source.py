"""Looking things up in an audit directory, and what verification makes of its files."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from rotator.audit.chain import Chain
from rotator.audit.directory import source
from rotator.audit.directory.files import audit_files
from rotator.audit.directory.ledger import NAME
from rotator.audit.directory.sieve import Sieve
from rotator.audit.directory.source import DirectorySource
from rotator.audit.record import EventKind, Record, Repaired, RunIdentity
from rotator.audit.sources import Criteria
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.plan import OutcomeKind
from tests.unit.audit.builders import (
    ARN,
    KEY,
    OPEN_FILE,
    START,
    WRITER,
    TickingClock,
    a_finished_file,
    a_rotation,
    a_trail,
    an_end,
    an_intent,
    an_outcome,
    chain_lines,
    flaws_in,
    query,
    record_rotation,
    verify,
)
from tests.unit.audit.builders import Lines as Sink

EVENTS = 1 + len(list(a_rotation()))


def test_a_query_finds_by_each_criterion(directory: Path) -> None:
    """Secret, run, key and time each narrow what is found, alone and together."""
    with a_trail(directory) as trail:
        first = record_rotation(trail, "one")
        record_rotation(trail, "two")
    records = list(query(directory))
    assert len(records) == 2 * EVENTS
    assert [r.sequence for r in query(directory, Criteria(secret="one"))] == list(range(1, EVENTS + 1))
    assert {r.secret for r in query(directory, Criteria(run_id=first))} == {"one"}
    assert {r.operation for r in query(directory, Criteria(key_id=KEY))} == {
        "CreateApiKey",
        "VerifyApiKey",
        "Promote",
        "EndRun",
    }
    assert [r.operation for r in query(directory, Criteria(key_id="old-key", secret="two"))] == ["EndRun"]
    middle = records[EVENTS].time
    assert {r.secret for r in query(directory, Criteria(until=middle))} == {"one"}
    assert {r.secret for r in query(directory, Criteria(since=middle))} == {"two"}
    assert list(query(directory, Criteria(secret="three"))) == []


def test_a_query_reads_on_over_spoilt_lines(directory: Path) -> None:
    """A line that is not an event hides none of the others."""
    path = a_finished_file(directory)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"spoilt\n" + b"".join(rest))
    assert len(list(query(directory))) == EVENTS


def test_a_query_reads_what_is_being_written(directory: Path) -> None:
    """Files of living processes are read, finished or not, in the order they began."""
    a_finished_file(directory, "finished")
    with a_trail(directory, ids="later", clock=TickingClock(START + timedelta(days=1))) as trail:
        trail.begin("running", ARN).record(an_intent())
        assert [r.secret for r in query(directory)] == ["finished"] * EVENTS + ["running"] * 2


def test_a_link_is_an_error(directory: Path, tmp_path: Path) -> None:
    """A symbolic link is not followed, and not passed over in silence."""
    (tmp_path / "elsewhere").write_bytes(b"")
    (directory / "20270101T000000Z-0123456789.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditUnavailableError, match="cannot be read"):
        list(query(directory))
    with pytest.raises(AuditUnavailableError, match="cannot be read"):
        DirectorySource(directory).last_outcomes(["uploader"])


def _record_end(directory: Path, secret: str, outcome: OutcomeKind, now: datetime) -> Path:
    """Record a short run in a file of its own, last written at `now`."""
    before = set(audit_files(directory))
    with a_trail(directory, ids=f"{now}", clock=TickingClock(now)) as trail:
        trail.begin(secret, ARN).record(an_end(outcome))
    (made,) = set(audit_files(directory)) - before
    os.utime(made, (now.timestamp() + 5, now.timestamp() + 5))
    return made


def test_the_last_outcome_is_the_latest_of_all_files(directory: Path) -> None:
    """However files and secrets are mixed, each secret shows its latest end."""
    for hours, secret, outcome in (
        (0, "one", OutcomeKind.FAILED),
        (1, "two", OutcomeKind.WAITING),
        (2, "one", OutcomeKind.ROTATED),
        (3, "three", OutcomeKind.HELD),
    ):
        _record_end(directory, secret, outcome, START + timedelta(hours=hours))
    found = DirectorySource(directory).last_outcomes(["one", "two", "never"])
    assert {name: record.result for name, record in found.items()} == {"one": "rotated", "two": "waiting"}


def test_old_files_are_not_read_for_the_last_outcome(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once every secret is found, files that were written to earlier stay closed."""
    for hours in range(5):
        newest = _record_end(directory, "one", OutcomeKind.UP_TO_DATE, START + timedelta(hours=hours))
    read: list[Path] = []
    records = source._records

    def watched(path: Path, sieve: Sieve) -> Iterator[Record]:
        read.append(path)
        return records(path, sieve)

    monkeypatch.setattr(source, "_records", watched)
    assert DirectorySource(directory).last_outcomes(["one"])["one"].time > START + timedelta(hours=4)
    assert read == [newest]


def test_a_file_that_began_earlier_may_have_the_later_outcome(directory: Path) -> None:
    """A daemon's old file beats a newer file of the command line, if it was written to later."""
    clock = TickingClock(START)
    with a_trail(directory, ids="daemon", clock=clock) as daemon:
        run = daemon.begin("one", ARN)
        _record_end(directory, "one", OutcomeKind.FAILED, START + timedelta(hours=1))
        clock.now = START + timedelta(hours=2)
        run.record(an_end(OutcomeKind.ROTATED))
        assert DirectorySource(directory).last_outcomes(["one"])["one"].result == "rotated"


def test_a_file_that_was_written_to_last_may_have_an_older_outcome(directory: Path) -> None:
    """What the first file says of a secret counts only until a later end of it turns up."""
    clock = TickingClock(START)
    with a_trail(directory, ids="daemon", clock=clock) as daemon:
        daemon.begin("one", ARN).record(an_end(OutcomeKind.FAILED))
        _record_end(directory, "one", OutcomeKind.ROTATED, START + timedelta(hours=1))
        clock.now = START + timedelta(hours=2)
        daemon.begin("two", ARN).record(an_end(OutcomeKind.FAILED))
        assert DirectorySource(directory).last_outcomes(["one"])["one"].result == "rotated"


def test_an_interrupted_run_is_the_last_outcome(directory: Path) -> None:
    """A run that was cut off and closed by a later process shows as such."""
    crashed = a_trail(directory)
    crashed.begin("one", ARN).record(an_intent())
    crashed.close()
    with a_trail(directory, ids="next") as trail:
        record_rotation(trail, "two")
    assert DirectorySource(directory).last_outcomes(["one"])["one"].kind is EventKind.RECOVERED


ROTATION = list(a_rotation())
LINES = chain_lines("run-1", ROTATION)
Lines = list[bytes]


def test_an_empty_directory_proves_nothing(directory: Path) -> None:
    """No event is no flaw, and not intact either; files of other kinds are passed over."""
    (directory / "lost+found").mkdir()
    (directory / "README").touch()
    assert (verify(directory).verdict, verify(directory).files) == (Verdict.NOTHING, 0)


def test_a_repair_of_nothing_is_found(directory: Path) -> None:
    """An event that names remains where there are none was made up, or they were taken away."""
    with_remains = [*LINES, b"torn\n"]
    sink = Sink()
    digest = sha256(with_remains[-1]).hexdigest()
    repair = Chain(RunIdentity("run-9", "", ""), WRITER, sink, TickingClock())
    repair.add(Repaired(len(with_remains[-1]), digest, len(b"".join(LINES))))
    assert flaws_in(directory, [*with_remains, *sink.written]) == []
    assert flaws_in(directory, [*LINES, *sink.written]) == [(Flaw.NO_EVENT, len(LINES) + 1, None)]


def test_a_run_in_two_files_is_found(directory: Path) -> None:
    """A copied file is found by the runs in it."""
    path = a_finished_file(directory)
    shutil.copy(path, directory / "20270101T000000Z-0123456789.jsonl")
    assert [found.flaw for found in verify(directory).findings] == [Flaw.REPEATED_RUN]


def test_a_dead_process_is_no_tampering(directory: Path) -> None:
    """A file that its process left open is unfinished, with any kind of last line."""
    name = OPEN_FILE
    for tail in ([], [LINES[4][:50]], [LINES[4].rstrip()]):
        found = flaws_in(directory, [*LINES[:4], *tail], name)
        assert {flaw for flaw, _, _ in found} == {Flaw.UNFINISHED}
        assert verify(directory).verdict is Verdict.UNFINISHED


def test_a_living_process_is_in_progress(directory: Path) -> None:
    """Runs that are under way are counted, not found fault with."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        record_rotation(trail)
        report = verify(directory)
        assert (report.verdict, report.in_progress, report.runs) == (Verdict.INTACT, 1, 2)
        run.record(an_outcome())
        run.record(an_end())
    assert (verify(directory).verdict, verify(directory).in_progress) == (Verdict.INTACT, 0)


def test_tampering_with_a_living_file_is_found(directory: Path) -> None:
    """That a process still writes excuses no change to what it wrote."""
    with a_trail(directory) as trail:
        record_rotation(trail)
        (path,) = audit_files(directory)
        path.write_bytes(path.read_bytes().replace(b"AGED_OUT", b"AGED-OUT"))
        assert verify(directory).verdict is Verdict.BROKEN


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_open_to_others_is_not_trusted(directory: Path, mode: int) -> None:
    """A file that others may write to proves nothing, so its run counts as missing."""
    a_finished_file(directory).chmod(mode)
    assert [found.flaw for found in verify(directory).findings] == [Flaw.UNTRUSTED_FILE, Flaw.MISSING_RUN]


def test_a_directory_open_to_others_is_not_trusted(directory: Path) -> None:
    """Where others may rename and remove, the files prove little."""
    a_finished_file(directory)
    directory.chmod(0o770)
    assert [found.flaw for found in verify(directory).findings] == [Flaw.UNTRUSTED_FILE]


def test_links_and_folders_are_not_read(directory: Path, tmp_path: Path) -> None:
    """A symbolic link, a folder or a pipe with the name of a file is found, and not read."""
    path = a_finished_file(directory)
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    (directory / "20270101T000000Z-0123456789.jsonl").mkdir()
    os.mkfifo(directory / "20270102T000000Z-0123456789.jsonl")
    report = verify(directory)
    assert [found.flaw for found in report.findings] == [Flaw.UNTRUSTED_FILE] * 3 + [Flaw.MISSING_RUN]
    assert report.runs == 0


def test_a_missing_directory_is_our_error(tmp_path: Path) -> None:
    """Nothing can be said of a directory that is not there."""
    with pytest.raises(AuditUnavailableError, match="cannot be read"):
        verify(tmp_path / "missing")


def test_a_removed_file_is_missed(directory: Path) -> None:
    """The ledger lists the run that was in it; without the ledger as well, nothing is verified."""
    a_finished_file(directory).unlink()
    report = verify(directory)
    assert (report.verdict, [one.flaw for one in report.findings]) == (Verdict.BROKEN, [Flaw.MISSING_RUN])
    (directory / NAME).unlink()
    assert verify(directory).verdict is Verdict.NOTHING


def test_a_cut_file_under_an_open_name_does_not_pass_for_a_crash(directory: Path) -> None:
    """A file cut short and renamed is that of a process that died, but for the ledger."""
    path = a_finished_file(directory)
    lines = path.read_bytes().splitlines(keepends=True)
    path.unlink()
    (directory / OPEN_FILE).write_bytes(b"".join(lines[:-2]))
    assert [one.flaw for one in verify(directory).findings] == [Flaw.UNFINISHED, Flaw.NOT_AS_LISTED]


def test_a_cut_file_without_a_ledger_looks_like_a_crash(directory: Path) -> None:
    """Without the ledger a file cut short and renamed cannot be told from that of a process that died."""
    found = flaws_in(directory, LINES[:4], OPEN_FILE)
    assert {flaw for flaw, _, _ in found} == {Flaw.UNFINISHED}
