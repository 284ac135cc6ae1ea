"""The command line: parse, call, print, exit code. It decides nothing.

    commands    every command: its arguments, options and help
    exits       exit codes
    context     what commands need first: the configuration and the secrets that were named
    wording     plans and outcomes in words, and as JSON
    progress    what a person at a terminal sees while a run is at work
    plan, run, status, audit, daemon, setup, sandbox, demo    what commands do

`commands` imports a command's module when the command is run, so that `--help` and completion start without boto3
and httpx.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rotator.cli.commands import rotator
from rotator.cli.exits import Exit, exit_code_of
from rotator.model.errors import RotatorError
from rotator.model.secrecy import withheld

if TYPE_CHECKING:
    from types import TracebackType


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    sys.excepthook = _tell_defect
    # Being told to stop is like Ctrl-C: say so, leave the rest to the next run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(run(args))


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
        click.echo(withheld(f"error: {error.message}\n{error.next_step}"), err=True)
        if "--json" in (sys.argv[1:] if args is None else args):
            click.echo(_error_row(error))
        return exit_code_of(error)
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.FAILED
    return code if isinstance(code, int) else Exit.OK


def _tell_defect(kind: type[BaseException], _error: BaseException, trace: "TracebackType | None") -> None:
    """Tell where a defect is, without its message: that may quote a value."""
    click.echo("error: a defect of rotator itself; please report these lines", err=True)
    for frame in traceback.extract_tb(trace):
        click.echo(f"  {frame.filename}:{frame.lineno} in {frame.name}", err=True)
    click.echo(f"  {kind.__name__}", err=True)


def _tell_usage(error: click.ClickException) -> None:
    """Tell what is wrong with the arguments, without a secret that was pasted among them."""
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"{error.ctx.get_usage()}\nTry '{error.ctx.command_path} --help'.\n", err=True)
    click.echo(f"Error: {withheld(error.format_message())}", err=True)


def _error_row(error: RotatorError) -> str:
    """Return what a program reads where the rows it asked for cannot be given."""
    row = {
        "secret": None,
        "outcome": "failed",
        "error": withheld(error.message),
        "next_step": withheld(error.next_step),
    }
    return json.dumps(row, ensure_ascii=False)
