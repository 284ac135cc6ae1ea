"""`sandbox`: both systems, simulated, until interrupted."""

import shlex
import signal
from typing import TYPE_CHECKING

import click

from rotator.cli.context import json_option, print_json
from rotator.cli.exits import Exit
from rotator.errors import ConfigError

if TYPE_CHECKING:
    from rotator.sandbox.running import Sandbox


def load_sandbox() -> "type[Sandbox]":
    """Import the sandbox, which is an extra.

    Raises:
        ConfigError: it is not installed.
    """
    try:
        from rotator.sandbox.running import Sandbox
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the sandbox needs {missing.name}, which is not installed",
            next_step='Run `pip install "rotator[sandbox]"` or, in a clone, `pip install ".[sandbox]"`.',
        ) from None
    return Sandbox


@click.command()
@click.option(
    "--pinata-port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]"
)
@click.option("--aws-port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, exists=True),
    help="Where to write the configuration and the audit trail. [default: a temporary folder]",
)
@json_option
def sandbox(pinata_port: int, aws_port: int, directory: str | None, *, as_json: bool) -> int:
    """Serve a simulated Pinata and Secrets Manager until interrupted, for this very command line.

    Paste the printed lines into another terminal; there, `rotator plan`, `rotator run` and the aws command work.
    """
    import tempfile
    import threading
    from pathlib import Path

    sandbox_type = load_sandbox()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with tempfile.TemporaryDirectory(prefix="rotator-sandbox-") as temporary:
        folder = Path(directory or temporary)
        with sandbox_type(folder, pinata_port=pinata_port, aws_port=aws_port) as running:
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
                click.echo(
                    "# In another terminal: paste the lines above, then `rotator plan`, `rotator run`."
                )
                click.echo(
                    f"# Faults and switches: {running.pinata.url}/_sandbox/. Ctrl-C ends it."
                )
            stop.wait()
    return Exit.OK


COMMANDS = {"sandbox": sandbox}
