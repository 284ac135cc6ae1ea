"""Recording in an audit directory: one file per process, for all of its runs.

The file is made when the first run begins; after a day, or 64 MiB, later runs begin a new one, so
that files can be archived while a daemon lives on. A run stays in the file it began in. Before a
file is made, those of processes that died are closed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock

from rotator.audit.chain import Clock
from rotator.audit.directory import AuditFile, require_private
from rotator.audit.record import RunIdentity, Writer
from rotator.audit.recovery import recover

FILE_MAX_BYTES = 64 << 20
FILE_MAX_AGE = timedelta(days=1)


class DirectoryDestination:
    """An audit directory as a `Destination`.

    Args:
        directory: made beforehand, private to the user of this process.
        writer: who this process is.
        clock: the time now.
        new_id: an id that no run has.
    """

    def __init__(self, directory: Path, writer: Writer, *, clock: Clock, new_id: Callable[[], str]) -> None:
        self._directory = directory
        self._writer = writer
        self._clock = clock
        self._new_id = new_id
        self._lock = Lock()
        self._current: AuditFile | None = None
        self._made_at = clock()
        self._running: dict[AuditFile, set[str]] = {}

    def open(self, run: RunIdentity) -> "_RunInFile":
        """Return where a run's lines go.

        Raises:
            AuditUnavailableError: there is no file, and none can be made.
        """
        with self._lock:
            file = self._file_for_new_runs()
            self._running[file].add(run.run_id)
        return _RunInFile(file, lambda: self._leave(file, run.run_id))

    def close(self) -> None:
        """Close the files; one with a run that has not ended is left to the next process."""
        with self._lock:
            for file, running in self._running.items():
                if running:
                    file.abandon()
                else:
                    file.close()
            self._running.clear()
            self._current = None

    def _file_for_new_runs(self) -> AuditFile:
        now = self._clock()
        last = self._current
        if last and not last.broken and not self._is_full(last, now):
            return last
        require_private(self._directory)
        recover(self._directory, self._writer, self._clock, self._new_id)
        self._current = AuditFile.create(self._directory, now)
        self._made_at = now
        self._running[self._current] = set()
        if last:
            self._close_if_done(last)
        return self._current

    def _is_full(self, file: AuditFile, now: datetime) -> bool:
        return file.size >= FILE_MAX_BYTES or now - self._made_at >= FILE_MAX_AGE

    def _leave(self, file: AuditFile, run_id: str) -> None:
        with self._lock:
            self._running.get(file, set()).discard(run_id)
            if file is not self._current:
                self._close_if_done(file)

    def _close_if_done(self, file: AuditFile) -> None:
        if file.broken or not self._running.get(file):
            self._running.pop(file, None)
            file.close()


class _RunInFile:
    """The lines of one run, among those of others, as a `RunSink`."""

    def __init__(self, file: AuditFile, ended: Callable[[], None]) -> None:
        self.append = file.append
        self.end = ended
