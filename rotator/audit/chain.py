"""One run's chain as it grows: entries in, durable lines out."""

from collections.abc import Callable
from datetime import datetime
from typing import Protocol

from rotator.audit.attestation import FIRST, Head, event_uid, seal
from rotator.audit.event import parse, render
from rotator.audit.record import Entry, Position, Record, RunIdentity, Writer
from rotator.model.events import Done, Intent, Operation

Clock = Callable[[], datetime]


class Sink(Protocol):
    """Where lines go: a file of an audit directory, or the objects of a bucket."""

    def append(self, line: bytes) -> None:
        """Make a line durable, as a whole, before returning.

        Raises:
            AuditUnavailableError: it is not durable, or perhaps only in part.
        """


class RunSink(Sink, Protocol):
    """Where the lines of one run go. After a failure it is given no more of them."""

    def end(self) -> None:
        """Take note that the last line has come."""


class Chain:
    """The chain of one run: numbers, links and fingerprints its events.

    Args:
        run: the run whose events these are.
        writer: who writes them.
        sink: where they go.
        clock: the time of an event; never before that of the event it follows, whatever the clock
        says.
        head: the last event so far, if the chain has one.
    """

    def __init__(self, run: RunIdentity, writer: Writer, sink: Sink, clock: Clock, head: Head | None = None) -> None:
        self.run = run
        self._writer = writer
        self._sink = sink
        self._clock = clock
        self._head = head
        self._calls: dict[Operation, str] = {}

    def add(self, entry: Entry) -> None:
        """Append an entry to the chain, durably.

        Raises:
            AuditUnavailableError: it is not durable; the chain has ended here.
        """
        sequence = self._head.sequence + 1 if self._head else FIRST
        time_ms = int(self._clock().timestamp() * 1000)
        if self._head:
            time_ms = max(time_ms, self._head.time_ms)
        uid = event_uid(self.run.run_id, sequence)
        position = Position(self.run, sequence, time_ms, self._call_uid(entry, uid))
        body = render(Record.of(entry, position, self._writer))
        line = seal(body, self._head, self.run.run_id) + b"\n"
        stored = parse(line)
        assert stored is not None  # noqa: S101 - what is written can be read
        self._sink.append(line)
        self._head = stored.head

    def _call_uid(self, entry: Entry, uid: str) -> str:
        """Return the id of the call an entry belongs to: that of its intent."""
        match entry:
            case Intent(operation):
                self._calls[operation] = uid
                return uid
            case Done(operation):
                return self._calls.pop(operation, uid)
            case _:
                return uid
