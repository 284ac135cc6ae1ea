"""The application: routes, methods, headers, hosts, limits, errors."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Never

import pytest
import structlog

from rotator.model.errors import AuditUnavailableError
from rotator.page.application import HEADERS, PATH_MAX_CHARS
from rotator.page.sources import Told
from tests.page_fleets import NOW, THREE, a_fleet, a_retirement, a_status, a_story, sources
from tests.unit.page.wsgi import ask

SECRET = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZWRLZXkiOiJhYmMifQ.c2lnbmF0dXJl"
PAGES = {
    "/": 200,
    "/?q=up&state=fresh&page=1": 200,
    "/secret/uploader": 200,
    "/style.css": 200,
    "/icon.svg": 200,
    "/livez": 200,
    "/readyz": 200,
    "/metrics": 200,
    "/nowhere": 404,
    "/secret/nobody": 404,
    "/secret/": 404,
    "/x/secret/uploader": 404,
    "/?page=0": 400,
}


def raising(error: Exception) -> Callable[..., Never]:
    """Return a source that fails."""

    def fail(*_: object) -> Never:
        raise error

    return fail


@pytest.mark.parametrize(("target", "status"), PAGES.items())
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_answer_has_the_same_protection(target: str, status: int, method: str) -> None:
    """Pages, probes and refusals carry the security headers; HEAD is GET without the body."""
    answer = ask(sources(), target, method=method)
    assert answer.status == status
    assert dict(HEADERS).items() <= answer.headers.items()
    assert answer.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    shown = ask(sources(), target)
    assert int(answer.headers["Content-Length"]) == len(shown.body) > 0
    assert answer.body == (b"" if method == "HEAD" else shown.body)


@pytest.mark.parametrize("target", PAGES)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_can_be_changed(target: str, method: str) -> None:
    """Any other method is refused on every path, and no source is asked."""
    refusing = raising(AssertionError("asked"))
    answer = ask(sources(fleet=refusing, live=refusing, metrics=refusing), target, method=method)
    assert answer.status == 405
    assert answer.headers["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("target", PAGES)
@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]:80"])
def test_no_other_name_is_answered(target: str, host: str) -> None:
    """A request under a name that is not allowed learns nothing, whatever it asks for."""
    answer = ask(sources(), target, host=host)
    assert answer.status == 421
    assert "uploader" not in answer.text
    assert "rotator_secrets" not in answer.text


@pytest.mark.parametrize("host", [None, "", "a b", "a,b", "user@127.0.0.1", "127.0.0.1:x", "[::1"])
def test_a_request_names_a_host(host: str | None) -> None:
    """Without a well-formed Host header nothing is answered."""
    assert ask(sources(), host=host).status == 400


def test_allowed_names_are_answered() -> None:
    """A configured name is answered with any port; others still are not."""
    allowing = sources(hosts=frozenset({"status.example.org", "10.0.0.0/8"}))
    for host in ("status.example.org", "STATUS.example.org:8443", "10.3.2.1:9090", "localhost"):
        assert ask(allowing, host=host).status == 200
    assert ask(allowing, host="other.example.org").status == 421


@pytest.mark.parametrize(("target", "name"), [("/livez", "live"), ("/readyz", "ready")])
def test_probes(target: str, name: str) -> None:
    """A probe says ok, or 503 and why not, in printable text without secrets."""
    assert ask(sources(), target).text == "ok\n"
    why: Any = lambda: f"no tick for\x1b[2J 9 m {SECRET}"  # noqa: E731 - either of two fields
    broken = ask(replace(sources(), **{name: why}), target)
    assert broken.status == 503
    assert broken.text == "no tick for\\x1b[2J 9 m <removed>\n"
    assert broken.headers["Content-Type"].startswith("text/plain")


def test_metrics_are_passed_on() -> None:
    """Content type and body of the metrics are what the source says."""
    answer = ask(sources(), "/metrics")
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4"
    assert answer.body == b"rotator_secrets 3\n"


@pytest.mark.parametrize(
    "changes",
    [
        {"fleet": raising(RuntimeError(SECRET))},
        {"live": raising(KeyError(SECRET))},
        {"ready": raising(OSError(SECRET))},
        {"metrics": raising(ValueError(SECRET))},
        {"timeline": raising(RuntimeError(SECRET))},
    ],
    ids=lambda changes: next(iter(changes)),
)
def test_a_failure_leaks_nothing(changes: dict[str, Any]) -> None:
    """If a source fails, reader and log learn that and where, and not a word of the exception."""
    targets = ["/", "/livez", "/readyz", "/metrics", "/secret/uploader"]
    with structlog.testing.capture_logs() as logged:
        answers = [ask(sources(**changes), target) for target in targets]
    failed = [answer for answer in answers if answer.status == 500]
    assert failed
    assert len(logged) == len(failed)
    assert SECRET not in repr(logged)
    for answer in failed:
        assert SECRET not in answer.text
        assert "Traceback" not in answer.text
        assert dict(HEADERS).items() <= answer.headers.items()


def test_a_trail_that_cannot_be_read_is_told() -> None:
    """Without its audit trail a secret's page still shows where it stands, and says what is missing."""
    broken = raising(AuditUnavailableError("audit/ cannot be read: Permission denied"))
    answer = ask(sources(timeline=broken), "/secret/uploader")
    assert answer.status == 200
    assert "cannot be read: Permission denied" in answer.text
    assert "2026-11-12" in answer.text
    assert "shows no key yet" not in answer.text


def test_a_trail_that_was_read_in_part_is_told() -> None:
    """The page says why the rest is missing, and claims nothing of what it has not read."""
    revocation = a_retirement("key-1", NOW)
    for records, said in (([], "What was read shows no key."), (revocation, "Made earlier, or by hand")):
        told = Told(records, "it was not read to its end")
        text = ask(sources(timeline=lambda _, told=told: told), "/secret/uploader").text
        assert "Only the newest part of the audit trail is shown: it was not read to its end." in text
        assert said in text
    text = ask(sources(records=revocation), "/secret/uploader").text
    assert "Made by hand" in text
    assert "Only the newest part" not in text
    assert "From the last 366 days of the audit trail" in text


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/" + "a" * PATH_MAX_CHARS, 414),
        ("/secret/" + "a" * PATH_MAX_CHARS, 414),
        ("/secret/%ff%fe", 400),
        ("/?q=" + "a" * 101, 400),
        ("/?q=%ff", 400),
        ("/?q=" + "%F0%9F%94%91" * 60, 400),
        ("/?" + "a" * 600, 400),
        ("/?" + "&".join(f"q{n}=1" for n in range(20)), 400),
        ("/?q=a&q=b", 400),
        ("/?unknown=1", 400),
        ("/?state=good", 400),
        ("/?page=-1", 400),
        ("/?page=1e3", 400),
        ("/?page=1234567", 400),
        ("/?page=%D9%A3", 400),
        ("/?refresh=1", 400),
    ],
)
def test_limits(target: str, status: int) -> None:
    """What is too long or not understood is refused, without being repeated."""
    answer = ask(sources(), target)
    assert answer.status == status
    assert "aaaa" not in answer.text


def test_pages_need_no_script_and_no_style_attribute() -> None:
    """Nothing on any page needs more than the Content-Security-Policy allows, or comes from elsewhere."""
    for target in ("/", "/secret/uploader", "/nowhere", "/?q=none"):
        text = ask(sources(records=a_story()), target).text
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=|javascript:", text)
        links = re.findall(r'(?:href|src|action)="([^"]*)"', text)
        assert links
        assert all(link.startswith(("/", "#")) for link in links)


def test_refreshing_is_asked_for() -> None:
    """The page loads itself anew only for a reader who asked for it."""
    assert "http-equiv" not in ask(sources()).text
    assert '<meta http-equiv="refresh" content="60">' in ask(sources(), "/?refresh=60").text


def test_the_secret_is_found_by_its_exact_name() -> None:
    """A name with characters that addresses reserve is linked and found; another one is not."""
    odd = a_fleet(a_status(name="a/b c%2F?d"), *THREE.secrets)
    text = ask(sources(odd)).text
    assert 'href="/secret/a%2Fb%20c%252F%3Fd"' in text
    assert "<h1" in ask(sources(odd), "/secret/a%2Fb%20c%252F%3Fd").text
    assert ask(sources(odd), "/secret/UPLOADER").status == 404
