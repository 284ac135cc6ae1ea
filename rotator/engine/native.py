"""What remains to be done in one step of Secrets Manager's own rotation: a pure function, like the planner.

Secrets Manager makes a version, labels it AWSPENDING, and invokes a function for each of four steps; it repeats the
whole rotation when one fails (user guide, "Rotation by Lambda function"). So each step here is level-triggered, too: it
looks at the version, does what is missing, and does nothing where nothing is. The rules are the planner's.

    createSecret    a key, put into the version
    setSecret       nothing: making a key at Pinata is what sets it
    testSecret      the key inside the version is proved
    finishSecret    proved again, for nothing says that it was, and promoted

Revocation is none of them. A function that returns early because the version is current already would never repeat
it; it is derived from state, by any reconcile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from rotator.engine.age import due_at
from rotator.engine.attempts import back_off_of
from rotator.engine.conditions import Decision, Situation
from rotator.engine.retirement import retire
from rotator.engine.rules import STOPPED, begin, decide, first
from rotator.model.errors import EventError
from rotator.model.observed import AWSCURRENT, AWSPENDING, HasKey, NoValue, Observed, SecretDescription, Version
from rotator.model.plan import Action, Plan, Verify
from rotator.model.reasons import Reason


class Step(Enum):
    """The four steps, by the names that Secrets Manager sends."""

    CREATE = "createSecret"
    SET = "setSecret"
    TEST = "testSecret"
    FINISH = "finishSecret"


@dataclass(frozen=True, slots=True)
class Rotation:
    """One step of one rotation."""

    step: Step
    token: str
    """ClientRequestToken: the id of the version that is to become current."""


def is_finished(description: SecretDescription, rotation: Rotation) -> bool:
    """Tell whether nothing remains of a rotation, or else check that it is one.

    Raises EventError if Secrets Manager knows of no such rotation.
    """
    if not description.rotation_enabled:
        raise EventError(f"{description.arn} has no rotation enabled; nothing was done")
    on = next((v.labels for v in description.versions if v.version_id == rotation.token), frozenset())
    if AWSCURRENT in on:  # with AWSPENDING still on it, or without: the documents disagree
        return True
    if AWSPENDING not in on:
        raise EventError(f"version {rotation.token} of {description.arn} is not labelled AWSPENDING; nothing was done")
    return False


def plan_step(situation: Situation, rotation: Rotation, done: Sequence[Action]) -> Plan:
    """Return the actions that remain of a step: none and UP_TO_DATE if it is done, none and why if it is refused.

    `situation.create` fills the version that Secrets Manager made; `done` are the actions of this run so far.
    """
    reason, actions = _remaining(situation, rotation)
    if rotation.step is Step.TEST and actions and actions[0] in done:
        reason, actions = Reason.UP_TO_DATE, ()  # a proof leaves no trace in what is observed
    spec, observed = situation.spec, situation.observed
    back_off = back_off_of(spec, observed, situation.now) if reason is Reason.BACKING_OFF else None
    return Plan(reason, actions, due_at(spec, observed), back_off)


def _remaining(s: Situation, rotation: Rotation) -> Decision:  # noqa: PLR0911 - a list of rules in order, one return each
    current, pending = s.observed.current, s.observed.pending
    if current is not None and current.version_id == rotation.token:
        return Reason.UP_TO_DATE, ()  # a tick has finished what Secrets Manager began
    if pending is None or pending.version_id != rotation.token:
        return Reason.SUPERSEDED, ()
    stopped = first(STOPPED, s)
    if stopped is not None:
        return stopped[0], ()  # which key a typed tag means, a tick writes down
    match rotation.step:
        case Step.CREATE:
            return _create(s, pending)
        case Step.SET:
            return Reason.UP_TO_DATE, ()
        case Step.TEST:
            return _test(s.observed, pending)
        case Step.FINISH:
            reason, actions = decide(s)
            return reason, actions if reason is Reason.INTERRUPTED else ()
        case _:
            assert_never(rotation.step)


def _create(s: Situation, pending: Version) -> Decision:
    """Decide about the first step. What is stuck, or takes another version, is left to a reconcile."""
    if not isinstance(pending.content, NoValue):
        reason, _ = decide(s)
        return (Reason.UP_TO_DATE if reason is Reason.INTERRUPTED else reason), ()
    reason, actions = begin(s)
    if reason is Reason.RETIRE_FIRST:
        return reason, retire(s.spec, s.observed, s.now)
    return reason, actions if actions == (s.create,) else ()


def _test(observed: Observed, pending: Version) -> Decision:
    """Decide about the third step. Without a value (`RotateImmediately=False`) the current version is tested."""
    tested = observed.current if isinstance(pending.content, NoValue) else pending
    if tested is None:
        return Reason.UP_TO_DATE, ()
    if not isinstance(tested.content, HasKey):
        return Reason.SUPERSEDED, ()
    return Reason.INTERRUPTED, (Verify(tested.version_id),)
