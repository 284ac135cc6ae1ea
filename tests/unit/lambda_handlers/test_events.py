"""Events of AWS: what is taken, and that anything else is refused without a word of what it held."""

import json
from typing import Any

import pytest

from rotator.engine.native import Step
from rotator.lambda_handlers.events import QueuedSecret, batch, labelled_secret, queued_secret, rotation_event
from rotator.model.errors import EventError

ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/pinata/uploader-AbCdEf"
TOKEN = "6f1f4a1c-2f0e-4f5a-9a77-0c1d2e3f4a5b"
PROOF = "canary00-1111-2222-3333-444455556666"
ASKED = {"Step": "createSecret", "SecretId": ARN, "ClientRequestToken": TOKEN}


@pytest.mark.parametrize(
    ("spelling", "step"),
    [
        ("createSecret", Step.CREATE),
        ("setSecret", Step.SET),
        ("testSecret", Step.TEST),
        ("finishSecret", Step.FINISH),
        ("create_secret", Step.CREATE),
        ("set_secret", Step.SET),
        ("test_secret", Step.TEST),
        ("finish_secret", Step.FINISH),
    ],
)
def test_both_spellings_of_a_step(spelling: str, step: Step) -> None:
    """AWS's samples and its user guide spell the steps differently; both are understood."""
    asked = rotation_event(ASKED | {"Step": spelling})
    assert (asked.rotation.step, asked.rotation.token, asked.arn) == (step, TOKEN, ARN)
    assert asked.proof is None


def test_fields_that_are_not_known_are_passed_over() -> None:
    """AWS may add one, as it added RotationToken."""
    assert rotation_event(ASKED | {"Attempt": {"number": 1}}) == rotation_event(ASKED)


def test_rotation_token_is_kept_secret() -> None:
    """RotationToken is a secret: the event it came in does not show it."""
    asked = rotation_event(ASKED | {"RotationToken": PROOF})
    assert asked.proof is not None
    assert asked.proof.reveal() == PROOF
    assert "canary" not in repr(asked)


@pytest.mark.parametrize(
    "event",
    [
        None,
        [],
        "createSecret",
        {},
        {"Step": "createSecret"},
        {k: v for k, v in ASKED.items() if k != "SecretId"},
        ASKED | {"Step": "deleteSecret"},
        ASKED | {"Step": "CREATESECRET"},
        ASKED | {"Step": ["createSecret"]},
        ASKED | {"Step": "createSecret\n"},
        ASKED | {"SecretId": "prod/pinata/uploader"},
        ASKED | {"SecretId": ARN + "\n"},
        ASKED | {"SecretId": "arn:" + "a" * 3000},
        ASKED | {"SecretId": 7},
        ASKED | {"ClientRequestToken": "short"},
        ASKED | {"ClientRequestToken": "t" * 65},
        ASKED | {"ClientRequestToken": TOKEN + "\n"},
        ASKED | {"ClientRequestToken": None},
        ASKED | {"RotationToken": "canary"},
        ASKED | {"RotationToken": "canary-" * 50},
        ASKED | {"RotationToken": "canary " * 10},
        ASKED | {"RotationToken": None},
    ],
    ids=str,
)
def test_other_rotation_events_are_refused(event: Any) -> None:  # noqa: ANN401 - whatever somebody sends
    """Exact keys, types, lengths and characters; a refusal quotes nothing."""
    with pytest.raises(EventError) as refused:
        rotation_event(event)
    assert "canary" not in refused.value.message
    assert refused.value.__cause__ is None


def record(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a JSON document
    """Return a record as SQS event sources send it."""
    attributes = {"ApproximateReceiveCount": "2", "SentTimestamp": "1795000000123", "MessageGroupId": "rotator-0a"}
    whole = {"messageId": "m1", "receiptHandle": "r1", "body": "{}", "attributes": attributes}
    return whole | changes


def test_messages_of_a_queue() -> None:
    """What is needed of a record is read, the body left for later."""
    (message,) = batch({"Records": [record()]}).messages
    assert (message.message_id, message.receipt, message.receives) == ("m1", "r1", 2)
    assert message.sent_at.timestamp() == pytest.approx(1_795_000_000.123)


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        {"Records": []},
        {"Records": "m"},
        {"Records": [None]},
        {"Records": [record(messageId="")]},
        {"Records": [record(), {"body": "{}"}]},
    ],
    ids=str,
)
def test_other_queue_events_are_refused(event: Any) -> None:  # noqa: ANN401 - whatever somebody sends
    """An event that is none of a queue is an error of the whole invocation."""
    with pytest.raises(EventError):
        batch(event)


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": {}},
        {"attributes": None},
        {"attributes": {"ApproximateReceiveCount": "x", "SentTimestamp": "1"}},
        {"attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "9" * 30}},
    ],
    ids=str,
)
def test_record_that_cannot_be_read_spoils_no_other(changes: dict[str, Any]) -> None:
    """A record without what a queue always tells is named, and the others are read."""
    received = batch({"Records": [record(messageId="bad", **changes), record()]})
    assert received.unreadable == ("bad",)
    assert [message.message_id for message in received.messages] == ["m1"]


def test_errand_survives_its_body() -> None:
    """What a tick sends is what a worker reads."""
    sent = QueuedSecret("uploader", ARN)
    assert queued_secret(sent.body()) == sent


@pytest.mark.parametrize(
    "body",
    [
        "",
        "nonsense",
        "[]",
        "[" * 2000,
        json.dumps({"name": "uploader"}),
        json.dumps({"name": "uploader", "arn": ARN, "more": 1}),
        json.dumps({"name": 1, "arn": ARN}),
        json.dumps({"name": "uploader", "arn": ARN[: -len("-AbCdEf")]}),
        json.dumps({"name": "uploader", "arn": "prod/pinata/uploader"}),
        json.dumps({"name": "u" * 5000, "arn": ARN}),
    ],
    ids=lambda body: f"{len(body)}: {body[:20]}",
)
def test_other_bodies_are_refused(body: str) -> None:
    """A body has exactly two texts, a name and a whole ARN."""
    with pytest.raises(EventError):
        queued_secret(body)


@pytest.mark.parametrize(
    ("changes", "arn"),
    [
        ({}, "arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-AbCdEf"),
        ({"source": "aws.events"}, None),
        ({"resources": []}, ""),
        ({"resources": ["a", "b"]}, ""),
        ({"resources": [7]}, ""),
        ({"resources": "arn:aws:x"}, ""),
    ],
)
def test_label_event_names_its_secret(changes: dict[str, object], arn: str | None) -> None:
    """Another event is none; one that names no secret, or several, means none of ours."""
    told = {
        "detail-type": "Secret Label Updated",
        "source": "aws.secretsmanager",
        "resources": ["arn:aws:secretsmanager:eu-central-1:111122223333:secret:a-AbCdEf"],
        "detail": {"name": "a", "labelUpdated": "AWSCURRENT", "versionId": "e" * 32},
    }
    assert labelled_secret(told | changes) == arn
    assert labelled_secret("no event") is None
