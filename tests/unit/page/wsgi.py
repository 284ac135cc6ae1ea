"""Requests to the page's WSGI application without a socket, checked against the WSGI rules."""

import sys
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote_to_bytes
from wsgiref.validate import validator

from rotator.page.application import Application
from rotator.page.hosts import AllowedHosts
from rotator.page.sources import Sources


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(sources: Sources, target: str = "/", *, method: str = "GET", host: str | None = "127.0.0.1:8080") -> Answer:
    """Make one request."""
    path, _, query = target.partition("?")
    environ: dict[str, object] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "rotator",
        "SERVER_PORT": "8080",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    if host is not None:
        environ["HTTP_HOST"] = host
    started: list[tuple[str, list[tuple[str, str]]]] = []

    def start_response(status: str, headers: list[tuple[str, str]], *_: object) -> object:
        started.append((status, headers))
        return lambda _: None

    chunks = validator(Application(sources, AllowedHosts.of(sources.hosts)))(
        environ,
        start_response,  # type: ignore[arg-type]  # a plain function is one, the protocol names its optional part
    )
    try:
        body = b"".join(chunks)
    finally:
        chunks.close()  # type: ignore[attr-defined]  # the validator's iterator has it
    [(status, headers)] = started
    assert len({name for name, _ in headers}) == len(headers)
    return Answer(int(status[:3]), dict(headers), body)
