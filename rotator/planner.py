"""What remains to be done for one secret, and why: a pure function of what is wanted, what is seen, and the time.

The planner asks two questions, in order, and the second only when the first has nothing to do:

1. Must the secret move forward? A list of rules, first match wins; each answer is a `Reason`.
2. May a superseded key be retired? Every key that the fencing rule allows: `retiring`.

No I/O, no clock, no randomness: what a rule needs is an argument. There is no workflow state either; an interrupted
rotation is a state of the two systems like any other, and the rules name it.
"""

from datetime import datetime, timedelta
from typing import assert_never

from rotator.model import (
    OURS,
    Action,
    Create,
    Discard,
    Holds,
    KeyState,
    NoValue,
    Observed,
    Plan,
    Promote,
    Reason,
    Restamp,
    Unread,
    Unusable,
    Verify,
    Version,
)
from rotator.retiring import (
    is_crowded,
    keys_above_current,
    retire,
    superseded_keys,
    why_waiting,
)
from rotator.spec import Demand, SecretSpec
from rotator.spread import rotate_after
from rotator.windows import is_open

EXPIRY_MARGIN_MAX = timedelta(days=7)
"""A token is replaced this long before its `exp`, or in the last quarter of its life if that is shorter."""
NEARLY_USED_UP_TENTHS = 8

NEEDS_PERSON = frozenset(
    {
        Reason.ON_HOLD,
        Reason.DRIFTED,
        Reason.ROLLED_BACK,
        Reason.TOO_MANY_KEYS,
        Reason.REPLICA_STUCK,
    }
)
"""Reasons that do not go away by themselves."""
_RETIRE_NOTHING = frozenset({Reason.ON_HOLD, Reason.DRIFTED, Reason.ROLLED_BACK})
WAITS_FOR_REPLICA = frozenset({Reason.REPLICA_BEHIND, Reason.REPLICA_STUCK})
"""Reasons why a superseded key outlives its grace."""
_NOT_DUE = frozenset({Reason.UP_TO_DATE, Reason.OUTSIDE_WINDOW})
_NOBODY_FORCES = frozenset({Demand.DUE, Demand.NATIVE, Demand.CONTAINING})
_AT_ONCE = frozenset({Demand.FORCED, Demand.NATIVE})
_URGENT = frozenset({Reason.NO_CURRENT, Reason.KEY_REVOKED, Reason.COMPROMISED})
"""Consumers have no good key: nothing is gained by waiting for a window, a grace or room."""


def plan(
    spec: SecretSpec,
    observed: Observed,
    *,
    now: datetime,
    new_version_id: str,
    demand: Demand = Demand.DUE,
) -> Plan:
    """Return the actions that remain.

    Args:
        spec: what is wanted.

        observed: what one run saw of both systems.

        now: the time of this run, aware.

        new_version_id: the id that a new version would get; its generation is 1 + the highest seen anywhere.

        demand: what a person asked for.
    """
    reason, actions = _forward(spec, observed, now, new_version_id, demand)
    if not actions and reason not in _RETIRE_NOTHING:
        actions = retire(spec, observed, now, demand)
        waiting = why_waiting(spec, observed, now, demand)
        if reason in _NOT_DUE and waiting in WAITS_FOR_REPLICA:
            reason = waiting  # else nobody would hear of it
    return Plan(reason, actions, due_at(spec, observed))


def _forward(
    spec: SecretSpec, observed: Observed, now: datetime, new_version_id: str, demand: Demand
) -> tuple[Reason, tuple[Action, ...]]:
    """Answer the first question."""
    stopped = why_stopped(observed, demand)
    if stopped is not None:
        return stopped, ()
    if observed.pending is not None:  # somebody, perhaps an earlier run, has begun
        return finish(spec, observed, observed.pending, now)
    replacing = observed.current.version_id if observed.current else None
    create = Create(new_version_id, replacing, minted_as=new_version_id)
    reason, actions = begin(spec, observed, now, create, demand)
    if actions == (create,):
        actions = (create, Verify(new_version_id), Promote(new_version_id, replacing))
    return reason, actions


def why_stopped(observed: Observed, demand: Demand) -> Reason | None:
    """Say what a person has done that is for a person to undo; None if nothing."""
    if observed.labels.hold is not None:  # a person said stop; nobody overrules that
        return Reason.ON_HOLD
    if demand in _NOBODY_FORCES:
        if _is_drifted(observed):  # a person put another key in; ask before replacing it
            return Reason.DRIFTED
        if _is_rolled_back(observed):  # a person moved the label back; ask before moving it on
            return Reason.ROLLED_BACK
    return None


def begin(
    spec: SecretSpec, observed: Observed, now: datetime, create: Create, demand: Demand
) -> tuple[Reason, tuple[Action, ...]]:
    """Decide about a secret in which nothing is pending: `create`, make room first, or nothing."""
    due, replacing = _why_due(spec, observed, now, demand), create.replacing
    if due is None:
        return Reason.UP_TO_DATE, ()
    if due not in _URGENT:
        if demand in _NOBODY_FORCES and not is_open(spec, now):
            return Reason.OUTSIDE_WINDOW, ()
        # A rotation inside another one's grace would expose the key before.
        if superseded_keys(observed) or is_crowded(observed):
            return why_waiting(spec, observed, now, demand) or Reason.RETIRE_FIRST, ()
        if len(observed.live_keys()) >= spec.live_keys_max:
            if replacing is not None and keys_above_current(
                observed
            ):  # orphans: put the current key above them
                return Reason.FENCING, (
                    Restamp(create.version_id, replacing),
                    Promote(create.version_id, replacing),
                )
            return Reason.TOO_MANY_KEYS, ()
    return due, (create,)


def _is_drifted(observed: Observed) -> bool:
    """Tell whether the secret was ours, and now holds a key that is not and that we are not taking over from."""
    if observed.current is None or observed.generation(observed.current) > 0:
        return False
    if observed.generation(observed.previous) > 0:
        return True
    taken_over = observed.key_inside(observed.current) in observed.replaced_key_ids()
    return observed.holding(OURS) is not None and not taken_over


def _is_rolled_back(observed: Observed) -> bool:
    generation = observed.generation(observed.current)
    key_id = observed.key_inside(observed.current)
    return (
        0 < generation < observed.generation(observed.previous)
        and key_id is not None
        and observed.is_live(key_id)
    )


def finish(
    spec: SecretSpec, observed: Observed, pending: Version, now: datetime
) -> tuple[Reason, tuple[Action, ...]]:
    """Decide about a version that carries AWSPENDING."""
    discard = (Discard(pending.version_id),)
    current = observed.current
    match pending.content:
        case NoValue():  # RotateSecret's placeholder: its rotation may still be at work
            stalled = now - observed.labels.changed_at > spec.pending_timeout
            return (Reason.STALLED, discard) if stalled else (Reason.IN_PROGRESS, ())
        case Unusable() | Unread():
            return Reason.SUPERSEDED, discard
        case Holds(key_id=key_id, created_at=created_at):
            # The fence. It also ends a version that was promoted by a run that died before it cleared the label.
            if observed.generation(pending) <= observed.generation(current):
                return Reason.SUPERSEDED, discard
            if _forgets_current(observed):
                return Reason.SUPERSEDED, discard
            key = observed.key(key_id)
            if now - created_at > spec.pending_timeout or (key and key.state is KeyState.REVOKED):
                return Reason.STALLED, discard
            replacing = current.version_id if current else None
            return Reason.INTERRUPTED, (
                Verify(pending.version_id),
                Promote(pending.version_id, replacing),
            )
        case _:
            assert_never(pending.content)


def _forgets_current(observed: Observed) -> bool:
    """Tell whether promoting now would leave a hand-made current key that no label names, and nobody retires."""
    foreign = (
        observed.key_inside(observed.current)
        if observed.generation(observed.current) == 0
        else None
    )
    return foreign is not None and foreign not in observed.replaced_key_ids()


def _why_due(spec: SecretSpec, observed: Observed, now: datetime, demand: Demand) -> Reason | None:  # noqa: PLR0911 - a list of rules in order, one return each
    """Say why a new key is due, the most pressing reason first; None if it is not."""
    current = observed.current
    if current is None or not isinstance(current.content, Holds):
        return Reason.NO_CURRENT
    if demand is Demand.COMPROMISED:
        return Reason.COMPROMISED
    key_id = current.content.key_id
    if not observed.is_live(key_id):  # consumers hold a dead key
        return Reason.KEY_REVOKED
    foreign = observed.generation(current) == 0 or key_id in observed.replaced_key_ids()
    if demand in _AT_ONCE:
        return Reason.ADOPTED if foreign else Reason.FORCED
    if any(now - key.created_at >= spec.settle for key in keys_above_current(observed)):
        return Reason.INTERRUPTED  # a key was made and never stored: finish what that run had begun
    if foreign:
        return Reason.ADOPTED
    if now >= _aged_out_at(spec, observed, current, current.content):
        return Reason.AGED_OUT
    key = observed.key(key_id)
    if key and key.max_uses and key.uses * 10 >= key.max_uses * NEARLY_USED_UP_TENTHS:
        return Reason.NEARLY_USED_UP
    expiring_at = _expiring_at(current.content)
    if expiring_at and now >= expiring_at:
        return Reason.EXPIRING
    return None


def due_at(spec: SecretSpec, observed: Observed) -> datetime | None:
    """Return when the current key is due by age or expiry; None if there is none of ours."""
    current = observed.current
    if (
        current is None
        or not isinstance(current.content, Holds)
        or observed.generation(current) == 0
    ):
        return None
    by_age = _aged_out_at(spec, observed, current, current.content)
    by_expiry = _expiring_at(current.content)
    return min(by_age, by_expiry) if by_expiry else by_age


def born_at(observed: Observed) -> datetime | None:
    """Return when the age of the current key began; None if there is no key."""
    current = observed.current
    if current is None or not isinstance(current.content, Holds):
        return None
    return _born_at(observed, current, current.content)


def _aged_out_at(
    spec: SecretSpec, observed: Observed, current: Version, content: Holds
) -> datetime:
    """Return when the current key is due by age: by `max_age` at the latest, at the secret's own time."""
    return _born_at(observed, current, content) + rotate_after(spec.max_age, observed.labels.arn)


def _born_at(observed: Observed, current: Version, content: Holds) -> datetime:
    """Return when the current key's age began.

    A version made together with its key: the version's CreatedDate. One that was made later around an older key
    (restamped, or another field edited by hand): the key's own `createdAt`.
    """
    key = observed.key(content.key_id)
    if key is None or key.name == observed.family.key_name(current.version_id):
        return content.created_at
    return min(key.created_at, content.created_at)


def _expiring_at(content: Holds) -> datetime | None:
    """Return when a token comes near its `exp`."""
    if content.expires_at is None:
        return None
    return content.expires_at - min(
        EXPIRY_MARGIN_MAX, (content.expires_at - content.created_at) / 4
    )
