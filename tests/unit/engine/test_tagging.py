"""Tags and roll-backs that a person asks for, and what stands in their way."""

from datetime import timedelta

import pytest

from rotator.engine.guards import check_still_asked
from rotator.engine.rollback import check_previous
from rotator.engine.run import Run
from rotator.engine.tagging import set_tag
from rotator.model.errors import AuditUnavailableError, StoreUnavailableError, UnsafeActionError
from rotator.model.observed import AWSPENDING, AWSPREVIOUS
from rotator.model.plan import Outcome
from rotator.model.secret import Demand
from rotator.model.tags import HOLD_TAG
from tests.builders import a_spec
from tests.simulated.scene import HAND_ID, Scene
from tests.simulated.store import labels_of
from tests.simulated.world import Fault, Operation, Process, on


def held(scene: Scene, process: Process) -> Outcome:
    """Put a secret on hold by one process."""
    run = Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)
    seen = labels_of(scene.systems, scene.name)
    return set_tag(scene.spec, seen, scene._world(process), run, HOLD_TAG, "incident")


@pytest.mark.parametrize("record", [1, 2])
def test_a_tag_without_a_durable_intent_is_not_set(record: int) -> None:
    """If the trail cannot be written, nothing is done."""
    scene = Scene.own(a_spec())
    outcome = held(scene, Process(scene.systems, audit_fails={record}))
    assert isinstance(outcome.error, AuditUnavailableError)
    assert HOLD_TAG not in scene.secret.tags


@pytest.mark.parametrize("record", [3, 4], ids=["outcome of the call", "end of the run"])
def test_a_tag_whose_outcome_is_not_recorded_is_told(record: int) -> None:
    """The tag is set, and the failure of the trail is the outcome."""
    scene = Scene.own(a_spec())
    outcome = held(scene, Process(scene.systems, audit_fails={record}))
    assert isinstance(outcome.error, AuditUnavailableError)
    assert scene.secret.tags[HOLD_TAG] == "incident"


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DENIED])
def test_a_tag_that_is_not_set_is_told(fault: Fault) -> None:
    """A call that fails is recorded as such, and is the outcome."""
    scene = Scene.own(a_spec())
    outcome = held(scene, Process(scene.systems, on(Operation.TAG, fault)))
    assert outcome.error is not None
    assert isinstance(outcome.error, StoreUnavailableError) == (fault is Fault.LOST)
    assert HOLD_TAG not in scene.secret.tags


def refused(scene: Scene) -> str:
    """Return why a secret cannot be rolled back."""
    process = Process(scene.systems)
    run = Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)
    with pytest.raises(UnsafeActionError) as told:
        check_previous(scene.spec, labels_of(scene.systems, scene.name), scene._world(process), run)
    return str(told.value)


def test_what_cannot_be_rolled_back() -> None:
    """Without a previous key, and while a rotation is at work, nothing is changed."""
    scene = Scene.own(a_spec())
    assert "no previous key" in refused(scene)
    scene.put_raw("anything", HAND_ID, AWSPENDING)
    assert "a rotation is at work" in refused(scene)


def test_a_key_whose_grace_is_over_comes_back_under_a_hold_alone() -> None:
    """A run may be revoking it just now, unless a hold keeps all runs from that."""
    scene = Scene.own(a_spec())
    scene.run()
    old = scene.key_in(AWSPREVIOUS)
    process = Process(scene.systems)
    run = Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)
    assert check_previous(scene.spec, labels_of(scene.systems, scene.name), scene._world(process), run) == old
    scene.passes(timedelta(days=2))
    assert "is over" in refused(scene)
    scene.hold()
    process = Process(scene.systems)
    run = Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)
    assert check_previous(scene.spec, labels_of(scene.systems, scene.name), scene._world(process), run) == old


def test_a_tag_that_somebody_changed_is_left_alone() -> None:
    """What a run planned about a tag rests on what the tag said then."""
    scene = Scene.own(a_spec())
    scene.contain("something else")
    with pytest.raises(UnsafeActionError, match="left as it is"):
        check_still_asked("something", labels_of(scene.systems, scene.name))
