"""Reading the trail: for `rotator audit show`, `rotator history` and `rotator status`.

Readers take what they find, also from files that are still being written; whether it is genuine is
asked of `rotator.audit.verification`. Nothing here writes.
"""

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.audit.directory import audit_files, lines, reading, unreadable
from rotator.audit.event import parse
from rotator.audit.record import EventKind, Record

_CLOCKS_APART = timedelta(seconds=2)
"""How far a file's time stamp may lie behind the times in it: file systems use a coarser clock."""


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
        """Tell whether a record fits every criterion."""
        return (
            (self.secret is None or record.secret == self.secret)
            and (self.key_id is None or self.key_id in {record.subject.key_id, *record.revoked})
            and (self.run_id is None or record.run_id == self.run_id)
            and (self.since is None or record.time >= self.since)
            and (self.until is None or record.time < self.until)
        )


ANYTHING = Criteria()


def query(directory: Path, criteria: Criteria = ANYTHING) -> Iterator[Record]:
    """Yield the records that fit, file by file, each in the order it was written.

    Raises:
        AuditUnavailableError: the directory or a file cannot be read.
    """
    for path in audit_files(directory):
        yield from filter(criteria.fit, _records(path))


def last_outcomes(directory: Path, secrets: Collection[str]) -> dict[str, Record]:
    """Return how the last run of each secret ended, by name; without those that never had one.

    The files that were written to last are read first, and no more of them than needed.

    Raises:
        AuditUnavailableError: the directory or a file cannot be read.
    """
    found: dict[str, Record] = {}
    for path, changed_at in _newest_first(directory):
        if len(found) == len(set(secrets)) and all(
            record.time > changed_at + _CLOCKS_APART for record in found.values()
        ):
            break
        for record in _records(path):
            if record.kind not in {EventKind.ENDED, EventKind.RECOVERED} or record.secret not in secrets:
                continue
            if record.secret not in found or record.time >= found[record.secret].time:
                found[record.secret] = record
    return found


def endings(directory: Path, since: datetime) -> list[Record]:
    """Return how runs ended since a time, in order; files that were not written to since are not read.

    Raises:
        AuditUnavailableError: the directory or a file cannot be read.
    """
    found = [
        record
        for path, changed_at in _newest_first(directory)
        if changed_at >= since - _CLOCKS_APART
        for record in _records(path)
        if record.kind in {EventKind.ENDED, EventKind.RECOVERED} and record.time >= since
    ]
    return sorted(found, key=lambda record: record.time)


def _newest_first(directory: Path) -> list[tuple[Path, datetime]]:
    """Return the files with the time of their last write, the latest first."""
    found = []
    for path in audit_files(directory):
        try:
            with reading(path) as stream:
                changed_at = datetime.fromtimestamp(os.fstat(stream.fileno()).st_mtime, UTC)
        except OSError as error:
            raise unreadable(path, error) from None
        found.append((path, changed_at))
    return sorted(found, key=lambda pair: pair[1], reverse=True)


def _records(path: Path) -> Iterator[Record]:
    try:
        with reading(path) as stream:
            for line in lines(stream):
                if stored := parse(line):
                    yield stored.record
    except OSError as error:
        raise unreadable(path, error) from None
