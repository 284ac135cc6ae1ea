"""How a run lies in a bucket: one object per event, below a folder of its own.

    <secret>/<13 digits>-<UTC start>-<run id>/<sequence>.json

The digits count down as time goes on, so that a listing, which S3 gives in the order of keys only,
begins with a secret's newest run. An object's key tells the sequence and nothing else about the
event: whoever writes the same event number of the same run writes the same key, and only the first
one can.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from rotator.audit.bucket import PAGE, Bucket, ListedObject
from rotator.audit.record import RunIdentity

_LATEST_MS = 9_999_999_999_999
_KEY = re.compile(
    r"(?P<folder>(?P<secret>[^/]+)/(?P<down>\d{13})-\d{8}T\d{6}Z-(?P<run_id>[^/]+)/)"
    r"(?P<sequence>\d{6})\.json"
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
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
    sequences: list[int] = field(default_factory=list)
    """In rising order."""

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
    """Return the key of one event."""
    return f"{folder}{sequence:06}.json"


def newest_runs(bucket: Bucket, secret: str) -> list[RunInBucket]:
    """Return a secret's newest runs, the newest first: those on the first page of its listing.

    Raises:
        AuditUnavailableError: they cannot be listed.
    """
    page = next(bucket.pages(f"{secret}/"), [])
    runs = list(group(page))
    if len(page) == PAGE and len(runs) > 1:
        runs.pop()  # it may go on, on the next page
    return runs


def all_runs(bucket: Bucket, secret: str | None) -> Iterator[RunInBucket]:
    """Yield the runs of one secret or of all, secret by secret, the newest first.

    Raises:
        AuditUnavailableError: they cannot be listed.
    """
    below = "" if secret is None else f"{secret}/"
    return group(found for page in bucket.pages(below) for found in page)


def group(objects: Iterable[ListedObject]) -> Iterator[RunInBucket]:
    """Yield the runs that objects belong to; what is not named as one of ours is passed over."""
    run: RunInBucket | None = None
    for found in objects:
        match = _KEY.fullmatch(found.key)
        if not match:
            continue
        if run is None or run.folder != match["folder"]:
            if run:
                yield run
            began_at = _EPOCH + timedelta(milliseconds=_LATEST_MS - int(match["down"]))
            run = RunInBucket(match["folder"], match["secret"], match["run_id"], began_at, found.written_at)
        run.sequences.append(int(match["sequence"]))
        run.written_at = max(run.written_at, found.written_at)
    if run:
        yield run
