"""The guards of single actions, which no plan of the planner runs into by itself."""

import json
from dataclasses import dataclass, replace
from datetime import timedelta

import pytest

from rotator.engine import effects
from rotator.engine.executor import Executor
from rotator.engine.observer import Observer, Reader
from rotator.engine.run import Run, World
from rotator.model.errors import (
    DeadlineExceededError,
    KeyRejectedError,
    KeyStillAliveError,
    RotatorError,
    StoppedError,
    StoreDeniedError,
    UnsafeActionError,
)
from rotator.model.events import Done, Event, Intent, Result, Subject
from rotator.model.events import Operation as Audited
from rotator.model.naming import since_label, version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, REPLACED_PREFIX, HasKey, KeyState, Observed
from rotator.model.plan import (
    Action,
    Create,
    Discard,
    OutcomeKind,
    Plan,
    Promote,
    ProveDead,
    Restamp,
    Revoke,
    Unlabel,
    Verify,
)
from rotator.model.reasons import Reason
from rotator.model.secret import Demand
from rotator.sandbox.pinata.switches import Delay, Switches
from rotator.sandbox.secrets_manager import replicas
from rotator.sandbox.secrets_manager import rules as label_rules
from rotator.sandbox.secrets_manager.state import ReplicaStatus
from tests.builders import AT_ONCE, a_spec
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.scene import Scene, effects_without_intent, events
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Boundary, Fault, Operation, Process, calm, just_before, on

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
        run = Run(scene.systems.now(), "n" * 10, Demand.DUE, self.process, self.process.now)
        self.seen = Observer(scene.family, reader, provider, SimulatedConsumers(self.process), run).look(
            labels, lambda *_: frozenset(), None
        )
        self.executor = Executor(
            scene.spec,
            World("rotator", provider, store, self.process, lambda *_: frozenset(), SimulatedConsumers(self.process)),
            run,
            self.process,
            reader,
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
    desk = Desk(Scene.own(FAST), on(Operation.TEST_AUTHENTICATION, Fault.LOST, nth=2))
    new = desk.new_id(2)
    create = Create(new, desk.current, new)
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
    with pytest.raises(UnsafeActionError, match=r"^refused to promote: its .* current one's$"):
        desk.perform(Promote(pending, desk.current))
    assert scene.labels()[AWSPENDING] == pending != desk.current


def test_refreshed_list_holds_ours_alone() -> None:
    """What a verification lists anew is filtered like what was listed at first."""
    scene = Scene.own(a_spec())
    scene.seed(f"{scene.family.prefix}backup")
    desk = Desk(scene)
    new = desk.new_id(2)
    desk.perform(Create(new, desk.current, new), Verify(new))
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
    unread = replace(desk.seen, versions=tuple(replace(v, version_id="gone" * 8) for v in desk.seen.versions))
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
    with pytest.raises(KeyRejectedError, match=r"^what was read back from Secrets Manager .* stored$"):
        desk.perform(Create(new, desk.current, new), Verify(new))


def test_no_action_begins_after_the_deadline() -> None:
    """With no time left nothing is begun."""
    desk = Desk(Scene.own(FAST))
    scene = desk.scene
    scene.passes(timedelta(seconds=120))
    with pytest.raises(DeadlineExceededError, match="Discard"):
        desk.perform(Discard(desk.current))
    assert len(desk.process.calls) == 4


def test_no_action_begins_once_told_to_stop() -> None:
    """The action at work is ended, making a key together with storing it; the next one is not begun."""
    desk = Desk(Scene.own(FAST))
    told = iter([False, True])
    desk.executor.run = replace(desk.executor.run, stopping=lambda: next(told))
    new, old = desk.new_id(2), desk.scene.labels()[AWSCURRENT]
    with pytest.raises(StoppedError, match="before Verify"):
        desk.perform(Create(new, old, new), Verify(new), Promote(new, old))
    assert desk.executor.done == [Create(new, old, new)]
    assert desk.scene.labels()[AWSPENDING] == new
    assert desk.scene.labels()[AWSCURRENT] == old
    desk.executor.run = replace(desk.executor.run, stopping=lambda: True)
    with pytest.raises(StoppedError, match="before Create"):
        desk.perform(Create(desk.new_id(3), old, desk.new_id(3)))
    assert len(desk.scene.live_keys()) == 2


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
    desk.perform(Create(new, desk.current, new), Verify(new), Promote(new, desk.current))
    expected, fresh = desk.executor.observed, Desk(scene).seen
    assert {v.version_id: v.labels for v in expected.versions} == {v.version_id: v.labels for v in fresh.versions}
    assert expected.key_inside(expected.current) == fresh.key_inside(fresh.current)
    assert {(k.key_id, k.name, k.state) for k in expected.keys} == {(k.key_id, k.name, k.state) for k in fresh.keys}


@pytest.mark.parametrize(
    ("fault", "result"), [(Fault.LATE, Result.UNKNOWN), (Fault.REJECTED, Result.FAILURE)], ids=["late", "rejected"]
)
@pytest.mark.parametrize("operation", [Operation.CREATE_KEY, Operation.PUT_VALUE], ids=["create", "put"])
def test_audit_tells_unknown_from_failed(fault: Fault, result: Result, operation: Operation) -> None:
    """A call that may have had an effect is on record as unknown, not as failed."""
    desk = Desk(Scene.own(FAST), on(operation, fault))
    with pytest.raises(RotatorError):
        desk.perform(Create(desk.new_id(2), desk.current, desk.new_id(2)))
    results = [e.result for e in desk.process.trail if isinstance(e, Done)]
    assert result in results


def test_promotion_of_a_first_version() -> None:
    """In a secret without a current version there is nothing to replace."""
    scene = Scene.empty(FAST)
    desk = Desk(scene)
    new = desk.new_id(1)
    desk.perform(Create(new, None, new), Verify(new), Promote(new, None))
    assert scene.labels()[AWSCURRENT] == new
    assert isinstance(desk.executor.observed.version(new).content, HasKey)  # type: ignore[union-attr]  # it is there


def test_a_promotion_stands_whose_label_had_no_answer() -> None:
    """The since label cannot be put at first: the run stamps it once more, and says that it has rotated."""
    scene = Scene.own(a_spec())
    outcome = scene.run(boundary=on(Operation.ATTACH, Fault.LOST))
    assert (outcome.kind, outcome.error) == (OutcomeKind.ROTATED, None)
    assert any(label.startswith("rotator:since:") for label in scene.labels())


def test_a_label_that_may_not_be_put_is_told() -> None:
    """AWSCURRENT has moved; that the identity may not put labels is an error all the same."""
    scene = Scene.own(a_spec())
    before = scene.labels()[AWSCURRENT]
    outcome = scene.run(boundary=on(Operation.ATTACH, Fault.DENIED))
    assert isinstance(outcome.error, StoreDeniedError)
    assert scene.labels()[AWSCURRENT] != before


def test_labels_change_between_two_revocations() -> None:
    """If a since label appears while one key is retired, no other one dies."""
    scene = Scene.own(FAST)
    keys = [scene.seed(scene.family.key_name(version_id(1, scene.systems.now(), c * 10))) for c in "xy"]

    def touch() -> None:
        current = scene.labels()[AWSCURRENT]
        label = since_label(scene.systems.now())
        scene.systems.secrets[scene.name] = label_rules.move_label(
            scene.secret, scene.systems.now_s, label, move_to=current, remove_from=None
        )

    desk = Desk(scene, just_before(Operation.REVOKE_KEY, touch))
    with pytest.raises(UnsafeActionError, match=r"^refused to revoke .*: the secret changed .* at work$"):
        desk.perform(Revoke(keys[0].key), Revoke(keys[1].key))
    assert keys[1].key in scene.live_keys()
    assert keys[0].key not in scene.live_keys()


def test_a_key_that_outlives_its_revocation_is_marked_until_it_is_dead() -> None:
    """Each run asks again and fails; once the key is dead the mark goes, and nothing remains."""
    scene = Scene.own(spec=a_spec(grace=AT_ONCE, settle=AT_ONCE))
    scene.systems.pinata.switches = replace(scene.systems.pinata.switches, revocation=Delay(10 * 86_400.0))
    for _ in range(2):
        outcome = scene.run()
        assert isinstance(outcome.error, KeyStillAliveError)
        assert [type(action) for action in scene.preview().actions] == [Revoke, ProveDead, Unlabel]
    scene.systems.pinata.switches = replace(scene.systems.pinata.switches, revocation=Delay())
    assert scene.run().error is None
    settled = scene.run()
    assert (settled.error, settled.actions) == (None, ())


def test_a_marked_key_is_revoked_again_wherever_its_token_is() -> None:
    """A key that outlived its revocation two rotations later is asked about, for its own version is still labelled."""
    scene = Scene.own(spec=a_spec(settle=AT_ONCE))
    first = scene.current_key()
    scene.run()
    scene.systems.pinata.switches = replace(scene.systems.pinata.switches, revocation=Delay(10 * 86_400.0))
    scene.contain()
    outcome = scene.run()
    assert isinstance(outcome.error, KeyStillAliveError)
    scene.passes(timedelta(days=1, minutes=1))
    assert Revoke(first or "") in scene.preview().actions
    scene.systems.pinata.switches = replace(scene.systems.pinata.switches, revocation=Delay())
    assert scene.run().error is None
    assert scene.is_settled()


def about(desk: Desk) -> list[tuple[type[Event], Audited, Subject]]:
    """Return what the trail says was intended and done, and to what."""
    return [
        (type(event), event.operation, event.subject)
        for event in events(desk.process)
        if isinstance(event, Intent | Done)
    ]


def both(operation: Audited, subject: Subject) -> list[tuple[type[Event], Audited, Subject]]:
    """Return an intent and an outcome that are about the same."""
    return [(Intent, operation, subject), (Done, operation, subject)]


def details(desk: Desk) -> list[str]:
    """Return what was learned from each call."""
    return [event.detail for event in events(desk.process) if isinstance(event, Done)]


def test_trail_says_what_each_step_of_a_rotation_is_about() -> None:
    """Version, key, name and label stand in every record to which they apply, and nothing else does."""
    scene = Scene.own(FAST)
    desk = Desk(scene)
    old, new = scene.current_key() or "", desk.new_id(2)
    names = scene.systems.pinata.keys
    begun = Create(new, desk.current, new), Verify(new), Promote(new, desk.current)
    desk.perform(*begun)
    desk.perform(Revoke(old), ProveDead(old), seen=desk.executor.observed)
    key, name = scene.current_key() or "", scene.family.key_name(new)
    assert about(desk) == [
        (Intent, Audited.CREATE_KEY, Subject(version_id=new, key_name=name)),
        (Done, Audited.CREATE_KEY, Subject(new, key, name)),
        *both(Audited.PUT_PENDING, Subject(new, key, name)),
        *both(Audited.VERIFY_KEY, Subject(new, key, name)),
        *both(Audited.PROMOTE, Subject(new, key, label=AWSCURRENT)),
        *both(Audited.UNLABEL, Subject(new, label=AWSPENDING)),
        *both(Audited.REVOKE_KEY, Subject(key_id=old, key_name=names[old].name)),
        *both(Audited.PROVE_DEAD, Subject(key_id=old, key_name=names[old].name)),
    ]
    *others, proof = details(desk)
    assert set(others) == {""}
    assert proof.startswith("listed as revoked, its token is refused; dead within ")


def test_trail_says_what_the_steps_of_a_first_key_are_about() -> None:
    """The first key of a secret is verified before it is stored, and the record says which."""
    scene = Scene.empty(FAST)
    desk = Desk(scene)
    new = desk.new_id(1)
    desk.perform(Create(new, None, new))
    subject = Subject(new, scene.current_key() or "", scene.family.key_name(new))
    assert about(desk)[1:] == [
        (Done, Audited.CREATE_KEY, subject),
        *both(Audited.VERIFY_KEY, subject),
        *both(Audited.PUT_PENDING, subject),
    ]


def test_trail_of_a_foreign_key_has_no_name() -> None:
    """A key that our list does not show is known by its id alone."""
    scene = Scene.own(FAST)
    foreign = scene.seed("made by hand").key
    pending = version_id(2, scene.systems.now(), "b" * 10)
    scene.put_raw(scene.value(scene.seed("also")), pending, AWSPENDING)
    held = scene.key_in(AWSPENDING) or ""
    desk = Desk(scene)
    desk.perform(Verify(pending), Revoke(foreign), ProveDead(foreign))
    assert about(desk) == [
        *both(Audited.VERIFY_KEY, Subject(pending, held)),
        *both(Audited.REVOKE_KEY, Subject(key_id=foreign)),
        *both(Audited.PROVE_DEAD, Subject(key_id=foreign)),
    ]


def test_trail_says_what_a_restamp_is_about() -> None:
    """The record names the new version and the key that stays; the expiry is that of the token."""
    scene = Scene.own(FAST)
    desk = Desk(scene)
    new, key = desk.new_id(5), scene.current_key() or ""
    before = desk.seen.current
    desk.perform(Restamp(new, desk.current))
    assert about(desk) == both(Audited.PUT_PENDING, Subject(new, key))
    after = desk.executor.observed.pending
    assert before
    assert after
    assert isinstance(before.content, HasKey)
    assert after.content == replace(before.content, created_at=desk.executor.run.now)


def test_restamp_copies_the_version_it_was_planned_for() -> None:
    """What is put once more is what the plan names, wherever AWSCURRENT is by now."""
    scene = Scene.own(FAST)
    desk = Desk(scene)
    planned = desk.current
    value = scene.secret.get().value
    scene.edit(scene.seed("made by hand"))
    desk.perform(Restamp(desk.new_id(5), planned))
    assert scene.secret.get(label=AWSPENDING).value == value


def test_refused_put_is_on_record_with_the_revocation_it_caused() -> None:
    """The key that could not be stored is named in both, and expected to be dead."""
    scene = Scene.own(FAST)
    desk = Desk(scene, on(Operation.PUT_VALUE, Fault.REJECTED))
    new = desk.new_id(2)
    with pytest.raises(RotatorError) as refused:
        desk.perform(Create(new, desk.current, new))
    (key,) = (k for k in desk.executor.observed.keys if k.name == scene.family.key_name(new))
    assert key.state is KeyState.REVOKED
    assert key.key_id not in scene.live_keys()
    assert about(desk)[2:] == [
        *both(Audited.PUT_PENDING, Subject(new, key.key_id, key.name)),
        *both(Audited.REVOKE_KEY, Subject(key_id=key.key_id, key_name=key.name)),
    ]
    put, ends = refused.value.message.split("; ")
    assert details(desk) == ["", put, ""]
    assert ends == f"key {key.key_id}, made for it, was revoked again, by Pinata's answer"


def test_limit_of_uses_is_asked_for() -> None:
    """A key is minted with the uses the specification gives it."""
    scene = Scene.own(replace(FAST, max_uses=7))
    desk = Desk(scene)
    desk.perform(Create(desk.new_id(2), desk.current, desk.new_id(2)))
    assert {k.max_uses for k in scene.systems.pinata.keys.values() if k.max_uses} == {7}


@dataclass(frozen=True)
class Left:
    """A deadline that stands still."""

    seconds: float

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.seconds


def test_last_instant_is_too_late_and_half_a_second_is_not() -> None:
    """An action begins as long as any time is left."""
    scene = Scene.own(FAST)
    scene.put_raw(scene.value(scene.seed("x")), "p" * 32, AWSPENDING)
    desk = Desk(scene)
    desk.executor.deadline = Left(0.0)
    with pytest.raises(DeadlineExceededError, match="Discard"):
        desk.perform(Discard("p" * 32))
    desk.executor.deadline = desk.process
    desk.process.time_left_s -= desk.process.remaining_s() - 0.5
    desk.perform(Discard("p" * 32))
    assert AWSPENDING not in scene.labels()


def test_half_of_a_short_timeout_must_be_left() -> None:
    """With less nothing is made, and the message says how much it would take."""
    desk = Desk(Scene.own(replace(FAST, timeout=timedelta(seconds=12))), time_left_s=5.0)
    with pytest.raises(DeadlineExceededError, match="no key was made: 6 s must be left"):
        desk.perform(Create(desk.new_id(2), desk.current, desk.new_id(2)))
    assert Operation.CREATE_KEY not in desk.process.calls


@pytest.mark.parametrize("status", [ReplicaStatus.IN_PROGRESS, ReplicaStatus.FAILED])
def test_nothing_is_revoked_while_a_replica_is_behind(status: ReplicaStatus) -> None:
    """Whatever was planned; the message names the region. A leaked key is no reason to wait."""
    scene = Scene.own(FAST)
    key = scene.seed("x").key
    secret = replicas.replicate(scene.secret, ["eu-west-1", "us-east-1"])
    scene.systems.secrets[scene.name] = replicas.set_status(secret, "eu-west-1", status)
    desk = Desk(scene)
    with pytest.raises(UnsafeActionError, match="the replica in eu-west-1 is behind"):
        desk.perform(Revoke(key))
    assert key in scene.live_keys()
    desk.perform(Revoke(key), seen=effects.demanding(desk.seen, f"{key} it was in a log"))
    assert key not in scene.live_keys()


def test_replica_that_falls_behind_stops_a_further_revocation() -> None:
    """Before each further key dies the secret is described again."""
    scene = Scene.own(FAST)
    keys = [scene.seed(name).key for name in "xy"]
    scene.systems.secrets[scene.name] = replicas.replicate(scene.secret, ["eu-west-1"])

    def boundary(operation: Operation) -> Fault | None:
        if operation is Operation.REVOKE_KEY:
            scene.systems.secrets[scene.name] = replicas.set_status(
                scene.secret, "eu-west-1", ReplicaStatus.IN_PROGRESS
            )
        return None

    with pytest.raises(UnsafeActionError, match="the secret changed"):
        Desk(scene, boundary).perform(*map(Revoke, keys))
    assert scene.live_keys() & set(keys) == {keys[1]}


def test_time_to_death_runs_from_the_revocation() -> None:
    """What is on record is how long the key has outlived the answer to its revocation."""
    scene = Scene.own(FAST, Switches(revocation=Delay(3.0)))
    ours, foreign = scene.labels()[AWSCURRENT], scene.seed("made by hand")
    scene.edit(foreign)
    scene.move(AWSCURRENT, ours, scene.labels()[AWSCURRENT])
    desk = Desk(scene)
    desk.perform(Revoke(foreign.key), ProveDead(foreign.key))
    died_s = float(details(desk)[-1].rpartition("dead within ")[2].removesuffix(" s"))
    assert died_s >= 3.0


def test_trail_says_which_key_outlived_its_revocation() -> None:
    """The record names the version that is marked, the key that still works, and the mark; so does the expectation."""
    scene = Scene.own(FAST, Switches(revocation=Delay(3600.0)))
    foreign = scene.seed("made by hand").key
    scene.put_raw(scene.value(scene.systems.pinata.keys[foreign]), "f" * 32, AWSPREVIOUS)
    desk = Desk(scene)
    with pytest.raises(KeyStillAliveError):
        desk.perform(Revoke(foreign), ProveDead(foreign))
    label = REPLACED_PREFIX + foreign
    assert about(desk)[-2:] == both(Audited.LABEL, Subject(desk.current, foreign, label=label))
    assert scene.labels()[label] == desk.current
    assert desk.executor.observed.current
    assert desk.executor.observed.current.replaced() == (foreign,)


def test_trail_of_a_promotion_names_no_key_that_was_not_read() -> None:
    """A version whose value no rule has needed yet is named by its id alone."""
    scene = Scene.own(FAST)
    unread = version_id(2, scene.systems.now(), "b" * 10)
    scene.put_raw(scene.value(scene.seed("x")), unread, "custom")
    desk = Desk(scene)
    desk.perform(Promote(unread, desk.current))
    assert about(desk)[0] == (Intent, Audited.PROMOTE, Subject(unread, label=AWSCURRENT))
    assert scene.labels()[AWSCURRENT] == unread
