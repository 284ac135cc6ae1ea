"""The key list of the whole account, read once and shared by all secrets of a run: legacy paths have no filters.

What this process itself makes or revokes under a name makes the shared list stale for that name, and for no other.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from rotator.model.errors import AccountTooLargeError, DeadlineExceededError
from rotator.model.observed import KeyState
from rotator.model.ports import AccountKeys, Deadline
from rotator.pinata.bodies import KeyPage, ListedKey

SHARED_S = 300.0
"""So long after its beginning a list is believed."""


@dataclass(slots=True)
class Account:
    """The last list, and what was done since. Safe for threads: one of them reads, the others wait for it."""

    read: Callable[[Deadline], tuple[ListedKey, ...]]
    """Read all pages. Raises AccountTooLargeError if they do not fit the budget of requests."""
    monotonic: Callable[[], float]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _rows: tuple[ListedKey, ...] = ()
    _too_large: str = ""
    _good_until_s: float = 0.0
    _made: list[str] = field(default_factory=list)
    """Names of keys that this process made, or may have made, since the list was begun."""
    _revoked: set[str] = field(default_factory=set)

    def made(self, name: str) -> None:
        """Note that a key was made, or may have been."""
        self._made.append(name)

    def revoked(self, key_id: str) -> None:
        """Note that a key was revoked, or may have been."""
        self._revoked.add(key_id)

    def rows(self, part: str, deadline: Deadline) -> tuple[ListedKey, ...]:
        """Return the keys whose name contains `part`, live or revoked.

        Raises AccountTooLargeError if the list did not fit the budget; DeadlineExceededError if another thread is
        still reading it; or what a page raises.
        """
        if not self._lock.acquire(timeout=max(deadline.remaining_s(), 0.0)):
            raise DeadlineExceededError("this run's time is up while another one reads the key list; nothing was sent")
        try:
            if self._is_stale(part):
                self._read(deadline)
            if self._too_large:
                raise AccountTooLargeError(self._too_large)
            return tuple(row for row in self._rows if part in row.name)
        finally:
            self._lock.release()

    def _is_stale(self, part: str) -> bool:
        if self.monotonic() >= self._good_until_s or any(part in name for name in self._made):
            return True
        return any(row.key_id in self._revoked and part in row.name for row in self._rows)

    def _read(self, deadline: Deadline) -> None:
        """Read the list anew; that it does not fit is shared, too, so that no other secret spends the budget on it."""
        began_s = self.monotonic()
        self._good_until_s, self._rows, self._too_large = 0.0, (), ""
        self._made, self._revoked = [], set()
        try:
            self._rows = self.read(deadline)
        except AccountTooLargeError as error:
            self._too_large = error.message
        self._good_until_s = began_s + SHARED_S


def walked(pages: Iterator[KeyPage], pages_max: int) -> AccountKeys:
    """Read pages until they end, so many are read, or time is up; a key that shows twice is revoked if one row says so.

    Raises what a page raises, but for a deadline.
    """
    found: dict[str, ListedKey] = {}
    is_whole, nameless = False, 0
    try:
        for number, page in enumerate(pages):
            if number == pages_max:
                break
            nameless += sum(not row.key_id for row in page.rows)
            for row in page.rows:
                if row.key_id not in found or (row.key and row.key.state is KeyState.REVOKED):
                    found[row.key_id] = row
        else:
            is_whole = True
    except DeadlineExceededError:
        is_whole = False
    named = [row for row in found.values() if row.key_id]
    keys = tuple(row.key for row in named if row.key)
    return AccountKeys(keys, nameless + len(named) - len(keys), is_whole)
