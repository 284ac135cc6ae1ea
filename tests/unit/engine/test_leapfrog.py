"""The managing key replaces itself: the new one is shown to manage keys, and revokes the one before."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.engine.age import expiring_at
from rotator.model.errors import KeyRejectedError
from rotator.model.observed import AWSPENDING, HasKey
from rotator.model.plan import OutcomeKind, Revoke
from rotator.model.reasons import Reason
from rotator.model.secret import Admin, Resources
from tests.builders import NOW, a_spec
from tests.simulated.scene import HAND_ID, Scene, effects_without_intent
from tests.simulated.world import Fault, Operation, at_call, on

DAY = timedelta(days=1)
CALLS_MAX = 40


def managing(grace: timedelta = DAY) -> Scene:
    """Return a scene whose secret holds the managing key, as a person made it."""
    scene = Scene.empty(a_spec(manages=True, permissions=Admin(), grace=grace, settle=timedelta(0)))
    scene.edit(scene.systems.admin, token=HAND_ID)
    return scene


def alive(scene: Scene) -> set[str]:
    """Return every live key of the account."""
    return {key.key for key in scene.systems.pinata.keys.values() if key.revoked_at is None}


def can_manage(scene: Scene, key_id: str | None) -> bool:
    """Tell whether a key is alive and an admin's."""
    key = scene.systems.pinata.keys[key_id or ""]
    return key.revoked_at is None and key.permissions.admin


def test_a_new_managing_key_is_tried_before_it_is_promoted() -> None:
    """It makes a key and revokes it; the old one lives on through its grace, and is then revoked by the new one."""
    scene = managing()
    old = scene.systems.admin.key
    assert scene.run().kind is OutcomeKind.ROTATED
    new = scene.current_key()
    assert new != old
    assert alive(scene) == {old, new}
    tried = [entry for entry in scene.last.trail if entry in {Operation.CREATE_KEY, Operation.REVOKE_KEY}]
    assert tried == [Operation.CREATE_KEY, Operation.CREATE_KEY, Operation.REVOKE_KEY]
    scene.passes(DAY + timedelta(minutes=1))
    assert any(isinstance(action, Revoke) for action in scene.run().actions)
    assert alive(scene) == {new}
    assert scene.run().kind is OutcomeKind.UP_TO_DATE


def test_nobody_revokes_the_key_they_work_with() -> None:
    """Without a grace, too: the run that replaced the managing key leaves it, says so, and the next one revokes it."""
    scene = managing(timedelta(0))
    old = scene.systems.admin.key
    first = scene.run()
    assert old in alive(scene)
    assert first.kind is OutcomeKind.ROTATED
    assert scene.run().kind is OutcomeKind.UP_TO_DATE
    assert alive(scene) == {scene.current_key()}


def test_a_run_that_works_with_the_old_key_says_that_it_waits() -> None:
    """A process that began before the promotion does not revoke the key it works with, and does not say all is done."""
    scene = managing(timedelta(0))
    began_with = scene.managing_key()
    scene.run()
    assert scene.run(managing=began_with).reason is Reason.MANAGING_WAITS
    assert began_with.key_id in alive(scene)


@pytest.mark.parametrize("nth", [1, 2], ids=["make", "revoke"])
def test_a_key_that_cannot_manage_keys_is_not_promoted(nth: int) -> None:
    """Pinata refuses the new key when it makes or revokes one: the old one stays, and in the end another is made."""
    scene = managing()
    old = scene.current_key()
    denied = on(*((Operation.CREATE_KEY, Fault.DENIED, 2) if nth == 1 else (Operation.REVOKE_KEY, Fault.DENIED, 1)))
    outcome = scene.run(boundary=denied)
    assert outcome.kind is OutcomeKind.FAILED
    assert isinstance(outcome.error, KeyRejectedError)
    assert scene.current_key() == old
    for _ in range(5):
        scene.run()
        scene.passes(DAY + timedelta(minutes=2))
    assert alive(scene) == {scene.current_key()} != {old}


def test_a_key_that_the_list_does_not_show_is_not_promoted() -> None:
    """A managing key that does not find itself cannot list keys, as far as anybody can tell."""
    scene = managing()
    old, listed = scene.current_key(), []

    def hidden(operation: Operation) -> None:
        keys = scene.systems.pinata.keys
        if operation is Operation.LIST_KEYS and AWSPENDING in scene.labels():
            pending = scene.key_in(AWSPENDING) or ""
            listed.append(pending)
            keys[pending] = replace(keys[pending], name="somebody/else")

    outcome = scene.run(boundary=hidden)
    assert listed
    assert isinstance(outcome.error, KeyRejectedError)
    assert scene.current_key() == old


def test_a_key_whose_revocation_has_no_effect_is_not_promoted() -> None:
    """Pinata acknowledges the revocation of the key made on trial, and the list shows it alive."""
    scene = managing()
    old = scene.current_key()

    def revived(operation: Operation) -> None:
        keys = scene.systems.pinata.keys
        if operation is Operation.LIST_KEYS:
            keys.update({k: replace(key, revoked_at=None) for k, key in keys.items() if "-trial" in key.name})

    outcome = scene.run(boundary=revived)
    assert isinstance(outcome.error, KeyRejectedError)
    assert "could not revoke" in outcome.error.message
    assert scene.current_key() == old


def test_scopes_of_the_new_api_are_tried_with_its_own() -> None:
    """A managing key with `org:write` alone makes a key of the v3 API on trial."""
    scene = managing()
    scene.spec = replace(scene.spec, permissions=Resources(frozenset({"org:write"})))
    scene.run()
    (trial,) = (key for key in scene.systems.pinata.keys.values() if "-trial" in key.name)
    assert trial.permissions.resources == ("org:files:read",)
    assert trial.revoked_at is not None


def test_the_expiry_of_a_managing_key_is_a_month_ahead() -> None:
    """A year's key is replaced thirty days before its `exp`, where any other is a week before."""
    year = HasKey("k1", NOW, NOW + timedelta(days=365))
    assert expiring_at(a_spec(), year) == NOW + timedelta(days=358)
    assert expiring_at(a_spec(manages=True), year) == NOW + timedelta(days=335)


def deaths() -> Iterator[tuple[int, Fault]]:
    """Yield every call of a rotation, before and after its effect."""
    for call in range(1, CALLS_MAX):
        yield call, Fault.CRASH_BEFORE
        yield call, Fault.CRASH_AFTER


@pytest.mark.parametrize("grace", [timedelta(0), DAY], ids=["no grace", "a day"])
def test_a_death_at_any_call_leaves_a_working_managing_key(grace: timedelta) -> None:
    """Whenever a run dies, its secret holds a key that can manage; the next runs leave exactly one, and no other."""
    died = 0
    for call, fault in deaths():
        scene = managing(grace)
        scene.run_until_crash(at_call(call, fault))
        died += scene.last.dead
        assert effects_without_intent(scene.last) == []
        assert can_manage(scene, scene.current_key())
        for _ in range(5):
            scene.run()
            assert can_manage(scene, scene.current_key())
            scene.passes(DAY + timedelta(minutes=2))
        assert alive(scene) == {scene.current_key()}
        assert scene.current_key() != scene.systems.admin.key
        assert scene.run().kind is OutcomeKind.UP_TO_DATE
    assert died >= 30, "a rotation makes fifteen calls at least"
