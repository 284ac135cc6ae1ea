"""One run's chain: as it grows, entries in and lines out; and as a crash left it, to be closed.

What must be durable before anything else happens is the intent of a call that changes something, and the end. The lines
between become durable with the next of these. If they are lost, a look at both systems tells the same again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from rotator.audit.attestation import FIRST, Head, event_uid, seal
from rotator.audit.event import StoredEvent, parse, render
from rotator.audit.ledger import Listing
from rotator.audit.record import (
    CHAIN_ENDS,
    IDLE,
    PROOFS,
    Entry,
    EventKind,
    Position,
    Record,
    Recovered,
    Repaired,
    RunIdentity,
    Writer,
)
from rotator.model.events import Done, Ended, Intent, Operation

Clock = Callable[[], datetime]


class Sink(Protocol):
    """Where lines go: a file of an audit directory, or the objects of a bucket."""

    def append(self, line: bytes, *, durable: bool) -> None:
        """Take a line; if asked, with it all lines so far are durable on return.

        Raises AuditUnavailableError if that failed, and takes no more.
        """


@dataclass(slots=True)
class Chain:
    """The chain of one run: numbers, links and fingerprints its events."""

    run: RunIdentity
    writer: Writer
    sink: Sink
    clock: Clock
    """The time of an event; one that is earlier than the event before takes its time."""
    head: Head | None = None
    """The last event so far, if the chain has one."""
    acted: bool = False
    """Whether the run did something, or tried to, or ended otherwise than with nothing to do."""
    called: bool = field(default=False, init=False)
    """Whether it was about to call something that changes something."""
    listing: Listing | None = field(default=None, init=False)
    """How the ledger lists the run, once it has ended; None for one that did nothing."""
    _calls: dict[Operation, str] = field(default_factory=dict, init=False)

    def add(self, entry: Entry) -> None:
        """Append an entry to the chain, durably if it has to be; where the sink takes no more, the chain has ended."""
        sequence, time_ms = FIRST, int(self.clock().timestamp() * 1000)
        if self.head:
            sequence, time_ms = self.head.sequence + 1, max(time_ms, self.head.time_ms)
        call_uid = self._call_uid(entry, event_uid(self.run.run_id, sequence))
        self.acted = self.acted or _acts(entry)
        ends = isinstance(entry, Ended | Recovered) and self.acted
        record = Record.of(entry, Position(self.run, sequence, time_ms, call_uid, listed=ends), self.writer)
        line = seal(render(record), self.head, self.run.run_id) + b"\n"
        stored = parse(line)
        assert stored is not None  # noqa: S101 - what is written can be read
        self.sink.append(line, durable=_must_be_durable(entry))
        self.head, self.listing = stored.head, listing_of(stored)

    def _call_uid(self, entry: Entry, uid: str) -> str:
        """Return the id of the call an entry belongs to: that of its intent."""
        match entry:
            case Intent(operation):
                self._calls[operation] = uid
                self.called = self.called or operation not in PROOFS
                return uid
            case Done(operation):
                return self._calls.pop(operation, uid)
            case _:
                return uid


def listing_of(stored: StoredEvent) -> Listing | None:
    """Return how the ledger lists the run that an event ends; None if it ends none that did something."""
    head = stored.head
    if not stored.record.listed:
        return None
    return Listing(head.run_id, stored.record.secret, head.sequence, head.fingerprint, head.time_ms)


def _must_be_durable(entry: Entry) -> bool:
    match entry:
        case Intent(operation):
            return operation not in PROOFS
        case Ended() | Recovered() | Repaired():
            return True
        case _:
            return False


def _acts(entry: Entry) -> bool:
    match entry:
        case Ended(outcome):
            return outcome not in IDLE
        case Intent() | Done() | Recovered():
            return True
        case _:
            return False


@dataclass(slots=True)
class Unfinished:
    """A run without an end, as far as it was recorded."""

    run: RunIdentity
    head: Head
    calls: dict[str, str]
    """Calls without an outcome, by their id."""
    records: list[Record] = field(default_factory=list)
    """The calls and their outcomes, in order."""

    def close(self, writer: Writer, sink: Sink, clock: Clock, before: "Before | None" = None) -> Listing | None:
        """Append the event that says that the run was cut short, and in which calls; `before` is called first.

        Return how the ledger lists it.
        """
        if before:
            before(self)
        chain = Chain(self.run, writer, sink, clock, self.head)
        chain.add(Recovered(tuple(self.calls.items())))
        return chain.listing


Keeps = Callable[[Unfinished], bool]
"""Tells whether a run that was cut short stays open until a run of this process has ended."""
Before = Callable[[Unfinished], None]
"""Given a run that was cut short, just before it is closed."""


def note(unfinished: dict[str, Unfinished], stored: StoredEvent) -> None:
    """Take an event into account, in the order of its run; whether it is genuine is for verification to find."""
    head, record = stored.head, stored.record
    if record.kind in CHAIN_ENDS:
        unfinished.pop(head.run_id, None)
        return
    run = RunIdentity(head.run_id, record.secret, record.arn)
    left = unfinished.setdefault(head.run_id, Unfinished(run, head, {}))
    left.head = head
    if record.kind is EventKind.INTENT:
        left.calls[record.call_uid] = record.operation
        left.records.append(record)
    elif record.kind is EventKind.DONE:
        left.calls.pop(record.call_uid, None)
        left.records.append(record)
