"""`contain`: a key has leaked. The demand is written down first; then what it names is replaced and revoked."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from rotator.cli.context import chosen, connected, load_config, print_json, said
from rotator.cli.exits import Exit, exit_code, gravest
from rotator.cli.screen import show
from rotator.cli.wording import outcome_row, outcome_text
from rotator.config.file import Config
from rotator.config.values import quoted
from rotator.engine.containment import must_move
from rotator.engine.observer import Reader
from rotator.engine.reconcile import preview, reconcile
from rotator.engine.run import World
from rotator.engine.tagging import set_tag
from rotator.fleet.lookup import Target, look_up
from rotator.model.errors import ConfigError, RotatorError, StoreDeniedError
from rotator.model.events import Done, Event, Operation, Result
from rotator.model.naming import secret_of_key
from rotator.model.observed import AWSCURRENT
from rotator.model.plan import Outcome, OutcomeKind, Untag
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, SecretSpec
from rotator.model.tags import CONTAIN_TAG, Containment, containment_in, is_key_id, untag_command
from rotator.wiring.connect import Connected
from rotator.wiring.output import outlive_output
from rotator.wiring.runs import new_run, startup_deadline


@dataclass(slots=True)
class Account:
    """What happened since the demand, step by step, with its time."""

    tells: bool
    began_s: float = field(default_factory=time.monotonic)
    steps: list[dict[str, object]] = field(default_factory=list)
    dead: set[str] = field(default_factory=set)

    def listen(self, _secret: str, _run_id: str, event: Event) -> None:
        """Keep a call that had its effect, or may have had."""
        if not isinstance(event, Done):
            return
        at_s, key_id = round(time.monotonic() - self.began_s, 1), event.subject.key_id
        self.steps.append({"seconds": at_s, "step": event.operation, "result": event.result, "key_id": key_id or None})
        if event.operation is Operation.PROVE_DEAD and event.result is Result.SUCCESS:
            self.dead.add(key_id)
        if self.tells:
            words = event.operation.done if event.result is Result.SUCCESS else f"{event.operation}: {event.result}"
            about = key_id or event.subject.label
            show([f"  {at_s:6.1f} s  {words}{f' {about}' if about else ''}"])


def contain_keys(
    config_option: str | None, names: Sequence[str], reason: str, key_id: str | None, *, as_json: bool
) -> int:
    """Demand that keys die, and see to it; say what happened when, and how long it took."""
    config = load_config(config_option)
    reason = said(reason)
    key_id = None if key_id is None else _id_in(key_id)
    outlive_output()
    with connected(config) as both:
        specs = chosen(config, names) if names else (_holder(config, both, key_id),)
        found = look_up(specs, both.store, startup_deadline())
        codes = [_tell(Outcome.failed(spec.name, error), None, as_json=as_json) for spec, error in found.lost]
        codes += [_contain(target, both, reason, key_id, as_json=as_json) for target in found.targets]
    return gravest(codes)


def _id_in(text: str) -> str:
    """Return the id of a key as Pinata writes it. Raises ConfigError if it is none."""
    key_id = text.strip().lower()
    if not is_key_id(key_id):
        raise ConfigError(
            f"--key is not the id of a key: {quoted(text)}; nothing was done",
            next_step="An id has 20 hexadecimal digits; `rotator keys` lists them. Never write a token here.",
        )
    return key_id


def _holder(config: Config, both: Connected, key_id: str | None) -> SecretSpec:
    """Return the configured secret that a key was made for. Raises ConfigError if there is none, or no key is named."""
    if key_id is None:
        raise ConfigError("which secret, or which key?", next_step="Write `rotator contain NAME`, or `--key KEY_ID`.")
    listed = both.provider.list_keys(f"{config.pinata.owner}/", frozenset(), startup_deadline())
    name = next((key.name for key in listed if key.key_id == key_id), "")
    made_for = secret_of_key(name)
    rows = both.store.survey(tuple(spec.secret_id for spec in config.secrets), startup_deadline())
    for spec in config.secrets if made_for else ():
        row = rows.get(spec.secret_id)
        if row and made_for and row.arn.endswith(f":secret:{made_for[1]}"):
            return spec
    whose = f"it is named {name}" if name else "no live key whose name is ours has this id"
    raise ConfigError(
        f"key {key_id} was left alone: {whose}, and no configured secret is its own",
        next_step="`rotator keys` says whose it is. Name the secret that holds it, or revoke it in Pinata.",
    )


def _contain(target: Target, both: Connected, reason: str, key_id: str | None, *, as_json: bool) -> Exit:
    account = Account(tells=not as_json)
    with both.audit_trail("cli", account.listen) as audit:
        world, spec = both.world(audit), target.spec
        asked = _asked(target, world, reason, key_id)
        if not as_json:
            show([f"{spec.name}: containing {', '.join(asked.key_ids) or 'the key that is current'}"])
        tagged = set_tag(spec, target.description, world, new_run(spec, Demand.DUE), CONTAIN_TAG, asked.text)
        is_denied = isinstance(tagged.error, StoreDeniedError)
        if tagged.error and not is_denied:
            return _tell(tagged, None, as_json=as_json)
        if is_denied and not as_json:
            show(["  the tag rotator:contain could not be written: only this process knows that the key has leaked"])
        text = asked.text if is_denied else None
        outcome = _reconciled(target, both, world, text)
    if spec.manages and outcome.kind is OutcomeKind.ROTATED:
        # A run never revokes the key that it works with. Connected anew, that is the new one.
        with connected(both.config) as anew, anew.audit_trail("cli", account.listen) as audit:
            outcome = _both(outcome, _reconciled(target, anew, anew.world(audit), text))
    if not is_denied:
        _demand_again(target, both, asked, account)
    return _tell(outcome, (asked, account), as_json=as_json)


def _both(first: Outcome, second: Outcome) -> Outcome:
    """Return what two runs came to together, of which the first one rotated."""
    return replace(first, actions=(*first.actions, *second.actions), error=second.error, observed=second.observed)


def _demand_again(target: Target, both: Connected, asked: Containment, account: Account) -> None:
    """Look once more: where the tag is gone and a key that it named lives, somebody took it off."""
    alive, spec = set(asked.key_ids) - account.dead, target.spec
    if not alive:
        return
    with both.audit_trail("cli", account.listen) as audit:
        world, run = both.world(audit), replace(new_run(spec, Demand.DUE), contain=asked.text)
        try:
            seen = both.store.describe(target.description.arn, run.deadline)
            if seen.contain is None and any(map(preview(spec, seen, world, run)[1].is_live, alive)):
                set_tag(spec, seen, world, run, CONTAIN_TAG, asked.text)
        except RotatorError:
            return  # what stands is not known, and the account says no more


def _reconciled(target: Target, both: Connected, world: World, text: str | None) -> Outcome:
    run = replace(new_run(target.spec, Demand.CONTAINING), contain=text)
    try:
        return reconcile(target.spec, both.store.describe(target.description.arn, run.deadline), world, run)
    except RotatorError as error:
        return Outcome.failed(target.spec.name, error)


def _asked(target: Target, world: World, reason: str, key_id: str | None) -> Containment:
    """Return the demand: what stands already, and the named key or the one in the current value.

    Pinata is not asked: what leaked is in the value, and the demand must be written down before anything can fail. A
    value that cannot be read names none; then the reason alone is written, and the first run names the key.
    """
    standing = target.description.contain
    before = containment_in(standing) if standing is not None else Containment((), "")
    reasons = " ".join(dict.fromkeys(filter(None, (before.reason, reason))))
    key_id = key_id or _current_key_id(target, world)
    return Containment(tuple(dict.fromkeys((*before.key_ids, *((key_id,) if key_id else ())))), reasons)


def _current_key_id(target: Target, world: World) -> str | None:
    spec, arn, deadline = target.spec, target.description.arn, new_run(target.spec, Demand.DUE).deadline
    by_label = {label: version.version_id for version in target.description.versions for label in version.labels}
    try:
        held = Reader(spec, arn, world.store, deadline).credential(by_label.get(AWSCURRENT, ""))
    except RotatorError:
        return None
    return held.key_id if held else None


def _way_on(outcome: Outcome) -> str:
    """Say what lets a demand go on that was not answered."""
    seen = outcome.observed
    if outcome.reason is Reason.ON_HOLD:
        return f", and waits for `rotator release {outcome.secret}`"
    if outcome.error or seen is None or must_move(seen) or outcome.reason is Reason.MANAGING_WAITS:
        return f", and `rotator run {outcome.secret}` goes on"
    return (  # what a run can do was done
        "; no run can answer it. See whose key it is (`rotator keys`), then name the right one with `rotator "
        f"contain`; take the demand back with `{untag_command(seen.description.arn)}`"
    )


def _tell(outcome: Outcome, demand: tuple[Containment, Account] | None, *, as_json: bool) -> Exit:
    """Print what came of a demand. Exit code 0 means that each key that it names is proved dead."""
    asked, account = demand or (Containment((), ""), Account(tells=False))
    seconds = round(time.monotonic() - account.began_s, 1)
    # The tag goes once every key that it names is proved dead; it may name one that was not known when it was written.
    answered = [containment_in(done.text, asked.key_ids) for done in outcome.actions if isinstance(done, Untag)]
    asked = answered[-1] if answered else asked
    is_contained = bool(answered) or (bool(asked.key_ids) and set(asked.key_ids) <= account.dead)
    if as_json:
        row = outcome_row(outcome) | {
            "key_ids": list(asked.key_ids),
            "contained": is_contained,
            "seconds": seconds if is_contained else None,
            "steps": account.steps,
        }
        print_json(row)
    else:
        show(outcome_text(outcome, datetime.now(UTC)).splitlines())
        if is_contained:
            show([f"{outcome.secret}: contained in {seconds:.1f} s: {', '.join(asked.key_ids)} is proved dead"])
        elif demand:
            show([f"{outcome.secret}: NOT contained yet; the demand stands{_way_on(outcome)}"])
    code = exit_code(outcome, Demand.FORCED)
    return code if is_contained or code is not Exit.OK else Exit.PERSON
