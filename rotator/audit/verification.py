"""Verification: does the trail still say what was written?

A chain of hashes without a key shows every change to a run that was not made by rebuilding its
whole chain: an edited, removed, added, moved or repeated line, and a finished run cut short, since
each must end in an end. It cannot show

- a whole file that is gone, or every line of a run (the trail holds no list of its runs);
- a run rewritten by somebody who computes all of its fingerprints anew, for which no key is needed;
- a finished file that was cut and renamed to look like that of a process that died.

Against these, copy the files to where the writing host cannot change them. Nothing here writes, and
one pass holds one file's chains in memory, plus the id of every run.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from pathlib import Path

from rotator.audit.attestation import FIRST, Head, event_uid, sealed
from rotator.audit.directory import (
    audit_files,
    has_live_writer,
    is_open_name,
    is_writable_by_others,
    reading,
)
from rotator.audit.fields import KNOWN_PATHS, REQUIRED_PATHS, key_paths
from rotator.audit.ocsf import Kind
from rotator.audit.redaction import looks_secret
from rotator.audit.stored import StoredEvent, lines, parse

SKEW_MAX_MS = 60_000
"""How far the time of an event may lie before that of the one it follows."""
FINDINGS_MAX = 1000
"""Findings kept in a report; further ones are only counted."""
_WRITABLE = "others than its owner may write to it"


class Verdict(IntEnum):
    """What a trail comes to; the highest of its findings decides."""

    INTACT = 0
    UNFINISHED = 1
    """A process died and none has run since: the next run closes its file. No sign of tampering."""
    BROKEN = 2


class Flaw(Enum):
    """What can be wrong."""

    UNTRUSTED_FILE = "the file cannot be trusted or read"
    NO_EVENT = "a line is no event"
    ALTERED = "an event is not as it was written"
    MISSHAPEN = "an event has fields it should not have, or lacks some"
    OUT_OF_SEQUENCE = "an event is missing, repeated or out of place"
    UNLINKED = "an event does not follow from the one before it"
    BACKWARDS = "time goes back"
    NO_START = "a run does not begin with its start"
    NO_END = "a run does not end, and no crash explains it"
    AFTER_END = "an event follows the end of its run"
    STRANGER = "an event names another secret than its run"
    NO_INTENT = "a call has an outcome, but no intent"
    NO_OUTCOME = "a call has an intent, but no outcome"
    REPEATED_RUN = "a run is in two files"
    EXPOSED = "an event holds what looks like secret material"
    UNFINISHED = "a run or a line was cut off when its process died"

    @property
    def verdict(self) -> Verdict:
        """How grave it is."""
        return Verdict.UNFINISHED if self is Flaw.UNFINISHED else Verdict.BROKEN


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    flaw: Flaw
    file: str
    line: int | None
    run_id: str
    sequence: int | None
    detail: str


@dataclass(slots=True)
class VerificationReport:
    """What was looked at, and what was found."""

    verdict: Verdict = Verdict.INTACT
    files: int = 0
    runs: int = 0
    events: int = 0
    in_progress: int = 0
    """Runs that a living process is at."""
    recovered: int = 0
    """Runs that a crash cut off and a later process closed."""
    findings: list[Finding] = field(default_factory=list)
    findings_left_out: int = 0

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self.verdict = max(self.verdict, finding.flaw.verdict)
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1


def verify(directory: Path) -> VerificationReport:
    """Check every file of an audit directory.

    Raises:
        AuditUnavailableError: the directory cannot be read.
    """
    report = VerificationReport()
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


@dataclass(slots=True)
class _Run:
    secret: tuple[str, str]
    head: Head | None = None
    line: int = 0
    ended: bool = False
    calls: dict[str, str] = field(default_factory=dict)
    """Calls without an outcome yet: operations by call id."""


class _FileCheck:
    """The check of one file."""

    def __init__(self, path: Path, report: VerificationReport, runs_seen: set[str]) -> None:
        self.path = path
        self.report = report
        self.runs_seen = runs_seen
        self.runs: dict[str, _Run] = {}
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
                    self._event(line, stored)
                else:
                    self._note_remains(line)
        if not is_live:
            self._end_of_file()
        else:
            self.report.in_progress += sum(not run.ended for run in self.runs.values())
        self.report.runs += sum(run.secret != ("", "") for run in self.runs.values())
        self.runs_seen.update(self.runs)

    def _note_remains(self, line: bytes) -> None:
        if not self.remains:
            self.remains_at = self.number
        self.remains += len(line)
        self.digest.update(line)

    def _account_for_remains(self, stored: StoredEvent) -> None:
        """Make sure that what is no event above is named by this one, and the other way round."""
        if not self.remains and not stored.torn:
            return
        if stored.torn != (self.remains, self.digest.hexdigest()):
            self._add(
                Flaw.NO_EVENT, "and no repair accounts for it", line=self.remains_at or self.number
            )
        self.remains, self.remains_at, self.digest = 0, 0, hashlib.sha256()

    def _end_of_file(self) -> None:
        """Judge what is left when no living process will write on."""
        is_open = is_open_name(self.path)
        if self.remains:
            flaw = Flaw.UNFINISHED if is_open else Flaw.NO_EVENT
            self._add(flaw, "the file ends in it", line=self.remains_at)
        elif not self.is_terminated and not is_open:
            self._add(Flaw.ALTERED, "the last line break is missing")
        for run_id, run in self.runs.items():
            if run.ended:
                continue
            flaw, detail = Flaw.NO_END, "the file was closed; its last events are gone"
            if is_open:
                flaw, detail = Flaw.UNFINISHED, "its process died; the next run closes it"
            sequence = run.head.sequence if run.head else None
            self._add(flaw, detail, line=run.line, run_id=run_id, sequence=sequence)

    def _event(self, line: bytes, stored: StoredEvent) -> None:
        self.report.events += 1
        head, record = stored.head, stored.record
        if head.run_id not in self.runs:
            self.runs[head.run_id] = _Run((record.secret, record.arn))
            if head.run_id in self.runs_seen:
                self._flaw(Flaw.REPEATED_RUN, "an earlier file has it too", stored)
        run = self.runs[head.run_id]
        for flaw, detail in (
            *_own_flaws(line, stored),
            *_place_flaws(run, stored),
            *_story_flaws(run, stored),
        ):
            self._flaw(flaw, detail, stored)
        # A repeated event does not move the chain: the one that follows it is right.
        if not run.head or head.sequence > run.head.sequence:
            run.head = head
        run.line = self.number
        self.report.recovered += record.kind is Kind.RECOVERED

    def _flaw(self, flaw: Flaw, detail: str, stored: StoredEvent) -> None:
        self._add(flaw, detail, run_id=stored.head.run_id, sequence=stored.head.sequence)

    def _add(
        self,
        flaw: Flaw,
        detail: str,
        *,
        line: int | None = None,
        run_id: str = "",
        sequence: int | None = None,
    ) -> None:
        where = line or self.number or None
        self.report.add(Finding(flaw, self.path.name, where, run_id, sequence, detail))


def _own_flaws(line: bytes, stored: StoredEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event by itself."""
    event, head = stored.event, stored.head
    try:
        if sealed(event) != line.removesuffix(b"\n"):
            yield Flaw.ALTERED, "content, canonical form and fingerprint do not fit together"
    except ValueError as error:
        yield Flaw.ALTERED, str(error)
    paths = key_paths(event)
    if wrong := (paths - KNOWN_PATHS) | (REQUIRED_PATHS - paths):
        yield Flaw.MISSHAPEN, ", ".join(sorted(wrong))
    if {stored.uid, event_uid(stored.record.run_id, head.sequence)} != {
        event_uid(head.run_id, head.sequence)
    }:
        yield Flaw.MISSHAPEN, "its ids contradict each other"
    if looks_secret(_without_fingerprints(line.decode(), stored)):
        yield Flaw.EXPOSED, "rotate that key"


def _place_flaws(run: _Run, stored: StoredEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event's place in its chain."""
    head, before = stored.head, run.head
    if before is None:
        starts = stored.record.kind in {Kind.STARTED, Kind.REPAIRED}
        if head.sequence != FIRST or stored.prev_event is not None or not starts:
            yield Flaw.NO_START, f"its first event here has sequence {head.sequence}"
        return
    if head.sequence != before.sequence + 1:
        yield Flaw.OUT_OF_SEQUENCE, f"{before.sequence + 1} is expected here, not {head.sequence}"
    elif stored.prev_event != before.reference():
        yield Flaw.UNLINKED, f"it does not refer to event {before.sequence} as it stands here"
    if head.time_ms < before.time_ms - SKEW_MAX_MS:
        yield Flaw.BACKWARDS, f"by {(before.time_ms - head.time_ms) // 1000} s"
    if (stored.record.secret, stored.record.arn) != run.secret:
        yield Flaw.STRANGER, "not the one its run was begun for"


def _story_flaws(run: _Run, stored: StoredEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event as a part of what its run did, and take note of it."""
    record = stored.record
    if run.ended:
        yield Flaw.AFTER_END, f"of kind {record.kind}"
        return
    match record.kind:
        case Kind.INTENT:
            run.calls[stored.call_uid] = record.operation
        case Kind.DONE:
            if run.calls.pop(stored.call_uid, None) != record.operation:
                yield Flaw.NO_INTENT, record.operation
        case Kind.RECOVERED:
            run.calls.pop(stored.unanswered, None)
        case _:
            pass
    if record.kind in {Kind.ENDED, Kind.RECOVERED, Kind.REPAIRED}:
        run.ended = True
        for operation in run.calls.values():
            yield Flaw.NO_OUTCOME, operation


def _without_fingerprints(text: str, stored: StoredEvent) -> str:
    """Return a line without the digests that belong in it: they look like a Pinata API secret."""
    digests = [stored.head.fingerprint]
    if stored.torn:
        digests.append(stored.torn[1])
    match stored.prev_event:
        case {"fingerprint": {"value": str(value)}}:
            digests.append(value)
        case _:
            pass
    for digest in digests:
        text = text.replace(digest, "")
    return text
