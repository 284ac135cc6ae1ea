"""The audit log that runs are recorded in: `rotator.ports.AuditLog` over an audit directory.

A process writes one file, made when its first run begins; after a day, or 64 MiB, later runs begin
a new one, so that files can be archived while a daemon lives on. A run stays in the file it began
in. Before a file is made, those of processes that died are closed.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Self

from rotator.audit.chain import Chain, Clock
from rotator.audit.directory import AuditFile, require_private
from rotator.audit.ocsf import RunIdentity, Started, Writer
from rotator.audit.recovery import recover
from rotator.events import Ended, Event
from rotator.ports import AuditRun

FILE_MAX_BYTES = 64 << 20
FILE_MAX_AGE = timedelta(days=1)


class AuditTrail:
    """The audit log of one process. Safe to use from several threads, one run by one thread.

    Args:
        directory: made beforehand, private to the user of this process.

        writer: who this process is.

        clock: the time now.

        new_id: an id that no other run has, such as a random UUID.
    """

    def __init__(
        self, directory: Path, writer: Writer, *, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._directory = directory
        self._writer = writer
        self._clock = clock
        self._new_id = new_id
        self._lock = Lock()
        self._current: AuditFile | None = None
        self._made_at = clock()
        self._running: dict[AuditFile, set[str]] = {}

    def begin(self, secret: str, arn: str) -> AuditRun:
        """Start the trail of one run, durably.

        Raises:
            AuditUnavailableError: it cannot be written; nothing may be done.
        """
        run = RunIdentity(self._new_id(), secret, arn)
        with self._lock:
            file = self._file_for_new_runs()
            self._running[file].add(run.run_id)
        chain = Chain(run, self._writer, file, self._clock)
        chain.add(Started())
        return _Run(chain, lambda: self._leave(file, run.run_id))

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

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


class _Run:
    """One run, as `rotator.ports.AuditRun`."""

    def __init__(self, chain: Chain, ended: Callable[[], None]) -> None:
        self._chain = chain
        self._ended = ended

    @property
    def run_id(self) -> str:
        return self._chain.run.run_id

    def record(self, event: Event) -> None:
        self._chain.add(event)
        if isinstance(event, Ended):
            self._ended()
