"""The command line itself: how its commands are listed, found, and given the configuration.

Imports stand inside the callbacks, so that `--help` and completion start without boto3 and httpx.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import click

from rotator import __version__

Command = Callable[..., Any]


def _keep_config(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
    """Take `--config` behind a command's name for the one before it."""
    if value is not None:
        ctx.find_root().params["config_path"] = value


def complete_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the configured names that begin like this."""
    from rotator.cli.context import names_like

    return names_like(_config(ctx), incomplete)


def complete_codes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    """Return the reasons, errors and exit codes that begin like this."""
    from rotator.cli.explain import explanations

    return [code for code in explanations() if code.lower().startswith(incomplete.lower())]


def _config(ctx: click.Context) -> str | None:
    """Return `--config`, if it was given."""
    given: str | None = ctx.find_root().params.get("config_path")
    return given


def takes_config(command: Command) -> Command:
    """Hand `--config` to a command as its first argument, whether it stands before or behind the command's name."""

    @wraps(command)
    def called(**given: object) -> int:
        return int(command(_config(click.get_current_context()), **given))

    option = click.option("--config", "config_path", hidden=True, expose_value=False, callback=_keep_config)
    return option(called)


class _Group(click.Group):
    """A group that shows its help if no command is given, whole sentences, and the nearest name to a mistyped one."""

    group_class = type
    """Groups within are of the same kind."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a rotation's life, not of the alphabet."""
        del ctx
        return list(self.commands)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the first sentence of each command's help, where click would cut it to what is left of the line."""
        del ctx
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, (command.help or "").partition("\n")[0]) for name, command in self.commands.items()]
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse arguments; without any, show the help."""
        return super().parse_args(ctx, args or ["--help"])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names. Raises UsageError, with the nearest name, if none is."""
        if args and args[0] not in self.commands and not args[0].startswith("-") and not ctx.resilient_parsing:
            from rotator.config.values import nearest, quoted

            near = nearest(args[0], self.commands)
            ctx.fail(f"there is no command {quoted(args[0])}{'; ' if near else ''}{near}")
        return super().resolve_command(ctx, args)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
"""A NAME is a configured name, a secret id, or a pattern such as `prod-*`."""
required_names = click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_names)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `rotator demo`, then `rotator init`. Exit codes: 0 as desired, 1 failed and will be "
    "retried, 2 usage or configuration, 3 a person must act, 4 the audit trail cannot be written; "
    "`rotator explain 3` says more.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False),
    help="The configuration file. [default: $ROTATOR_CONFIG, else config/rotator.toml]",
)
@click.version_option(__version__, "-V", "--version", prog_name="rotator")
@click.pass_context
def rotator(ctx: click.Context, config_path: str | None) -> None:
    """Rotate Pinata API keys in AWS Secrets Manager without breaking their consumers."""
    from rotator.wiring.process import close_up, release_signals

    del config_path  # commands take it from the context
    if ctx.invoked_subcommand != "daemon":  # it has a thread that waits for them
        release_signals()
    close_up()
