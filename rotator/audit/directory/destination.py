"""Recording in an audit directory, and closing what crashed processes left open.

Each process has one file for all of its runs, made when the first one has something to record. After a day, or 64 MiB,
later runs begin a new one, so that files can be archived while a daemon lives on.

When the first run begins, and once a day, the open files whose lock is free are taken over
(`rotator.audit.directory.recovery`). When a run has ended that did something, the ledger of the directory lists it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock

from rotator.audit.chain import Before, Clock, Keeps
from rotator.audit.directory import files
from rotator.audit.directory.ledger import DirectoryLedger
from rotator.audit.directory.recovery import Left, Recovery
from rotator.audit.ledger import Entry, Listing, Sealed
from rotator.audit.record import RunIdentity, Writer
from rotator.audit.trail import RunSink

FILE_MAX_BYTES = 64 << 20
FILE_MAX_AGE = timedelta(days=1)


@dataclass(slots=True, eq=False)
class DirectoryDestination:
    """An audit directory as a `Destination`."""

    directory: Path
    """Made beforehand, private to the user of this process."""
    writer: Writer
    clock: Clock
    new_id: Callable[[], str]
    """An id that no run has."""
    keeps: Keeps = lambda _: False
    seal: Sealed = lambda entry: entry
    """Signs the entries of the ledger."""
    _pending: list[tuple[files.AuditFile, Listing]] = field(default_factory=list, init=False)
    """Runs that have ended here, and are not in the ledger yet."""
    _kept: list[Left] = field(default_factory=list, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _listing: Lock = field(default_factory=Lock, init=False)
    _current: files.AuditFile | None = field(default=None, init=False)
    """Where runs begin now."""
    _made_at: datetime = field(init=False)
    _tended_at: datetime | None = field(default=None, init=False)
    """When what dead processes left was closed."""
    _running: dict[files.AuditFile, set[str]] = field(default_factory=dict, init=False)

    def open(self, run: RunIdentity) -> RunSink:
        """Return where a run's lines go: a file is made when the first one comes."""
        with self._lock:
            self._tend(self.clock())
        lines = _Lines(self)
        return RunSink(partial(lines.append, run.run_id), partial(self._leave, lines, run.run_id))

    def file_for(self, run_id: str) -> files.AuditFile:
        """Return the file that a run begins in. Raises AuditUnavailableError if it cannot be made."""
        with self._lock:
            file = self._file_for_new_runs()
            self._running[file].add(run_id)
        return file

    def close(self) -> None:
        """Close the files; one with a run that has not ended is left to the next process."""
        with self._lock:
            unlisted = {file for file, _ in self._pending}
            for file, running in self._running.items():
                (file.abandon if running or file in unlisted else file.close)()
            for left in self._kept:
                left.file.abandon()
            self._running.clear()
            self._kept.clear()
            self._pending.clear()
            self._current = self._tended_at = None

    def settle(self, before: Before) -> None:
        """Close what was kept open, after giving each run to `before`."""
        with self._lock:
            kept, self._kept = self._kept, []
        try:
            while kept:
                kept.pop(0).close(self.writer, self.clock, self._ledger, before)
        finally:
            for left in kept:  # for the next process
                left.file.abandon()

    def _tend(self, now: datetime) -> None:
        """Close what dead processes left: once a day, and after a failure, which leaves a file of our own."""
        files.require_private(self.directory)
        is_broken = self._current is not None and self._current.broken
        if self._tended_at and now - self._tended_at < FILE_MAX_AGE and not is_broken:
            return
        # A run that begins waits for no signature: the next one covers what is listed here.
        unsealed = DirectoryLedger(self.directory, self.new_id, lambda entry: entry)
        recovery = Recovery(self.directory, self.writer, self.clock, self.new_id, unsealed)
        self._kept += recovery.recover(self.keeps)
        self._tended_at = now

    def _file_for_new_runs(self) -> files.AuditFile:
        now = self.clock()
        last = self._current
        if last and not last.broken and last.size < FILE_MAX_BYTES and now - self._made_at < FILE_MAX_AGE:
            return last
        self._current = files.AuditFile.create(self.directory, now)
        self._made_at = now
        self._running[self._current] = set()
        if last:
            self._close_if_done(last)
        return self._current

    @property
    def _ledger(self) -> DirectoryLedger:
        return DirectoryLedger(self.directory, self.new_id, self.seal)

    def _leave(self, lines: "_Lines", run_id: str, listing: Listing | None) -> Entry | None:
        entry: Entry | None = None
        if (file := lines.file) is None:
            return None
        try:
            with self._listing:  # which may take a while, and holds up no run that begins
                with self._lock:
                    self._pending += [(file, listing)] if listing else []
                while one := next(iter(self._pending), None):
                    entry = self._ledger.add(one[1])
                    with self._lock:
                        self._pending = [left for left in self._pending if left is not one]
        finally:
            with self._lock:
                self._running.get(file, set()).discard(run_id)
                if file is not self._current:
                    self._close_if_done(file)
        return entry

    def _close_if_done(self, file: files.AuditFile) -> None:
        if file.broken or not self._running.get(file):
            self._running.pop(file, None)
            unlisted = [one for one in self._pending if one[0] is file]
            # The next process lists what this one could not.
            (file.abandon if unlisted else file.close)()
            self._pending = [one for one in self._pending if one not in unlisted]


@dataclass(slots=True)
class _Lines:
    """The lines of one run, on their way into a file."""

    destination: DirectoryDestination
    file: files.AuditFile | None = None

    def append(self, run_id: str, lines: bytes, *, durable: bool) -> None:
        """Append lines, to a file that is there when the first ones come."""
        self.file = self.file or self.destination.file_for(run_id)
        self.file.append(lines, durable=durable)
