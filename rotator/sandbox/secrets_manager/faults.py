"""Faults a simulated AWS endpoint can be told to show: which request, when, and what.

A fault counts the requests to its operation from the moment it is added. The plan decides; the
server carries out.
"""

import threading
from dataclasses import dataclass, field
from enum import StrEnum

ANY = "*"
RULES_MAX = 1_000
DELAY_S_MAX = 60.0


class Moment(StrEnum):
    """Whether a fault strikes before the effect, or after it and before the answer."""

    BEFORE = "before"
    AFTER = "after"


class Kind(StrEnum):
    """What the client sees."""

    DROP = "drop"
    """The connection closes without an answer."""
    ERROR = "error"
    """HTTP 500, InternalServiceError."""
    THROTTLE = "throttle"
    """HTTP 400, ThrottlingException."""
    DELAY = "delay"
    """The answer `delay_s` later."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Strikes the `first` matching request and every `every`-th from there, `times` times in all.

    `times` 0 has no end. Every kind may come with a delay. Raises ValueError if A number is out of bounds. .
    """

    kind: Kind
    operation: str = ANY
    moment: Moment = Moment.BEFORE
    first: int = 1
    every: int = 1
    times: int = 1
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        """Refuse numbers that could never strike, or would hang a client."""
        if min(self.first, self.every) < 1 or self.times < 0 or not 0 <= self.delay_s <= DELAY_S_MAX:
            raise ValueError(f"first, every, times or delay_s is out of bounds: {self}")

    def strikes(self, nth: int) -> bool:
        """Whether the `nth` matching request is struck, counted from 1."""
        turn, rest = divmod(nth - self.first, self.every)
        return nth >= self.first and rest == 0 and (self.times == 0 or turn < self.times)


@dataclass(slots=True)
class FaultPlan:
    """The faults in force; safe for threads."""

    _counts: dict[Fault, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, fault: Fault) -> None:
        """Put a fault in force; adding it once more starts its count again.

        Raises ValueError if There are too many. .
        """
        with self._lock:
            if len(self._counts) >= RULES_MAX:
                raise ValueError(f"there are {RULES_MAX} faults already")
            self._counts[fault] = 0

    def throttle(self, requests: int, operation: str = ANY) -> None:
        """Throttle the next `requests` requests."""
        self.add(Fault(Kind.THROTTLE, operation, times=requests))

    def throttle_every(self, nth: int, operation: str = ANY) -> None:
        """Throttle every `nth` request from now on."""
        self.add(Fault(Kind.THROTTLE, operation, first=nth, every=nth, times=0))

    def clear(self) -> None:
        """No faults any more."""
        with self._lock:
            self._counts.clear()

    def strike(self, operation: str) -> tuple[Fault, ...]:
        """Count one request; the faults it meets, in the order they were added."""
        with self._lock:
            met = [fault for fault in self._counts if fault.operation in {ANY, operation}]
            for fault in met:
                self._counts[fault] += 1
            return tuple(fault for fault in met if fault.strikes(self._counts[fault]))
