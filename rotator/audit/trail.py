"""The audit log that runs are recorded in: `rotator.ports.AuditLog` over one destination or two.

With two, every line goes to both, and counts as durable once one of them has it. What fails in the
middle of a run gets no more of that run: there it looks like one that was cut short, and is closed
as such. So each destination by itself holds whole chains or beginnings of chains, never one with a
gap; and every effect has its intent in at least one of them.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from rotator.audit.chain import Chain, Clock, RunSink
from rotator.audit.record import RunIdentity, Started, Writer
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Ended, Event
from rotator.model.ports import AuditRun

Listener = Callable[[str, str, Event], None]
"""Takes the secret's name, the run's id and an event that is durable."""
PAUSE = timedelta(minutes=1)
"""How long a destination that failed is left alone, while another one works."""


class Destination(Protocol):
    """A place that runs are recorded in. Safe to use from several threads."""

    def open(self, run: RunIdentity) -> RunSink:
        """Return where a run's lines go, after closing what dead processes left open.

        Raises:
            AuditUnavailableError: nothing can be recorded there.
        """

    def close(self) -> None:
        """Let go of it; a run that has not ended is left to be recovered."""


class AuditTrail:
    """The audit log of one process. Safe to use from several threads, one run by one thread.

    Args:
        destinations: where runs are recorded; at least one.
        writer: who this process is.
        clock: the time now.
        new_id: an id that no other run has, such as a random UUID.
        on_loss: told when a destination fails while another goes on.
        listener: told each event once it is durable: for log lines, and for the progress a person watches.
    """

    def __init__(  # noqa: PLR0913 - what it is made of, and whom it tells
        self,
        destinations: Sequence[Destination],
        writer: Writer,
        *,
        clock: Clock,
        new_id: Callable[[], str],
        on_loss: Callable[[AuditUnavailableError], None] = lambda _: None,
        listener: Listener = lambda *_: None,
    ) -> None:
        self._destinations = tuple(destinations)
        self._writer = writer
        self._clock = clock
        self._new_id = new_id
        self._on_loss = on_loss
        self._listener = listener
        self._paused: dict[Destination, datetime] = {}

    def begin(self, secret: str, arn: str) -> AuditRun:
        """Start the trail of one run, durably.

        Raises:
            AuditUnavailableError: it cannot be written; nothing may be done.
        """
        run = RunIdentity(self._new_id(), secret, arn)
        sinks = _Sinks(self._lost)
        paused = self._resting()
        for destination in self._destinations:
            if destination not in paused:
                sinks.open(destination, run)
        if not sinks.are_open:
            for destination in paused:
                sinks.open(destination, run)
        chain = Chain(run, self._writer, sinks, self._clock)
        chain.add(Started())
        return _RecordedRun(chain, sinks, self._listener)

    def close(self) -> None:
        """Close every destination; a run that has not ended is left to the next process."""
        for destination in self._destinations:
            destination.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _resting(self) -> set[Destination]:
        """Return the destinations that failed a short while ago."""
        if not self._paused:
            return set()
        now = self._clock()
        return {destination for destination, until in self._paused.items() if now < until}

    def _lost(self, destination: Destination, error: AuditUnavailableError) -> None:
        self._paused[destination] = self._clock() + PAUSE
        self._on_loss(error)


class _Sinks:
    """Where the lines of one run go."""

    def __init__(self, lost: Callable[[Destination, AuditUnavailableError], None]) -> None:
        self._lost = lost
        self._sinks: dict[Destination, RunSink] = {}
        self._failures: list[tuple[Destination, AuditUnavailableError]] = []

    @property
    def are_open(self) -> bool:
        """Whether any destination takes lines."""
        return bool(self._sinks)

    def open(self, destination: Destination, run: RunIdentity) -> None:
        """Open a destination for the run; whether one is enough shows when the first line comes."""
        try:
            self._sinks[destination] = destination.open(run)
        except AuditUnavailableError as error:
            self._failures.append((destination, error))

    def append(self, line: bytes) -> None:
        """Make a line durable in every destination that still takes this run's.

        Raises:
            AuditUnavailableError: it is durable in none.
        """
        for destination, sink in tuple(self._sinks.items()):
            try:
                sink.append(line)
            except AuditUnavailableError as error:
                # The line may be on its way; a later one must not take its place.
                del self._sinks[destination]
                self._failures.append((destination, error))
        if not self._sinks:
            raise self._failures[-1][1]
        for destination, failure in self._failures:
            self._lost(destination, failure)
        self._failures.clear()

    def end(self) -> None:
        """Tell that the run has ended."""
        for sink in self._sinks.values():
            sink.end()


class _RecordedRun:
    """One run, as `rotator.ports.AuditRun`."""

    def __init__(self, chain: Chain, sinks: _Sinks, listener: Listener) -> None:
        self._chain = chain
        self._sinks = sinks
        self._listener = listener

    @property
    def run_id(self) -> str:
        return self._chain.run.run_id

    def record(self, event: Event) -> None:
        self._chain.add(event)
        if isinstance(event, Ended):
            self._sinks.end()
        self._listener(self._chain.run.secret, self.run_id, event)
