"""The last look before a key dies: whatever was planned, this must hold of the state as last seen.

Each guard raises `UnsafeActionError` and has no effect; the next run plans from what there is.
"""

from rotator.engine.retirement import is_replica_behind
from rotator.model.errors import ClockError, UnsafeActionError
from rotator.model.observed import Observed, SecretDescription
from rotator.model.secret import Demand

CLOCK_SKEW_MAX_S = 60.0


def check_revocable(observed: Observed, key_id: str, demand: Demand) -> None:
    """Check that a key is in nobody's use.

    Raises UnsafeActionError if it must not be revoked now.
    """
    description = observed.description
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    if observed.current is None or key_id in in_use | observed.protected:
        raise UnsafeActionError(f"refused to revoke {key_id}: it is in use")
    if is_replica_behind(description, demand):
        behind = ", ".join(sorted(description.replicas_behind))
        raise UnsafeActionError(f"refused to revoke {key_id}: the replica in {behind} is behind")


def check_clock(description: SecretDescription) -> None:
    """Check that ages and graces can be measured at all. Raises ClockError if this machine's clock is off."""
    if abs(description.clock_skew_s) > CLOCK_SKEW_MAX_S:
        raise ClockError(f"this machine's clock is {description.clock_skew_s:+.0f} s off AWS's; nothing was done")


def check_unchanged(planned_from: SecretDescription, description: SecretDescription, demand: Demand) -> None:
    """Check that nothing happened to a secret since a revocation was planned. Raises UnsafeActionError if it did."""
    if (
        description.hold is not None
        or description.changed_at != planned_from.changed_at
        or is_replica_behind(description, demand)
    ):
        raise UnsafeActionError("refused to revoke more: the secret changed while this run was at work")
