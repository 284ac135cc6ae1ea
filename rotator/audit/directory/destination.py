"""Recording in an audit directory, and closing what crashed processes left open.

Each process has one file for all of its runs, made when the first one begins. After a day, or 64 MiB,
later runs begin a new one, so that files can be archived while a daemon lives on.

Before a file is made, the open files whose lock is free are taken over, so that a crash never looks
like a finished run: remains of a torn write get a line break and an event of their own that names
them, each run without an end gets a last event that says so, and the file its final name. The lock
keeps two processes apart that do this at once; after a crash in here, the next process does the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from threading import Lock

from rotator.audit.chain import Before, Chain, Clock, Keeps, Unfinished, note
from rotator.audit.directory import files
from rotator.audit.event import parse
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
    _kept: list["_Left"] = field(default_factory=list, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)
    _current: files.AuditFile | None = field(default=None, init=False)
    _made_at: datetime = field(init=False)
    _running: dict[files.AuditFile, set[str]] = field(default_factory=dict, init=False)

    def open(self, run: RunIdentity) -> RunSink:
        """Return where a run's lines go."""
        with self._lock:
            file = self._file_for_new_runs()
            self._running[file].add(run.run_id)
        return RunSink(file.append, partial(self._leave, file, run.run_id))

    def close(self) -> None:
        """Close the files; one with a run that has not ended is left to the next process."""
        with self._lock:
            for file, running in self._running.items():
                (file.abandon if running else file.close)()
            for left in self._kept:
                left.file.abandon()
            self._running.clear()
            self._kept.clear()
            self._current = None

    def settle(self, before: Before) -> None:
        """Close what was kept open, after giving each run to `before`."""
        with self._lock:
            kept, self._kept = self._kept, []
        for left in kept:
            left.close(self.writer, self.clock, before)

    def _file_for_new_runs(self) -> files.AuditFile:
        now = self.clock()
        last = self._current
        if last and not last.broken and last.size < FILE_MAX_BYTES and now - self._made_at < FILE_MAX_AGE:
            return last
        files.require_private(self.directory)
        self._kept += recover(self.directory, self.writer, self.clock, self.new_id, self.keeps)
        self._current = files.AuditFile.create(self.directory, now)
        self._made_at = now
        self._running[self._current] = set()
        if last:
            self._close_if_done(last)
        return self._current

    def _leave(self, file: files.AuditFile, run_id: str) -> None:
        with self._lock:
            self._running.get(file, set()).discard(run_id)
            if file is not self._current:
                self._close_if_done(file)

    def _close_if_done(self, file: files.AuditFile) -> None:
        if file.broken or not self._running.get(file):
            self._running.pop(file, None)
            file.close()


@dataclass(frozen=True, slots=True)
class _Left:
    """A file that a dead process left, under our lock, and its runs without an end."""

    file: files.AuditFile
    runs: tuple[Unfinished, ...]

    def close(self, writer: Writer, clock: Clock, before: Before | None = None) -> None:
        """End the runs, and give the file its final name."""
        try:
            for run in self.runs:
                run.close(writer, self.file, clock, before)
            self.file.close()
        finally:
            self.file.abandon()


def recover(
    directory: Path, writer: Writer, clock: Clock, new_id: Callable[[], str], keeps: Keeps = lambda _: False
) -> list[_Left]:
    """Close the files of processes that died; return those, still open, with a run that is to be kept so."""
    kept: list[_Left] = []
    for path in filter(files.is_open_name, files.audit_files(directory)):
        file = files.AuditFile.adopt(path)
        if file is None:
            continue
        try:
            unfinished, remains, needs_break = _survey(path)
            if needs_break:
                file.append(b"\n")
            if remains.length:
                Chain(RunIdentity(new_id(), "", ""), writer, file, clock).add(remains.repair)
        except BaseException:
            file.abandon()
            raise
        left = _Left(file, tuple(unfinished.values()))
        if any(map(keeps, left.runs)):
            kept.append(left)
        else:
            left.close(writer, clock)
    return kept


def _survey(path: Path) -> tuple[dict[str, Unfinished], files.Remains, bool]:
    """Return the runs without an end, the remains of a write at the end, and whether a line break is missing."""
    unfinished: dict[str, Unfinished] = {}
    remains, line = files.Remains(), b"\n"
    with files.reading(path) as stream:
        for line in files.lines(stream):
            if stored := parse(line):
                remains = files.Remains()
                note(unfinished, stored)
            else:
                remains.add(line)
    needs_break = not line.endswith(b"\n")
    if remains.length and needs_break:
        remains.add(b"\n")
    return unfinished, remains, needs_break
