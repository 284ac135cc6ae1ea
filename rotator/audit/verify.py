"""Verification: does an event still say what was written?

A chain of hashes without a key shows every change to a run that was not made by rebuilding its whole chain: a line that
was edited, removed, added, moved or repeated, and a finished run cut short. It cannot show

- that a whole file is missing, or every line of a run;
- that a run was rewritten with new fingerprints, or cut, and its file renamed to look like that of a dead process.
For these there is the ledger (`rotator.audit.listed`). One pass holds one file's chains in memory, and of every run a
hash of its id, or its chain if there is another place to compare it with.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum, IntEnum

from rotator.audit.attestation import FIRST, Head, event_uid, is_sealed
from rotator.audit.event import KNOWN_PATHS, REQUIRED_PATHS, StoredEvent, key_paths
from rotator.audit.pieces import SoundEvent
from rotator.audit.progress import Progress
from rotator.audit.record import CHAIN_ENDS, IDLE, RUN_ENDS, EventKind, Record
from rotator.audit.runset import RunSet
from rotator.model.events import Operation
from rotator.model.plan import OutcomeKind
from rotator.model.secrecy import looks_secret
from rotator.model.signing import PinnedSigner

FINDINGS_MAX = 1000
"""Findings kept in a report; further ones are only counted."""
SKEW_MAX_MS = 60_000
"""How far the time of an event may lie before that of the one it follows."""


class Verdict(IntEnum):
    """What a trail comes to; the highest of its findings decides."""

    INTACT = 0
    NOTHING = 1
    """There is no event, so nothing was verified."""
    UNFINISHED = 2
    """A process died and none has run since: the next run closes its file. Not a sign of tampering."""
    UNSEALED = 3
    """The newest runs are not sealed, or no seal could be checked, though a signer is trusted."""
    BROKEN = 4


class Flaw(Enum):
    """What can be wrong."""

    UNTRUSTED_FILE = "the file cannot be trusted or read"
    NO_EVENT = "a line is not an event"
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
    UNDONE = "a revocation was decided, and neither begun nor given up"
    REPEATED_RUN = "a run is in two files"
    EXPOSED = "an event holds what looks like secret material"
    OVERWRITTEN = "an object was overwritten"
    DELETED = "an object was deleted"
    CONTRADICTED = "the two places of the trail tell a run differently"
    LEDGER = "the ledger is not as it was written"
    MISSING_RUN = "a run is in the ledger, and not here"
    NOT_AS_LISTED = "a run does not end as the ledger has it"
    UNLISTED = "a run is here, and not in the ledger"
    UNRECORDED = "a version or a key is there, and the trail does not have it"
    NOT_REACHED = "the ledger does not have the head that is expected"
    BAD_SEAL = "a seal does not fit its entry"
    UNKNOWN_SIGNER = "a seal is by a key that is not trusted"
    UNSEALED = "runs are not sealed"
    UNFINISHED = "a run or a line was cut off when its process died"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, and where."""

    flaw: Flaw
    file: str
    line: int | None
    run_id: str
    sequence: int | None
    detail: str


_DIGEST = re.compile("[0-9a-f]{64}", re.ASCII)
_HASH = struct.Struct("q")
HASH_BYTES = _HASH.size
_ACTS = frozenset({EventKind.INTENT, EventKind.DONE, EventKind.RECOVERED})
_GRAVITY = {Flaw.UNFINISHED: Verdict.UNFINISHED, Flaw.UNSEALED: Verdict.UNSEALED}


@dataclass(frozen=True, slots=True)
class Terms:
    """What a verification goes by."""

    since: datetime | None = None
    """Runs that ended before need not be there: they were moved away."""
    signers: tuple[PinnedSigner, ...] = ()
    """Whose seals are trusted; if empty, seals are checked, and any signer is taken."""
    expected: tuple[str, ...] = ()
    """Heads that the ledger must have: `number:hex`, of one place as `number:hex@place`."""
    alone: bool = False
    """Whether there is no other place to compare with."""
    progress: Callable[[Progress], None] | None = None
    """Called now and then with the progress so far."""


ANY_TERMS = Terms()


@dataclass(frozen=True, slots=True)
class RunEnding:
    """How a run ended, as far as the ledger is concerned."""

    fingerprint: bytes
    """Of its last event."""
    may_follow: bool
    """Whether the ledger may still be about to list it: its process lives, or died just then."""


@dataclass(slots=True)
class VerificationReport:
    """What was looked at, and what was found."""

    where: str
    """The directory or the bucket."""
    files: int = 0
    """Files, or objects of a bucket."""
    runs: int = 0
    events: int = 0
    in_progress: int = 0
    """Runs without an end whose process is alive."""
    findings: list[Finding] = field(default_factory=list)
    seen: RunSet = field(default_factory=RunSet, repr=False, compare=False)
    """The runs."""
    chains: dict[str, bytes] | None = field(default_factory=dict, repr=False)
    """By run: a hash of each event's fingerprint, to compare one place with another; None if there is only one."""
    cut_short: set[str] = field(default_factory=set, repr=False)
    """Runs that a later process closed."""
    ends: dict[str, RunEnding] = field(default_factory=dict, repr=False)
    """How each run ended that says that the ledger lists it, until it is compared with that."""
    noted: dict[str, str] = field(default_factory=dict, repr=False)
    """Heads of this place that runs found noted on their secrets, each with such a run."""
    listed: int = 0
    """Entries of the ledger."""
    excused: int = 0
    """Of those, entries of runs that need not be there."""
    listed_from_ms: int = 0
    """The time of its first entry; 0 without one."""
    place: str = ""
    """The id of the place; empty as long as no entry of a ledger was read."""
    head: str = ""
    """Of the ledger's newest entry."""
    sealed_up_to: int = 0
    """The newest entry with a good seal, which covers those before."""
    signers: set[str] = field(default_factory=set)
    """Whose good seals there are."""
    versions_unread: str = ""
    """Why earlier versions of a bucket's objects were not looked at, or not all of them."""
    findings_left_out: int = 0
    _worst: Verdict = Verdict.INTACT

    @property
    def verdict(self) -> Verdict:
        """What it comes to; a trail without an event and without a flaw is not intact, but nothing."""
        return max(self._worst, Verdict.INTACT if self.events else Verdict.NOTHING)

    def add(self, finding: Finding) -> None:
        """Count a finding, and keep it while there is room."""
        self._worst = max(self._worst, _GRAVITY.get(finding.flaw, Verdict.BROKEN))
        if len(self.findings) < FINDINGS_MAX:
            self.findings.append(finding)
        else:
            self.findings_left_out += 1


@dataclass(slots=True)
class _JudgedRun:
    """One run, as far as its events have been read."""

    secret: tuple[str, str]
    head: Head
    line: int | None = None
    ended: bool = False
    acted: bool = False
    """Whether it did something, so that the ledger has to list it."""
    calls: dict[str, str] = field(default_factory=dict)
    """Calls without an outcome yet: operations by call id."""
    to_revoke: int = 0
    """Revocations that were decided last, and not begun yet."""


@dataclass(slots=True)
class Judge:
    """Judges the events of one file, or of one run in a bucket, in the order they stand in."""

    report: VerificationReport
    """Where findings go."""
    may_follow: bool = False
    """Whether the ledger may still be about to list a run that ended here."""
    _runs: dict[str, _JudgedRun] = field(default_factory=dict, init=False)

    def event(self, line: bytes, stored: StoredEvent | SoundEvent, file: str, number: int | None) -> None:
        """Judge an event that stands on this line of a file, or by itself in an object."""
        head, record = stored.head, stored.record
        run = self._runs.get(head.run_id)
        is_repeated = run is None and head.run_id in self.report.seen
        flaws = [(Flaw.REPEATED_RUN, "it was read before, elsewhere")] if is_repeated else []
        if isinstance(stored, StoredEvent):
            flaws += _own_flaws(line, stored)
        if run is None and not flaws and record.is_note and stored.prev_event is None:
            self.report.runs += 1
            self.report.seen.add(head.run_id)
            self._remember(head, record)
            return
        flaws += _place_flaws(run, stored)
        if run is None:
            run = self._runs[head.run_id] = _JudgedRun(stored.about, head)
            self.report.seen.add(head.run_id)
        flaws += _story_flaws(run, stored)
        flaws += _listing_flaws(run, stored, self.report.listed_from_ms)
        for flaw, detail in flaws:
            self.report.add(Finding(flaw, file, number, head.run_id, head.sequence, detail))
        # A repeated event does not move the chain: the one that follows it is right.
        if head.sequence > run.head.sequence:
            run.head = head
        run.line = number
        self._remember(head, record)

    def _remember(self, head: Head, record: Record) -> None:
        """Take down what is compared with other places, and with the ledger."""
        report, run_id = self.report, head.run_id
        report.events += 1
        if report.chains is not None:
            report.chains[run_id] = report.chains.get(run_id, b"") + _HASH.pack(hash(head.fingerprint))
        if record.kind is EventKind.RECOVERED:
            report.cut_short.add(run_id)
        for noted in record.audit_head.split():
            if noted.endswith(f"@{report.place}"):
                report.noted.setdefault(noted, run_id)
        if record.listed:
            digest = bytes.fromhex(head.fingerprint) if _DIGEST.fullmatch(head.fingerprint) else b""
            report.ends[run_id] = RunEnding(digest, self.may_follow)

    def close(self, unended: tuple[Flaw, str] | None, file: str, run_id: str = "") -> None:
        """Count the runs that were judged; one without an end is in progress, or has this flaw, as run `run_id`."""
        for judged_id, run in self._runs.items():
            if unended and not run.ended:
                where = (file, run.line, run_id or judged_id, run.head.sequence)
                self.report.add(Finding(unended[0], *where, unended[1]))
            elif not run.ended:
                self.report.in_progress += 1
        self.report.runs += sum(run.secret != ("", "") for run in self._runs.values())


def _own_flaws(line: bytes, stored: StoredEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event by itself."""
    event, record = stored.event, stored.record
    try:
        if not is_sealed(event, line.removesuffix(b"\n")):
            yield Flaw.ALTERED, "content, canonical form and fingerprint do not fit together"
    except ValueError as error:
        yield Flaw.ALTERED, str(error)
    paths = key_paths(event)
    if wrong := (paths - KNOWN_PATHS) | (REQUIRED_PATHS - paths):
        yield Flaw.MISSHAPEN, ", ".join(sorted(wrong))
    if {record.uid, event_uid(record.run_id, record.sequence)} != {event_uid(stored.head.run_id, record.sequence)}:
        yield Flaw.MISSHAPEN, "its ids contradict each other"
    if looks_secret(_without_fingerprints(line, stored)):
        yield Flaw.EXPOSED, "rotate that key"


def _place_flaws(run: _JudgedRun | None, stored: StoredEvent | SoundEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with where an event stands in its chain."""
    head, record = stored.head, stored.record
    if run is None:
        starts = record.kind in {EventKind.STARTED, EventKind.REPAIRED} or record.is_note
        if head.sequence != FIRST or stored.prev_event is not None or not starts:
            yield Flaw.NO_START, f"its first event here has sequence {head.sequence}"
        return
    before = run.head
    if head.sequence != before.sequence + 1:
        yield Flaw.OUT_OF_SEQUENCE, f"{before.sequence + 1} is expected here, not {head.sequence}"
    elif stored.prev_event != before.reference():
        yield Flaw.UNLINKED, f"it does not refer to event {before.sequence} as it stands here"
    if head.time_ms < before.time_ms - SKEW_MAX_MS:
        yield Flaw.BACKWARDS, f"by {(before.time_ms - head.time_ms) // 1000} s"
    if stored.about != run.secret:
        yield Flaw.STRANGER, "not the one its run was begun for"


def _story_flaws(run: _JudgedRun, stored: StoredEvent | SoundEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event as a part of what its run did, and take note of it."""
    record = stored.record
    if run.ended:
        yield Flaw.AFTER_END, f"of kind {record.kind}"
        return
    match record.kind:
        case EventKind.INTENT:
            run.calls[stored.call_uid] = record.operation
            run.to_revoke -= record.operation == Operation.REVOKE_KEY
        case EventKind.DONE:
            if run.calls.pop(stored.call_uid, None) != record.operation:
                yield Flaw.NO_INTENT, record.operation
        case EventKind.RECOVERED:
            run.calls = {uid: call for uid, call in run.calls.items() if uid not in record.unanswered}
        case EventKind.DECIDED | EventKind.ENDED:
            # A plan is carried out to its end, or the run fails and says why.
            if run.to_revoke > 0 and record.failure is None and record.result != OutcomeKind.FAILED:
                yield Flaw.UNDONE, f"{run.to_revoke} of the last plan"
            run.to_revoke = record.actions.count("Revoke")
        case _:
            pass
    if record.kind in CHAIN_ENDS:
        run.ended = True
        for operation in run.calls.values():
            yield Flaw.NO_OUTCOME, operation


def _listing_flaws(run: _JudgedRun, stored: StoredEvent | SoundEvent, since_ms: int) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with the end of a run that the ledger of its place has to list, and take note of the rest."""
    record = stored.record
    run.acted = run.acted or record.kind in _ACTS
    if record.kind not in RUN_ENDS or record.listed or not since_ms:
        return
    acted = run.acted or record.result not in IDLE
    if acted and stored.head.time_ms > since_ms:
        yield Flaw.UNLISTED, "it did something after the ledger began, and its end does not say that it is listed"


def _without_fingerprints(line: bytes, stored: StoredEvent) -> str:
    """Return a line without the digests that belong in it: they look like a Pinata API secret."""
    text = line.decode().replace(stored.head.fingerprint, "")
    if torn := stored.record.torn:
        text = text.replace(torn.sha256, "")
    match stored.prev_event:
        case {"fingerprint": {"value": str(value)}}:
            return text.replace(value, "")
        case _:
            return text
