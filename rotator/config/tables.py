"""The tables of the configuration but `[defaults]` and `[[secrets]]`: what each becomes, and how it is read."""

import re
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rotator.config.entries import ID_EXPECTED, Api, secret_id_text
from rotator.config.fields import Table
from rotator.config.values import UnfitError, base_url, chosen_from, host_entry, listen_address, matching, ping_url

DEFAULT_LISTEN = ("127.0.0.1", 9118)
DEFAULT_EVERY = timedelta(minutes=5)
EVERY_MAX = timedelta(minutes=30)
"""A daemon that looks more seldom could not be told from one that has stopped."""
_RATE_MOST = 100_000
_S3 = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
    r"(?:/(?P<prefix>(?:[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,63}/){0,7}[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,63})?)?/?"
)


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
    """`[pinata]`: where keys are made, with what right, and how fast."""

    api_url: str
    """Without a trailing slash."""
    api: Api
    admin: AdminSecret | AdminEnvironment
    owner: str
    requests_per_minute: int
    data_requests_per_minute: int


@dataclass(frozen=True, slots=True)
class AwsConfig:
    """`[aws]`: all of it optional, for AWS's own variables and files say the same."""

    region: str | None
    endpoint_url: str | None
    role_arn: str | None
    expected_account: str | None


@dataclass(frozen=True, slots=True)
class BucketPrefix:
    """A place in S3."""

    bucket: str
    prefix: str
    """What keys begin with: empty, or ending in a slash."""


@dataclass(frozen=True, slots=True)
class AuditConfig:
    """`[audit]`: where runs are recorded; at least one of the two."""

    directory: Path | None
    """Absolute; a relative one in the file is taken from the folder of the file."""
    s3: BucketPrefix | None = None


@dataclass(frozen=True, slots=True)
class DaemonConfig:
    """`[daemon]`: all of it optional; no other command reads it."""

    listen: tuple[str, int]
    every: timedelta
    ping_url: str | None = field(repr=False)
    """Where each success is told, so that somebody outside notices silence."""
    hosts: frozenset[str]
    """Names, addresses and networks under which the page may be asked for, beside loopback."""


NO_DAEMON = DaemonConfig(DEFAULT_LISTEN, DEFAULT_EVERY, None, frozenset())
"""What holds where there is no `[daemon]`."""


def read_pinata(table: Table) -> PinataConfig:
    """Read `[pinata]`."""
    if table.has("admin_secret") == table.has("admin_jwt_env"):
        found = "both" if table.has("admin_secret") else "neither"
        table.problem(
            "admin_secret",
            "the managing key comes from `admin_secret`, a secret, or from `admin_jwt_env`, a"
            f" variable; found {found} of them",
        )
    secret_id = table.text("admin_secret", "", secret_id_text, ID_EXPECTED)
    variable = table.text(
        "admin_jwt_env",
        "",
        matching(re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")),
        'the name of a variable, such as "PINATA_ADMIN_JWT"',
    )
    apis: dict[str, Api] = {"v3": "v3", "v3-pinata": "v3-pinata", "legacy": "legacy"}
    pinata = PinataConfig(
        api_url=table.text("api_url", "https://api.pinata.cloud", base_url, "a URL, https://HOST[:PORT]"),
        api=table.text("api", "v3", chosen_from(apis), '"v3", "v3-pinata" or "legacy"'),
        admin=AdminEnvironment(variable) if variable else AdminSecret(secret_id),
        owner=table.text(
            "owner",
            "rotator",
            matching(re.compile(r"[a-z0-9-]{1,32}")),
            'a name of 1 to 32 small letters, digits and "-"',
        ),
        requests_per_minute=table.integer("requests_per_minute", 60, 1, _RATE_MOST),
        data_requests_per_minute=table.integer("data_requests_per_minute", 30, 1, _RATE_MOST),
    )
    table.finish()
    return pinata


def read_aws(table: Table) -> AwsConfig:
    """Read `[aws]`."""
    region = matching(re.compile(r"[a-z]{2,4}(?:-[a-z]{2,16}){1,3}-\d{1,2}", re.ASCII))
    role = matching(re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}", re.ASCII))
    account = matching(re.compile(r"\d{12}", re.ASCII))
    aws = AwsConfig(
        region=table.text("region", None, region, 'a region such as "eu-central-1"'),
        endpoint_url=table.text("endpoint_url", None, base_url, "a URL, https://HOST[:PORT]"),
        role_arn=table.text("role_arn", None, role, "the ARN of an IAM role"),
        expected_account=table.text(
            "expected_account", None, account, 'an account of 12 digits as a string, "111122223333"'
        ),
    )
    table.finish()
    return aws


def read_audit(table: Table, path: Path) -> AuditConfig:
    """Read `[audit]` of the file at a path."""
    if not table.has("s3"):
        table.require("directory", 'expected for example "/var/lib/rotator/audit"; or set `s3`')
    directory = table.text("directory", None, _directory, "the path of a directory")
    s3 = table.text("s3", None, _bucket_prefix, '"s3://BUCKET" or "s3://BUCKET/PREFIX"')
    table.finish()
    return AuditConfig(path.absolute().parent / directory if directory else None, s3)


def _bucket_prefix(text: str) -> BucketPrefix:
    match = _S3.fullmatch(text)
    if not match:
        raise UnfitError
    return BucketPrefix(match["bucket"], f"{match['prefix']}/" if match["prefix"] else "")


def read_daemon(table: Table) -> DaemonConfig:
    """Read `[daemon]`."""
    address = 'an address such as "127.0.0.1:9118"'
    daemon = DaemonConfig(
        listen=table.text("listen", DEFAULT_LISTEN, listen_address, address),
        every=table.duration("every", DEFAULT_EVERY, least=timedelta(seconds=1), most=EVERY_MAX),
        ping_url=table.text("ping_url", None, ping_url, "a URL, https://HOST[:PORT]/PATH"),
        hosts=frozenset(table.texts("hosts", (), host_entry, "a host or a network, without a port")),
    )
    table.finish()
    return daemon


def _directory(text: str) -> Path:
    if not text or not text.isprintable():
        raise UnfitError
    if text.startswith("~"):
        raise UnfitError("`~` is not expanded here; write the path in full")
    return Path(text)
