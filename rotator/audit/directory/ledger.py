"""The ledger of an audit directory: the file `.ledger`, an entry a line, that every process there adds to in turn.

An entry is durable when `add` returns. Adding reads the end of the file alone. A process that died while it added may
have left the beginning of a line: the next entry says how many bytes of that stand above it.
"""

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event

from rotator.audit.directory import files
from rotator.audit.ledger import ENTRY_MAX_BYTES, Entry, Listing, Sealed, Torn, first, parse_entry

NAME = ".ledger"
_OPEN = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_TAIL_BYTES = 4 * ENTRY_MAX_BYTES
"""More than one entry and what may be left of one."""
_NUMBER = re.compile(rb'"number":([0-9]+),')
_TURNS_MAX, _TURN_STEP_S = 1000, 0.01
"""How often, and after how long each time, it is tried to be the only one at it. Others need milliseconds, but for as
long as one waits for its signature: then the entry is left to a later run."""


@dataclass(frozen=True, slots=True)
class DirectoryLedger:
    """The ledger of one directory, for writers."""

    directory: Path
    new_id: Callable[[], str]
    seal: Sealed

    def add(self, listing: Listing) -> Entry:
        """Add an entry for a run, durably, and return it. Raises AuditUnavailableError."""
        path = self.directory / NAME
        with files.writing(path), _turn(path) as fd:
            size = os.fstat(fd).st_size
            last, remains, missing_break = _last(fd, size)
            entry = last.next(listing) if last else first(self.new_id()[:12], listing)
            if remains:
                entry = replace(entry, torn=Torn(len(remains), hashlib.sha256(remains).hexdigest()))
            os.write(fd, missing_break)
            entry = self.seal(entry)
            files.write_whole(fd, entry.line())
            files.sync_data(fd)
            if not size:
                files.sync_directory(self.directory)
        return entry


def listed_since(directory: Path, time_ms: int) -> set[str]:
    """Return the runs that are listed with an end since a time. Raises AuditUnavailableError."""
    return {entry.listing.run_id for entry in _entries(directory) if entry.listing.time_ms >= time_ms}


def entries_after(directory: Path, number: int) -> list[Entry]:
    """Return the entries after one. Raises AuditUnavailableError."""
    return list(_entries(directory, number))


def _entries(directory: Path, after: int = -1) -> Iterator[Entry]:
    path = directory / NAME
    if path.exists():
        with files.reading(path) as stream:
            # The number is looked for first, as parsing takes twenty times as long.
            later = (line for line in files.lines(stream) if (found := _NUMBER.search(line)) and int(found[1]) > after)
            yield from filter(None, map(parse_entry, later))


def _last(fd: int, size: int) -> tuple[Entry | None, bytes, bytes]:
    """Return the last entry, what stands after it, and the line break that the file's end lacks.

    Raises OSError if the end of the file holds no entry.
    """
    start = max(0, size - _TAIL_BYTES)
    tail = os.pread(fd, size - start, start)
    missing_break = b"\n" if tail and not tail.endswith(b"\n") else b""
    remains = b""
    for line in reversed((tail + missing_break).splitlines(keepends=True)):
        if entry := parse_entry(line):
            return entry, remains, missing_break
        remains = line + remains
    if start:
        raise OSError(0, "it does not end in an entry")
    return None, remains, missing_break


@contextmanager
def _turn(path: Path) -> Iterator[int]:
    """Open the file, and hold it alone until the block ends."""
    fd = os.open(path, _OPEN, 0o600)
    try:
        turn = Event()
        for _ in range(_TURNS_MAX):
            if files.lock(fd, fcntl.LOCK_EX):
                break
            turn.wait(_TURN_STEP_S)
        else:
            raise OSError(0, "another process does not let go of it")
        yield fd
    finally:
        os.close(fd)
