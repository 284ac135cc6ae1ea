"""What every command needs first: the configuration, the two systems, and the secrets that were named."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import timedelta
    from pathlib import Path

    from rotator.audit import Source
    from rotator.config import Config
    from rotator.spec import SecretSpec
    from rotator.wiring import Connected


def load_config() -> "Config":
    """Read the configuration that the command line, the environment or the default names.

    Raises:
        ConfigError: it cannot be used.
    """
    from rotator.config import load

    return load(config_path(click.get_current_context()))


def config_path(ctx: click.Context) -> "Path":
    """Return the configuration file that the command line, the environment or the default names."""
    from pathlib import Path

    from rotator.config import find_path

    option = ctx.find_root().params.get("config_path")
    return find_path(Path(option) if option else None, os.environ)


@contextmanager
def connected(config: "Config") -> "Iterator[Connected]":
    """Set logging up and connect both systems for the length of one command."""
    from rotator import logs, wiring

    logs.configure(os.environ, default_level="WARNING")
    with wiring.connect(config, os.environ) as both:
        yield both


def audit_sources(config: "Config") -> "tuple[Source, ...]":
    """Return where the audit trail is read from; only a bucket needs boto3, which takes long to import."""
    from rotator.audit import DirectorySource

    if config.audit.s3 is None and config.audit.directory:
        return (DirectorySource(config.audit.directory),)
    from rotator import logs, wiring

    logs.configure(os.environ, default_level="WARNING")
    return wiring.audit_places(config, os.environ).sources()


def chosen(config: "Config", names: Sequence[str]) -> "tuple[SecretSpec, ...]":
    """Return the entries of these names, or all if none is named.

    Raises:
        ConfigError: a name is not configured.
    """
    from rotator.config import nearest, quoted
    from rotator.errors import ConfigError

    known = {spec.name: spec for spec in config.secrets}
    unknown = [name for name in names if name not in known]
    if unknown:
        problems = (
            f"no secret is configured as {quoted(name)} {nearest(name, known)}" for name in unknown
        )
        raise ConfigError(
            "\n".join(problem.rstrip() for problem in problems),
            next_step=f"Configured are: {', '.join(known)}.",
        )
    return tuple(known[name] for name in dict.fromkeys(names)) if names else config.secrets


def period_of(text: str, most: "timedelta") -> "timedelta":
    """Read `--every`: a duration of a second or more, and no more than `most`.

    Raises:
        ConfigError: it is none.
    """
    from datetime import timedelta

    from rotator.cli.wording import duration_text
    from rotator.config import duration, quoted
    from rotator.errors import ConfigError

    try:
        span = duration(text)
    except ValueError:
        span = timedelta(0)
    if not timedelta(seconds=1) <= span <= most:
        raise ConfigError(
            f"--every is no duration from a second to {duration_text(most)}: {quoted(text)}",
            next_step="Write it like `5m` or `30s`.",
        )
    return span


def print_json(row: Mapping[str, object]) -> None:
    """Print one JSON object on one line."""
    import json

    click.echo(json.dumps(row, ensure_ascii=False))


def complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the configured names that begin like this, for the shell's completion."""
    del param
    from rotator.config import load
    from rotator.errors import ConfigError

    try:
        config = load(config_path(ctx))
    except ConfigError:
        return []
    return [spec.name for spec in config.secrets if spec.name.startswith(incomplete)]


names_argument = click.argument(
    "names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names
)
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object per line."
)
