"""The HTTP client on real sockets: a request ends on time, whatever the server does."""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, cycle
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest

from rotator.model.credential import Sensitive, Token
from rotator.pinata import transport
from rotator.pinata.obstacles import Lasting
from rotator.pinata.requests import Answer, Lost, Reply, Request, Unsent, exchange
from rotator.pinata.transport import http_client
from tests.certificates import self_signed, serving

LIMIT_S = 0.4
PLENTY_S = 3600.0
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


@dataclass
class Deadline:
    """A deadline on the real clock."""

    ends_s: float

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.ends_s - time.monotonic()


@contextmanager
def server(serve: Callable[[socket.socket], None]) -> Iterator[str]:
    """Listen on loopback and hand each connection to `serve`, one after the other."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def loop() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                with connection:
                    try:
                        serve(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=loop)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join()


def drip(data: Iterable[int]) -> Callable[[socket.socket], None]:
    """Send one byte each few milliseconds: each packet is well in time."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        for byte in data:
            connection.sendall(bytes([byte]))
            time.sleep(0.01)

    return serve


def ask(url: str, limit_s: float = PLENTY_S) -> Reply:
    """Make one request, and return its reply."""
    with http_client() as client:
        deadline = Deadline(time.monotonic() + limit_s)
        return exchange(client, url, Request("POST", "/"), Token(Sensitive("token")), deadline)


@pytest.mark.parametrize(
    ("beginning", "rest"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-Padding: x\r\n", id="in the headers"),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n", id="before them"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999999\r\n\r\n", b" ", id="in the body"),
    ],
)
def test_an_answer_that_drips_in_ends_with_the_deadline(beginning: bytes, rest: bytes) -> None:
    """Byte by byte, such an answer would never end."""
    began_s = time.monotonic()
    with server(drip(chain(beginning, cycle(rest)))) as url:
        assert isinstance(ask(url, LIMIT_S), Lost)
    assert time.monotonic() - began_s > LIMIT_S / 2


def say_nothing(connection: socket.socket) -> None:
    """Take everything until the client hangs up."""
    while connection.recv(65_536):
        pass


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the client bear a silence that is longer than any test."""
    monkeypatch.setattr(transport, "READ_S", PLENTY_S)


@pytest.mark.usefixtures("_patient")
def test_silence_ends_with_the_deadline() -> None:
    """A server that takes the request and says nothing."""
    with server(say_nothing) as url:
        assert isinstance(ask(url, LIMIT_S), Lost)


@pytest.mark.usefixtures("_patient")
def test_a_deadline_that_comes_nearer_ends_a_request_under_way() -> None:
    """A request with plenty of time, to a server that says nothing: it ends soon after it has less."""

    def serve(connection: socket.socket) -> None:
        deadline.ends_s = time.monotonic() + LIMIT_S
        say_nothing(connection)

    with server(serve) as url, http_client() as client:
        deadline = Deadline(time.monotonic() + PLENTY_S)
        assert isinstance(exchange(client, url, Request("GET", "/"), Token(Sensitive("token")), deadline), Lost)


def test_a_slow_answer_that_is_in_time_is_read() -> None:
    """The limit is the deadline's, not a guess about what is slow."""
    with server(drip(WHOLE)) as url:
        assert ask(url) == Answer(200, Sensitive("{}"))


def test_a_refused_connection_is_surely_without_effect() -> None:
    """Nobody listens, so nothing was sent."""
    with server(drip(b"")) as url:
        pass
    assert isinstance(ask(url), Unsent)


def test_a_connection_that_ends_without_an_answer_may_have_had_an_effect() -> None:
    """The server read the request, then hung up."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)

    with server(serve) as url:
        reply = ask(url)
    assert isinstance(reply, Lost)


def test_the_limit_of_one_request_is_not_that_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection is used again long after the first request's time is up, and the second has its own."""
    now_s = time.monotonic()
    monkeypatch.setattr(transport, "time", SimpleNamespace(monotonic=lambda: now_s))

    def serve(connection: socket.socket) -> None:
        while connection.recv(65_536):
            connection.sendall(WHOLE)

    with server(serve) as url, http_client() as client:
        for _ in range(2):
            deadline = Deadline(time.monotonic() + PLENTY_S)
            assert isinstance(exchange(client, url, Request("GET", "/"), Token(Sensitive("token")), deadline), Answer)
            now_s += 2 * PLENTY_S


@pytest.mark.parametrize("trusted", [True, False], ids=["known", "unknown"])
def test_a_certificate_nobody_vouches_for_gets_no_request(
    trusted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A token is sent only to a server whose certificate is verified."""
    received: list[bytes] = []
    certificate = self_signed(tmp_path)
    tls = serving(certificate)

    def serve(connection: socket.socket) -> None:
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            received.append(wrapped.recv(65_536))
            wrapped.sendall(WHOLE)

    if trusted:
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(httpx, "create_ssl_context", lambda **_: trusting)
    with server(serve) as url:
        reply = ask(url.replace("http:", "https:"))
    assert isinstance(reply, Answer if trusted else Lasting)
    assert bool(received) is trusted


def test_the_environment_is_not_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    """No proxy of the environment gets to see a token."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    with server(drip(WHOLE)) as url:
        reply = ask(url)
    assert isinstance(reply, Answer)


def test_a_redirect_is_not_followed() -> None:
    """It is an answer like another; the token goes nowhere else."""
    with server(drip(b"HTTP/1.1 307 Go\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")) as url:
        reply = ask(url)
    assert isinstance(reply, Answer)
    assert reply.status == 307
