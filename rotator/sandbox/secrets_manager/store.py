"""The secrets of one account and region: found by name, ARN or partial ARN, with a short history.

The history is what lagging reads are served from. The store is not safe for threads and decides
nothing: `rules` has the rules, `api` the operations and the lock.
"""

import hashlib
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from rotator.sandbox.secrets_manager.state import Secret

Json = dict[str, Any]

HISTORY_MAX = 256
READS = frozenset(
    {
        "BatchGetSecretValue",
        "DescribeSecret",
        "GetResourcePolicy",
        "GetSecretValue",
        "ListSecretVersionIds",
        "ListSecrets",
    }
)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far reads are behind: by `age_s` seconds, and by `writes` more writes of that secret.

    A secret younger than `age_s` is not found. `writes` never goes back before the creation. Raises ValueError if A
    number is negative. .
    """

    age_s: float = 0.0
    writes: int = 0
    operations: frozenset[str] = READS

    def __post_init__(self) -> None:
        """Refuse to look into the future."""
        if self.age_s < 0 or self.writes < 0:
            raise ValueError(f"age_s or writes is negative: {self}")


@dataclass(frozen=True, slots=True)
class Scope:
    """The account and region a call was made in."""

    account: str
    region: str


@dataclass(slots=True)
class Entry:
    """One secret under its name; `history` is oldest first and never empty."""

    serial: int
    name: str
    arn: str
    history: deque[Secret]
    rotation_rules: Mapping[str, Any] = field(default_factory=dict)
    rotation_enabled: bool = False
    last_rotated: float | None = None
    owning_service: str = ""
    """The AWS service that manages the secret and alone may write it."""
    policy: str = ""
    """The resource policy, as it was put; empty if there is none."""
    primary_region: str = ""
    """Where a replica's primary secret is; empty for any other secret."""

    @property
    def region(self) -> str:
        """Where the secret is."""
        return self.arn.split(":")[3]

    @property
    def latest(self) -> Secret:
        """The secret as the last write left it."""
        return self.history[-1]

    def write(self, secret: Secret) -> None:
        """Remember the outcome of a write; one that changed nothing leaves no trace."""
        if secret is not self.latest:
            self.history.append(secret)

    def as_of(self, lag: Lag, now: float) -> Secret | None:
        """What a read that lags sees; `None` if the secret did not exist yet."""
        index = len(self.history) - 1
        if lag.age_s:
            limit = now - lag.age_s
            while index >= 0 and self.history[index].last_changed > limit:
                index -= 1
        return self.history[max(index - lag.writes, 0)] if index >= 0 else None


class Store:
    """Entries in the order of their creation."""

    def __init__(self, scope: Scope) -> None:
        """An empty store."""
        self.scope = scope
        self._prefix = f"arn:aws:secretsmanager:{scope.region}:{scope.account}:secret:"
        self._entries: dict[str, Entry] = {}
        self._serial = 0

    def after(self, serial: int) -> Iterator[Entry]:
        """The entries made after the `serial`-th, oldest first."""
        return (entry for entry in self._entries.values() if entry.serial > serial)

    def arn(self, name: str, serial: int) -> str:
        """The ARN of the `serial`-th secret; the suffix differs when a name is used again."""
        suffix = hashlib.sha256(f"{self._prefix}{name}/{serial}".encode()).hexdigest()[:6]
        return f"{self._prefix}{name}-{suffix}"

    def add(self, name: str, secret: Secret) -> Entry:
        """A new entry under a free name."""
        self._serial += 1
        arn = self.arn(name, self._serial)
        entry = Entry(self._serial, name, arn, deque([secret], maxlen=HISTORY_MAX))
        self._entries[name] = entry
        return entry

    def add_replica(self, primary: Entry) -> None:
        """A replica of a secret in another region, which shows what the primary does; a taken name keeps its secret."""
        if primary.name in self._entries:
            return
        self._serial += 1
        arn = self._prefix + primary.arn.rpartition(":")[2]
        replica = Entry(self._serial, primary.name, arn, primary.history, primary_region=primary.region)
        self._entries[primary.name] = replica

    def remove_replica(self, primary: Entry) -> None:
        """Forget the replica of a secret in another region, if there is one."""
        replica = self._entries.get(primary.name)
        if replica is not None and replica.history is primary.history:
            self.remove(replica)

    def remove(self, entry: Entry) -> None:
        """Forget a secret at once."""
        del self._entries[entry.name]

    def find(self, secret_id: str, now: float) -> Entry | None:
        """By name, ARN, or ARN without its suffix; a secret past its recovery window is gone."""
        entry = self._entries.get(secret_id.removeprefix(self._prefix))
        if entry is None and secret_id.startswith(self._prefix):
            named = self._entries.get(secret_id.removeprefix(self._prefix)[:-7])
            entry = named if named is not None and named.arn == secret_id else None
        if entry is not None and (entry.latest.deletion or now) < now:
            self.remove(entry)
            return None
        return entry
