"""What one run is given: the time, a nonce, and how long it may take."""

import math
import secrets
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from rotator.engine.run import Run
from rotator.model.naming import NONCE_LENGTH
from rotator.model.ports import Deadline, Stopping, never_stopping
from rotator.model.secret import Demand, SecretSpec

STARTUP_S = 60.0
"""How long resolving the fleet and reading the managing key may take."""
_STEP_S = 60.0


@dataclass(frozen=True, slots=True)
class MonotonicDeadline:
    """A `Deadline` on the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, timeout_s: float) -> "MonotonicDeadline":
        """Return the deadline so many seconds from now."""
        return cls(time.monotonic() + timeout_s)

    def remaining_s(self) -> float:
        """Return the seconds left, negative when time is up."""
        return self.at_s - time.monotonic()


def new_run(
    spec: SecretSpec,
    demand: Demand,
    deadline: Deadline | None = None,
    stopping: Stopping = never_stopping,
    *,
    within_s: float = math.inf,
) -> Run:
    """Return the time, nonce and deadline of a run that starts now.

    Without a `deadline` it may take `timeout`, or `within_s` if that is less.
    """
    nonce = secrets.token_hex(NONCE_LENGTH // 2)
    limit_s = min(spec.timeout.total_seconds(), within_s)
    return Run(datetime.now(UTC), nonce, demand, deadline or MonotonicDeadline.after(limit_s), time.monotonic, stopping)


def sleep_until(moment: datetime) -> None:
    """Wait for a time of day, in short steps: a machine that slept meanwhile has a clock that went on."""
    while (left_s := (moment - datetime.now(UTC)).total_seconds()) > 0:
        time.sleep(min(left_s, _STEP_S))


def startup_deadline() -> MonotonicDeadline:
    """Return the deadline of what comes before the first secret's run."""
    return MonotonicDeadline.after(STARTUP_S)
