"""The last look before a key dies: whatever was planned, this must hold of the state as last seen.

Each guard raises `UnsafeActionError` and has no effect; the next run plans from what there is.
"""

from datetime import datetime

from rotator.engine.containment import without_grace
from rotator.engine.rollout import behind
from rotator.model.errors import ClockError, LabelsExhaustedError, UnsafeActionError
from rotator.model.naming import SINCE_PREFIX
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, LABELS_MAX, Observed, SecretDescription
from rotator.model.secret import SecretSpec

CLOCK_SKEW_MAX_S = 60.0


def check_revocable(spec: SecretSpec, observed: Observed, key_id: str) -> None:
    """Check that a key is in nobody's use.

    Raises UnsafeActionError if it must not be revoked now.
    """
    description = observed.description
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    if observed.current is None or key_id in in_use | observed.protected:
        raise UnsafeActionError(f"refused to revoke {key_id}: it is in use")
    if description.replicas_behind and key_id not in without_grace(observed):
        regions = ", ".join(sorted(description.replicas_behind))
        raise UnsafeActionError(f"refused to revoke {key_id}: the replica in {regions} is behind")
    if key_id not in without_grace(observed) and (late := behind(spec, observed)):
        raise UnsafeActionError(f"refused to revoke {key_id}: {late[0]} may still hold it")


def check_label_room(observed: Observed, more: frozenset[str]) -> None:
    """Check, before a key is made, that a version with it gets its labels. Raises LabelsExhaustedError if it cannot."""
    there = {label for version in observed.versions for label in version.labels}
    since = "" if any(label.startswith(SINCE_PREFIX) for label in there) else SINCE_PREFIX
    needed = there | more | {AWSPENDING, AWSCURRENT, AWSPREVIOUS, since} - {""}
    if len(needed) > LABELS_MAX:
        raise LabelsExhaustedError(
            f"no key was made: the secret has {len(there)} of {LABELS_MAX} staging labels, and a rotation needs "
            f"{len(needed - there)} more"
        )


def check_clock(description: SecretDescription) -> None:
    """Check that ages and graces can be measured at all. Raises ClockError if this machine's clock is off."""
    if abs(description.clock_skew_s) > CLOCK_SKEW_MAX_S:
        side = "behind" if description.clock_skew_s > 0 else "ahead of"
        raise ClockError(
            f"this machine's clock is {abs(description.clock_skew_s):.0f} s {side} AWS's; nothing was done"
        )


def check_unchanged(planned_from: Observed, seen: SecretDescription, key_id: str, now: datetime) -> None:
    """Check that what a planned revocation rests on is as it was. Raises UnsafeActionError if it is not."""
    is_behind = bool(seen.replicas_behind) and key_id not in without_grace(planned_from)
    if is_behind or seen.hold_at(now) is not None or seen.standing() != planned_from.description.standing():
        raise UnsafeActionError(f"refused to revoke {key_id}: the secret changed while this run was at work")


def check_still_asked(text: str, seen: SecretDescription) -> None:
    """Check that the tag `rotator:contain` is as it was. Raises UnsafeActionError if somebody changed it."""
    if seen.contain != text:
        raise UnsafeActionError("the tag rotator:contain changed while this run was at work, and was left as it is")
