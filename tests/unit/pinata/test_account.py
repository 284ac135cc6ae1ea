"""The shared key list of an account without filters: read once, stale where this process changed something."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from threading import Barrier, Event, Thread

import pytest

from rotator.model.errors import AccountTooLargeError, DeadlineExceededError, ProviderUnavailableError, RotatorError
from rotator.model.observed import KeyState
from rotator.model.ports import Deadline
from rotator.pinata.account import SHARED_S, Account, walked
from rotator.pinata.bodies import KeyPage, ListedKey
from tests.builders import a_key

A, B = ListedKey("1" * 20, "rotator/a/1", None), ListedKey("2" * 20, "rotator/b/1", None)


@dataclass
class Pinata:
    """An account, how often its list was read, and a clock that is a deadline, too."""

    rows: tuple[ListedKey, ...] = (A, B)
    reads: int = 0
    now_s: float = 0.0
    left_s: float = 60.0
    fault: RotatorError | None = None
    account: Account = field(init=False)

    def __post_init__(self) -> None:
        self.account = Account(self.read, lambda: self.now_s)

    def read(self, _: Deadline) -> tuple[ListedKey, ...]:
        """Read the list."""
        self.reads += 1
        if self.fault:
            raise self.fault
        return self.rows

    def remaining_s(self) -> float:
        """Return the time that is left."""
        return self.left_s

    def names(self, part: str) -> list[str]:
        """Return the names that contain a part."""
        return [row.name for row in self.account.rows(part, self)]


def test_one_reading_serves_all_for_a_while() -> None:
    """Each secret sees its own keys; once the list is old it is read anew."""
    pinata = Pinata()
    assert (pinata.names("/a/"), pinata.names("/b/"), pinata.names("/c/")) == ([A.name], [B.name], [])
    assert pinata.reads == 1
    pinata.now_s = SHARED_S
    assert pinata.names("/a/") == [A.name]
    assert pinata.reads == 2


def test_own_changes_make_it_stale_for_their_names_alone() -> None:
    """A key that was made or revoked is looked for anew; a neighbour's list is still good."""
    pinata = Pinata()
    pinata.names("/a/")
    pinata.account.revoked(A.key_id)
    pinata.account.made("rotator/c/1")
    pinata.rows = (B, ListedKey("3" * 20, "rotator/c/1", None))
    assert pinata.names("/b/") == [B.name]
    assert pinata.reads == 1
    assert pinata.names("/a/") == []
    assert pinata.names("/c/") == ["rotator/c/1"]
    assert pinata.reads == 2
    pinata.account.revoked("9" * 20)
    assert pinata.names("/b/") == [B.name]
    assert pinata.reads == 2


def test_a_list_that_is_too_long_is_tried_once() -> None:
    """No other secret spends the budget on it; any other failure is tried again."""
    pinata = Pinata(fault=AccountTooLargeError("too long"))
    for part in ("/a/", "/b/"):
        with pytest.raises(AccountTooLargeError, match="too long"):
            pinata.names(part)
    assert pinata.reads == 1
    pinata = Pinata(fault=ProviderUnavailableError("no answer"))
    for part in ("/a/", "/b/"):
        with pytest.raises(ProviderUnavailableError):
            pinata.names(part)
    assert pinata.reads == 2
    pinata.fault = None
    assert pinata.names("/a/") == [A.name]


def test_threads_share_one_reading() -> None:
    """The others wait for the one that reads."""
    pinata, barrier, seen = Pinata(), Barrier(8), list[list[str]]()

    def ask() -> None:
        barrier.wait()
        seen.append(pinata.names("/a/"))

    threads = [Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [[A.name]] * 8
    assert pinata.reads == 1


def test_who_waits_for_it_waits_within_its_time() -> None:
    """A run whose time is up while another one reads says so, and sends nothing."""
    reading, enough = Event(), Event()

    def read(_: Deadline) -> tuple[ListedKey, ...]:
        reading.set()
        enough.wait()
        return (A,)

    pinata = Pinata()
    account = Account(read, lambda: 0.0)
    thread = Thread(target=lambda: account.rows("/a/", pinata))
    thread.start()
    reading.wait()
    with pytest.raises(DeadlineExceededError, match="another one reads"):
        account.rows("/a/", Pinata(left_s=0.0))
    enough.set()
    thread.join()
    assert account.rows("/a/", pinata) == (A,)


def test_a_walk_says_how_far_it_came() -> None:
    """A list that ends is whole; one that is cut by its length or by time is not, and what was read of it counts."""
    live = a_key(1, "1" * 20)
    dead = replace(live, state=KeyState.REVOKED)
    pages = [KeyPage((ListedKey(live.key_id, live.name, live), B, ListedKey("", "no id", None)), None)]
    pages += [KeyPage((ListedKey(dead.key_id, dead.name, dead),), None)]

    def until_late() -> Iterator[KeyPage]:
        yield pages[0]
        raise DeadlineExceededError("late")

    whole, cut, late = walked(iter(pages), 9), walked(iter(pages), 1), walked(until_late(), 9)
    assert (whole.keys, whole.unreadable, whole.is_whole) == ((dead,), 2, True)
    assert (cut.keys, cut.is_whole) == (late.keys, late.is_whole) == ((live,), False)
