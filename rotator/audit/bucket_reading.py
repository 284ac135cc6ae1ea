"""Reading and judging what lies in a bucket. Nothing here writes.

Objects are read several at a time, and their number is limited by that of a listing's pages.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from enum import Enum
from itertools import islice
from typing import TypeAlias

from rotator.audit.bucket import Bucket
from rotator.audit.bucket_runs import ENDS, QUIET_MAX
from rotator.audit.chain import Clock
from rotator.audit.event import StoredEvent, parse
from rotator.audit.findings import Finding, Flaw, VerificationReport
from rotator.audit.judge import Judge
from rotator.audit.objects import RunInBucket, all_runs, newest_runs
from rotator.audit.reading import Criteria
from rotator.audit.record import Record

READERS = 16
"""Objects, or secrets, that are read at the same time."""
BATCH = 64
"""Runs that are read ahead."""
_RESOLUTION = timedelta(seconds=1)
"""S3 gives the times of objects in whole seconds."""
Contents: TypeAlias = list[tuple[str, bytes | None]]
"""The keys of a run's objects and what is in them, in the order of events; None where one is gone."""


class BucketSource:
    """A bucket as a `Source`."""

    def __init__(self, bucket: Bucket, clock: Clock) -> None:
        self._bucket = bucket
        self._clock = clock

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit, run by run, the oldest first.

        Raises:
            AuditUnavailableError: the bucket cannot be listed, or an object not be read.
        """
        chosen = [
            run
            for run in all_runs(self._bucket, criteria.secret)
            # Clocks may differ, so this is coarse; each record is looked at again below.
            if (criteria.run_id is None or run.run_id == criteria.run_id)
            and (criteria.since is None or max(run.written_at, run.began_at) >= criteria.since - QUIET_MAX)
            and (criteria.until is None or run.began_at < criteria.until)
        ]
        chosen.sort(key=lambda run: run.began_at)
        for _, contents in self._read(chosen):
            for _, content in contents:
                stored = parse(content) if content else None
                if stored and criteria.fit(stored.record):
                    yield stored.record

    def last_outcomes(self, secrets: Collection[str]) -> dict[str, Record]:
        """Return how the last run of each secret ended, by name; without those that never had one.

        Raises:
            AuditUnavailableError: the bucket cannot be listed, or an object not be read.
        """
        with ThreadPoolExecutor(READERS, "audit") as pool:
            found = pool.map(self._last_outcome, secrets)
            return {record.secret: record for record in found if record}

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time, in order.

        Raises:
            AuditUnavailableError: the bucket cannot be listed, or an object not be read.
        """
        found = [r for r in self.records(Criteria(since=since)) if r.kind in ENDS]
        return sorted(found, key=lambda record: record.time)

    def verify(self) -> VerificationReport:
        """Check every object.

        Raises:
            AuditUnavailableError: the bucket cannot be listed, or an object not be read.
        """
        report = VerificationReport(where=str(self._bucket))
        runs_seen: set[str] = set()
        newest: RunInBucket | None = None
        now = self._clock()
        for run, contents in self._read(all_runs(self._bucket, None)):
            if newest is None or newest.secret != run.secret:
                newest = run
            _RunCheck(run, report, runs_seen, self._bucket).check(contents, _end(run, newest, now))
        return report

    def _last_outcome(self, secret: str) -> Record | None:
        runs = newest_runs(self._bucket, secret)
        latest: Record | None = None
        written_at = None
        for run in sorted(runs, key=lambda run: run.written_at, reverse=True):
            if written_at and run.written_at < written_at - _RESOLUTION:
                break
            content = self._bucket.get(run.object_keys[-1])
            stored = parse(content) if content else None
            if stored and stored.record.kind in ENDS:
                latest = max(latest or stored.record, stored.record, key=lambda end: end.time)
                written_at = written_at or run.written_at
        return latest

    def _read(self, runs: Iterable[RunInBucket]) -> Iterator[tuple[RunInBucket, Contents]]:
        """Yield runs with what is in their objects."""
        with ThreadPoolExecutor(READERS, "audit") as pool:
            pending = iter(runs)
            while batch := list(islice(pending, BATCH)):
                contents = pool.map(self._bucket.get, [key for run in batch for key in run.object_keys])
                for run in batch:
                    yield run, list(zip(run.object_keys, contents, strict=False))


class _RunCheck:
    """The check of one run."""

    def __init__(self, run: RunInBucket, report: VerificationReport, runs_seen: set[str], bucket: Bucket) -> None:
        self._run = run
        self._report = report
        self._judge = Judge(report, runs_seen)
        self._bucket = bucket

    def check(self, contents: Contents, end: "_End") -> None:
        """Judge the events of a run, and that there is an end."""
        for sequence, (key, content) in zip(self._run.sequences, contents, strict=True):
            stored = parse(content) if content else None
            if content and stored:
                self._event(key, sequence, content, stored)
            else:
                self._add(Flaw.NO_EVENT, "of its own", self._bucket.url(key), sequence)
        self._report.files += len(self._run.sequences)
        for _, judged in self._judge.unended():
            if end is _End.OPEN:
                self._report.in_progress += 1
                continue
            last = judged.head.sequence if judged.head else None
            self._add(end.flaw, end.value, self._bucket.url(self._run.folder), last)
        self._judge.close()

    def _event(self, key: str, sequence: int, content: bytes, stored: StoredEvent) -> None:
        url, record = self._bucket.url(key), stored.record
        self._judge.event(content, stored, url, None)
        if not content.endswith(b"\n"):
            self._add(Flaw.ALTERED, "the line break is missing", url, sequence)
        named = (self._run.secret, self._run.run_id, sequence)
        if named != (record.secret, stored.head.run_id, stored.head.sequence):
            self._add(Flaw.OUT_OF_SEQUENCE, "its key says otherwise", url, sequence)

    def _add(self, flaw: Flaw, detail: str, url: str, sequence: int | None) -> None:
        self._report.add(Finding(flaw, url, None, self._run.run_id, sequence, detail))


class _End(Enum):
    """What it means that a run has no end."""

    OPEN = "its process may still be at it"
    LEFT = "its process died; the next run of its secret closes it"
    GONE = "a later run would have closed it; its last events are gone"

    @property
    def flaw(self) -> Flaw:
        """What to call it, if it is none of the open ones."""
        return Flaw.NO_END if self is _End.GONE else Flaw.UNFINISHED


def _end(run: RunInBucket, newest: RunInBucket, now: datetime) -> _End:
    if now - run.written_at < QUIET_MAX:
        return _End.OPEN
    return _End.GONE if newest.began_at - run.written_at >= QUIET_MAX else _End.LEFT
