"""Recording in a bucket, and closing what crashed processes left open.

Nothing shows that another process lives, so a run counts as dead once nothing was added to it for
`QUIET_MAX`. A mistake is safe: the event that closes a run takes the key of its next one, so a process
that was only slow finds that key taken, and does nothing more.

What a run has to say before a call that changes something is one object, with all that it had to say since the one
before. A process that dies takes with it what it learned since its last call: the run is closed as one whose last call
has no known outcome.

Costs, in calls: one for each call that changes something, one for the end, and one for the ledger; a run that finds
nothing to do has an end at most. When a run begins, one listing, and one read for each run of the secret from about the
last half hour that this process does not know to have ended. To find the ledger's newest entry, or to see whether such
a run is in it, takes one listing and a few reads.
"""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock

from rotator.audit.attestation import FIRST
from rotator.audit.bucket.ledger import BucketLedger
from rotator.audit.bucket.objects import (
    AuditBucket,
    ObjectTakenError,
    RunInBucket,
    events_in,
    folder_of,
    last_event,
    newest_runs,
    object_key,
)
from rotator.audit.chain import Before, Clock, Keeps, Unfinished, listing_of, note
from rotator.audit.ledger import Entry, Listing
from rotator.audit.record import RUN_ENDS, RunIdentity, Writer
from rotator.audit.trail import RunSink
from rotator.model.errors import AuditUnavailableError

QUIET_MAX = timedelta(minutes=15)
"""How long a living run may be silent: as long as a Lambda function can run, and by as much as
clocks may differ, since AWS takes no signature that is 15 minutes off."""
LISTED_WITHIN = timedelta(minutes=1)
"""A run that ended so long ago, and is not in the ledger, will not be listed by its own process."""
_KNOWN_MAX = 10_000


@dataclass(frozen=True, slots=True, eq=False)
class BucketDestination:
    """A bucket as a `Destination`."""

    bucket: AuditBucket
    writer: Writer
    clock: Clock
    ledger: BucketLedger
    keeps: Keeps = lambda _: False
    _kept: list[tuple[RunInBucket, Unfinished]] = field(default_factory=list, init=False)
    _pending: list[tuple[str, Listing]] = field(default_factory=list, init=False)
    """Folders of runs that have ended, and are not in the ledger yet."""
    _lock: Lock = field(default_factory=Lock, init=False)
    _listing: Lock = field(default_factory=Lock, init=False)
    """Held while an entry is made, which may wait for its signature; a run that begins does not wait for it."""
    _ended: set[str] = field(default_factory=set, init=False)
    """Folders of runs known to have ended, which need not be looked at again."""

    def open(self, run: RunIdentity) -> RunSink:
        """Return where a run's lines go, once the dead runs of its secret are closed."""
        now = self.clock()
        for dead in self._dead(newest_runs(self.bucket, run.secret), now):
            self._recover(dead)
        folder = folder_of(run, now)
        return RunSink(_Objects(self.bucket, folder).append, partial(self._leave, folder))

    def close(self) -> None:
        """Forget what was kept: a run here belongs to no process."""
        self._kept.clear()

    def settle(self, before: Before) -> None:
        """Close what was kept open, after giving each run to `before`."""
        while self._kept:
            self._close(*self._kept[0], before)
            self._kept.pop(0)

    def _dead(self, runs: list[RunInBucket], now: datetime) -> Iterator[RunInBucket]:
        """Yield the runs, of these newest ones, that died and are not closed yet."""
        settled: datetime | None = None
        for run in runs:
            if settled and run.written_at < settled:
                continue
            if run.folder in self._ended or self._has_ended(run):
                # Before this one began, what had been silent for so long by its clock was closed.
                settled = settled or run.began_at - QUIET_MAX
            elif now - run.written_at >= QUIET_MAX:
                yield run

    def _leave(self, folder: str, listing: Listing | None) -> Entry | None:
        entry: Entry | None = None
        with self._listing:
            with self._lock:
                self._pending.extend([(folder, listing)] if listing else [])
            while self._pending:
                entry = self.ledger.add(self._pending[0][1])
                self._know(self._pending.pop(0)[0])
        if not listing:
            self._know(folder)
        return entry

    def _has_ended(self, run: RunInBucket) -> bool:
        """Tell whether a run has ended; one whose process died before it was listed is listed when the next run ends.

        It is not looked at again once it is known to be listed, or need not be.
        """
        last = last_event(self.bucket.get(run.object_keys[-1]))
        if last is None or last.record.kind not in RUN_ENDS:
            return False
        if not (listing := listing_of(last)):
            self._know(run.folder)
        elif self.clock() - run.written_at >= LISTED_WITHIN:
            with suppress(AuditUnavailableError):  # the run that is to begin hears of it when it ends itself
                is_listed = self.ledger.lists(run.run_id, listing.time_ms)
                with self._lock:
                    if not is_listed and run.folder not in self._ended:
                        self._pending.append((run.folder, listing))
                    self._know(run.folder)
        return True

    def _recover(self, run: RunInBucket) -> None:
        unfinished: dict[str, Unfinished] = {}
        for key in run.object_keys:
            for _, stored in events_in(self.bucket.get(key)):
                if stored:
                    note(unfinished, stored)
        # If nothing there is an event of this run, there is nothing to close; verification reports it.
        if left := unfinished.get(run.run_id):
            if self.keeps(left):
                self._kept.append((run, left))
            else:
                self._close(run, left)

    def _close(self, run: RunInBucket, left: Unfinished, before: Before | None = None) -> None:
        # If the key is taken now, the process lives, or another one has just closed its run.
        with suppress(ObjectTakenError):
            sink = _Objects(self.bucket, run.folder, left.head.sequence + 1)
            listing = left.close(self.writer, sink, self.clock, before)
            if listing:
                with self._lock:  # the next run that ends here lists it
                    self._pending.append((run.folder, listing))

    def _know(self, folder: str) -> None:
        if len(self._ended) >= _KNOWN_MAX:
            self._ended.clear()
        self._ended.add(folder)


@dataclass(slots=True)
class _Objects:
    """The objects of one run, as a `Sink`."""

    bucket: AuditBucket
    folder: str
    sequence: int = FIRST
    """Of the first event of the next object."""
    _held: bytes = b""

    def append(self, lines: bytes, *, durable: bool) -> None:
        """Keep lines until some have to be durable, and write them together, as the next object."""
        self._held += lines
        if durable:
            self.bucket.put_new(object_key(self.folder, self.sequence), self._held)
            self.sequence += self._held.count(b"\n")
            self._held = b""
