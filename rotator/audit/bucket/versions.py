"""What a bucket's versions tell of its trail: which objects were overwritten or deleted, and what they said first.

An event is written once. Where a bucket keeps versions, whatever is written over it or deletes it leaves the first
version in place, so that is the one to judge. A version that was itself deleted leaves no trace; only Object Lock, or
a policy that denies `s3:DeleteObjectVersion`, prevents that.

Where versions may not be listed, or there are none, the objects are listed as they are now.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain, groupby
from operator import attrgetter

from rotator.audit.bucket.objects import AuditBucket, ListedObject, ObjectVersion, RefusedError
from rotator.audit.verify import Flaw

_UNVERSIONED = "null"
"""The id of a version that was written while the bucket kept none."""
_NEVER = "the bucket keeps no versions"


@dataclass(frozen=True, slots=True)
class Change:
    """What was done to an object after it was written."""

    first_id: str
    """Its oldest version; empty if none is left."""
    versions: int
    is_deleted: bool
    """Whether there is a delete marker, even if something was written after it."""

    def flaws(self) -> Iterator[tuple[Flaw, str]]:
        """Yield what is wrong with it."""
        if self.versions > 1:
            yield Flaw.OVERWRITTEN, f"it has {self.versions} versions; the oldest one is judged"
        if self.is_deleted:
            left = "its oldest version is judged" if self.first_id else "no version of it is left"
            yield Flaw.DELETED, f"it has a delete marker; {left}"


@dataclass(slots=True)
class FirstVersions:
    """The objects of a bucket as they were first written. May be read from several threads once listed."""

    bucket: AuditBucket
    unread: str = ""
    """Why versions were not looked at, or not all of them; complete once everything was listed and read."""
    _changes: dict[str, Change] = field(default_factory=dict, init=False)

    def listed(self, below: str = "") -> Iterator[ListedObject]:
        """Yield every object whose key begins so, also those that are deleted, in the order of their keys."""
        pages = self.bucket.version_pages(below)
        try:
            first = next(pages, [])
        except RefusedError as error:
            self.unread = error.message
            for page in self.bucket.pages(below):
                yield from page
            return
        self.unread = _NEVER if first else ""
        for key, versions in groupby(chain(first, chain.from_iterable(pages)), key=attrgetter("key")):
            yield self._first(key, list(versions))

    def get(self, key: str) -> bytes | None:
        """Return what an object said first, or what it says now if that may not be read; None if nothing is left."""
        change = self._changes.get(key)
        if change is None:
            return self.bucket.get(key)
        try:
            return self.bucket.get(key, change.first_id) if change.first_id else None
        except RefusedError as error:
            self.unread = error.message
            return self.bucket.get(key)

    def flaws(self, key: str) -> Iterator[tuple[Flaw, str]]:
        """Yield what was done to an object that should not be done to any."""
        if change := self._changes.get(key):
            yield from change.flaws()

    def _first(self, key: str, found: list[ObjectVersion]) -> ListedObject:
        versions = [version for version in found if not version.is_marker]
        if len(found) > 1 or not versions:
            first_id = versions[-1].version_id if versions else ""
            self._changes[key] = Change(first_id, len(versions), is_deleted=len(found) > len(versions))
        if any(version.version_id != _UNVERSIONED for version in found):
            self.unread = ""
        return ListedObject(key, (versions or found)[-1].written_at)
