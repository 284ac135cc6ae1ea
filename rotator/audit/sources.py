"""Where the trail is read from: an audit directory, a bucket, or both of them as one."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rotator.audit import reading, verification
from rotator.audit.findings import VerificationReport
from rotator.audit.reading import Criteria
from rotator.audit.stored import Record


class Source(Protocol):
    """A place that runs were recorded in. Every method raises AuditUnavailableError if it cannot be read."""

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit; those of one run in their order."""

    def last_outcomes(self, secrets: Collection[str]) -> dict[str, Record]:
        """Return how the last run of each secret ended, by name; without those that never had one."""

    def verify(self) -> VerificationReport:
        """Check everything there."""


@dataclass(frozen=True, slots=True)
class DirectorySource:
    """An audit directory as a `Source`."""

    directory: Path

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit, file by file."""
        return reading.query(self.directory, criteria)

    def last_outcomes(self, secrets: Collection[str]) -> dict[str, Record]:
        """Return how the last run of each secret ended."""
        return reading.last_outcomes(self.directory, secrets)

    def verify(self) -> VerificationReport:
        """Check every file."""
        return verification.verify(self.directory)


def records_of(sources: Sequence[Source], criteria: Criteria) -> Iterator[Record]:
    """Yield the records that fit; what stands in several sources once, and all of them by time.

    Raises:
        AuditUnavailableError: a source cannot be read.
    """
    if len(sources) == 1:
        yield from sources[0].records(criteria)
        return
    # Where one source was cut short, its recovery has the number of an event that another one has.
    found = {
        (record.run_id, record.sequence, record.kind): record
        for source in sources
        for record in source.records(criteria)
    }
    yield from sorted(found.values(), key=lambda record: record.time)


def last_outcomes_of(sources: Sequence[Source], secrets: Collection[str]) -> dict[str, Record]:
    """Return how the last run of each secret ended, by name; without those that never had one.

    Raises:
        AuditUnavailableError: a source cannot be read.
    """
    latest: dict[str, Record] = {}
    for source in sources:
        for name, record in source.last_outcomes(secrets).items():
            if name not in latest or record.time > latest[name].time:
                latest[name] = record
    return latest
