"""The real daemon as a process: started, asked over HTTP, signalled, awaited.

with Daemon(stage) as daemon:
daemon.until(lambda: daemon.ready())
daemon.told("uploader")
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import TracebackType
from typing import Any, Self

from rotator.sandbox.pinata.faults import Operation
from tests.e2e.stage import Environment, Stage

PATIENCE_S = 600.0
"""For what takes a second; the machine may be busy, and only what hangs takes so long."""
HANGS_S = 3600.0
"""Longer than any test waits."""
PATIENT = f"import rotator.pinata.transport; rotator.pinata.transport.READ_S = {HANGS_S}"
"""For `Daemon(patched=...)`: a call that Pinata does not answer never ends by itself."""


@dataclass
class Silence:
    """Keeps Pinata from answering one operation, after its effect, until told to."""

    operation: Operation
    fell: threading.Event = field(default_factory=threading.Event)
    ends: threading.Event = field(default_factory=threading.Event)

    def __call__(self, number: int, operation: Operation) -> None:
        """Hold up a reply."""
        del number
        if operation is self.operation and not self.ends.is_set():
            self.fell.set()
            self.ends.wait(HANGS_S)


class Daemon:
    """A daemon over a stage, stopped at the end of the block whatever happens."""

    def __init__(
        self,
        stage: Stage,
        *,
        every: str = "1s",
        patched: str = "",
        env: Environment | None = None,
        more: tuple[str, ...] = (),
    ) -> None:
        """Describe it.

        Args:
            stage: whose sandbox it works on.

            every: the time between two ticks.

            patched: Python that is run first, to break something.

            env: changes of the environment.

            more: arguments.
        """
        self.stage = stage
        code = f"{patched}\nfrom rotator.cli import main\nmain()"
        self._command = [sys.executable, "-c", code, "daemon", "--listen", "127.0.0.1:0"]
        self._command += ["--every", every, "--json", *more]
        self._env = stage.environment(env)
        self.process: subprocess.Popen[str]
        self.logged: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        self.output = ""

    def __enter__(self) -> Self:
        """Start it; it may end by itself."""
        self.process = subprocess.Popen(
            self._command,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._readers = [
            threading.Thread(target=self._read, args=(self.process.stdout, self.rows)),
            threading.Thread(target=self._read, args=(self.process.stderr, self.logged)),
        ]
        for reader in self._readers:
            reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Make sure that nothing is left of it."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
        self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()

    def _read(self, stream: Any, into: list[dict[str, Any]]) -> None:  # noqa: ANN401 - a text stream
        for line in stream:
            self.output += line
            into.append(json.loads(line) if line.startswith("{") else {"text": line})

    # What it does

    def until(self, holds: Callable[[], object], what: str = "") -> None:
        """Wait until something holds."""
        ends_at = time.monotonic() + PATIENCE_S
        while not holds():
            assert self.process.poll() is None, f"it has ended: {what}\n{self.output}"
            assert time.monotonic() < ends_at, f"{what or 'waited in vain'}\n{self.output}"
            time.sleep(0.02)

    def events(self, name: str) -> list[dict[str, Any]]:
        """Return the log lines with a name."""
        return [line for line in list(self.logged) if line.get("event") == name]

    def outcomes(self, kind: str) -> list[dict[str, Any]]:
        """Return the outcomes of a kind."""
        return [row for row in list(self.rows) if row.get("outcome") == kind]

    @property
    def url(self) -> str:
        """Where it listens."""
        self.until(lambda: self.events("listening"), "it does not listen")
        return str(self.events("listening")[0]["url"])

    def get(self, path: str) -> tuple[int, str]:
        """Ask it for a page."""
        try:
            with urllib.request.urlopen(self.url + path, timeout=PATIENCE_S) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def ready(self) -> bool:
        """Tell whether it says that it is ready."""
        return self.get("/readyz")[0] == 200

    def metric(self, sample: str) -> float | None:
        """Return one sample of the metrics, by name and labels as they are written."""
        _, text = self.get("/metrics")
        values = [line.split()[-1] for line in text.splitlines() if line.startswith(f"{sample} ")]
        return float(values[0]) if values else None

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.process.pid, number)

    def stopped(self, code: int = 0) -> None:
        """Wait for its end, and expect an exit code."""
        returned = self.process.wait(PATIENCE_S)
        for reader in self._readers:
            reader.join(PATIENCE_S)
        assert returned == code, self.output


@contextmanager
def listener() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a dead-man's switch, and what it heard."""
    heard: list[str] = []

    class Switch(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name it overrides
            pass

    server = HTTPServer(("127.0.0.1", 0), Switch)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/check/a-token-of-the-pinger", heard
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
