"""The simulated Pinata's rate limits: requests served in a sliding window of 60 seconds.

Each bucket and subject has its own window. Refused requests do not count. Not safe for threads by
itself: the site calls it under its lock.
"""

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum

from rotator.sandbox.pinata.switches import RateHeaders, RateLimits, RetryAfter
from rotator.sandbox.pinata.wire import Headers

WINDOW_S = 60.0


class Bucket(StrEnum):
    """The limits page counts `/data/*` apart from everything else."""

    DATA = "data"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Reading:
    """What the limiter says to one request: `wait_s` is 0 if it is served."""

    maximum: int
    left: int
    wait_s: float
    reset_at: float

    def headers(self, limits: RateLimits, *, v3: bool) -> Headers:
        """Give the headers that the switches ask for."""
        shown: Headers = ()
        legacy_only = limits.headers is RateHeaders.LEGACY_ONLY
        if limits.headers is not RateHeaders.NONE and not (v3 and legacy_only):
            shown = (
                ("X-RateLimit-Limit", str(self.maximum)),
                ("X-RateLimit-Remaining", str(self.left)),
                ("X-RateLimit-Reset", str(math.ceil(self.reset_at))),
            )
        if self.wait_s <= 0:
            return shown
        match limits.retry_after:
            case RetryAfter.ABSENT:
                return shown
            case RetryAfter.SECONDS_LEFT:
                return (*shown, ("Retry-After", str(math.ceil(self.wait_s))))
            case RetryAfter.SIXTY:
                return (*shown, ("Retry-After", "60"))


class Limiter:
    """The times of served requests, one window per bucket and subject."""

    def __init__(self) -> None:
        """Start with nothing served."""
        self._served: dict[tuple[Bucket, str], deque[float]] = {}

    def clear(self) -> None:
        """Forget every request."""
        self._served.clear()

    def admit(self, bucket: Bucket, subject: str, limits: RateLimits, now: float) -> Reading | None:
        """Count a request if the limit allows it, and say what is left; None without a limit."""
        data = bucket is Bucket.DATA
        maximum = limits.data_per_minute if data else limits.other_per_minute
        if maximum is None:
            return None
        served = self._served.setdefault((bucket, subject), deque())
        while served and served[0] <= now - WINDOW_S:
            served.popleft()
        full = len(served) >= maximum
        if not full:
            served.append(now)
        reset_at = (served[0] if served else now) + WINDOW_S
        return Reading(maximum, maximum - len(served), reset_at - now if full else 0.0, reset_at)
