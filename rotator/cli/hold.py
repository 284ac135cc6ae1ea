"""`hold`, `release` and `rollback`: what a person decides about a secret, as a tag that every trigger obeys."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

from rotator.cli.context import chosen, connected, load_config, print_json, said
from rotator.cli.exits import Exit, exit_code, exit_code_of, gravest
from rotator.cli.screen import show
from rotator.cli.wording import outcome_row, outcome_text
from rotator.config.values import duration
from rotator.engine.rollback import check_previous
from rotator.engine.rollback import roll_back as rolled_back
from rotator.engine.run import Run, World
from rotator.engine.tagging import set_tag
from rotator.fleet.lookup import Target, look_up
from rotator.model.errors import ConfigError, RotatorError
from rotator.model.observed import SecretDescription
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.model.tags import HOLD_TAG, hold_ends_at, hold_text, tag_value
from rotator.model.times import time_from, time_text
from rotator.wiring.output import outlive_output
from rotator.wiring.runs import new_run, startup_deadline


def hold_secrets(
    config_option: str | None, names: Sequence[str], reason: str, until: str | None, *, as_json: bool
) -> int:
    """Put secrets on hold; a hold that is there already gets the new reason."""
    reason, ends_at = said(reason), _moment(until) if until else None
    if hold_ends_at(tag_value(reason)) is not None:
        raise ConfigError(
            "--reason ends with `until=` and a time, which would end the hold; nothing was done",
            next_step="Give the time as --until, or write the reason in another way.",
        )
    value = hold_text(reason, ends_at)
    end = f", until {time_text(ends_at)}" if ends_at else ", until `rotator release`"

    def told(target: Target) -> str:
        return f"{target.spec.name}: on hold{end}: nothing is made, promoted or revoked meanwhile"

    return _tagged(config_option, names, lambda _: value, told, as_json=as_json)


def release_secrets(config_option: str | None, names: Sequence[str], *, as_json: bool) -> int:
    """Take holds off."""

    def told(target: Target) -> str:
        was = target.description.hold
        return f"{target.spec.name}: " + ("was not on hold" if was is None else f"released; it was on hold: {was}")

    return _tagged(config_option, names, lambda _: None, told, as_json=as_json)


def _moment(text: str) -> datetime:
    """Read when a hold ends: a time, or how long from now. Raises ConfigError if it is neither, or is past."""
    now = datetime.now(UTC)
    try:
        moment = now + duration(text)
    except ValueError:
        try:
            moment = time_from(text)
        except ValueError:
            moment = now
    if moment <= now + timedelta(seconds=1):
        raise ConfigError(
            f"--until is not a time to come: {text!r}", next_step="Write it like `2026-11-27T08:00Z`, or `24h`."
        )
    return moment


def _tagged(
    config_option: str | None,
    names: Sequence[str],
    value_of: Callable[[Target], str | None],
    told: Callable[[Target], str],
    *,
    as_json: bool,
) -> int:
    config = load_config(config_option)
    specs, codes = chosen(config, names), list[Exit]()
    outlive_output()
    with connected(config) as both, both.audit_trail("cli") as audit:
        found = look_up(specs, both.store, startup_deadline())
        for spec, error in found.lost:
            codes.append(_tell(Outcome.failed(spec.name, error), "", None, as_json=as_json))
        for target in found.targets:
            value = value_of(target)
            outcome = Outcome(target.spec.name, "", OutcomeKind.UP_TO_DATE)
            if target.description.hold != value:
                run = new_run(target.spec, Demand.DUE)
                outcome = set_tag(target.spec, target.description, both.world(audit), run, HOLD_TAG, value)
            codes.append(_tell(outcome, told(target), value, as_json=as_json))
    return gravest(codes)


def _tell(outcome: Outcome, said: str, hold: str | None, *, as_json: bool) -> Exit:
    error = outcome.error
    if as_json:
        problem = f"{error.message.rstrip('.')}. {error.next_step}" if error else None
        print_json({"secret": outcome.secret, "hold": hold, "error": problem, "run_id": outcome.run_id})
    elif error:
        show([f"{outcome.secret}: {type(error).__name__}: {error.message}", f"  {error.next_step}"])
    else:
        show([said])
    return exit_code_of(error) if error else Exit.OK


def _rolled_back(spec: SecretSpec, description: SecretDescription, world: World, run: Run, reason: str) -> Outcome:
    try:
        check_previous(spec, description, world, run)
    except RotatorError as error:
        return Outcome.failed(spec.name, error)
    held = set_tag(spec, description, world, run, HOLD_TAG, hold_text(reason, None))
    return held if held.error else rolled_back(spec, world.store.describe(description.arn, run.deadline), world, run)


def roll_back(config_option: str | None, name: str, reason: str, *, as_json: bool) -> int:
    """Hold one secret, and make its previous key current once more, if that key works."""
    config, reason = load_config(config_option), said(reason)
    specs = chosen(config, (name,))
    if len(specs) != 1:
        raise ConfigError(f"{name!r} fits {len(specs)} secrets", next_step="Roll back one secret at a time.")
    (spec,) = specs
    outlive_output()
    with connected(config) as both, both.audit_trail("cli") as audit:
        world, run = both.world(audit), new_run(spec, Demand.DUE)
        outcome = _rolled_back(spec, both.store.describe(spec.secret_id, run.deadline), world, run, reason)
    code = exit_code(outcome, Demand.FORCED)
    if as_json:
        print_json(outcome_row(outcome))
        return code
    show(outcome_text(outcome, datetime.now(UTC)).splitlines())
    if outcome.error is None:
        show([f"{spec.name} is on hold. When what broke is repaired: `rotator release {spec.name}`."])
    return code
