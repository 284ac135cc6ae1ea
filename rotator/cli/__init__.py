"""The command line: parse, call, print, exit code. It decides nothing.

Commands import what they need when they run, so that `--help` and completion start without boto3 and httpx.

Exit codes: 0 all as desired; 1 something failed, the next run retries; 2 usage or configuration; 3 a person must
act; 4 the audit trail cannot be written. Of many, the gravest: 4, 2, 3, 1, 0.
"""

import importlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rotator import __version__
from rotator.cli.exits import Exit, exit_code_of
from rotator.errors import RotatorError

if TYPE_CHECKING:
    from types import TracebackType

_COMMANDS = {
    "plan": "rotation",
    "run": "rotation",
    "rotate": "rotation",
    "status": "status",
    "history": "trail",
    "audit": "trail",
    "daemon": "daemon",
    "config": "setup",
    "init": "setup",
    "sandbox": "sandbox",
    "demo": "demo",
    "completion": "setup",
}


class _Commands(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a rotation's life."""
        del ctx
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one command."""
        del ctx
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"rotator.cli.{_COMMANDS[cmd_name]}")
        command: click.Command = module.COMMANDS[cmd_name]
        _take_config(command)
        return command


def _take_config(command: click.Command) -> None:
    """Let a command take `--config` behind its name, too."""
    for inner in command.commands.values() if isinstance(command, click.Group) else ():
        _take_config(inner)
    if not any(parameter.name == "config_path" for parameter in command.params):
        command.params.append(
            click.Option(
                ["--config", "config_path"],
                type=click.Path(dir_okay=False),
                hidden=True,
                expose_value=False,
                callback=_keep_config,
            )
        )


def _keep_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    del param
    if value is not None:
        ctx.find_root().params["config_path"] = value


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `rotator demo`, then `rotator init`. Exit codes: 0 as desired, 1 failed and will be "
    "retried, 2 usage or configuration, 3 a person must act, 4 the audit trail cannot be written.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False),
    help="The configuration file. [default: $ROTATOR_CONFIG, else config/rotator.toml]",
)
@click.version_option(__version__, prog_name="rotator")
def rotator(config_path: str | None) -> None:
    """Keep Pinata API keys young, in AWS Secrets Manager, with a trail that shows every step."""
    del config_path  # commands that need a configuration take it from the context
    from rotator.process import forbid_dumps

    forbid_dumps()


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.excepthook = _tell_defect
    # Being told to stop is like Ctrl-C: say so, leave the rest to the next run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(args))


def _tell_defect(
    kind: type[BaseException], error: BaseException, trace: "TracebackType | None"
) -> None:
    """Tell where a defect is, without its message: that may quote a value."""
    import traceback

    del error
    click.echo("error: a defect of rotator itself; please report these lines", err=True)
    for frame in traceback.extract_tb(trace):
        click.echo(f"  {frame.filename}:{frame.lineno} in {frame.name}", err=True)
    click.echo(f"  {kind.__name__}", err=True)


def _tell_usage(error: click.ClickException) -> None:
    """Tell what is wrong with the arguments, without a token that was pasted among them."""
    from rotator.config import TOKEN

    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help'.\n", err=True)
    click.echo(f"Error: {TOKEN.sub('<a token>', error.format_message())}", err=True)


def _error_row(error: RotatorError) -> str:
    """Return what a program reads where the rows it asked for cannot be given."""
    import json

    row = {
        "secret": None,
        "outcome": "failed",
        "error": error.message,
        "next_step": error.next_step,
    }
    return json.dumps(row, ensure_ascii=False)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    try:
        code = rotator.main(args, prog_name="rotator", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; the next run finishes what remains", err=True)
        return Exit.FAILED
    except click.ClickException as error:
        _tell_usage(error)
        return Exit.USAGE
    except RotatorError as error:
        click.echo(f"error: {error.message}\n{error.next_step}", err=True)
        if "--json" in (sys.argv[1:] if args is None else args):
            click.echo(_error_row(error))
        return exit_code_of(error)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    return code if isinstance(code, int) else Exit.OK
