"""The sandbox as a command: both systems, until somebody ends it."""

import json
import shlex
import signal
import tempfile
import threading
from pathlib import Path

from rotator.sandbox.running import Sandbox


def serve(pinata_port: int, aws_port: int, directory: str | None, *, as_json: bool) -> int:
    """Serve both systems until SIGINT or SIGTERM; print how to reach them, as shell lines or as one JSON object."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="rotator-sandbox-") as temporary:
        folder = Path(directory or temporary)
        with Sandbox(folder, pinata_port=pinata_port, aws_port=aws_port) as running:
            _print(_as_json(running) if as_json else _as_shell_lines(running))
            stop.wait()
    return 0


def _as_json(running: Sandbox) -> str:
    return json.dumps(
        {
            "pinata_url": running.pinata.url,
            "aws_endpoint_url": running.secrets_manager.endpoint_url,
            "admin_jwt": running.admin_jwt,
            "config": str(running.config_path),
        }
    )


def _as_shell_lines(running: Sandbox) -> str:
    exports = (f"export {name}={shlex.quote(value)}" for name, value in running.environment.items())
    return "\n".join(
        (
            *exports,
            "# In another terminal: paste the lines above, then `rotator plan`, `rotator run`.",
            f"# Faults and switches: {running.pinata.url}/_sandbox/. Ctrl-C ends it.",
        )
    )


def _print(text: str) -> None:
    print(text, flush=True)  # noqa: T201 - whoever waits for it reads a pipe
