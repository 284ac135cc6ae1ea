"""The four steps of Secrets Manager's own rotation, step by step over the simulated systems."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.engine.conditions import Situation
from rotator.engine.native import Rotation, Step, is_finished, plan_step
from rotator.model.errors import EventError
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, NoCredential, NoValue, Observed
from rotator.model.plan import Create, Outcome, OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.secret import Demand
from rotator.model.tags import HOLD_TAG
from rotator.sandbox.secrets_manager import rules
from rotator.sandbox.secrets_manager.state import RotationStart
from tests.builders import NOW, a_key, a_spec, a_version, an_observed
from tests.exploration.instances import Start
from tests.exploration.native import begun, invoke
from tests.simulated.scene import AT_ONCE, Scene
from tests.simulated.store import labels_of
from tests.simulated.world import Fault, Operation, Process, on

TOKEN = "6f1f4a1c-2f0e-4f5a-9a77-0c1d2e3f4a5b"


def rotating(scene: Scene) -> Scene:
    """Let Secrets Manager begin a rotation."""
    begun(scene.systems, scene.name, TOKEN)
    return scene


def do(scene: Scene, *steps: Step, token: str = TOKEN) -> Outcome:
    """Do some steps, each as an invocation of its own; return the last outcome."""
    outcome = None
    for step in steps:
        process = scene.last = Process(scene.systems)
        start = Start(Demand.NATIVE, scene.systems.now_s, "n" * 10)
        outcome = invoke(process, scene.spec, start, Rotation(step, token))
    assert outcome is not None
    return outcome


def labels(scene: Scene) -> dict[str, str]:
    """Return which version carries each label."""
    return dict(scene.systems.secrets[scene.name].labels)


@pytest.mark.parametrize("begin", [Scene.own, Scene.hand_made, Scene.empty])
def test_four_steps_rotate(begin: Callable[..., Scene]) -> None:
    """After the four steps the token is current and nothing else is pending; a tick leaves one live key."""
    scene = rotating(begin(a_spec()))
    assert do(scene, *Step).kind in {OutcomeKind.ROTATED, OutcomeKind.UP_TO_DATE}
    assert labels(scene)[AWSCURRENT] == TOKEN
    assert labels(scene).get(AWSPENDING, TOKEN) == TOKEN  # on a first version it stays
    scene.systems.now_s += scene.spec.grace.total_seconds() + 60
    scene.run()
    assert scene.is_settled()


def test_every_step_may_be_repeated() -> None:
    """Each step twice leaves what each step once leaves: one new key."""
    scene = rotating(Scene.own(a_spec()))
    before = len(scene.systems.pinata.keys)
    for step in Step:
        do(scene, step, step)
    assert len(scene.systems.pinata.keys) == before + 1
    assert labels(scene)[AWSCURRENT] == TOKEN
    for step in Step:
        assert do(scene, step).kind is OutcomeKind.UP_TO_DATE


def test_finish_without_a_test_proves_the_key() -> None:
    """A finishSecret promotes nothing whose key does not work, tested or not."""
    scene = rotating(Scene.own(a_spec(verify_timeout=timedelta(seconds=1))))
    do(scene, Step.CREATE)
    current = labels(scene)[AWSCURRENT]
    newest = list(scene.systems.pinata.keys.values())[-1]
    scene.systems.pinata.keys[newest.key] = replace(newest, jwt=newest.jwt[:-4] + "AAAA")
    assert do(scene, Step.FINISH).kind is OutcomeKind.FAILED
    assert labels(scene)[AWSCURRENT] == current


@pytest.mark.parametrize("on_promotion", ["kept", "removed"])
def test_both_end_states_are_finished(on_promotion: str) -> None:
    """A token that is current is finished, whether AWSPENDING is still on it or not."""
    scene = rotating(Scene.own(a_spec()))
    do(scene, *Step)
    if on_promotion == "kept":
        secret = scene.systems.secrets[scene.name]
        scene.systems.secrets[scene.name] = rules.move_label(secret, scene.systems.now_s, AWSPENDING, move_to=TOKEN)
    for step in Step:
        assert do(scene, step).kind is OutcomeKind.UP_TO_DATE
        assert len(scene.last.calls) == 1


def test_empty_version_is_tested_by_the_current_one() -> None:
    """With `RotateImmediately=False` testSecret comes first and alone: it proves the current key, and makes none."""
    for begin in (Scene.own, Scene.hand_made, Scene.empty):
        scene = rotating(begin(a_spec()))
        before = len(scene.systems.pinata.keys)
        assert do(scene, Step.TEST).kind is OutcomeKind.UP_TO_DATE
        assert len(scene.systems.pinata.keys) == before
        assert labels(scene)[AWSPENDING] == TOKEN


def test_finish_of_an_empty_version_is_refused() -> None:
    """There is nothing to promote."""
    scene = rotating(Scene.own(a_spec()))
    assert do(scene, Step.FINISH).reason is Reason.IN_PROGRESS
    assert labels(scene)[AWSCURRENT] != TOKEN


def test_hold_stops_every_step() -> None:
    """A person's hold stops Secrets Manager's rotation as it stops ours."""
    scene = rotating(Scene.own(a_spec()))
    secret = scene.systems.secrets[scene.name]
    scene.systems.secrets[scene.name] = rules.tag(secret, scene.systems.now_s, {HOLD_TAG: "no"})
    keys = len(scene.systems.pinata.keys)
    for step in (Step.CREATE, Step.TEST, Step.FINISH):
        assert do(scene, step).kind is OutcomeKind.HELD
    assert len(scene.systems.pinata.keys) == keys


def test_rotation_within_grace_is_refused() -> None:
    """A second rotation inside the first one's grace would expose the key before."""
    scene = rotating(Scene.own(a_spec()))
    do(scene, *Step)
    other = TOKEN.replace("6", "7")
    begun(scene.systems, scene.name, other)
    outcome = do(scene, Step.CREATE, token=other)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.WAITING, Reason.WAITING_GRACE)


def test_refused_step_says_when_the_next_attempt_may_be_made() -> None:
    """An attempt whose key could not be stored holds the next one back, and the outcome has the time."""
    scene = rotating(Scene.own(a_spec()))
    process = Process(scene.systems, on(Operation.PUT_VALUE, Fault.REJECTED))
    start = Start(Demand.NATIVE, scene.systems.now_s, "n" * 10)
    assert invoke(process, scene.spec, start, Rotation(Step.CREATE, TOKEN)).kind is OutcomeKind.FAILED
    outcome = do(scene, Step.CREATE)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.WAITING, Reason.BACKING_OFF)
    assert outcome.back_off is not None
    assert outcome.back_off.until > scene.systems.now()


def test_old_key_is_retired_before_the_next_rotation() -> None:
    """Without a grace the old key is retired at the latest when the next rotation begins."""
    scene = rotating(Scene.own(a_spec(grace=AT_ONCE)))
    do(scene, *Step)
    other = TOKEN.replace("6", "7")
    begun(scene.systems, scene.name, other)
    assert do(scene, Step.CREATE, token=other).revoked
    do(scene, *Step, token=other)
    assert labels(scene)[AWSCURRENT] == other
    live = [k for k in scene.systems.pinata.keys.values() if k.revoked_at is None]
    assert len(live) == 3  # the managing one, the one before, the new one


def test_a_reconcile_finishes_what_secrets_manager_began() -> None:
    """A tick between two steps promotes the version; the steps that follow find nothing left to do."""
    scene = rotating(Scene.own(a_spec()))
    do(scene, Step.CREATE)
    assert scene.run().kind is OutcomeKind.ROTATED
    assert labels(scene)[AWSCURRENT] == TOKEN
    assert do(scene, Step.TEST, Step.FINISH).kind is OutcomeKind.UP_TO_DATE


def test_key_that_secrets_manager_chose_the_version_of_is_one_of_ours() -> None:
    """After the rotation a reconcile sees a secret that is up to date, and retires the old key after its grace."""
    scene = rotating(Scene.own(a_spec()))
    do(scene, *Step)
    assert scene.run().reason is Reason.UP_TO_DATE
    scene.systems.now_s += scene.spec.grace.total_seconds() + 60
    assert len(scene.run().revoked) == 1
    assert scene.run().actions == ()


@pytest.mark.parametrize(
    ("step", "observed", "reason"),
    [
        pytest.param(
            Step.FINISH,
            an_observed(a_version(4, AWSCURRENT)),
            Reason.SUPERSEDED,
            id="somebody discarded the version between two looks",
        ),
        pytest.param(
            Step.CREATE,
            an_observed(a_version(4, AWSCURRENT), a_version(5, AWSPENDING)),
            Reason.SUPERSEDED,
            id="another rotation is under way by now",
        ),
        pytest.param(
            Step.SET,
            an_observed(a_version(4, AWSCURRENT), a_version(TOKEN, AWSPENDING, content=NoValue(NOW))),
            Reason.UP_TO_DATE,
            id="making a key is what sets it",
        ),
        pytest.param(
            Step.TEST,
            an_observed(a_version(4, AWSCURRENT), a_version(TOKEN, AWSPENDING, content=NoCredential())),
            Reason.SUPERSEDED,
            id="there is no key to be tested",
        ),
        pytest.param(
            Step.CREATE,
            an_observed(
                a_version(4, AWSCURRENT),
                a_version(3, AWSPREVIOUS),
                a_version(TOKEN, AWSPENDING, content=NoValue(NOW)),
                keys=[a_key(4), a_key(3)],
                failed=["eu-west-1"],
            ),
            Reason.REPLICA_STUCK,
            id="a replica keeps the key before alive",
        ),
    ],
)
def test_step_that_has_nothing_to_do(step: Step, observed: Observed, reason: Reason) -> None:
    """What a step cannot do, or need not, leaves no action and says why."""
    create = Create(TOKEN, observed.current.version_id if observed.current else None, "m")
    situation = Situation(a_spec(), observed, NOW, Demand.NATIVE, create)
    planned = plan_step(situation, Rotation(step, TOKEN), done=())
    assert (planned.reason, planned.actions) == (reason, ())


@pytest.mark.parametrize("on_rotation", RotationStart)
def test_five_rotations_in_a_row(on_rotation: RotationStart) -> None:
    """Whether RotateSecret itself begins a grace anew or not, each rotation a month works, and one key is left."""
    scene = Scene.own(a_spec())
    secret = scene.systems.secrets[scene.name]
    scene.systems.secrets[scene.name] = replace(secret, on_rotation=on_rotation)
    for number in range(5):
        token = f"{number}{TOKEN[1:]}"
        begun(scene.systems, scene.name, token)
        assert do(scene, *Step, token=token).error is None
        assert labels(scene)[AWSCURRENT] == token
        scene.passes(scene.spec.grace + timedelta(seconds=1))
        assert len(scene.run().revoked) == 1
        assert scene.live_keys() == {scene.current_key()}
        scene.passes(timedelta(days=29))


@pytest.mark.parametrize("on_rotation", RotationStart)
def test_rotations_without_a_tick_between(on_rotation: RotationStart) -> None:
    """Where no tick retired the key before, createSecret retires it, whether RotateSecret changes the secret or not."""
    scene = Scene.own(a_spec())
    secret = scene.systems.secrets[scene.name]
    scene.systems.secrets[scene.name] = replace(secret, on_rotation=on_rotation)
    begun(scene.systems, scene.name, TOKEN)
    do(scene, *Step)
    scene.passes(timedelta(days=30))
    other = TOKEN.replace("6", "7")
    begun(scene.systems, scene.name, other)
    assert len(do(scene, Step.CREATE, token=other).revoked) == 1
    assert do(scene, Step.TEST, Step.FINISH, token=other).error is None
    assert labels(scene)[AWSCURRENT] == other


@pytest.mark.parametrize(("enabled", "token"), [(False, TOKEN), (True, TOKEN.replace("6", "7")), (True, "n" * 36)])
def test_unknown_rotations_are_refused(*, enabled: bool, token: str) -> None:
    """Rotation must be enabled, and the version be pending."""
    scene = rotating(Scene.own(a_spec()))
    seen = replace(labels_of(scene.systems, scene.name), rotation_enabled=enabled)
    with pytest.raises(EventError):
        is_finished(seen, Rotation(Step.CREATE, token))
