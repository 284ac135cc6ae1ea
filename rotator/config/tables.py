"""The values that [pinata], [aws], [audit], [run] and [daemon] come to. How they are read is declared in `settings`."""

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Literal

from rotator.model.signing import PinnedSigner

Witness = Literal["tag", "none"]
Api = Literal["v3", "v3-pinata", "legacy"]


@dataclass(frozen=True, slots=True)
class AdminSecret:
    """The managing key is in this secret."""

    secret_id: str


@dataclass(frozen=True, slots=True)
class AdminEnvironment:
    """The managing key is in this environment variable."""

    variable: str


@dataclass(frozen=True, slots=True)
class PinataConfig:
    """`[pinata]`: where keys are made, by which right, and how fast."""

    api_url: str
    """Without a trailing slash."""
    api: Api
    admin: AdminSecret | AdminEnvironment
    owner: str
    requests_per_minute: int
    data_requests_per_minute: int
    proxy: str | None = field(default=None, repr=False)
    """It may hold a password."""
    ca_file: Path | None = None
    """Absolute; in the file it may be relative to the folder of the file."""


@dataclass(frozen=True, slots=True)
class AwsConfig:
    """`[aws]`: all of it optional, because AWS's own variables and files say the same."""

    region: str | None = None
    endpoint_url: str | None = None
    """Of Secrets Manager; the two below are of the services that they name."""
    sts_endpoint_url: str | None = None
    s3_endpoint_url: str | None = None
    role_arn: str | None = None
    expected_account: str | None = None


@dataclass(frozen=True, slots=True)
class BucketPrefix:
    """A place in S3."""

    bucket: str
    prefix: str
    """What keys begin with: empty, or ending in a slash."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """The trail is signed with a private key in this file."""

    path: Path
    """Absolute; in the file it may be relative to the folder of the file."""


@dataclass(frozen=True, slots=True)
class KmsKey:
    """The trail is signed with this key of AWS KMS."""

    arn: str

    @property
    def region(self) -> str:
        """The region that its ARN names."""
        return self.arn.split(":")[3]


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """`[audit]`: where runs are recorded, in at least one of two places, and who signs the record."""

    directory: Path | None
    """Absolute; in the file it may be relative to the folder of the file."""
    s3: BucketPrefix | None = None
    sign: FileKey | KmsKey | None = None
    signers: tuple[PinnedSigner, ...] = ()
    """The keys whose seals are trusted; if there is none, that of `sign` alone."""
    witness: Witness = "none"


@dataclass(frozen=True, slots=True)
class RunConfig:
    """`[run]`: read by `rotator run` alone."""

    ping_url: str | None = field(default=None, repr=False)
    """Requested after a run in which nothing failed, so that a monitor outside notices silence."""


class HookEvent(StrEnum):
    """What a program of yours can be told of."""

    PROMOTED = "promoted"
    """A new key became current."""
    REVOKED = "revoked"
    """A key was revoked, by Pinata's answer."""
    FAILED = "failed"
    """A run failed."""
    ATTENTION = "attention"
    """A run ended because a person has to decide."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One `[[hooks]]` entry."""

    on: frozenset[HookEvent]
    command: tuple[str, ...]
    """A program and its arguments; no shell reads them."""
    timeout: timedelta

    @property
    def name(self) -> str:
        """What people call it: its program, without the folder."""
        return Path(self.command[0]).name if self.command else ""


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """`[daemon]`: all of it optional; no other command uses it."""

    listen: tuple[str, int]
    every: timedelta
    ping_url: str | None = field(default=None, repr=False)
    """Requested after each success, so that a monitor outside notices silence."""
    hosts: frozenset[str] = frozenset()
    """Names, addresses and networks that the page answers to, besides loopback."""
