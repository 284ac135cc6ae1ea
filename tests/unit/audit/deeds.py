"""What can be done to a finished trail: to its lines, its files, its runs and its ledger."""

import json
from collections.abc import Callable
from dataclasses import replace

from rotator.audit.attestation import canonical, sealed
from rotator.audit.ledger import Entry
from tests.unit.audit.loot import Key, Loot, forged, opened

Change = Callable[[list[bytes], int], None]
"""Changes the line at an index of lines."""
Deed = Callable[[Loot], None]
"""Changes a trail."""


def line(at: int, change: Change, which: int = 1) -> Deed:
    """Return a change to the line at an index of a file or run."""

    def do(loot: Loot) -> None:
        lines = loot.runs[loot.name(which)]
        change(lines, at % len(lines))

    return do


def edit(lines: list[bytes], at: int) -> None:
    lines[at] = lines[at].replace(b'"runner-1"', b'"runner-2"')


def edit_and_seal(lines: list[bytes], at: int) -> None:
    event = json.loads(lines[at])
    event["src_endpoint"]["hostname"] = "runner-2"
    lines[at] = sealed(event) + b"\n"


def reformat(lines: list[bytes], at: int) -> None:
    lines[at] = json.dumps(json.loads(lines[at])).encode() + b"\n"


def delete(lines: list[bytes], at: int) -> None:
    lines[at] = b""


def close_gap(lines: list[bytes], at: int) -> None:
    del lines[at]


def insert(lines: list[bytes], at: int) -> None:
    lines.insert(at, lines[at].replace(b'"success"', b'"failure"').replace(b'"runner-1"', b'"runner-2"'))


def nonsense(lines: list[bytes], at: int) -> None:
    lines.insert(at, b"nonsense\n")


def duplicate(lines: list[bytes], at: int) -> None:
    lines.insert(at, lines[at])


def swap(lines: list[bytes], at: int) -> None:
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def half(lines: list[bytes], at: int) -> None:
    lines[at:] = [lines[at][: len(lines[at]) // 2]]


def truncate(lines: list[bytes], at: int) -> None:
    del lines[at:]


def empty(lines: list[bytes], _: int) -> None:
    lines[:] = [b""]


def break_line(lines: list[bytes], at: int) -> None:
    lines[at] = lines[at].rstrip()


def move(loot: Loot) -> None:
    line = loot.runs[loot.name(1)].pop(2)
    loot.runs[loot.name(2)].insert(2, line)


def replace_line(loot: Loot) -> None:
    loot.runs[loot.name(2)][1] = loot.runs[loot.name(1)][1]


def delete_file(which: int) -> Deed:
    return lambda loot: loot.runs.pop(loot.name(which)) and None


def delete_all(loot: Loot) -> None:
    loot.runs.clear()


def delete_everything(loot: Loot) -> None:
    loot.runs.clear()
    loot.ledger.clear()


def cut_and_open(loot: Loot) -> None:
    name = loot.name(-1)
    loot.runs[opened(name)] = loot.runs.pop(name)[:-1]


def open_unlisted(loot: Loot) -> None:
    name = loot.name(-1)
    loot.runs[opened(name)] = loot.runs.pop(name)
    loot.ledger.pop()


def cut_run(loot: Loot) -> None:
    loot.ledger.pop()
    loot.runs[loot.name(-1)].pop()


def swap_names(loot: Loot) -> None:
    one, two = loot.name(1), loot.name(2)
    loot.runs[one], loot.runs[two] = loot.runs[two], loot.runs[one]


def copy(loot: Loot) -> None:
    loot.runs[loot.new_name("copy")] = loot.runs[loot.name(1)]


def copy_of_other(loot: Loot) -> None:
    assert loot.other
    name = loot.other.name(1)
    loot.runs[name] = loot.other.runs[name]


def link(loot: Loot) -> None:
    name = loot.name(1)
    loot.runs["moved.away"] = loot.runs.pop(name)
    loot.links[name] = "moved.away"


def link_twice(loot: Loot) -> None:
    loot.links[loot.new_name("link")] = loot.name(1)


def rewrite(loot: Loot) -> None:
    loot.rewrite_run(1)


def rewrite_with_entry(loot: Loot) -> None:
    listing = loot.rewrite_run(1)
    loot.ledger[1] = replace(loot.entry(1), listing=listing).line()


def rewrite_onwards(key: Key | None = None, which: int = 1) -> Deed:
    def do(loot: Loot) -> None:
        listing = loot.rewrite_run(which)
        index = which % len(loot.ledger)
        loot.relist(index, replace(loot.entry(index), listing=listing), key=key)

    return do


def anew(key: Key | None = None) -> Deed:
    """Make the whole trail anew, with other outcomes and the same runs."""

    def do(loot: Loot) -> None:
        listed = [loot.rewrite_run(index) for index in range(len(loot.ledger))]
        entries = [replace(loot.entry(index), listing=listing) for index, listing in enumerate(listed)]
        loot.relist(0, *entries, key=key)

    return do


def replaced_by_other(loot: Loot) -> None:
    assert loot.other
    loot.runs, loot.ledger = loot.other.runs, loot.other.ledger


def replay(loot: Loot) -> None:
    loot.runs[loot.name(-1)] += loot.runs[loot.name(1)]


def replay_with_new_id(loot: Loot) -> None:
    old = loot.entry(1).listing.run_id.encode()
    loot.runs[loot.new_name("replayed")] = [line.replace(old, b"replayed") for line in loot.runs[loot.name(1)]]


def forge(loot: Loot) -> None:
    loot.add_run("forged")


def forge_idle(loot: Loot) -> None:
    loot.add_run("forged", listed=False)


def append(listing_of: Callable[[Loot], Entry], key: Key | None = None) -> Deed:
    def do(loot: Loot) -> None:
        entry = listing_of(loot)
        loot.ledger.append((key.seal(entry) if key else entry).line())

    return do


def forged_next(loot: Loot) -> Entry:
    return loot.entry(-1).next(loot.add_run("forged"))


def rewritten_next(loot: Loot) -> Entry:
    return loot.entry(-1).next(loot.rewrite_run(1))


def ghost_next(loot: Loot) -> Entry:
    return loot.entry(-1).next(forged("ghost")[1])


def not_hex(loot: Loot) -> Entry:
    return loot.entry(-1).next(replace(loot.add_run("forged"), fingerprint="not hex"))


def no_time(loot: Loot) -> Entry:
    return loot.entry(-1).next(replace(loot.add_run("forged"), time_ms=10**18))


def no_ledger(loot: Loot) -> None:
    loot.ledger.clear()


def cut_entries(count: int) -> Deed:
    return lambda loot: loot.ledger.__delitem__(slice(-count, None))


def cut_both(loot: Loot) -> None:
    loot.drop_run(loot.entry(-1).listing.run_id)
    loot.ledger.pop()


def cut_both_of_oldest(loot: Loot) -> None:
    loot.drop_run(loot.entry(0).listing.run_id)
    loot.relist(0, loot.entry(1), cut=1)


def in_ledger(at: int, change: Change) -> Deed:
    return lambda loot: change(loot.ledger, at % len(loot.ledger))


def entry(at: int, change: Callable[[Entry], Entry]) -> Deed:
    def do(loot: Loot) -> None:
        loot.ledger[at] = change(loot.entry(at)).line()

    return do


def edit_entry(lines: list[bytes], at: int) -> None:
    lines[at] = lines[at].replace(b'"secret":"', b'"secret":"x')


def edit_entry_hash(lines: list[bytes], at: int) -> None:
    stored = json.loads(lines[at])
    lines[at] = canonical({**stored, "hash": "0" * 64}) + b"\n"


def ledger_of_other(loot: Loot) -> None:
    assert loot.other
    loot.ledger = loot.other.ledger


def other_place(loot: Loot) -> None:
    loot.relist(0, replace(loot.entry(0), place="elsewhere"))


def unseal(indexes: slice) -> Deed:
    def do(loot: Loot) -> None:
        for index in range(len(loot.ledger))[indexes]:
            loot.ledger[index] = replace(loot.entry(index), seal=None).line()

    return do


def seal_of_other(loot: Loot) -> None:
    loot.ledger[-1] = replace(loot.entry(-1), seal=loot.entry(0).seal).line()


def spare_bits(loot: Loot) -> None:
    """Change what base64 does not use of its last digit."""
    entry = loot.entry(-1)
    if entry.seal:
        digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
        last = digits[digits.index(entry.seal.signature[-3]) + 1]
        signature = f"{entry.seal.signature[:-3]}{last}=="
        loot.ledger[-1] = replace(entry, seal=replace(entry.seal, signature=signature)).line()


def renumbered(entry: Entry) -> Entry:
    return replace(entry, number=entry.number + 1)


def moved(entry: Entry) -> Entry:
    return replace(entry, place="elsewhere")


def forge_open(loot: Loot) -> None:
    name = loot.new_name("forged")
    loot.runs[name if loot.in_bucket else opened(name)] = forged("forged")[0]


def forge_silent(loot: Loot) -> None:
    lines, _ = forged("forged")
    event = json.loads(lines[-1])
    del event["unmapped"]["listed"]
    loot.runs[loot.new_name("forged")] = [*lines[:-1], sealed(event) + b"\n"]
