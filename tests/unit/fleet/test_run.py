"""One secret's failure stops no other."""

import re

from rotator.engine.run import Run, World
from rotator.fleet.lookup import resolve
from rotator.fleet.neighbours import Neighbours
from rotator.fleet.run import run_all
from rotator.model.errors import DefectError, Remedy, SecretNotFoundError
from rotator.model.events import Ended
from rotator.model.plan import OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.scene import Scene
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Operation, Process
from tests.unit.fleet.many import fleet


def world_of(specs: tuple[SecretSpec, ...], process: Process) -> World:
    """Return the world of a fleet in one process."""
    store = SimulatedStore(process)
    return World(
        "rotator",
        SimulatedProvider(process),
        store,
        process,
        Neighbours(specs, store).holding,
        SimulatedConsumers(process),
    )


def run_of(scene: Scene, process: Process) -> Run:
    """Return what a run is given."""
    return Run(scene.systems.now(), "n" * 10, Demand.DUE, process, process.now)


def test_one_secret_is_used_as_read() -> None:
    """The labels of a single secret are not read twice."""
    scene, specs = fleet(1)
    process = Process(scene.systems, time_left_s=9999)
    targets = resolve(specs, SimulatedStore(process), process).targets
    outcomes = list(run_all(targets, world_of(specs, process), lambda _: run_of(scene, process)))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.ROTATED]
    assert process.calls[:2] == [Operation.DESCRIBE, Operation.GET_VALUE]


def test_no_secrets_is_no_work() -> None:
    """An empty fleet yields nothing."""
    scene, specs = fleet(0)
    process = Process(scene.systems)
    assert not list(run_all((), world_of(specs, process), lambda _: run_of(scene, process)))


def test_failures_and_defects_stop_no_other_secret() -> None:
    """A secret whose value is nonsense, one that vanished, and a defect of ours fail alone."""
    scene, specs = fleet(5)
    process = Process(scene.systems, time_left_s=99_999)
    targets = resolve(specs, SimulatedStore(process), process).targets
    scene.systems.secrets["s0"] = label_rules.put(
        scene.systems.secrets["s0"], scene.systems.now_s, token="x" * 32, value="nonsense"
    )
    del scene.systems.secrets["s1"]

    def run(spec: SecretSpec) -> Run:
        if spec.name == "n2":
            raise ZeroDivisionError("canary-d41d8cd98f")
        return run_of(scene, process)

    world = world_of(specs, process)
    ended = {outcome.secret: outcome for outcome in run_all(targets, world, run)}
    failed = {name for name, outcome in ended.items() if outcome.kind is OutcomeKind.FAILED}
    assert failed == {"n0", "n1", "n2"}
    assert {ended[n].kind for n in ("n3", "n4")} == {OutcomeKind.ROTATED}
    assert isinstance(ended["n1"].error, SecretNotFoundError)
    defect = ended["n2"].error
    assert isinstance(defect, DefectError)
    assert re.search(r"ZeroDivisionError at rotator/fleet/run\.py:\d+ in _isolated$", defect.message)
    assert defect.remedy is Remedy.PERSON
    assert "canary" not in defect.message


def test_a_defect_within_a_run_ends_the_run_in_its_trail() -> None:
    """What was done before the defect is in the outcome, and the last event of the trail says how the run ended."""
    scene, specs = fleet(1)

    def defective(operation: Operation) -> None:
        if operation is Operation.PROMOTE:
            raise KeyError("canary-d41d8cd98f")

    process = Process(scene.systems, defective, time_left_s=9999)
    targets = resolve(specs, SimulatedStore(process), process).targets
    (outcome,) = run_all(targets, world_of(specs, process), lambda _: run_of(scene, process))
    assert isinstance(outcome.error, DefectError)
    assert [action.name for action in outcome.actions] == ["Create", "Verify"]
    assert outcome.run_id
    ended = process.trail[-1]
    assert isinstance(ended, Ended)
    assert ended.failure
    assert (ended.failure.error, ended.failure.remedy) == ("DefectError", Remedy.PERSON)
    assert "KeyError at rotator/" in ended.failure.message
    assert "canary" not in ended.failure.message
