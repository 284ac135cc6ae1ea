"""What AWS sends, parsed strictly: a value of ours, or an error and nothing done."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rotator.engine.native import Rotation, Step
from rotator.model.credential import Sensitive
from rotator.model.errors import EventError
from rotator.model.naming import place_of
from rotator.model.times import reckoned

BODY_MAX = 4096
RECORDS_MAX = 10_000
"""The most that a batch of an SQS event source can be set to."""
_TOKEN = re.compile(r"[!-~]{32,64}", re.ASCII)
"""ClientRequestToken (API reference, shape ClientRequestTokenType; the characters are ours)."""
_ROTATION_TOKEN = re.compile(r"[A-Za-z0-9-]{36,256}", re.ASCII)
"""RotationToken (API reference, shape RotationTokenType)."""
_ARN = re.compile(r"arn:[!-~]{1,2044}", re.ASCII)
_STEPS = {spelling: step for step in Step for spelling in (step.value, re.sub("([A-Z])", r"_\1", step.value).lower())}
"""Step names as AWS's samples and its service spell them, and as the user guide does: `create_secret`."""
_ROTATION_KEYS = {"Step", "SecretId", "ClientRequestToken"}


@dataclass(frozen=True, slots=True)
class RotationEvent:
    """One step of a rotation, as Secrets Manager asks for it."""

    rotation: Rotation
    arn: str
    proof: Sensitive | None
    """RotationToken: shows that Secrets Manager asked. A secret."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the queue: a secret that a tick found due."""

    message_id: str
    receipt: str
    """By this receive the queue knows it."""
    receives: int
    """How often it was handed out, this time included."""
    sent_at: datetime
    body: str


@dataclass(frozen=True, slots=True)
class Batch:
    """What a queue handed out."""

    messages: tuple[Message, ...]
    unreadable: tuple[str, ...]
    """Ids of records that lack something a queue always tells."""


@dataclass(frozen=True, slots=True)
class QueuedSecret:
    """A configured secret that is due, by name and by ARN; the body of a message is these two."""

    name: str
    arn: str
    generation: int = 0
    """The one that its next version would get; 0 if it is not known."""

    def body(self) -> str:
        """Return the text that `queued_secret` reads."""
        return json.dumps({"name": self.name, "arn": self.arn})


def labelled_secret(event: object) -> str | None:
    """Return the ARN of the secret of which EventBridge says that a label moved; None if the event is another one.

    As Secrets Manager sends it (user guide, Secret Label Updated event): the ARN is the only one of `resources`.
    """
    told = event if isinstance(event, Mapping) else {}
    if told.get("source") != "aws.secretsmanager":
        return None
    resources = told.get("resources")
    arn = resources[0] if isinstance(resources, list) and len(resources) == 1 else None
    return arn if isinstance(arn, str) and _ARN.fullmatch(arn) else ""


def batch(event: object) -> Batch:
    """Return the messages of an SQS event, bodies unread. One record that cannot be read spoils no other.

    Raises EventError if it is not an SQS event; a record without an id could not even be handed back.
    """
    records = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(records, list) or not 0 < len(records) <= RECORDS_MAX:
        raise EventError("this is not an event of an SQS queue; nothing was done")
    read: list[Message] = []
    unreadable: list[str] = []
    for record in records:
        message_id = record.get("messageId") if isinstance(record, Mapping) else None
        if not isinstance(message_id, str) or not message_id:
            raise EventError("a record is not one of an SQS queue; nothing was done")
        message = _message(message_id, record)
        if message is None:
            unreadable.append(message_id)
        else:
            read.append(message)
    return Batch(tuple(read), tuple(unreadable))


def _message(message_id: str, record: Mapping[str, Any]) -> Message | None:
    try:
        attributes = record["attributes"]
        return Message(
            message_id,
            str(record["receiptHandle"]),
            int(attributes["ApproximateReceiveCount"]),
            reckoned(datetime.fromtimestamp(int(attributes["SentTimestamp"]) / 1000, UTC)),
            str(record["body"]),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


def queued_secret(body: str) -> QueuedSecret:
    """Read the body of a message.

    Raises EventError if it is not a JSON object of exactly `name` and `arn`, the latter a secret's whole ARN.
    """
    value: object = None
    if len(body) <= BODY_MAX:
        try:
            value = json.loads(body)
        except (ValueError, RecursionError):
            value = None
    if not isinstance(value, dict) or value.keys() != {"name", "arn"}:
        raise EventError("a message is not an object of exactly `name` and `arn`")
    name, arn = value["name"], value["arn"]
    if not isinstance(name, str) or not isinstance(arn, str):
        raise EventError("`name` and `arn` of a message are not both texts")
    if place_of(arn) is None:
        raise EventError("`arn` of a message is not the whole ARN of a secret")
    return QueuedSecret(name, arn)


def rotation_event(event: object) -> RotationEvent:
    """Return a step of Secrets Manager's own rotation.

    Fields that are not known here are passed over. Raises EventError if one that is known is missing, or not what it
    should be.
    """
    if not isinstance(event, Mapping) or not event.keys() >= _ROTATION_KEYS:
        raise EventError(
            "this is not an event of Secrets Manager's rotation: it has the fields Step, SecretId and "
            "ClientRequestToken, and perhaps more; nothing was done"
        )
    step = _STEPS.get(_text(event, "Step", re.compile("[A-Za-z_]{1,32}")))
    if step is None:
        raise EventError("Step is none of the four of a rotation; nothing was done")
    proof = Sensitive(_text(event, "RotationToken", _ROTATION_TOKEN)) if "RotationToken" in event else None
    rotation = Rotation(step, _text(event, "ClientRequestToken", _TOKEN))
    return RotationEvent(rotation, _text(event, "SecretId", _ARN), proof)


def _text(event: Mapping[str, object], key: str, form: re.Pattern[str]) -> str:
    value = event[key]
    if not isinstance(value, str) or not form.fullmatch(value):
        raise EventError(f"{key} of the event is not of its form; nothing was done")
    return value
