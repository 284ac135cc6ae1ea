"""Which keys may die, and how: the second question of the planner.

A key is superseded by the fence: its generation is at or below that of AWSCURRENT, or a label names it as replaced. It
is never one in use, nor one that somebody else needs. When its grace is over, and every replica of the secret has the
new value, it is revoked and proved dead, and the label that names it goes last. Pure, like the planner.
"""

from datetime import datetime, timedelta

from rotator.model.observed import REPLACED_PREFIX, HasKey, Observed, Proof, ProviderKey, SecretDescription
from rotator.model.plan import Action, ProveDead, Revoke, Unlabel
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, Override, SecretSpec

REPLACED_LABELS_MAX = 10
"""Of the 20 labels that Secrets Manager allows all versions of a secret together."""
REPLICATION_MAX = timedelta(hours=1)
"""A replica that is behind for longer does not follow by itself; it usually takes seconds."""


def retire(spec: SecretSpec, observed: Observed, now: datetime, demand: Demand) -> tuple[Action, ...]:
    """Answer the second question: the keys that the fence allows, then labels that have served."""
    description = observed.description
    if observed.proof is not Proof.ACCEPTED:
        return ()
    if not is_grace_over(spec, description, now, demand) or is_replica_behind(description, demand):
        return ()
    superseded = superseded_keys(observed) or (_left(observed) if is_crowded(observed) else ())
    # One refusal is no proof of death, and a label that is gone cannot be missed: prove it before it goes. The list
    # does not show a hand-made key, so that one is revoked whatever its token seems.
    dead = _dead_replaced(observed)
    unlisted = tuple(key_id for key_id in dead if observed.key(key_id) is None and key_id not in _kept(observed))
    proved = tuple(key_id for key_id in dead if observed.key(key_id) is not None)
    revocations = (action for key_id in (*superseded, *unlisted) for action in (Revoke(key_id), ProveDead(key_id)))
    proofs = (ProveDead(key_id) for key_id in proved)
    # The labels come last: removing one changes LastChangedDate, and what is planned here rests on it.
    return (*revocations, *proofs, *_labels_naming(observed, {*superseded, *unlisted, *proved}))


def make_room(spec: SecretSpec, observed: Observed, now: datetime, reason: Reason) -> tuple[Action, ...]:
    """Answer the second question where no key may die by the first answer, and none may be made: revoke one of ours.

    The current credential is refused, so it proves nothing; but a key that no labelled version holds, and that was made
    longer ago than consumers may take and than a run may need, is held by nobody.
    """
    if reason is not Reason.TOO_MANY_KEYS or observed.proof is not Proof.REFUSED:
        return ()
    unheld = [key for key in unlabelled_keys(observed) if is_abandoned(spec, observed, key, now)]
    oldest = sorted(unheld, key=lambda key: (key.created_at, key.key_id))[:1]
    return tuple(action for key in oldest for action in (Revoke(key.key_id), ProveDead(key.key_id)))


def is_abandoned(spec: SecretSpec, observed: Observed, key: ProviderKey, now: datetime) -> bool:
    """Tell whether a key of ours that no labelled version holds is surely in nobody's use."""
    if not is_grace_over(spec, observed.description, now, Demand.DUE) or key not in unlabelled_keys(observed):
        return False
    is_old = now - key.created_at > max(spec.grace, spec.pending_timeout)
    return is_old and key.key_id not in observed.protected


def why_waiting(spec: SecretSpec, observed: Observed, now: datetime, demand: Demand) -> Reason | None:
    """Say what must pass before the superseded keys may be revoked; None if there are none, or nothing must."""
    if not superseded_keys(observed) and not is_crowded(observed):
        return None
    description = observed.description
    if not is_grace_over(spec, description, now, demand):
        return Reason.WAITING_GRACE
    if not is_replica_behind(description, demand):
        return None
    stuck = description.replicas_failed or now - description.changed_at > REPLICATION_MAX
    return Reason.REPLICA_STUCK if stuck else Reason.REPLICA_BEHIND


def is_grace_renewed(spec: SecretSpec, observed: Observed, now: datetime) -> bool:
    """Tell whether superseded keys live on only because labels keep changing, for twice the grace and more.

    Grace runs from LastChangedDate, and a refused RotateSecret may change it, as discarding its version does: one
    within each grace keeps the key before alive for ever, and no new one is made.
    """
    current = observed.current
    return (
        why_waiting(spec, observed, now, Demand.DUE) is Reason.WAITING_GRACE
        and current is not None
        and isinstance(current.content, HasKey)
        and now - current.content.created_at > 2 * spec.grace
    )


def superseded_keys(observed: Observed) -> tuple[str, ...]:
    """Return the live keys that the fence allows to revoke once their grace is over, oldest first.

    Ours with a generation at or below the current one's, and those that a label names: hand-made ones that we took
    over from, and ours that outlived their revocation. Never a key inside AWSCURRENT or AWSPENDING, nor a protected
    one. A stale read shows a smaller generation, and so fewer keys.
    """
    fence = observed.generation(observed.current)
    if fence == 0:
        return ()
    ours = sorted(
        (observed.generation_of_key(key), key.key_id)
        for key in observed.live_keys()
        if 0 < observed.generation_of_key(key) <= fence
    )
    candidates = dict.fromkeys((*_left(observed), *(key_id for _, key_id in ours)))
    return tuple(key_id for key_id in candidates if key_id not in _kept(observed))


def _left(observed: Observed) -> tuple[str, ...]:
    """Return the live keys that labels say were replaced, but those in use."""
    named = dict.fromkeys(sorted(observed.replaced_key_ids()))
    return tuple(k for k in named if observed.is_live(k) and k not in _kept(observed))


def _kept(observed: Observed) -> set[str | None]:
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    return {*in_use, *observed.protected}


def is_crowded(observed: Observed) -> bool:
    """Tell whether a take-over would need a label more than there is room for.

    Each of a person's keys that was taken over from holds one of the secret's few labels until it is dead. They are
    retired under a current key of ours; but a person may put in a key of their own again and again before that.
    """
    foreign = observed.generation(observed.current) == 0
    return foreign and len(observed.replaced_key_ids()) >= REPLACED_LABELS_MAX


def unlabelled_keys(observed: Observed) -> tuple[ProviderKey, ...]:
    """Return live keys of ours that no labelled version holds or is named for: left by runs that were cut short."""
    named = {observed.family.key_name(version.version_id) for version in observed.versions}
    inside = {observed.key_inside(version) for version in observed.versions}
    known = inside | set(observed.replaced_key_ids())
    return tuple(k for k in observed.live_keys() if k.key_id not in known and k.name not in named)


def keys_above_current(observed: Observed) -> tuple[ProviderKey, ...]:
    """Return live keys of ours that the fence does not cover: made, and never promoted."""
    fence = observed.generation(observed.current)
    return tuple(key for key in observed.live_keys() if observed.generation_of_key(key) > fence)


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


def is_grace_over(spec: SecretSpec, description: SecretDescription, now: datetime, demand: Demand) -> bool:
    """Tell whether consumers have had their time since the last change of a label.

    A grace of zero does not wait for the clocks of two machines to agree.
    """
    if demand.overrides(Override.GRACE) or not spec.grace:
        return True
    return now - description.changed_at >= spec.grace


def is_replica_behind(description: SecretDescription, demand: Demand) -> bool:
    """Tell whether consumers in some region may still read the key before, and are to be waited for.

    A compromised key is not kept alive for them, as it is not for a grace.
    """
    return bool(description.replicas_behind) and not demand.overrides(Override.GRACE)
