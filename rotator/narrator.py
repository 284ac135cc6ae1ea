"""An audit log that also tells somebody what happens: the log lines, and the progress a person watches.

It adds nothing to the trail and takes nothing from it: an event is told only after it is durable. It is told as the
event itself, which holds no secret material, so whoever listens cannot leak any.
"""

from collections.abc import Callable
from dataclasses import dataclass

from rotator.events import Event
from rotator.ports import AuditLog, AuditRun

Listener = Callable[[str, str, Event], None]
"""Takes the secret's name, the run's id and the event."""


@dataclass(frozen=True, slots=True)
class NarratedAudit:
    """An `AuditLog` around another one."""

    log: AuditLog
    listener: Listener

    def begin(self, secret: str, arn: str) -> AuditRun:
        """Start the trail of one run, durably."""
        return _NarratedRun(secret, self.log.begin(secret, arn), self.listener)


@dataclass(frozen=True, slots=True)
class _NarratedRun:
    secret: str
    run: AuditRun
    listener: Listener

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self.run.run_id

    def record(self, event: Event) -> None:
        """Make an event durable, then tell it."""
        self.run.record(event)
        self.listener(self.secret, self.run_id, event)
