"""What the daemon hands over to be shown: functions, called anew for each request, from several threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rotator.audit.record import Record
from rotator.model.status import FleetStatus

TOLD_FOR = timedelta(days=366)
"""How far back the page tells what happened."""
IDLE_MAX = 50
"""Runs with no effect that it tells at most, the newest."""


@dataclass(frozen=True, slots=True)
class Told:
    """What was read of one secret's audit trail, of no more than `TOLD_FOR`."""

    records: Sequence[Record]
    """The newest runs, by time: those with an effect, and some of the others."""
    cut: str = ""
    """Why runs before them are missing; empty if none is."""


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the edge where the clock is handed to the page


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page gets what it shows; each but `timeline` must answer at once, from memory."""

    status: Callable[[], FleetStatus]
    live: Callable[[], str]
    """Why the process should be restarted; empty if it need not."""
    ready: Callable[[], str]
    """Why the daemon cannot do its work; empty if it can."""
    metrics: Callable[[], tuple[str, bytes]]
    """Content type and body of `/metrics`."""
    timeline: Callable[[str], Told]
    """The audit trail of one secret, by its configured name, within some seconds; may raise AuditUnavailableError."""
    hosts: frozenset[str] = frozenset()
    """Host names and networks that are answered beside loopback; see `rotator.page.hosts`."""
    now: Callable[[], datetime] = _now
