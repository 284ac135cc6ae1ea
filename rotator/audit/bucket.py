"""An S3 bucket: objects that are written once, read and listed. The only audit module that knows boto3.

Every write carries `If-None-Match: *`, so that S3 itself refuses to overwrite (Amazon S3 user
guide, "How to prevent object overwrites with conditional writes"). An answer that was lost shows as
a refusal of the repeated write; then what is stored is read back and compared.

A library's exception keeps the answer it failed on, so nothing of it passes through here but its
class, or the error code, the HTTP status and the request id, if they look like such.

Nothing hangs: the client makes a limited number of attempts, each with time limits of its own (see
`rotator.aws.client.client_config`), and a write that S3 calls a conflict is repeated a few
times.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from rotator.audit.event import LINE_MAX_BYTES
from rotator.model.errors import AuditUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PAGE = 1000
"""Objects on a full page of a listing."""
PAGES_MAX = 10_000
"""Pages that are listed at one go."""
CONFLICTS_MAX = 3
_PLAIN = re.compile(r"[A-Za-z0-9._/+=-]{1,96}", re.ASCII)
_DENIED = "Give this identity the rights on the bucket that docs/audit.md lists, then run `rotator run`."
_NO_BUCKET = "Compare `[audit] s3` with `aws s3 ls`, and the bucket's region; then run `rotator run`."
_UNREACHED = "See that S3 can be reached from here, then run `rotator run`: it goes on from there."
_OTHERS = "Look at the object, and for another rotator that works on the same secret; then run `rotator audit verify`."


class ObjectTakenError(AuditUnavailableError):
    """There is an object of that name already, and it says something else."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing shows it."""

    key: str
    size: int
    """In bytes."""
    written_at: datetime
    """By S3's clock."""


class Bucket:
    """The part of a bucket below a prefix. Safe to use from several threads.

    Args:
        client: made with time limits.
        name: the bucket's.
        prefix: what every key begins with: empty, or ending in a slash.
    """

    def __init__(self, client: "S3Client", name: str, prefix: str) -> None:
        self._client = client
        self._name = name
        self._prefix = prefix

    def __str__(self) -> str:
        return self.url("")

    def url(self, key: str) -> str:
        """Return how people name an object."""
        return f"s3://{self._name}/{self._prefix}{key}"

    def put_new(self, key: str, body: bytes) -> None:
        """Write an object that is not there yet, durably.

        Raises:
            ObjectTakenError: it is there, with other content.
            AuditUnavailableError: it is not written, or nobody knows.
        """
        for _ in range(CONFLICTS_MAX):
            try:
                self._client.put_object(
                    Bucket=self._name,
                    Key=self._prefix + key,
                    Body=body,
                    ContentType="application/json",
                    IfNoneMatch="*",
                )
            except Exception as error:  # noqa: BLE001 - botocore lets anything out: parsers' and urllib3's errors, too
                failure = _Failure.of(error)
            else:
                return
            match failure.status:
                case HTTPStatus.PRECONDITION_FAILED:
                    if self.get(key) == body:
                        return  # an earlier attempt had come through, and only its answer was lost
                    raise ObjectTakenError(
                        f"the audit trail cannot be written: {self.url(key)} is there already, "
                        "and somebody else wrote it; it was left as it is",
                        next_step=_OTHERS,
                    )
                case HTTPStatus.CONFLICT:
                    continue  # another conditional write of the same key was under way
                case _:
                    break
        raise failure.told(f"the audit trail cannot be written: PutObject of {self.url(key)}")

    def get(self, key: str) -> bytes | None:
        """Return an object's content, cut off where no event is that long; None if there is none.

        Raises:
            AuditUnavailableError: it cannot be read.
        """
        try:
            answer = self._client.get_object(Bucket=self._name, Key=self._prefix + key)
            with answer["Body"] as body:
                return body.read(LINE_MAX_BYTES)
        except Exception as error:  # noqa: BLE001 - botocore lets anything out: parsers' and urllib3's errors, too
            failure = _Failure.of(error)
        if failure.code == "NoSuchKey":
            return None
        raise failure.told(f"the audit trail cannot be read: GetObject of {self.url(key)}")

    def pages(self, below: str) -> Iterator[list[ListedObject]]:
        """Yield the objects whose keys begin with `below`, in the order of their keys, by the page.

        Raises:
            AuditUnavailableError: they cannot be listed, or are too many.
        """
        failure: _Failure | None = None
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._name, Prefix=self._prefix + below, PaginationConfig={"PageSize": PAGE}
        )
        try:
            for number, page in enumerate(pages):
                if number == PAGES_MAX:
                    break
                yield [
                    ListedObject(found["Key"].removeprefix(self._prefix), found["Size"], found["LastModified"])
                    for found in page.get("Contents", [])
                ]
            else:
                return
        except Exception as error:  # noqa: BLE001 - botocore lets anything out: parsers' and urllib3's errors, too
            failure = _Failure.of(error)
        if failure:
            raise failure.told(f"the audit trail cannot be read: ListObjectsV2 of {self.url(below)}")
        raise AuditUnavailableError(
            f"the audit trail cannot be read: more than {PAGES_MAX} pages of objects below {self.url(below)}",
            next_step="Ask for one secret, or begin a new prefix in `[audit] s3` and keep the old one.",
        )


@dataclass(frozen=True, slots=True)
class _Failure:
    """What of a failed call may be told."""

    code: str
    status: int
    request_id: str

    @classmethod
    def of(cls, error: Exception) -> "_Failure":
        if not isinstance(error, ClientError):
            return cls(type(error).__name__, 0, "")
        metadata = error.response.get("ResponseMetadata", {})
        return cls(
            _plain(error.response.get("Error", {}).get("Code")) or "no error code",
            metadata.get("HTTPStatusCode", 0),
            _plain(metadata.get("RequestId")),
        )

    def told(self, what: str) -> AuditUnavailableError:
        """Return our error for it."""
        facts = ", request ".join(part for part in (self.code, self.request_id) if part)
        match self.status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                said, next_step = "was denied", _DENIED
            case HTTPStatus.NOT_FOUND | HTTPStatus.MOVED_PERMANENTLY:
                said, next_step = "found no such bucket", _NO_BUCKET
            case _:
                said, next_step = "failed", _UNREACHED
        return AuditUnavailableError(f"{what} {said} ({facts})", next_step=next_step)


def _plain(text: object) -> str:
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else ""
