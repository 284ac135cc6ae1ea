"""The log of one process: one file, many runs and threads, and a new file from time to time."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.audit.directory import destination
from rotator.audit.directory.destination import FILE_MAX_AGE
from rotator.audit.record import EventKind
from rotator.audit.verify import Verdict
from rotator.model.errors import AuditUnavailableError
from tests.unit.audit.builders import (
    ARN,
    TickingClock,
    a_rotation,
    a_trail,
    an_end,
    an_intent,
    query,
    record_rotation,
    verify,
)


def test_nothing_is_made_before_the_first_run(directory: Path) -> None:
    """A process that has nothing to record leaves no file."""
    with a_trail(directory):
        assert list(directory.iterdir()) == []
    assert list(directory.iterdir()) == []


def test_a_run_is_on_disk_before_it_goes_on(directory: Path) -> None:
    """Each event can be read by others as soon as it was recorded."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        assert [r.kind for r in query(directory)] == [EventKind.STARTED]
        run.record(an_intent())
        assert [r.kind for r in query(directory)] == [EventKind.STARTED, EventKind.INTENT]
        assert {r.run_id for r in query(directory)} == {run.run_id}


def test_a_file_is_named_for_its_start_and_closed(directory: Path) -> None:
    """The file is private, its name says when it began, and its end takes `open` away."""
    with a_trail(directory) as trail:
        record_rotation(trail)
        (path,) = directory.glob("20261122T095329.000000Z-*.open.jsonl")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (closed,) = directory.iterdir()
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
        clock.now += FILE_MAX_AGE
        record_rotation(trail, "short")
        assert len(list(directory.glob("*.open.jsonl"))) == 2
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
    sizes = [path.stat().st_size for path in directory.iterdir()]
    assert len(sizes) == 2
    assert all(20_000 <= size < 40_000 for size in sizes)
    assert verify(directory).verdict is Verdict.INTACT


def test_a_file_that_was_removed_takes_no_more(directory: Path) -> None:
    """An event that would go into a deleted file is refused; the next run has a new one."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        (path,) = directory.iterdir()
        path.unlink()
        with pytest.raises(AuditUnavailableError, match="removed or changed"):
            run.record(an_intent())
        record_rotation(trail, "after")
    assert verify(directory).verdict is Verdict.INTACT


def test_a_file_that_was_cut_takes_no_more(directory: Path) -> None:
    """Truncation under a living process, as by copytruncate, stops its runs and is found."""
    with a_trail(directory) as trail:
        record_rotation(trail)
        run = trail.begin("uploader", ARN)
        (path,) = directory.iterdir()
        os.truncate(path, 10)
        with pytest.raises(AuditUnavailableError, match="removed or changed"):
            run.record(an_intent())
