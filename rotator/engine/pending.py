"""What the rules ask of a version that is pending: RotateSecret's placeholder, or what an earlier run left unfinished.

Rules of the same kind as those in `conditions`; their order is in `rules`.
"""

from rotator.engine.conditions import Decision, Situation
from rotator.engine.containment import demanded
from rotator.model.observed import HasKey, KeyState, NoCredential, NoValue, Proof, Unread
from rotator.model.plan import Discard, Promote, Verify
from rotator.model.reasons import Reason


def empty(s: Situation) -> Decision | None:
    """Ask for RotateSecret's placeholder: its rotation may be at work, and is given up after `pending_timeout`.

    Nobody is served meanwhile where a new key is urgent, so then it is given `settle`.
    """
    pending = s.observed.pending
    if pending is None or not isinstance(pending.content, NoValue):
        return None
    patience = min(s.spec.settle, s.spec.pending_timeout) if s.is_unserved else s.spec.pending_timeout
    if s.now - pending.content.created_at > patience:
        return Reason.STALLED, (Discard(pending.version_id),)
    return Reason.IN_PROGRESS, ()


def contained(s: Situation) -> Decision | None:
    """Ask whether the pending version holds a key that has leaked."""
    pending = s.observed.pending
    if pending is None or s.observed.key_inside(pending) not in demanded(s.observed):
        return None
    return Reason.CONTAINED, (Discard(pending.version_id),)


def unusable(s: Situation) -> Decision | None:
    """Ask whether AWSPENDING is on a version that holds no credential."""
    pending = s.observed.pending
    if pending is None or not isinstance(pending.content, NoCredential | Unread):
        return None
    return Reason.SUPERSEDED, (Discard(pending.version_id),)


def overtaken(s: Situation) -> Decision | None:
    """Ask the fence: a pending version is promoted only over a lower generation.

    It also ends a version that was promoted by a run that died before it cleared the label.
    """
    pending, observed = s.observed.pending, s.observed
    if pending is None or observed.generation(pending) > observed.generation(observed.current):
        return None
    return Reason.SUPERSEDED, (Discard(pending.version_id),)


def forgets_current(s: Situation) -> Decision | None:
    """Ask whether promoting now would leave a hand-made current key that no label names, and nobody retires."""
    pending, observed = s.observed.pending, s.observed
    if pending is None or observed.generation(observed.current) > 0 or observed.proof is Proof.REFUSED:
        return None
    foreign = observed.key_inside(observed.current)
    if foreign is None or foreign in observed.replaced_key_ids():
        return None
    return Reason.SUPERSEDED, (Discard(pending.version_id),)


def stalled(s: Situation) -> Decision | None:
    """Ask whether a pending version is older than `pending_timeout`, or its key is revoked."""
    pending = s.observed.pending
    if pending is None or not isinstance(pending.content, HasKey):
        return None
    key = s.observed.key(pending.content.key_id)
    too_old = s.now - pending.content.created_at > s.spec.pending_timeout
    if too_old or (key and key.state is KeyState.REVOKED):
        return Reason.STALLED, (Discard(pending.version_id),)
    return None


def usable(s: Situation) -> Decision | None:
    """Finish what an earlier run began."""
    pending = s.observed.pending
    if pending is None:
        return None
    replacing = s.observed.current.version_id if s.observed.current else None
    return Reason.INTERRUPTED, (Verify(pending.version_id), Promote(pending.version_id, replacing))
