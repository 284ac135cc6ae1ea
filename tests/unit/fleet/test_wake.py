"""Who sleeps, and who is due, by labels alone."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from rotator.engine.jitter import rotate_after
from rotator.fleet.lookup import Target
from rotator.fleet.wake import Wake, wake
from rotator.model.consumers import EcsService
from rotator.model.naming import since_label, version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, SecretDescription, Version
from rotator.model.secret import SecretSpec
from tests.builders import ARN, NATIVE_ID, NOW, a_spec, a_version, ago, an_observed
from tests.simulated.world import arn_of

SINCE = NOW - timedelta(minutes=1)


def labelled(*versions: Version, changed_at: datetime = ago(days=3)) -> SecretDescription:  # noqa: B008 - a constant
    """Return the labels of a secret."""
    return an_observed(*versions, changed_at=changed_at).description


def current(made_at: datetime, *, generation: int = 4) -> Version:
    """Return a current version of ours, made at a time."""
    return a_version(version_id(generation, made_at, "c" * 10), AWSCURRENT)


def asleep(labels: SecretDescription, spec: SecretSpec | None = None) -> bool:
    """Tell whether a secret sleeps in a tick of the last minute."""
    spec = spec or a_spec(check_every=timedelta(days=9999))
    return wake(Target(spec, labels), now=NOW, since=SINCE) is Wake.ASLEEP


SETTLED = labelled(current(ago(days=3)))


@pytest.mark.parametrize(
    ("labels", "sleeps"),
    [
        pytest.param(SETTLED, True, id="nothing to do"),
        pytest.param(replace(SETTLED, hold=""), False, id="on hold"),
        pytest.param(labelled(), False, id="no value"),
        pytest.param(labelled(a_version(NATIVE_ID, AWSCURRENT)), False, id="not ours"),
        pytest.param(labelled(current(ago(days=3)), a_version(5, AWSPENDING)), False, id="unfinished"),
        pytest.param(labelled(current(ago(days=30)), changed_at=ago(days=30)), False, id="old enough"),
        pytest.param(
            labelled(
                current(NOW - rotate_after(timedelta(days=30), ARN) + timedelta(seconds=1)),
                changed_at=NOW - rotate_after(timedelta(days=30), ARN) + timedelta(seconds=1),
            ),
            True,
            id="not old enough",
        ),
        pytest.param(labelled(current(ago(days=2)), changed_at=ago(days=3)), False, id="a time that is not believed"),
        pytest.param(labelled(current(ago(days=3)), a_version(5, AWSPREVIOUS)), False, id="rolled back"),
        pytest.param(labelled(current(ago(days=3)), a_version(3, AWSPREVIOUS)), True, id="rolled forward"),
        pytest.param(labelled(current(ago(days=3)), changed_at=ago(hours=24)), False, id="grace ends now"),
        pytest.param(
            labelled(current(ago(days=3)), changed_at=ago(hours=24, minutes=1)), True, id="grace ended before this tick"
        ),
        pytest.param(labelled(current(ago(days=3)), changed_at=ago(hours=23)), True, id="grace still runs"),
    ],
)
def test_sleep(labels: SecretDescription, *, sleeps: bool) -> None:
    """A secret sleeps if its labels show nothing that is due, unfinished or about to end."""
    assert asleep(labels) is sleeps


@pytest.mark.parametrize("enabled", [False, True])
def test_version_of_secrets_managers_sleeps(*, enabled: bool) -> None:
    """Where Secrets Manager keeps a schedule, an id of its making wakes a secret at its slot, not at every tick."""
    version = Version(NATIVE_ID, frozenset({AWSCURRENT}))
    labels = replace(labelled(version), rotation_enabled=enabled)
    assert asleep(labels) is enabled
    pending = Version("p" * 36, frozenset({AWSPENDING}))
    assert not asleep(replace(labels, versions=(version, pending)))


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"hold": "incident"}, False),
        ({"changed_at": ago(hours=1)}, False),
        ({"versions": (Version(NATIVE_ID, frozenset({AWSCURRENT})),)}, False),
        ({"versions": (current(ago(days=1)),)}, False),
        ({"versions": (current(ago(days=99)), Version("p" * 36, frozenset({AWSPENDING})))}, False),
        (
            {
                "versions": (
                    current(ago(days=99)),
                    Version(version_id(9, ago(days=9), "b" * 10), frozenset({AWSPREVIOUS})),
                )
            },
            False,
        ),
    ],
    ids=str,
)
def test_due_by_labels_alone(changes: dict[str, Any], *, due: bool) -> None:
    """A version of ours that is too old is due without a closer look, unless its labels show anything else."""
    labels = replace(labelled(current(ago(days=99))), **changes)
    assert (wake(Target(a_spec(), labels), now=NOW, since=NOW) is Wake.DUE) is due


def test_every_secret_wakes_once_per_period() -> None:
    """Over `check_every` each secret is looked at exactly once, and a fleet is spread evenly."""
    spec = a_spec(check_every=timedelta(hours=1))
    ticks = [NOW + timedelta(minutes=minute) for minute in range(61)]
    awake = dict.fromkeys(ticks[1:], 0)
    for number in range(300):
        target = Target(spec, replace(SETTLED, arn=arn_of(f"s{number}")))
        slots = [now for since, now in pairwise(ticks) if wake(target, now=now, since=since) is not Wake.ASLEEP]
        assert len(slots) == 1
        awake[slots[0]] += 1
    assert max(awake.values()) <= 20


@pytest.mark.parametrize(
    ("after", "sleeps"), [(timedelta(hours=-1), True), (timedelta(minutes=30), False), (timedelta(hours=2), True)]
)
def test_consumers_are_asked_at_each_tick_for_an_hour_after_the_grace(after: timedelta, *, sleeps: bool) -> None:
    """A rotation whose service is redeployed is over in minutes; one that is deployed weekly costs a look per slot."""
    promoted_at = NOW - timedelta(hours=24) - after
    version = a_version(version_id(4, promoted_at, "c" * 10), AWSCURRENT, since_label(promoted_at))
    labels = labelled(version, changed_at=promoted_at)
    spec = a_spec(check_every=timedelta(days=9999), consumers=(EcsService("prod", "uploader"),))
    assert asleep(labels, spec) is sleeps
    assert asleep(labels)
    assert asleep(labelled(current(promoted_at), changed_at=promoted_at), spec)


@pytest.mark.parametrize(("redeploy", "sleeps"), [(True, False), (False, True)], ids=["redeployed", "waited for"])
def test_service_to_be_redeployed_is_looked_at_from_the_promotion_on(*, redeploy: bool, sleeps: bool) -> None:
    """Its deployment does not wait for the grace, though the key before does; after an hour a slot is soon enough."""
    promoted_at = NOW - timedelta(minutes=10)
    version = a_version(version_id(4, promoted_at, "c" * 10), AWSCURRENT, since_label(promoted_at))
    consumers = (EcsService("prod", "uploader", redeploy=redeploy),)
    spec = a_spec(check_every=timedelta(days=9999), consumers=consumers)
    assert asleep(labelled(version, changed_at=promoted_at), spec) is sleeps
    earlier = promoted_at - timedelta(hours=1)
    version = a_version(version_id(4, earlier, "c" * 10), AWSCURRENT, since_label(earlier))
    assert asleep(labelled(version, changed_at=earlier), spec)
