"""What can happen to the calls of a client on their way: S3's errors, faults, lost answers."""

from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError

from tests.unit.audit.media import InBucket

CANARY = "eyJhbGciOiJIUzI1NiJ9.Y2FuYXJ5"
"""A token in what S3 says, which must not be passed on."""


class _Raw:
    def __init__(self, content: bytes) -> None:
        self.content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        """Yield the body."""
        yield self.content


def answer(status: int, code: str) -> Callable[[Any], AWSResponse]:
    """Return what answers a request with one of S3's errors."""
    body = f"<Error><Code>{code}</Code><Message>{CANARY}</Message></Error>".encode()
    return lambda request: AWSResponse(request.url, status, HTTPHeaders(), _Raw(body))


def fail(error: Exception) -> Callable[[Any], AWSResponse]:
    """Return what fails a request on the wire."""

    def raise_it(_: object) -> AWSResponse:
        raise error

    return raise_it


class Wire:
    """What happens to the calls of a client, each attempt counted."""

    def __init__(self, bucket: InBucket) -> None:
        self.calls: Counter[str] = Counter()
        self._faults: list[tuple[str, Callable[[Any], AWSResponse], str]] = []
        self._spared: Counter[str] = Counter()
        self._lost: list[str] = []
        # Between the two, moto answers; all of them are called, and the first answer counts.
        events = bucket.client.meta.events
        events.register_first("before-send.s3", self._before)  # type: ignore[arg-type]  # the stub lacks answers
        events.register_last("before-send", self._after)

    def fault(
        self, operation: str, fault: Callable[[Any], AWSResponse], times: int = 1, where: str = "", after: int = 0
    ) -> None:
        """Let attempts of an operation, with this in their URL, meet a fault without an effect, after so many more."""
        self._faults += times * [(operation, fault, where)]
        self._spared[operation] = after

    def heal(self) -> None:
        """Let nothing more go wrong."""
        self._faults.clear()

    def lose(self, operation: str) -> None:
        """Let the answer to the next attempt of an operation get lost."""
        self._lost.append(operation)

    def _before(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:  # noqa: ANN401 - botocore's
        operation = event_name.rpartition(".")[2]
        self.calls[operation] += 1
        for number, (failing, fault, where) in enumerate(self._faults):
            if failing == operation and where in request.url:
                if self._spared[operation]:
                    self._spared[operation] -= 1
                    return None
                del self._faults[number]
                answered = fault(request)
                request.url = "https://nowhere.amazonaws.com/"  # where moto changes nothing
                return answered
        return None

    def _after(self, event_name: str, **_: object) -> None:
        operation = event_name.rpartition(".")[2]
        if operation in self._lost:
            self._lost.remove(operation)
            raise ReadTimeoutError(endpoint_url="https://x")
