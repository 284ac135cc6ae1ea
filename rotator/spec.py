"""Desired: what the configuration says of one secret, and what a person may ask for beyond it."""

from dataclasses import dataclass
from datetime import date, time, timedelta, tzinfo
from enum import Enum
from typing import Literal


@dataclass(frozen=True, slots=True)
class Resources:
    """Scopes of the v3 API, such as `org:files:write`."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Scopes of the legacy API, as `group.endpoint`, such as `pinning.pinFileToIPFS`."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class Admin:
    """Every right there is: for the managing key itself, never for a key that consumers hold."""


Permissions = Resources | Endpoints | Admin


@dataclass(frozen=True, slots=True)
class JsonFields:
    """The value is a JSON object; these are the names of the fields we write. All others are carried over."""

    jwt: str
    key: str | None
    secret: str | None
    named_by: Literal["default", "config"] = "config"
    """Default names that do not occur in an existing value are left out; configured ones are an error."""


@dataclass(frozen=True, slots=True)
class BareJwt:
    """The value is the token alone."""


ValueShape = JsonFields | BareJwt


@dataclass(frozen=True, slots=True)
class Window:
    """When a new key may be made: on these weekdays (0 is Monday), from `start` until `end`, in `zone`.

    An `end` at or before `start` means the next morning; such a window belongs to the day it starts on.
    """

    days: frozenset[int]
    start: time
    end: time
    zone: tzinfo


@dataclass(frozen=True, slots=True)
class Blackout:
    """Days, both included, on which no new key is made; in the window's zone, or UTC if there is no window."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SecretSpec:
    """One `[[secrets]]` entry of the configuration, with the defaults filled in."""

    name: str
    secret_id: str
    permissions: Permissions
    shape: ValueShape
    max_age: timedelta
    grace: timedelta
    pending_timeout: timedelta
    live_keys_max: int
    verify_timeout: timedelta
    timeout: timedelta
    check_every: timedelta
    settle: timedelta
    max_uses: int | None = None
    probe: str | None = None
    negative_probe: str | None = None
    window: Window | None = None
    blackouts: tuple[Blackout, ...] = ()


class Demand(Enum):
    """What a person asked for, if anybody asked."""

    DUE = "due"
    """Nobody: rotate what is due."""
    FORCED = "forced"
    """Rotate now; lifts DRIFTED and ROLLED_BACK, never a hold."""
    COMPROMISED = "compromised"
    """Rotate now and revoke without grace: the key has leaked."""
    NATIVE = "native"
    """Secrets Manager's own rotation: rotate now; lifts nothing."""
    CONTAINING = "containing"
    """After a compromised key was replaced: revoke without grace, rotate only what is due."""


def duration_text(value: timedelta) -> str:
    """Write whole seconds as the configuration does, without weeks: `1d12h`."""
    rest = int(value.total_seconds())
    shown = ""
    for unit, seconds in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, seconds)
        shown += f"{count}{unit}" if count else ""
    return shown or "0s"
