"""One secret, from whatever state it is in to the wanted one: observe, plan, execute, until nothing remains.

The same function serves every trigger. It keeps no state between runs and takes no lock; two of them may race over
one secret. A run that dies leaves a state that the next one plans from.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

from rotator.engine.conditions import Situation
from rotator.engine.executor import Executor
from rotator.engine.guards import check_clock
from rotator.engine.native import Rotation, Step, is_finished, plan_step
from rotator.engine.observer import Observer, Reader
from rotator.engine.planner import plan
from rotator.engine.retirement import is_grace_over
from rotator.engine.rollout import matters, redeploys
from rotator.engine.run import Run, World
from rotator.model.errors import (
    AuditUnavailableError,
    DefectError,
    KeyNotYetDeadError,
    RedeployError,
    RotatorError,
    UnsafeActionError,
)
from rotator.model.events import Decided, Ended, Failure
from rotator.model.naming import GENERATION_MAX, KeyFamily, nonce_of, version_id
from rotator.model.observed import Observed, SecretDescription
from rotator.model.plan import Action, Create, Outcome, OutcomeKind, Plan, Promote, Revoke
from rotator.model.ports import AuditRun
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, Override, SecretSpec

PASSES_MAX = 16
"""Plans per run. The longest useful chain (discard, retire, create, discard, retire) is far shorter."""
Planner = Callable[[Observed, Demand, Sequence[Action]], Plan]
"""Takes what is seen, what is left of the demand, and what was done so far."""


def preview(spec: SecretSpec, description: SecretDescription, world: World, run: Run) -> tuple[Plan, Observed]:
    """Return what `reconcile` would do first, and from what; change nothing.

    Raises RotatorError if a read failed, and DefectError, which is one, for a defect of this program.
    """
    try:
        return _preview(spec, description, world, run)
    except RotatorError:
        raise
    except Exception as error:  # noqa: BLE001 - one secret's defect hides no other secret
        defect = DefectError.of(error)
    raise defect


def _preview(spec: SecretSpec, description: SecretDescription, world: World, run: Run) -> tuple[Plan, Observed]:
    check_clock(description)
    observer = _observer(spec, description, world, run)
    observed = observer.look(description, world.held_elsewhere, None)
    planned = _plan(spec, observed, run, run.demand)
    if _revokes(planned):
        observed = observer.look(world.store.describe(description.arn, run.deadline), world.held_elsewhere, observed)
        planned = _plan(spec, observed, run, run.demand)
    if _mints(planned):
        observed = observer.with_attempts(observed)
        planned = _plan(spec, observed, run, run.demand)
    for action in planned.actions:
        if isinstance(action, Create):
            observer.reader.check_fits(action.replacing, replacing=run.demand.overrides(Override.VALUE))
    return planned, observed


def reconcile(spec: SecretSpec, description: SecretDescription, world: World, run: Run) -> Outcome:
    """Bring one secret to its wanted state, as far as that goes now; return what it came to.

    A failure is an outcome too, a defect of this program included.
    """

    def planner(observed: Observed, demand: Demand, _: Sequence[Action]) -> Plan:
        return _plan(spec, observed, run, demand)

    return settled(spec, description, world, run, planner)


def step(spec: SecretSpec, description: SecretDescription, world: World, run: Run, rotation: Rotation) -> Outcome:
    """Do one step of a rotation that Secrets Manager has begun, if anything remains of it.

    ROTATED and UP_TO_DATE mean that the step is done; otherwise it is not, and Secrets Manager must be told so. The
    store of `world` has the rotation's token, if Secrets Manager sent one. Raises EventError if Secrets Manager knows
    of no such rotation.
    """
    if is_finished(description, rotation) or rotation.step is Step.SET:
        return Outcome(spec.name, "", OutcomeKind.UP_TO_DATE)

    def planner(observed: Observed, demand: Demand, done: Sequence[Action]) -> Plan:
        minted_as = version_id(_next_generation(observed), run.now, nonce_of(rotation.token))
        replacing = observed.current.version_id if observed.current else None
        create = Create(rotation.token, replacing, minted_as)
        return plan_step(Situation(spec, observed, run.now, demand, create), rotation, done)

    return settled(spec, description, world, run, planner)


def settled(spec: SecretSpec, description: SecretDescription, world: World, run: Run, planner: Planner) -> Outcome:
    """Observe, plan by a planner and execute until its plan is empty; return what it came to."""
    try:
        audit = world.audit.begin(spec.name, description.arn, description.audit_head or "")
    except RotatorError as error:
        return Outcome.failed(spec.name, error)
    progress = _Progress(spec, description, world, run, audit, planner)
    try:
        progress.settle()
    except RotatorError as error:
        return progress.close(error)
    except Exception as defect:  # noqa: BLE001 - the run's trail and what it did so far are told all the same
        return progress.close(DefectError.of(defect))
    return progress.close(None)


class _Progress:
    """The progress of one run, kept so that a failure can still be told in full."""

    def __init__(  # noqa: PLR0913, PLR0917 - what a run is given, and its trail
        self,
        spec: SecretSpec,
        description: SecretDescription,
        world: World,
        run: Run,
        audit: AuditRun,
        planner: Planner,
    ) -> None:
        self.spec, self.description, self.world, self.run = spec, description, world, run
        self.audit, self.planner = audit, planner
        self.observer = _observer(spec, description, world, run)
        self.executor: Executor | None = None
        self.plans: list[Plan] = []

    def settle(self) -> None:
        """Observe, plan and execute until the plan is empty."""
        check_clock(self.description)
        observed = self._observe(self.description, None)
        if _revokes(self._plan(observed)):
            observed = self._observe(self._described(), observed)
        reader = self.observer.reader
        executor = self.executor = Executor(self.spec, self.world, self.run, self.audit, reader, observed)
        for _ in range(PASSES_MAX):
            if _mints(self._plan(observed)):
                observed = executor.observed = self.observer.with_attempts(observed)
            chosen = self._decide(observed)
            if not chosen.actions:
                return
            executor.perform(chosen, observed)
            # Nothing is ever done on an expectation; but one that leaves nothing to do saves another look.
            if not self._plan(executor.observed).actions and not self._must_ask(executor.observed):
                self._decide(executor.observed)
                return
            observed = executor.observed = self._observe(self._described(), executor.observed)
        raise UnsafeActionError(f"the secret did not settle within {PASSES_MAX} plans: something else changes it")

    def close(self, error: RotatorError | None) -> Outcome:
        """Return the outcome, recorded as the last event of the run."""
        outcome = self._outcome(error)
        try:
            self.audit.record(
                Ended(
                    outcome.kind,
                    outcome.reason,
                    outcome.version_id or "",
                    outcome.key_id or "",
                    outcome.revoked,
                    Failure.of(error) if error else None,
                )
            )
        except AuditUnavailableError as unrecorded:
            # The first failure of the trail says why; a later one only that there was an earlier.
            cause = error if isinstance(error, AuditUnavailableError) else unrecorded
            return replace(outcome, kind=OutcomeKind.FAILED, error=cause)
        return replace(outcome, run_id=self.audit.run_id, trouble=self.audit.trouble)

    def _described(self) -> SecretDescription:
        return self.world.store.describe(self.description.arn, self.run.deadline)

    def _observe(self, description: SecretDescription, earlier: Observed | None) -> Observed:
        # Neighbours matter when a key can be retired; asking them costs calls for each of them.
        over = is_grace_over(self.spec, description.promoted_at(), self.run.now)
        asks = over or description.contain is not None or self.run.contain is not None
        return self.observer.look(description, self.world.held_elsewhere if asks else None, earlier)

    def _must_ask(self, observed: Observed) -> bool:
        """Tell whether something may be left to do that depends on how far consumers are, and nobody was asked."""
        over = is_grace_over(self.spec, observed.promoted_at(), self.run.now)
        return observed.rollout is None and matters(self.spec, observed) and bool(over or redeploys(self.spec))

    def _moved(self) -> bool:
        return self.executor is not None and any(isinstance(done, Promote) for done in self.executor.done)

    def _demand(self) -> Demand:
        """Return what is left of the demand: a rotation answers it."""
        return Demand.DUE if self._moved() else self.run.demand

    def _plan(self, observed: Observed) -> Plan:
        done = self.executor.done if self.executor else ()
        return self.planner(observed, self._demand(), done)

    def _decide(self, observed: Observed) -> Plan:
        chosen = self._plan(observed)
        self.plans.append(chosen)
        names = tuple(action.name for action in chosen.actions)
        self.audit.record(Decided(chosen.reason, names, observed.generation(observed.current)))
        return chosen

    def _outcome(self, error: RotatorError | None) -> Outcome:
        observed = self.executor.observed if self.executor else None
        current = observed.current if observed else None
        return Outcome(
            secret=self.spec.name,
            run_id=self.audit.run_id,
            kind=self._kind(error),
            reason=self._reason(),
            version_id=current.version_id if current else None,
            key_id=observed.key_inside(current) if observed else None,
            actions=tuple(self.executor.done) if self.executor else (),
            error=error,
            back_off=self.plans[-1].back_off if self.plans and not error else None,
            observed=observed,
        )

    def _reason(self) -> Reason | None:
        """Return why AWSCURRENT moved, or else what the first plan said."""
        moving = [plan for plan in self.plans if any(isinstance(action, Promote) for action in plan.actions)]
        first = moving[-1] if moving and self._moved() else next(iter(self.plans), None)
        return first.reason if first else None

    def _kind(self, error: RotatorError | None) -> OutcomeKind:
        # What is left to wait for does not undo the rotation: the error is told beside it.
        beside = isinstance(error, RedeployError) or (self._moved() and isinstance(error, KeyNotYetDeadError))
        if error and not beside:
            return OutcomeKind.FAILED
        if self._moved():
            return OutcomeKind.ROTATED
        last = self.plans[-1].reason
        if last.needs_person:
            return OutcomeKind.HELD
        return OutcomeKind.UP_TO_DATE if last is Reason.UP_TO_DATE else OutcomeKind.WAITING


def _observer(spec: SecretSpec, description: SecretDescription, world: World, run: Run) -> Observer:
    reader = Reader(spec, description.arn, world.store, run.deadline)
    return Observer(KeyFamily.of(world.owner, description.arn), reader, world.provider, world.consumers, run)


def _plan(spec: SecretSpec, observed: Observed, run: Run, demand: Demand) -> Plan:
    return plan(spec, observed, now=run.now, new_version_id=new_version_id(observed, run), demand=demand)


def new_version_id(observed: Observed, run: Run) -> str:
    """Return the id that a new version would get. Raises UnsafeActionError if no generation is left."""
    return version_id(_next_generation(observed), run.now, run.nonce)


def _revokes(planned: Plan) -> bool:
    """Tell whether a plan is to be made again from a description read just now, before a key dies by it.

    The one given may be a row of ListSecrets, which tells nothing of replicas, and time has passed since.
    """
    return any(isinstance(action, Revoke) for action in planned.actions)


def _next_generation(observed: Observed) -> int:
    generation = observed.next_generation()
    if generation > GENERATION_MAX:
        raise UnsafeActionError(
            f"a key of generation {generation - 1} exists: no generation is left above it",
            next_step="Find the key in Pinata's key list, and who named it; then rename the secret.",
        )
    return generation


def _mints(planned: Plan) -> bool:
    """Tell whether a plan is to be made again with the attempts that failed before: dead keys are not listed else."""
    return any(isinstance(action, Create) for action in planned.actions)
