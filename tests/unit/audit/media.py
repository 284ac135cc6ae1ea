"""The two places a trail can lie in, behind one interface, so that the same assertions hold for both."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import boto3
from botocore.config import Config

from rotator.audit.bucket.destination import BucketDestination
from rotator.audit.bucket.ledger import FOLDER, BucketLedger
from rotator.audit.bucket.objects import AuditBucket
from rotator.audit.bucket.source import BucketSource
from rotator.audit.directory.destination import DirectoryDestination
from rotator.audit.directory.files import audit_files
from rotator.audit.directory.source import DirectorySource
from rotator.audit.sources import Source
from rotator.audit.trail import AuditTrail, Destination
from rotator.audit.verify import Verdict
from tests.unit.audit.builders import WRITER, RunIds, TickingClock, a_trail, as_is

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "audit-trail"
PREFIX = "rotator/"
Line = tuple[str, int]
"""Where a line stands: a file or an object, and its index there."""


class Medium(Protocol):
    """A place for one trail."""

    clock: TickingClock

    def trail(self, ids: str = "run") -> AuditTrail:
        """Return the audit log of a process that records here."""

    @property
    def source(self) -> Source:
        """What it is read from."""

    def lines(self) -> dict[Line, bytes]:
        """Return every line, in the order of their places."""

    def put(self, line: Line, content: bytes) -> None:
        """Tamper with a line; an empty one is gone, with its object."""


class OnDisk:
    """An audit directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = TickingClock(datetime.now(UTC))

    def trail(self, ids: str = "run") -> AuditTrail:
        """Return the audit log of a process that records here."""
        return a_trail(self.directory, ids=ids, clock=self.clock)

    @property
    def source(self) -> Source:
        """What it is read from."""
        return DirectorySource(self.directory)

    def lines(self) -> dict[Line, bytes]:
        """Return every line, in the order of their places."""
        return {
            (str(path), number): line
            for path in audit_files(self.directory)
            for number, line in enumerate(path.read_bytes().splitlines(keepends=True))
        }

    def put(self, line: Line, content: bytes) -> None:
        """Tamper with a line."""
        path = Path(line[0])
        lines = path.read_bytes().splitlines(keepends=True)
        lines[line[1]] = content
        path.write_bytes(b"".join(lines))


class InBucket:
    """A bucket of moto's."""

    def __init__(self) -> None:
        self.client: S3Client = boto3.client(
            "s3",
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
            config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
        )
        self.client.create_bucket(Bucket=BUCKET)
        self.clock = TickingClock(datetime.now(UTC))
        self.bucket = AuditBucket(self.client, BUCKET, PREFIX)

    def trail(self, ids: str = "run") -> AuditTrail:
        """Return the audit log of a process that records here."""
        destination = BucketDestination(self.bucket, WRITER, self.clock, BucketLedger(self.bucket, RunIds("id"), as_is))
        return AuditTrail([destination], WRITER, clock=self.clock, new_id=RunIds(ids))

    @property
    def source(self) -> BucketSource:
        """What it is read from."""
        return BucketSource(self.bucket, self.clock)

    def all_keys(self) -> list[str]:
        """Return the key of every event."""
        found = [found.key for page in self.bucket.pages("") for found in page]
        return [key for key in found if not key.startswith(FOLDER)]

    def lines(self) -> dict[Line, bytes]:
        """Return every line, in the order of the keys of their objects."""
        return {
            (key, number): line
            for key in self.all_keys()
            for number, line in enumerate((self.bucket.get(key) or b"").splitlines(keepends=True))
        }

    def put(self, line: Line, content: bytes) -> None:
        """Tamper with a line of an object, with the right to overwrite."""
        lines = (self.bucket.get(line[0]) or b"\n").splitlines(keepends=True)
        lines[line[1]] = content
        if body := b"".join(lines):
            self.overwrite(line[0], body)
        else:
            self.delete(line[0])

    def overwrite(self, key: str, body: bytes) -> None:
        """Give an object another content."""
        self.client.put_object(Bucket=BUCKET, Key=PREFIX + key, Body=body)

    def delete(self, key: str) -> None:
        """Delete an object, or leave a delete marker."""
        self.client.delete_object(Bucket=BUCKET, Key=PREFIX + key)


class Both:
    """A directory and a bucket, and what is heard of losses."""

    def __init__(self, directory: Path, bucket: InBucket) -> None:
        self.directory, self.bucket = directory, bucket
        self.lost: list[str] = []

    def trail(self, ids: str = "run") -> AuditTrail:
        """Return the audit log of a process that records in both."""
        clock, new_id = self.bucket.clock, RunIds(ids)
        to: list[Destination] = [
            DirectoryDestination(self.directory, WRITER, clock=clock, new_id=new_id),
            BucketDestination(self.bucket.bucket, WRITER, clock, BucketLedger(self.bucket.bucket, new_id, as_is)),
        ]
        return AuditTrail(to, WRITER, clock=clock, new_id=new_id, on_loss=lambda e: self.lost.append(e.message))

    @property
    def sources(self) -> Sequence[Source]:
        """What it is read from."""
        return DirectorySource(self.directory), self.bucket.source

    def verdicts(self) -> list[Verdict]:
        """Return what each place by itself comes to."""
        return [source.verify().verdict for source in self.sources]
