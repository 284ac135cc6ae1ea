"""What every command needs first: the configuration, the two systems, and the secrets that were named."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rotator.config.file import Config, find_path, load
from rotator.config.values import duration, nearest, quoted
from rotator.model.errors import ConfigError
from rotator.model.secret import SecretSpec
from rotator.model.times import setting_text

if TYPE_CHECKING:
    from rotator.wiring.connect import Connected


def config_path(option: str | None) -> Path:
    """Return the configuration file that `--config`, the environment or the default names."""
    return find_path(Path(option) if option else None, os.environ)


def load_config(option: str | None) -> Config:
    """Read the configuration that `--config`, the environment or the default names.

    Raises ConfigError if it cannot be used.
    """
    return load(config_path(option))


@contextmanager
def connected(config: Config) -> "Iterator[Connected]":
    """Set logging up and connect both systems for the length of one command."""
    from rotator.wiring import environment, logs  # noqa: PLC0415 - boto3 takes long to import, and `config check` needs none
    from rotator.wiring.connect import clients  # noqa: PLC0415 - as above

    env = dict(os.environ)
    logs.configure(env, default_level="WARNING")
    environment.check(env, logs.log_foreign_trust)
    with clients(config, env).connected() as both:
        yield both


def chosen(config: Config, names: Sequence[str]) -> tuple[SecretSpec, ...]:
    """Return the entries of these names, or all if none is named. Raises ConfigError if a name is not configured."""
    known = {spec.name: spec for spec in config.secrets}
    unknown = [name for name in names if name not in known]
    if unknown:
        problems = (f"no secret is configured as {quoted(name)} {nearest(name, known)}" for name in unknown)
        raise ConfigError(
            "\n".join(problem.rstrip() for problem in problems), next_step=f"Configured are: {', '.join(known)}."
        )
    return tuple(known[name] for name in dict.fromkeys(names)) if names else config.secrets


def names_like(option: str | None, incomplete: str) -> list[str]:
    """Return the configured names that begin like this, for the shell's completion."""
    try:
        config = load_config(option)
    except ConfigError:
        return []
    return [spec.name for spec in config.secrets if spec.name.startswith(incomplete)]


def period_of(text: str, most: timedelta) -> timedelta:
    """Read `--every`: a duration of a second or more, and no more than `most`. Raises ConfigError if it is none."""
    try:
        span = duration(text)
    except ValueError:
        span = timedelta(0)
    if not timedelta(seconds=1) <= span <= most:
        raise ConfigError(
            f"--every is not a duration from a second to {setting_text(most)}: {quoted(text)}",
            next_step="Write it like `5m` or `30s`.",
        )
    return span


def print_json(row: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(json.dumps(row, ensure_ascii=False))
