"""What labels call asleep, the planner has no action for."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.engine.planner import plan
from rotator.fleet.lookup import Target
from rotator.fleet.wake import Wake, wake
from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, OURS, KeyState, Observed
from rotator.model.plan import Plan
from rotator.model.secret import SecretSpec
from tests.builders import AT_ONCE, FAMILY, NOW, a_key, a_spec, a_version, ago, an_observed

CURRENT = 5
SPECS = st.builds(
    a_spec,
    grace=st.sampled_from([AT_ONCE, timedelta(hours=1), timedelta(hours=24)]),
    max_age=st.sampled_from([timedelta(hours=30), timedelta(days=30)]),
    check_every=st.sampled_from([timedelta(hours=1), timedelta(days=400)]),
    live_keys_max=st.integers(2, 3),
)
AROUND = st.sampled_from([-61, -3, -1, 1, 3, 61, 25 * 60]).map(lambda minutes: timedelta(minutes=minutes))
"""How long ago something ended, or in how long it ends."""
TICKS = st.sampled_from([5, 60, 26 * 60]).map(lambda minutes: ago(minutes=minutes))


@st.composite
def histories(draw: st.DrawFn) -> tuple[SecretSpec, Observed]:
    """A secret of ours as a run may have left it, with nothing in it that labels could not show.

    Left out is what only the provider knows (uses, a key that was never stored, one that somebody revoked), what only
    a value tells (its expiry), and what DescribeSecret alone tells (replicas): the slots of `check_every` are for it.
    """
    spec = draw(SPECS)
    made_at = NOW - max(AT_ONCE, spec.max_age * draw(st.sampled_from([0, 1])) + draw(AROUND))
    generations = {AWSCURRENT: CURRENT, AWSPREVIOUS: draw(st.sampled_from([None, 3, 4, 6]))}
    generations[AWSPENDING] = draw(st.sampled_from([None, None, None, 6]))
    versions, keys = [], []
    for label, generation in generations.items():
        if generation is None:
            continue
        born_at = made_at if label == AWSCURRENT else made_at - timedelta(hours=30)
        name = version_id(generation, born_at, f"{generation:010}")
        labels = {label, *([OURS] if draw(st.booleans()) else [])}
        version = a_version(generation, *labels, key=f"key-{generation}", made_at=born_at)
        versions.append(replace(version, version_id=name))
        state = KeyState.LIVE if label == AWSCURRENT else draw(st.sampled_from(KeyState))
        keys.append(a_key(generation, name=FAMILY.key_name(name), made_at=born_at, state=state))
    changed_at = NOW - max(AT_ONCE, spec.grace + draw(AROUND))
    hold = draw(st.sampled_from([None, None, None, "incident"]))
    return spec, an_observed(*versions, keys=keys, changed_at=max(made_at, changed_at), hold=hold)


@settings(max_examples=500)  # a secret is asleep in one of ten
@given(histories(), TICKS)
def test_asleep_means_that_nothing_is_to_be_done(history: tuple[SecretSpec, Observed], since: datetime) -> None:
    """If a secret is asleep from one tick to the next, and the planner had nothing to do then, it has nothing now."""
    spec, observed = history
    asleep = wake(Target(spec, observed.description), now=NOW, since=since) is Wake.ASLEEP
    if asleep and not _plan(spec, observed, since).actions:
        assert _plan(spec, observed, NOW).actions == ()


@given(histories())
def test_due_means_that_a_key_is_made(history: tuple[SecretSpec, Observed]) -> None:
    """What labels call due, the planner makes a key for, or first retires the one before."""
    spec, observed = history
    if wake(Target(spec, observed.description), now=NOW, since=NOW) is Wake.DUE:
        assert _plan(spec, observed, NOW).actions


def _plan(spec: SecretSpec, observed: Observed, now: datetime) -> Plan:
    return plan(spec, observed, now=now, new_version_id=version_id(9, NOW, "n" * 10))
