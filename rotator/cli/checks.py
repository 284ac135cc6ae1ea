"""The commands that look at everything and change nothing: `keys` and `doctor`."""

import click

from rotator.cli.commands import _complete_names, json_option, names_argument, rotator, takes_config


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
    shell_complete=_complete_names,
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
