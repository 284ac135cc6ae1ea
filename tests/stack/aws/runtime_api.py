"""Lambda's Runtime API (2018-06-01) for one execution environment.

Source: the developer guide's page "Using the Lambda runtime API for custom runtimes". The runtime, a real
`awslambdaric`, asks for its next event, and answers with a response or an error. What it answers comes out of
`RuntimeApi.answers` in order; whoever owns the process decides what a silence means.
"""

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from types import TracebackType
from typing import Self

HOST = "127.0.0.1"
PREFIX = "/2018-06-01/runtime/"
PAYLOAD_BYTES_MAX = 6 * 1024 * 1024
POLL_S = 0.02


@dataclass(frozen=True, slots=True)
class Event:
    """One invocation, as it is handed to the runtime; `deadline` is in epoch seconds."""

    request_id: str
    payload: bytes
    deadline: float
    function_arn: str


@dataclass(frozen=True, slots=True)
class Ready:
    """The runtime has loaded the handler and asked for its first event."""


@dataclass(frozen=True, slots=True)
class InitError:
    """The handler could not be loaded; `payload` is the error as JSON."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What the handler returned, as JSON."""

    request_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class HandlerError:
    """What the handler raised: type, message and stack as JSON."""

    request_id: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Exited:
    """The process ended; whoever watches it puts this here."""


@dataclass(frozen=True, slots=True)
class Expired:
    """The call's time is up; whoever keeps the time puts this here."""


Answer = Ready | InitError | Response | HandlerError | Exited | Expired


class RuntimeApi:
    """A context manager: serves on a loopback port of its own until it is left."""

    def __init__(self) -> None:
        """No event yet."""
        self.answers: SimpleQueue[Answer] = SimpleQueue()
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._server = _Server((HOST, 0), _Handler)
        self._server.api = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), daemon=True)

    @property
    def address(self) -> str:
        """Host and port, as `AWS_LAMBDA_RUNTIME_API` wants them."""
        return f"{HOST}:{self._server.server_address[1]}"

    def hand_over(self, event: Event) -> None:
        """Give the runtime its next event."""
        self._events.put(event)

    def next_event(self) -> Event | None:
        """Wait for an event; None when the API is closed."""
        return self._events.get()

    def __enter__(self) -> Self:
        """Start serving."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every wait and stop serving."""
        self._events.put(None)
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    api: RuntimeApi

    def handle_error(self, request: object, client_address: object) -> None:
        """Stay quiet: a runtime that was killed hangs up in the middle of things."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    _asked = False

    def do_GET(self) -> None:
        if self.path != f"{PREFIX}invocation/next":
            self.send_error(404)
            return
        if not self._asked:
            self._asked = True
            self.server.api.answers.put(Ready())
        event = self.server.api.next_event()
        if event is None:
            self.close_connection = True
            return
        self.send_response_only(200)
        headers = {
            "Content-Type": "application/json",
            "Content-Length": str(len(event.payload)),
            "Lambda-Runtime-Aws-Request-Id": event.request_id,
            "Lambda-Runtime-Deadline-Ms": str(int(event.deadline * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": event.function_arn,
        }
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(event.payload)

    def do_POST(self) -> None:
        length = min(int(self.headers.get("Content-Length") or 0), PAYLOAD_BYTES_MAX)
        payload = self.rfile.read(length)
        match self.path.removeprefix(PREFIX).split("/"):
            case ["init", "error"]:
                self._accept(InitError(payload))
            case ["invocation", request_id, "response"]:
                self._accept(Response(request_id, payload))
            case ["invocation", request_id, "error"]:
                self._accept(HandlerError(request_id, payload))
            case _:
                self.send_error(404)

    def _accept(self, answer: Answer) -> None:
        self.server.api.answers.put(answer)
        self.send_response_only(202)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Write nothing to standard error."""
