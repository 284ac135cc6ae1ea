"""Judging events one by one: each by itself, in its chain, and in the story its run tells."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from rotator.audit.attestation import FIRST, Head, event_uid, sealed
from rotator.audit.event import KNOWN_PATHS, REQUIRED_PATHS, StoredEvent, key_paths
from rotator.audit.findings import Finding, Flaw, VerificationReport
from rotator.audit.record import EventKind
from rotator.audit.redaction import looks_secret

SKEW_MAX_MS = 60_000
"""How far the time of an event may lie before that of the one it follows."""


@dataclass(slots=True)
class JudgedRun:
    """One run, as far as its events have been read."""

    secret: tuple[str, str]
    head: Head | None = None
    line: int | None = None
    ended: bool = False
    calls: dict[str, str] = field(default_factory=dict)
    """Calls without an outcome yet: operations by call id."""


class Judge:
    """Judges the events of one file, or of one run in a bucket, in the order they stand in.

    Args:
        report: where findings go.
        runs_seen: the runs of what was judged before.
    """

    def __init__(self, report: VerificationReport, runs_seen: set[str]) -> None:
        self._report = report
        self._runs_seen = runs_seen
        self.runs: dict[str, JudgedRun] = {}

    def event(self, line: bytes, stored: StoredEvent, file: str, number: int | None) -> None:
        """Judge an event that stands on this line of a file, or by itself in an object."""
        self._report.events += 1
        head, record = stored.head, stored.record
        flaws: list[tuple[Flaw, str]] = []
        if head.run_id not in self.runs:
            self.runs[head.run_id] = JudgedRun((record.secret, record.arn))
            if head.run_id in self._runs_seen:
                flaws.append((Flaw.REPEATED_RUN, "it was read before, elsewhere"))
        run = self.runs[head.run_id]
        flaws += _own_flaws(line, stored)
        flaws += _place_flaws(run, stored)
        flaws += _story_flaws(run, stored)
        for flaw, detail in flaws:
            self._report.add(Finding(flaw, file, number, head.run_id, head.sequence, detail))
        # A repeated event does not move the chain: the one that follows it is right.
        if not run.head or head.sequence > run.head.sequence:
            run.head = head
        run.line = number
        self._report.chains.setdefault(head.run_id, array("q")).append(hash(head.fingerprint))
        if record.kind is EventKind.RECOVERED:
            self._report.cut_short.add(head.run_id)

    def unended(self) -> Iterator[tuple[str, JudgedRun]]:
        """Yield the runs without an end, by id."""
        return ((run_id, run) for run_id, run in self.runs.items() if not run.ended)

    def close(self) -> None:
        """Count the runs that were judged."""
        self._report.runs += sum(run.secret != ("", "") for run in self.runs.values())
        self._runs_seen.update(self.runs)


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
    if {stored.record.uid, event_uid(stored.record.run_id, head.sequence)} != {event_uid(head.run_id, head.sequence)}:
        yield Flaw.MISSHAPEN, "its ids contradict each other"
    if looks_secret(_without_fingerprints(line.decode(), stored)):
        yield Flaw.EXPOSED, "rotate that key"


def _place_flaws(run: JudgedRun, stored: StoredEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event's place in its chain."""
    head, before = stored.head, run.head
    if before is None:
        starts = stored.record.kind in {EventKind.STARTED, EventKind.REPAIRED}
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


def _story_flaws(run: JudgedRun, stored: StoredEvent) -> Iterator[tuple[Flaw, str]]:
    """Yield what is wrong with an event as a part of what its run did, and take note of it."""
    record = stored.record
    if run.ended:
        yield Flaw.AFTER_END, f"of kind {record.kind}"
        return
    match record.kind:
        case EventKind.INTENT:
            run.calls[record.call_uid] = record.operation
        case EventKind.DONE:
            if run.calls.pop(record.call_uid, None) != record.operation:
                yield Flaw.NO_INTENT, record.operation
        case EventKind.RECOVERED:
            run.calls.pop(record.unanswered, None)
        case _:
            pass
    if record.kind in {EventKind.ENDED, EventKind.RECOVERED, EventKind.REPAIRED}:
        run.ended = True
        for operation in run.calls.values():
            yield Flaw.NO_OUTCOME, operation


def _without_fingerprints(text: str, stored: StoredEvent) -> str:
    """Return a line without the digests that belong in it: they look like a Pinata API secret."""
    digests = [stored.head.fingerprint]
    if stored.record.torn:
        digests.append(stored.record.torn.sha256)
    match stored.prev_event:
        case {"fingerprint": {"value": str(value)}}:
            digests.append(value)
        case _:
            pass
    for digest in digests:
        text = text.replace(digest, "")
    return text
