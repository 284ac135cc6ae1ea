"""The commands of a rotation: their arguments, options and help, and the one module that does each.

Imports stand inside the callbacks, so that `--help` and completion start without boto3 and httpx.
"""

import click

from rotator.cli.group import complete_names, json_option, names_argument, required_names, rotator, takes_config

__all__ = ["rotator"]


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
@required_names
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
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=complete_names)
@click.option("--reason", required=True, help="What happened; it is kept in the tag and in the audit trail.")
@click.option("--key", "key_id", metavar="KEY_ID", help="The key that leaked. [default: the current one]")
@json_option
@takes_config
def contain(config: str | None, names: tuple[str, ...], reason: str, key_id: str | None, *, as_json: bool) -> int:
    """Replace a leaked key and revoke it at once, without grace.

    The demand is the tag `rotator:contain` on the secret, so whatever interrupts this command, the next run goes on.
    """
    from rotator.cli.contain import contain_keys

    return contain_keys(config, names, reason, key_id, as_json=as_json)


@rotator.command()
@required_names
@click.option("--reason", required=True, help="Why; it is shown wherever the secret is.")
@click.option("--until", metavar="TIME", help="When the hold ends by itself: 2026-11-27T08:00Z, or 24h from now.")
@json_option
@takes_config
def hold(config: str | None, names: tuple[str, ...], reason: str, until: str | None, *, as_json: bool) -> int:
    """Stop every rotation and revocation of the named secrets."""
    from rotator.cli.hold import hold_secrets

    return hold_secrets(config, names, reason, until, as_json=as_json)


@rotator.command()
@required_names
@json_option
@takes_config
def release(config: str | None, names: tuple[str, ...], *, as_json: bool) -> int:
    """End the hold on the named secrets."""
    from rotator.cli.hold import release_secrets

    return release_secrets(config, names, as_json=as_json)


@rotator.command()
@click.argument("name", shell_complete=complete_names)
@click.option("--reason", default="rolled back", show_default=True, help="Why; the secret is held with it afterwards.")
@json_option
@takes_config
def rollback(config: str | None, name: str, reason: str, *, as_json: bool) -> int:
    """Put the previous key back, and hold the secret.

    The previous value becomes a new version, if Pinata still accepts its key.
    """
    from rotator.cli.hold import roll_back

    return roll_back(config, name, reason, as_json=as_json)


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
@click.argument("name", shell_complete=complete_names)
@click.option("--all", "everything", is_flag=True, help="Every event instead, also of runs that found nothing to do.")
@json_option
@takes_config
def history(config: str | None, name: str, *, everything: bool, as_json: bool) -> int:
    """Tell the life of one secret, one line per generation."""
    from rotator.cli.audit import show_history

    return show_history(config, name, everything=everything, as_json=as_json)


@rotator.group()
def hooks() -> None:
    """Try the programs that are told what has become of a key."""


@hooks.command("test")
@click.argument("name", shell_complete=complete_names)
@json_option
@takes_config
def hooks_test(config: str | None, name: str, *, as_json: bool) -> int:
    """Start each hook with events that are marked as tests.

    No secret is read, and nothing is rotated.
    """
    from rotator.cli.hooks import try_hooks

    return try_hooks(config, name, as_json=as_json)


@rotator.group()
def audit() -> None:
    """Read and check the audit trail, and make the key that signs it."""


@audit.command("show")
@click.option("--secret", help="Show only this secret, by its configured name.", shell_complete=complete_names)
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
@click.option("--since", metavar="TIME", help="Let runs be missing that ended before a time or age: you moved them.")
@click.option("--expect", metavar="HEAD", multiple=True, help="Demand a head that was printed before; repeatable.")
@click.option("--against-aws", is_flag=True, help="Demand what the tags, versions and live keys show now.")
@json_option
@takes_config
def audit_verify(
    config: str | None, since: str | None, expect: tuple[str, ...], *, against_aws: bool, as_json: bool
) -> int:
    """Check that no event is altered and no run is missing.

    Ends with 3 if not, and with 1 if a run was cut short or is not sealed, or if there is no event.
    """
    from rotator.cli.verification import verify_trail

    return verify_trail(config, since, expect, against_aws=against_aws, as_json=as_json)


@audit.command("keygen")
@click.argument("path", type=click.Path())
@json_option
def audit_keygen(path: str, *, as_json: bool) -> int:
    """Make a key that signs the audit trail.

    The private key goes to PATH, a file that is not there yet. What belongs into `[audit]` is printed.
    """
    from rotator.cli.keygen import make_signing_key

    return make_signing_key(path, as_json=as_json)


@rotator.command()
@click.option(
    "--from", "since", required=True, metavar="DATE", help="The start: 2026-01-01, or 2026-01-01T09:53Z, in UTC."
)
@click.option("--to", "until", required=True, metavar="DATE", help="The end, which is not included.")
@click.option("--html", metavar="FILE", help="Also write a page to be printed; a file that is there is replaced.")
@takes_config
def report(config: str | None, since: str, until: str, html: str | None) -> int:
    """Print the evidence of a period for an auditor, as JSON.

    It has each secret's keys, rotations, exceptions, holds and containments, from the audit trail alone, and what
    `audit verify` says of that trail. The exit code is that of `audit verify`; the report is made all the same.
    """
    from rotator.cli.report import make_report

    return make_report(config, since, until, html)


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
