"""Being told to stop: one flag, and deadlines that become short once it is set, also for calls under way.

A run that is told to stop begins no further action; the one it is at, above all making a key and storing it, gets
some seconds to end. Whatever it leaves is a state that the next run plans from.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from rotator.model.errors import StoppedError

STOP_WITHIN_S = 35.0
"""What an action that is under way may still take: the longest wait for a key to be made, and time to store it."""
GRACE_S = 60
"""What the process is given to end: as long, one more attempt of a call to AWS, and the end of the page."""


@dataclass(slots=True)
class Stop:
    """The flag. It is set once, by one thread, and read by many."""

    monotonic: Callable[[], float] = time.monotonic
    asked_at_s: float | None = field(default=None, init=False)

    def ask(self) -> None:
        """Set it."""
        if self.asked_at_s is None:
            self.asked_at_s = self.monotonic()

    def is_asked(self) -> bool:
        """Tell whether it is set."""
        return self.asked_at_s is not None

    def expect_not_asked(self) -> None:
        """Raise StoppedError if it is set: nothing new begins then."""
        if self.is_asked():
            raise StoppedError("told to stop before this secret's turn")

    def deadline(self, timeout_s: float) -> "StoppableDeadline":
        """Return a deadline so many seconds from now."""
        return StoppableDeadline(self, self.monotonic() + timeout_s)


@dataclass(frozen=True, slots=True)
class StoppableDeadline:
    """A `Deadline` that comes nearer when the process is told to stop."""

    stop: Stop
    at_s: float

    def remaining_s(self) -> float:
        """Return the seconds left, negative when time is up."""
        asked_at_s = self.stop.asked_at_s
        at_s = self.at_s if asked_at_s is None else min(self.at_s, asked_at_s + STOP_WITHIN_S)
        return at_s - self.stop.monotonic()
