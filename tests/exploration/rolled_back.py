"""`rotator rollback` as a run: the previous key is asked for, the secret held, and its value becomes current again."""

from datetime import UTC, datetime

from rotator.engine.rollback import check_previous, roll_back
from rotator.engine.run import Run, World
from rotator.engine.tagging import set_tag
from rotator.fleet.neighbours import Neighbours
from rotator.model.errors import RotatorError
from rotator.model.plan import Outcome
from rotator.model.secret import Demand, SecretSpec
from rotator.model.tags import HOLD_TAG
from tests.exploration.instances import Driven, Start, reconcile_once
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Process


def roll_back_or_reconcile(process: Process, spec: SecretSpec, start: Start) -> Outcome | None:
    """Do what the demand is for: a roll-back if a person forces, else a reconcile."""
    assert isinstance(process, Driven)
    if start.demand is not Demand.FORCED:
        return reconcile_once(process, spec, start)
    process.expects_hold = True
    store = SimulatedStore(process)
    others, consumers = Neighbours((spec,), store), SimulatedConsumers(process)
    world = World("rotator", SimulatedProvider(process), store, process, others.holding, consumers)
    run = Run(datetime.fromtimestamp(start.now_s, UTC), start.nonce, Demand.DUE, process, process.now)
    try:
        description = store.describe(spec.secret_id, process)
        check_previous(spec, description, world, run)
        held = set_tag(spec, description, world, run, HOLD_TAG, "it breaks uploads")
        if held.error is not None:
            return held
        description = store.describe(spec.secret_id, process)
    except RotatorError as error:
        return Outcome.failed(spec.name, error)
    return roll_back(spec, description, world, run)
