"""Looking things up in an audit directory, and verifying it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO, TypeAlias

from rotator.audit.directory import files
from rotator.audit.directory.ledger import NAME, listed_after
from rotator.audit.directory.sieve import Sieve
from rotator.audit.event import parse
from rotator.audit.listed import LedgerJudge
from rotator.audit.pieces import read
from rotator.audit.progress import Progress
from rotator.audit.record import Record
from rotator.audit.sources import Criteria
from rotator.audit.verify import ANY_TERMS, SKEW_MAX_MS, Finding, Flaw, Judge, Terms, VerificationReport

_CLOCKS_APART = timedelta(milliseconds=SKEW_MAX_MS)
"""How far a file's name may lie after, and its time stamp before, the times in it: file systems use a coarser clock,
and a clock may be set back."""
_WRITABLE = "others than its owner may write to it"

_Lines: TypeAlias = Callable[[BinaryIO], Iterator[bytes]]
"""Yields the lines of a file."""
_LINES_AT_ONCE = 1000
"""How many are read before it is told how far it is."""


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

    def last_outcomes(self, secrets: Collection[str]) -> dict[str, Record]:
        """Return how the last run of each secret ended.

        The files that were written to last are read first, and no more of them than needed.
        """
        found: dict[str, Record] = {}
        for path, changed_at in self._newest_first():
            latest = changed_at + _CLOCKS_APART
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
            report.add(Finding(Flaw.UNTRUSTED_FILE, str(self.directory), None, "", None, _WRITABLE))
        lines = _Told(terms.progress, paths).lines if terms.progress else files.lines
        for path in paths:
            report.files += 1
            try:
                _check(path, report, Judge(report), lines)
            except OSError as error:
                reason = error.strerror or type(error).__name__
                report.add(Finding(Flaw.UNTRUSTED_FILE, path.name, None, "", None, reason))
            ledger.settle()
        ledger.known |= listed_after(self.directory, ledger.last.number if ledger.last else 0)
        ledger.close()
        return report

    def _judged_ledger(self, report: VerificationReport, terms: Terms) -> LedgerJudge:
        """Judge the entries of the ledger, if there is one."""
        judge, path = LedgerJudge(report, NAME, terms), self.directory / NAME
        if path.exists():
            with files.reading(path) as stream:
                if files.is_writable_by_others(stream.fileno()):
                    report.add(Finding(Flaw.UNTRUSTED_FILE, NAME, None, "", None, _WRITABLE))
                for number, line in enumerate(files.lines(stream), start=1):
                    judge.line(line, number)
        return judge

    def _newest_first(self) -> list[tuple[Path, datetime]]:
        """Return the files with the time of their last write, the latest first."""
        found = [(path, files.written_at(path)) for path in files.audit_files(self.directory)]
        return sorted(found, key=lambda pair: pair[1], reverse=True)


def _may_hold(path: Path, criteria: Criteria) -> bool:
    """Tell from a file's name and time stamp whether anything in it can fit."""
    began_at = criteria.until and files.began_at(path)
    if criteria.until and began_at and began_at - _CLOCKS_APART >= criteria.until:
        return False
    return criteria.since is None or files.written_at(path) >= criteria.since - _CLOCKS_APART


def _records(path: Path, sieve: Sieve) -> Iterator[Record]:
    with files.reading(path) as stream:
        for line in sieve.lines(stream):
            if stored := parse(line):
                yield stored.record


class _Told:
    """Tells how far files were read."""

    def __init__(self, tell: Callable[[Progress], None], paths: Sequence[Path]) -> None:
        self._tell = tell
        self._so_far = Progress(0, len(paths), 0, sum(map(_size, paths)))

    def lines(self, stream: BinaryIO) -> Iterator[bytes]:
        """Yield the lines of the next file."""
        done, before = self._so_far.files, self._so_far.size
        for number, line in enumerate(files.lines(stream)):
            if number % _LINES_AT_ONCE == 0:
                self._say(done, before + stream.tell())
            yield line
        self._say(done + 1, before + stream.tell())

    def _say(self, done: int, size: int) -> None:
        self._so_far = self._so_far._replace(files=done, size=size)
        self._tell(self._so_far)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0


def _check(path: Path, report: VerificationReport, judge: Judge, lines: _Lines) -> None:
    """Read a file once, and judge it."""

    def add(flaw: Flaw, line: int | None, detail: str) -> None:
        report.add(Finding(flaw, path.name, line, "", None, detail))

    number, line, name = 0, b"\n", path.name
    remains, remains_at = files.Remains(), 0
    is_open = files.is_open_name(path)
    with files.opened(path) as stream:
        if files.is_writable_by_others(stream.fileno()):
            add(Flaw.UNTRUSTED_FILE, None, _WRITABLE)
            return
        is_live = is_open and files.has_live_writer(stream)
        judge.may_follow = is_open
        for number, line in enumerate(lines(stream), start=1):
            stored = read(line) or parse(line)
            if stored is None:
                remains_at = remains_at or number
                remains.add(line)
                continue
            torn = stored.record.torn
            if remains.length or torn:
                if torn != remains.repair:
                    add(Flaw.NO_EVENT, remains_at or number, "and no repair accounts for it")
                remains, remains_at = files.Remains(), 0
            judge.event(line, stored, name, number)
    if is_live:
        judge.close(None, path.name)
        return
    if remains.length:
        add(Flaw.UNFINISHED if is_open else Flaw.NO_EVENT, remains_at, "the file ends in it")
    elif not is_open and not line.endswith(b"\n"):
        add(Flaw.ALTERED, number, "the last line break is missing")
    left = Flaw.UNFINISHED, "its process died; the next run closes it"
    cut = Flaw.NO_END, "the file was closed; its last events are gone"
    judge.close(left if is_open else cut, path.name)
