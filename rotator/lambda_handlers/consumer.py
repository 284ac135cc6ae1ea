"""`work`: the queue. Reconciles the secrets that a tick found due, one message after the other.

All messages of one group are of one Pinata account, so they are taken one by one. What failed and may succeed later
is handed back (`batchItemFailures`): a queue that redrives moves it to its dead-letter queue after some receives.
A message handed back is not the only memory of its secret: the next tick finds due again what is due.

- After a failure the rest of its group is handed back untouched: the account may be down.
- A message that is no errand of ours never succeeds. It is handed back alone and stops nobody.
- Those handed back untouched must not end in the dead-letter queue beside the one that fails each time: each further
  receive begins one message later, and ends with those before.
- What needs a person is not handed back: no repetition cures it.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from rotator.errors import EventError, Remedy, RotatorError
from rotator.fleet import Target, failed, is_asleep, run_all
from rotator.lambda_handlers.events import Errand, Message, errand, messages
from rotator.lambda_handlers.invocation import Context, Invocation, invoked
from rotator.model import Outcome
from rotator.naming import ids_of, time_of_version
from rotator.reconcile import World
from rotator.spec import Demand, SecretSpec

_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_RETRIED = frozenset({Remedy.NEXT_RUN, Remedy.AUDIT})


def work(event: Any, context: Context) -> dict[str, list[dict[str, str]]]:  # noqa: ANN401 - parsed by `events`
    """Reconcile the secrets that the messages name.

    Returns:
        The messages that the queue must keep, as SQS event sources read them.
    """
    return invoked("work", context, lambda invocation: _work(messages(event), invocation))


def _work(received: Sequence[Message], invocation: Invocation) -> dict[str, list[dict[str, str]]]:
    kept: list[str] = []
    errands: list[tuple[Message, SecretSpec, Errand]] = []
    for message in _in_turn(received):
        try:
            asked = errand(message.body)
            errands.append((message, _spec(asked, invocation.container.config.secrets), asked))
        except EventError as error:
            invocation.refuse(error)
            kept.append(message.message_id)
    if errands:
        with invocation.world() as world:
            kept += _run(errands, world, invocation)
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in kept]}


def _in_turn(received: Sequence[Message]) -> tuple[Message, ...]:
    """Return the messages, beginning one later for each time that the first of them was received before."""
    begin = (received[0].receives - 1) % len(received)
    return (*received[begin:], *received[:begin])


def _spec(asked: Errand, specs: Sequence[SecretSpec]) -> SecretSpec:
    """Return the entry that an errand names.

    Raises:
        EventError: there is none of this name for this secret.
    """
    for spec in specs:
        if spec.name == asked.name and spec.secret_id in ids_of(asked.arn):
            return spec
    raise EventError("a message names no configured secret by its name and its ARN")


def _run(
    errands: Sequence[tuple[Message, SecretSpec, Errand]], world: World, invocation: Invocation
) -> list[str]:
    """Run the errands in turn; return the messages to keep."""
    kept: list[str] = []
    stopped: set[str] = set()
    for message, spec, asked in errands:
        if message.group in stopped:
            kept.append(message.message_id)
            continue
        outcome = _outcome(message, spec, asked, world, invocation)
        if outcome is None:
            continue
        invocation.count(outcome)
        if outcome.error is not None and outcome.error.remedy in _RETRIED:
            kept.append(message.message_id)
            if message.group:
                stopped.add(message.group)
    return kept


def _outcome(
    message: Message, spec: SecretSpec, asked: Errand, world: World, invocation: Invocation
) -> Outcome | None:
    """Reconcile one secret; None if it was rotated since the message was sent and nothing has come up since.

    A queue that drains slower than ticks fill it holds several messages about one secret.
    """
    try:
        run = invocation.new_run(spec, Demand.DUE)
        labels = world.store.describe(asked.arn, run.deadline)
    except RotatorError as error:
        return failed(spec, error)
    target = Target(spec, labels)
    made_at = max(
        (time_of_version(v.version_id) or _LONG_AGO for v in labels.versions), default=_LONG_AGO
    )
    if made_at > message.sent_at and is_asleep(target, now=run.now, since=message.sent_at):
        return None
    (outcome,) = run_all([target], world, lambda _: run)
    return outcome
