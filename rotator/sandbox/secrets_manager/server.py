"""AWS on a loopback port: the strict Secrets Manager, and moto for every other service.

`SecretsManagerServer` serves HTTP/1.1 with kept-alive connections on 127.0.0.1, a thread each. It
records what was asked (never a value) and shows the faults it is told to. Clients in any language
steer it under `/_sandbox/` on the same port, with JSON bodies:

    POST   /_sandbox/faults    {"kind": "drop" | "error" | "throttle" | "delay", "operation": "*",
                                "moment": "before" | "after", "first": 1, "every": 1, "times": 1,
                                "delay_s": 0.0}
                               strikes the `first` matching request and every `every`-th from
                               there, `times` in all (0: no end); only `kind` must be given
    DELETE /_sandbox/faults    no faults any more
    PUT    /_sandbox/stale     {"age_s": 0.0, "writes": 0, "operations": [...]}; reads lag behind
    PUT    /_sandbox/replica   {"secret_id": ..., "region": ..., "status": "InSync" | "InProgress" | "Failed"}
    PUT    /_sandbox/owner     {"secret_id": ..., "service": "rds"}: nobody else may write it; "": anybody may
    GET    /_sandbox/requests  [{"operation": ..., "at": ..., "status": ...}, ...]; 0 is a drop
    DELETE /_sandbox/requests  forget them
    POST   /_sandbox/reset     as new: no secrets, no faults, no lag, no requests

Every control answers 200 and JSON, or 400 with `error`.
"""

import io
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, MotoRequestHandler, create_backend_app
from werkzeug.serving import ThreadedWSGIServer
from werkzeug.test import run_wsgi_app

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.faults import FaultPlan
from rotator.sandbox.secrets_manager.gate import Gate, OnRequest, Request
from rotator.sandbox.secrets_manager.under_moto import MotoLambdas

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from werkzeug.datastructures import Headers

HOST = "127.0.0.1"
BODY_BYTES_MAX = 16 * 1024 * 1024
IDLE_S = 120.0
POLL_S = 0.02
STOP_S = 10.0


class SecretsManagerServer:
    """A context manager; the port is free until it is entered.

    `secrets` is the simulated Secrets Manager behind it, `faults` what goes wrong. moto's own state
    is shared by the whole process.
    """

    def __init__(
        self,
        secrets: SecretsManager | None = None,
        *,
        clock: Callable[[], float] = time.time,
        on_request: OnRequest | None = None,
        in_front: "Callable[[WSGIApplication], WSGIApplication]" = lambda gate: gate,
        port: int = 0,
    ) -> None:
        """Serve `secrets`, or an empty Secrets Manager that keeps time by `clock`; `in_front` sees a request first."""
        self.secrets = secrets or SecretsManager(clock=clock, lambdas=MotoLambdas())
        moto = DomainDispatcherApplication(create_backend_app)
        self._gate = Gate(self.secrets, moto, clock, on_request)
        self._application = in_front(self._gate)
        self._port = port

    @property
    def faults(self) -> FaultPlan:
        """The faults in force."""
        return self._gate.faults

    @property
    def requests(self) -> tuple[Request, ...]:
        """What was asked so far, oldest first."""
        return tuple(self._gate.requests)

    @property
    def endpoint_url(self) -> str:
        """The URL for `endpoint_url` of a client."""
        return f"http://{HOST}:{self._port}"

    def reset(self) -> None:
        """As new: no secrets, faults, lag or recorded calls."""
        self._gate.reset()

    def __enter__(self) -> Self:
        """Bind and serve."""
        self._server = _Server(HOST, self._port, self._application, _Connection)
        self._port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop listening and close every connection."""
        self._server.shutdown()
        self._thread.join(STOP_S)
        self._server.hang_up()


class _Server(ThreadedWSGIServer):
    """Remembers its connections: a kept-alive one would outlive the server."""

    request_queue_size = 256

    def __init__(self, *args: object) -> None:
        self.connections: set[socket.socket] = set()
        super().__init__(*args)  # type: ignore[arg-type]  # passed on as they came

    def hang_up(self) -> None:
        for connection in tuple(self.connections):
            _close(connection)


class _Connection(MotoRequestHandler):
    """werkzeug's handler closes after each answer; this one reads whole requests and stays."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = IDLE_S
    server: _Server

    def handle(self) -> None:
        self.server.connections.add(self.connection)
        try:
            super().handle()
        finally:
            self.server.connections.discard(self.connection)

    def run_wsgi(self) -> None:
        self.environ = environ = self.make_environ()
        if environ.pop("HTTP_TRANSFER_ENCODING", ""):
            body = environ["wsgi.input"].read(BODY_BYTES_MAX)
        else:
            length = int(self.headers.get("Content-Length") or 0)
            self.close_connection |= length > BODY_BYTES_MAX
            body = self.rfile.read(min(length, BODY_BYTES_MAX))
        environ["wsgi.input"] = io.BytesIO(body)
        environ["CONTENT_LENGTH"] = str(len(body))
        try:
            chunks, status, headers = run_wsgi_app(self.server.app, environ, buffered=True)
        except ConnectionAbortedError:
            self.close_connection = True
            _close(self.connection)
            return
        self._send(int(status.split()[0]), headers, b"".join(chunks))

    def _send(self, status: int, headers: "Headers", body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log(self, *args: object) -> None:
        """Stay quiet."""


def _close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
