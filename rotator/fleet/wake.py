"""Whether a secret is due for a closer look, judged by its staging labels alone.

A tick over a fleet reads labels, one page of ListSecrets for 100 secrets, and looks closely only at what is due,
unfinished, changed lately, or at its own slot of `check_every`.
"""

from datetime import datetime, timedelta

from rotator.engine.jitter import rotate_after, slot_between
from rotator.engine.retirement import is_grace_over
from rotator.engine.windows import is_open
from rotator.fleet.lookup import Target
from rotator.model.naming import generation_of_version, time_of_version
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS
from rotator.model.secret import Demand

_INDEX_SLACK = timedelta(seconds=1)
"""The time in a version id is in seconds."""


def is_asleep(target: Target, *, now: datetime, since: datetime) -> bool:
    """Tell from labels alone that a secret needs no closer look in a tick that covers (since, now].

    The time in a version id is an index, not evidence: one that is later than the last change is not believed, and
    every secret is looked at closely at its slot anyway.
    """
    spec, description = target.spec, target.description
    by_label = {label: version.version_id for version in description.versions for label in version.labels}
    current = by_label.get(AWSCURRENT, "")
    made_at = time_of_version(current)
    if description.hold is not None or AWSPENDING in by_label:
        return False
    if made_at is None:
        # Secrets Manager chose the id, and keeps a schedule of its own; or a person put a key in, which can wait.
        if not description.rotation_enabled or AWSCURRENT not in by_label:
            return False
    elif (
        made_at > description.changed_at + _INDEX_SLACK
        or now >= made_at + rotate_after(spec.max_age, description.arn)
        or generation_of_version(by_label.get(AWSPREVIOUS, "")) > generation_of_version(current)
    ):
        return False
    grace_ends = description.changed_at + spec.grace
    return not (since < grace_ends <= now) and not slot_between(description.arn, spec.check_every, since, now)


def is_aged_out(target: Target, *, now: datetime) -> bool:
    """Tell from labels alone that a new key is due by age, and that nothing they show stands against it."""
    spec, description = target.spec, target.description
    by_label = {label: version.version_id for version in description.versions for label in version.labels}
    current = by_label.get(AWSCURRENT, "")
    made_at = time_of_version(current)
    return (
        made_at is not None
        and made_at <= description.changed_at + _INDEX_SLACK
        and made_at + rotate_after(spec.max_age, description.arn) <= now
        and is_grace_over(spec, description, now, Demand.DUE)
        and description.hold is None
        and AWSPENDING not in by_label
        and generation_of_version(by_label.get(AWSPREVIOUS, "")) < generation_of_version(current)
        and is_open(spec, now)
    )
