"""What the page shows of one secret's audit trail: its newest part, read within some seconds, a few readings at a time.

A tick waits for none of it: a reading has threads, clients and connections of its own. A thread cannot be ended while
S3 keeps it waiting. So a reading has its turn until its last thread has ended, and no other begins while all turns are
taken: the page says that, at once. The process ends without waiting for them.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain, count, takewhile

from rotator.audit.record import EventKind, Record
from rotator.config.file import Config
from rotator.model.errors import AuditUnavailableError
from rotator.page.sources import IDLE_MAX, TOLD_FOR, Told
from rotator.wiring.trail import trail_locations

READ_S = 5.0
"""How long the page waits."""
AT_ONCE = 2
"""Readings; the page has four threads, and some are left for probes."""
THREADS = 8
"""Of one reading."""
RUNS_MAX = 200

Part = Callable[[], Iterable[Record]]
"""Reads a place, or one run of it."""


@dataclass(frozen=True, slots=True)
class Timelines:
    """Reads what the page shows. Safe for threads."""

    parts: Callable[[str], Iterator[Part]]
    """What is to be read of a secret, the newest first; asked for by the threads that read."""
    turns: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(AT_ONCE))

    def __call__(self, name: str) -> Told:
        """Return the newest records of a secret. Raises AuditUnavailableError if there are none to be had in time."""
        if not self.turns.acquire(blocking=False):
            raise AuditUnavailableError(
                f"{AT_ONCE} readings of it are under way, and no other begins before one of them ends",
                next_step="Reload the page.",
            )
        return _Reading(self.parts(name), self.turns.release).told(READ_S)


@dataclass(slots=True)
class _Reading:
    """Some threads that take one part after the other."""

    parts: Iterator[Part]
    ended: Callable[[], None]
    """Called when the last thread ends."""
    found: dict[int, list[Record]] = field(default_factory=dict)
    error: Exception | None = None
    is_over: bool = False
    has_more: bool = False
    _taken: int = 0
    _at_work: int = THREADS
    _turn: threading.Lock = field(default_factory=threading.Lock)

    def told(self, within_s: float) -> Told:
        """Read, and return what is there by then, up to the first part that is not. Raises what a thread met."""
        threads = [threading.Thread(target=self._work, name="timeline", daemon=True) for _ in range(THREADS)]
        until_s = time.monotonic() + within_s
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(until_s - time.monotonic(), 0))
        self.is_over = True
        late = any(thread.is_alive() for thread in threads)
        if self.error is not None:
            raise self.error
        found = dict(self.found)
        read = [found[number] for number in takewhile(found.__contains__, count())]
        if late and not read:
            raise AuditUnavailableError(f"nothing of it was read within {within_s:g} s", next_step="Reload the page.")
        records, has_more = _latest(chain.from_iterable(read))
        if late:
            return Told(records, f"it was not read to its end within {within_s:g} s")
        return Told(records, f"it has more than {RUNS_MAX} runs" if has_more or self.has_more else "")

    def _work(self) -> None:
        try:
            while taken := self._next():
                number, part = taken
                self.found[number] = list(part())
        except Exception as error:  # noqa: BLE001 - it is raised where the page waits
            self.error, self.is_over = error, True
        with self._turn:
            self._at_work -= 1
            is_last = not self._at_work
        if is_last:
            self.ended()

    def _next(self) -> tuple[int, Part] | None:
        with self._turn:
            if self.is_over or (part := next(self.parts, None)) is None:
                return None
            if self._taken == RUNS_MAX:
                self.has_more = self.is_over = True
                return None
            self._taken += 1
            return self._taken - 1, part


def _latest(records: Iterable[Record]) -> tuple[tuple[Record, ...], bool]:
    """Return the records of the newest runs, what is in two places once, by time; and whether there are more runs."""
    unique = {(record.run_id, record.sequence, record.kind): record for record in records}
    runs: dict[str, list[Record]] = {}
    for record in sorted(unique.values(), key=_turn_of, reverse=True):
        runs.setdefault(record.run_id, []).append(record)
    idle: list[list[Record]] = []
    busy: list[list[Record]] = []
    for run in runs.values():
        (busy if any(record.kind in {EventKind.INTENT, EventKind.DONE} for record in run) else idle).append(run)
    kept = chain.from_iterable((*idle[:IDLE_MAX], *busy[:RUNS_MAX]))
    return tuple(sorted(kept, key=_turn_of)), len(busy) > RUNS_MAX


def _turn_of(record: Record) -> tuple[int, str, int]:
    return record.time_ms, record.run_id, record.sequence


def timelines(config: Callable[[], Config], env: Mapping[str, str]) -> Timelines:
    """Return what reads the trail that is configured when the page asks."""

    def parts(name: str) -> Iterator[Part]:
        since = datetime.now(UTC) - TOLD_FOR
        yield from trail_locations(config(), env).newest(name, since, IDLE_MAX)

    return Timelines(parts)
