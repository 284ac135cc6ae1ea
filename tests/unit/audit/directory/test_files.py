"""A trail that cannot be written stops everything before any effect."""

import fcntl
import os
import resource
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rotator.audit.directory import files
from rotator.audit.directory.files import AuditFile, audit_files, reading
from rotator.audit.sources import Criteria
from rotator.audit.verify import Verdict
from rotator.model.errors import AuditUnavailableError
from tests.unit.audit.builders import (
    ARN,
    START,
    a_finished_file,
    a_rotation,
    a_trail,
    an_intent,
    an_outcome,
    query,
    record_rotation,
    verify,
)

MOUNT, UNMOUNT, SLEEP = (shutil.which(name) or "false" for name in ("mount", "umount", "sleep"))


WRITE = os.write


def _mount(*options: str) -> bool:
    return subprocess.run([MOUNT, *options], check=False, capture_output=True).returncode == 0


def _unmount(directory: Path) -> None:
    subprocess.run([UNMOUNT, str(directory)], check=True)


def _limit_files(bytes_max: int) -> None:
    """Limit the size of the files that this process writes; -1 removes the limit."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_max, hard))


@dataclass
class SmallDisk:
    """A directory with little room, and how to give it more."""

    directory: Path
    grow: Callable[[], object]


@pytest.fixture
def small_disk(directory: Path) -> Iterator[SmallDisk]:
    """Return a directory with 64 KiB: a small file system, or a limit on this process's files."""
    if _mount("-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(directory)):
        yield SmallDisk(directory, lambda: _mount("-o", "remount,size=1m", str(directory)))
        _unmount(directory)
    else:
        _limit_files(65_536)
        yield SmallDisk(directory, lambda: _limit_files(resource.RLIM_INFINITY))
        _limit_files(resource.RLIM_INFINITY)


@pytest.fixture
def read_only(directory: Path) -> Iterator[Path]:
    """Return a directory that takes no writes, also from root."""
    a_finished_file(directory)
    if _mount("--bind", str(directory), str(directory)):
        assert _mount("-o", "remount,bind,ro", str(directory))
        yield directory
        _unmount(directory)
    else:
        _limit_files(0)
        yield directory
        _limit_files(resource.RLIM_INFINITY)


def test_a_full_disk_stops_before_the_effect(small_disk: SmallDisk) -> None:
    """Without room an intent is refused, and with room again all that was written verifies."""
    trail = a_trail(small_disk.directory)
    acknowledged = 0
    with pytest.raises(AuditUnavailableError, match=r"No space|too large") as refused:  # noqa: PT012 - any of these
        for _ in range(100):
            run = trail.begin("uploader", ARN)
            acknowledged += 1
            for event in a_rotation():
                run.record(event)
                acknowledged += 1
    assert "space" in refused.value.next_step
    with pytest.raises(AuditUnavailableError):
        run.record(an_intent())

    small_disk.grow()
    record_rotation(trail, "after")
    trail.close()

    report = verify(small_disk.directory)
    assert report.findings == []
    assert (report.verdict, len(report.cut_short)) == (Verdict.INTACT, 1)
    others = [r for r in query(small_disk.directory, Criteria(secret="uploader")) if r.operation != "RecoverRun"]
    assert len(others) == acknowledged


def test_a_read_only_directory_stops_before_the_effect(read_only: Path) -> None:
    """Nothing begins where no file can be made."""
    with pytest.raises(AuditUnavailableError, match="cannot be written"):
        a_trail(read_only).begin("uploader", ARN).record(an_intent())


def test_a_missing_directory_names_the_command(tmp_path: Path) -> None:
    """The error of a missing directory says how to make it, and nothing makes it unasked."""
    missing = tmp_path / "not here"
    with pytest.raises(AuditUnavailableError) as refused:
        a_trail(missing).begin("uploader", ARN)
    assert f"`install -d -m 0700 '{missing}'`" in refused.value.next_step
    assert not missing.exists()


def test_a_link_or_a_file_is_no_directory(directory: Path, tmp_path: Path) -> None:
    """Neither a symbolic link nor a file will do."""
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to(directory)
    file.touch()
    for path in (link, file):
        with pytest.raises(AuditUnavailableError, match="not a directory"):
            a_trail(path).begin("uploader", ARN)
    assert list(audit_files(directory)) == []


@pytest.mark.parametrize("mode", [0o770, 0o702])
def test_a_directory_open_to_others_is_refused(directory: Path, mode: int) -> None:
    """A directory that a group or everybody may write to is not used, and the remedy is named."""
    directory.chmod(mode)
    with pytest.raises(AuditUnavailableError, match="others may write") as refused:
        a_trail(directory).begin("uploader", ARN)
    assert "chmod 0700" in refused.value.next_step


def test_a_directory_of_another_user_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory of another user is not used: its owner could not close our files."""
    owner = directory.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with pytest.raises(AuditUnavailableError, match=f"belongs to user id {owner}"):
        a_trail(directory).begin("uploader", ARN)


def test_a_path_through_a_file_is_refused(tmp_path: Path) -> None:
    """An impossible path is our error, not the operating system's."""
    (tmp_path / "file").touch()
    with pytest.raises(AuditUnavailableError, match="Not a directory"):
        a_trail(tmp_path / "file" / "audit").begin("uploader", ARN)


def _write_nothing(_fd: int, _data: bytes) -> int:
    raise OSError(28, "No space left on device")


def _write_a_part(fd: int, data: bytes) -> int:
    return WRITE(fd, data[:50])


def test_a_failed_sync_breaks_the_file(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the disk does not confirm a line, it and all later ones of that file are refused."""

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        with monkeypatch.context() as broken:
            broken.setattr(files, "sync_data", fail)
            with pytest.raises(AuditUnavailableError, match="Input/output error"):
                run.record(an_intent())
        with pytest.raises(AuditUnavailableError):
            run.record(an_intent())
        record_rotation(trail, "after")
    assert (verify(directory).verdict, len(verify(directory).cut_short)) == (Verdict.INTACT, 1)


def test_a_broken_file_keeps_its_open_name(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that failed is never given a final name by the process that broke it."""
    file = AuditFile.create(directory, START)
    monkeypatch.setattr(os, "write", _write_nothing)
    with pytest.raises(AuditUnavailableError):
        file.append(b"line\n")
    file.close()
    assert list(audit_files(directory)) == [file.path]


def test_threads_that_wait_share_a_sync(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines written while the disk was busy become durable together."""
    file = AuditFile.create(directory, START)
    go_on = threading.Event()
    syncs: list[int] = []

    def slow(fd: int) -> None:
        syncs.append(fd)
        go_on.wait(10)

    monkeypatch.setattr(files, "sync_data", slow)
    threads = [threading.Thread(target=file.append, args=(b"line\n",)) for _ in range(6)]
    for thread in threads:
        thread.start()
    while file.size < 6 * len(b"line\n"):
        assert threads[-1].is_alive()
    go_on.set()
    for thread in threads:
        thread.join()
    assert len(syncs) == 2
    file.close()


def test_a_sync_that_failed_for_another_is_not_believed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that was written while another's sync failed is refused, though its own would pass."""
    file = AuditFile.create(directory, START)
    syncing, go_on = threading.Event(), threading.Event()
    refused: list[AuditUnavailableError] = []

    def fail_once(_: int) -> None:
        monkeypatch.setattr(files, "sync_data", os.fsync)
        syncing.set()
        go_on.wait(10)
        raise OSError(5, "Input/output error")

    def append(line: bytes) -> None:
        try:
            file.append(line)
        except AuditUnavailableError as error:
            refused.append(error)

    monkeypatch.setattr(files, "sync_data", fail_once)
    first = threading.Thread(target=append, args=(b"first\n",))
    first.start()
    assert syncing.wait(10)
    second = threading.Thread(target=append, args=(b"second\n",))
    second.start()
    while file.size < len(b"first\nsecond\n"):
        assert second.is_alive()
    go_on.set()
    first.join()
    second.join()
    assert len(refused) == 2


@pytest.mark.parametrize("write", [_write_nothing, _write_a_part])
def test_a_failed_write_breaks_the_file(
    directory: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[int, bytes], int]
) -> None:
    """A line that was not written whole is refused, and closed off when the next file is made."""
    with a_trail(directory) as trail:
        run = trail.begin("uploader", ARN)
        run.record(an_intent())
        with monkeypatch.context() as broken:
            broken.setattr(os, "write", write)
            with pytest.raises(AuditUnavailableError, match=r"No space|only a part"):
                run.record(an_outcome())
        record_rotation(trail, "after")
    report = verify(directory)
    assert report.findings == []
    assert (report.verdict, len(report.cut_short)) == (Verdict.INTACT, 1)


def test_a_child_that_outlives_us_does_not_hold_the_file(directory: Path) -> None:
    """The descriptor is not inherited: the lock of a process dies with it."""
    trail = a_trail(directory)
    trail.begin("uploader", ARN).record(an_intent())
    with subprocess.Popen([SLEEP, "60"]) as child:
        trail.close()
        with a_trail(directory, ids="next") as following:
            record_rotation(following)
        assert len(verify(directory).cut_short) == 1
        child.send_signal(signal.SIGKILL)


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_directory_without_locks_is_refused(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no lock can be had nothing begins, and no descriptor is lost."""
    (directory / "20261122T095328Z-0123456789.open.jsonl").touch()

    def refuse(_fd: int, _kind: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = _descriptors()
    with pytest.raises(AuditUnavailableError, match="No locks"):
        AuditFile.create(directory, START)
    with pytest.raises(AuditUnavailableError, match="No locks"):
        a_trail(directory).begin("uploader", ARN)
    assert _descriptors() == before


def test_a_file_that_is_gone_cannot_be_adopted(directory: Path) -> None:
    """Two processes that look at once: the later one finds the file closed, and goes on."""
    assert AuditFile.adopt(directory / "20261122T095328Z-0123456789.open.jsonl") is None


def test_a_file_that_is_closed_meanwhile_is_not_adopted(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that another process closes between our look and our lock is left alone."""
    closed = a_finished_file(directory)
    seen = closed.with_name(closed.name.replace(".jsonl", ".open.jsonl"))
    closed.rename(seen)
    lock = fcntl.flock

    def lock_late(fd: int, kind: int) -> None:
        seen.rename(closed)
        lock(fd, kind)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    before = _descriptors()
    assert AuditFile.adopt(seen) is None
    assert _descriptors() == before


def test_a_file_is_found_under_its_final_name(directory: Path) -> None:
    """A reader that saw the open name reads on when the file was closed meanwhile."""
    closed = a_finished_file(directory)
    seen = closed.with_name(closed.name.replace(".jsonl", ".open.jsonl"))
    with reading(seen) as stream:
        assert stream.read() == closed.read_bytes()
