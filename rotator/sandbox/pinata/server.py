"""The simulated Pinata over HTTP/1.1 on a loopback port: keep-alive, a thread per connection.

    with PinataServer(world) as server:
        httpx.get(f"{server.url}/data/testAuthentication", headers=...)

Written on the standard library's `http.server`, because werkzeug's server ends every connection
after one answer and waits 10 ms for it. For people and clients in other languages there are
controls under `/_sandbox/`, see `controls`. Meant for tests and demonstrations: it listens on
127.0.0.1 and guards nothing.
"""

import socket
import socketserver
import struct
import sys
import threading
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self

from rotator.sandbox.pinata.controls import PREFIX, administer
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.site import PinataSite
from rotator.sandbox.pinata.wire import Answer, CutOff, HangUp, Reply, Request, json_answer
from rotator.sandbox.pinata.world import PinataWorld

BODY_BYTES_MAX = 1024 * 1024
IDLE_TIMEOUT_S = 300.0
_STOP_POLL_S = 0.02


class PinataServer:
    """A served `PinataWorld`, a context manager; `site` has the faults, the log and the hooks."""

    def __init__(self, world: PinataWorld, *, port: int = 0) -> None:
        """Listen on 127.0.0.1; port 0 picks a free one. `__enter__` starts answering."""
        self._stopping = threading.Event()
        self.site = PinataSite(world, self._stopping.wait)
        self._sockets = _Sockets(("127.0.0.1", port), _Handler)
        self._sockets.site = self.site
        self._thread = threading.Thread(target=self._sockets.serve_forever, args=(_STOP_POLL_S,), name="pinata sandbox")

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end."""
        return f"http://127.0.0.1:{self._sockets.server_address[1]}"

    def seed_admin(self, name: str = "managing key", account: str = "sandbox") -> str:
        """Put an admin key into `account`, return its JWT; a reset comes back to this moment."""
        with self.site.lock:
            record = self.site.world.seed(name, Permissions(admin=True), account=account)
            self.site.begin_here()
        return record.jwt

    def __enter__(self) -> Self:
        """Start answering."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every wait, connection and thread."""
        self._stopping.set()
        self._sockets.shutdown()
        self._sockets.hang_up()
        self._sockets.server_close()
        self._thread.join()


class _Sockets(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    request_queue_size = 128
    daemon_threads = False
    site: PinataSite

    def __init__(self, address: tuple[str, int], handler: type["_Handler"]) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(address, handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        if isinstance(request, socket.socket):
            self._open.add(request)
            super().process_request(request, client_address)

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        if isinstance(request, socket.socket):
            self._open.discard(request)
            super().shutdown_request(request)

    def hang_up(self) -> None:
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def handle_error(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        # A client that was killed or hung up is what the sandbox is for; anything else is a bug.
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = IDLE_TIMEOUT_S
    server: _Sockets

    def _serve(self) -> None:
        request = self._read()
        if request is None:
            self.close_connection = True
            self._send(json_answer(400, {"error": "a body has a Content-Length of at most 1 MiB"}))
        elif request.path.startswith(PREFIX):
            self._send(administer(self.server.site, request))
        else:
            self.server.site.handle(request, self._send)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_OPTIONS = _serve  # noqa: N815 - names that http.server calls

    def _read(self) -> Request | None:
        length = self.headers.get("Content-Length", "0")
        too_long = not length.isdigit() or int(length) > BODY_BYTES_MAX
        if too_long or "Transfer-Encoding" in self.headers:
            return None
        path, _, query = self.path.partition("?")
        return Request(
            method=self.command,
            path=path,
            query=query,
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(length)),
            address=str(self.client_address[0]),
        )

    def _send(self, reply: Reply) -> None:
        match reply:
            case Answer():
                self._write(reply, len(reply.body))
            case CutOff(answer):
                self.close_connection = True
                self._write(answer, len(answer.body) // 2)
            case HangUp():
                self.close_connection = True
                if reply is HangUp.RESET:
                    # A linger time of zero turns the close into a reset.
                    linger = struct.pack("ii", 1, 0)
                    self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    self.connection.close()

    def _write(self, answer: Answer, length: int) -> None:
        self.send_response_only(answer.status)
        now = self.server.site.world.clock()
        self.send_header("Date", formatdate(now, usegmt=True))
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Connection", "close" if self.close_connection else "keep-alive")
        for name, value in answer.headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[:length])
        self.wfile.flush()

    def log_message(self, *args: object) -> None:
        """Write nothing to standard error: the site keeps the log."""
