"""What the daemon hands over to be shown: functions, called anew for each request, from several threads."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rotator.audit.record import Record
from rotator.model.status import FleetStatus


def _now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the edge where the clock is handed to the page


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the page gets what it shows; each must answer at once, from memory or a local file."""

    status: Callable[[], FleetStatus]
    live: Callable[[], str]
    """Why the process should be restarted; empty if it need not."""
    ready: Callable[[], str]
    """Why the daemon cannot do its work; empty if it can."""
    metrics: Callable[[], tuple[str, bytes]]
    """Content type and body of `/metrics`."""
    timeline: Callable[[str], Sequence[Record]]
    """The audit records of one secret, by its configured name; may raise AuditUnavailableError."""
    hosts: frozenset[str] = frozenset()
    """Host names and networks that are answered beside loopback; see `rotator.page.hosts`."""
    now: Callable[[], datetime] = _now
