"""What every command needs first: the configuration, the two systems, and the secrets that were named."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rotator.config.file import Config, find_path, load
from rotator.config.values import duration, nearest, quoted
from rotator.model.errors import ConfigError
from rotator.model.naming import ids_of, place_of
from rotator.model.secret import SecretSpec
from rotator.model.times import setting_text

if TYPE_CHECKING:
    from rotator.wiring.connect import Connected


_NAMES_SHOWN_MAX = 20


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
    """Return the entries that these names, secret ids or patterns such as `prod-*` fit, or all if there is none.

    Raises ConfigError if one of them fits nothing.
    """
    if not names:
        return config.secrets
    fitting = {name: [spec for spec in config.secrets if _fits(name, spec)] for name in names}
    unknown = [name for name, specs in fitting.items() if not specs]
    if unknown:
        known = [spec.name for spec in config.secrets]
        problems = (f"no secret is configured as {quoted(name)}; {nearest(name, known)}" for name in unknown)
        more = f" and {len(known) - _NAMES_SHOWN_MAX:,} more" if len(known) > _NAMES_SHOWN_MAX else ""
        raise ConfigError(
            "\n".join(problem.rstrip("; ") for problem in problems),
            next_step=f"Configured are: {', '.join(known[:_NAMES_SHOWN_MAX])}{more}.",
        )
    return tuple({spec.name: spec for specs in fitting.values() for spec in specs}.values())


def _fits(name: str, spec: SecretSpec) -> bool:
    """Tell whether a name, a secret id or a pattern means an entry, whichever form of its id is in the file."""
    ids = ids_of(spec.secret_id) if place_of(spec.secret_id) else {spec.secret_id}
    asked = ids_of(name) if place_of(name) else {name}
    return not ids.isdisjoint(asked) or any(fnmatchcase(known, name) for known in (spec.name, *ids))


def names_like(option: str | None, incomplete: str) -> list[str]:
    """Return the configured names that begin like this, for the shell's completion."""
    try:
        config = load_config(option)
    except ConfigError:
        return []
    return [spec.name for spec in config.secrets if spec.name.startswith(incomplete)]


def said(reason: str) -> str:
    """Return a reason that a person gave. Raises ConfigError if it says nothing."""
    if not reason.strip():
        raise ConfigError("--reason is empty; nothing was done", next_step="Say why: it is kept in the audit trail.")
    return reason.strip()


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


def json_text(row: Mapping[str, object]) -> str:
    """Return a JSON object as one line."""
    return json.dumps(row, ensure_ascii=False)


def print_json(row: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    click.echo(json_text(row))
