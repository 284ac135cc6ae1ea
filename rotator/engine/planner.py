"""What remains to be done for one secret, and why: a pure function of what is wanted, what is seen, and the time.

The planner asks two questions, in order, and the second only when the first has nothing to do:

1. Must the secret move forward? The lists of `rules`, first match wins; each answer is a `Reason`.
2. May a superseded key be retired? Every key that the fencing rule allows: `retirement`.

No I/O, no clock, no randomness: what a rule needs is an argument. There is no workflow state either; an interrupted
rotation is a state of the two systems like any other, and the rules name it.
"""

from datetime import datetime

from rotator.engine.age import due_at
from rotator.engine.attempts import back_off_of
from rotator.engine.conditions import Situation
from rotator.engine.containment import alive, settle
from rotator.engine.retirement import make_room, retire, why_waiting
from rotator.engine.rollout import outstanding
from rotator.engine.rules import decide
from rotator.engine.superseded import managing_key_left
from rotator.model.observed import Observed
from rotator.model.plan import Create, Plan, Promote, Unlabel, Verify
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, SecretSpec


def plan(
    spec: SecretSpec, observed: Observed, *, now: datetime, new_version_id: str, demand: Demand = Demand.DUE
) -> Plan:
    """Return the actions that remain.

    `new_version_id` is what a new version would get; its generation is one above the highest seen anywhere.
    """
    replacing = observed.current.version_id if observed.current else None
    create = Create(new_version_id, replacing, minted_as=new_version_id)
    reason, actions = decide(Situation(spec, observed, now, demand, create))
    writable = observed.description.is_writable() and reason is not Reason.ON_HOLD
    if writable and (false := observed.false_since()):
        # Left there, it would end somebody's grace early as soon as AWSCURRENT came back to that version.
        return Plan(reason, tuple(Unlabel(*where) for where in false), due_at(spec, observed))
    if actions == (create,):
        actions = (create, Verify(new_version_id), Promote(new_version_id, replacing))
    if not actions and not reason.keeps_keys:
        actions = settle(observed) or retire(spec, observed, now) or make_room(spec, observed, now, reason)
        actions = (*actions, *outstanding(spec, observed))
        waiting = why_waiting(spec, observed, now)
        if waiting is not None and waiting.outlives_grace and not reason.is_due:
            reason = waiting  # else nobody would hear of it
    if not actions and reason is Reason.UP_TO_DATE and managing_key_left(spec, observed):
        reason = Reason.MANAGING_WAITS
    if not actions and alive(observed) and not reason.is_due and not reason.needs_person:
        reason = Reason.CONTAIN_STUCK
    back_off = back_off_of(spec, observed, now) if reason is Reason.BACKING_OFF else None
    return Plan(reason, actions, due_at(spec, observed), back_off)
