"""Looking things up in an audit directory, and verifying it."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.audit.directory import files
from rotator.audit.directory.checked import WRITABLE, CheckedFile, ReadingProgress
from rotator.audit.directory.ledger import NAME, entries_after
from rotator.audit.directory.sieve import Sieve
from rotator.audit.event import parse
from rotator.audit.listed import LedgerJudge
from rotator.audit.record import Record
from rotator.audit.sources import Criteria
from rotator.audit.verify import ANY_TERMS, SKEW_MAX_MS, Finding, Flaw, Judge, Terms, VerificationReport

_HELD_MAX = timedelta(hours=2)
"""How long before its file is made the first events of a run may have been: longer than a run takes."""
_SPAN_MAX = timedelta(days=2)
"""From a file's name to its last event: a file takes new runs for a day."""
_CLOCKS_APART = timedelta(milliseconds=SKEW_MAX_MS)
"""How far a file's name may lie after, and its time stamp before, the times in it: file systems use a coarser clock,
and a clock may be set back."""


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """An audit directory as a `Source`."""

    directory: Path

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit, file by file, each in the order it was written."""
        sieve = Sieve.of(criteria)
        for path in files.audit_files(self.directory):
            if _may_hold(path, criteria):
                yield from filter(criteria.fit, _records(path, sieve))

    def last_outcomes(self, secrets: Collection[str], since: datetime | None = None) -> dict[str, Record]:
        """Return how the last run of each secret ended.

        The files that were written to last are read first, and no more of them than needed.
        """
        found: dict[str, Record] = {}
        for path, changed_at in self._newest_first(since):
            latest = changed_at + _CLOCKS_APART
            if since and latest < since:
                break
            sought = {name for name in secrets if name not in found or found[name].time <= latest}
            if not sought:
                break
            for record in _records(path, Sieve.of_ends(sought)):
                if not record.ends_run or record.secret not in sought:
                    continue
                if record.secret not in found or record.time >= found[record.secret].time:
                    found[record.secret] = record
        return found

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time; files that were not written to since are not read."""
        sieve = Sieve.of_ends(since=since)
        found = [
            record
            for path, changed_at in self._newest_first()
            if changed_at >= since - _CLOCKS_APART
            for record in _records(path, sieve)
            if record.ends_run and record.time >= since
        ]
        return sorted(found, key=lambda record: record.time)

    def verify(self, terms: Terms = ANY_TERMS) -> VerificationReport:
        """Check every file."""
        report = VerificationReport(str(self.directory), chains=None if terms.alone else {})
        ledger = self._judged_ledger(report, terms)
        paths = files.audit_files(self.directory)
        if files.is_writable_by_others(self.directory):
            report.add(Finding(Flaw.UNTRUSTED_FILE, str(self.directory), None, "", None, WRITABLE))
        lines = ReadingProgress(terms.progress, paths).lines if terms.progress else files.lines
        for path in paths:
            report.files += 1
            try:
                CheckedFile(path, report, Judge(report), lines).check()
            except OSError as error:
                reason = error.strerror or type(error).__name__
                report.add(Finding(Flaw.UNTRUSTED_FILE, path.name, None, "", None, reason))
            ledger.settle()
        ledger.later = entries_after(self.directory, ledger.last.number if ledger.last else 0)
        ledger.close()
        return report

    def _judged_ledger(self, report: VerificationReport, terms: Terms) -> LedgerJudge:
        """Judge the entries of the ledger, if there is one."""
        judge, path = LedgerJudge(report, NAME, terms), self.directory / NAME
        if path.exists():
            with files.reading(path) as stream:
                if files.is_writable_by_others(stream.fileno()):
                    report.add(Finding(Flaw.UNTRUSTED_FILE, NAME, None, "", None, WRITABLE))
                for number, line in enumerate(files.lines(stream), start=1):
                    judge.line(line, number)
        return judge

    def _newest_first(self, since: datetime | None = None) -> list[tuple[Path, datetime]]:
        """Return the files with the time of their last write, the latest first; not those that ended before a time."""
        # By their names: asking the file system for the time of each file is slow where there are many.
        first = f"{(since - _SPAN_MAX).astimezone(UTC):%Y%m%dT%H%M%S}" if since else ""
        paths = (path for path in files.audit_files(self.directory) if path.name >= first)
        found = [(path, files.written_at(path)) for path in paths]
        return sorted(found, key=lambda pair: pair[1], reverse=True)


def _may_hold(path: Path, criteria: Criteria) -> bool:
    """Tell from a file's name and time stamp whether anything in it can fit."""
    began_at = criteria.until and files.began_at(path)
    if criteria.until and began_at and began_at - _HELD_MAX >= criteria.until:
        return False
    return criteria.since is None or files.written_at(path) >= criteria.since - _CLOCKS_APART


def _records(path: Path, sieve: Sieve) -> Iterator[Record]:
    with files.reading(path) as stream:
        for line in sieve.lines(stream):
            if stored := parse(line):
                yield stored.record
