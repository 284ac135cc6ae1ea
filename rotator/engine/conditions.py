"""What each rule asks, and what it decides where the answer is yes. Their order is in `rules`.

A rule takes the `Situation` and returns a decision, or None to leave it to the next rule. Pure: no I/O, no clock, no
randomness.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

from rotator.engine.age import aged_out_at, expiring_at
from rotator.engine.attempts import next_attempt_at
from rotator.engine.containment import is_unnamed, must_move, name_current
from rotator.engine.retirement import why_waiting
from rotator.engine.superseded import is_crowded, keys_above_current, superseded_keys
from rotator.engine.windows import is_open
from rotator.model.observed import OURS, NoValue, Observed, Proof
from rotator.model.plan import Action, Create, Promote, Restamp
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, Override, SecretSpec

NEARLY_USED_UP_TENTHS = 8
URGENT_EXTRA_KEYS = 2
"""By so many keys an urgent reason may exceed `live_keys_max`."""
Decision: TypeAlias = tuple[Reason, tuple[Action, ...]]


@dataclass(frozen=True, slots=True)
class Situation:
    """All that a rule may look at."""

    spec: SecretSpec
    observed: Observed
    now: datetime
    demand: Demand
    """What is left of what a person asked for."""
    create: Create
    """The action that would make a new key."""

    @property
    def is_foreign(self) -> bool:
        """Whether the current key is not ours, or one of ours that was replaced and put back."""
        observed = self.observed
        current = observed.current_key
        replaced = current is not None and current.key_id in observed.replaced_key_ids()
        return observed.generation(observed.current) == 0 or replaced

    @property
    def is_unserved(self) -> bool:
        """Whether consumers have no good key, so that nothing is gained by waiting for people or for a window."""
        return self.observed.is_unserved() or must_move(self.observed)


# Can the secret be written? ----------------------------------------------------------------------


def unwritable(s: Situation) -> Decision | None:
    """Ask what DescribeSecret tells: a replica, an owner that is not us, a deletion."""
    description = s.observed.description
    if description.is_replica():
        return Reason.WRONG_REGION, ()
    if description.owning_service:
        return Reason.FOREIGN_OWNER, ()
    return (Reason.TO_BE_DELETED, ()) if description.deleted_at else None


# Has a person decided? ---------------------------------------------------------------------------


def on_hold(s: Situation) -> Decision | None:
    """Ask for the tag `rotator:hold`."""
    return None if s.observed.description.hold_at(s.now) is None else (Reason.ON_HOLD, ())


def contain_unnamed(s: Situation) -> Decision | None:
    """Ask whether somebody typed a reason into `rotator:contain` and no key: the one that is current now is meant."""
    if not is_unnamed(s.observed):
        return None
    named = name_current(s.observed)
    return (Reason.CONTAINED, named) if named else (Reason.CONTAIN_STUCK, ())


def drifted(s: Situation) -> Decision | None:
    """Ask whether the secret was ours, and now holds a key that is not and that we are not taking over from."""
    observed = s.observed
    if s.demand.overrides(Override.DECISIONS) or s.is_unserved or observed.proof is Proof.TOO_YOUNG:
        return None
    if observed.generation(observed.current) > 0:
        return None
    taken_over = observed.key_inside(observed.current) in observed.replaced_key_ids()
    was_ours = observed.version_labelled(OURS) is not None and not taken_over
    if observed.generation(observed.previous) > 0 or was_ours:
        return Reason.DRIFTED, ()
    return None


def rolled_back(s: Situation) -> Decision | None:
    """Ask whether AWSCURRENT is on an older version of ours than AWSPREVIOUS, with a key that works."""
    observed = s.observed
    generation = observed.generation(observed.current)
    if s.demand.overrides(Override.DECISIONS) or s.is_unserved or observed.proof is Proof.TOO_YOUNG:
        return None
    is_older = 0 < generation < observed.generation(observed.previous)
    return (Reason.ROLLED_BACK, ()) if is_older else None


# Are consumers served? ---------------------------------------------------------------------------


def no_current(s: Situation) -> Reason | None:
    """Ask whether there is no value at all."""
    current = s.observed.current
    return Reason.NO_CURRENT if current is None or isinstance(current.content, NoValue) else None


def no_credential(s: Situation) -> Reason | None:
    """Ask whether the value is a placeholder."""
    return Reason.NO_CREDENTIAL if s.observed.current_key is None else None


def contained(s: Situation) -> Reason | None:
    """Ask whether the tag `rotator:contain` names a key that is current, or that may become current."""
    return Reason.CONTAINED if must_move(s.observed) else None


def key_revoked(s: Situation) -> Reason | None:
    """Ask whether Pinata lists the current key as revoked."""
    current = s.observed.current_key
    return Reason.KEY_REVOKED if current and not s.observed.is_live(current.key_id) else None


def current_refused(s: Situation) -> Reason | None:
    """Ask whether testAuthentication refuses what consumers read."""
    return Reason.CURRENT_REFUSED if s.observed.proof is Proof.REFUSED else None


def not_yet_accepted(s: Situation) -> Decision | None:
    """Ask whether the current credential is refused, and too young for that to mean anything."""
    if s.observed.proof is not Proof.TOO_YOUNG or s.demand.overrides(Override.DECISIONS):
        return None
    return Reason.NOT_YET_ACCEPTED, ()


# Is a new key due? -------------------------------------------------------------------------------


def asked_for(s: Situation) -> Reason | None:
    """Ask whether a person, or RotateSecret, wants a new key now."""
    if not s.demand.overrides(Override.AGE):
        return None
    return Reason.ADOPTED if s.is_foreign else Reason.FORCED


def create_interrupted(s: Situation) -> Reason | None:
    """Ask for a key that was made and never stored, once it is older than `settle`."""
    above = keys_above_current(s.observed)
    settled = any(s.now - key.created_at >= s.spec.settle for key in above)
    return Reason.INTERRUPTED if settled else None


def hand_made(s: Situation) -> Reason | None:
    """Ask whether the current key is not ours."""
    return Reason.ADOPTED if s.is_foreign else None


def aged_out(s: Situation) -> Reason | None:
    """Ask whether the current key has reached its age."""
    due_at = aged_out_at(s.spec, s.observed)
    return Reason.AGED_OUT if due_at and s.now >= due_at else None


def nearly_used_up(s: Situation) -> Reason | None:
    """Ask whether four fifths of the current key's uses are gone."""
    key = s.observed.key(s.observed.key_inside(s.observed.current) or "")
    if key is None or not key.max_uses or key.uses * 10 < key.max_uses * NEARLY_USED_UP_TENTHS:
        return None
    return Reason.NEARLY_USED_UP


def expiring(s: Situation) -> Reason | None:
    """Ask whether the current token expires soon."""
    moment = expiring_at(s.spec, s.observed.current_key)
    return Reason.EXPIRING if moment and s.now >= moment else None


# May a new key be made now? ----------------------------------------------------------------------


def outside_window(s: Situation) -> Decision | None:
    """Ask the maintenance window and the blackout days, unless a person wants the key now."""
    if s.demand.overrides(Override.DECISIONS) or is_open(s.spec, s.now):
        return None
    return Reason.OUTSIDE_WINDOW, ()


def old_key_waits(s: Situation) -> Decision | None:
    """Ask whether a superseded key still has its grace: rotating now would take it away."""
    waiting = why_waiting(s.spec, s.observed, s.now)
    return (waiting, ()) if waiting else None


def old_key_alive(s: Situation) -> Decision | None:
    """Ask whether a superseded key is still alive; the second question of the planner retires it."""
    if superseded_keys(s.observed) or is_crowded(s.observed):
        return Reason.RETIRE_FIRST, ()
    return None


def orphans_fill_up(s: Situation) -> Decision | None:
    """Ask whether `live_keys_max` is reached with keys that were never promoted: put the current key above them."""
    create = s.create
    if len(s.observed.live_keys()) < s.spec.live_keys_max or create.replacing is None:
        return None
    if not keys_above_current(s.observed) or s.observed.proof is not Proof.ACCEPTED:
        return None
    return Reason.FENCING, (Restamp(create.version_id, create.replacing), Promote(create.version_id, create.replacing))


def no_room(s: Situation) -> Decision | None:
    """Ask whether `live_keys_max` is reached, and nothing may be done about it."""
    if len(s.observed.live_keys()) < s.spec.live_keys_max:
        return None
    return Reason.TOO_MANY_KEYS, ()


def no_room_even_now(s: Situation) -> Decision | None:
    """Ask whether even an urgent reason may exceed `live_keys_max` no further."""
    if len(s.observed.live_keys()) < s.spec.live_keys_max + URGENT_EXTRA_KEYS:
        return None
    return Reason.TOO_MANY_KEYS, ()


def backing_off(s: Situation) -> Decision | None:
    """Ask whether attempts failed lately, and the next one has to wait, unless a person wants the key now."""
    waits = s.now < next_attempt_at(s.spec, s.observed, s.now)
    return (Reason.BACKING_OFF, ()) if waits and not s.demand.overrides(Override.DECISIONS) else None
