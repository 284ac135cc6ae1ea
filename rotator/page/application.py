"""Routes, methods, headers and errors: a WSGI application that only ever reads.

Every answer has the same headers, whatever it is. A request that is refused is told what this server takes; one that
fails here is told nothing, and the log gets the exception's type and place: its text may come from outside.
"""

import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING

import structlog

from rotator.model.errors import RotatorError
from rotator.page import views
from rotator.page.headline import Health
from rotator.page.hosts import AllowedHosts, MalformedHostError
from rotator.page.query import BadQueryError, parse
from rotator.page.rendering import Renderer
from rotator.page.sources import Sources

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

PATH_MAX_CHARS = 256
METHODS = ("GET", "HEAD")
HTML = "text/html; charset=utf-8"
TEXT = "text/plain; charset=utf-8"
_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Referrer-Policy", "no-referrer"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)


@dataclass(frozen=True, slots=True)
class Response:
    """An answer, before the headers that every answer has."""

    status: HTTPStatus
    content_type: str
    body: bytes
    allow: str = ""
    """The value of an Allow header; empty if it has none."""


class _RefusedError(Exception):
    """A request that is not answered as asked."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


class Application:
    """The WSGI application over some sources."""

    def __init__(self, sources: Sources, hosts: AllowedHosts) -> None:
        self._sources = sources
        self._hosts = hosts
        self._render = Renderer()
        assets = files("rotator.page")
        self._style = assets.joinpath("style.css").read_bytes()
        self._icon = assets.joinpath("icon.svg").read_bytes()
        self._routes: dict[str, Callable[[str], Response]] = {
            "/": self._list,
            "/livez": lambda _: _probe(self._sources.live()),
            "/readyz": lambda _: _probe(self._sources.ready()),
            "/metrics": lambda _: self._metrics(),
            "/style.css": lambda _: _found("text/css; charset=utf-8", self._style),
            "/icon.svg": lambda _: _found("image/svg+xml", self._icon),
        }

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        response = self._answer(environ)
        headers = [
            ("Content-Type", response.content_type),
            ("Content-Length", str(len(response.body))),
            *([("Allow", response.allow)] if response.allow else []),
            *HEADERS,
        ]
        start_response(f"{response.status.value} {response.status.phrase}", headers)
        return [] if environ["REQUEST_METHOD"] == "HEAD" else [response.body]

    def _answer(self, environ: "WSGIEnvironment") -> Response:
        try:
            return self._routed(environ)
        except _RefusedError as refused:
            return self._error(refused.status, refused.text)
        except Exception as error:  # noqa: BLE001 - the boundary of one request: the next one is answered
            _log(error)
            return self._error(HTTPStatus.INTERNAL_SERVER_ERROR, "Something failed here; the log has its place.")

    def _routed(self, environ: "WSGIEnvironment") -> Response:
        self._check_host(environ.get("HTTP_HOST", ""))
        if environ["REQUEST_METHOD"] not in METHODS:
            raise _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "This page is read-only: GET and HEAD.")
        if not environ.get("REQUEST_URI", "/").startswith("/"):
            # An absolute target names a host of its own, which would go before the Host header (RFC 9112, 3.2.2).
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "Ask for a path, not for a whole address.")
        path = _path(environ.get("PATH_INFO", ""))
        if route := self._routes.get(path):
            return route(environ.get("QUERY_STRING", ""))
        folder, _, name = path.partition("/secret/")
        if not folder and name:
            return self._secret(name)
        raise _RefusedError(HTTPStatus.NOT_FOUND, "There is no such page.")

    def _check_host(self, header: str) -> None:
        try:
            allowed = self._hosts.allow(header)
        except MalformedHostError:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, "The Host header names no host.") from None
        if not allowed:
            raise _RefusedError(HTTPStatus.MISDIRECTED_REQUEST, "This server does not answer under that name.")

    def _list(self, query_string: str) -> Response:
        try:
            query = parse(query_string)
        except BadQueryError as error:
            raise _RefusedError(HTTPStatus.BAD_REQUEST, f"Not understood: {error}.") from None
        now, fleet = self._sources.now(), self._sources.status()
        health = Health(self._sources.live(), self._sources.ready())
        found = views.listing(fleet, query, health, now)
        return _found(HTML, self._render.listing(found, query.but(page=found.page), fleet, now))

    def _secret(self, name: str) -> Response:
        now, fleet = self._sources.now(), self._sources.status()
        status = views.find(fleet, name)
        if status is None:
            raise _RefusedError(HTTPStatus.NOT_FOUND, "There is no secret of that name.")
        try:
            story = views.secret_page(status, self._sources.timeline(name), now)
        except RotatorError as error:
            story = views.secret_page(status, error, now)
        return _found(HTML, self._render.secret(story, fleet, now))

    def _metrics(self) -> Response:
        return _found(*self._sources.metrics())

    def _error(self, status: HTTPStatus, text: str) -> Response:
        allow = ", ".join(METHODS) if status is HTTPStatus.METHOD_NOT_ALLOWED else ""
        return Response(status, HTML, self._render.error(status.phrase, text), allow)


def _found(content_type: str, body: bytes) -> Response:
    return Response(HTTPStatus.OK, content_type, body)


def _probe(why_not: str) -> Response:
    status = HTTPStatus.SERVICE_UNAVAILABLE if why_not else HTTPStatus.OK
    return Response(status, TEXT, f"{Renderer.plain(why_not) or 'ok'}\n".encode())


def _path(path_info: str) -> str:
    """Return the path as text; WSGI hands its bytes over as Latin-1 (PEP 3333)."""
    if len(path_info) > PATH_MAX_CHARS:
        raise _RefusedError(HTTPStatus.REQUEST_URI_TOO_LONG, "No page has such a long address.")
    try:
        return path_info.encode("latin-1").decode()
    except UnicodeError:
        raise _RefusedError(HTTPStatus.BAD_REQUEST, "The address is not UTF-8.") from None


def _log(error: Exception) -> None:
    place = traceback.extract_tb(error.__traceback__)[-1]
    structlog.get_logger().error(
        "page_failed", exception=type(error).__name__, file=place.filename.rpartition("/")[2], line=place.lineno
    )
