"""Back to the key before, as a new generation: the fence still holds, and what is left behind dies after its grace.

It is what a person does whose consumers do not work with the newer key. Nothing is moved back: AWSCURRENT goes on to a
version that holds the value before once more.
"""

from collections.abc import Sequence

from rotator.engine.observer import Reader
from rotator.engine.reconcile import new_version_id, settled
from rotator.engine.retirement import is_grace_over
from rotator.engine.run import Run, World
from rotator.model.errors import RollbackRefusedError
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, Observed, SecretDescription
from rotator.model.plan import Action, Outcome, Plan, Promote, Restamp, Verify
from rotator.model.ports import Authentication
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, SecretSpec


def check_previous(spec: SecretSpec, description: SecretDescription, world: World, run: Run) -> str:
    """Return the id of the previous key, if there is one that works, and nothing else is at work.

    Raises RollbackRefusedError if the secret cannot be rolled back; another RotatorError if a read failed.
    """
    by_label = {label: version.version_id for version in description.versions for label in version.labels}
    if AWSPENDING in by_label:
        raise RollbackRefusedError(
            "a rotation is at work, and nothing was changed", next_step=f"Run `rotator run {spec.name}` first."
        )
    previous = by_label.get(AWSPREVIOUS)
    held = Reader(spec, description.arn, world.store, run.deadline).credential(previous) if previous else None
    if held is None or AWSCURRENT not in by_label:
        raise RollbackRefusedError(
            "there is no previous key, and nothing was changed",
            next_step=f"`rotator rotate {spec.name}` makes a new key.",
        )
    for form in held.forms:
        if world.provider.authenticate(form, run.deadline) is Authentication.REFUSED:
            raise RollbackRefusedError(
                f"Pinata refuses the previous key {held.key_id}, and nothing was changed",
                next_step=f"It cannot come back. `rotator rotate {spec.name}` makes a new key.",
            )
    if description.hold_at(run.now) is None and is_grace_over(spec, description.promoted_at(), run.now):
        raise RollbackRefusedError(
            f"the grace of the previous key {held.key_id} is over, so a run may be revoking it just now; nothing was "
            "changed",
            next_step=f"`rotator rotate {spec.name}` makes a new key. Or run `rotator hold {spec.name} --reason TEXT`, "
            "wait two minutes, and roll back then if the key still works.",
        )
    return held.key_id


def roll_back(spec: SecretSpec, description: SecretDescription, world: World, run: Run) -> Outcome:
    """Make the value before current once more, which `check_previous` has found good.

    No hold stops it: a person set it for this very purpose.
    """

    def planner(observed: Observed, _demand: Demand, done: Sequence[Action]) -> Plan:
        current, previous = observed.current, observed.previous
        if done or current is None or previous is None:
            return Plan(Reason.ROLLING_BACK, (), None)
        new = new_version_id(observed, run)
        actions = (Restamp(new, previous.version_id), Verify(new), Promote(new, current.version_id))
        return Plan(Reason.ROLLING_BACK, actions, None)

    return settled(spec, description, world, run, planner)
