"""The files of an audit directory: private, and one JSON Lines file per process.

A file is `<UTC start>-<10 hex>.open.jsonl` while its process lives, which holds an flock on it; it is renamed to `<UTC
start>-<10 hex>.jsonl` once every run in it has ended. An open file without a lock is that of a process that died. Files
are appended to and renamed, never truncated, overwritten or removed.

Lines are durable when `append` returns, if that was asked: one write, then fdatasync, which takes every earlier line
along; threads that wait for the disk at the same time share one. Any failure in between breaks the file for good: what
reached the disk is unknown. What cannot be written or read raises AuditUnavailableError.

POSIX only, and a local file system: flock and fsync are not dependable on every network file system.
"""

import fcntl
import hashlib
import os
import secrets
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Lock
from typing import BinaryIO

from rotator.audit.event import LINE_MAX_BYTES
from rotator.audit.record import Repaired
from rotator.model.errors import AuditUnavailableError

OPEN_SUFFIX = ".open.jsonl"
SUFFIX = ".jsonl"
_STAMP = "%Y%m%dT%H%M%S.%fZ"
_NO_FILE = "not a regular file"
_FOREIGN_WRITE = stat.S_IWGRP | stat.S_IWOTH
_APPEND = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
_PROBE_BYTES = 16_384
"""More than the events of one run."""
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
sync_data = getattr(os, "fdatasync", os.fsync)


def require_private(directory: Path) -> None:
    """Make sure that the audit directory is there, ours, and closed to others."""
    quoted = shlex.quote(str(directory))
    with writing(directory):
        try:
            found = directory.lstat()
        except FileNotFoundError:
            raise AuditUnavailableError(
                f"the audit directory {directory} does not exist",
                next_step=f"Run `install -d -m 0700 {quoted}` as the user that runs rotator, then `rotator run`.",
            ) from None
    if not stat.S_ISDIR(found.st_mode):
        raise AuditUnavailableError(
            f"{directory} is not a directory",
            next_step="Let `[audit] directory` name a directory, not a file or a symbolic link.",
        )
    if found.st_uid != os.geteuid():
        raise AuditUnavailableError(
            f"the audit directory {directory} belongs to user id {found.st_uid}, but rotator runs as {os.geteuid()}",
            next_step=f"Run rotator as user id {found.st_uid}, or change the directory's owner.",
        )
    if found.st_mode & _FOREIGN_WRITE:
        raise AuditUnavailableError(
            f"others may write into the audit directory {directory}",
            next_step=f"Run `chmod 0700 {quoted}`, then `rotator audit verify`.",
        )


def probe(directory: Path) -> None:
    """Make sure that a record could be made durable now, without making one."""
    require_private(directory)
    path = directory / f"probe-{secrets.token_hex(5)}.new"
    with writing(path):
        fd = os.open(path, _APPEND | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            write_whole(fd, bytes(_PROBE_BYTES))
            sync_data(fd)
        finally:
            os.close(fd)
            path.unlink()


def audit_files(directory: Path) -> list[Path]:
    """Return the audit files of a directory, oldest first."""
    with opening(directory):
        found = {path for path in directory.iterdir() if path.name.endswith(SUFFIX)}
    # A file that is renamed during the listing may show under both names.
    gone = {path for path in found if _closed(path) in found and not os.path.lexists(path)}
    return sorted(found - gone, key=lambda path: _closed(path).name)


def is_open_name(path: Path) -> bool:
    """Return whether a file's name says that its process has not finished it."""
    return path.name.endswith(OPEN_SUFFIX)


def began_at(path: Path) -> datetime | None:
    """Return the time in a file's name: that of its first event which had to be durable; None if there is none."""
    stamp = path.name.partition("-")[0]
    for form in (_STAMP, "%Y%m%dT%H%M%SZ"):
        with suppress(ValueError):
            return datetime.strptime(stamp, form).replace(tzinfo=UTC)
    return None


def written_at(path: Path) -> datetime:
    """Return when a file was last written to, also if its process closes and renames it just now.

    The clock of a file system may be behind that of the process, whose time is in the name.
    """
    with opening(path):
        try:
            found = path.lstat()
        except FileNotFoundError:
            found = _closed(path).lstat()
        if not stat.S_ISREG(found.st_mode):
            raise OSError(0, _NO_FILE)
        written = datetime.fromtimestamp(found.st_mtime, UTC)
        return max(written, began_at(path) or written)


@contextmanager
def reading(path: Path) -> Iterator[BinaryIO]:
    """Open an audit file to read it."""
    with opening(path), opened(path) as stream:
        yield stream


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open an audit file to read it, also if its process closes and renames it just now.

    Raises OSError if it cannot be opened, or is a symbolic link or not a file.
    """
    try:
        fd = os.open(path, _READ)
    except FileNotFoundError:
        fd = os.open(_closed(path), _READ)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, _NO_FILE)
    with os.fdopen(fd, "rb") as stream:
        yield stream


@dataclass(slots=True)
class Remains:
    """Lines in a row from one on that is not an event: what a crash left, which nothing is believed of."""

    offset: int
    """Where they begin in the file."""
    length: int = 0
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def add(self, line: bytes) -> None:
        """Take a line in."""
        self.length += len(line)
        self._digest.update(line)

    @property
    def repair(self) -> Repaired:
        """The entry that accounts for them."""
        return Repaired(self.length, self._digest.hexdigest(), self.offset)

    def are_accounted_for(self, torn: Repaired | None) -> bool:
        """Tell whether this entry, which stands below them, accounts for them."""
        return torn is not None and torn in {self.repair, replace(self.repair, offset=None)}


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file with their line breaks, none longer than the limit."""
    while line := stream.readline(LINE_MAX_BYTES):
        yield line


def is_writable_by_others(target: int | Path) -> bool:
    """Return whether anyone except its owner may write to a file or a directory."""
    return bool(os.stat(target).st_mode & _FOREIGN_WRITE)  # noqa: PTH116 - a descriptor has no Path


def has_live_writer(stream: BinaryIO) -> bool:
    """Return whether a living process has a file open to write to it."""
    if not lock(stream.fileno(), fcntl.LOCK_SH):
        return True
    # A process that would recover the file in this very instant leaves it to the next one.
    fcntl.flock(stream.fileno(), fcntl.LOCK_UN)
    return False


class AuditFile:
    """One file that this process appends to, under its lock. Safe to use from several threads."""

    def __init__(self, fd: int, path: Path) -> None:
        self.path = path
        self.broken = False
        self.size = os.fstat(fd).st_size
        self._fd = fd
        self._synced = 0
        self._writing = Lock()
        self._syncing = Lock()

    @classmethod
    def create(cls, directory: Path, now: datetime) -> "AuditFile":
        """Make a new file, durably."""
        stamp = now.astimezone(UTC).strftime(_STAMP)
        path = directory / f"{stamp}-{secrets.token_hex(5)}{OPEN_SUFFIX}"
        # It is locked before it has a name that others would take for that of a dead process.
        unlocked = path.with_suffix(".new")
        with writing(path):
            fd = os.open(unlocked, _APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            with _closing_on_error(fd):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                unlocked.rename(path)
                sync_directory(directory)
                return cls(fd, path)

    @classmethod
    def adopt(cls, path: Path) -> "AuditFile | None":
        """Take over the file of a process that died; None if that lives, or it is closed."""
        with writing(path), suppress(FileNotFoundError):
            fd = os.open(path, _APPEND)
            with _closing_on_error(fd):
                if lock(fd, fcntl.LOCK_EX) and os.path.samestat(os.fstat(fd), path.lstat()):
                    return cls(fd, path)
            os.close(fd)
        return None

    def append(self, lines: bytes, *, durable: bool = True) -> None:
        """Append lines, durably or as far as a power failure leaves them; after a failure the file takes no more."""
        with writing(self.path):
            try:
                size = self._write(lines)
                if durable:
                    self._sync(up_to=size)
            except OSError:
                self.abandon()
                raise

    def close(self) -> None:
        """Give a file whose runs have all ended its final name."""
        with self._writing, self._syncing:
            final = _closed(self.path)
            # What fails here is made good by the next process: to it, this one has died.
            with suppress(OSError):
                if not self.broken and not os.path.lexists(final):
                    self.path.rename(final)
                    sync_directory(self.path.parent)
            self._release()

    def abandon(self) -> None:
        """Leave the file to the next process, which closes the runs in it."""
        with self._writing, self._syncing:
            self._release()

    def _write(self, lines: bytes) -> int:
        with self._writing:
            self._require_sound()
            found = os.fstat(self._fd)
            if found.st_nlink == 0 or found.st_size != self.size:
                self.broken = True
                raise OSError(0, "the file was removed or changed by another process")
            try:
                write_whole(self._fd, lines)
            except OSError:
                self.broken = True
                raise
            self.size += len(lines)
            return self.size

    def _sync(self, *, up_to: int) -> None:
        with self._syncing:
            if self._synced >= up_to:
                return
            # Linux reports a failed write-back once: to the next caller, all seems well.
            self._require_sound()
            reached = self.size
            try:
                sync_data(self._fd)
            except OSError:
                self.broken = True
                raise
            self._synced = reached

    def _require_sound(self) -> None:
        if self.broken:
            raise OSError(0, "an earlier write to this file has failed")

    def _release(self) -> None:
        self.broken = True
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _closed(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(OPEN_SUFFIX) + SUFFIX) if is_open_name(path) else path


@contextmanager
def _trail_error(done: str, path: Path, **more: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise AuditUnavailableError(f"the audit trail cannot be {done}: {path}: {reason}", **more) from None


writing = partial(_trail_error, "written")
opening = partial(_trail_error, "read", next_step="Look at it as a user who may read it, and at `[audit] directory`.")


def write_whole(fd: int, lines: bytes) -> None:
    """Append lines, or raise OSError: then a part of them may be there."""
    written = os.write(fd, lines)
    # What stopped the first write in the middle makes the second one fail, and say why.
    if written < len(lines) and written + os.write(fd, lines[written:]) < len(lines):
        raise OSError(0, "only a part of a line could be written")


def lock(fd: int, kind: int) -> bool:
    """Take a lock if it is free; tell whether it was."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _closing_on_error(fd: int) -> Iterator[None]:
    try:
        yield
    except OSError:
        os.close(fd)
        raise


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable. Raises OSError."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
