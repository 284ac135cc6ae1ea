"""Filling the queue: batches, what is lost, and what is sent once."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from rotator.config import AdminEnvironment, AdminSecret, PinataConfig
from rotator.lambda_handlers.events import Errand
from rotator.lambda_handlers.queue import Due, group_of, send

NOW = datetime(2026, 11, 24, 20, 0, tzinfo=UTC)
URL = "https://sqs.eu-central-1.amazonaws.com/123456789012/due.fifo"


@dataclass
class Queue:
    """Takes what it is told to take; a batch of SendMessageBatch has at most ten entries."""

    refuses: set[str] = field(default_factory=set)
    """Bodies that are refused once each."""
    fails: list[Exception] = field(default_factory=list)
    taken: list[Any] = field(default_factory=list)

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


def due(count: int) -> tuple[Due, ...]:
    """Return some secrets."""
    return tuple(Due(Errand(f"s{n}", f"arn:aws:secretsmanager:s{n}"), 7) for n in range(count))


def pinata(admin: AdminSecret | AdminEnvironment, owner: str = "rotator") -> PinataConfig:
    """Return a configuration with a managing key."""
    return PinataConfig("https://api.pinata.cloud", "v3", admin, owner, 60, 30)


def test_batches_of_ten() -> None:
    """Many secrets go in several calls, each once, all in one group."""
    queue = Queue()
    assert send(queue, URL, "group", due(23), NOW) == ()
    assert len({entry["MessageBody"] for entry in queue.taken}) == len(queue.taken) == 23
    assert {entry["MessageGroupId"] for entry in queue.taken} == {"group"}


def test_partial_failure_is_sent_again() -> None:
    """What a batch lost is sent once more, and nothing else is."""
    wanted = due(3)
    queue = Queue(refuses={wanted[1].errand.body()})
    assert send(queue, URL, "group", wanted, NOW) == ()
    assert sorted(e["MessageBody"] for e in queue.taken) == sorted(d.errand.body() for d in wanted)


def test_what_is_not_taken_is_told() -> None:
    """A queue that answers nothing but errors takes nothing, and all of it is told."""
    error = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "SendMessageBatch")
    queue = Queue(fails=[error, EndpointConnectionError(endpoint_url=URL)])
    assert send(queue, URL, "group", due(2), NOW) == due(2)


def test_same_errand_is_deduplicated_until_the_next_slot() -> None:
    """The same generation within one slot has one id; a new generation, or five minutes later, another."""

    def id_of(generation: int, at: datetime) -> str:
        queue = Queue()
        send(queue, URL, "group", (Due(due(1)[0].errand, generation),), at)
        return str(queue.taken[0]["MessageDeduplicationId"])

    first = id_of(7, NOW)
    assert first == id_of(7, NOW + timedelta(minutes=4))
    assert first != id_of(7, NOW + timedelta(minutes=5))
    assert first != id_of(8, NOW)
    assert re.fullmatch(r"[0-9a-f]{64}", first)


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
