"""A faulty wire: an HTTP proxy on loopback that loses, delays or damages what passes.

It stands between a real adapter and a simulated service, knows neither, and counts what it is sent. So one alphabet
of faults serves both adapters, and whether the service saw a request is a part of each fault.
"""

import gzip
import json
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

BIG_BYTES = 2 * 1024 * 1024
BOMB_BYTES = 32 * 1024 * 1024
SILENCE_MAX_S = 3600.0
SETTLE_S = 600.0
_POLL_S = 0.02


class Reach(Enum):
    """Whether a request gets to the service."""

    NOBODY = "nobody listens"
    LOST = "before the effect"
    SEEN = "after the effect"


@dataclass(frozen=True, slots=True)
class Message:
    """A whole answer, the true one or what is made of it."""

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Ending(Enum):
    """What follows the bytes of an answer."""

    NOTHING = "the connection stays"
    CLOSE = "closed"
    RESET = "reset"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Fault:
    """What becomes of a request: how far it gets, and what of its answer comes back."""

    reach: Reach
    answer: Callable[[Message], Message | None]
    """Of the true answer (empty if there is none); None is no answer at all."""
    sent: float = 1.0
    """The part of the answer's body that is sent, whatever `Content-Length` promises."""
    ending: Ending = Ending.NOTHING


def status(code: int, body: str = "", **headers: str) -> Callable[[Message], Message]:
    """Return a fault's answer: another one than the true one."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda _: Message(code, body.encode(), named)


def damaged(change: Callable[[bytes], bytes], **headers: str) -> Callable[[Message], Message]:
    """Return a fault's answer: the true one with another body."""
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return lambda true: Message(true.status, change(true.body), true.headers + named)


def silent(_: Message) -> None:
    """Answer nothing."""


def _wider(body: bytes) -> bytes:
    value = json.loads(body)
    if not isinstance(value, dict):
        return body
    wide = {"plan": "FREE", "warnings": [1, {"two": None}]} | value
    for name, inner in wide.items():
        if isinstance(inner, list) and all(isinstance(item, dict) for item in inner):
            wide[name] = [{"unheardOf": 7} | item for item in inner]
    return json.dumps(wide).encode()


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(BOMB_BYTES), compresslevel=1)


LOST, SEEN = Reach.LOST, Reach.SEEN
PAGE = "<!DOCTYPE html><html><body>Just a moment...</body></html>"
FAULTS = {
    "connection refused": Fault(Reach.NOBODY, silent),
    "read timeout before the effect": Fault(LOST, silent, ending=Ending.SILENCE),
    "read timeout after the effect": Fault(SEEN, silent, ending=Ending.SILENCE),
    "reset before the effect": Fault(LOST, silent, ending=Ending.RESET),
    "reset after the effect": Fault(SEEN, silent, ending=Ending.RESET),
    "closed after the effect": Fault(SEEN, silent, ending=Ending.CLOSE),
    "reset mid-body": Fault(SEEN, lambda true: true, sent=0.5, ending=Ending.RESET),
    "closed mid-body": Fault(SEEN, lambda true: true, sent=0.5, ending=Ending.CLOSE),
    "429": Fault(LOST, status(429, "{}")),
    "429 with Retry-After": Fault(LOST, status(429, "{}", Retry_After="7")),
    "500 before the effect": Fault(LOST, status(500, "{}")),
    "500 after the effect": Fault(SEEN, status(500, "{}")),
    "502 after the effect": Fault(SEEN, status(502, PAGE)),
    "503": Fault(LOST, status(503, PAGE)),
    "504 after the effect": Fault(SEEN, status(504, PAGE)),
    "401": Fault(LOST, status(401, "{}")),
    "403": Fault(LOST, status(403, PAGE)),
    "200 with HTML": Fault(SEEN, damaged(lambda _: PAGE.encode())),
    "200 with nothing": Fault(SEEN, damaged(lambda _: b"")),
    "200 with cut-off JSON": Fault(SEEN, damaged(lambda body: body[: len(body) // 2])),
    "200 without a field": Fault(SEEN, damaged(lambda _: b"{}")),
    "200 with further fields": Fault(SEEN, damaged(_wider)),
    "200 of another type": Fault(SEEN, damaged(lambda body: b"[" + body + b"]")),
    "gzip bomb": Fault(SEEN, damaged(lambda _: _bomb(), Content_Encoding="gzip")),
    "two megabytes": Fault(SEEN, damaged(lambda body: body.ljust(BIG_BYTES))),
    "redirect": Fault(LOST, status(302, Location="/elsewhere")),
}
"""By name. A timeout to connect is `unanswered_port`."""


@dataclass(slots=True)
class Wire:
    """The proxy's state: tests set what is at fault, and read what was sent."""

    upstream: str
    """Host and port of the service."""
    port: int = 0
    fault: Fault | None = None
    at: str = ""
    """Requests whose label begins so are at fault; the others pass."""
    times: int = -1
    """How many requests meet the fault; -1 is all."""
    sent: list[str] = field(default_factory=list)
    """The label of each request: the AWS operation, else method and path."""
    passed: int = 0
    """How many of them have had their effect, if they were to have one."""
    changed: threading.Condition = field(default_factory=threading.Condition)
    over: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """The base URL for a client."""
        return f"http://127.0.0.1:{self.port}"

    def mend(self) -> None:
        """Let everything pass, and forget what was sent."""
        with self.changed:
            self.fault, self.at, self.times, self.passed = None, "", -1, 0
            self.sent.clear()

    def settled(self, requests: int) -> bool:
        """Wait until so many requests were seen through, which a client that gave up does not wait for."""
        with self.changed:
            return self.changed.wait_for(lambda: self.passed == len(self.sent) >= requests, SETTLE_S)

    def pass_on(self, handler: BaseHTTPRequestHandler, body: bytes) -> Message:
        """Let the service answer a request."""
        connection = HTTPConnection(self.upstream, timeout=SILENCE_MAX_S)
        try:
            connection.request(handler.command, handler.path, body, dict(handler.headers))
            answer = connection.getresponse()
            kept = tuple(
                (name, value)
                for name, value in answer.getheaders()
                if name.lower() not in {"content-length", "connection"}
            )
            return Message(answer.status, answer.read(), kept)
        finally:
            connection.close()


@contextmanager
def faulty_wire(upstream_url: str) -> Iterator[Wire]:
    """Serve a wire to a service, on a free port."""
    wire = Wire(upstream_url.removeprefix("http://"))
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.wire = wire  # type: ignore[attr-defined]  # read by the handler
        wire.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(_POLL_S,))
        thread.start()
        try:
            yield wire
        finally:
            wire.over.set()
            server.shutdown()
            thread.join()


@contextmanager
def refusing_port() -> Iterator[int]:
    """Keep a port on which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


@contextmanager
def unanswered_port() -> Iterator[int]:
    """Keep a port whose queue of connections is full, so that a further one is never answered."""
    with ExitStack() as stack:
        listening = stack.enter_context(socket.socket())
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0.0)
            waiting.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


class _Server(ThreadingHTTPServer):
    request_queue_size = 128
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Stay quiet: clients that give up are what this is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = SILENCE_MAX_S

    def _serve(self) -> None:
        wire: Wire = self.server.wire  # type: ignore[attr-defined]  # set by the server class
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        target = self.headers.get("X-Amz-Target", "").partition(".")[2]
        label = target or f"{self.command} {self.path}"
        with wire.changed:
            wire.sent.append(label)
            fault = wire.fault if label.startswith(wire.at) and wire.times else None
            wire.times -= fault is not None
        true = Message(200, b"")
        if fault is None or fault.reach is SEEN:
            true = wire.pass_on(self, body)
        with wire.changed:
            wire.passed += 1
            wire.changed.notify_all()
        if fault is None:
            self._send(true, len(true.body))
            return
        answer = fault.answer(true)
        if answer is not None:
            self._send(answer, int(len(answer.body) * fault.sent))
        self.close_connection |= fault.ending is not Ending.NOTHING
        match fault.ending:
            case Ending.NOTHING | Ending.CLOSE:
                pass
            case Ending.RESET:
                # A linger time of zero turns the close into a reset.
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.close()
            case Ending.SILENCE:
                wire.over.wait(SILENCE_MAX_S)

    do_GET = do_POST = do_PUT = do_DELETE = _serve  # noqa: N815 - names that http.server calls

    def _send(self, message: Message, length: int) -> None:
        self.send_response_only(message.status)
        for name, value in message.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(message.body)))
        self.end_headers()
        try:
            self.wfile.write(message.body[:length])
            self.wfile.flush()
        except OSError:  # the client has had enough, as it should have of a bomb
            self.close_connection = True

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - as in the base class
        """Stay quiet."""
