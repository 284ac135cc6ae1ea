"""Lambda's pollers of queues: receive a batch, invoke, delete what succeeded. The rest becomes visible again.

Source: developer guide, "Using Lambda with Amazon SQS" and "Handling errors for an SQS event source". A batch whose
function failed is not deleted at all; with ReportBatchItemFailures only what the answer names is kept, and an answer
that names an unknown message, or none that can be read, keeps everything. Redrive to the dead-letter queue is the
queue's own. The visibility timeout passes when `Poller.drain` is told to let it.
"""

import json
from collections.abc import Iterable
from typing import Any

from moto.sqs.models import Message

from rotator.sandbox.secrets_manager.store import Scope
from tests.stack.aws.functions import AskRights, Functions
from tests.stack.aws.rights import Ask
from tests.stack.aws.under_moto import EventSource, Queues, event_sources, function

RIGHTS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")
"""What the function's role must allow Lambda (developer guide, "Execution role permissions")."""
ROUNDS_MAX = 50


class Poller:
    """Works queues off when told to, in the caller's thread: what happened is over when it returns."""

    def __init__(self, scope: Scope, functions: Functions, ask: AskRights) -> None:
        """Poll for every event source mapping of one account and region."""
        self._scope = scope
        self._functions = functions
        self._ask = ask
        self.queues = Queues(scope)

    def drain(self, *, redeliveries: int = 0) -> int:
        """Poll until nothing is visible; let the visibility timeout pass up to `redeliveries` times.

        Returns:
            How many batches were handed to functions.

        Raises:
            RuntimeError: the queues do not run dry.
        """
        batches = 0
        for source in event_sources(self._scope):
            for chance in range(redeliveries + 1):
                if chance:
                    self.queues.release(source.queue)
                batches += self._until_dry(source)
        return batches

    def _until_dry(self, source: EventSource) -> int:
        for batches in range(ROUNDS_MAX):
            if not self._poll(source):
                return batches
        raise RuntimeError(f"{source.queue} does not run dry")

    def _poll(self, source: EventSource) -> bool:
        asks = [Ask(right, source.queue_arn) for right in RIGHTS]
        if not self._ask(source.function, asks):
            raise RuntimeError(f"the role of {source.function} does not let Lambda poll")
        messages = self.queues.receive(source.queue, source.batch_max)
        if not messages:
            return False
        event = {"Records": [self._record(source, message) for message in messages]}
        to_invoke = function(self._scope, source.function)
        payload, failed, _ = self._functions.run(to_invoke, json.dumps(event).encode())
        kept = {one.id for one in messages} if failed else self._kept(source, messages, payload)
        for message in messages:
            if message.id not in kept:
                self.queues.delete(source.queue, message)
        return True

    @staticmethod
    def _kept(source: EventSource, messages: Iterable[Message], payload: bytes) -> set[str]:
        known = {one.id for one in messages}
        if not source.reports_failures:
            return set()
        try:
            answer: Any = json.loads(payload) or {}
            named = {one["itemIdentifier"] for one in answer.get("batchItemFailures") or ()}
        except (AttributeError, KeyError, TypeError, ValueError):
            return known
        return known if named - known else named

    def _record(self, source: EventSource, message: Message) -> dict[str, Any]:
        return {
            "messageId": message.id,
            "receiptHandle": message.receipt_handle,
            "body": message.body,
            "attributes": {
                "ApproximateReceiveCount": str(message.approximate_receive_count),
                "ApproximateFirstReceiveTimestamp": str(message.approximate_first_receive_timestamp),
                "SentTimestamp": str(message.sent_timestamp),
                "SenderId": message.sender_id,
                "MessageGroupId": message.group_id,
                "MessageDeduplicationId": message.deduplication_id,
                "SequenceNumber": message.sequence_number,
            },
            "messageAttributes": {},
            "md5OfBody": message.body_md5,
            "eventSource": "aws:sqs",
            "eventSourceARN": source.queue_arn,
            "awsRegion": self._scope.region,
        }
