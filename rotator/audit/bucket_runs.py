"""Recording in a bucket: one object per event, and the closing of what dead processes left open.

Nothing tells that another process lives, so a run counts as dead once nothing was added to it for
`QUIET_MAX`. Being wrong about that is safe: the event that closes it takes the key of the next one,
so a process that was only slow finds that taken, and does nothing more.

Costs, in calls: one for each event; when a run begins, one listing, and one read for each run of
the secret from about the last half hour that this process does not know to have ended.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta

from rotator.audit.attestation import FIRST
from rotator.audit.bucket import Bucket, ObjectTakenError
from rotator.audit.chain import Chain, Clock
from rotator.audit.event import StoredEvent, parse
from rotator.audit.objects import RunInBucket, folder_of, newest_runs, object_key
from rotator.audit.record import EventKind, RunIdentity, Writer
from rotator.audit.recovery import Unfinished, note

QUIET_MAX = timedelta(minutes=15)
"""How long a living run may be silent: as long as a Lambda function can run, and by as much as
clocks may differ, since AWS takes no signature that is 15 minutes off."""
_KNOWN_MAX = 10_000
ENDS = frozenset({EventKind.ENDED, EventKind.RECOVERED})


class BucketDestination:
    """A bucket as a `Destination`."""

    def __init__(self, bucket: Bucket, writer: Writer, *, clock: Clock) -> None:
        self._bucket = bucket
        self._writer = writer
        self._clock = clock
        self._ended: set[str] = set()
        """Folders of runs known to have ended, which need not be looked at again."""

    def open(self, run: RunIdentity) -> "_RunObjects":
        """Return where a run's lines go, once the dead runs of its secret are closed.

        Raises:
            AuditUnavailableError: the bucket cannot be listed, read or written.
        """
        now = self._clock()
        for dead in self._dead(newest_runs(self._bucket, run.secret), now):
            self._recover(dead)
        folder = folder_of(run, now)
        return _RunObjects(self._bucket, folder, lambda: self._know(folder))

    def close(self) -> None:
        """Do nothing: no run here belongs to a process."""

    def _dead(self, runs: list[RunInBucket], now: datetime) -> Iterator[RunInBucket]:
        """Yield the runs, of these newest ones, that died and that nobody has closed yet."""
        settled: datetime | None = None
        for run in runs:
            if settled and run.written_at < settled:
                continue
            if run.folder in self._ended or self._has_ended(run):
                self._know(run.folder)
                # Before this one began, what had been silent for so long by its clock was closed.
                settled = settled or run.began_at - QUIET_MAX
            elif now - run.written_at >= QUIET_MAX:
                yield run

    def _has_ended(self, run: RunInBucket) -> bool:
        last = _event(self._bucket, run.object_keys[-1])
        return last is not None and last.record.kind in ENDS

    def _recover(self, run: RunInBucket) -> None:
        unfinished: dict[str, Unfinished] = {}
        for key in run.object_keys:
            if stored := _event(self._bucket, key):
                note(unfinished, stored)
        left = unfinished.get(run.run_id)
        if left is None:
            return  # nothing in it is an event of this run: for verification to tell
        sink = _RunObjects(self._bucket, run.folder, _nothing, left.head.sequence + 1)
        # If the key is taken now, it lives, or another process has just closed it.
        with suppress(ObjectTakenError):
            Chain(left.run, self._writer, sink, self._clock, left.head).add(left.recovered())

    def _know(self, folder: str) -> None:
        if len(self._ended) >= _KNOWN_MAX:
            self._ended.clear()
        self._ended.add(folder)


class _RunObjects:
    """The objects of one run, as a `RunSink`."""

    def __init__(self, bucket: Bucket, folder: str, ended: Callable[[], None], sequence: int = FIRST) -> None:
        self.end = ended
        self._bucket = bucket
        self._folder = folder
        self._sequence = sequence

    def append(self, line: bytes) -> None:
        """Write a line as the next object, durably.

        Raises:
            AuditUnavailableError: it is not durable, or nobody knows.
        """
        self._bucket.put_new(object_key(self._folder, self._sequence), line)
        self._sequence += 1


def _nothing() -> None:
    """Stand for what nobody waits for."""


def _event(bucket: Bucket, key: str) -> StoredEvent | None:
    content = bucket.get(key)
    return parse(content) if content else None
