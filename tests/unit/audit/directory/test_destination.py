"""The file of a process: many runs and threads, a new one from time to time; and what the next process makes of it."""

import os
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from rotator.audit.directory import destination, files
from rotator.audit.directory.destination import FILE_MAX_AGE
from rotator.audit.directory.files import audit_files
from rotator.audit.directory.ledger import DirectoryLedger
from rotator.audit.directory.recovery import Recovery
from rotator.audit.event import parse
from rotator.audit.record import EventKind
from rotator.audit.verify import Flaw, Verdict
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Event, Operation
from tests.unit.audit.builders import (
    ARN,
    WRITER,
    RunIds,
    TickingClock,
    a_finished_file,
    a_rotation,
    a_trail,
    an_end,
    an_intent,
    an_outcome,
    as_is,
    chain_lines,
    query,
    record_rotation,
    verify,
)


def test_nothing_is_made_before_the_first_run(directory: Path) -> None:
    """A process that has nothing to record leaves no file."""
    with a_trail(directory):
        assert list(audit_files(directory)) == []
    assert list(audit_files(directory)) == []


def test_a_run_can_be_read_from_its_first_effect_on(directory: Path) -> None:
    """Before it nothing is there; from then on each event can be read as soon as it was recorded."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        assert query(directory) == []
        run.record(an_intent())
        assert [r.kind for r in query(directory)] == [EventKind.STARTED, EventKind.INTENT]
        run.record(an_outcome())
        assert [r.kind for r in query(directory)] == [EventKind.STARTED, EventKind.INTENT, EventKind.DONE]
        assert {r.run_id for r in query(directory)} == {run.run_id}


def test_a_file_is_named_for_its_start_and_closed(directory: Path) -> None:
    """The file is private, its name says when it began, and its end takes `open` away."""
    with a_trail(directory) as trail:
        record_rotation(trail)
        (path,) = directory.glob("20261122T095333.000000Z-*.open.jsonl")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (closed,) = audit_files(directory)
    assert closed.name == path.name.replace(".open", "")


def test_eight_threads_share_a_file(directory: Path) -> None:
    """Runs of eight threads are interleaved in one file, and each chain is whole."""
    with a_trail(directory) as trail, ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda n: record_rotation(trail, f"secret-{n}"), range(48)))
    report = verify(directory)
    assert report.findings == []
    assert (report.verdict, report.files, report.runs) == (Verdict.INTACT, 1, 48)
    assert report.events == 48 * (1 + len(list(a_rotation())))
    assert {r.run_id for r in query(directory)} == set(ids)


def test_a_new_day_has_a_new_file(directory: Path) -> None:
    """Later runs begin a new file; a run that goes on stays in its own, which then closes."""
    clock = TickingClock()
    with a_trail(directory, clock=clock) as trail:
        long = trail.begin("long", ARN)
        long.record(an_intent())
        clock.now += FILE_MAX_AGE
        record_rotation(trail, "short")
        assert len(list(directory.glob("*.open.jsonl"))) == 2
        long.record(an_outcome())
        long.record(an_end())
        assert len(list(directory.glob("*.open.jsonl"))) == 1
        clock.now += FILE_MAX_AGE + timedelta(hours=1)
        record_rotation(trail, "later")
        assert len(list(directory.glob("*.open.jsonl"))) == 1
    report = verify(directory)
    assert (report.verdict, report.files, report.runs) == (Verdict.INTACT, 3, 3)


def test_a_large_file_is_followed_by_another(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that has reached its size takes no new runs."""
    monkeypatch.setattr(destination, "FILE_MAX_BYTES", 20_000)
    with a_trail(directory) as trail:
        for _ in range(4):
            record_rotation(trail)
    sizes = [path.stat().st_size for path in audit_files(directory)]
    assert len(sizes) == 2
    assert all(20_000 <= size < 40_000 for size in sizes)
    assert verify(directory).verdict is Verdict.INTACT


def test_a_file_that_was_removed_takes_no_more(directory: Path) -> None:
    """An event that would go into a deleted file is refused; the next run has a new one."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        (path,) = audit_files(directory)
        path.unlink()
        with pytest.raises(AuditUnavailableError, match="removed or changed"):
            run.record(an_outcome())
        record_rotation(trail, "after")
    assert verify(directory).verdict is Verdict.INTACT


def test_a_file_that_was_cut_takes_no_more(directory: Path) -> None:
    """Truncation under a living process, as by copytruncate, stops its runs and is found."""
    with a_trail(directory) as trail:
        record_rotation(trail)
        run = trail.begin("uploader", ARN)
        (path,) = audit_files(directory)
        os.truncate(path, 10)
        with pytest.raises(AuditUnavailableError, match="removed or changed"):
            run.record(an_intent())


ROOT = Path(__file__).parents[4]
Spawn = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def spawn(directory: Path) -> Iterator[Spawn]:
    """Return a way to start processes that wait for a line before they record."""
    with ExitStack() as stack:

        def start(ids: str, *, runs: int, ending: str) -> subprocess.Popen[str]:
            module = "tests.unit.audit.process"
            process = subprocess.Popen(
                [sys.executable, "-m", module, str(directory), ids, str(runs), ending],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.enter_context(process)
            stack.callback(process.kill)
            return process

        yield start


def _go(*processes: subprocess.Popen[str]) -> None:
    """Let processes record at the same time, and wait until they have."""
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        assert process.stdout
        assert process.stdout.readline() == "done\n"


def _kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()


def test_a_killed_process_is_closed_by_the_next(directory: Path, spawn: Spawn) -> None:
    """After kill -9 each run that was under way ends in a recovery that names its last call."""
    doomed = spawn("doomed", runs=2, ending="hang")
    _go(doomed)
    alive = verify(directory)
    assert (alive.verdict, alive.in_progress, alive.runs) == (Verdict.INTACT, 2, 4)

    _kill(doomed)
    left = verify(directory)
    assert left.verdict is Verdict.UNFINISHED
    assert {finding.flaw for finding in left.findings} == {Flaw.UNFINISHED}
    assert [finding.sequence for finding in left.findings] == [2, 4]

    with a_trail(directory, ids="next") as trail:
        record_rotation(trail)
    after = verify(directory)
    assert (after.verdict, after.runs, len(after.cut_short)) == (Verdict.INTACT, 5, 2)
    last = {r.secret: r for r in query(directory) if r.kind is EventKind.RECOVERED}
    assert "may have happened: CreateApiKey" in last["creating"].detail
    assert "may have happened: Promote" in last["promoting"].detail
    assert not list(directory.glob("*.open.jsonl"))


def test_two_processes_recover_each_run_once(directory: Path, spawn: Spawn) -> None:
    """The process that takes the lock closes a dead one's runs; they are not closed twice."""
    for number in range(4):
        doomed = spawn(f"doomed{number}", runs=0, ending="hang")
        _go(doomed)
        _kill(doomed)

    _go(*(spawn(f"next{number}", runs=3, ending="close") for number in range(2)))

    report = verify(directory)
    assert report.findings == []
    assert (report.verdict, report.runs, len(report.cut_short)) == (Verdict.INTACT, 14, 8)


def test_two_processes_write_at_once(directory: Path, spawn: Spawn) -> None:
    """Each process has a file of its own, and both verify."""
    _go(*(spawn(f"process{number}", runs=10, ending="close") for number in range(2)))
    report = verify(directory)
    assert (report.verdict, report.files, report.runs) == (Verdict.INTACT, 2, 20)


LINES = chain_lines("run-1", list(a_rotation()))


def recover(directory: Path) -> None:
    """Close what dead processes left."""
    new_id = RunIds("new")
    Recovery(directory, WRITER, TickingClock(), new_id, DirectoryLedger(directory, new_id, as_is)).recover()


def _recover(directory: Path, content: bytes) -> bytes:
    """Return what becomes of a dead process's file."""
    (directory / "20261122T095328Z-0123456789.open.jsonl").write_bytes(content)
    recover(directory)
    return (directory / "20261122T095328Z-0123456789.jsonl").read_bytes()


@pytest.mark.parametrize("cut", range(0, len(b"".join(LINES[:4])) + 1, 97))
def test_a_file_cut_anywhere_recovers(directory: Path, cut: int) -> None:
    """Wherever a crash stopped the writing, the closed file keeps every byte and verifies."""
    content = b"".join(LINES)[:cut]
    recovered = _recover(directory, content)
    assert recovered.startswith(content)
    report = verify(directory)
    assert report.findings == []
    assert report.verdict is (Verdict.INTACT if recovered else Verdict.NOTHING)


def test_remains_of_a_write_are_named(directory: Path) -> None:
    """The torn last line stays, and an event with its length and digest follows it."""
    torn = LINES[2][:100] + b"\n"
    recovered = _recover(directory, b"".join(LINES[:2]) + torn[:-1])
    assert recovered.startswith(b"".join(LINES[:2]) + torn)
    repaired, run_recovered = recovered.splitlines()[3:]
    assert b'"length":101' in repaired
    assert sha256(torn).hexdigest().encode() in repaired
    assert b'"chain_uid":"run-1"' in run_recovered


@pytest.mark.parametrize(
    ("events", "unanswered"),
    [
        ([], ()),
        ([an_intent()], ("run-1.2",)),
        ([an_intent(), an_outcome()], ()),
        ([an_intent(), an_intent(Operation.PROMOTE)], ("run-1.2", "run-1.3")),
    ],
    ids=["started", "called", "answered", "called-twice"],
)
def test_each_call_without_an_outcome_is_named(
    directory: Path, events: list[Event], unanswered: tuple[str, ...]
) -> None:
    """A recovery names the calls whose outcome is unknown, if there are any."""
    recovered = parse(_recover(directory, b"".join(chain_lines("run-1", events))).splitlines()[-1])
    assert recovered
    assert recovered.record.unanswered == unanswered
    assert ("no call was under way" in recovered.record.detail) is not bool(unanswered)


def test_only_the_line_break_is_missing(directory: Path) -> None:
    """A last line that lacks only its line break is an event like any other."""
    recovered = _recover(directory, b"".join(LINES).rstrip(b"\n"))
    assert recovered == b"".join(LINES)
    assert verify(directory).verdict is Verdict.INTACT


def test_a_recovery_that_died_is_recovered(directory: Path) -> None:
    """Remains of the repair itself count as remains, together with those it was about."""
    torn = LINES[2][:100] + b"\n"
    once = _recover(directory, b"".join(LINES[:2]) + torn)
    (directory / "20261122T095328Z-0123456789.jsonl").unlink()
    half = once[: len(b"".join(LINES[:2]) + torn) + 50]
    _recover(directory, half)
    report = verify(directory)
    assert report.findings == []
    assert (report.verdict, len(report.cut_short)) == (Verdict.INTACT, 1)


def test_recovery_hides_no_tampering(directory: Path) -> None:
    """A line that is spoilt in a file with an open name looks like a crash, and the ledger has the run all the same."""
    path = a_finished_file(directory)
    spoilt = path.read_bytes().replace(b"CreateApiKey", b"\0" * 12, 1)
    path.unlink()
    recovered = _recover(directory, spoilt)
    assert b'"repaired"' in recovered
    flaws = {finding.flaw for finding in verify(directory).findings}
    assert flaws == {Flaw.NOT_AS_LISTED, Flaw.LEDGER}


def test_finished_files_are_left_alone(directory: Path) -> None:
    """Recovery neither reads nor changes a file that has its final name."""
    path = a_finished_file(directory)
    path.write_bytes(b"not even JSON")
    with a_trail(directory, ids="next") as trail:
        record_rotation(trail)
    assert path.read_bytes() == b"not even JSON"


def test_an_older_file_is_never_overwritten(directory: Path) -> None:
    """If the final name is taken, both files stay, and verification says so."""
    path = a_finished_file(directory)
    content = path.read_bytes()
    copy = path.with_name(path.name.replace(".jsonl", ".open.jsonl"))
    copy.write_bytes(content)
    recover(directory)
    assert (path.read_bytes(), copy.read_bytes()) == (content, content)
    assert {finding.flaw for finding in verify(directory).findings} == {Flaw.REPEATED_RUN}


def test_a_file_that_cannot_be_read_stops_everything(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk does not give back what a dead process wrote, nothing begins."""

    def fail(_: object) -> Iterator[bytes]:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as failing:
        failing.setattr(files, "lines", fail)
        with pytest.raises(AuditUnavailableError, match="Input/output error"):
            _recover(directory, LINES[0])
    assert verify(directory).verdict is Verdict.UNFINISHED


def test_a_link_in_place_of_a_file_stops_everything(directory: Path, tmp_path: Path) -> None:
    """A symbolic link among the open files is not followed, and nothing begins."""
    target = tmp_path / "target"
    target.write_bytes(b"")
    (directory / "20261122T095328Z-0123456789.open.jsonl").symlink_to(target)
    with pytest.raises(AuditUnavailableError):
        a_trail(directory).begin("uploader", ARN)
    assert target.read_bytes() == b""


def test_closing_in_the_middle_of_a_run_is_a_crash(directory: Path) -> None:
    """A log that is closed while a run goes on leaves it to the next process."""
    trail = a_trail(directory)
    run = trail.begin("uploader", ARN)
    run.record(an_intent())
    trail.close()
    with pytest.raises(AuditUnavailableError):
        run.record(an_intent())
    assert verify(directory).verdict is Verdict.UNFINISHED
    with a_trail(directory, ids="next") as following:
        record_rotation(following)
    assert (verify(directory).verdict, len(verify(directory).cut_short)) == (Verdict.INTACT, 1)
