"""One text, one value: durations and addresses over their whole range."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.config.values import (
    DURATION_MAX,
    UnfitError,
    base_url,
    described,
    duration,
    is_loopback,
    proxy_url,
    quoted,
    time_zone,
)
from rotator.model.times import setting_text

whole_seconds = st.integers(0, int(DURATION_MAX.total_seconds())).map(lambda seconds: timedelta(seconds=seconds))


@given(whole_seconds)
def test_durations_survive_writing_and_reading(value: timedelta) -> None:
    """Every length of time up to ten years is read back as it was written."""
    assert duration(setting_text(value)) == value


@given(st.text(alphabet="0123456789wdhms ", max_size=8))
def test_a_duration_is_read_or_refused(text: str) -> None:
    """Whatever is read means the same once it is written; all else is refused."""
    try:
        value = duration(text)
    except UnfitError:
        return
    assert duration(setting_text(value)) == value <= DURATION_MAX


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0s", 0),
        ("45s", 45),
        ("90m", 5_400),
        ("1h30m", 5_400),
        ("24h", 86_400),
        ("30d", 2_592_000),
        ("2w", 1_209_600),
        ("1w1d1h1m1s", 694_861),
        ("3653d", 315_619_200),
    ],
)
def test_duration(text: str, seconds: int) -> None:
    """The units are weeks, days, hours, minutes and seconds."""
    assert duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text", ["", "0", "30", "d", "1.5h", "-1d", "+1d", "30m1h", "1h1h", "1 d", "1D", "1y", "1d\n", "٣d"]
)
def test_no_duration(text: str) -> None:
    """Anything else is refused, in the words of the table it stands in."""
    with pytest.raises(UnfitError, match=r"^$"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://api.pinata.cloud", "https://api.pinata.cloud"),
        ("https://API.Pinata.cloud/", "https://api.pinata.cloud"),
        ("https://proxy:8443", "https://proxy:8443"),
        ("https://xn--bcher-kva.example", "https://xn--bcher-kva.example"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:4566", "http://[::1]:4566"),
        ("https://127.0.0.1:4566", "https://127.0.0.1:4566"),
    ],
)
def test_address(text: str, url: str) -> None:
    """Https to any host by name, and both schemes to this machine."""
    assert base_url(text) == url


@pytest.mark.parametrize(
    "text",
    [
        "",
        "api.pinata.cloud",
        "ftp://api.pinata.cloud",
        "https://",
        "https:///v3",
        "http://api.pinata.cloud",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://0.0.0.0",
        "http://[::ffff:127.0.0.1]",
        "https://169.254.169.254",
        "https://10.0.0.1",
        "https://8.8.8.8",
        "https://[fe80::1]",
        "https://[2001:db8::1]",
        "https://2130706433",
        "https://0x7f.1",
        "https://127.1",
        "https://user@api.pinata.cloud",
        "https://:password@api.pinata.cloud",
        "https://api.pinata.cloud/v3",
        "https://api.pinata.cloud//",
        "https://api.pinata.cloud?",
        "https://api.pinata.cloud?a=b",
        "https://api.pinata.cloud#",
        "https://api.pinata.cloud#a",
        "https://api.pinata.cloud:0",
        "https://api.pinata.cloud:65536",
        "https://api.pinata.cloud:port",
        "https://api.pinata.cloud.",
        "https://api_pinata.cloud",
        "https://evil.example\\@api.pinata.cloud",
        "https://api.pinata.cloud ",
        "https://api.pinata\n.cloud",
        "https://bücher.example",
        "https://[::1",
        f"https://{'a' * 64}.cloud",
        f"https://{'.'.join(['a' * 60] * 5)}",
        f"https://{'a' * 2048}",
    ],
)
def test_no_address(text: str) -> None:
    """Other schemes, numbers, credentials, paths and tricks are refused with a reason."""
    with pytest.raises(UnfitError, match=r"^\S.{10}"):
        base_url(text)


@pytest.mark.parametrize(("host", "local"), [("127.0.0.1", True), ("::1", True), ("::2", False)])
def test_loopback(host: str, *, local: bool) -> None:
    """Only this machine is loopback."""
    assert is_loopback(host) is local


def test_machine_without_time_zones(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no zone is known, the file is not to blame, and the message says so."""
    monkeypatch.setattr("zoneinfo.available_timezones", set)
    with pytest.raises(UnfitError, match="no time zone database"):
        time_zone("Europe/Nowhere")


def test_quotations_are_short_and_on_one_line() -> None:
    """A text is escaped and cut to size before it is shown."""
    assert quoted('a\n"\x1b') == '"a\\n\\"\\u001b"'
    assert quoted("x" * 60) == f'"{"x" * 60}"'
    assert quoted("x" * 61) == f'"{"x" * 60}..."'


@pytest.mark.parametrize(
    ("value", "shown"),
    [(True, "the boolean true"), (10**18, "a huge integer"), (0.5, "the float 0.5"), ([], "an array"), ({}, "a table")],
)
def test_description(value: object, shown: str) -> None:
    """What was found is said in the words of TOML."""
    assert described(value) == shown


@pytest.mark.parametrize(
    "text",
    [
        "http://proxy:3128",
        "https://proxy.example.com",
        "http://10.0.0.5:3128",
        "http://user:pa%40ss@proxy:1",
        "http://[::1]:1",
    ],
)
def test_a_proxy_is_http_or_https_wherever_it_is(text: str) -> None:
    """It sees nothing that is not encrypted, so plain http and addresses are fine."""
    assert proxy_url(text + "/") == text


@pytest.mark.parametrize(
    "text",
    [
        "proxy:3128",
        "socks5://proxy:1",
        "http:///",
        "http://proxy:0",
        "http://proxy:99999",
        "http://proxy/path",
        "http://a@b@proxy",
        "http://pro xy",
        "http://proxy?x",
        "http://proxy#x",
        "http://pröxy",
        "http://proxy\n",
    ],
)
def test_another_proxy_is_refused_unquoted(text: str) -> None:
    """It may hold a password."""
    with pytest.raises(UnfitError) as caught:
        proxy_url(text)
    assert text not in str(caught.value)
