"""Looking things up in a bucket, and verifying it.

Objects are read several at a time, and their number is limited by that of a listing's pages.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain, islice

from rotator.audit.bucket.destination import QUIET_MAX
from rotator.audit.bucket.ledger import FOLDER, entries_after, entry_key
from rotator.audit.bucket.objects import AuditBucket, RunInBucket, all_runs, events_in, group, last_event, newest_runs
from rotator.audit.bucket.versions import FirstVersions
from rotator.audit.chain import Clock
from rotator.audit.event import StoredEvent
from rotator.audit.ledger import parse_entry
from rotator.audit.listed import LedgerJudge
from rotator.audit.record import Record
from rotator.audit.sources import Criteria
from rotator.audit.verify import ANY_TERMS, Finding, Flaw, Judge, Terms, VerificationReport
from rotator.model.errors import AuditUnavailableError

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
        for _, contents in self._read(self._chosen(criteria), self.bucket.get):
            for _, stored in chain.from_iterable(map(events_in, contents)):
                if stored and criteria.fit(stored.record):
                    yield stored.record

    def last_outcomes(self, secrets: Collection[str], since: datetime | None = None) -> dict[str, Record]:
        """Return how the last run of each secret ended."""
        with ThreadPoolExecutor(READERS, "audit") as pool:
            found = pool.map(partial(self._last_outcome, since=since), secrets)
            return {record.secret: record for record in found if record}

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time."""
        # An end is a run's last object; the others are not read.
        last = [run.object_keys[-1] for run in self._chosen(Criteria(since=since))]
        with ThreadPoolExecutor(READERS, "audit") as pool:
            found = [stored.record for stored in map(last_event, pool.map(self.bucket.get, last)) if stored]
        ends = (record for record in found if record.ends_run and record.time >= since)
        return sorted(ends, key=lambda record: record.time)

    def verify(self, terms: Terms = ANY_TERMS) -> VerificationReport:
        """Check every object, as it was first written if the bucket tells that."""
        report = VerificationReport(str(self.bucket), chains=None if terms.alone else {})
        first = FirstVersions(self.bucket)
        ledger = self._judged_ledger(report, terms, first)
        newest: RunInBucket | None = None
        now = self.clock()
        for run, contents in self._read(group(first.listed()), first.get):
            if newest is None or newest.secret != run.secret:
                newest = run
            report.files += len(contents)
            judge = Judge(report, may_follow=now - run.written_at < QUIET_MAX or newest is run)
            for sequence, key, content in zip(run.sequences, run.object_keys, contents, strict=True):
                url, events = self.bucket.url(key), events_in(content)
                for line, stored in events:
                    if stored:
                        judge.event(line, stored, url, None)
                for flaw, detail in (*first.flaws(key), *_object_flaws(run, sequence, content, events)):
                    report.add(Finding(flaw, url, None, run.run_id, sequence, detail))
            judge.close(_unended(run, newest, now), self.bucket.url(run.folder), run.run_id)
            ledger.settle()
        report.versions_unread = first.unread
        with suppress(AuditUnavailableError):  # an entry that is none has its finding
            ledger.later = entries_after(self.bucket, ledger.last.number if ledger.last else 0)
        ledger.close()
        return report

    def _judged_ledger(self, report: VerificationReport, terms: Terms, first: FirstVersions) -> LedgerJudge:
        """Judge the entries of the ledger, if there is one."""
        judge = LedgerJudge(report, self.bucket.url(FOLDER), terms)
        keys = sorted((found.key for found in first.listed(FOLDER)), reverse=True)
        with ThreadPoolExecutor(READERS, "audit") as pool:
            for key, content in zip(keys, pool.map(first.get, keys), strict=True):
                entry = parse_entry(content or b"")
                if entry is None or entry_key(entry.number) != key:
                    judge.unread(None, f"{key} does not hold the entry of its number")
                else:
                    judge.entry(entry)
                for flaw, detail in first.flaws(key):
                    report.add(Finding(flaw, self.bucket.url(key), None, "", None, detail))
        return judge

    def _chosen(self, criteria: Criteria) -> list[RunInBucket]:
        """Return the runs that may have what fits, the oldest first."""
        chosen = [
            run
            for run in all_runs(self.bucket, criteria.secret)
            # Clocks may differ, so this is coarse; each record is looked at again.
            if (criteria.run_id is None or run.run_id == criteria.run_id)
            and (criteria.since is None or max(run.written_at, run.began_at) >= criteria.since - QUIET_MAX)
            and (criteria.until is None or run.began_at < criteria.until)
        ]
        return sorted(chosen, key=lambda run: run.began_at)

    def _last_outcome(self, secret: str, since: datetime | None) -> Record | None:
        runs = newest_runs(self.bucket, secret)
        latest: Record | None = None
        written_at = None
        for run in sorted(runs, key=lambda run: run.written_at, reverse=True):
            if written_at and run.written_at < written_at - _RESOLUTION:
                break
            if since and run.written_at < since - QUIET_MAX:
                break
            stored = last_event(self.bucket.get(run.object_keys[-1]))
            if stored and stored.record.ends_run:
                latest = max(latest or stored.record, stored.record, key=lambda end: end.time)
                written_at = written_at or run.written_at
        return latest

    def _read(
        self, runs: Iterable[RunInBucket], get: Callable[[str], bytes | None]
    ) -> Iterator[tuple[RunInBucket, list[bytes | None]]]:
        """Yield runs with what is in their objects, in the order of events; None where one is gone."""
        with ThreadPoolExecutor(READERS, "audit") as pool:
            pending = iter(runs)
            while batch := list(islice(pending, BATCH)):
                contents = pool.map(get, [key for run in batch for key in run.object_keys])
                for run in batch:
                    yield run, list(islice(contents, len(run.sequences)))


def _object_flaws(
    run: RunInBucket, sequence: int, content: bytes | None, events: Sequence[tuple[bytes, StoredEvent | None]]
) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an object, apart from what its events say."""
    if content and not content.endswith(b"\n"):
        yield Flaw.ALTERED, "the last line break is missing"
    for number, (_, stored) in enumerate(events, start=sequence):
        if stored is None:
            yield Flaw.NO_EVENT, f"{number} should be in it"
        elif (run.secret, run.run_id, number) != (stored.record.secret, stored.head.run_id, stored.head.sequence):
            yield Flaw.OUT_OF_SEQUENCE, "its key says otherwise"


def _unended(run: RunInBucket, newest: RunInBucket, now: datetime) -> tuple[Flaw, str] | None:
    """Return what is wrong if a run has no end; None if its process may be alive."""
    if now - run.written_at < QUIET_MAX:
        return None
    if newest.began_at - run.written_at >= QUIET_MAX:
        return Flaw.NO_END, "a later run would have closed it; its last events are gone"
    return Flaw.UNFINISHED, "its process died; the next run of its secret closes it"
