"""Looking things up in a bucket, and verifying it.

Objects are read several at a time, and their number is limited by that of a listing's pages.
"""

from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice

from rotator.audit.bucket.destination import QUIET_MAX
from rotator.audit.bucket.ledger import FOLDER, entry_key
from rotator.audit.bucket.objects import AuditBucket, RunInBucket, all_runs, newest_runs
from rotator.audit.chain import Clock
from rotator.audit.event import StoredEvent, parse
from rotator.audit.ledger import parse_entry
from rotator.audit.listed import LedgerJudge
from rotator.audit.record import Record
from rotator.audit.sources import Criteria
from rotator.audit.verify import ANY_TERMS, Finding, Flaw, Judge, Terms, VerificationReport

READERS = 16
"""Objects, or secrets, that are read at the same time."""
BATCH = 64
"""Runs that are read ahead."""
_RESOLUTION = timedelta(seconds=1)
"""S3 gives the times of objects in whole seconds."""


@dataclass(frozen=True, slots=True)
class BucketSource:
    """A bucket as a `Source`."""

    bucket: AuditBucket
    clock: Clock

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit, run by run, the oldest first."""
        chosen = [
            run
            for run in all_runs(self.bucket, criteria.secret)
            # Clocks may differ, so this is coarse; each record is looked at again below.
            if (criteria.run_id is None or run.run_id == criteria.run_id)
            and (criteria.since is None or max(run.written_at, run.began_at) >= criteria.since - QUIET_MAX)
            and (criteria.until is None or run.began_at < criteria.until)
        ]
        chosen.sort(key=lambda run: run.began_at)
        for _, contents in self._read(chosen):
            for content in contents:
                stored = parse(content or b"")
                if stored and criteria.fit(stored.record):
                    yield stored.record

    def last_outcomes(self, secrets: Collection[str]) -> dict[str, Record]:
        """Return how the last run of each secret ended."""
        with ThreadPoolExecutor(READERS, "audit") as pool:
            found = pool.map(self._last_outcome, secrets)
            return {record.secret: record for record in found if record}

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time."""
        found = [record for record in self.records(Criteria(since=since)) if record.ends_run]
        return sorted(found, key=lambda record: record.time)

    def verify(self, terms: Terms = ANY_TERMS) -> VerificationReport:
        """Check every object."""
        report = VerificationReport(where=str(self.bucket))
        ledger = self._judged_ledger(report, terms)
        runs_seen: set[str] = set()
        newest: RunInBucket | None = None
        now = self.clock()
        for run, contents in self._read(all_runs(self.bucket, None)):
            if newest is None or newest.secret != run.secret:
                newest = run
            report.files += len(contents)
            judge = Judge(report, runs_seen, may_follow=now - run.written_at < QUIET_MAX or newest is run)
            for sequence, key, content in zip(run.sequences, run.object_keys, contents, strict=True):
                url, stored = self.bucket.url(key), parse(content or b"")
                if content and stored:
                    judge.event(content, stored, url, None)
                for flaw, detail in _object_flaws(run, sequence, content, stored):
                    report.add(Finding(flaw, url, None, run.run_id, sequence, detail))
            judge.close(_unended(run, newest, now), self.bucket.url(run.folder), run.run_id)
        ledger.close(())
        return report

    def _judged_ledger(self, report: VerificationReport, terms: Terms) -> LedgerJudge:
        """Judge the entries of the ledger, if there is one."""
        judge = LedgerJudge(report, self.bucket.url(FOLDER), terms)
        keys = sorted((found.key for page in self.bucket.pages(FOLDER) for found in page), reverse=True)
        with ThreadPoolExecutor(READERS, "audit") as pool:
            for key, content in zip(keys, pool.map(self.bucket.get, keys), strict=True):
                entry = parse_entry(content or b"")
                if entry is None or entry_key(entry.number) != key:
                    judge.unread(None, f"{key} does not hold the entry of its number")
                else:
                    judge.entry(entry)
        return judge

    def _last_outcome(self, secret: str) -> Record | None:
        runs = newest_runs(self.bucket, secret)
        latest: Record | None = None
        written_at = None
        for run in sorted(runs, key=lambda run: run.written_at, reverse=True):
            if written_at and run.written_at < written_at - _RESOLUTION:
                break
            stored = parse(self.bucket.get(run.object_keys[-1]) or b"")
            if stored and stored.record.ends_run:
                latest = max(latest or stored.record, stored.record, key=lambda end: end.time)
                written_at = written_at or run.written_at
        return latest

    def _read(self, runs: Iterable[RunInBucket]) -> Iterator[tuple[RunInBucket, list[bytes | None]]]:
        """Yield runs with what is in their objects, in the order of events; None where one is gone."""
        with ThreadPoolExecutor(READERS, "audit") as pool:
            pending = iter(runs)
            while batch := list(islice(pending, BATCH)):
                contents = pool.map(self.bucket.get, [key for run in batch for key in run.object_keys])
                for run in batch:
                    yield run, list(islice(contents, len(run.sequences)))


def _object_flaws(
    run: RunInBucket, sequence: int, content: bytes | None, stored: StoredEvent | None
) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an object, apart from what its event says."""
    if not content or not stored:
        yield Flaw.NO_EVENT, "of its own"
        return
    if not content.endswith(b"\n"):
        yield Flaw.ALTERED, "the line break is missing"
    if (run.secret, run.run_id, sequence) != (stored.record.secret, stored.head.run_id, stored.head.sequence):
        yield Flaw.OUT_OF_SEQUENCE, "its key says otherwise"


def _unended(run: RunInBucket, newest: RunInBucket, now: datetime) -> tuple[Flaw, str] | None:
    """Return what is wrong if a run has no end; None if its process may be alive."""
    if now - run.written_at < QUIET_MAX:
        return None
    if newest.began_at - run.written_at >= QUIET_MAX:
        return Flaw.NO_END, "a later run would have closed it; its last events are gone"
    return Flaw.UNFINISHED, "its process died; the next run of its secret closes it"
