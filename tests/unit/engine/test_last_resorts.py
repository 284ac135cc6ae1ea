"""What a run does at the edge: too many attempts, no room and no proof, no time, bytes, and defects of its own."""

from datetime import timedelta

import pytest

from rotator.engine import reconcile as module
from rotator.engine.observer import Observer
from rotator.engine.run import Run
from rotator.model.errors import AttemptsExhaustedError, DeadlineExceededError, DefectError, LabelsExhaustedError
from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from rotator.model.secret import Demand
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import a_spec
from tests.simulated.scene import HAND_ID, Scene
from tests.simulated.store import labels_of
from tests.simulated.values import spoiled, value_of_key
from tests.simulated.world import Process

DAY_S = 86_400.0


def attempts(scene: Scene, generation: int, count: int) -> list[str]:
    """Leave keys of ours that nobody holds, two days old; return their ids."""
    names = (scene.family.key_name(version_id(generation, scene.systems.now(), f"{n:010}")) for n in range(count))
    return [scene.seed(name, age_s=2 * DAY_S).key for name in names]


def test_forty_attempts_in_vain_need_a_person() -> None:
    """No further key is made, and a person is asked."""
    scene = Scene.own(a_spec())
    for key in attempts(scene, 9, 40):
        scene.revoke(key)
    before = len(scene.systems.pinata.keys)
    assert isinstance(scene.run().error, AttemptsExhaustedError)
    assert len(scene.systems.pinata.keys) == before


def test_no_key_is_made_that_no_label_is_left_for() -> None:
    """Somebody's labels use up the quota: nothing is minted, and a person is asked."""
    scene = Scene.own(a_spec())
    current = scene.labels()[AWSCURRENT]
    for n in range(16):
        scene.systems.secrets[scene.name] = label_rules.move_label(
            scene.secret, scene.systems.now_s, f"theirs-{n}", move_to=current, remove_from=None
        )
    keys = len(scene.systems.pinata.keys)
    assert isinstance(scene.run().error, LabelsExhaustedError)
    assert len(scene.systems.pinata.keys) == keys
    scene.systems.secrets[scene.name] = label_rules.move_label(
        scene.secret, scene.systems.now_s, "theirs-0", move_to=None, remove_from=current
    )
    assert scene.run().kind is OutcomeKind.ROTATED


def test_room_is_made_where_nothing_can_be_proved() -> None:
    """The current token is refused and there is no room: a key that nobody holds dies, and another one is made."""
    scene = Scene.own(a_spec())
    left = attempts(scene, 1, 6)
    current = scene.current_key()
    assert current
    scene.revoke(current)
    for _ in range(4):
        scene.run()
    assert scene.current_key() in scene.live_keys()
    assert set(left) - scene.live_keys()


def test_room_is_made_where_the_current_key_has_leaked() -> None:
    """A person's key has leaked and there is no room: keys that nobody holds die, and the leaked one is replaced."""
    scene = Scene.hand_made(a_spec())
    scene.passes(timedelta(days=2))
    left, leaked = attempts(scene, 1, 6), scene.current_key()
    scene.contain()
    for _ in range(6):
        scene.run()
        scene.passes(timedelta(days=1))
    assert scene.current_key() in scene.live_keys()
    assert not {leaked, *left} & scene.live_keys()


@pytest.mark.parametrize("demand", [Demand.REPLACING, Demand.DUE], ids=str)
def test_bytes_are_replaced_by_consent_alone(demand: Demand) -> None:
    """A binary value stays, until a person says that it may go."""
    scene = Scene.empty(a_spec())
    scene.put_raw(b"\x00\x01", HAND_ID, AWSCURRENT)
    outcome = scene.run(demand)
    assert (outcome.kind is OutcomeKind.ROTATED) == (demand is Demand.REPLACING)


def test_a_defect_of_ours_is_told_by_a_plan_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong in this program ends a look as an error that says so."""

    def broken(*_: object, **__: object) -> None:
        raise KeyError("defect")

    scene = Scene.own(a_spec())
    monkeypatch.setattr(module, "_plan", broken)
    with pytest.raises(DefectError):
        scene.preview()
    assert isinstance(scene.run().error, DefectError)


def damaged() -> Scene:
    """Return a secret whose stored token lost its end, an hour ago."""
    scene = Scene.own(a_spec())
    record = scene.systems.pinata.keys[scene.current_key() or ""]
    scene.put_raw(value_of_key(record, spoiled(record.jwt)), HAND_ID, AWSCURRENT)
    scene.passes(timedelta(hours=1))
    return scene


def test_one_refusal_alone_is_a_hiccup(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token that is refused once, and then taken, is not replaced for it."""
    scene = damaged()
    monkeypatch.setattr(Observer, "_is_refused_again", lambda *_: False)
    assert scene.preview().reason is not Reason.CURRENT_REFUSED


def test_a_second_ask_needs_time() -> None:
    """Without time to ask again, a refusal decides nothing."""
    scene = damaged()
    process = Process(scene.systems, time_left_s=3.0)
    run = Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)
    seen = labels_of(scene.systems, scene.name)
    outcome = module.reconcile(scene.spec, seen, scene._world(process), run)
    assert isinstance(outcome.error, DeadlineExceededError)
