"""Desired: what the configuration says of one secret, and what a person may ask for beyond it."""

from dataclasses import dataclass
from datetime import date, time, timedelta, tzinfo
from enum import Enum, Flag, auto
from typing import Literal

from rotator.model.consumers import Consumer

REGION = r"[a-z]{2,4}(?:-[a-z]{2,16}){1,3}-\d{1,2}"
"""How the name of an AWS region is written."""


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

    jwt: str | None = None
    """None if consumers use the header pair alone; then both its fields are named."""
    key: str | None = None
    secret: str | None = None
    named_by: Literal["default", "config"] = "config"
    """Default names that do not occur in an existing value are left out; configured ones are an error."""

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all fields of ours."""
        return tuple(name for name in (self.jwt, self.key, self.secret) if name is not None)


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
    """What the command line, the trail and the metrics call it."""
    secret_id: str
    """Its name or ARN in Secrets Manager, as the file has it."""
    permissions: Permissions
    """What its keys may do."""
    shape: ValueShape
    """How its value is laid out."""
    max_age: timedelta
    """A key is replaced at this age at the latest."""
    grace: timedelta
    """How long a replaced key lives on for consumers that still hold it."""
    pending_timeout: timedelta
    """How old an unfinished AWSPENDING may become before it is discarded."""
    live_keys_max: int
    """No key is made while so many of the secret's keys are alive, unless it is urgent."""
    verify_timeout: timedelta
    """How long a new key may take to work, and a revoked one to die."""
    timeout: timedelta
    """How long one run may take."""
    check_every: timedelta
    """How often a secret that is not due is looked up at the provider."""
    settle: timedelta
    """How old a key that was made and never stored must be before another run takes the attempt up."""
    max_uses: int | None = None
    """How often a new key can be used; None has no limit."""
    probe: str | None = None
    """Path of a GET request that a new key must be allowed."""
    negative_probe: str | None = None
    """Path of a GET request that a new key must be refused."""
    window: Window | None = None
    """When a new key may be made; None is always."""
    blackouts: tuple[Blackout, ...] = ()
    """Days on which no new key is made."""
    manages: bool = False
    """Whether it holds the managing key, which must be shown to list, make and revoke keys before it is promoted."""
    consumers: tuple[Consumer, ...] = ()
    """Who keeps a key after reading it: no key dies before each of them has the next one."""
    wait_at_most: timedelta = timedelta(days=14)
    """How long after a promotion a consumer may be behind before a person is asked."""


class Override(Flag):
    """What a demand sets aside."""

    NOTHING = 0
    DECISIONS = auto()
    """People's: a drift, a roll-back, a window, a blackout. Never a hold."""
    AGE = auto()
    """A new key is made although none is due."""
    VALUE = auto()
    """A current value that holds no credential of ours is replaced."""


class Demand(Enum):
    """What a person or Secrets Manager asked for, by what that overrides."""

    DUE = Override.NOTHING
    """Nobody asked: rotate what is due."""
    FORCED = Override.DECISIONS | Override.AGE
    """Rotate now."""
    REPLACING = Override.DECISIONS | Override.AGE | Override.VALUE
    """Rotate now, whatever the current value is."""
    CONTAINING = Override.DECISIONS
    """A person contains a leak: what is to be done is done now."""
    NATIVE = Override.AGE
    """Secrets Manager's own rotation: rotate now."""

    def overrides(self, what: Override) -> bool:
        """Tell whether this demand sets something aside."""
        return what in self.value
