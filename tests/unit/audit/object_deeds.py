"""What can be done to the objects of a run in a bucket, each of which holds several lines: a directory has none."""

from collections.abc import Callable

from tests.unit.audit.deeds import Deed
from tests.unit.audit.loot import Loot, entry_name

Further = Callable[[list[bytes], list[bytes]], tuple[int | str, bytes]]
"""Returns the number, or name, and the content of a further object of a run, from its first two."""


def drop(at: int) -> Deed:
    """Return what deletes an object of a run, with all of its lines."""

    def do(loot: Loot) -> None:
        folder = loot.name(1)
        first, lines = list(loot.batches(folder).items())[at]
        loot.runs[folder][first - 1 : first - 1 + len(lines)] = [b""] * len(lines)

    return do


def swap(loot: Loot) -> None:
    """Swap what two objects of a run hold."""
    folder = loot.name(1)
    one, two = loot.batches(folder).values()
    loot.runs[folder] = [*two, *one]


def swap_between_runs(loot: Loot) -> None:
    """Swap what the last objects of two runs hold."""
    one, two = loot.runs[loot.name(1)], loot.runs[loot.name(2)]
    one[2:], two[2:] = two[2:], one[2:]


def split(loot: Loot) -> None:
    """Put the second line of an object into one of its own, under the key that such an object has."""
    loot.objects[loot.name(1)].insert(1, 2)


def split_wrongly(loot: Loot) -> None:
    """Put the second line of an object into one of its own, under another key."""
    lines = loot.runs[loot.name(1)]
    further(lambda one, _: (9, one[1]))(loot)
    lines[1] = b""


def merge(loot: Loot) -> None:
    """Put what two objects of a run hold into the first."""
    del loot.objects[loot.name(1)][1]


def further(made: Further) -> Deed:
    """Return what adds an object to a run."""

    def do(loot: Loot) -> None:
        folder = loot.name(1)
        name, content = made(*loot.batches(folder).values())
        loot.further[f"{folder}/{name:0>6}.json"] = content

    return do


def repeat(_: list[bytes], two: list[bytes]) -> tuple[int, bytes]:
    """Repeat the last object under the key that comes next."""
    return 5, b"".join(two)


def repeat_half(one: list[bytes], _: list[bytes]) -> tuple[int, bytes]:
    """Repeat the second line of an object, under the key that it would have in one of its own."""
    return 2, one[1]


def nothing(_: list[bytes], __: list[bytes]) -> tuple[int, bytes]:
    """Add an object without content."""
    return 5, b""


def stray(one: list[bytes], _: list[bytes]) -> tuple[str, bytes]:
    """Repeat the first object under a name that none has."""
    return "note", b"".join(one)


def emptied(_: list[bytes], __: list[bytes]) -> tuple[int, bytes]:
    """Leave nothing in the last object."""
    return 3, b""


def empty_entry(loot: Loot) -> None:
    """Add an object without content to the ledger, under the next key."""
    loot.further[entry_name(len(loot.ledger) + 1)] = b""


def misname_entry(loot: Loot) -> None:
    """Give the newest entry a key that is as much the newest, and not that of its number."""
    loot.further[entry_name(len(loot.ledger) + 7)] = loot.ledger.pop()


def merge_entries(loot: Loot) -> None:
    """Put the newest two entries into one object."""
    newest = loot.ledger.pop()
    loot.ledger[-1] += newest
