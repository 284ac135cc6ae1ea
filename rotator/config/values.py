"""From one text of the configuration to one value: durations, addresses, times, days, paths.

Each reader returns a value or raises `UnfitError`. None reads a file or knows where its text is. A text is quoted by
`quoted` alone, which withholds anything that looks like a secret.
"""

import json
import re
from collections.abc import Iterable
from datetime import date, time, timedelta
from ipaddress import AddressValueError, IPv4Address, ip_address, ip_network
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from rotator.config.tables import AuditConfig, BucketPrefix, FileKey, KmsKey, Witness
from rotator.model.consumers import Consumer, EcsService, HttpEndpoint, LambdaFunction
from rotator.model.secrecy import looks_secret
from rotator.model.secret import Blackout
from rotator.model.signing import PinnedSigner
from rotator.model.times import time_from

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DURATION_MAX = timedelta(days=3653)
_DURATION = re.compile(r"(?=\d)" + "".join(rf"(?:(\d{{1,9}}){u})?" for u in "wdhms"), re.ASCII)
_SECONDS = (604_800, 86_400, 3_600, 60, 1)

_URL_MAX = 2048
_HOST_NAME = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?")
"""The last label begins with a letter, which it does in no spelling of an IPv4 address, such as `0x7f.1`."""
_HOST_NAME_MAX = 253
_PORT_MAX = 65_535
_S3 = (
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])"
    r"(?:/(?P<prefix>(?:[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,63}/){0,7}[A-Za-z0-9_=-][A-Za-z0-9._=-]{0,63})?)?/?"
)
_KMS_KEY = r"arn:aws[a-z-]*:kms:[a-z]{2}(?:-[a-z]+)+-\d{1,2}:\d{12}:key/[A-Za-z0-9-]{1,128}"
_SIGNER = r"(?P<fingerprint>sha256:[0-9a-f]{64})(?: until (?P<until>\S{1,64}))?"
_SHOWN_MAX = 60
_INTEGER_SHOWN = 10**18


class UnfitError(ValueError):
    """A text is not a value of its kind; without a message, "expected this, found that" says it all."""


def duration(text: str) -> timedelta:
    """Read `30d` or `1h30m`: whole weeks, days, hours, minutes and seconds, each at most once and in this order."""
    match = _DURATION.fullmatch(text)
    if not match:
        raise UnfitError
    seconds = sum(int(n or 0) * unit for n, unit in zip(match.groups(), _SECONDS, strict=True))
    if seconds > DURATION_MAX.total_seconds():
        raise UnfitError(f"{quoted(text)} is longer than 10 years")
    return timedelta(seconds=seconds)


def base_url(text: str) -> str:
    """Read the address of a service, `https://HOST[:PORT]`; return it without a trailing slash.

    Plain http is for loopback only. IP addresses other than loopback are refused under https too: they are how a
    request is steered to a metadata service. The address is never quoted, because it may hold a password.
    """
    if len(text) > _URL_MAX or not re.fullmatch(r"[!-~]+", text):
        raise UnfitError("a URL has 1 to 2048 characters, all of them printable ASCII, and no space")
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise UnfitError("not a URL that can be read; expected https://HOST[:PORT]") from None
    if parts.scheme not in {"http", "https"} or not host or port == 0:
        raise UnfitError("expected https://HOST[:PORT]")
    if "@" in parts.netloc:
        raise UnfitError("a URL here carries no user name and no password")
    if parts.path not in {"", "/"} or "?" in text or "#" in text:
        raise UnfitError("expected https://HOST[:PORT] and nothing after it")
    if not is_loopback(host):
        if parts.scheme == "http":
            raise UnfitError("http is for loopback addresses only (127.0.0.0/8, ::1, localhost); use https")
        if len(host) > _HOST_NAME_MAX or not _HOST_NAME.fullmatch(host):
            raise UnfitError("expected a host name; no IP address except loopback ones (127.0.0.0/8, ::1)")
    bracketed = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{bracketed}" + (f":{port}" if port else "")


def proxy_url(text: str) -> str:
    """Read the address of a proxy, `http[s]://[USER:PASSWORD@]HOST[:PORT]`; it may be a secret, and is never quoted."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    whole = re.fullmatch(r"https?://(?:[^@/?#\\]*@)?[^@/?#\\]+/?", text) and text.isascii() and text.isprintable()
    if not host or port == 0 or not whole or " " in text or len(text) > _URL_MAX:
        raise UnfitError("expected http://HOST:PORT or https://HOST:PORT, and nothing after it")
    return text.rstrip("/")


def ping_url(text: str) -> str:
    """Read a `base_url` that may have a path and a query; it may be a secret, and is never quoted."""
    origin = re.match(r"[a-z]+://[^/?#]*", text)
    if len(text) > _URL_MAX or not origin or not re.fullmatch(r"[!-~]+", text) or "#" in text:
        raise UnfitError("expected https://HOST[:PORT]/PATH, printable ASCII without `#`")
    return base_url(origin[0]) + text[origin.end() :]


def listen_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`, an IP address or `localhost`, and a port; 0 lets the system choose one."""
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not re.fullmatch(r"\d{1,5}", port, re.ASCII) or int(port) > _PORT_MAX:
        raise UnfitError
    if host != "localhost":
        try:
            ip_address(host)
        except ValueError:
            raise UnfitError from None
    return host, int(port)


def host_entry(text: str) -> str:
    """Read a host name as in the `Host` header, an address or a network, without a port."""
    bare = text.lower().removeprefix("[").removesuffix("]")
    try:
        ip_network(bare)
    except ValueError:
        if len(bare) > _HOST_NAME_MAX or not re.fullmatch(r"(?!\.)[a-z0-9._-]+", bare):
            raise UnfitError from None
    return bare


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine itself: `localhost`, `::1`, or within 127.0.0.0/8."""
    if host in {"localhost", "::1"}:
        return True
    try:
        return IPv4Address(host).is_loopback
    except AddressValueError:
        return False


def path(text: str) -> Path:
    """Read a path, absolute or relative."""
    if not text or not text.isprintable():
        raise UnfitError
    if text.startswith("~"):
        raise UnfitError("`~` is not expanded here; write the path in full")
    return Path(text)


def bucket_prefix(text: str) -> BucketPrefix:
    """Read `s3://BUCKET` or `s3://BUCKET/PREFIX`."""
    match = re.fullmatch(_S3, text)
    if not match:
        raise UnfitError
    return BucketPrefix(match["bucket"], f"{match['prefix']}/" if match["prefix"] else "")


def signing_key(text: str) -> FileKey | KmsKey:
    """Read `file:PATH`, or `kms:` and the ARN of a key."""
    kind, _, named = text.partition(":")
    if kind == "file":
        return FileKey(path(named))
    if kind != "kms":
        raise UnfitError
    if ":alias/" in named:
        raise UnfitError("an alias can be moved to another key; name the key itself, by its ARN")
    if not re.fullmatch(_KMS_KEY, named, re.ASCII):
        raise UnfitError("expected `kms:` and the ARN of a key, arn:aws:kms:REGION:ACCOUNT:key/ID")
    return KmsKey(named)


def pinned_signer(text: str) -> PinnedSigner:
    """Read a fingerprint, `sha256:` and 64 digits, and after `until` the time at which it is no longer trusted."""
    match = re.fullmatch(_SIGNER, text, re.ASCII)
    if not match:
        raise UnfitError
    if match["until"] is None:
        return PinnedSigner(match["fingerprint"])
    try:
        return PinnedSigner(match["fingerprint"], time_from(match["until"]))
    except ValueError:
        raise UnfitError(f"{quoted(match['until'])} is not a time such as 2026-12-01T00:00:00Z") from None


def clock_time(text: str) -> time:
    """Read `02:00`."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)", text, re.ASCII)
    if not match:
        raise UnfitError
    return time(int(match[1]), int(match[2]))


def time_zone(text: str) -> "ZoneInfo":
    """Read the IANA name of a time zone."""
    from zoneinfo import ZoneInfo, available_timezones  # noqa: PLC0415 - slow to import, seldom needed

    try:
        return ZoneInfo(text)
    except (KeyError, ValueError, OSError):
        known = available_timezones()
    if not known:
        raise UnfitError("this machine has no time zone database; install the package `tzdata`")
    near = nearest(text, known) or 'expected a name such as "Europe/Berlin"'
    raise UnfitError(f"unknown time zone {quoted(text)}; {near}")


def blackout(text: str) -> Blackout:
    """Read `2026-12-24`, or `2026-12-24..2027-01-02` with both days included."""
    match = re.fullmatch(r"(\d{4}-\d\d-\d\d)(?:\.\.(\d{4}-\d\d-\d\d))?", text, re.ASCII)
    if not match:
        raise UnfitError
    try:
        first = date.fromisoformat(match[1])
        last = date.fromisoformat(match[2]) if match[2] else first
    except ValueError:
        raise UnfitError(f"{quoted(text)} names a day that does not exist") from None
    if last < first:
        raise UnfitError(f"{quoted(text)} ends before it begins")
    return Blackout(first, last)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return a question that offers the nearest known name; empty if none is near."""
    import difflib  # noqa: PLC0415 - only a misspelt name needs it

    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f"did you mean `{near[0]}`?" if near else ""


def quoted(text: str) -> str:
    """Return a text for a message: on one line, cut to size, withheld if it looks like a secret."""
    if looks_secret(text):
        return "<withheld: looks like a secret>"
    return json.dumps(text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "...")


def described(value: object) -> str:
    """Say what was found where something else was expected."""
    match value:
        case str():
            return f"the string {quoted(value)}"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int():
            return f"the integer {value}" if abs(value) < _INTEGER_SHOWN else "a huge integer"
        case float():
            return f"the float {value}"
        case list() | dict():
            return "an array" if isinstance(value, list) else "a table"
        case _:
            return "a date or time"


def consumer(*, ecs: str = "", function: str = "", url: str = "", redeploy: bool = False) -> Consumer:
    """Return the consumer that one entry names; an empty service if it names none."""
    if function:
        name, _, alias = function.partition(":")
        return LambdaFunction(name, alias)
    if url:
        return HttpEndpoint(url)
    cluster, _, service = ecs.partition("/")
    return EcsService(cluster, service, redeploy)


def audit(
    *,
    directory: Path | None,
    s3: BucketPrefix | None = None,
    sign: FileKey | KmsKey | None = None,
    signers: tuple[PinnedSigner, ...] = (),
    witness: Witness | None = None,
) -> AuditConfig:
    """Return `[audit]`: what is signed has a witness, unless that is said otherwise."""
    return AuditConfig(directory, s3, sign, signers, witness or ("tag" if sign else "none"))
