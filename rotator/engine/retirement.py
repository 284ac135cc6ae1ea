"""Which keys may die, and how: the second question of the planner.

When the grace of a superseded key is over, and every replica of the secret and every consumer has the new value, it is
revoked and proved dead, and the label that names it goes last. Grace runs from the promotion, which a since label
remembers as long as a superseded key is alive. Pure, like the planner.
"""

from datetime import datetime, timedelta

from rotator.engine.containment import demanded, without_grace
from rotator.engine.rollout import behind, is_outstanding, is_stuck, redeploys
from rotator.engine.superseded import (
    is_crowded,
    kept_keys,
    left_keys,
    managing_key_left,
    superseded_keys,
    unlabelled_keys,
)
from rotator.model.naming import SINCE_PREFIX
from rotator.model.observed import REPLACED_PREFIX, Observed, Proof, ProviderKey
from rotator.model.plan import Action, ProveDead, Revoke, Stamp, Unlabel
from rotator.model.reasons import Reason
from rotator.model.secret import SecretSpec
from rotator.model.times import ceiled

REPLICATION_MAX = timedelta(hours=1)
"""A replica that is behind for longer does not follow by itself; it usually takes seconds."""


def retire(spec: SecretSpec, observed: Observed, now: datetime) -> tuple[Action, ...]:
    """Answer the second question: the keys that the fence allows, then labels that have served."""
    if observed.proof is not Proof.ACCEPTED:
        return ()
    superseded = superseded_keys(observed) or (left_keys(observed) if is_crowded(observed) else ())
    in_grace = not is_grace_over(spec, observed.promoted_at(), now)
    late = bool(observed.description.replicas_behind or behind(spec, observed))
    waits = in_grace or late
    at_once = without_grace(observed)
    dying = tuple(key_id for key_id in superseded if not waits or key_id in at_once)
    if waits and not dying:
        return _stamp(observed) if superseded and (in_grace or spec.consumers) else ()
    # One refusal is no proof of death, and a label that is gone cannot be missed: prove it before it goes. The list
    # does not show a hand-made key, so that one is revoked whatever its token seems.
    dead = () if waits else _dead_replaced(observed)
    unlisted = tuple(key_id for key_id in dead if observed.key(key_id) is None and key_id not in kept_keys(observed))
    proved = tuple(key_id for key_id in dead if observed.key(key_id) is not None)
    revocations = (action for key_id in (*dying, *unlisted) for action in (Revoke(key_id), ProveDead(key_id)))
    proofs = (ProveDead(key_id) for key_id in proved)
    # What the labels say is what shows that a key that was to be contained is dead: its tag goes first.
    served = {*dying, *unlisted, *proved} - demanded(observed)
    counts = set(superseded) - set(dying) or managing_key_left(spec, observed) or is_outstanding(spec, observed)
    since = () if counts else _since_labels(observed)
    # A deployment that is still to be begun is known by the since label, which no death of a key may take away.
    stamp = _stamp(observed) if dying and redeploys(spec) else ()
    return (*stamp, *revocations, *proofs, *_labels_naming(observed, served), *since)


def _stamp(observed: Observed) -> tuple[Action, ...]:
    """Write on the current version when it became current, at the latest, if nothing says so yet."""
    current = observed.current
    if current is None or _since_labels(observed):
        return ()
    return (Stamp(current.version_id, ceiled(observed.description.changed_at)),)


def _since_labels(observed: Observed) -> tuple[Unlabel, ...]:
    current = observed.current
    labels = sorted(label for label in current.labels if label.startswith(SINCE_PREFIX)) if current else ()
    return tuple(Unlabel(current.version_id, label) for label in labels if current)


def make_room(spec: SecretSpec, observed: Observed, now: datetime, reason: Reason) -> tuple[Action, ...]:
    """Answer the second question where no key may die by the first answer, and none may be made: revoke one of ours.

    The current credential is refused or has leaked; but a key that no labelled version holds, and that was made longer
    ago than consumers may take and than a run may need, is held by nobody. Without any current value, a person decides.
    """
    if reason is not Reason.TOO_MANY_KEYS or observed.proof not in {Proof.ACCEPTED, Proof.REFUSED}:
        return ()
    unheld = [key for key in unlabelled_keys(observed) if is_abandoned(spec, observed, key, now)]
    oldest = sorted(unheld, key=lambda key: (key.created_at, key.key_id))[:1]
    return tuple(action for key in oldest for action in (Revoke(key.key_id), ProveDead(key.key_id)))


def is_abandoned(spec: SecretSpec, observed: Observed, key: ProviderKey, now: datetime) -> bool:
    """Tell whether a key of ours that no labelled version holds is surely in nobody's use."""
    if not is_grace_over(spec, observed.promoted_at(), now) or key not in unlabelled_keys(observed):
        return False
    if behind(spec, observed):  # a consumer may hold one that is older still
        return False
    is_old = now - key.created_at > max(spec.grace, spec.pending_timeout)
    return is_old and key.key_id not in observed.protected


def why_waiting(spec: SecretSpec, observed: Observed, now: datetime) -> Reason | None:
    """Say what must pass before the superseded keys may be revoked; None if there are none, or nothing must."""
    crowd = left_keys(observed) if is_crowded(observed) else ()
    if not {*superseded_keys(observed), *crowd} - without_grace(observed):
        return None
    description = observed.description
    if not is_grace_over(spec, observed.promoted_at(), now):
        return Reason.WAITING_GRACE
    if description.replicas_behind:
        failed = description.replicas_failed or now - description.changed_at > REPLICATION_MAX
        return Reason.REPLICA_STUCK if failed else Reason.REPLICA_BEHIND
    if behind(spec, observed):
        return Reason.CONSUMER_STUCK if is_stuck(spec, observed, now) else Reason.CONSUMER_BEHIND
    return None


def _dead_replaced(observed: Observed) -> tuple[str, ...]:
    """Return the keys that labels still name though they seem dead: a run died before it took the label off."""
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    named = dict.fromkeys(sorted(observed.replaced_key_ids()))
    return tuple(k for k in named if k not in in_use and not observed.is_live(k))


def _labels_naming(observed: Observed, key_ids: set[str]) -> tuple[Unlabel, ...]:
    return tuple(
        Unlabel(version.version_id, REPLACED_PREFIX + key_id)
        for version in sorted(observed.versions, key=lambda version: version.version_id)
        for key_id in version.replaced()
        if key_id in key_ids
    )


def is_grace_over(spec: SecretSpec, promoted_at: datetime, now: datetime) -> bool:
    """Tell whether consumers have had their time since AWSCURRENT moved.

    A grace of zero does not wait for the clocks of two machines to agree.
    """
    return not spec.grace or now - promoted_at >= spec.grace
