"""Secrets Manager's own rotation, as one instance drives it: RotateSecret, then the four steps in order.

Each step is an invocation of its own, with a deadline and an audit trail of its own; only the version is the same.
Secrets Manager stops at a step that fails and begins the whole rotation anew. A crash ends the instance; the next one
that begins finds AWSPENDING on a version that is not current, and goes on with that version, as RotateSecret does.
"""

from datetime import UTC, datetime

from rotator.engine.native import Rotation, Step
from rotator.engine.reconcile import step
from rotator.engine.run import Run, World
from rotator.fleet.neighbours import Neighbours
from rotator.model.errors import RotatorError
from rotator.model.observed import AWSCURRENT, AWSPENDING
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.sandbox.secrets_manager import rules
from tests.exploration.instances import Start, reconcile_once
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Operation, Process, Systems

ATTEMPTS = 2
_DONE = frozenset({OutcomeKind.ROTATED, OutcomeKind.UP_TO_DATE})
_TIME_S = 120.0


def rotate_or_reconcile(process: Process, spec: SecretSpec, start: Start) -> Outcome | None:
    """Do what the demand is for: Secrets Manager's rotation, or a reconcile."""
    if start.demand is Demand.NATIVE:
        return rotate(process, spec, start)
    return reconcile_once(process, spec, start)


def rotate(process: Process, spec: SecretSpec, start: Start) -> Outcome:
    """Rotate a secret as Secrets Manager does; where that fails, be invoked once more out of turn."""
    token = process.call(Operation.ROTATE, {}, begun, spec.secret_id, f"{start.nonce:-<36}")
    for _ in range(ATTEMPTS):
        for name in Step:
            outcome = invoke(process, spec, start, Rotation(name, token))
            if outcome.kind not in _DONE:
                break
        else:
            return outcome
    return invoke(process, spec, start, Rotation(Step.FINISH, token))  # whoever asks, untested


def invoke(process: Process, spec: SecretSpec, start: Start, rotation: Rotation) -> Outcome:
    """Do one step as the handler does; what it raises is a failure."""
    process.trail.clear()
    process.time_left_s = _TIME_S
    store = SimulatedStore(process)
    others = Neighbours((spec,), store)
    world = World("rotator", SimulatedProvider(process), store, process, others.holding, SimulatedConsumers(process))
    run = Run(datetime.fromtimestamp(start.now_s, UTC), start.nonce, start.demand, process, process.now)
    try:
        return step(spec, store.describe(spec.secret_id, process), world, run, rotation)
    except RotatorError as error:
        return Outcome.failed(spec.name, error)


def begun(systems: Systems, name: str, token: str) -> str:
    """Answer RotateSecret: return the version that is rotated to, a new one or that of a rotation not complete."""
    secret = systems.secrets[name]
    pending = secret.labels.get(AWSPENDING)
    if pending is not None and pending != secret.labels.get(AWSCURRENT):
        return pending
    systems.secrets[name] = rules.begin_rotation(
        secret, systems.now_s, token=token, lambda_arn="arn:aws:lambda:eu-central-1:1:function:f"
    )
    return token
