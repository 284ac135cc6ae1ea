"""The way to Pinata: what stands in it is told as what it is, and repeated only where that can help; proxies."""

import select
import socket
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.model.credential import Sensitive, Token
from rotator.model.errors import ProviderBlockedError, ProviderError, ProviderUnavailableError, Remedy
from rotator.pinata.failures import create_failure, failure
from rotator.pinata.obstacles import Lasting
from rotator.pinata.requests import Answer, Reply, Request, Unsent, exchange, is_transient
from rotator.pinata.transport import http_client, tls_context
from tests.certificates import self_signed, serving
from tests.unit.pinata.test_transport import WHOLE, Deadline, server

FAR_S = 3600.0


def ask(url: str, *, proxy: str | None = None, trusted: Path | None = None) -> Reply:
    """Make one request, and return its reply."""
    tls = tls_context(trusted.read_text()) if trusted else None
    with http_client(tls=tls, proxy=proxy) as client:
        return exchange(
            client, url, Request("GET", "/"), Token(Sensitive("token-canary")), Deadline(time.monotonic() + FAR_S)
        )


def secure(certificate: Path, received: list[bytes]) -> Callable[[socket.socket], None]:
    """Answer a request over TLS."""
    tls = serving(certificate)

    def serve(connection: socket.socket) -> None:
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            received.append(wrapped.recv(65_536))
            wrapped.sendall(WHOLE)

    return serve


CERTIFICATES: dict[str, tuple[dict[str, object], bool, str]] = {
    "of an authority nobody knows": ({}, False, "self-signed certificate"),
    "that has expired": ({"ends": timedelta(days=-1)}, True, "certificate has expired"),
    "of another host": ({"address": "127.0.0.9"}, True, "IP address mismatch"),
}


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_a_certificate_that_is_not_trusted_needs_a_person(tmp_path: Path, kind: str) -> None:
    """The host and the reason are said, nothing is sent, and nothing is repeated."""
    given, trusted, reason = CERTIFICATES[kind]
    certificate = self_signed(tmp_path, **given)  # type: ignore[arg-type]  # by name
    received: list[bytes] = []
    with server(secure(certificate, received)) as url:
        reply = ask(url.replace("http:", "https:"), trusted=certificate if trusted else None)
    assert isinstance(reply, Lasting)
    assert not is_transient(reply)
    assert not any(received)
    for error in (failure("it failed", reply), create_failure("NAME", reply)):
        assert isinstance(error, ProviderBlockedError)
        assert error.remedy is Remedy.PERSON
        assert "the certificate of 127.0.0.1 is not trusted (" in error.message
        assert reason in error.message
        assert "ca_file" in error.next_step


def test_the_authority_that_is_named_is_trusted(tmp_path: Path) -> None:
    """As behind a proxy that inspects TLS."""
    certificate, received = self_signed(tmp_path), list[bytes]()
    with server(secure(certificate, received)) as url:
        assert isinstance(ask(url.replace("http:", "https:"), trusted=certificate), Answer)
    assert b"token-canary" in received[0]


def test_a_file_without_a_certificate_is_refused() -> None:
    """It would trust nobody."""
    with pytest.raises(ValueError, match="no certificate"):
        tls_context("nothing")


def test_a_refused_port_is_told_and_asked_again() -> None:
    """Somebody may be about to listen there."""
    with server(lambda _: None) as url:
        pass
    reply = ask(url)
    assert isinstance(reply, Unsent)
    assert reply.detail == f"no connection: 127.0.0.1 port {url.rpartition(':')[2]} refused it"
    assert is_transient(reply)


@pytest.mark.parametrize(("code", "repeats"), [(socket.EAI_NONAME, False), (socket.EAI_AGAIN, True)])
def test_a_host_that_does_not_resolve(monkeypatch: pytest.MonkeyPatch, code: int, repeats: bool) -> None:
    """A name server that is away may be back in a moment; a name that does not exist will not."""

    def lookup(*_: object, **__: object) -> None:
        raise socket.gaierror(code, "canary")

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    reply = ask("https://api.example")
    assert reply == Unsent("no connection: api.example does not resolve", repeats)
    assert is_transient(reply) is repeats
    assert isinstance(failure("x", reply), ProviderUnavailableError)


def test_who_does_not_speak_tls_is_no_stranger() -> None:
    """A plain port is not a certificate that is not trusted."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(WHOLE)

    with server(serve) as url:
        reply = ask(url.replace("http:", "https:"))
    assert isinstance(reply, Unsent)
    assert "127.0.0.1 did not agree on TLS" in reply.detail


# Proxies


def tunnelling(asked: list[bytes], target: str) -> Callable[[socket.socket], None]:
    """Be a proxy that connects to one place, whatever it is asked for."""

    def serve(connection: socket.socket) -> None:
        asked.append(connection.recv(65_536))
        host, _, port = target.rpartition("//")[2].partition(":")
        with socket.create_connection((host, int(port))) as far:
            connection.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            while True:
                for ready in select.select([connection, far], [], [])[0]:
                    data = ready.recv(65_536)
                    if not data:
                        return
                    (far if ready is connection else connection).sendall(data)

    return serve


@pytest.mark.parametrize("over_tls", [False, True], ids=["http", "https"])
def test_a_proxy_is_asked_for_the_host_and_sees_no_token(tmp_path: Path, over_tls: bool) -> None:
    """The request goes through it inside TLS; its password goes to it alone."""
    certificate, received, asked = self_signed(tmp_path), list[bytes](), list[bytes]()
    with server(secure(certificate, received)) as url:
        tunnel = tunnelling(asked, url)
        with server(_wrapped(certificate, tunnel) if over_tls else tunnel) as way:
            scheme = "https" if over_tls else "http"
            proxy = way.replace("http://", f"{scheme}://user:pass@")
            reply = ask("https://127.0.0.1:1", proxy=proxy, trusted=certificate)
    assert isinstance(reply, Answer), reply
    assert asked[0].startswith(b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNz" in asked[0]
    assert b"token-canary" not in asked[0]
    assert b"Proxy-Authorization" not in received[0]
    assert b"token-canary" in received[0]


def _wrapped(certificate: Path, serve: Callable[[socket.socket], None]) -> Callable[[socket.socket], None]:
    tls = serving(certificate)

    def secured(connection: socket.socket) -> None:
        with tls.wrap_socket(connection, server_side=True) as wrapped:
            serve(wrapped)

    return secured


@pytest.mark.parametrize(
    ("status", "kind"), [(407, ProviderBlockedError), (403, ProviderBlockedError), (502, ProviderUnavailableError)]
)
def test_a_proxy_that_refuses_is_told_apart(status: int, kind: type[ProviderError]) -> None:
    """A password that is wrong needs a person; a gateway that is ill does not."""

    def serve(connection: socket.socket) -> None:
        connection.recv(65_536)
        connection.sendall(f"HTTP/1.1 {status} canary\r\nContent-Length: 0\r\n\r\n".encode())

    with server(serve) as proxy:
        reply = ask("https://api.example", proxy=proxy)
    error = create_failure("NAME", reply)
    assert type(error) is kind
    assert f"the proxy answered {status}" in error.message
    assert "canary" not in error.message


def test_a_proxy_that_is_not_there_is_named_as_such() -> None:
    """It is the proxy that refuses, not Pinata."""
    with server(lambda _: None) as proxy:
        pass
    reply = ask("https://api.example", proxy=proxy)
    assert isinstance(reply, Unsent)
    assert reply.detail.startswith("no connection: the proxy 127.0.0.1 port ")
