"""Where the trail is read from: an audit directory, a bucket, or both of them as one."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from pathlib import Path
from typing import Protocol

from rotator.audit import reading, verification
from rotator.audit.findings import Finding, Flaw, VerificationReport
from rotator.audit.reading import Criteria
from rotator.audit.record import Record


class Source(Protocol):
    """A place that runs were recorded in. Every method raises AuditUnavailableError if it cannot be read."""

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit; those of one run in their order."""

    def last_outcomes(self, secrets: Collection[str]) -> dict[str, Record]:
        """Return how the last run of each secret ended, by name; without those that never had one."""

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time, in order."""

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

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time."""
        return reading.endings(self.directory, since)

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


def endings_of(sources: Sequence[Source], since: datetime) -> list[Record]:
    """Return how runs ended since a time, in order; a run that stands in several sources once.

    Raises:
        AuditUnavailableError: a source cannot be read.
    """
    found = {record.run_id: record for source in sources for record in source.endings(since)}
    return sorted(found.values(), key=lambda record: record.time)


def verify_all(sources: Sequence[Source]) -> list[VerificationReport]:
    """Check each source by itself, and whether what a run says in one of them it says in all.

    A chain has no key, so whoever takes one place can rewrite it whole; not the other one with it.

    Raises:
        AuditUnavailableError: a source cannot be read.
    """
    reports = [source.verify() for source in sources]
    for here, there in combinations(reports, 2):
        for run_id in here.chains.keys() & there.chains.keys():
            ours, theirs = here.chains[run_id], there.chains[run_id]
            common = min(len(ours), len(theirs))
            if run_id in here.cut_short | there.cut_short:
                common -= 1  # where it was closed, that event is another one
            if ours[:common] != theirs[:common]:
                there.add(Finding(Flaw.CONTRADICTED, there.where, None, run_id, None, f"see {here.where}"))
    return reports
