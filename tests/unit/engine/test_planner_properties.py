"""What holds for every plan, whatever was observed."""

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import assert_never

from hypothesis import given
from hypothesis import strategies as st

from rotator.engine import effects, rollout
from rotator.engine.planner import plan
from rotator.engine.superseded import superseded_keys
from rotator.model.naming import generation_of_version, since_label, version_id
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    OURS,
    REPLACED_PREFIX,
    HasKey,
    KeyState,
    NoCredential,
    NoValue,
    Observed,
    ProviderKey,
    Version,
)
from rotator.model.plan import (
    Action,
    Create,
    Discard,
    Plan,
    Promote,
    ProveDead,
    Redeploy,
    Restamp,
    Revoke,
    Stamp,
    Tag,
    Unlabel,
    Untag,
    Verify,
)
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, SecretSpec
from tests.builders import AT_ONCE, NATIVE_ID, NOW, a_key, a_spec, a_version, ago, an_observed, own_id

STEPS_MAX = 8
"""More plans than any history of these needs to settle."""
GENERATIONS = range(1, 5)
IDS = (*map(own_id, GENERATIONS), NATIVE_ID, "0" * 32)
KEY_IDS = (*(f"key-{generation}" for generation in GENERATIONS), "foreign", "other", "managing")
LABELS = (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    OURS,
    f"{REPLACED_PREFIX}foreign",
    f"{REPLACED_PREFIX}other",
    f"{REPLACED_PREFIX}managing",
)
FORWARD = (Create, Restamp, Verify, Promote, Discard)
URGENT = {Reason.NO_CURRENT, Reason.KEY_REVOKED, Reason.CONTAINED}
AGES = st.sampled_from([0, 1, 30, 90, 24 * 60, 31 * 24 * 60]).map(lambda m: ago(minutes=m))


@st.composite
def versions(draw: st.DrawFn) -> tuple[Version, ...]:
    """Labels on versions of any kind, each label on one version at most."""
    holders = {label: draw(st.sampled_from([None, *IDS])) for label in LABELS}
    return tuple(
        a_version(
            version_id,
            *(label for label, holder in holders.items() if holder == version_id),
            content=draw(contents(version_id, holders)),
        )
        for version_id in IDS
        if version_id in holders.values()
    )


def contents(version_id: str, holders: dict[str, str | None]) -> st.SearchStrategy[HasKey | NoValue | NoCredential]:
    """What a version of ours may hold, and what one of somebody else's."""
    generation = generation_of_version(version_id)
    ours = [f"key-{g}" for g in GENERATIONS if g <= generation]
    held = st.builds(
        HasKey,
        st.sampled_from(ours or KEY_IDS),
        AGES,
        st.sampled_from([None, NOW + timedelta(days=1), NOW + timedelta(days=300)]),
    )
    if version_id == holders[AWSCURRENT]:
        return held
    return st.one_of(held, held, st.just(NoValue(NOW)), st.just(NoCredential()))


@st.composite
def keys(draw: st.DrawFn) -> tuple[ProviderKey, ...]:
    """What the list may show of our keys."""
    shown = draw(st.lists(st.sampled_from(GENERATIONS), unique=True))
    return tuple(
        a_key(
            generation,
            made_at=draw(AGES),
            state=draw(st.sampled_from(KeyState)),
            uses=draw(st.integers(0, 10)),
            max_uses=draw(st.sampled_from([None, 10])),
        )
        for generation in shown
    )


@st.composite
def histories(draw: st.DrawFn) -> Observed:
    """Anything that may be observed."""
    witnesses = st.dictionaries(st.sampled_from(KEY_IDS), st.sampled_from(KeyState))
    observed = an_observed(
        *draw(versions()),
        keys=draw(keys()),
        changed_at=draw(AGES),
        hold=draw(st.sampled_from([None, None, None, "incident"])),
        protected=draw(st.sets(st.sampled_from(KEY_IDS[4:]))) | {"managing"},
    )
    return replace(observed, witnessed=tuple(draw(witnesses).items()))


SPECS = st.builds(
    a_spec,
    grace=st.sampled_from([AT_ONCE, timedelta(hours=24)]),
    settle=st.sampled_from([AT_ONCE, timedelta(minutes=5)]),
    live_keys_max=st.integers(2, 4),
)
DEMANDS = st.sampled_from(Demand)


def planned(spec: SecretSpec, observed: Observed, demand: Demand, step: int = 0) -> Plan:
    """Return the plan for a history."""
    new = version_id(observed.next_generation(), NOW, f"{step:010}")
    return plan(spec, observed, now=NOW, new_version_id=new, demand=demand)


def revocations(chosen: Plan) -> set[str]:
    """Return the ids of the keys that a plan revokes."""
    return {action.key_id for action in chosen.actions if isinstance(action, Revoke)}


@given(SPECS, histories(), DEMANDS)
def test_keys_in_use_are_never_revoked(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """No plan revokes the key inside AWSCURRENT or AWSPENDING, or a protected one."""
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    assert not revocations(planned(spec, observed, demand)) & (in_use | observed.protected)


@given(SPECS, histories(), DEMANDS)
def test_nothing_above_the_fence_is_revoked(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """What a plan revokes is ours at or below the current generation, or was taken over."""
    fence = observed.generation(observed.current)
    for key_id in revocations(planned(spec, observed, demand)):
        key = observed.key(key_id)
        if key is None:
            assert key_id in observed.replaced_key_ids()
        else:
            assert 0 < observed.generation_of_key(key) <= fence


@given(SPECS, histories(), DEMANDS)
def test_nothing_is_revoked_inside_its_grace(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """Only a leak shortens a grace."""
    waits = NOW - observed.description.changed_at < spec.grace
    if waits and demand in {Demand.DUE, Demand.FORCED}:
        assert not revocations(planned(spec, observed, demand))


@given(SPECS, histories(), DEMANDS, st.booleans())
def test_nothing_is_revoked_while_a_replica_is_behind(
    spec: SecretSpec, observed: Observed, demand: Demand, failed: bool
) -> None:
    """Only a leak does not wait for a replica; and what waits is told, unless something else is the matter."""
    behind = frozenset({"eu-west-1"})
    labels = replace(observed.description, replicas_behind=behind, replicas_failed=behind if failed else frozenset())
    if demand in {Demand.DUE, Demand.FORCED, Demand.NATIVE}:
        before, after = (planned(spec, seen, demand) for seen in (observed, replace(observed, description=labels)))
        assert not any(isinstance(action, Revoke) for action in after.actions)
        # One that seems dead is revoked once more before its label goes; while that waits, nothing lives on.
        if any(isinstance(action, Revoke) and observed.is_live(action.key_id) for action in before.actions):
            assert after.reason in {Reason.REPLICA_BEHIND, Reason.REPLICA_STUCK} or before.reason not in {
                Reason.UP_TO_DATE,
                Reason.OUTSIDE_WINDOW,
                Reason.RETIRE_FIRST,
            }


@given(SPECS, histories(), DEMANDS)
def test_hold_means_no_action(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """A held secret is left alone, whatever else is the matter."""
    held = replace(observed, description=replace(observed.description, hold=""))
    chosen = planned(spec, held, demand)
    assert (chosen.reason, chosen.actions) == (Reason.ON_HOLD, ())


@given(SPECS, histories(), DEMANDS)
def test_a_plan_moves_forward_or_retires(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """No plan does both, and each revocation is followed by its proof."""
    actions = planned(spec, observed, demand).actions
    forward = [action for action in actions if isinstance(action, FORWARD)]
    assert forward == [] or len(forward) == len(actions)
    for revoke, proof in pairwise(actions):
        if isinstance(revoke, Revoke):
            assert proof == ProveDead(revoke.key_id)
    assert not isinstance(actions[-1] if actions else None, Revoke)


@given(SPECS, histories(), DEMANDS)
def test_current_only_ever_moves_up(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """What is promoted has a higher generation than the current version, which the plan names."""
    current = observed.current
    for action in planned(spec, observed, demand).actions:
        if isinstance(action, Promote):
            pending = observed.version(action.version_id)
            promoted = observed.generation(pending) or generation_of_version(action.version_id)
            assert promoted > observed.generation(current)
            assert action.replacing == (current.version_id if current else None)


@given(SPECS, histories(), DEMANDS)
def test_a_new_generation_is_above_everything_seen(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """A new version has a generation that no version and no key had, live or not."""
    for action in planned(spec, observed, demand).actions:
        if isinstance(action, Create | Restamp):
            assert generation_of_version(action.version_id) > observed.next_generation() - 1


@given(SPECS, histories(), DEMANDS)
def test_room_is_kept(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """No key is made beyond `live_keys_max`, unless consumers have no good one."""
    chosen = planned(spec, observed, demand)
    makes_one = any(isinstance(action, Create) for action in chosen.actions)
    if makes_one and chosen.reason not in URGENT:
        assert len(observed.live_keys()) < spec.live_keys_max


@given(SPECS, histories(), DEMANDS)
def test_equal_histories_have_equal_plans(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """The order in which the two systems list things is of no account."""
    shuffled = replace(observed, versions=observed.versions[::-1], keys=observed.keys[::-1])
    assert planned(spec, observed, demand) == planned(spec, shuffled, demand)


@given(histories())
def test_a_stale_list_retires_nothing_more(observed: Observed) -> None:
    """If the list leaves a key out, no other key may be retired because of it."""
    for missing in observed.keys:
        stale = replace(observed, keys=tuple(key for key in observed.keys if key is not missing))
        assert set(superseded_keys(stale)) <= set(superseded_keys(observed))


@given(SPECS, histories(), DEMANDS)
def test_plans_settle(spec: SecretSpec, observed: Observed, demand: Demand) -> None:
    """If every action does what it says, a few plans leave nothing to do, or a person to ask."""
    for step in range(STEPS_MAX):
        chosen = planned(spec, observed, demand, step)
        if not chosen.actions:
            return
        for action in chosen.actions:
            observed = performed(action, observed)
            if isinstance(action, Promote):
                demand = Demand.DUE
    raise AssertionError(f"still at work after {STEPS_MAX} plans: {chosen}")


def performed(action: Action, observed: Observed) -> Observed:  # noqa: C901, PLR0911 - one return for each action
    """Return what both systems look like after an action without faults."""
    match action:
        case Create(version_id=new):
            key = a_key(9, f"new-{new}", name=observed.family.key_name(new), made_at=NOW)
            minted = effects.minted(observed, key)
            return stored(minted, new, HasKey(key.key_id, NOW, None))
        case Restamp(version_id=new):
            assert observed.current is not None
            assert isinstance(observed.current.content, HasKey)
            content = replace(observed.current.content, created_at=NOW)
            return stored(observed, new, content)
        case Promote(version_id=new, replacing=replaced):
            promoted = effects.promoted(observed, new, replaced, NOW)
            return effects.without_label(promoted, AWSPENDING)
        case Discard(version_id=_):
            return effects.without_label(observed, AWSPENDING)
        case Unlabel(label=label):
            return effects.without_label(observed, label)
        case Stamp(version_id=version_id, promoted_at=promoted_at):
            return effects.with_label(observed, version_id, since_label(promoted_at))
        case Tag(text=text):
            return effects.demanding(observed, text)
        case Untag():
            return effects.demanding(observed, None)
        case Revoke(key_id=key_id):
            return effects.revoked(observed, key_id)
        case Redeploy(service=service):
            return rollout.begun(observed, service)
        case Verify() | ProveDead():
            return observed
        case _:
            assert_never(action)


def stored(observed: Observed, new: str, content: HasKey) -> Observed:
    """Return the state after a Put, with the labels that tell what it takes over from."""
    labels: set[str] = set()
    if observed.generation(observed.current) == 0:
        held = observed.key_inside(observed.current)
        labels = {OURS, REPLACED_PREFIX + held} if held else {OURS}
    for label in labels:
        observed = effects.without_label(observed, label)
    return effects.pending(observed, new, frozenset(labels), content)
