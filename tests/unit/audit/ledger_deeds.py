"""What can be done to the ledger of a finished trail, and to its seals."""

import json
from collections.abc import Callable
from dataclasses import replace

from rotator.audit.attestation import canonical
from rotator.audit.ledger import Entry
from tests.unit.audit.deeds import Change, Deed
from tests.unit.audit.loot import Key, Loot, forged


def append(listing_of: Callable[[Loot], Entry], key: Key | None = None) -> Deed:
    """Return what adds an entry at the end of the ledger."""

    def do(loot: Loot) -> None:
        entry = listing_of(loot)
        loot.ledger.append((key.seal(entry) if key else entry).line())

    return do


def forged_next(loot: Loot) -> Entry:
    """Return the next entry, for a made-up run."""
    return loot.entry(-1).next(loot.add_run("forged"))


def rewritten_next(loot: Loot) -> Entry:
    """Return the next entry, for an old run that is rewritten."""
    return loot.entry(-1).next(loot.rewrite_run(1))


def ghost_next(loot: Loot) -> Entry:
    """Return the next entry, for a run that is not there."""
    return loot.entry(-1).next(forged("ghost")[1])


def not_hex(loot: Loot) -> Entry:
    """Return the next entry, with a fingerprint that is none."""
    return loot.entry(-1).next(replace(loot.add_run("forged"), fingerprint="not hex"))


def no_time(loot: Loot) -> Entry:
    """Return the next entry, with a time that is none."""
    return loot.entry(-1).next(replace(loot.add_run("forged"), time_ms=10**18))


def no_ledger(loot: Loot) -> None:
    """Delete the ledger."""
    loot.ledger.clear()


def cut_entries(count: int) -> Deed:
    """Return what cuts off the newest entries."""
    return lambda loot: loot.ledger.__delitem__(slice(-count, None))


def cut_both(loot: Loot) -> None:
    """Remove the newest entry and its run."""
    loot.drop_run(loot.entry(-1).listing.run_id)
    loot.ledger.pop()


def cut_both_of_oldest(loot: Loot) -> None:
    """Remove the oldest entry and its run, and write the others anew."""
    loot.drop_run(loot.entry(0).listing.run_id)
    loot.relist(0, loot.entry(1), cut=1)


def in_ledger(at: int, change: Change) -> Deed:
    """Return a change to a line of the ledger."""
    return lambda loot: change(loot.ledger, at % len(loot.ledger))


def entry(at: int, change: Callable[[Entry], Entry]) -> Deed:
    """Return a change to an entry, which gets the hash that fits."""

    def do(loot: Loot) -> None:
        loot.ledger[at] = change(loot.entry(at)).line()

    return do


def edit_entry(lines: list[bytes], at: int) -> None:
    """Change what an entry says."""
    lines[at] = lines[at].replace(b'"secret":"', b'"secret":"x')


def edit_entry_hash(lines: list[bytes], at: int) -> None:
    """Change the hash of an entry."""
    stored = json.loads(lines[at])
    lines[at] = canonical({**stored, "hash": "0" * 64}) + b"\n"


def ledger_of_other(loot: Loot) -> None:
    """Put the ledger of another place here."""
    assert loot.other
    loot.ledger = loot.other.ledger


def other_place(loot: Loot) -> None:
    """Write the ledger anew, for another place."""
    loot.relist(0, replace(loot.entry(0), place="elsewhere"))


def unseal(indexes: slice) -> Deed:
    """Return what removes seals."""

    def do(loot: Loot) -> None:
        for index in range(len(loot.ledger))[indexes]:
            loot.ledger[index] = replace(loot.entry(index), seal=None).line()

    return do


def add_to_seal(loot: Loot) -> None:
    """Say more in the newest seal, which it cannot cover."""
    stored = json.loads(loot.ledger[-1])
    if "seal" in stored:
        stored["seal"]["more"] = "more"
        loot.ledger[-1] = canonical(stored) + b"\n"


def seal_of_other(loot: Loot) -> None:
    """Give the newest entry the seal of the first."""
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
    """Return an entry with the next number."""
    return replace(entry, number=entry.number + 1)


def moved(entry: Entry) -> Entry:
    """Return an entry of another place."""
    return replace(entry, place="elsewhere")
