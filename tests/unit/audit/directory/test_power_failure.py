"""What a power failure leaves of a file: what was synced, and of the rest any part, each block by itself."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.audit.directory.ledger import DirectoryLedger
from rotator.audit.directory.recovery import Recovery
from rotator.audit.event import parse
from rotator.audit.record import PROOFS, EventKind, Record
from rotator.audit.verify import Verdict
from tests.unit.audit.builders import (
    ARN,
    OPEN_FILE,
    WRITER,
    RunIds,
    TickingClock,
    a_rotation,
    a_trail,
    as_is,
    chain_lines,
    query,
    record_rotation,
    verify,
)

LINES = chain_lines("run-1", list(a_rotation()))
SYNCED = {0: 3, 3: 7, 7: 9}
"""Lines that are durable before the first call that changes something, in it and in the second one; and the next."""
HOLE = 64


def _size(lines: int) -> int:
    return sum(map(len, LINES[:lines]))


def _torn(whole: bytes, at: int) -> bytes:
    return whole[:at]


def _zeroed(whole: bytes, at: int) -> bytes:
    return whole[:at] + b"\0" * (len(whole) - at)


def _with_a_hole(whole: bytes, at: int) -> bytes:
    return whole[:at] + b"\0" * len(whole[at : at + HOLE]) + whole[at + HOLE :]


def _with_lines_run_together(whole: bytes, at: int) -> bytes:
    return whole[:at] + whole[at:].replace(b"\n", b"\0", 1)


def _left_behind(directory: Path, content: bytes, ids: str = "new") -> list[Record]:
    """Let the next process close a file; return what is believed of it then."""
    path = directory / OPEN_FILE
    path.write_bytes(content)
    new_id = RunIds(ids)
    Recovery(directory, WRITER, TickingClock(), new_id, DirectoryLedger(directory, new_id, as_is)).recover()
    closed = path.with_name(path.name.replace(".open", ""))
    assert closed.read_bytes().startswith(content)
    at = 0
    records: list[tuple[int, Record]] = []
    for line in closed.read_bytes().splitlines(keepends=True):
        stored = parse(line)
        if stored and (torn := stored.record.torn):
            assert torn.offset is not None
            records = [(begins, record) for begins, record in records if begins < torn.offset]
        if stored:
            records.append((at, stored.record))
        at += len(line)
    return [record for _, record in records]


def _require_sound(directory: Path, synced: int, content: bytes) -> None:
    """Nothing that was durable is lost, each call that may have been made is named, and all of it verifies."""
    records = _left_behind(directory, content)
    report = verify(directory)
    assert report.findings == [], content[_size(synced) :]
    assert report.verdict in {Verdict.INTACT, Verdict.NOTHING}
    own = [record for record in records if record.run_id == "run-1" and record.kind is not EventKind.RECOVERED]
    assert len(own) >= synced
    answered = {record.call_uid for record in own if record.kind is EventKind.DONE}
    intents = [record for record in own if record.kind is EventKind.INTENT]
    named = {uid for record in records for uid in record.unanswered}
    assert named == {record.uid for record in intents} - answered
    effects = [r.uid for r in own[:synced] if r in intents and r.operation not in set(map(str, PROOFS))]
    assert set(effects) <= named | answered
    for path in directory.iterdir():
        path.unlink()


@pytest.mark.parametrize("synced", SYNCED)
@pytest.mark.parametrize("loss", [_torn, _zeroed, _with_a_hole, _with_lines_run_together])
def test_what_was_synced_survives_and_the_rest_is_accounted_for(
    directory: Path, loss: Callable[[bytes, int], bytes], synced: int
) -> None:
    """However the rest is lost, at places spread over each batch."""
    whole = b"".join(LINES[: SYNCED[synced]])
    for at in range(_size(synced), len(whole) + 1, 331):
        _require_sound(directory, synced, loss(whole, at))


@pytest.mark.slow
@pytest.mark.parametrize("synced", SYNCED)
def test_every_byte_of_a_torn_batch(directory: Path, synced: int) -> None:
    """Wherever the disk stopped."""
    whole = b"".join(LINES[: SYNCED[synced]])
    for at in range(_size(synced), len(whole) + 1):
        _require_sound(directory, synced, _torn(whole, at))


def test_runs_behind_a_hole_are_not_believed(directory: Path) -> None:
    """What another run wrote behind the first unreadable byte is part of the remains, however whole it looks."""
    other = chain_lines("run-2", list(a_rotation()))
    content = b"".join(LINES[:4]) + b"\0" * 10 + b"".join(LINES[4:6] + other[:5])
    records = _left_behind(directory, content)
    assert {record.run_id for record in records if record.kind is EventKind.RECOVERED} == {"run-1"}
    (repair,) = [record.torn for record in records if record.torn]
    assert (repair.offset, repair.length) == (_size(4), len(content) - _size(4))
    assert verify(directory).verdict is Verdict.INTACT
    forged = next(directory.glob("*.jsonl"))
    for changed in (forged.read_bytes().replace(b"\0", b" ", 1), forged.read_bytes().replace(b"\0", b"", 1)):
        forged.write_bytes(changed)
        assert verify(directory).verdict is Verdict.BROKEN


def test_a_second_failure_is_accounted_for_by_itself(directory: Path) -> None:
    """A process that died while it closed what another one had left leaves two parts, each with its repair."""
    torn = b"".join(LINES[:3]) + LINES[3][:50]
    _left_behind(directory, torn)
    (closed,) = directory.glob("*.jsonl")
    once = closed.read_bytes()
    closed.unlink()
    (directory / ".ledger").unlink()
    records = _left_behind(directory, once[: once.rindex(b'{"activity_id') + 40], "newer")
    assert [record.torn is not None for record in records].count(True) == 2
    assert verify(directory).verdict is Verdict.INTACT


def test_a_process_that_is_killed_loses_no_line(directory: Path) -> None:
    """What was written is there for the next process, synced or not."""
    crashed = a_trail(directory)
    run = crashed.begin("uploader", ARN)
    events = list(a_rotation())
    for event in events[:4]:
        run.record(event)
    crashed.close()
    with a_trail(directory, ids="next") as trail:
        record_rotation(trail)
    kinds = [record.kind.value for record in query(directory) if record.run_id == run.run_id]
    assert kinds == ["started", "decided", "intent", "done", "intent", "recovered"]
