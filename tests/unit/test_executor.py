"""The guards of single actions, which no plan of the planner runs into by itself."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.errors import (
    DeadlineExceededError,
    KeyRejectedError,
    KeyStillAliveError,
    RotatorError,
    UnsafeActionError,
)
from rotator.events import Done, Result
from rotator.executor import Executor
from rotator.model import (
    AWSCURRENT,
    AWSPENDING,
    Action,
    Create,
    Discard,
    Holds,
    Observed,
    Plan,
    Promote,
    ProveDead,
    Reason,
    Restamp,
    Revoke,
    Unlabel,
    Verify,
)
from rotator.naming import version_id
from rotator.observer import Reader, observe
from rotator.prover import Prover
from rotator.sandbox.pinata.switches import Delay
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import AT_ONCE, a_spec
from tests.simulation.provider import SimulatedProvider
from tests.simulation.scene import Scene, effects_without_intent
from tests.simulation.store import SimulatedStore
from tests.simulation.world import Boundary, Fault, Operation, Process, calm, just_before, on

FAST = a_spec(grace=AT_ONCE, settle=AT_ONCE)


class Desk:
    """An executor at work in a scene."""

    def __init__(self, scene: Scene, boundary: Boundary = calm, time_left_s: float = 120.0) -> None:
        """Observe the scene."""
        self.scene = scene
        self.process = Process(scene.systems, boundary, time_left_s)
        provider, store = SimulatedProvider(self.process), SimulatedStore(self.process)
        reader = Reader(scene.spec, scene.arn, store, self.process)
        labels = store.describe(scene.arn, self.process)
        self.seen = observe(labels, scene.family, reader, provider, lambda *_: frozenset(), None)
        self.executor = Executor(
            scene.spec,
            scene.systems.now(),
            provider,
            store,
            self.process,
            reader,
            self.process,
            Prover(scene.spec, provider, reader, self.process),
            self.seen,
        )

    def perform(self, *actions: Action, seen: Observed | None = None) -> None:
        """Perform actions as one plan."""
        self.executor.perform(Plan(Reason.FORCED, actions, None), seen or self.seen)

    def new_id(self, generation: int) -> str:
        """Return the id of a new version."""
        return version_id(generation, self.scene.systems.now(), "n" * 10)

    @property
    def current(self) -> str:
        """The id of the current version."""
        return self.scene.labels()[AWSCURRENT]


def test_actions_are_counted_as_they_succeed() -> None:
    """After a failure `done` says how far the plan came."""
    desk = Desk(Scene.own(FAST), on(Operation.TEST_AUTHENTICATION, Fault.LOST))
    new = desk.new_id(2)
    create = Create(new, desk.current)
    with pytest.raises(RotatorError):
        desk.perform(create, Verify(new), Promote(new, desk.current))
    assert desk.executor.done == [create]
    assert desk.executor.observed.pending == desk.executor.observed.version(new)


@pytest.mark.parametrize("generation", [1, 0])
def test_promotion_is_only_upwards(generation: int) -> None:
    """A version that is not above the current one is not promoted, whatever a plan says."""
    scene = Scene.own(FAST)
    own = generation > 0
    pending = version_id(generation, scene.systems.now(), "b" * 10) if own else "0" * 32
    scene.put_raw(scene.value(scene.seed("other")), pending, AWSPENDING)
    desk = Desk(scene)
    with pytest.raises(UnsafeActionError, match="not above"):
        desk.perform(Promote(pending, desk.current))
    assert scene.labels()[AWSPENDING] == pending != desk.current


def test_refreshed_list_holds_ours_alone() -> None:
    """What a verification lists anew is filtered like what was listed at first."""
    scene = Scene.own(a_spec())
    scene.seed(f"{scene.family.prefix}backup")
    desk = Desk(scene)
    new = desk.new_id(2)
    desk.perform(Create(new, desk.current), Verify(new))
    assert all(map(desk.executor.observed.generation_of_key, desk.executor.observed.keys))
    assert len(desk.executor.observed.keys) == 2


def test_version_that_is_not_there_is_not_promoted() -> None:
    """A version that was not observed has no generation."""
    desk = Desk(Scene.own(FAST))
    before = desk.current
    with pytest.raises(UnsafeActionError):
        desk.perform(Promote(desk.new_id(9), before))
    assert desk.current == before


def test_key_in_use_is_not_revoked() -> None:
    """Neither the current key, nor the pending one, nor a protected one is revoked."""
    scene = Scene.own(FAST)
    pending = version_id(2, scene.systems.now(), "b" * 10)
    scene.put_raw(scene.value(scene.seed("x")), pending, AWSPENDING)
    desk = Desk(scene)
    before = scene.live_keys()
    for key_id in (*before, scene.systems.admin.key):
        with pytest.raises(UnsafeActionError, match="in use"):
            desk.perform(Revoke(key_id))
    assert scene.live_keys() == before
    assert Operation.REVOKE_KEY not in desk.process.calls


def test_nothing_is_revoked_without_a_current_version() -> None:
    """An empty secret is no reason to revoke anything."""
    scene = Scene.empty(FAST)
    key = scene.seed("x")
    with pytest.raises(UnsafeActionError, match="in use"):
        Desk(scene).perform(Revoke(key.key))
    assert scene.live_keys() == {key.key}


def test_nothing_is_revoked_if_the_current_value_is_gone() -> None:
    """A current version that can be read no more vouches for nothing."""
    scene = Scene.own(FAST)
    key = scene.seed("x")
    desk = Desk(scene)
    unread = replace(
        desk.seen,
        versions=tuple(replace(v, version_id="gone" * 8) for v in desk.seen.versions),
    )
    with pytest.raises(UnsafeActionError, match="holds no key"):
        desk.perform(Revoke(key.key), seen=unread)
    assert key.key in scene.live_keys()


def test_nothing_is_revoked_if_the_current_key_does_not_work() -> None:
    """The current key is asked just before another one is revoked."""
    scene = Scene.own(FAST)
    key = scene.seed("x")
    desk = Desk(scene)
    scene.revoke(scene.current_key() or "")
    with pytest.raises(KeyRejectedError):
        desk.perform(Revoke(key.key))
    assert key.key in scene.live_keys()


def test_what_is_read_back_must_be_what_was_stored() -> None:
    """A version that holds another token than the one minted for it is not proved."""
    scene = Scene.own(FAST)

    def swap() -> None:
        held = scene.secret.versions[new]
        assert isinstance(held.value, str)
        other = scene.seed("other")
        value = json.dumps(json.loads(held.value) | json.loads(scene.value(other)))
        versions = {**scene.secret.versions, new: replace(held, value=value)}
        scene.systems.secrets[scene.name] = replace(scene.secret, versions=versions)

    desk = Desk(scene, just_before(Operation.GET_VALUE, swap, nth=2))
    new = desk.new_id(2)
    with pytest.raises(KeyRejectedError, match="read back"):
        desk.perform(Create(new, desk.current), Verify(new))


def test_no_action_begins_after_the_deadline() -> None:
    """With no time left nothing is begun."""
    desk = Desk(Scene.own(FAST))
    scene = desk.scene
    scene.passes(timedelta(seconds=120))
    with pytest.raises(DeadlineExceededError, match="Discard"):
        desk.perform(Discard(desk.current))
    assert len(desk.process.calls) == 3


def test_restamp_stores_the_same_value() -> None:
    """A restamped version holds what the current one holds, and no key is made."""
    scene = Scene.own(FAST)
    desk = Desk(scene)
    before = scene.secret.get().value
    keys = scene.live_keys()
    new = desk.new_id(5)
    desk.perform(Restamp(new, desk.current), Promote(new, desk.current))
    assert scene.secret.get().value == before
    assert (scene.labels()[AWSCURRENT], scene.live_keys()) == (new, keys)
    assert AWSPENDING not in scene.labels()
    assert effects_without_intent(desk.process) == []


def test_expectation_matches_what_is_there() -> None:
    """What a run expects after a rotation is what it would observe, but for the dates."""
    scene = Scene.own(FAST)
    desk = Desk(scene)
    new = desk.new_id(2)
    desk.perform(Create(new, desk.current), Verify(new), Promote(new, desk.current))
    expected, fresh = desk.executor.observed, Desk(scene).seen
    assert {v.version_id: v.labels for v in expected.versions} == {
        v.version_id: v.labels for v in fresh.versions
    }
    assert expected.key_inside(expected.current) == fresh.key_inside(fresh.current)
    assert {(k.key_id, k.name, k.state) for k in expected.keys} == {
        (k.key_id, k.name, k.state) for k in fresh.keys
    }


@pytest.mark.parametrize(
    ("fault", "result"),
    [(Fault.LATE, Result.UNKNOWN), (Fault.REJECTED, Result.FAILURE)],
    ids=["late", "rejected"],
)
@pytest.mark.parametrize(
    "operation", [Operation.CREATE_KEY, Operation.PUT_VALUE], ids=["create", "put"]
)
def test_audit_tells_unknown_from_failed(
    fault: Fault, result: Result, operation: Operation
) -> None:
    """A call that may have had an effect is on record as unknown, not as failed."""
    desk = Desk(Scene.own(FAST), on(operation, fault))
    with pytest.raises(RotatorError):
        desk.perform(Create(desk.new_id(2), desk.current))
    results = [e.result for e in desk.process.trail if isinstance(e, Done)]
    assert result in results


def test_promotion_of_a_first_version() -> None:
    """In a secret without a current version there is nothing to replace."""
    scene = Scene.empty(FAST)
    desk = Desk(scene)
    new = desk.new_id(1)
    desk.perform(Create(new, None), Verify(new), Promote(new, None))
    assert scene.labels()[AWSCURRENT] == new
    assert isinstance(desk.executor.observed.version(new).content, Holds)  # type: ignore[union-attr]  # it is there


def test_labels_change_between_two_revocations() -> None:
    """If the labels moved while one key was retired, the next one is not."""
    scene = Scene.own(FAST)
    keys = [
        scene.seed(scene.family.key_name(version_id(1, scene.systems.now(), c * 10))) for c in "xy"
    ]

    def touch() -> None:
        scene.systems.secrets[scene.name] = label_rules.tag(
            scene.secret, scene.systems.now_s, {"any": "tag"}
        )

    desk = Desk(scene, just_before(Operation.REVOKE_KEY, touch))
    with pytest.raises(UnsafeActionError, match="changed"):
        desk.perform(Revoke(keys[0].key), Revoke(keys[1].key))
    assert keys[1].key in scene.live_keys()
    assert keys[0].key not in scene.live_keys()


def test_a_key_that_outlives_its_revocation_is_marked_until_it_is_dead() -> None:
    """Each run asks again and fails; once the key is dead the mark goes, and nothing remains."""
    scene = Scene.own(spec=a_spec(grace=AT_ONCE, settle=AT_ONCE))
    scene.systems.pinata.switches = replace(
        scene.systems.pinata.switches, revocation=Delay(10 * 86_400.0)
    )
    for _ in range(2):
        outcome = scene.run()
        assert isinstance(outcome.error, KeyStillAliveError)
        assert [type(action) for action in scene.preview().actions] == [Revoke, ProveDead, Unlabel]
    scene.systems.pinata.switches = replace(scene.systems.pinata.switches, revocation=Delay())
    assert scene.run().error is None
    settled = scene.run()
    assert (settled.error, settled.actions) == (None, ())
