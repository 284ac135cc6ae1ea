"""`init`, `config check` and `completion`: getting started."""

from datetime import UTC, datetime
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from rotator.cli.context import config_path, load_config, print_json
from rotator.cli.exits import Exit
from rotator.config.starter import STARTER
from rotator.engine.windows import unmet_policies
from rotator.model.errors import ConfigError
from rotator.model.secrecy import withheld


def write_starter(config_option: str | None, path: str | None) -> int:
    """Write a commented starter configuration to a file that is not there yet."""
    target = Path(path) if path else config_path(config_option)
    problem = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(STARTER)
        target.chmod(0o644)
    except FileExistsError:
        problem = "it is there already, and was left as it is"
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise ConfigError(f"{target} was not written: {problem}", next_step="Name another file.")
    click.echo(f"Wrote {withheld(str(target))}. Fill in the secrets, then:\n")
    option = f" --config {withheld(str(target))}" if path or config_option else ""
    click.echo(f"  rotator config check{option}\n  rotator plan{option}")
    return Exit.OK


def check_config(config_option: str | None, *, as_json: bool) -> int:
    """Report every problem of the configuration; call nobody."""
    loaded = load_config(config_option)
    warnings = unmet_policies(loaded.secrets, datetime.now(UTC))
    if as_json:
        names = [spec.name for spec in loaded.secrets]
        print_json({"config": str(loaded.path), "secrets": names, "warnings": list(warnings)})
        return Exit.OK
    for warning in warnings:
        click.echo(f"warning: {warning}", err=True)
    count = len(loaded.secrets)
    click.echo(f"{loaded.path}: {count} secret{'s' if count != 1 else ''}, no problems")
    return Exit.OK


def print_completion(command: click.Command, shell: str) -> int:
    """Print a shell's completion script."""
    completer = get_completion_class(shell)
    if completer is None:
        raise ConfigError(f"there is no completion for {shell}")
    click.echo(completer(command, {}, "rotator", "_ROTATOR_COMPLETE").source())
    return Exit.OK
