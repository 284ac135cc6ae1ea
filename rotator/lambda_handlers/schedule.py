"""`tick`: the schedule. Looks the fleet over by its labels, and does or queues what is due."""

from datetime import timedelta
from typing import Any

from rotator.fleet import Target, failed, is_asleep, resolve, run_all
from rotator.lambda_handlers.invocation import Context, Invocation, invoked
from rotator.spec import Demand
from rotator.wiring import startup_deadline

EVERY = timedelta(minutes=5)
"""How often the schedule invokes `tick`."""


def tick(event: Any, context: Context) -> dict[str, int]:  # noqa: ANN401 - AWS's event is not looked at
    """Reconcile what is due.

    Returns:
        How many secrets there are, and what came of those that were awake.
    """
    del event
    return invoked("tick", context, _tick)


def _tick(invocation: Invocation) -> dict[str, int]:
    specs = invocation.container.config.secrets
    store = invocation.container.clients.store
    found = resolve(specs, store, startup_deadline())
    for spec, error in found.lost:
        invocation.count(failed(spec, error))
    since = invocation.now - EVERY
    awake = [t for t in found.targets if not is_asleep(t, now=invocation.now, since=since)]
    if awake:
        _reconcile(awake, invocation)
    figures = invocation.figures
    return {
        "secrets": len(specs),
        "awake": len(awake),
        "rotated": figures.rotated,
        "held": figures.held,
        "failed": figures.failed_runs,
        "queued": figures.queued,
    }


def _reconcile(targets: list[Target], invocation: Invocation) -> None:
    with invocation.world() as world:
        for outcome in run_all(targets, world, lambda spec: invocation.new_run(spec, Demand.DUE)):
            invocation.count(outcome)
