"""Keeping to the provider's request budgets: waiting before a request instead of being refused.

Pinata's limits page gives two: requests per minute by plan, and a smaller one for `/data/*`. It does
not say whether the first includes the second; they are kept apart here, as the page lists them, and
a 429 is waited out where that is wrong. The budgets are those of one process: what others use up
shows as a 429, too.
"""

import math
import threading
from collections import deque
from collections.abc import Callable

from rotator.model.errors import DeadlineExceededError
from rotator.model.ports import Deadline

WINDOW_S = 61.0
"""A minute, and a second for requests that take longer on the way than those after them."""
LOOK_S = 5.0
"""Between two looks whether the time is up: a deadline may have come nearer."""
_DATA = "/data/"


class RateLimiter:
    """Two sliding windows over the requests of one account; safe for threads."""

    def __init__(
        self, *, per_minute: int, data_per_minute: int, monotonic: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Allow so many requests, at least 1, in any minute: to `/data/*`, and to the rest."""
        if min(per_minute, data_per_minute) < 1:
            raise ValueError("a budget of requests per minute is at least 1")
        self._rest: deque[float] = deque(maxlen=per_minute)
        self._data: deque[float] = deque(maxlen=data_per_minute)
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()

    def wait(self, path: str, deadline: Deadline) -> None:
        """Wait until a request to `path` fits its budget, and count it.

        Raises:
            DeadlineExceededError: it would not fit in time; it was not counted.
        """
        window = self._data if path.startswith(_DATA) else self._rest
        while True:
            left_s = deadline.remaining_s()
            if left_s <= 0:
                raise DeadlineExceededError("this run's time is up; nothing was sent")
            wait_s = self._counted(window)
            if wait_s <= 0:
                return
            if wait_s >= left_s:
                raise DeadlineExceededError(
                    f"Pinata's request budget is used up for {wait_s:.0f} s, "
                    f"and this run has {left_s:.0f} s left; nothing was sent"
                )
            self._sleep(min(wait_s, LOOK_S))

    def _counted(self, window: deque[float]) -> float:
        """Count a request if it fits now; if not, return how long that takes."""
        with self._lock:
            now = self._monotonic()
            wait_s = _free_at(window) - now
            if wait_s <= 0:
                window.append(now)
            return wait_s


def _free_at(window: deque[float]) -> float:
    """Return when the oldest of the last N requests leaves the window."""
    full = len(window) == window.maxlen
    return window[0] + WINDOW_S if full else -math.inf
