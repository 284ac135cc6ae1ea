"""What the trail is read from: a directory, a bucket, or both as one.

Readers take what they find, also what is still being written; `rotator.audit.verify` says whether it
is genuine. Nothing that reads writes.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import combinations
from typing import Protocol

from rotator.audit.record import Record
from rotator.audit.verify import ANY_TERMS, HASH_BYTES, Finding, Flaw, Terms, VerificationReport


@dataclass(frozen=True, slots=True)
class Criteria:
    """What a record has to fit; None fits everything."""

    secret: str | None = None
    """The configured name of a secret."""
    key_id: str | None = None
    """A key that a record is about, or that its run revoked."""
    run_id: str | None = None
    since: datetime | None = None
    """The earliest time, included."""
    until: datetime | None = None
    """The latest time, excluded."""

    def fit(self, record: Record) -> bool:
        """Return whether a record fits every criterion."""
        return (
            (self.secret is None or record.secret == self.secret)
            and (self.key_id is None or self.key_id in {record.subject.key_id, *record.revoked})
            and (self.run_id is None or record.run_id == self.run_id)
            and (self.since is None or record.time >= self.since)
            and (self.until is None or record.time < self.until)
        )


class Source(Protocol):
    """A place that runs were recorded in. Every method raises AuditUnavailableError if it cannot be read."""

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield the records that fit; those of one run in their order."""

    def last_outcomes(self, secrets: Collection[str], since: datetime | None = None) -> dict[str, Record]:
        """Return how the last run of each secret ended, by name; without those that had none, or none since a time."""

    def endings(self, since: datetime) -> list[Record]:
        """Return how runs ended since a time, in order."""

    def verify(self, terms: Terms = ANY_TERMS) -> VerificationReport:
        """Check everything there."""


def records_of(sources: Sequence[Source], criteria: Criteria) -> Iterator[Record]:
    """Yield the records that fit; what is in several sources once, and all of them by time."""
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


def last_outcomes_of(
    sources: Sequence[Source], secrets: Collection[str], since: datetime | None = None
) -> dict[str, Record]:
    """Return how the last run of each secret ended, by name; without those that had none, or none since a time."""
    latest: dict[str, Record] = {}
    for source in sources:
        for name, record in source.last_outcomes(secrets, since).items():
            if name not in latest or record.time > latest[name].time:
                latest[name] = record
    return latest


def endings_of(sources: Sequence[Source], since: datetime) -> list[Record]:
    """Return how runs ended since a time, in order; a run that is in several sources once."""
    found = {record.run_id: record for source in sources for record in source.endings(since)}
    return sorted(found.values(), key=lambda record: record.time)


def verify_all(sources: Sequence[Source], terms: Terms = ANY_TERMS) -> list[VerificationReport]:
    """Check each source by itself, and whether what a run says in one of them it says in all.

    A chain has no key: control of one place is enough to rewrite it there and not in the other place.
    """
    reports = [source.verify(replace(terms, alone=len(sources) == 1)) for source in sources]
    for here, there in combinations(reports, 2):
        our_chains, their_chains = here.chains or {}, there.chains or {}
        for run_id in our_chains.keys() & their_chains.keys():
            ours, theirs = our_chains[run_id], their_chains[run_id]
            shared = min(len(ours), len(theirs))
            if run_id in here.cut_short | there.cut_short:
                shared -= HASH_BYTES  # where it was closed, that event is another one
            if ours[:shared] != theirs[:shared]:
                there.add(Finding(Flaw.CONTRADICTED, there.where, None, run_id, None, f"see {here.where}"))
    return reports
