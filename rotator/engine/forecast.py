"""What a plan leads to after this run: the keys that die later. Pure, like the planner."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from rotator.engine.retirement import is_grace_over
from rotator.engine.superseded import superseded_keys
from rotator.model.observed import Observed, Proof
from rotator.model.plan import Create, Plan, Promote, Restamp, Revoke
from rotator.model.reasons import Reason
from rotator.model.secret import SecretSpec


@dataclass(frozen=True, slots=True)
class LaterRevocation:
    """A key that is alive now and dies without a further decision."""

    key_id: str
    at: datetime | None
    """About when; now if this very run does it in the end, None if something else than time has to pass first."""


_FIRST_STEPS = frozenset({Reason.RETIRE_FIRST, Reason.CONTAINED})
"""Where what is planned is not all: this run then makes a key as well."""


def moves_on(planned: Plan) -> bool:
    """Tell whether this run makes another version current."""
    return planned.reason in _FIRST_STEPS or any(isinstance(action, Promote) for action in planned.actions)


def later_revocations(
    spec: SecretSpec, observed: Observed, planned: Plan, now: datetime
) -> tuple[LaterRevocation, ...]:
    """Return the keys that die after what is planned now, the oldest first, and about when."""
    at: datetime | None
    if moves_on(planned):
        # A run keeps the key that it works with; the next one does not, where that key is this secret's own.
        kept = observed.protected - ({observed.managing} if spec.manages else frozenset())
        doomed, at = _left_behind(observed, planned, kept), now + spec.grace
        if planned.reason is Reason.CONTAINED:  # what is named waits for no grace, nor does what is no younger
            at = now
    elif planned.reason.keeps_keys:
        return ()
    else:
        doomed, promoted_at = superseded_keys(observed), observed.promoted_at()
        at = None if is_grace_over(spec, promoted_at, now) else promoted_at + spec.grace
    dying = {action.key_id for action in planned.actions if isinstance(action, Revoke)}
    by_another_run = {observed.managing} if at == now else frozenset()
    return tuple(
        LaterRevocation(key_id, None if key_id in by_another_run else at) for key_id in doomed if key_id not in dying
    )


def _left_behind(observed: Observed, planned: Plan, protected: AbstractSet[str | None]) -> tuple[str, ...]:
    """Return the live keys that the fence allows to revoke once the planned version is current."""
    kinds = {type(action): action for action in planned.actions}
    kept = set(protected)
    fence: float = float("inf")
    if Restamp in kinds:
        kept.add(observed.key_inside(observed.current) or "")
    elif Create not in kinds and planned.reason not in _FIRST_STEPS:
        kept.add(observed.key_inside(observed.pending) or "")
        fence = observed.generation(observed.pending)
    ours = sorted((observed.generation_of_key(key), key.key_id) for key in observed.live_keys())
    # A credential that is refused proves nothing, so a foreign key inside it is not taken over.
    current = observed.key_inside(observed.current)
    taken_over = (current,) if current and observed.proof is Proof.ACCEPTED else ()
    candidates = (*observed.replaced_key_ids(), *(key_id for made, key_id in ours if made <= fence), *taken_over)
    return tuple(key_id for key_id in dict.fromkeys(candidates) if key_id not in kept and observed.is_live(key_id))
