"""`sandbox` and `demo`: both systems simulated, to play with and to watch."""

import shlex
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from rotator.cli.context import print_json
from rotator.cli.exits import Exit
from rotator.model.errors import ConfigError


def serve_sandbox(pinata_port: int, aws_port: int, directory: str | None, *, as_json: bool) -> int:
    """Serve a simulated Pinata and Secrets Manager until interrupted."""
    with _installed():
        from rotator.sandbox.running import Sandbox  # noqa: PLC0415 - an extra that may be missing

    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="rotator-sandbox-") as temporary:
        folder = Path(directory or temporary)
        with Sandbox(folder, pinata_port=pinata_port, aws_port=aws_port) as running:
            if as_json:
                print_json(
                    {
                        "pinata_url": running.pinata.url,
                        "aws_endpoint_url": running.secrets_manager.endpoint_url,
                        "admin_jwt": running.admin_jwt,
                        "config": str(running.config_path),
                    }
                )
            else:
                for name, value in running.environment.items():
                    click.echo(f"export {name}={shlex.quote(value)}")
                click.echo("# In another terminal: paste the lines above, then `rotator plan`, `rotator run`.")
                click.echo(f"# Faults and switches: {running.pinata.url}/_sandbox/. Ctrl-C ends it.")
            stop.wait()
    return Exit.OK


def demonstrate() -> int:
    """Rotate a key in simulated systems while a consumer uses it, and once die half-way."""
    with _installed():
        from rotator.sandbox.demo import demo  # noqa: PLC0415 - as above

    return demo()


@contextmanager
def _installed() -> Iterator[None]:
    """Say what to install where the sandbox, which is an extra, is missing.

    Raises:
        ConfigError: it is.
    """
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the sandbox needs {missing.name}, which is not installed",
            next_step='Run `pip install "rotator[sandbox]"` or, in a clone, `pip install ".[sandbox]"`.',
        ) from None
