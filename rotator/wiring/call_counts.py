"""How many requests went to each system, and how many of them Pinata put off: what the metrics tell."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class Call(StrEnum):
    """What is counted; a request that is repeated counts again."""

    PINATA = "pinata"
    SECRETS_MANAGER = "secrets_manager"
    RATE_LIMITED = "rate_limited"
    """A request to Pinata that it answered with 429."""


@dataclass(slots=True)
class CallCounts:
    """Counts since the process began; safe for threads."""

    _counts: Counter[Call] = field(default_factory=Counter)
    _lock: Lock = field(default_factory=Lock)

    def add(self, call: Call) -> None:
        """Count one."""
        with self._lock:
            self._counts[call] += 1

    def of(self, call: Call) -> int:
        """Return how many there were."""
        with self._lock:
            return self._counts[call]
