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


class _InOrder(click.Group):
    """A group that lists its commands as they stand here, not by the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names in the order of a rotation's life."""
        del ctx
        return list(self.commands)


json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object per line.")
names_argument = click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_complete_names)
"""A NAME is a configured name, a secret id, or a pattern such as `prod-*`."""


@click.group(
    cls=_InOrder,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `rotator demo`, then `rotator init`. Exit codes: 0 as desired, 1 failed and will be "
    "retried, 2 usage or configuration, 3 a person must act, 4 the audit trail cannot be written.",
)
@click.option(
    "--config",
    "config_path",
    type=click.Path(dir_okay=False),
    help="The configuration file. [default: $ROTATOR_CONFIG, else config/rotator.toml]",
)
@click.version_option(__version__, prog_name="rotator")
@click.pass_context
def rotator(ctx: click.Context, config_path: str | None) -> None:
    """Keep Pinata API keys young, in AWS Secrets Manager, with a trail that shows every step."""
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
    """Show what `run` would do, why, and which keys die later; change nothing."""
    from rotator.cli.plan import show_plan

    return show_plan(config, names, as_json=as_json)


@rotator.command()
@names_argument
@json_option
@click.option(
    "--every",
    metavar="DURATION",
    help="How often cron starts this command, such as 5m: secrets that are not due are then looked up at "
    "the provider in their own slot of `check_every`, not at every start.",
)
@click.option("--dry-run", is_flag=True, help="Show the plan, as `rotator plan` does; change nothing.")
@takes_config
def run(config: str | None, names: tuple[str, ...], every: str | None, *, dry_run: bool, as_json: bool) -> int:
    """Rotate what is due, finish what was interrupted, retire what is superseded."""
    if dry_run:
        from rotator.cli.plan import show_plan

        return show_plan(config, names, as_json=as_json)
    from rotator.cli.run import run_due

    return run_due(config, names, every, as_json=as_json)


@rotator.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=_complete_names)
@click.option("--replace-value", is_flag=True, help="Also replace a value that holds no credential of rotator's.")
@click.option("--wait", is_flag=True, help="Wait for the grace, and end when the old key is dead.")
@json_option
@takes_config
def rotate(config: str | None, names: tuple[str, ...], *, replace_value: bool, wait: bool, as_json: bool) -> int:
    """Rotate now, due or not. Lifts DRIFTED and ROLLED_BACK, never a hold."""
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
    """Say whether all is well, then show every secret: age, next rotation, old keys, and what to do.

    Of more than 20 secrets, both systems are asked only about those whose labels and trail do not tell that all is
    well, and about those you name. The first line counts the others apart.
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
    """Tell the life of one secret from the audit trail, one line per generation; as JSON, the events behind it."""
    from rotator.cli.audit import show_history

    return show_history(config, name, everything=everything, as_json=as_json)


@rotator.group()
def audit() -> None:
    """Read and check the audit trail."""


@audit.command("show")
@click.option("--secret", help="Only this secret, by its configured name.", shell_complete=_complete_names)
@click.option("--key", "key_id", help="Only events about this key id.")
@click.option("--run", "run_id", help="Only this run.")
@click.option("--since", metavar="TIME", help="From this time (2026-11-22, 2026-11-22T09:53Z) or age (24h) on.")
@click.option("--until", metavar="TIME", help="Until this time or age.")
@json_option
@takes_config
def audit_show(config: str | None, *, as_json: bool, **filters: str | None) -> int:
    """Print events, oldest first."""
    from rotator.cli.audit import show_events

    return show_events(config, filters, as_json=as_json)


@audit.command("verify")
@json_option
@takes_config
def audit_verify(config: str | None, *, as_json: bool) -> int:
    """Check every event: unaltered, complete, in order. 3 if not; 1 if a run was cut short, or there is no event."""
    from rotator.cli.audit import verify_trail

    return verify_trail(config, as_json=as_json)


@rotator.command()
@click.option(
    "--listen", metavar="HOST:PORT", help="Where probes, metrics and the page are served. [default: `[daemon] listen`]"
)
@click.option(
    "--every", metavar="DURATION", help="The time between two looks over the fleet. [default: `[daemon] every`]"
)
@json_option
@takes_config
def daemon(config: str | None, listen: str | None, every: str | None, *, as_json: bool) -> int:
    """Look the fleet over every few minutes, and rotate what is due, until told to stop.

    SIGTERM and SIGINT stop where nothing is lost, a second one at once; SIGHUP reloads the configuration.
    """
    from rotator.cli.daemon import run_daemon

    return run_daemon(config, listen, every, as_json=as_json)


@rotator.group()
def config() -> None:
    """Work on the configuration file."""


@config.command("check")
@json_option
@takes_config
def config_check(config: str | None, *, as_json: bool) -> int:
    """Report every problem of the configuration; call nobody."""
    from rotator.cli.setup import check_config

    return check_config(config, as_json=as_json)


@rotator.command()
@click.argument("path", required=False, type=click.Path(dir_okay=False))
@click.option(
    "--secret",
    metavar="SECRET_ID",
    help="Look at the value of this secret, and write its entry with the fields that hold its key.",
)
@takes_config
def init(config: str | None, path: str | None, secret: str | None) -> int:
    """Write a commented starter configuration, to config/rotator.toml or PATH."""
    from rotator.cli.setup import write_starter

    return write_starter(config, path, secret)


@rotator.command()
@click.option("--pinata-port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option("--aws-port", type=click.IntRange(0, 65535), default=0, help="[default: a free one]")
@click.option(
    "--directory",
    type=click.Path(file_okay=False, exists=True),
    help="Where to write the configuration and the audit trail. [default: a temporary folder]",
)
@json_option
def sandbox(pinata_port: int, aws_port: int, directory: str | None, *, as_json: bool) -> int:
    """Serve a simulated Pinata and Secrets Manager until interrupted, for this very command line.

    Paste the printed lines into another terminal; there, `rotator plan`, `rotator run` and the aws command work.
    """
    from rotator.cli.sandbox import serve_sandbox

    return serve_sandbox(pinata_port, aws_port, directory, as_json=as_json)


@rotator.command()
def demo() -> int:
    """Rotate a key in simulated systems while a consumer uses it, and once die half-way."""
    from rotator.cli.sandbox import demonstrate

    return demonstrate()


@rotator.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> int:
    """Print a shell's completion script, such as `eval "$(rotator completion bash)"`."""
    from rotator.cli.setup import print_completion

    return print_completion(ctx.find_root().command, shell)
