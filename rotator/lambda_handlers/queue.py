"""Sending what is due to an SQS FIFO queue.

One message group is one Pinata account: its messages are handed out one batch after the other, so that workers do not
compete for the account's few requests a minute. The same errand is accepted once in five minutes (SQS deduplicates for
that long); the slot of time in its id lets the next tick send it again, if it is still due by then.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from rotator.config import AdminEnvironment, PinataConfig
from rotator.lambda_handlers.events import Errand

BATCH_MAX = 10
"""Entries of one SendMessageBatch (API reference)."""
TRIES = 2
DEDUPLICATED = timedelta(minutes=5)
"""The deduplication interval of a FIFO queue (developer guide)."""


class SqsClient(Protocol):
    """What is used of a boto3 client."""

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> Mapping[str, Any]:  # noqa: N803 - AWS's names
        """Send up to ten messages."""


@dataclass(frozen=True, slots=True)
class Due:
    """A secret that is due."""

    errand: Errand
    generation: int
    """That its next version would get; 0 if nobody looked."""


def group_of(pinata: PinataConfig) -> str:
    """Return the name of the managing account, in SQS's alphabet: whoever uses the same one, waits in one line."""
    admin = pinata.admin
    managing = admin.variable if isinstance(admin, AdminEnvironment) else admin.secret_id
    return f"{pinata.owner}-{_digest(managing)[:16]}"


def send(
    client: SqsClient, queue_url: str, group: str, due: Sequence[Due], now: datetime
) -> tuple[Due, ...]:
    """Send errands; return those that the queue did not take.

    Args:
        client: an SQS client.

        queue_url: of a FIFO queue.

        group: the message group.

        due: the errands.

        now: the time of the tick.
    """
    slot = int(now.timestamp() // DEDUPLICATED.total_seconds())
    left = tuple(due)
    for _ in range(TRIES):
        left = tuple(
            lost
            for at in range(0, len(left), BATCH_MAX)
            for lost in _lost(client, queue_url, group, left[at : at + BATCH_MAX], slot)
        )
        if not left:
            break
    return left


def _lost(
    client: SqsClient, queue_url: str, group: str, batch: Sequence[Due], slot: int
) -> Iterator[Due]:
    """Send one batch; yield what was not taken. A batch without an answer may have been: it is deduplicated."""
    entries = [
        {
            "Id": str(number),
            "MessageBody": due.errand.body(),
            "MessageGroupId": group,
            "MessageDeduplicationId": _digest(f"{due.errand.arn} {due.generation} {slot}"),
        }
        for number, due in enumerate(batch)
    ]
    try:
        answer = client.send_message_batch(QueueUrl=queue_url, Entries=entries)
    except (BotoCoreError, ClientError):
        yield from batch
        return
    taken = {entry["Id"] for entry in answer.get("Successful", ())}
    yield from (due for number, due in enumerate(batch) if str(number) not in taken)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
