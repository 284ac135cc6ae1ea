"""Every command of the command line: its arguments, its options, its help, and the one module that does it.

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


def _complete_names(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    from rotator.cli.context import names_like

    return names_like(_config(ctx), incomplete)


def _complete_codes(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
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
names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete_names)
"""A NAME is a configured name, a secret id, or a pattern such as `prod-*`."""


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


@rotator.command()
@names_argument
@json_option
@takes_config
def plan(config: str | None, names: tuple[str, ...], *, as_json: bool) -> int:
    """Show what `run` would do, why, and which keys die later.

    It cannot know whether PutSecretValue, UpdateSecretVersionStage and making and revoking keys are allowed.
    """
    from rotator.cli.plan import show_plan

    return show_plan(config, names, as_json=as_json)


@rotator.command()
@names_argument
@json_option
@click.option(
    "--every",
    metavar="DURATION",
    help="How often cron starts this command, such as 5m. Pinata is then asked about a secret that is not due "
    "once per `check_every` instead of at every start.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan, as `rotator plan` does; change nothing.")
@takes_config
def run(config: str | None, names: tuple[str, ...], every: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Rotate what is due, finish what was cut short, revoke old keys."""
    if dry_run:
        from rotator.cli.plan import show_plan

        return show_plan(config, names, as_json=as_json)
    from rotator.cli.run import run_due

    return run_due(config, names, every, as_json=as_json)


@rotator.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete_names)
@click.option("--replace-value", is_flag=True, help="Also replace a value that holds no Pinata credential.")
@click.option("--wait", is_flag=True, help="Wait for the grace, and end when the old key is dead.")
@json_option
@takes_config
def rotate(config: str | None, names: tuple[str, ...], *, replace_value: bool, wait: bool, as_json: bool) -> int:
    """Rotate the named secrets now, due or not.

    This resolves DRIFTED and ROLLED_BACK; it never overrides a hold.
    """
    from rotator.cli.run import rotate_now

    return rotate_now(config, names, replace_value=replace_value, wait=wait, as_json=as_json)


@rotator.command()
@names_argument
@json_option
@click.option("--deep", is_flag=True, help="Ask both systems about every secret, however many there are.")
@click.option("--watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@click.option("--every", metavar="DURATION", default="5s", show_default=True, help="With --watch: how often.")
@takes_config
def status(  # noqa: PLR0913 - one argument per option
    config: str | None, names: tuple[str, ...], every: str, *, as_json: bool, watch: bool, deep: bool
) -> int:
    """Show where every secret stands and what needs a person.

    Over 20 secrets, Pinata is asked only about named and doubtful ones, and a terminal only counts the fine ones.
    """
    from rotator.cli.status import show_status, watch_status

    if watch:
        return watch_status(config, names, every, as_json=as_json)
    return show_status(config, names, as_json=as_json, deep=deep)


@rotator.command()
@click.argument("name", shell_complete=_complete_names)
@click.option("--all", "everything", is_flag=True, help="Every event instead, also of runs that found nothing to do.")
@json_option
@takes_config
def history(config: str | None, name: str, *, everything: bool, as_json: bool) -> int:
    """Tell the life of one secret, one line per generation."""
    from rotator.cli.audit import show_history

    return show_history(config, name, everything=everything, as_json=as_json)


@rotator.command()
@click.argument("code", required=False, shell_complete=_complete_codes)
@json_option
def explain(code: str | None, *, as_json: bool) -> int:
    """Explain a reason, an error or an exit code: DRIFTED, 3."""
    from rotator.cli.explain import explain as explain_code

    return explain_code(code, as_json=as_json)


@rotator.group()
def audit() -> None:
    """Read and check the audit trail."""


@audit.command("show")
@click.option("--secret", help="Show only this secret, by its configured name.", shell_complete=_complete_names)
@click.option("--key", "key_id", help="Show only events about this key id.")
@click.option("--run", "run_id", help="Show only this run.")
@click.option(
    "--since", metavar="TIME", help="Show events from this time (2026-11-22, 2026-11-22T09:53Z) or age (24h) on."
)
@click.option("--until", metavar="TIME", help="Show events until this time or age.")
@json_option
@takes_config
def audit_show(config: str | None, *, as_json: bool, **filters: str | None) -> int:
    """Print the events of the audit trail, oldest first."""
    from rotator.cli.audit import show_events

    return show_events(config, filters, as_json=as_json)


@audit.command("verify")
@json_option
@takes_config
def audit_verify(config: str | None, *, as_json: bool) -> int:
    """Check that every event is unaltered, complete and in order.

    Ends with 3 if one is not, and with 1 if a run was cut short or there is no event.
    """
    from rotator.cli.audit import verify_trail

    return verify_trail(config, as_json=as_json)


@rotator.command()
@click.option(
    "--listen", metavar="HOST:PORT", help="Where to serve probes, metrics and the page. [default: `[daemon] listen`]"
)
@click.option("--every", metavar="DURATION", help="How often to check every secret. [default: `[daemon] every`]")
@json_option
@takes_config
def daemon(config: str | None, listen: str | None, every: str | None, *, as_json: bool) -> int:
    """Run continuously: check every secret, rotate those that are due.

    SIGTERM and SIGINT stop it where nothing is lost, a second one at once. SIGHUP reloads the configuration.
    """
    from rotator.cli.daemon import run_daemon

    return run_daemon(config, listen, every, as_json=as_json)


@rotator.group()
def config() -> None:
    """Check the configuration file."""


@config.command("check")
@json_option
@takes_config
def config_check(config: str | None, *, as_json: bool) -> int:
    """Report every problem of the configuration at once, without any call."""
    from rotator.cli.setup import check_config

    return check_config(config, as_json=as_json)


@rotator.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False))
@click.option(
    "--secret",
    metavar="SECRET_ID",
    help="Look at this secret's value, and write its entry with the fields that hold the key.",
)
@takes_config
def init(config: str | None, path: str | None, secret: str | None) -> int:
    """Write a commented starter configuration.

    It goes to PATH, or to config/rotator.toml.
    """
    from rotator.cli.setup import write_starter

    return write_starter(config, path, secret)


@rotator.command()
@click.option(
    "--pinata-port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the simulated Pinata listens. [default: a free one]",
)
@click.option(
    "--aws-port",
    type=click.IntRange(0, 65535),
    default=0,
    help="Where the simulated AWS listens. [default: a free one]",
)
@click.option(
    "--directory",
    type=click.Path(file_okay=False, exists=True),
    help="Where to write the configuration and the audit trail. [default: a temporary folder]",
)
@json_option
def sandbox(pinata_port: int, aws_port: int, directory: str | None, *, as_json: bool) -> int:
    """Serve a simulated Pinata and Secrets Manager until Ctrl-C.

    Paste the printed lines into another terminal; there, `rotator plan`, `rotator run` and the aws command work.
    """
    from rotator.cli.sandbox import serve_sandbox

    return serve_sandbox(pinata_port, aws_port, directory, as_json=as_json)


@rotator.command()
def demo() -> int:
    """Rotate a key in simulated systems, in use, with a crash.

    A consumer reads the secret and uses the key all the time, and one rotation is killed half-way.
    """
    from rotator.cli.sandbox import demonstrate

    return demonstrate()


@rotator.command(
    epilog="""\b
    bash: echo 'eval "$(rotator completion bash)"' >> ~/.bashrc
    zsh:  echo 'eval "$(rotator completion zsh)"' >> ~/.zshrc
    fish: rotator completion fish > ~/.config/fish/completions/rotator.fish
    """
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print a completion script for your shell."""
    from rotator.cli.setup import print_completion

    return print_completion(ctx.find_root().command, shell)
