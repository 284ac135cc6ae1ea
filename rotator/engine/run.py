"""What one run over one secret is given, and may not look up by itself."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from rotator.model.ports import AuditLog, Consumers, Deadline, KeyProvider, SecretStore, Stopping, never_stopping
from rotator.model.secret import Demand

HeldElsewhere = Callable[[str, frozenset[str], Deadline], frozenset[str]]
"""Of these key ids, return those that are current or pending in another configured secret than this ARN."""


@dataclass(frozen=True, slots=True)
class World:
    """The outside world as one run sees it."""

    owner: str
    provider: KeyProvider
    store: SecretStore
    audit: AuditLog
    held_elsewhere: HeldElsewhere
    consumers: Consumers


@dataclass(frozen=True, slots=True)
class Run:
    """The time, some randomness, what is demanded, the time that is left, and a clock for how long things take."""

    now: datetime
    nonce: str
    demand: Demand
    deadline: Deadline
    monotonic_s: Callable[[], float]
    stopping: Stopping = never_stopping
    contain: str | None = None
    """What a tag `rotator:contain` would say that could not be written: this process alone knows of it."""
