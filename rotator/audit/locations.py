"""The locations of one audit trail together: what is written to, and what is read from."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from rotator.audit.bucket.destination import BucketDestination
from rotator.audit.bucket.ledger import BucketLedger
from rotator.audit.bucket.objects import AuditBucket
from rotator.audit.bucket.recent import newest
from rotator.audit.bucket.source import BucketSource
from rotator.audit.chain import Clock, Keeps
from rotator.audit.directory.destination import DirectoryDestination
from rotator.audit.directory.files import probe
from rotator.audit.directory.source import DirectorySource
from rotator.audit.ledger import Sealed
from rotator.audit.record import Record, Writer
from rotator.audit.sources import Criteria, Source
from rotator.audit.trail import Destination
from rotator.model.errors import AuditUnavailableError


@dataclass(frozen=True, slots=True)
class TrailLocations:
    """A directory, a bucket, or both."""

    directory: Path | None
    bucket: AuditBucket | None
    clock: Clock
    seal: Sealed = lambda entry: entry
    """Signs the entries of the ledger."""

    def destinations(
        self, writer: Writer, new_id: Callable[[], str], keeps: Keeps = lambda _: False
    ) -> list[Destination]:
        """Return what the trail is written to."""
        found: list[Destination] = []
        if self.directory:
            found.append(DirectoryDestination(self.directory, writer, self.clock, new_id, keeps, self.seal))
        if self.bucket:
            ledger = BucketLedger(self.bucket, new_id, self.seal)
            found.append(BucketDestination(self.bucket, writer, self.clock, ledger, keeps))
        return found

    def sources(self) -> list[Source]:
        """Return what the trail is read from."""
        found: list[Source] = [DirectorySource(self.directory)] if self.directory else []
        return [*found, BucketSource(self.bucket, self.clock)] if self.bucket else found

    def newest(self, secret: str, since: datetime, idle_max: int) -> Iterator[Callable[[], Iterable[Record]]]:
        """Yield what reads the trail of a secret since a time: all of a directory, then a bucket as `newest` does."""
        if self.directory:
            yield partial(DirectorySource(self.directory).records, Criteria(secret=secret, since=since))
        if self.bucket:
            yield from newest(self.bucket, secret, since, idle_max)

    def probe(self) -> None:
        """Make sure that a record could be made durable now, without making one, or raise AuditUnavailableError.

        One location is enough. What is written to a bucket stays there, so it counts if it can be listed.
        """
        probes: list[Callable[[], object]] = [partial(probe, self.directory)] if self.directory else []
        if self.bucket:
            probes.append(partial(next, self.bucket.pages(""), None))
        problems: list[AuditUnavailableError] = []
        for attempt in probes:
            try:
                attempt()
            except AuditUnavailableError as error:
                problems.append(error)
        if len(problems) == len(probes):
            raise problems[0]
