"""The objects of a bucket: written once, read and listed; and how a run lies there.

A run is a folder of objects, each with the lines since the one before:
`<secret>/<13 digits>-<UTC start>-<run id>/<sequence>.json`. The digits count down as time goes on, so that a listing,
which S3 gives in the order of keys only, begins with a secret's newest run. An object's key holds the sequence of its
first event and nothing else: two writers of one run's next event compete for one key, and only the first one gets it.

Every write carries `If-None-Match: *`, so that S3 itself refuses to overwrite (Amazon S3 user
guide, "How to prevent object overwrites with conditional writes"). An answer that was lost shows as
a refusal of the repeated write; then what is stored is read back and compared.

What S3 does not do raises AuditUnavailableError. A library's exception keeps the answer it failed on, so nothing of it
passes through here except its class, or the error code, the HTTP status and the request id, if they look like such.
Nothing hangs: the client makes a limited number of attempts, each with time limits of its own (see
`rotator.aws.client.client_config`), and a write that S3 calls a conflict is repeated a few times.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import groupby
from typing import TYPE_CHECKING, Any, TypeVar

from botocore.exceptions import ClientError

from rotator.audit.event import LINE_MAX_BYTES, StoredEvent, parse
from rotator.audit.record import RunIdentity
from rotator.model.errors import AuditUnavailableError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import DeleteMarkerEntryTypeDef, ObjectVersionTypeDef

_Page = TypeVar("_Page")

PAGE = 1000
"""Objects on a full page of a listing."""
PAGES_MAX = 10_000
"""Pages that are listed at one go."""
CONFLICTS_MAX = 3
OBJECT_MAX_BYTES = 8 * LINE_MAX_BYTES
"""More than a run records between two calls that change something."""
_LATEST_MS = 9_999_999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_KEY = re.compile(
    r"(?P<folder>(?P<secret>[^/]+)/(?P<down>\d{13})-\d{8}T\d{6}Z-(?P<run_id>[^/]+)/)"
    r"(?P<sequence>\d{6})\.json"
)
_REFUSED = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED}
_PLAIN = re.compile(r"[A-Za-z0-9._/+=-]{1,96}", re.ASCII)
_DENIED = "Give this identity the rights on the bucket that docs/audit.md lists, then run `rotator run`."
_NO_BUCKET = "Compare `[audit] s3` with `aws s3 ls`, and the bucket's region; then run `rotator run`."
_UNREACHED = "See that S3 can be reached from here, then run `rotator run`: it goes on from there."
_OTHERS = "Look at the object, and for another rotator that works on the same secret; then run `rotator audit verify`."


class RefusedError(AuditUnavailableError):
    """S3, or what stands in for it, does not let us do this, or does not do it at all."""


class ObjectTakenError(AuditUnavailableError):
    """There is an object of that name already, and it says something else."""


@dataclass(frozen=True, slots=True)
class ListedObject:
    """An object as a listing shows it."""

    key: str
    written_at: datetime
    """By S3's clock."""


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object, or a delete marker, as a listing of versions shows it."""

    key: str
    written_at: datetime
    version_id: str
    is_marker: bool


@dataclass(frozen=True, slots=True)
class AuditBucket:
    """The part of a bucket below a prefix. Safe to use from several threads."""

    client: "S3Client"
    """Made with time limits."""
    name: str
    prefix: str
    """What every key begins with: empty, or ending in a slash."""

    def __str__(self) -> str:
        return self.url("")

    def url(self, key: str) -> str:
        """Return how people name an object."""
        return f"s3://{self.name}/{self.prefix}{key}"

    def put_new(self, key: str, body: bytes) -> None:
        """Write an object that is not there yet, durably; if it is, with other content, raise ObjectTakenError."""
        for _ in range(CONFLICTS_MAX):
            try:
                self.client.put_object(
                    Bucket=self.name, Key=self.prefix + key, Body=body, ContentType="application/json", IfNoneMatch="*"
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
                        "written by another process; it was left as it is",
                        next_step=_OTHERS,
                    )
                case HTTPStatus.CONFLICT:
                    continue  # another conditional write of the same key was under way
                case _:
                    break
        raise failure.as_error(f"the audit trail cannot be written: PutObject of {self.url(key)}")

    def get(self, key: str, version_id: str = "") -> bytes | None:
        """Return an object's content, cut off where none is that long; None if there is no such object.

        Without a version it is that of the latest one.
        """
        try:
            found = self.client.get_object(Bucket=self.name, Key=self.prefix + key, **_of_version(version_id))
            with found["Body"] as body:
                return body.read(OBJECT_MAX_BYTES)
        except Exception as error:  # noqa: BLE001 - as above
            failure = _Failure.of(error)
        if failure.code in {"NoSuchKey", "NoSuchVersion"}:
            return None
        raise failure.as_error(f"the audit trail cannot be read: GetObject of {self.url(key)}")

    def pages(self, below: str) -> Iterator[list[ListedObject]]:
        """Yield the objects whose keys begin with `below`, in the order of their keys, by the page."""
        listing = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.name, Prefix=self.prefix + below, PaginationConfig={"PageSize": PAGE}
        )
        for page in self._limited("ListObjectsV2", below, listing):
            yield [
                ListedObject(found["Key"].removeprefix(self.prefix), found["LastModified"])
                for found in page.get("Contents", [])
            ]

    def version_pages(self, below: str) -> Iterator[list[ObjectVersion]]:
        """Yield all versions in the order of their keys, the latest of a key first, but markers last on a page."""
        listing = self.client.get_paginator("list_object_versions").paginate(
            Bucket=self.name, Prefix=self.prefix + below, PaginationConfig={"PageSize": PAGE}
        )
        for page in self._limited("ListObjectVersions", below, listing):
            found = [self._version(one, is_marker=False) for one in page.get("Versions", [])]
            found += [self._version(one, is_marker=True) for one in page.get("DeleteMarkers", [])]
            yield sorted(found, key=lambda one: one.key.encode())

    def _version(self, one: "ObjectVersionTypeDef | DeleteMarkerEntryTypeDef", *, is_marker: bool) -> ObjectVersion:
        return ObjectVersion(one["Key"].removeprefix(self.prefix), one["LastModified"], one["VersionId"], is_marker)

    def _limited(self, operation: str, below: str, pages: Iterable[_Page]) -> Iterator[_Page]:
        """Yield the pages of a listing, so many of them and no more."""
        problem = AuditUnavailableError(
            f"the audit trail cannot be read: more than {PAGES_MAX} pages of objects below {self.url(below)}",
            next_step="Ask for one secret, or begin a new prefix in `[audit] s3` and keep the old one.",
        )
        try:
            for number, page in enumerate(pages):
                if number == PAGES_MAX:
                    break
                yield page
            else:
                return
        except Exception as error:  # noqa: BLE001 - as above
            problem = _Failure.of(error).as_error(f"the audit trail cannot be read: {operation} of {self.url(below)}")
        raise problem


@dataclass(frozen=True, slots=True)
class _Failure:
    """The part of a failed call that may be shown."""

    code: str
    status: int
    request_id: str

    @classmethod
    def of(cls, error: Exception) -> "_Failure":
        if not isinstance(error, ClientError):
            return cls(type(error).__name__, 0, "")
        code = _plain(error.response.get("Error", {}).get("Code")) or "no error code"
        metadata = error.response.get("ResponseMetadata", {})
        return cls(code, metadata.get("HTTPStatusCode", 0), _plain(metadata.get("RequestId")))

    def as_error(self, what: str) -> AuditUnavailableError:
        """Return our error for it."""
        facts = ", request ".join(part for part in (self.code, self.request_id) if part)
        match self.status:
            case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
                said, next_step = "was denied", _DENIED
            case HTTPStatus.NOT_FOUND | HTTPStatus.MOVED_PERMANENTLY:
                said, next_step = "found no such bucket", _NO_BUCKET
            case _:
                said, next_step = "failed", _UNREACHED
        kind = RefusedError if self.status in _REFUSED else AuditUnavailableError
        return kind(f"{what} {said} ({facts})", next_step=next_step)


def _of_version(version_id: str) -> dict[str, Any]:
    return {"VersionId": version_id} if version_id else {}


def _plain(text: object) -> str:
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else ""


@dataclass(frozen=True, slots=True)
class RunInBucket:
    """One run as a listing shows it."""

    folder: str
    """Its keys without their ends; itself ending in a slash."""
    secret: str
    run_id: str
    began_at: datetime
    """By the writer's clock."""
    written_at: datetime
    """When its last object was written, by S3's clock."""
    sequences: list[int]
    """Of the first event in each object, in rising order."""

    @property
    def object_keys(self) -> list[str]:
        """The keys of its objects, in the order of events."""
        return [object_key(self.folder, sequence) for sequence in self.sequences]


def folder_of(run: RunIdentity, began_at: datetime) -> str:
    """Return the folder of a run that begins now."""
    down = _LATEST_MS - (began_at - _EPOCH) // timedelta(milliseconds=1)
    stamp = began_at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    return f"{run.secret}/{down:013}-{stamp}-{run.run_id}/"


def object_key(folder: str, sequence: int) -> str:
    """Return the key of the object that begins with an event."""
    return f"{folder}{sequence:06}.json"


def events_in(content: bytes | None) -> list[tuple[bytes, StoredEvent | None]]:
    """Return the lines of an object, each with the event on it."""
    lines = (content or b"").removesuffix(b"\n").split(b"\n")
    return [(line, parse(line)) for line in lines]


def last_event(content: bytes | None) -> StoredEvent | None:
    """Return the last event of an object; None if its last line is none."""
    return events_in(content)[-1][1]


def newest_runs(bucket: AuditBucket, secret: str) -> list[RunInBucket]:
    """Return a secret's newest runs, the newest first: those on the first page of its listing."""
    page = next(bucket.pages(f"{secret}/"), [])
    runs = list(group(page))
    if len(page) == PAGE and len(runs) > 1:
        runs.pop()  # it may go on, on the next page
    return runs


def all_runs(bucket: AuditBucket, secret: str | None) -> Iterator[RunInBucket]:
    """Yield the runs of one secret or of all, secret by secret, the newest first."""
    below = "" if secret is None else f"{secret}/"
    return group(found for page in bucket.pages(below) for found in page)


def group(objects: Iterable[ListedObject]) -> Iterator[RunInBucket]:
    """Yield the runs that objects belong to; an object without the name of an event is passed over."""
    named = ((match, found) for found in objects if (match := _KEY.fullmatch(found.key)))
    for folder, members in groupby(named, key=lambda pair: pair[0]["folder"]):
        events = list(members)
        name = events[0][0]
        yield RunInBucket(
            folder=folder,
            secret=name["secret"],
            run_id=name["run_id"],
            began_at=_EPOCH + timedelta(milliseconds=_LATEST_MS - int(name["down"])),
            written_at=max(found.written_at for _, found in events),
            sequences=[int(match["sequence"]) for match, _ in events],
        )
