"""Failed attempts, and how long the next one waits: a back-off that needs no state of ours.

A failed attempt is a key of ours, live or dead, that was made within the last day and is above both AWSCURRENT and
AWSPREVIOUS: it was never promoted. While the current credential is refused every key of that day counts, because a
promotion that did not help has failed, too. Pure, like the planner.
"""

from datetime import datetime, timedelta

from rotator.engine.containment import demanded
from rotator.model.observed import Observed, Proof, ProviderKey
from rotator.model.plan import BackOff
from rotator.model.secret import SecretSpec

COUNTED_FOR = timedelta(hours=24)
WAIT_MAX = timedelta(hours=6)
URGENT_WAIT_MAX = timedelta(hours=1)
IN_A_DECADE_MAX = 40
"""After so many keys above the current one in ten generations a person is needed."""


def failed_attempts(observed: Observed, now: datetime) -> tuple[ProviderKey, ...]:
    """Return the keys of the attempts that failed within the last day; one from the future counts as made now."""
    fence = max(observed.generation(observed.current), observed.generation(observed.previous))
    floor, leaked = 0 if observed.proof is Proof.REFUSED else fence, demanded(observed)
    return tuple(
        key
        for key in observed.keys
        if now - key.created_at < COUNTED_FOR
        and observed.generation_of_key(key) > floor
        and key.key_id not in leaked  # it waits for nobody that a leaked key is replaced
    )


def next_attempt_at(spec: SecretSpec, observed: Observed, now: datetime) -> datetime:
    """Return when the next key may be made: now, if no attempt failed lately."""
    failed = failed_attempts(observed, now)
    if not failed:
        return now
    doubled: int = 2 ** min(len(failed) - 1, 20)
    wait = min(spec.settle * doubled, URGENT_WAIT_MAX if observed.is_unserved() else WAIT_MAX)
    return min(max(key.created_at for key in failed), now) + wait


def back_off_of(spec: SecretSpec, observed: Observed, now: datetime) -> BackOff:
    """Return how many attempts failed lately, and when the next one may be made."""
    return BackOff(len(failed_attempts(observed, now)), next_attempt_at(spec, observed, now))


def is_decade_full(observed: Observed) -> bool:
    """Tell whether so many attempts failed in one decade of generations that another would be in vain."""
    fence = observed.generation(observed.current)
    decade = observed.decade()
    above = [key for key in observed.keys if (made := observed.generation_of_key(key)) > fence and made in decade]
    return len(above) >= IN_A_DECADE_MAX
