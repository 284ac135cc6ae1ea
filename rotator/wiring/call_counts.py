"""How many requests went to each system, and how many of them Pinata put off: two numbers for the metrics."""

from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock


class System(StrEnum):
    """Whom a request went to."""

    PINATA = "pinata"
    SECRETS_MANAGER = "secrets_manager"


@dataclass(slots=True)
class CallCounts:
    """Counts since the process began; safe for threads."""

    _calls: Counter[System] = field(default_factory=Counter)
    _rate_limited: int = 0
    _lock: Lock = field(default_factory=Lock)

    def called(self, system: System) -> None:
        """Count one request, repeated ones too."""
        with self._lock:
            self._calls[system] += 1

    def rate_limited(self) -> None:
        """Count one answer 429 of Pinata."""
        with self._lock:
            self._rate_limited += 1

    def calls(self, system: System) -> int:
        """Return the requests to a system."""
        with self._lock:
            return self._calls[system]

    def rate_limits(self) -> int:
        """Return how often Pinata said 429."""
        with self._lock:
            return self._rate_limited
