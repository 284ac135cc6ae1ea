"""The ledger of a bucket and prefix: an object an entry, below `.ledger/`, the newest first in a listing.

A number is an object's key, and S3 lets only the first writer of a key have it: who comes second takes the next number.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from threading import Lock

from rotator.audit.bucket.objects import AuditBucket, ObjectTakenError
from rotator.audit.ledger import Entry, Listing, Sealed, first, parse_entry
from rotator.model.errors import AuditUnavailableError

FOLDER = ".ledger/"
_LAST = 9_999_999_999
_TRIES = 32
_LOOK_BACK_MAX = 100
"""Entries that are read to find a run of the last minutes."""


@dataclass(slots=True)
class BucketLedger:
    """The ledger of one bucket and prefix, for writers. Safe to use from several threads."""

    bucket: AuditBucket
    new_id: Callable[[], str]
    seal: Sealed
    _last: Entry | None = field(default=None, init=False)
    """The newest entry, as far as this process knows."""
    _turn: Lock = field(default_factory=Lock, init=False)

    def add(self, listing: Listing) -> Entry:
        """Add an entry for a run, durably, and return it. Raises AuditUnavailableError."""
        with self._turn:
            return self._added(listing)

    def _added(self, listing: Listing) -> Entry:
        last = self._last or self._newest()
        for _ in range(_TRIES):
            entry = self.seal(last.next(listing) if last else first(self.new_id()[:12], listing))
            try:
                self.bucket.put_new(entry_key(entry.number), entry.line())
            except ObjectTakenError:
                last = self._newest()
            else:
                self._last = entry
                return entry
        raise AuditUnavailableError(
            f"the run {listing.run_id} was not listed in {self.bucket.url(FOLDER)}: others add to it all the time",
            next_step="The next run lists it.",
        )

    def lists(self, run_id: str, since_ms: int) -> bool:
        """Tell whether a run that ended at a time is listed, as far as the newest entries show."""
        for entry in _newest_first(self.bucket):
            if entry.listing.run_id == run_id:
                return True
            if entry.listing.time_ms < since_ms:
                return False
        return False

    def _newest(self) -> Entry | None:
        return next(_newest_first(self.bucket), None)


def entries_after(bucket: AuditBucket, number: int) -> list[Entry]:
    """Return the newest entries, down to one that is known. Raises AuditUnavailableError."""
    return list(takewhile(lambda entry: entry.number > number, _newest_first(bucket)))


def entry_key(number: int) -> str:
    """Return the key of an entry."""
    return f"{FOLDER}{_LAST - number:010}.json"


def _newest_first(bucket: AuditBucket) -> Iterator[Entry]:
    """Yield the newest entries; raises AuditUnavailableError if one is none."""
    for found in next(bucket.pages(FOLDER), [])[:_LOOK_BACK_MAX]:
        entry = parse_entry(bucket.get(found.key) or b"")
        if entry is None or entry_key(entry.number) != found.key:
            raise AuditUnavailableError(
                f"{bucket.url(found.key)} is not as rotator wrote it, so nothing can be listed after it",
                next_step="Run `rotator audit verify`, and find out who wrote there.",
            )
        yield entry
