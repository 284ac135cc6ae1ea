"""`daemon`: watch the fleet until told to stop."""

import os
from datetime import UTC, datetime

import click

from rotator import daemon
from rotator.cli.context import config_path, period_of, print_json
from rotator.cli.exits import Exit
from rotator.cli.wording import outcome_row, outcome_text
from rotator.config.settings import EVERY_MAX
from rotator.config.values import UnfitError, listen_address, quoted
from rotator.model.errors import ConfigError
from rotator.model.plan import Outcome, OutcomeKind
from rotator.wiring.output import outlive_output


def run_daemon(config_option: str | None, listen: str | None, every: str | None, *, as_json: bool) -> int:
    """Watch the fleet until told to stop."""
    outlive_output()
    daemon.run(
        config_path(config_option),
        os.environ,
        _address(listen),
        period_of(every, EVERY_MAX) if every is not None else None,
        lambda outcome: _print(outcome, as_json=as_json),
    )
    return Exit.OK


def _print(outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        print_json(outcome_row(outcome))
    elif outcome.actions or outcome.kind in {OutcomeKind.FAILED, OutcomeKind.HELD}:
        click.echo(outcome_text(outcome, datetime.now(UTC)))


def _address(text: str | None) -> tuple[str, int] | None:
    if text is None:
        return None
    try:
        return listen_address(text)
    except UnfitError:
        raise ConfigError(
            f"--listen is not an address and port: {quoted(text)}", next_step="Write it like `127.0.0.1:9118`."
        ) from None
