"""Verification: does the trail still say what was written?

A chain of hashes without a key shows every change to a run that was not made by rebuilding its
whole chain: an edited, removed, added, moved or repeated line, and a finished run cut short, since
each must end in an end. It cannot show

- a whole file that is gone, or every line of a run (the trail holds no list of its runs);
- a run rewritten by somebody who computes all of its fingerprints anew, for which no key is needed;
- a finished file that was cut and renamed to look like that of a process that died.

Against these, copy the files to where the writing host cannot change them, or record in a bucket
whose objects are locked. Nothing here writes, and one pass holds one file's chains in memory, plus
the id of every run.
"""

import hashlib
from pathlib import Path

from rotator.audit.directory import audit_files, has_live_writer, is_open_name, is_writable_by_others, lines, reading
from rotator.audit.event import StoredEvent, parse
from rotator.audit.findings import Finding, Flaw, VerificationReport
from rotator.audit.judge import Judge
from rotator.audit.record import Repaired

_WRITABLE = "others than its owner may write to it"


def verify(directory: Path) -> VerificationReport:
    """Check every file of an audit directory.

    Raises:
        AuditUnavailableError: the directory cannot be read.
    """
    report = VerificationReport(str(directory))
    paths = audit_files(directory)
    if is_writable_by_others(directory):
        report.add(Finding(Flaw.UNTRUSTED_FILE, str(directory), None, "", None, _WRITABLE))
    runs_seen: set[str] = set()
    for path in paths:
        report.files += 1
        try:
            _FileCheck(path, report, runs_seen).check()
        except OSError as error:
            reason = error.strerror or type(error).__name__
            report.add(Finding(Flaw.UNTRUSTED_FILE, path.name, None, "", None, reason))
    return report


class _FileCheck:
    """The check of one file."""

    def __init__(self, path: Path, report: VerificationReport, runs_seen: set[str]) -> None:
        self.path = path
        self.report = report
        self.judge = Judge(report, runs_seen)
        self.number = 0
        self.is_terminated = True
        self.remains = 0
        self.remains_at = 0
        self.digest = hashlib.sha256()

    def check(self) -> None:
        """Read the file once, and judge it."""
        with reading(self.path) as stream:
            if is_writable_by_others(stream.fileno()):
                self._add(Flaw.UNTRUSTED_FILE, _WRITABLE)
                return
            is_live = is_open_name(self.path) and has_live_writer(stream)
            for line in lines(stream):
                self.number += 1
                self.is_terminated = line.endswith(b"\n")
                stored = parse(line)
                if stored:
                    self._account_for_remains(stored)
                    self.judge.event(line, stored, self.path.name, self.number)
                else:
                    self._note_remains(line)
        if not is_live:
            self._end_of_file()
        else:
            self.report.in_progress += len(list(self.judge.unended()))
        self.judge.close()

    def _note_remains(self, line: bytes) -> None:
        if not self.remains:
            self.remains_at = self.number
        self.remains += len(line)
        self.digest.update(line)

    def _account_for_remains(self, stored: StoredEvent) -> None:
        """Make sure that what is no event above is named by this one, and the other way round."""
        torn = stored.record.torn
        if not self.remains and not torn:
            return
        if torn != Repaired(self.remains, self.digest.hexdigest()):
            self._add(Flaw.NO_EVENT, "and no repair accounts for it", line=self.remains_at or self.number)
        self.remains, self.remains_at, self.digest = 0, 0, hashlib.sha256()

    def _end_of_file(self) -> None:
        """Judge what is left when no living process will write on."""
        is_open = is_open_name(self.path)
        if self.remains:
            flaw = Flaw.UNFINISHED if is_open else Flaw.NO_EVENT
            self._add(flaw, "the file ends in it", line=self.remains_at)
        elif not self.is_terminated and not is_open:
            self._add(Flaw.ALTERED, "the last line break is missing")
        for run_id, run in self.judge.unended():
            flaw, detail = Flaw.NO_END, "the file was closed; its last events are gone"
            if is_open:
                flaw, detail = Flaw.UNFINISHED, "its process died; the next run closes it"
            sequence = run.head.sequence if run.head else None
            self._add(flaw, detail, line=run.line, run_id=run_id, sequence=sequence)

    def _add(
        self, flaw: Flaw, detail: str, *, line: int | None = None, run_id: str = "", sequence: int | None = None
    ) -> None:
        where = line or self.number or None
        self.report.add(Finding(flaw, self.path.name, where, run_id, sequence, detail))
