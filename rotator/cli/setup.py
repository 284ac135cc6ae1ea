"""`init`, `config check` and `completion`: getting started."""

import os
import re
from datetime import UTC, datetime
from pathlib import Path

import click
from click.shell_completion import get_completion_class

from rotator.cli.context import config_path, load_config, print_json
from rotator.cli.exits import Exit
from rotator.config.secret_ids import secret_id
from rotator.config.settings import SECTIONS
from rotator.config.starter import STARTER, starter_text
from rotator.config.values import UnfitError, quoted
from rotator.engine.rollout import tight_limits
from rotator.engine.windows import unmet_policies
from rotator.model.errors import ConfigError, SecretValueError
from rotator.model.payload import shape_of
from rotator.model.secrecy import looks_secret, withheld
from rotator.model.secret import BareJwt, JsonFields
from rotator.wiring.hooks import late_hooks

_WITHOUT_COMPINIT = (
    "    compdef ",
    "    (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }\n    compdef ",
)
"""What click's script for zsh takes for granted, and how it does without."""
_NOT_IN_NAME = re.compile(r"[^A-Za-z0-9._-]")


def write_starter(config_option: str | None, path: str | None, secret: str | None) -> int:
    """Write a commented starter configuration to a file that is not there yet; with the entry of `secret`, if given."""
    target = Path(path) if path else config_path(config_option)
    text = STARTER if secret is None else starter_text(SECTIONS, _entry_of(secret))
    problem = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("x", encoding="utf-8") as file:
            file.write(text)
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


def _entry_of(written: str) -> dict[str, object]:
    """Return what can be said of a secret's entry once its value was looked at.

    Raises ConfigError if the id is none; RotatorError if the value cannot be read, or its token is not found.
    """
    from rotator.wiring.connect import value_of  # noqa: PLC0415 - boto3 takes long to import, and is seldom needed

    again = "Nothing was written. Name the secret again."
    if looks_secret(written):
        raise ConfigError("--secret: this looks like a token or another secret, not like its name", next_step=again)
    try:
        identity = secret_id(written)
    except UnfitError as error:
        reason = str(error) or f"expected the name or the ARN of a secret, found {quoted(written)}"
        raise ConfigError(f"--secret: {reason}", next_step=again) from None
    name = _NOT_IN_NAME.sub("-", identity.rpartition("/")[2].rpartition(":")[2])[-64:]
    entry: dict[str, object] = {"name": name, "secret_id": identity}
    match shape_of(value_of(identity, os.environ)):
        case BareJwt():
            entry["format"] = "jwt"
        case JsonFields() as fields:
            named = {"jwt": fields.jwt, "key": fields.key, "secret": fields.secret}
            entry["fields"] = {part: held for part, held in named.items() if held}
        case None:
            raise SecretValueError(
                f"nothing in the value of {identity} looks like a token of Pinata; no file was written",
                next_step="Run `rotator init` without --secret, and set `fields` by hand.",
            )
    return entry


def check_config(config_option: str | None, *, as_json: bool) -> int:
    """Report every problem of the configuration; call nobody."""
    loaded = load_config(config_option)
    policies = unmet_policies(loaded.secrets, datetime.now(UTC))
    warnings = (*policies, *tight_limits(loaded.secrets), *late_hooks(loaded.secrets, loaded.hooks))
    ceiling = min(loaded.pinata.data_requests_per_minute, loaded.pinata.requests_per_minute)
    if as_json:
        names = [spec.name for spec in loaded.secrets]
        row = {"config": str(loaded.path), "secrets": names, "looks_per_minute": ceiling, "warnings": list(warnings)}
        print_json(row)
        return Exit.OK
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    count = len(loaded.secrets)
    click.echo(f"{loaded.path}: {count} secret{'s' if count != 1 else ''}, no problems")
    # A look lists keys once, and asks testAuthentication once for a token and at most once more for a pair.
    minutes = -(-count // ceiling)
    click.echo(
        f"Each close look spends a request to Pinata's /data and one beside it: at most {ceiling} looks a minute, "
        f"so a look at every secret takes {'a minute' if minutes == 1 else f'{minutes:,} minutes'} at most"
    )
    return Exit.OK


def print_completion(command: click.Command, shell: str) -> int:
    """Print a shell's completion script."""
    completer = get_completion_class(shell)
    if completer is None:
        raise ConfigError(f"there is no completion for {shell}")
    source = completer(command, {}, "rotator", "_ROTATOR_COMPLETE").source()
    click.echo(source.replace(*_WITHOUT_COMPINIT) if shell == "zsh" else source)
    return Exit.OK
