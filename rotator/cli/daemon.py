"""`daemon`: watch the fleet until told to stop."""

import os
from contextlib import suppress
from typing import TYPE_CHECKING

import click

from rotator.cli.context import config_path, json_option, period_of, print_json
from rotator.cli.exits import Exit

if TYPE_CHECKING:
    from rotator.model import Outcome


@click.command()
@click.option(
    "--listen",
    metavar="HOST:PORT",
    help="Where probes, metrics and the page are served. [default: `[daemon] listen`]",
)
@click.option(
    "--every",
    metavar="DURATION",
    help="The time between two looks over the fleet. [default: `[daemon] every`]",
)
@json_option
def daemon(listen: str | None, every: str | None, *, as_json: bool) -> int:
    """Look the fleet over every few minutes, and rotate what is due, until told to stop.

    SIGTERM and SIGINT stop where nothing is lost, a second one at once; SIGHUP reloads the configuration.
    """
    from rotator import daemon as watching
    from rotator.config import EVERY_MAX

    path = config_path(click.get_current_context())

    def tell(outcome: "Outcome") -> None:
        with suppress(BrokenPipeError):  # whoever read our lines has gone; the keys must stay young
            _print(outcome, as_json=as_json)

    watching.run(
        path,
        os.environ,
        _address(listen),
        period_of(every, EVERY_MAX) if every is not None else None,
        tell,
    )
    return Exit.OK


def _print(outcome: "Outcome", *, as_json: bool) -> None:
    from rotator.cli.wording import outcome_row, outcome_text
    from rotator.model import OutcomeKind

    if as_json:
        print_json(outcome_row(outcome))
    elif outcome.actions or outcome.kind in {OutcomeKind.FAILED, OutcomeKind.HELD}:
        click.echo(outcome_text(outcome))


def _address(text: str | None) -> tuple[str, int] | None:
    from rotator.config import UnfitError, listen_address, quoted
    from rotator.errors import ConfigError

    if text is None:
        return None
    try:
        return listen_address(text)
    except UnfitError:
        raise ConfigError(
            f"--listen is no address and port: {quoted(text)}",
            next_step="Write it like `127.0.0.1:9118`.",
        ) from None


COMMANDS = {"daemon": daemon}
