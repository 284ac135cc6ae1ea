"""`work`: the queue. Reconciles the secrets that a tick found due, one message after the other.

All messages of one group concern one Pinata account, so they are handled one by one. Secrets are independent: whatever
happens to one, the next is handled. What failed and may succeed later is handed back (`batchItemFailures`); a queue
with a redrive policy moves it to its dead-letter queue after some receives. A handed-back message is not the only
memory of its secret: the next tick finds again what is due.

- A FIFO queue hands out nothing of a group while one of its messages is invisible. So what is handed back becomes
  visible soon: a failure after a minute, what there was no time to begin at once.
- What was not begun must not end in the dead-letter queue because of a message that takes all the time: each further
  receive begins one message later, and ends with those before.
- Further copies of a secret in one batch are handled with the first: its result holds for them.
- A message that cannot be read never succeeds. It is handed back alone and stops no other.
- What needs a person is not handed back: repeating it does not help.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rotator.config.file import Config
from rotator.engine.run import Run, World
from rotator.fleet.lookup import Target
from rotator.fleet.run import run_all
from rotator.fleet.wake import Wake, wake
from rotator.lambda_handlers.events import Batch, Message, QueuedSecret, batch, queued_secret
from rotator.lambda_handlers.invocation import Context, Invocation, invoked
from rotator.lambda_handlers.queue import HandedBack, hand_back
from rotator.model.errors import DeadlineExceededError, EventError, Remedy, RotatorError
from rotator.model.naming import time_of_version
from rotator.model.plan import Outcome
from rotator.model.secret import Demand, SecretSpec

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
RETRY_S = 60
"""After so long a failed message is handed out again: Pinata may be well by then, and its group waits no longer."""
_RETRIED = frozenset({Remedy.NEXT_RUN, Remedy.AUDIT})


def work(event: Any, context: Context) -> dict[str, list[dict[str, str]]]:  # noqa: ANN401 - parsed by `events`
    """Reconcile the secrets that messages name; return those to keep, as SQS event sources read them."""
    return invoked("work", context, lambda invocation: _work(batch(event), invocation))


def _work(received: Batch, invocation: Invocation) -> dict[str, list[dict[str, str]]]:
    for _ in received.unreadable:
        invocation.refuse(EventError("a record lacks what a queue always tells; it is handed back"))
    kept: list[tuple[Message, int]] = []
    queued: list[tuple[Message, SecretSpec, QueuedSecret]] = []
    for message in _in_turn(received.messages):
        try:
            asked = queued_secret(message.body)
            queued.append((message, _entry(asked, invocation.container.config), asked))
        except EventError as error:
            invocation.refuse(error)
            kept.append((message, RETRY_S))
    if queued:
        with invocation.world() as world:
            kept += _run(queued, world, invocation)
    _hasten(kept, invocation)
    ids = (*received.unreadable, *(message.message_id for message, _ in kept))
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in ids]}


def _in_turn(received: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages, beginning one later for each time that the first of them was received before."""
    begin = (received[0].receives - 1) % len(received) if received else 0
    return (*received[begin:], *received[:begin])


def _entry(asked: QueuedSecret, config: Config) -> SecretSpec:
    spec = config.entry_of(asked.arn)
    if spec is None or spec.name != asked.name:
        raise EventError("a message names no configured secret by its name and its ARN")
    return spec


def _run(
    queued: Sequence[tuple[Message, SecretSpec, QueuedSecret]], world: World, invocation: Invocation
) -> list[tuple[Message, int]]:
    """Run the queued in turn; return the messages to keep, and after how many seconds to hand each out again."""
    kept: list[tuple[Message, int]] = []
    begun: set[QueuedSecret] = set()
    for message, spec, asked in queued:
        if asked in begun:
            continue
        try:
            run = invocation.new_run(spec, Demand.DUE)
        except DeadlineExceededError as error:
            if not begun and not kept:  # the function's whole time is too short: that is a failure
                invocation.count(Outcome.failed(spec.name, error))
            kept.append((message, 0 if begun else RETRY_S))
            continue
        begun.add(asked)
        try:
            outcome = _outcome(message, spec, asked, world, run)
        except EventError as error:
            invocation.refuse(error)
            kept.append((message, RETRY_S))
            continue
        if outcome is None:
            continue
        invocation.count(outcome)
        if outcome.error is not None and outcome.error.remedy in _RETRIED:
            kept.append((message, RETRY_S))
    return kept


def _outcome(message: Message, spec: SecretSpec, asked: QueuedSecret, world: World, run: Run) -> Outcome | None:
    """Reconcile one secret; None if it was rotated since the message was sent and nothing has come up since.

    A queue that drains slower than ticks fill it holds several messages about one secret. Raises EventError if the
    configured secret has another ARN than the message says.
    """
    try:
        description = world.store.describe(spec.secret_id, run.deadline)
    except RotatorError as error:
        return Outcome.failed(spec.name, error)
    if description.arn != asked.arn:
        raise EventError(f"a message names another secret than `{spec.name}`, by its ARN")
    target = Target(spec, description)
    made_at = max((time_of_version(v.version_id) or _LONG_AGO for v in description.versions), default=_LONG_AGO)
    if made_at > message.sent_at and wake(target, now=run.now, since=message.sent_at) is Wake.ASLEEP:
        return None
    (outcome,) = run_all([target], world, lambda _: run)
    return outcome


def _hasten(kept: Sequence[tuple[Message, int]], invocation: Invocation) -> None:
    """Have the queue hand out what is kept sooner than its visibility timeout, if it is known which queue that is."""
    queue_url = os.environ.get("ROTATOR_QUEUE_URL")
    if not kept or not queue_url:
        return
    try:
        hand_back(
            invocation.container.sqs, queue_url, [HandedBack(message.receipt, again_s) for message, again_s in kept]
        )
    except RotatorError as error:
        invocation.refuse(error)
