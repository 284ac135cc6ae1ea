"""`tick`: the schedule. Looks the fleet over by its labels, and does or queues what is due.

An event that says of one secret that a label moved wakes that secret alone. Our own promotions send it, too: a look
that finds nothing to do writes nothing, so it ends after one.

Without `ROTATOR_QUEUE_URL` what is awake is reconciled here, as far as the function's time covers it. With it, the
planner is asked about each secret whose labels do not tell, and those with something to do are sent to the queue.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from rotator.config.values import duration
from rotator.engine.containment import is_outage
from rotator.engine.reconcile import preview
from rotator.engine.run import World
from rotator.engine.superseded import superseded_keys
from rotator.fleet.lookup import LIST_FROM, Target, resolve
from rotator.fleet.run import WORKERS_MAX, run_all
from rotator.fleet.wake import LOOKS_MAX, Wake, wake
from rotator.lambda_handlers.events import QueuedSecret, labelled_secret
from rotator.lambda_handlers.invocation import Context, Invocation, invoked
from rotator.lambda_handlers.queue import group_of, send
from rotator.model.errors import ConfigError, DeadlineExceededError, RotatorError
from rotator.model.naming import generation_of_version
from rotator.model.plan import Outcome, Revoke
from rotator.model.secret import Demand
from rotator.model.times import time_from
from rotator.wiring.runs import startup_deadline

_EVERY = "5m"
LATE_MAX = timedelta(hours=1)
"""An event that is older than this says nothing about when its tick was due."""


def tick(event: Any, context: Context) -> dict[str, int]:  # noqa: ANN401 - only its time is read
    """Reconcile or queue what is due; return how many secrets there are, how many were awake, what came of those."""
    return invoked("tick", context, lambda invocation: _tick(event, invocation))


def _tick(event: object, invocation: Invocation) -> dict[str, int]:
    config = invocation.container.config
    at = _due_time(event, invocation.now)
    every = _every()
    store = invocation.container.clients.store
    moved = labelled_secret(event)
    asked = config.secrets if moved is None else tuple(spec for spec in (config.entry_of(moved),) if spec)
    found = resolve(asked, store, startup_deadline(), _list_from())
    for spec, error in found.lost:
        invocation.count(Outcome.failed(spec.name, error))
    since = min(at, invocation.now) - every
    waiting = invocation.container.waiting
    awake = [
        target
        for target in found.targets
        if moved or target.spec.name in waiting or wake(target, now=invocation.now, since=since) is not Wake.ASLEEP
    ]
    awake.sort(key=lambda target: (not _is_due(target, invocation), target.spec.name not in waiting))
    queue_url = os.environ.get("ROTATOR_QUEUE_URL")
    if awake:
        with invocation.world() as world:
            if queue_url:
                due = _judged(awake, world, invocation, every)
                sqs = invocation.container.sqs
                lost = send(sqs, queue_url, group_of(config.pinata), due)
                invocation.figures.queued += len(due) - len(lost)
                for secret in lost:
                    invocation.refuse(RotatorError(f"`{secret.name}` was not queued"))
            else:
                if moved is None:
                    invocation.container.waiting = frozenset(target.spec.name for target in awake[LOOKS_MAX:])
                for outcome in run_all(awake[:LOOKS_MAX], world, lambda spec: invocation.new_run(spec, Demand.DUE)):
                    invocation.count(outcome)
    figures = invocation.figures
    return {
        "secrets": len(asked),
        "awake": len(awake),
        "rotated": figures.rotated,
        "held": figures.held,
        "failed": figures.failed_runs,
        "queued": figures.queued,
    }


def _due_time(event: object, now: datetime) -> datetime:
    """Return when this tick was due, so that no moment falls between two ticks; if the event does not tell, now."""
    told = event.get("time") if isinstance(event, dict) else None
    with suppress(ValueError):
        at = time_from(str(told))
        if abs(now - at) <= LATE_MAX:
            return at
    return now


def _every() -> timedelta:
    """Return how often the schedule invokes us. Raises ConfigError if `ROTATOR_TICK_EVERY` is no duration."""
    try:
        return duration(os.environ.get("ROTATOR_TICK_EVERY", _EVERY))
    except ValueError:
        problem = "ROTATOR_TICK_EVERY is not a duration"
    raise ConfigError(problem, next_step="Write it like `5m`, as often as the schedule ticks.")


def _list_from() -> int | None:
    """Return from how many secrets on ListSecrets is asked: where the policy has no right to, it never is.

    Raises ConfigError if `ROTATOR_LIST_SECRETS` is neither `yes` nor `no`.
    """
    match os.environ.get("ROTATOR_LIST_SECRETS", "yes"):
        case "yes":
            return LIST_FROM
        case "no":
            return None
        case _:
            raise ConfigError(
                "ROTATOR_LIST_SECRETS is neither `yes` nor `no`",
                next_step="Set it to `no` where the function has no right to `secretsmanager:ListSecrets`.",
            )


def _judged(
    awake: Sequence[Target], world: World, invocation: Invocation, every: timedelta
) -> tuple[QueuedSecret, ...]:
    """Return what has something to do. Each look waits for Pinata, so several are taken at once.

    What is due needs no look; of the others so many are looked at here, and the rest by workers.
    """
    unclear = [target.spec.name for target in awake if not _is_due(target, invocation)]
    left_out = frozenset(unclear[LOOKS_MAX:])

    def look(target: Target) -> QueuedSecret | None:
        if target.spec.name in left_out and target.description.hold_at(invocation.now) is None:
            return QueuedSecret(target.spec.name, target.description.arn)
        return _look(target, world, invocation, every)

    with ThreadPoolExecutor(WORKERS_MAX, "preview") as pool:
        looks = list(pool.map(look, awake))
    return tuple(due for due in looks if due is not None)


def _is_due(target: Target, invocation: Invocation) -> bool:
    return wake(target, now=invocation.now, since=invocation.now) is Wake.DUE


def _look(target: Target, world: World, invocation: Invocation, every: timedelta) -> QueuedSecret | None:
    """Ask the planner about one secret, where its labels do not tell; if there is no time to, a worker will."""
    spec, description = target.spec, target.description
    due = QueuedSecret(spec.name, description.arn)
    if _is_due(target, invocation):
        highest = max(generation_of_version(v.version_id) for v in description.versions)
        return replace(due, generation=highest + 1)
    try:
        run = invocation.new_run(spec, Demand.DUE)
        plan, observed = preview(spec, description, world, run)
    except DeadlineExceededError:
        return due
    except RotatorError as error:
        invocation.refuse(error)
        return None
    kept = superseded_keys(observed) if plan.reason.outlives_grace else ()
    old = len(kept) + sum(isinstance(action, Revoke) for action in plan.actions)
    late = invocation.now - observed.promoted_at() > spec.grace + 2 * every
    invocation.add(held=plan.reason.needs_person, outages=is_outage(observed), old_keys_overdue=old if late else 0)
    return replace(due, generation=observed.next_generation()) if plan.actions else None
