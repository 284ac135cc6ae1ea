"""An SQS FIFO queue: sending what is due, and handing back what was not done.

One message group is one Pinata account: its messages are handed out one batch after the other, so that workers do not
compete for the account's few requests a minute. SQS accepts the same secret and generation once in five minutes, then
again if it is still due.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from rotator.config.tables import AdminEnvironment, PinataConfig
from rotator.lambda_handlers.events import QueuedSecret
from rotator.model.errors import RotatorError

BATCH_MAX = 10
"""Entries of one SendMessageBatch (API reference)."""
TRIES = 2


class SqsClient(Protocol):
    """What is used of a boto3 client."""

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> Mapping[str, Any]:  # noqa: N803 - AWS's names
        """Send up to ten messages."""

    def change_message_visibility_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803 - AWS's names
        Entries: Sequence[Any],  # noqa: N803 - AWS's names
    ) -> Mapping[str, Any]:
        """Say of up to ten messages in flight when they are handed out again."""


@dataclass(frozen=True, slots=True)
class HandedBack:
    """A message in flight that the queue is to hand out again."""

    receipt: str
    again_s: int
    """After so many seconds, 0 to 43,200."""


def group_of(pinata: PinataConfig) -> str:
    """Return the name of the managing account, in SQS's alphabet: whoever uses the same one, waits in one line."""
    admin = pinata.admin
    managing = admin.variable if isinstance(admin, AdminEnvironment) else admin.secret_id
    return f"{pinata.owner}-{_digest(managing)[:16]}"


def send(client: SqsClient, queue_url: str, group: str, due: Sequence[QueuedSecret]) -> tuple[QueuedSecret, ...]:
    """Send secrets that are due; return those that the queue did not take."""
    left = tuple(due)
    for _ in range(TRIES):
        left = tuple(
            lost
            for at in range(0, len(left), BATCH_MAX)
            for lost in _lost(client, queue_url, group, left[at : at + BATCH_MAX])
        )
        if not left:
            break
    return left


def _lost(client: SqsClient, queue_url: str, group: str, batch: Sequence[QueuedSecret]) -> Iterator[QueuedSecret]:
    """Send one batch; yield what was not taken. A batch without an answer may have been: it is deduplicated."""
    entries = [
        {
            "Id": str(number),
            "MessageBody": secret.body(),
            "MessageGroupId": group,
            "MessageDeduplicationId": _digest(f"{secret.arn} {secret.generation}"),
        }
        for number, secret in enumerate(batch)
    ]
    try:
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
    except Exception:  # noqa: BLE001 - botocore lets anything out, see `rotator.aws.causes`
        yield from batch
        return
    taken = {entry["Id"] for entry in answer.get("Successful", ())}
    yield from (secret for number, secret in enumerate(batch) if str(number) not in taken)


def hand_back(client: SqsClient, queue_url: str, messages: Sequence[HandedBack]) -> None:
    """Have messages handed out again. One that is no longer in flight is handed out without it.

    Raises RotatorError if the queue was not told: they come back after its visibility timeout.
    """
    problem = ""
    for at in range(0, len(messages), BATCH_MAX):
        entries = [
            {"Id": str(number), "ReceiptHandle": one.receipt, "VisibilityTimeout": one.again_s}
            for number, one in enumerate(messages[at : at + BATCH_MAX])
        ]
        try:
            client.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
        except Exception as error:  # noqa: BLE001 - as above
            problem = type(error).__name__
    if problem:
        raise RotatorError(
            f"the queue was not told when to hand out messages again: {problem}; it does so after its "
            "visibility timeout",
            next_step="See that the function's role has `sqs:ChangeMessageVisibility` on the queue.",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
