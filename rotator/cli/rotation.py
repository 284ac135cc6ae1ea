"""`plan`, `run` and `rotate`: what would be done, and doing it."""

import sys
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from rotator.cli.context import (
    chosen,
    complete_names,
    connected,
    json_option,
    load_config,
    names_argument,
    print_json,
)
from rotator.cli.exits import Exit, exit_code, exit_code_of, gravest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rotator.config import Config
    from rotator.errors import RotatorError
    from rotator.events import Event
    from rotator.model import Outcome
    from rotator.narrator import Listener
    from rotator.spec import Demand, SecretSpec


@click.command()
@names_argument
@json_option
def plan(names: tuple[str, ...], *, as_json: bool) -> int:
    """Show what `run` would do, and why; change nothing."""
    from rotator import wiring
    from rotator.cli.wording import action_text, time_text
    from rotator.errors import RotatorError
    from rotator.fleet import resolve
    from rotator.planner import NEEDS_PERSON
    from rotator.reasons import WHY
    from rotator.reconcile import preview
    from rotator.spec import Demand

    config = load_config()
    codes = []
    with connected(config) as both, both.audit_trail("cli") as audit:
        world = both.world(audit)  # planning records nothing, so the trail is never opened
        found = resolve(chosen(config, names), both.store, wiring.startup_deadline())
        for spec, error in found.lost:
            codes.append(exit_code_of(error))
            _report_failure(spec.name, error, as_json=as_json)
        for target in found.targets:
            spec = target.spec
            try:
                planned, _ = preview(spec, target.labels, world, wiring.new_run(spec, Demand.DUE))
            except RotatorError as error:
                codes.append(exit_code_of(error))
                _report_failure(spec.name, error, as_json=as_json)
                continue
            codes.append(Exit.PERSON if planned.reason in NEEDS_PERSON else Exit.OK)
            due = time_text(planned.due_at) if planned.due_at else None
            if as_json:
                actions = [type(action).__name__ for action in planned.actions]
                print_json(
                    {
                        "secret": spec.name,
                        "reason": planned.reason,
                        "actions": actions,
                        "due_at": due,
                    }
                )
                continue
            click.echo(
                f"{spec.name}: {planned.reason}, {WHY[planned.reason]}"
                + (f" (due {due})" if due else "")
            )
            for number, action in enumerate(planned.actions, 1):
                click.echo(f"  {number}. {action_text(action)}")
    return gravest(codes)


def _report_failure(secret: str, error: "RotatorError", *, as_json: bool) -> None:
    if as_json:
        print_json(
            {
                "secret": secret,
                "reason": None,
                "actions": [],
                "due_at": None,
                "error": error.message,
            }
        )
    else:
        click.echo(f"{secret}: {error.message}\n  {error.next_step}")


@click.command()
@names_argument
@json_option
@click.option(
    "--every",
    metavar="DURATION",
    help="How often cron starts this command, such as 5m: secrets that are not due are then looked up at "
    "the provider in their own slot of `check_every`, not at every start.",
)
def run(names: tuple[str, ...], *, as_json: bool, every: str | None) -> int:
    """Rotate what is due, finish what was interrupted, retire what is superseded."""
    from rotator.spec import Demand

    config = load_config()
    return _reconcile(config, chosen(config, names), Demand.DUE, every, as_json=as_json)


@click.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete_names)
@json_option
def rotate(names: tuple[str, ...], *, as_json: bool) -> int:
    """Rotate now, due or not. Lifts DRIFTED and ROLLED_BACK, never a hold."""
    from rotator.spec import Demand

    config = load_config()
    return _reconcile(config, chosen(config, names), Demand.FORCED, None, as_json=as_json)


def _reconcile(
    config: "Config",
    specs: "Sequence[SecretSpec]",
    demand: "Demand",
    every: str | None,
    *,
    as_json: bool,
) -> int:
    from rotator import wiring
    from rotator.fleet import failed, is_asleep, resolve, run_all
    from rotator.narrator import NarratedAudit

    now = datetime.now(UTC)
    since = now - _duration(every) if every else None
    codes = []
    with connected(config) as both, both.audit_trail("cli") as audit:
        found = resolve(specs, both.store, wiring.startup_deadline())
        targets = found.targets
        awake = [t for t in targets if since is None or not is_asleep(t, now=now, since=since)]
        with _watched(len(awake), as_json=as_json) as (listener, tell):
            for spec, error in found.lost:
                codes.append(exit_code_of(error))
                tell(failed(spec, error))
            world = both.world(NarratedAudit(audit, listener))
            for outcome in run_all(awake, world, lambda spec: wiring.new_run(spec, demand)):
                codes.append(exit_code(outcome, demand))
                tell(outcome)
        if every and not as_json:
            click.echo(
                f"{len(targets) - len(awake)} of {len(targets)} secrets needed no closer look"
            )
    return gravest(codes)


def _duration(text: str) -> timedelta:
    from rotator.config import duration, quoted
    from rotator.errors import ConfigError

    try:
        return duration(text)
    except ValueError:
        raise ConfigError(
            f"--every is no duration: {quoted(text)}", next_step="Write it like `5m` or `1h`."
        ) from None


@contextmanager
def _watched(
    count: int, *, as_json: bool
) -> "Iterator[tuple[Listener, Callable[[Outcome], None]]]":
    """Yield what listens to events and what tells outcomes, as fits the place where we print.

    A person at a terminal sees a line per action for one secret, and a bar for many.
    """
    from rotator.cli.progress import ActionLines, Bar
    from rotator.cli.wording import outcome_row, outcome_text
    from rotator.logs import log_event

    def tell(outcome: "Outcome") -> None:
        if as_json:
            print_json(outcome_row(outcome))
        else:
            click.echo(outcome_text(outcome))

    if as_json or not sys.stderr.isatty():
        yield log_event, tell
        return
    progress: ActionLines | Bar = ActionLines()
    if count > 1:
        progress = Bar(count)
    with progress:

        def listen(secret: str, run_id: str, event: "Event") -> None:
            log_event(secret, run_id, event)
            progress.listen(secret, event)

        def tell_and_advance(outcome: "Outcome") -> None:
            progress.advance()
            tell(outcome)

        yield listen, tell_and_advance


COMMANDS = {"plan": plan, "run": run, "rotate": rotate}
