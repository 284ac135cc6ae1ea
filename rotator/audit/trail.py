"""The audit log that runs are recorded in: `rotator.model.ports.AuditLog` over one destination or two.

With two, every line goes to both, and counts as durable once one of them has it. A destination that
fails in the middle of a run receives nothing more of that run; its copy ends early, and is later
closed as interrupted. So each destination by itself holds whole chains or beginnings of chains, never
one with a gap; and every effect has its intent in at least one of them.

Nothing of a run is recorded before it has to be durable: with the intent of its first call that changes something, or
with its end. A run that finds nothing to do is not recorded at all, as long as the trail says of its secret, not more
than `NOTED_EVERY` ago, that all is well. Else its end is recorded, and nothing else.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol, Self

from rotator.audit.chain import Before, Chain, Clock
from rotator.audit.ledger import Entry, Listing
from rotator.audit.record import IDLE, PROOFS, Record, RunIdentity, Started, Writer
from rotator.model.errors import AuditUnavailableError, RotatorError
from rotator.model.events import Done, Ended, Event, Result
from rotator.model.plan import OutcomeKind
from rotator.model.ports import AuditRun

Listener = Callable[[str, str, Event], None]
"""Takes the secret's name, the run's id and an event; one that must be durable is by then."""
Witness = Callable[[str, str | None, Sequence[str]], None]
"""Takes a secret's ARN, what was noted on it when the run began (None: unknown), and heads with their places."""
PAUSE = timedelta(minutes=1)
"""How long a destination that failed is left alone, while another one works."""
NOTED_EVERY = timedelta(days=1)
"""So often at least the trail says of a secret that it was looked at."""
_WELL = IDLE | {OutcomeKind.ROTATED}
_Last = Callable[[str, datetime], Record | None]
"""Returns how the last run of a secret ended, if one did since a time."""


class Append(Protocol):
    """How lines are handed on."""

    def __call__(self, lines: bytes, *, durable: bool) -> None:
        """Take whole lines."""


@dataclass(frozen=True, slots=True)
class RunSink:
    """Where the lines of one run go."""

    append: "Append"
    """Takes lines, and makes them durable if asked; or raises AuditUnavailableError, and takes no more."""
    end: Callable[[Listing | None], Entry | None]
    """Takes note that the last line has come, and lists the run; raises AuditUnavailableError if that failed."""


class Destination(Protocol):
    """A place that runs are recorded in. Safe to use from several threads."""

    def open(self, run: RunIdentity) -> RunSink:
        """Return where a run's lines go, after closing what dead processes left open. Raises AuditUnavailableError."""

    def settle(self, before: Before) -> None:
        """Close the runs of dead processes that were kept open, after giving each to `before`."""

    def close(self) -> None:
        """Let go of it; a run that has not ended is left to be recovered."""


@dataclass(frozen=True, slots=True, eq=False)
class AuditTrail:
    """The audit log of one process. Safe to use from several threads, one run by one thread."""

    destinations: Sequence[Destination]
    """Where runs are recorded; at least one."""
    writer: Writer
    clock: Clock
    new_id: Callable[[], str]
    """An id that no other run has, such as a random UUID."""
    on_loss: Callable[[AuditUnavailableError], None] = lambda _: None
    """Called when a destination fails while another goes on."""
    listener: Listener | None = None
    """Called with each event of a run, also of one that is not recorded in the end: for log lines, and for progress."""
    last: _Last = lambda _secret, _since: None
    """What the places tell of a secret."""
    witness: Witness | None = None
    """Told of the heads of the places once a run is listed, to note them outside."""
    _paused: dict[Destination, datetime] = field(default_factory=dict, init=False)
    noted: dict[str, tuple[datetime, str]] = field(default_factory=dict, init=False)
    """When this process recorded of a secret that all is well, and with which key, if nothing has happened since."""

    def begin(self, secret: str, arn: str, audit_head: str | None = None) -> AuditRun:
        """Start the trail of one run; see `AuditLog`."""
        run = _RecordedRun(self, RunIdentity(self.new_id(), secret, arn), audit_head)
        now = self.clock() if self._paused else None
        resting = [to for to, until in tuple(self._paused.items()) if now and now < until]
        run.open(to for to in self.destinations if to not in resting)
        if not run.sinks:
            run.open(resting)
        run.add(Started(audit_head or ""))
        return run

    def settle(self, before: Before) -> None:
        """Close the runs of dead processes that were kept open, after giving each to `before`.

        Raises AuditUnavailableError; what is left then is left to the next process.
        """
        for destination in self.destinations:
            destination.settle(before)

    def close(self) -> None:
        """Close every destination; a run that has not ended is left to the next process."""
        for destination in self.destinations:
            destination.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def lose(self, destination: Destination, error: AuditUnavailableError) -> None:
        """Leave a destination that failed alone for a while."""
        self._paused[destination] = self.clock() + PAUSE
        self.on_loss(error)


class _RecordedRun:
    """One run, as an `AuditRun`; and the `Sink` of its chain, in every destination that still takes its lines."""

    def __init__(self, trail: AuditTrail, run: RunIdentity, audit_head: str | None) -> None:
        self.trouble: RotatorError | None = None
        self.chain = Chain(run, trail.writer, self, trail.clock)
        self.sinks: dict[Destination, RunSink] = {}
        self._trail = trail
        self._failures: list[tuple[Destination, AuditUnavailableError]] = []
        self._changes: list[str] = []
        """What this run has changed so far, in words."""
        self._held: list[bytes] = []
        """Lines of a run of which nothing had to be durable yet."""
        self._is_recorded = False
        self._audit_head = audit_head

    @property
    def run_id(self) -> str:
        """The id of this run, if anything of it is on record."""
        return self.chain.run.run_id if self._is_recorded else ""

    def open(self, destinations: Iterable[Destination]) -> None:
        """Open destinations for the run; whether one is enough shows when the first line comes."""
        for destination in destinations:
            try:
                self.sinks[destination] = destination.open(self.chain.run)
            except AuditUnavailableError as error:
                self._failures.append((destination, error))

    def append(self, line: bytes, *, durable: bool) -> None:
        """Take a line; if asked, it and all before are durable in at least one destination then."""
        self._held.append(line)
        if not (durable or self._is_recorded):
            return
        self._is_recorded = True
        lines = b"".join(self._held)
        self._held.clear()
        for destination, sink in tuple(self.sinks.items()):
            try:
                sink.append(lines, durable=durable)
            except AuditUnavailableError as error:
                # The line may be on its way; a later one must not take its place.
                del self.sinks[destination]
                self._failures.append((destination, error))
        self._require_sink()

    def _require_sink(self) -> None:
        """Give up if no destination is left; leave those that failed alone for a while."""
        if not self.sinks:
            raise self._failures[-1][1]
        for destination, failure in self._failures:
            self._trail.lose(destination, failure)
        self._failures.clear()

    def record(self, event: Event) -> None:
        """Record an event, and pass it on."""
        if isinstance(event, Done) and event.result is not Result.FAILURE and event.operation not in PROOFS:
            perhaps = "perhaps " if event.result is Result.UNKNOWN else ""
            about = event.subject.key_id or event.subject.version_id or event.subject.key_name
            self._changes.append(f"{perhaps}{event.operation.done} ({about})")
        if isinstance(event, Ended) and not self.chain.acted and _found_nothing_to_do(event):
            self._note(event)
        else:
            self.add(event)
            self._trail.noted.pop(self.chain.run.secret, None)
        if isinstance(event, Ended):
            self._list()
        if self._trail.listener:
            self._trail.listener(self.chain.run.secret, self.chain.run.run_id, event)

    def _note(self, end: Ended) -> None:
        """Record one line of a run that found nothing to do, if the trail does not say as much."""
        self._held.clear()
        self.chain = Chain(self.chain.run, self._trail.writer, self, self._trail.clock)
        if not self._is_said(end):
            self.add(end)
            self._trail.noted[self.chain.run.secret] = self._trail.clock(), end.key_id

    def _is_said(self, end: Ended) -> bool:
        """Tell whether the trail says as much already; if it cannot be asked, whether this process has said so."""
        secret, since = self.chain.run.secret, self._trail.clock() - NOTED_EVERY
        # A place that is down is not waited for once more.
        if len(self.sinks) == len(self._trail.destinations):
            with suppress(AuditUnavailableError):
                last = self._trail.last(secret, since)
                return last is not None and _says(last, end)
        noted_at, key_id = self._trail.noted.get(secret, (since, ""))
        return noted_at > since and end.key_id in {"", key_id}

    def _list(self) -> None:
        """Have the run listed; one that could not be is kept all the same, and listed by a later one."""
        entries: list[Entry | None] = []
        for sink in self.sinks.values():
            try:
                entries.append(sink.end(self.chain.listing))
            except AuditUnavailableError as error:
                self._trail.on_loss(error)
        heads = [f"{entry.head}@{entry.place}" for entry in entries if entry]
        # A tag moves the secret's date of change, so that who watches it looks again.
        if heads and self._trail.witness and self.chain.run.arn and self.chain.called:
            self._trail.witness(self.chain.run.arn, self._audit_head, heads)

    def add(self, entry: Started | Event) -> None:
        """Record an entry.

        Raises AuditUnavailableError, which says what the run had changed by then: exit code 4 does not.
        """
        try:
            self._require_sink()
            self.chain.add(entry)
        except AuditUnavailableError as error:
            unrecorded = error
        else:
            return
        so_far = f"done by this run before: {', '.join(self._changes)}; nothing after it"
        message = f"{unrecorded.message}; {so_far if self._changes else 'nothing was done by this run'}"
        raise type(unrecorded)(message, next_step=unrecorded.next_step)


def _says(last: Record, end: Ended) -> bool:
    """Tell whether the last end of a run says as much as this one, in which all is well, too."""
    return last.result in _WELL and end.key_id in {"", last.subject.key_id}


def _found_nothing_to_do(end: Ended) -> bool:
    """Tell whether a run of which nothing is recorded yet ends without anything that must be."""
    return end.outcome in IDLE and end.failure is None
