"""What a secret's staging labels alone say about its turn: asleep, due, or to be looked at closely.

A tick over a fleet reads labels, one page of ListSecrets for 100 secrets, and asks both systems only about what is
due, unfinished, changed lately, or at its own slot of `check_every`. The time in a version id is an index, not
evidence: one that is later than the last change is not believed, and every secret is looked at closely at its slot.
"""

from datetime import datetime, timedelta
from enum import Enum

from rotator.engine.jitter import rotate_after, slot_between
from rotator.engine.retirement import is_grace_over
from rotator.engine.rollout import redeploys
from rotator.engine.windows import is_open
from rotator.fleet.lookup import Target
from rotator.model.naming import generation_of_version, time_of_version
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, SecretDescription

LOOKS_MAX = 100
"""So many secrets are looked at closely in one tick, those that are due first; the others wait for the next one."""
ROLL_OUT = timedelta(hours=1)
"""For so long after a grace consumers that have not followed are asked at each tick, and later at each slot; those that
are to be redeployed after a promotion, too."""
_INDEX_SLACK = timedelta(seconds=1)
"""The time in a version id is in seconds."""


class Wake(Enum):
    """What labels say about a secret in one tick."""

    ASLEEP = "asleep"
    """Nothing that labels show has become due since the tick before."""
    LOOK = "look"
    """Labels do not tell: both systems have to be asked."""
    DUE = "due"
    """A new key is due by age, and nothing that labels show stands against it."""


def wake(target: Target, *, now: datetime, since: datetime) -> Wake:
    """Return what a secret's labels say in a tick that covers (since, now]."""
    spec, description = target.spec, target.description
    by_label = {label: version.version_id for version in description.versions for label in version.labels}
    current = by_label.get(AWSCURRENT, "")
    made_at, generation = time_of_version(current), generation_of_version(current)
    before = generation_of_version(by_label.get(AWSPREVIOUS, ""))
    # Without a time in its id, the version is Secrets Manager's, which keeps a schedule of its own, or a person's.
    is_foreign = made_at is None and not (description.rotation_enabled and current)
    is_forged = made_at is not None and made_at > description.changed_at + _INDEX_SLACK
    is_rolled_back = made_at is not None and before > generation
    is_asked = description.hold_at(now) is not None or description.contain is not None
    if is_asked or AWSPENDING in by_label or is_foreign or is_forged or is_rolled_back:
        return Wake.LOOK
    if made_at is not None and now >= made_at + rotate_after(spec.max_age, description.arn):
        allowed = is_grace_over(spec, description.promoted_at(), now) and is_open(spec, now)
        return Wake.DUE if allowed and before < generation else Wake.LOOK
    grace_ends = description.promoted_at() + spec.grace
    if _is_waiting(description):
        from_then = [grace_ends] if spec.consumers else []
        from_then += [description.promoted_at()] if redeploys(spec) else []
        if any(begins <= now < begins + ROLL_OUT for begins in from_then):
            return Wake.LOOK
    in_slot = slot_between(description.arn, spec.check_every, since, now)
    return Wake.LOOK if since < grace_ends <= now or in_slot else Wake.ASLEEP


def _is_waiting(description: SecretDescription) -> bool:
    """Tell whether a since label says that a promotion is not followed by everybody yet."""
    return any(version.since() for version in description.versions if AWSCURRENT in version.labels)
