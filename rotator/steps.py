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
from datetime import datetime
from enum import Enum
from typing import assert_never

from rotator.errors import EventError
from rotator.model import (
    AWSCURRENT,
    AWSPENDING,
    Action,
    Create,
    Holds,
    Labels,
    NoValue,
    Observed,
    Plan,
    Reason,
    Verify,
    Version,
)
from rotator.planner import begin, due_at, finish, why_stopped
from rotator.retiring import retire
from rotator.spec import Demand, SecretSpec


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


def is_finished(labels: Labels, rotation: Rotation) -> bool:
    """Tell whether nothing remains of a rotation, or else check that it is one.

    Raises:
        EventError: Secrets Manager knows of no such rotation.
    """
    if not labels.rotation_enabled:
        raise EventError(f"{labels.arn} has no rotation enabled; nothing was done")
    on = next((v.labels for v in labels.versions if v.version_id == rotation.token), frozenset())
    if AWSCURRENT in on:  # with AWSPENDING still on it, or without: the documents disagree
        return True
    if AWSPENDING not in on:
        raise EventError(
            f"version {rotation.token} of {labels.arn} is not labelled AWSPENDING; nothing was done"
        )
    return False


def plan_step(  # noqa: PLR0913 - as of `plan`, and which step
    spec: SecretSpec,
    observed: Observed,
    rotation: Rotation,
    *,
    now: datetime,
    minted_as: str,
    demand: Demand,
    done: Sequence[Action],
) -> Plan:
    """Return the actions that remain of a step: none and UP_TO_DATE if it is done, none and why if it is refused.

    Args:
        spec: what is wanted.

        observed: what one run saw of both systems.

        rotation: which step, for which version.

        now: the time of this run, aware.

        minted_as: what the name of a new key would end with; its generation is 1 + the highest seen anywhere.

        demand: what is left of the demand.

        done: the actions of this run so far.
    """
    reason, actions = _remaining(spec, observed, rotation, now, minted_as, demand)
    if rotation.step is Step.TEST and actions and actions[0] in done:
        reason, actions = Reason.UP_TO_DATE, ()  # a proof leaves no trace in what is observed
    return Plan(reason, actions, due_at(spec, observed))


def _remaining(  # noqa: PLR0911, PLR0913, PLR0917 - a list of rules in order, with the arguments of `plan_step`
    spec: SecretSpec,
    observed: Observed,
    rotation: Rotation,
    now: datetime,
    minted_as: str,
    demand: Demand,
) -> tuple[Reason, tuple[Action, ...]]:
    if observed.current is not None and observed.current.version_id == rotation.token:
        return Reason.UP_TO_DATE, ()  # a tick has finished what Secrets Manager began
    pending = observed.pending
    if pending is None or pending.version_id != rotation.token:
        return Reason.SUPERSEDED, ()
    stopped = why_stopped(observed, demand)
    if stopped is not None:
        return stopped, ()
    match rotation.step:
        case Step.CREATE:
            return _create(spec, observed, pending, now, minted_as, demand)
        case Step.SET:
            return Reason.UP_TO_DATE, ()
        case Step.TEST:
            return _test(observed, pending)
        case Step.FINISH:
            reason, actions = finish(spec, observed, pending, now)
            return reason, actions if reason is Reason.INTERRUPTED else ()
        case _:
            assert_never(rotation.step)


def _create(  # noqa: PLR0913, PLR0917 - the arguments of `plan_step`
    spec: SecretSpec,
    observed: Observed,
    pending: Version,
    now: datetime,
    minted_as: str,
    demand: Demand,
) -> tuple[Reason, tuple[Action, ...]]:
    """Decide about the first step. What is stuck, or takes another version, is left to a reconcile."""
    if not isinstance(pending.content, NoValue):
        reason, _ = finish(spec, observed, pending, now)
        return (Reason.UP_TO_DATE if reason is Reason.INTERRUPTED else reason), ()
    replacing = observed.current.version_id if observed.current else None
    create = Create(pending.version_id, replacing, minted_as)
    reason, actions = begin(spec, observed, now, create, demand)
    if reason is Reason.RETIRE_FIRST:
        return reason, retire(spec, observed, now, demand)
    return reason, actions if actions == (create,) else ()


def _test(observed: Observed, pending: Version) -> tuple[Reason, tuple[Action, ...]]:
    """Decide about the third step. Without a value (`RotateImmediately=False`) the current version is tested."""
    tested = observed.current if isinstance(pending.content, NoValue) else pending
    if tested is None:
        return Reason.UP_TO_DATE, ()
    if not isinstance(tested.content, Holds):
        return Reason.SUPERSEDED, ()
    return Reason.INTERRUPTED, (Verify(tested.version_id),)
