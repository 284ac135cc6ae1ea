"""What one run reads of the two systems, and what it makes of it."""

from datetime import timedelta

import pytest

from rotator.engine.observer import Observer, Reader
from rotator.engine.run import Run
from rotator.model.errors import SecretValueError, StoreUnavailableError
from rotator.model.naming import version_id
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    OURS,
    REPLACED_PREFIX,
    HasKey,
    KeyState,
    NoCredential,
    NoValue,
    Observed,
    Proof,
    Unread,
)
from rotator.model.ports import Deadline
from rotator.model.secret import Demand
from rotator.sandbox.pinata.switches import Delay, Switches
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import AT_ONCE, a_spec
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.scene import HAND_ID, Scene
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Operation, Process

FAST = a_spec(grace=AT_ONCE, settle=AT_ONCE)


def look(scene: Scene, elsewhere: frozenset[str] = frozenset()) -> tuple[Observed, Process, list[frozenset[str]]]:
    """Observe a scene: what is seen, who looked, and about which keys the neighbours were asked."""
    process = Process(scene.systems)
    store = SimulatedStore(process)
    asked: list[frozenset[str]] = []

    def held_elsewhere(arn: str, key_ids: frozenset[str], deadline: Deadline) -> frozenset[str]:
        assert (arn, deadline) == (scene.arn, process)
        asked.append(key_ids)
        return key_ids & elsewhere

    reader = Reader(scene.spec, scene.arn, store, process)
    labels = store.describe(scene.arn, process)
    run = Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)
    observer = Observer(scene.family, reader, SimulatedProvider(process), SimulatedConsumers(process), run)
    seen = observer.look(labels, held_elsewhere, None)
    return seen, process, asked


def taken_over() -> Scene:
    """Return a scene in which our key has replaced a hand-made one that still lives."""
    scene = Scene.hand_made(a_spec())
    scene.run()
    return scene


def test_only_what_a_rule_needs_is_read() -> None:
    """Of a settled secret only the current value is read."""
    scene = Scene.own(FAST)
    scene.run()
    seen, process, asked = look(scene)
    assert process.calls.count(Operation.GET_VALUE) == 1
    assert seen.previous is not None
    assert isinstance(seen.previous.content, Unread)
    assert asked == []


def test_keys_of_others_are_not_observed() -> None:
    """A key whose name only begins like ours, or contains it, is not among ours."""
    scene = Scene.own(FAST)
    own_id = version_id(3, scene.systems.now(), "x" * 10)
    for name in (
        f"{scene.family.prefix}backup",
        f"x{scene.family.key_name(own_id)}",
        f"{scene.family.key_name(own_id)}-copy",
        scene.family.key_name(own_id).upper(),
    ):
        scene.seed(name)
    seen, _, _ = look(scene)
    assert [key.key_id for key in seen.keys] == [scene.current_key()]


def test_keys_on_all_pages_are_observed() -> None:
    """The key list is read to its end."""
    scene = Scene.own(FAST, Switches(page_size=3))
    for number in range(7):
        scene.seed(scene.family.key_name(version_id(2, scene.systems.now(), f"{number:010}")))
    seen, process, _ = look(scene)
    assert len(seen.keys) == 8
    assert process.calls.count(Operation.LIST_KEYS) == 3


def test_the_managing_key_is_protected() -> None:
    """The key we ourselves use is never revoked."""
    scene = Scene.own(FAST)
    assert look(scene)[0].protected == {scene.systems.admin.key}


@pytest.mark.parametrize("value", ["no JSON", "{}"])
def test_unusable_pending_value_is_no_error(value: str) -> None:
    """A pending version that holds no credential is discarded by a rule, not by an error."""
    scene = Scene.own(FAST)
    scene.put_raw(value, "p" * 32, AWSPENDING)
    pending = look(scene)[0].pending
    assert pending is not None
    assert isinstance(pending.content, NoCredential)


def test_binary_pending_value_is_no_error() -> None:
    """A binary pending value is an unusable one."""
    scene = Scene.own(FAST)
    scene.put_raw(b"\x00", "p" * 32, AWSPENDING)
    pending = look(scene)[0].pending
    assert pending is not None
    assert isinstance(pending.content, NoCredential)


def test_placeholder_has_no_value() -> None:
    """The version that RotateSecret makes is there, and holds nothing."""
    scene = Scene.own(FAST)
    scene.systems.secrets[scene.name] = label_rules.begin_rotation(
        scene.secret, scene.systems.now_s, token=HAND_ID, lambda_arn="arn:aws:lambda:x"
    )
    made_at = scene.systems.now()
    scene.passes(timedelta(hours=1))
    pending = look(scene)[0].pending
    assert pending is not None
    assert pending.content == NoValue(made_at)


def test_native_pending_version_is_read() -> None:
    """A pending version under AWS's own id tells its generation by the key inside."""
    scene = Scene.own(FAST)
    key = scene.seed(scene.family.key_name(version_id(2, scene.systems.now(), HAND_ID[:10])))
    scene.put_raw(scene.value(key), HAND_ID, AWSPENDING)
    seen = look(scene)[0]
    assert (seen.key_inside(seen.pending), seen.generation(seen.pending)) == (key.key, 2)


@pytest.mark.parametrize("spoilt", [False, True], ids=["readable", "unreadable"])
def test_native_previous_version_is_read(*, spoilt: bool) -> None:
    """So does a previous one; that it is unreadable is no error."""
    scene = Scene.own(FAST)
    key = scene.seed(scene.family.key_name(version_id(2, scene.systems.now(), HAND_ID[:10])))
    scene.put_raw("nonsense" if spoilt else scene.value(key), HAND_ID)
    scene.edit(scene.seed("by hand"))
    seen = look(scene)[0]
    assert seen.generation(seen.previous) == (0 if spoilt else 2)


def test_unusable_current_value_is_an_error() -> None:
    """A current value that is no credential is nothing to plan from."""
    scene = Scene.own(FAST)
    scene.put_raw("nonsense", HAND_ID)
    with pytest.raises(SecretValueError):
        look(scene)


def test_current_value_that_does_not_show_is_an_error() -> None:
    """A current version without a value is waited for, then given up."""
    scene = Scene.own(FAST)
    native = label_rules.begin_rotation(scene.secret, scene.systems.now_s, token=HAND_ID, lambda_arn="arn:aws:lambda:x")
    labels = {**native.labels, AWSCURRENT: HAND_ID}
    scene.systems.secrets[scene.name] = type(native)(native.created, native.last_changed, native.versions, labels)
    with pytest.raises(StoreUnavailableError):
        look(scene)


def test_current_credential_is_proved_whatever_the_list_shows() -> None:
    """Missing from the list is never "revoked": testAuthentication decides."""
    scene = Scene.own(FAST)
    key_id = scene.current_key() or ""
    assert look(scene)[0].proof is Proof.ACCEPTED
    record = scene.systems.pinata.keys.pop(key_id)
    assert look(scene)[0].proof is Proof.REFUSED
    scene.systems.pinata.keys[key_id] = record
    scene.systems.pinata.switches = Switches(listing=Delay(timedelta(days=999).total_seconds()))
    hidden = look(scene)[0]
    assert (hidden.keys, hidden.proof) == ((), Proof.ACCEPTED)


def test_scopeless_current_key_is_accepted() -> None:
    """A key that is refused for want of a legacy scope is recognised, and so alive."""
    scene = Scene.own(FAST, Switches(resources_only_authenticates=False))
    assert look(scene)[0].proof is Proof.ACCEPTED


def test_refusal_is_asked_about_twice_and_long_apart() -> None:
    """One refusal may be a hiccup: a second one counts 5 seconds later, and not before."""
    scene = Scene.own(FAST)
    scene.revoke(scene.current_key() or "")
    began_s = scene.systems.now_s
    seen, process, _ = look(scene)
    asked = process.calls.count(Operation.TEST_AUTHENTICATION)
    assert (seen.proof, asked > 2, scene.systems.now_s - began_s > 5.0) == (Proof.REFUSED, True, True)


def test_refusal_of_a_young_version_says_nothing_yet() -> None:
    """A credential that somebody put a moment ago may not have propagated."""
    scene = Scene.own(FAST)
    key = scene.seed("x")
    scene.revoke(key.key)
    scene.edit(key)
    seen, process, _ = look(scene)
    assert (seen.proof, process.calls.count(Operation.TEST_AUTHENTICATION)) == (Proof.TOO_YOUNG, 1)
    scene.passes(scene.spec.verify_timeout)
    assert look(scene)[0].proof is Proof.REFUSED


def test_replaced_key_is_asked_about_and_its_neighbours_too() -> None:
    """A key we took over may be retired: is it alive, and does another secret use it?"""
    scene = taken_over()
    replaced = scene.key_in("AWSPREVIOUS") or ""
    seen, process, asked = look(scene)
    assert seen.replaced_key_ids() == (replaced,)
    assert seen.witnessed == ((replaced, KeyState.LIVE),)
    assert process.calls.count(Operation.TEST_AUTHENTICATION) == 2
    assert asked == [frozenset({replaced})]


def test_key_that_another_secret_uses_is_protected() -> None:
    """A key we took over that another configured secret uses is protected."""
    scene = taken_over()
    replaced = scene.key_in("AWSPREVIOUS") or ""
    seen, _, _ = look(scene, frozenset({replaced, "unrelated"}))
    assert seen.protected == {scene.systems.admin.key, replaced}


def test_neighbours_are_asked_about_a_key_that_seems_dead() -> None:
    """One refusal is no proof: the key may be revoked once more, unless another secret holds it."""
    scene = taken_over()
    scene.revoke(scene.key_in("AWSPREVIOUS") or "")
    seen, _, asked = look(scene)
    assert [state for _, state in seen.witnessed] == [KeyState.REVOKED]
    assert [len(keys) for keys in asked] == [1]


def test_key_being_taken_over_is_not_yet_replaced() -> None:
    """As long as the hand-made key is current, nobody asks whether it may be retired."""
    scene = Scene.hand_made(FAST)
    pending = version_id(1, scene.systems.now(), "x" * 10)
    key = scene.seed(scene.family.key_name(pending))
    labels = (AWSPENDING, OURS, f"{REPLACED_PREFIX}{scene.current_key()}")
    scene.put_raw(scene.value(key), pending, *labels)
    seen, process, asked = look(scene)
    assert isinstance(seen.pending.content if seen.pending else None, HasKey)
    assert (seen.witnessed, asked) == ((), [])
    assert process.calls.count(Operation.TEST_AUTHENTICATION) == 1


def test_values_are_read_once_per_run() -> None:
    """A version is immutable, so its value is read at most once."""
    scene = Scene.own(FAST)
    process = Process(scene.systems)
    reader = Reader(scene.spec, scene.arn, SimulatedStore(process), process)
    current = scene.labels()[AWSCURRENT]
    assert reader.value(current) == reader.written_value(current) == reader.value(current)
    assert reader.credential(current) is not None
    assert process.calls == [Operation.GET_VALUE]
    assert reader.value("0" * 32) is None
    assert reader.credential("0" * 32) is None
