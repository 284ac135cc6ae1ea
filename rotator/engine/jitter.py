"""Where a secret stands within its fleet: offsets that are stable, even, and derived from its ARN alone.

A thousand secrets made on one day must not come due, nor be looked up, at one instant. Chance would spread them, too,
but nobody could say afterwards when a secret was due.
"""

import hashlib
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLY_PART = 50
"""A key is replaced up to this part of `max_age` early: 14 hours of 30 days, and nothing of less than a minute."""


def rotate_after(max_age: timedelta, arn: str) -> timedelta:
    """Return the age at which a secret's key is due: never above `max_age`, and a little less for most."""
    return max_age - timedelta(seconds=_offset_s(arn, int(max_age.total_seconds()) // EARLY_PART))


def slot_between(arn: str, every: timedelta, since: datetime, now: datetime) -> bool:
    """Tell whether a secret's own slot, one in each period of `every`, lies in (since, now]."""
    period_s = max(int(every.total_seconds()), 1)
    offset_s = _offset_s(arn, period_s)

    def slots_until(moment: datetime) -> float:
        return ((moment - _EPOCH).total_seconds() - offset_s) // period_s

    return slots_until(now) > slots_until(since)


def _offset_s(arn: str, period_s: int) -> int:
    return int.from_bytes(hashlib.sha256(arn.encode()).digest()[:6]) % max(period_s, 1)
