"""What dies after a plan: told before it is begun."""

from datetime import timedelta

from rotator.engine.forecast import LaterRevocation, later_revocations, moves_on
from rotator.engine.planner import plan
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, OURS, Observed, Proof
from rotator.model.secret import SecretSpec
from tests.builders import AT_ONCE, NOW, a_key, a_spec, a_version, ago, an_observed, own_id

DAY = timedelta(days=1)


def later(spec: SecretSpec, observed: Observed) -> list[tuple[str, timedelta | None]]:
    """Return what dies after the plan for a secret, and how long from now."""
    planned = plan(spec, observed, now=NOW, new_version_id=own_id(9, NOW))
    found = later_revocations(spec, observed, planned, NOW)
    assert all(isinstance(key, LaterRevocation) for key in found)
    return [(key.key_id, key.at - NOW if key.at else None) for key in found]


def test_a_rotation_ends_the_current_key_after_its_grace() -> None:
    """So does a take-over; with no grace it is in the same run."""
    old = ago(days=31)
    aged = an_observed(a_version(4, AWSCURRENT, OURS, made_at=old), keys=[a_key(4, made_at=old)])
    assert later(a_spec(), aged) == [("key-4", DAY)]
    assert later(a_spec(grace=AT_ONCE), aged) == [("key-4", AT_ONCE)]
    assert later(a_spec(), an_observed(a_version("by-hand", AWSCURRENT))) == [("foreign", DAY)]


def test_the_managing_key_dies_later_and_by_another_run() -> None:
    """A run that works with the key it replaces names it; without a grace it is the next run that revokes it."""
    old = ago(days=31)
    aged = an_observed(
        a_version(4, AWSCURRENT, OURS, made_at=old),
        keys=[a_key(4, made_at=old)],
        protected={"key-4", "elsewhere"},
        managing="key-4",
    )
    assert later(a_spec(manages=True), aged) == [("key-4", DAY)]
    assert later(a_spec(manages=True, grace=AT_ONCE), aged) == [("key-4", None)]
    assert later(a_spec(), aged) == []


def test_a_refused_foreign_key_is_not_named() -> None:
    """A key id read from a refused value is only a claim."""
    assert later(a_spec(), an_observed(a_version("by-hand", AWSCURRENT), keys=[], proof=Proof.REFUSED)) == []


def test_a_young_secret_names_what_its_grace_still_keeps() -> None:
    """The time is the end of the grace; without one, it waits for something else than time."""
    versions = a_version(5, AWSCURRENT, OURS), a_version(4, AWSPREVIOUS)
    keys = [a_key(5), a_key(4)]
    assert later(a_spec(), an_observed(*versions, keys=keys, changed_at=ago(hours=1))) == [
        ("key-4", timedelta(hours=23))
    ]
    behind = an_observed(*versions, keys=keys, changed_at=ago(hours=25), behind=["eu-west-1"])
    assert later(a_spec(), behind) == [("key-4", None)]


def test_what_is_revoked_now_is_not_told_twice() -> None:
    """Retiring first, the run revokes the old key, and the current one dies after the next grace."""
    old = ago(days=31)
    versions = a_version(5, AWSCURRENT, OURS, made_at=old), a_version(4, AWSPREVIOUS)
    observed = an_observed(*versions, keys=[a_key(5, made_at=old), a_key(4)], changed_at=ago(hours=25))
    assert moves_on(plan(a_spec(), observed, now=NOW, new_version_id=own_id(9)))
    assert later(a_spec(), observed) == [("key-5", DAY)]


def test_the_key_that_becomes_current_is_not_named() -> None:
    """Neither the pending one, nor the current one under a new version id; a held secret ends nothing."""
    pending = a_version(5, AWSPENDING, made_at=ago(minutes=1))
    observed = an_observed(a_version(4, AWSCURRENT, OURS), pending, keys=[a_key(4), a_key(5)])
    assert later(a_spec(), observed) == [("key-4", DAY)]
    old = ago(days=31)
    crowded = an_observed(a_version(4, AWSCURRENT, OURS, made_at=old), keys=[a_key(4, made_at=old), a_key(5), a_key(6)])
    assert later(a_spec(), crowded) == [("key-5", DAY), ("key-6", DAY)]
    held = an_observed(a_version(4, AWSCURRENT, OURS), a_version(3, AWSPREVIOUS), keys=[a_key(4), a_key(3)], hold="x")
    assert later(a_spec(), held) == []
