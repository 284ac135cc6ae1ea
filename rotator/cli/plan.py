"""`plan`: what `run` would do, and why."""

from collections.abc import Sequence

import click

from rotator.cli.context import chosen, connected, load_config, print_json
from rotator.cli.exits import Exit, exit_code_of, gravest
from rotator.cli.wording import action_text, back_off_text, holders_text
from rotator.engine.reconcile import preview
from rotator.fleet.lookup import resolve
from rotator.model.errors import RotatorError
from rotator.model.plan import Plan
from rotator.model.secret import Demand
from rotator.model.times import time_text
from rotator.wiring.runs import new_run, startup_deadline


def show_plan(config_option: str | None, names: Sequence[str], *, as_json: bool) -> int:
    """Print the plan of each secret; change nothing."""
    config = load_config(config_option)
    codes = []
    with connected(config) as both, both.audit_trail("cli") as audit:
        world = both.world(audit)  # planning records nothing, so the trail is never opened
        found = resolve(chosen(config, names), both.store, startup_deadline())
        for spec, error in found.lost:
            codes.append(exit_code_of(error))
            _print_failure(spec.name, error, as_json=as_json)
        for target in found.targets:
            spec = target.spec
            try:
                planned, observed = preview(spec, target.description, world, new_run(spec, Demand.DUE))
            except RotatorError as error:
                codes.append(exit_code_of(error))
                _print_failure(spec.name, error, as_json=as_json)
            else:
                codes.append(Exit.PERSON if planned.reason.needs_person else Exit.OK)
                _print_plan(spec.name, planned, as_json=as_json)
                if not as_json and (warning := holders_text(planned, observed)):
                    click.echo(f"  {warning}")
    return gravest(codes)


def _print_plan(secret: str, planned: Plan, *, as_json: bool) -> None:
    due = time_text(planned.due_at) if planned.due_at else None
    if as_json:
        actions = [action.name for action in planned.actions]
        print_json({"secret": secret, "reason": planned.reason, "actions": actions, "due_at": due})
        return
    reason = planned.reason
    told = f"{secret}: {reason}, {reason.clause}{back_off_text(planned.back_off)}"
    click.echo(told + (f" (due {due})" if due else ""))
    for number, action in enumerate(planned.actions, 1):
        click.echo(f"  {number}. {action_text(action)}")


def _print_failure(secret: str, error: RotatorError, *, as_json: bool) -> None:
    if not as_json:
        click.echo(f"{secret}: {error.message}\n  {error.next_step}")
        return
    row: dict[str, object] = {"secret": secret, "reason": None, "actions": [], "due_at": None, "error": error.message}
    print_json(row)
