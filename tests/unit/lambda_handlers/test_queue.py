"""Filling the queue: batches, what is lost, and what is sent once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from rotator.config.tables import AdminEnvironment, AdminSecret, PinataConfig
from rotator.lambda_handlers.events import QueuedSecret
from rotator.lambda_handlers.queue import HandedBack, group_of, hand_back, send
from rotator.model.errors import RotatorError

URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/due.fifo"


@dataclass
class Queue:
    """Takes what it is told to take; a batch of SendMessageBatch has at most ten entries."""

    refuses: set[str] = field(default_factory=set)
    """Bodies that are refused once each."""
    fails: list[Exception] = field(default_factory=list)
    taken: list[Any] = field(default_factory=list)
    handed_back: dict[str, int] = field(default_factory=dict)

    def send_message_batch(self, *, QueueUrl: str, Entries: Sequence[Any]) -> Mapping[str, Any]:  # noqa: N803 - AWS's names
        """Answer as SQS does."""
        assert QueueUrl == URL
        assert 1 <= len(Entries) <= 10
        assert len({entry["Id"] for entry in Entries}) == len(Entries)
        if self.fails:
            raise self.fails.pop()
        good = [e for e in Entries if e["MessageBody"] not in self.refuses]
        bad = [e for e in Entries if e["MessageBody"] in self.refuses]
        self.refuses -= {e["MessageBody"] for e in bad}
        self.taken += good
        failed = [{"Id": e["Id"], "SenderFault": False, "Code": "InternalError"} for e in bad]
        return {"Successful": [{"Id": e["Id"]} for e in good], "Failed": failed}

    def change_message_visibility_batch(
        self,
        *,
        QueueUrl: str,  # noqa: N803 - AWS's names
        Entries: Sequence[Any],  # noqa: N803 - AWS's names
    ) -> Mapping[str, Any]:
        """Answer as SQS does."""
        assert QueueUrl == URL
        assert 1 <= len({entry["Id"] for entry in Entries}) == len(Entries) <= 10
        if self.fails:
            raise self.fails.pop()
        self.handed_back |= {e["ReceiptHandle"]: e["VisibilityTimeout"] for e in Entries}
        return {}


def due(count: int) -> tuple[QueuedSecret, ...]:
    """Return some secrets."""
    return tuple(QueuedSecret(f"s{n}", f"arn:aws:secretsmanager:s{n}", 7) for n in range(count))


def pinata(admin: AdminSecret | AdminEnvironment, owner: str = "rotator") -> PinataConfig:
    """Return a configuration with a managing key."""
    return PinataConfig("https://api.pinata.cloud", "v3", admin, owner, 60, 30)


def test_batches_of_ten() -> None:
    """Many secrets go in several calls, each once, all in one group."""
    queue = Queue()
    assert send(queue, URL, "group", due(23)) == ()
    assert len({entry["MessageBody"] for entry in queue.taken}) == len(queue.taken) == 23
    assert {entry["MessageGroupId"] for entry in queue.taken} == {"group"}


def test_partial_failure_is_sent_again() -> None:
    """What a batch lost is sent once more, and nothing else is."""
    wanted = due(3)
    queue = Queue(refuses={wanted[1].body()})
    assert send(queue, URL, "group", wanted) == ()
    assert sorted(e["MessageBody"] for e in queue.taken) == sorted(d.body() for d in wanted)


def test_what_is_not_taken_is_told() -> None:
    """A queue that answers nothing but errors takes nothing, and all of it is told."""
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")
    queue = Queue(fails=[error, EndpointConnectionError(endpoint_url=URL)])
    assert send(queue, URL, "group", due(2)) == due(2)


def test_same_secret_is_deduplicated_by_secret_and_generation_alone() -> None:
    """One generation of one secret has one id, whenever it is sent; a new generation and another secret another."""

    def id_of(number: int, generation: int) -> str:
        queue = Queue()
        send(queue, URL, "group", (replace(due(2)[number], generation=generation),))
        return str(queue.taken[0]["MessageDeduplicationId"])

    first = id_of(0, 7)
    assert first == id_of(0, 7)
    assert len({first, id_of(0, 8), id_of(1, 7)}) == 3
    assert re.fullmatch(r"[0-9a-f]{64}", first)


def test_handing_back_goes_in_batches() -> None:
    """Every message is told, ten in a call; a batch that the queue refuses stops no other, and is told."""
    messages = [HandedBack(f"r{n}", n) for n in range(12)]
    queue = Queue()
    hand_back(queue, URL, messages)
    assert queue.handed_back == {f"r{n}": n for n in range(12)}
    queue = Queue(fails=[EndpointConnectionError(endpoint_url=URL)])
    with pytest.raises(RotatorError, match="EndpointConnectionError"):
        hand_back(queue, URL, messages)
    assert queue.handed_back == {"r10": 10, "r11": 11}


def test_group_is_the_managing_account() -> None:
    """One group for one owner and managing key, in the alphabet of SQS."""
    by_secret = group_of(pinata(AdminSecret("pinata/admin")))
    assert by_secret == group_of(pinata(AdminSecret("pinata/admin")))
    others = {
        group_of(pinata(AdminSecret("pinata/other"))),
        group_of(pinata(AdminEnvironment("PINATA_ADMIN_JWT"))),
        group_of(pinata(AdminSecret("pinata/admin"), "other")),
    }
    assert by_secret not in others
    assert len(others) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9-]{1,128}", group) for group in (by_secret, *others))
