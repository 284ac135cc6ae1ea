"""Running many secrets: several at a time, and one secret's failure never stopping another."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from rotator.engine.reconcile import reconcile
from rotator.engine.run import Run, World
from rotator.fleet.lookup import Target
from rotator.model.errors import DefectError, RotatorError
from rotator.model.observed import SecretDescription
from rotator.model.plan import Outcome
from rotator.model.secret import SecretSpec

WORKERS_MAX = 8
"""Threads over a fleet. The provider's budget of calls is the limit long before this is."""


def run_all(targets: Sequence[Target], world: World, run_of: Callable[[SecretSpec], Run]) -> Iterator[Outcome]:
    """Reconcile secrets and yield each outcome as it comes.

    A single target is used as read; of many, each is read again at its turn, when `run_of` gives its run.
    """
    if len(targets) == 1:
        yield _isolated(targets[0], targets[0].description, world, run_of)
        return
    # No more work is queued than is at hand, so an interrupt leaves nothing half-planned behind.
    waiting = list(reversed(targets))
    with ThreadPoolExecutor(min(WORKERS_MAX, max(1, len(targets))), "reconcile") as pool:
        running: set[Future[Outcome]] = set()
        while waiting or running:
            while waiting and len(running) < WORKERS_MAX:
                running.add(pool.submit(_isolated, waiting.pop(), None, world, run_of))
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in ended)


def _isolated(
    target: Target, description: SecretDescription | None, world: World, run_of: Callable[[SecretSpec], Run]
) -> Outcome:
    """Reconcile one secret; a defect of ours ends as a failure of this secret alone."""
    spec = target.spec
    try:
        run = run_of(spec)
        fresh = description or world.store.describe(target.description.arn, run.deadline)
        return reconcile(spec, fresh, world, run)
    except RotatorError as error:
        return Outcome.failed(spec.name, error)
    except Exception as defect:  # noqa: BLE001 - the per-secret boundary: one failure never stops the others
        return Outcome.failed(spec.name, DefectError.of(defect))
