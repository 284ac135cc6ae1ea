"""`init`, `config check` and `completion`: getting started."""

import click

from rotator.cli.context import config_path, json_option, load_config, print_json
from rotator.cli.exits import Exit
from rotator.errors import ConfigError


@click.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False))
def init(path: str | None) -> int:
    """Write a commented starter configuration, to config/rotator.toml or PATH."""
    from pathlib import Path

    from rotator.config import STARTER

    target = Path(path) if path else config_path(click.get_current_context())
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
    click.echo(f"Wrote {target}. Fill in the secrets, then:\n")
    named = path or click.get_current_context().find_root().params.get("config_path")
    option = f" --config {target}" if named else ""
    click.echo(f"  rotator config check{option}\n  rotator plan{option}")
    return Exit.OK


@click.group()
def config() -> None:
    """Work on the configuration file."""


@config.command()
@json_option
def check(*, as_json: bool) -> int:
    """Report every problem of the configuration; call nobody."""
    from datetime import UTC, datetime

    from rotator.openings import unmet_policies

    loaded = load_config()
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


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> int:
    """Print a shell's completion script, such as `eval "$(rotator completion bash)"`."""
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root()
    completer = get_completion_class(shell)
    if completer is None:
        raise ConfigError(f"there is no completion for {shell}")
    click.echo(completer(root.command, {}, "rotator", "_ROTATOR_COMPLETE").source())
    return Exit.OK


COMMANDS = {"init": init, "config": config, "completion": completion}
