"""What a process that died leaves behind, and what the next one makes of it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

import pytest

from rotator.audit.directory import files
from rotator.audit.directory.destination import recover
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
    an_intent,
    an_outcome,
    chain_lines,
    query,
    record_rotation,
    verify,
)

ROOT = Path(__file__).parents[3]
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
    assert "CreateApiKey, has no known outcome" in last["creating"].detail
    assert "Promote, has no known outcome" in last["promoting"].detail
    assert not list(directory.glob("*.open.jsonl"))


def test_two_processes_recover_each_run_once(directory: Path, spawn: Spawn) -> None:
    """Whoever takes the lock closes a dead process's runs; nobody closes them twice."""
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


def _recover(directory: Path, content: bytes) -> bytes:
    """Return what becomes of a dead process's file."""
    (directory / "20261122T095328Z-0123456789.open.jsonl").write_bytes(content)
    recover(directory, WRITER, TickingClock(), RunIds("new"))
    return (directory / "20261122T095328Z-0123456789.jsonl").read_bytes()


@pytest.mark.parametrize("cut", range(0, len(b"".join(LINES[:4])) + 1, 97))
def test_a_file_cut_anywhere_recovers(directory: Path, cut: int) -> None:
    """Wherever a crash stopped the writing, the closed file keeps every byte and verifies."""
    content = b"".join(LINES)[:cut]
    recovered = _recover(directory, content)
    assert recovered.startswith(content)
    report = verify(directory)
    assert report.findings == []
    assert report.verdict is Verdict.INTACT


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
        ([], ""),
        ([an_intent()], "run-1.2"),
        ([an_intent(), an_outcome()], ""),
        ([an_intent(), an_intent(Operation.PROMOTE)], "run-1.3"),
    ],
    ids=["started", "called", "answered", "called-twice"],
)
def test_the_last_call_without_an_outcome_is_named(directory: Path, events: list[Event], unanswered: str) -> None:
    """A recovery says which call nobody knows the outcome of, if there is one."""
    recovered = parse(_recover(directory, b"".join(chain_lines("run-1", events))).splitlines()[-1])
    assert recovered
    assert recovered.record.unanswered == unanswered
    assert ("no call was under way" in recovered.record.detail) is (unanswered == "")


def test_only_the_line_break_is_missing(directory: Path) -> None:
    """A last line that is whole but for its line break is an event like any other."""
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
    """A line that was spoilt in the middle of a dead process's file is still found."""
    recovered = _recover(directory, LINES[0] + b"spoilt\n" + LINES[2])
    assert b'"repaired"' not in recovered
    flaws = {finding.flaw for finding in verify(directory).findings}
    assert Flaw.NO_EVENT in flaws


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
    recover(directory, WRITER, TickingClock(), RunIds("new"))
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
