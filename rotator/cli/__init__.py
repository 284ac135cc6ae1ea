"""The command line: parse, call, print, exit code. It decides nothing.

    group, commands, surroundings    the command line, the commands of a rotation, and those around it
    exits       exit codes
    context     what commands need first: the configuration and the secrets that were named
    wording     plans and outcomes in words, and as JSON
    explain     what reasons, exit codes and errors mean
    progress    what a person at a terminal sees while a run is at work
    screen      the terminal: its width, its colours, folded lines
    fleet_screen, recap, life    what `status`, `run` and `history` show
    watcher     what `status` knows of the fleet, refresh by refresh
    plan, run, contain, hold, status, keys, doctor, audit, report, daemon, setup, sandbox    what commands do

`commands` imports a command's module when the command is run, so that `--help` and completion start without boto3
and httpx.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from rotator.cli.exits import Exit, exit_code_of
from rotator.cli.surroundings import rotator
from rotator.model.errors import ConfigError, DefectError, RotatorError
from rotator.model.secrecy import withheld
from rotator.wiring.output import OutputLostError, guarded_streams
from rotator.wiring.process import hold_signals

if TYPE_CHECKING:
    from types import TracebackType


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and end the process with its exit code."""
    hold_signals()
    sys.excepthook = _tell_defect
    # Being told to stop is like Ctrl-C: say so, leave the rest to the next run.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = run(args)
    except KeyboardInterrupt:  # a second one, while the first was told
        code = Exit.FAILED
    if sys.flags.inspect:  # else Python would ask for commands now, in a process that may hold secrets
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run(args: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    as_json = "--json" in (sys.argv[1:] if args is None else args)
    try:
        with guarded_streams(as_json=as_json):
            return _run(args, as_json=as_json)
    except OutputLostError as lost:
        if not lost.reader_left:
            click.echo(f"Error: {lost}", err=True)
        return Exit.FAILED


def _run(args: Sequence[str] | None, *, as_json: bool) -> int:
    try:
        code = rotator.main(args, prog_name="rotator", standalone_mode=False)
    except click.exceptions.Abort:
        click.echo("interrupted; the next run finishes what remains", err=True)
        return Exit.FAILED
    except click.ClickException as error:
        _tell_usage(error)
        return Exit.USAGE
    except RotatorError as error:
        return _tell_error(error, as_json=as_json)
    except OutputLostError:
        raise
    except Exception as defect:  # noqa: BLE001 - its message may quote a value, so it is told by its lines alone
        return _tell_error(DefectError.of(defect), as_json=as_json)
    return code if isinstance(code, int) else Exit.OK


def _tell_error(error: RotatorError, *, as_json: bool) -> Exit:
    code = type(error).__name__
    more = "" if type(error) is ConfigError else f"\n`rotator explain {code}` says more."
    click.echo(withheld(f"Error: {error.message}\n{error.next_step}{more}"), err=True)
    if as_json:
        click.echo(_error_row(error))
    return exit_code_of(error)


def _tell_defect(_kind: type[BaseException], error: BaseException, _trace: "TracebackType | None") -> None:
    """Tell where a defect is that nothing else has caught, without its message: that may quote a value."""
    click.echo(f"Error: {DefectError.of(error).message}\n{DefectError.default_step}", err=True)


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
        "code": type(error).__name__,
        "error": withheld(error.message),
        "next_step": withheld(error.next_step),
    }
    return json.dumps(row, ensure_ascii=False)
