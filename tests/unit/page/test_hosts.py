"""The names under which the page may be asked for."""

import pytest

from rotator.config.values import host_entry
from rotator.page.hosts import AllowedHosts, MalformedHostError


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
    hosts = AllowedHosts.of(frozenset(map(host_entry, ("Status.example.org", "10.0.0.0/8", "[2001:db8::5]"))))
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
