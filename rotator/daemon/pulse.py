"""The watchdog: a thread that ends the process when its loop has stopped without saying so.

A hung process is worse than a dead one, because nobody restarts it. The watchdog judges by the monotonic clock alone,
and tells its own pauses (SIGSTOP, a machine that slept) from those of the loop. It also notices when somebody sets the
wall clock, by which the scheduler waits.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

WATCHDOG_EXIT = 70
POLL_S = 1.0
TICKS_MISSED_MAX = 3
_JUMP_S = 5.0


@dataclass(slots=True)
class Pulse:
    """When the loop last showed that it moves."""

    monotonic: Callable[[], float] = time.monotonic
    at_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Begin alive."""
        self.beat()

    def beat(self) -> None:
        """Show that the loop moves: at a tick's beginning, its end, and after each secret."""
        self.at_s = self.monotonic()

    def age_s(self) -> float:
        """Return the seconds since the last beat."""
        return self.monotonic() - self.at_s


def patience_s(every_s: float, run_s: float) -> float:
    """Return how long the loop may be still: three ticks, and the longest run over one secret."""
    return TICKS_MISSED_MAX * every_s + run_s


@dataclass(slots=True)
class Watchdog:
    """One look at the pulse each second.

    `late` is told how old the pulse is, just before the end; `jumped`, that somebody set the wall clock.
    """

    pulse: Pulse
    limit_s: Callable[[], float]
    late: Callable[[float], None]
    jumped: Callable[[], None]
    wall: Callable[[], float] = time.time
    end: Callable[[int], object] = os._exit
    _looked_at_s: float | None = None
    _ahead_s: float | None = None
    """The wall clock minus the monotonic one."""

    def look(self) -> None:
        """Look once."""
        now_s = self.pulse.monotonic()
        if self._looked_at_s is not None and now_s - self._looked_at_s > 3 * POLL_S:
            self.pulse.beat()  # this thread was not run either: the whole process was paused
        self._looked_at_s = now_s
        ahead_s = self.wall() - now_s
        if self._ahead_s is not None and abs(ahead_s - self._ahead_s) > _JUMP_S:
            self.jumped()
        self._ahead_s = ahead_s
        age_s = self.pulse.age_s()
        if age_s > self.limit_s():
            try:
                self.late(age_s)
            finally:
                self.end(WATCHDOG_EXIT)

    def start(self) -> None:
        """Look for ever, in a thread of its own."""

        def watch() -> None:
            try:
                while True:
                    self.look()
                    time.sleep(POLL_S)
            finally:
                self.end(WATCHDOG_EXIT)  # a watchdog that failed watches nothing

        threading.Thread(target=watch, name="watchdog", daemon=True).start()
