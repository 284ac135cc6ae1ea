"""The commands around a rotation: looking at everything, explaining, setting up, trying out."""

import click

from rotator.cli.commands import rotator
from rotator.cli.group import complete_codes, complete_names, json_option, names_argument, takes_config

__all__ = ["rotator"]


@rotator.command()
@click.option(
    "--owner",
    "owners",
    multiple=True,
    type=click.Choice(["secret", "managing", "orphan", "installation", "other"]),
    help="Show only keys of these owners.",
)
@click.option(
    "--secret",
    "names",
    multiple=True,
    metavar="NAME",
    help="Show only keys that were made for this secret, or that it holds.",
    shell_complete=complete_names,
)
@click.option("--alive/--dead", default=None, help="Show live keys only, or revoked ones, too. JSON has both.")
@json_option
@takes_config
def keys(
    config: str | None, owners: tuple[str, ...], names: tuple[str, ...], *, alive: bool | None, as_json: bool
) -> int:
    """Show every key of the Pinata account: whose it is, and where."""
    from rotator.cli.keys import show_keys

    return show_keys(config, owners, names, alive=alive, as_json=as_json)


@rotator.command()
@names_argument
@click.option("--mint", is_flag=True, help="Also make a key and revoke it at once.")
@json_option
@takes_config
def doctor(config: str | None, names: tuple[str, ...], *, mint: bool, as_json: bool) -> int:
    """Prove what a rotation needs before one is made; change nothing.

    Each finding says what was seen, why it matters and what to type. Ends with 3 if there is a fault, with 1 if a check
    could not be made; advice counts as nothing.
    """
    from rotator.cli.doctor import examine

    return examine(config, names, mint=mint, as_json=as_json)


@rotator.command()
@click.argument("code", required=False, shell_complete=complete_codes)
@json_option
def explain(code: str | None, *, as_json: bool) -> int:
    """Explain a reason, an error or an exit code: DRIFTED, 3."""
    from rotator.cli.explain import explain as explain_code

    return explain_code(code, as_json=as_json)


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
