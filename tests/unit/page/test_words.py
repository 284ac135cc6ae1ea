"""Times, counts and allowed hosts."""

from datetime import timedelta

import pytest

from rotator.model.errors import ConfigError
from rotator.model.times import time_text
from rotator.page.hosts import AllowedHosts, MalformedHostError
from rotator.page.words import counted, exact, relative, span
from tests.page_fleets import NOW


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_599, "59 min"),
        (3_600, "1 h"),
        (47.9 * 3_600, "47 h"),
        (48 * 3_600, "2 d"),
        (86_400 * 1_234, "1,234 d"),
        (-90, "1 min"),
    ],
)
def test_span(seconds: float, said: str) -> None:
    """A span is written in one unit, rounded down, and never broken in two lines."""
    assert span(timedelta(seconds=seconds)) == said.replace(" ", "\u202f")


@pytest.mark.parametrize(
    ("away", "said"),
    [
        (timedelta(days=3), "in 3 d"),
        (timedelta(minutes=-12), "12 min ago"),
        (timedelta(milliseconds=300), "now"),
        (timedelta(milliseconds=-999), "now"),
        (timedelta(seconds=-1), "1 s ago"),
    ],
)
def test_relative(away: timedelta, said: str) -> None:
    """An instant is told from now, and says on which side it lies."""
    assert relative(NOW + away, NOW).replace("\u202f", " ") == said


def test_exact_times_are_utc() -> None:
    """Exact times carry their zone."""
    assert exact(NOW) == "2026-11-24 12:00:00 UTC"
    assert time_text(NOW) == "2026-11-24T12:00:00Z"


def test_counted() -> None:
    """One is singular, all else is plural, and thousands are set apart."""
    assert [counted(n, "key", "keys") for n in (0, 1, 10_000)] == ["0 keys", "1 key", "10,000 keys"]


@pytest.mark.parametrize(
    ("host", "allowed"),
    [
        ("localhost", True),
        ("LOCALHOST:1", True),
        ("localhost.", True),
        ("127.0.0.1:65535", True),
        ("127.8.8.8", True),
        ("[::1]:8080", True),
        ("[0:0:0:0:0:0:0:1]", True),
        ("[::ffff:127.0.0.1]", True),
        ("status.example.org", True),
        ("10.200.0.1:9090", True),
        ("[2001:db8::5]", True),
        ("[2001:db8:1::5]", False),
        ("11.0.0.1", False),
        ("example.org", False),
        ("status.example.org.evil.example", False),
        ("localhost.evil.example", False),
        ("127.1", False),
        ("0x7f000001", False),
        ("2130706433", False),
        ("0.0.0.0", False),  # noqa: S104 - a name that is refused
        ("[::]", False),
    ],
)
def test_hosts(host: str, allowed: object) -> None:
    """Names are compared whole, addresses by network, ports not at all."""
    hosts = AllowedHosts.of(frozenset({"Status.example.org", "10.0.0.0/8", "[2001:db8::5]"}))
    assert hosts.allow(host) is allowed


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":80",
        "::1",
        "[::1",
        "[::1]x",
        "[127.0.0.1]",
        "a:b",
        "a:65536",
        "a:-1",
        "a:123456",
        ".",
        "a b",
        "a/b",
        "a@b",
        "a\n",
        "é",
        "a,b",
    ],
)
def test_malformed_hosts(host: str) -> None:
    """What is no host is refused as such."""
    with pytest.raises(MalformedHostError):
        AllowedHosts.of(frozenset()).allow(host)


@pytest.mark.parametrize("entry", ["", "a b", "http://a", "a:80", "10.0.0.1/8", "*"])
def test_an_entry_is_checked(entry: str) -> None:
    """An entry that could never match is an error that says how to write it."""
    with pytest.raises(ConfigError, match="not a host name"):
        AllowedHosts.of(frozenset({entry}))
