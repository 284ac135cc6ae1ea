"""The locations of one audit trail together: what is written to, and what is read from."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rotator.audit.bucket import Bucket
from rotator.audit.bucket_reading import BucketSource
from rotator.audit.bucket_runs import BucketDestination
from rotator.audit.chain import Clock
from rotator.audit.directory import probe
from rotator.audit.files import DirectoryDestination
from rotator.audit.record import Writer
from rotator.audit.sources import DirectorySource, Source
from rotator.audit.trail import AuditTrail, Destination, Listener
from rotator.model.errors import AuditUnavailableError


@dataclass(frozen=True, slots=True)
class TrailLocations:
    """A directory, a bucket, or both."""

    directory: Path | None
    bucket: Bucket | None
    clock: Clock

    def trail(
        self,
        writer: Writer,
        new_id: Callable[[], str],
        on_loss: Callable[[AuditUnavailableError], None],
        listener: Listener,
    ) -> AuditTrail:
        """Return the audit log of this process; see `AuditTrail`."""
        to: list[Destination] = []
        if self.directory:
            to.append(DirectoryDestination(self.directory, writer, clock=self.clock, new_id=new_id))
        if self.bucket:
            to.append(BucketDestination(self.bucket, writer, clock=self.clock))
        return AuditTrail(to, writer, clock=self.clock, new_id=new_id, on_loss=on_loss, listener=listener)

    def probe(self) -> None:
        """Make sure that a record could be made durable now, without making one: one place is enough.

        In a bucket it is only seen that it can be listed: whatever is written there stays.

        Raises:
            AuditUnavailableError: it could not, in any place.
        """
        problems: list[AuditUnavailableError] = []
        for probed in (self._probe_directory, self._probe_bucket):
            try:
                probed()
            except AuditUnavailableError as error:
                problems.append(error)
        if len(problems) == (self.directory is not None) + (self.bucket is not None):
            raise problems[0]

    def _probe_directory(self) -> None:
        if self.directory:
            probe(self.directory)

    def _probe_bucket(self) -> None:
        if self.bucket:
            next(self.bucket.pages(""), None)

    def sources(self) -> tuple[Source, ...]:
        """Return what the trail is read from."""
        found: list[Source] = []
        if self.directory:
            found.append(DirectorySource(self.directory))
        if self.bucket:
            found.append(BucketSource(self.bucket, self.clock))
        return tuple(found)
