"""The configuration: one TOML file, read into frozen values, every problem reported at once.

`load` either returns a `Config` that needs no further checking, or raises one `ConfigError` with a
line for each problem. It reads the one file and nothing else: no AWS, no environment, no
substitution within values. A secret never stands in the file; what looks like a token is refused,
and never quoted.
"""

import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from rotator.config.entries import (
    ID_EXPECTED,
    Api,
    check_distinct,
    check_permissions,
    read_defaults,
    read_secret,
    secret_id_text,
)
from rotator.config.fields import KeyPath, Place, Problems, Table
from rotator.config.values import (
    TOKEN,
    UnfitError,
    base_url,
    chosen_from,
    host_entry,
    listen_address,
    matching,
    ping_url,
)
from rotator.errors import ConfigError
from rotator.spec import SecretSpec

DEFAULT_PATH = Path("config/rotator.toml")
SIZE_MAX_BYTES = 1024 * 1024
DEFAULT_LISTEN = ("127.0.0.1", 9118)
DEFAULT_EVERY = timedelta(minutes=5)
_RATE_MOST = 100_000
_NO_FILE = "Write one with `rotator init`, or name another with --config or $ROTATOR_CONFIG."
_S3 = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
    r"(?:/(?P<prefix>(?:[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,63}/){0,7}[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,63})?)?/?"
)
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


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


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    pinata: PinataConfig
    aws: AwsConfig
    audit: AuditConfig
    secrets: tuple[SecretSpec, ...]
    path: Path
    daemon: DaemonConfig = DaemonConfig(DEFAULT_LISTEN, DEFAULT_EVERY, None, frozenset())


def find_path(option: Path | None, env: Mapping[str, str]) -> Path:
    """Return `--config`, else `$ROTATOR_CONFIG`, else `config/rotator.toml`."""
    if option is not None:
        return option
    return Path(env.get("ROTATOR_CONFIG") or DEFAULT_PATH)


def load(path: Path) -> Config:
    """Read the file.

    Raises:
        ConfigError: it cannot be used; the message has one line for each problem.
    """
    problems = Problems()
    return _read(_text(_content(path, problems), str(path), problems), path, str(path), problems)


def parse(content: bytes, source: str, folder: Path) -> Config:
    """Read a configuration that lies elsewhere than in a file of this machine.

    Args:
        content: what lies there; no more of it is looked at than fits the limit.

        source: its address, for messages.

        folder: relative paths are taken from here.

    Raises:
        ConfigError: it cannot be used; the message has one line for each problem.
    """
    problems = Problems()
    return _read(_text(content, source, problems), folder / DEFAULT_PATH.name, source, problems)


def _read(text: str, path: Path, source: str, problems: Problems) -> Config:
    tokens = list(TOKEN.finditer(text))
    for token in tokens:
        before = text[: token.start()]
        place = Place(before.count("\n") + 1, token.start() - before.rfind("\n"))
        problems.add(
            place,
            "this looks like a token, and no secret may stand in this file; revoke the key, then"
            " name the secret or the variable that holds its successor",
        )
    raw = _parsed(text, problems, quotable=not tokens)
    config = _config(Table(raw, (), problems), path) if raw is not None else None
    if problems or config is None:
        raise ConfigError(problems.report(source, text))
    return config


def _content(path: Path, problems: Problems) -> bytes:
    """Return what the file holds; a symbolic link is followed, as Kubernetes mounts need."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(str(path), problems, "is not a regular file")
        with path.open("rb") as file:
            content = file.read(SIZE_MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(str(path), problems, "does not exist", _NO_FILE) from None
    except OSError as error:
        raise _unreadable(str(path), problems, f"cannot be read: {error.strerror}") from None
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problems.add(
            (), "can be written by others, who could redirect keys; run `chmod go-w` on it"
        )
    return content


def _text(content: bytes, source: str, problems: Problems) -> str:
    if len(content) > SIZE_MAX_BYTES:
        raise _unreadable(source, problems, f"is larger than {SIZE_MAX_BYTES} bytes")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise _unreadable(
        source, problems, f"is not UTF-8 text; the first wrong byte is on line {line}"
    )


def _unreadable(
    source: str, problems: Problems, reason: str, next_step: str | None = None
) -> ConfigError:
    problems.add((), reason)
    return ConfigError(problems.report(source, ""), next_step=next_step)


def _parsed(text: str, problems: Problems, *, quotable: bool) -> dict[str, object] | None:
    """Return the tables of the text; quote the parser's message only if `quotable`."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        problems.add((), "is nested too deeply")
    except ValueError as error:
        message = str(error)
        position = _POSITION.search(message)
        at: KeyPath | Place = ()
        if position:
            line_start = text.rfind("\n") + 1
            end = Place(text.count("\n") + 1, len(text) - line_start + 1)
            at = Place(int(position[1]), int(position[2])) if position[1] else end
        reason = _POSITION.sub("", message) if quotable else "it cannot be parsed"
        problems.add(at, f"not TOML: {reason}")
    return None


def _config(root: Table, path: Path) -> Config:
    pinata_table = root.section("pinata")
    pinata = _pinata(pinata_table)
    defaults = root.section("defaults")
    inherited = read_defaults(defaults)
    entries = [(table, read_secret(table, inherited, defaults)) for table in root.tables("secrets")]
    check_distinct("name", ((table, spec.name) for table, spec in entries))
    check_distinct("secret_id", ((table, spec.secret_id) for table, spec in entries))
    if not any(pinata_table.is_faulty(key) for key in ("admin_secret", "admin_jwt_env")):
        managing_id = pinata.admin.secret_id if isinstance(pinata.admin, AdminSecret) else None
        for table, spec in entries:
            check_permissions(spec, table, pinata.api, managing_id)
    if not entries and not root.is_faulty("secrets"):
        root.problem("secrets", "expected at least one [[secrets]] entry")
    config = Config(
        pinata=pinata,
        aws=_aws(root.section("aws")),
        audit=_audit(root.section("audit"), path),
        secrets=tuple(spec for _, spec in entries),
        path=path,
        daemon=_daemon(root.section("daemon")),
    )
    root.finish()
    return config


def _pinata(table: Table) -> PinataConfig:
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
    apis: Mapping[str, Api] = {"v3": "v3", "v3-pinata": "v3-pinata", "legacy": "legacy"}
    pinata = PinataConfig(
        api_url=table.text(
            "api_url", "https://api.pinata.cloud", base_url, "a URL, https://HOST[:PORT]"
        ),
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


def _aws(table: Table) -> AwsConfig:
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


def _audit(table: Table, path: Path) -> AuditConfig:
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


def _daemon(table: Table) -> DaemonConfig:
    address = 'an address such as "127.0.0.1:9118"'
    host = 'a host or a network, such as "10.0.0.0/8", without a port'
    daemon = DaemonConfig(
        listen=table.text("listen", DEFAULT_LISTEN, listen_address, address),
        every=table.duration("every", DEFAULT_EVERY, least=timedelta(seconds=1)),
        ping_url=table.text("ping_url", None, ping_url, "a URL, https://HOST[:PORT]/PATH"),
        hosts=frozenset(table.texts("hosts", (), host_entry, host)),
    )
    table.finish()
    return daemon


def _directory(text: str) -> Path:
    if not text or not text.isprintable():
        raise UnfitError
    if text.startswith("~"):
        raise UnfitError("`~` is not expanded here; write the path in full")
    return Path(text)
