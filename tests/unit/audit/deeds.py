"""What can be done to a finished trail: to its lines, its files, its runs and its ledger."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from rotator.audit.attestation import canonical, sealed
from tests.unit.audit.loot import Key, Loot, forged, opened, run_of

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
    """Change what a line says."""
    lines[at] = lines[at].replace(b'"runner-1"', b'"runner-2"')


def edit_and_seal(lines: list[bytes], at: int) -> None:
    """Change what a line says, and its fingerprint to fit."""
    event = json.loads(lines[at])
    event["src_endpoint"]["hostname"] = "runner-2"
    lines[at] = sealed(event) + b"\n"


def add_to_fingerprint(lines: list[bytes], at: int) -> None:
    """Say more where the fingerprint stands, which it cannot cover."""
    event = json.loads(lines[at])
    event["unmapped"]["attestation_list"][0]["fingerprint"]["more"] = "more"
    lines[at] = canonical(event) + b"\n"


def reformat(lines: list[bytes], at: int) -> None:
    """Write the same in another form."""
    lines[at] = json.dumps(json.loads(lines[at])).encode() + b"\n"


def delete(lines: list[bytes], at: int) -> None:
    """Delete a line, in a bucket with its object."""
    lines[at] = b""


def close_gap(lines: list[bytes], at: int) -> None:
    """Delete a line, and give those after it the names before."""
    del lines[at]


def insert(lines: list[bytes], at: int) -> None:
    """Add an altered copy of a line."""
    lines.insert(at, lines[at].replace(b'"success"', b'"failure"').replace(b'"runner-1"', b'"runner-2"'))


def nonsense(lines: list[bytes], at: int) -> None:
    """Add what is no line of a trail."""
    lines.insert(at, b"nonsense\n")


def duplicate(lines: list[bytes], at: int) -> None:
    """Repeat a line."""
    lines.insert(at, lines[at])


def swap(lines: list[bytes], at: int) -> None:
    """Swap a line with the next."""
    lines[at], lines[at + 1] = lines[at + 1], lines[at]


def half(lines: list[bytes], at: int) -> None:
    """Cut within a line."""
    lines[at:] = [lines[at][: len(lines[at]) // 2]]


def truncate(lines: list[bytes], at: int) -> None:
    """Cut after a line."""
    del lines[at:]


def empty(lines: list[bytes], _: int) -> None:
    """Leave nothing of it."""
    lines[:] = [b""]


def break_line(lines: list[bytes], at: int) -> None:
    """Take the line break away."""
    lines[at] = lines[at].rstrip()


def move(loot: Loot) -> None:
    """Move a line to another run."""
    line = loot.runs[loot.name(1)].pop(2)
    loot.runs[loot.name(2)].insert(2, line)


def replace_line(loot: Loot) -> None:
    """Put the line of another run in the place of one."""
    loot.runs[loot.name(1)][1] = loot.runs[loot.name(0)][1]


def delete_file(which: int) -> Deed:
    """Return what deletes a file, or run."""
    return lambda loot: loot.runs.__delitem__(loot.name(which))


def delete_all(loot: Loot) -> None:
    """Delete every file, and leave the ledger."""
    loot.runs.clear()


def delete_everything(loot: Loot) -> None:
    """Delete the ledger, too."""
    loot.runs.clear()
    loot.ledger.clear()


def cut_and_open(loot: Loot) -> None:
    """Cut the newest file, and name it as that of a process that died."""
    name = loot.name(-1)
    loot.runs[opened(name)] = loot.runs.pop(name)[:-1]


def open_unlisted(loot: Loot) -> None:
    """Cut off the newest entry, and name the newest file as that of a process that died."""
    name = loot.name(-1)
    loot.runs[opened(name)] = loot.runs.pop(name)
    loot.ledger.pop()


def cut_run(loot: Loot) -> None:
    """Cut off the newest entry, and the end of its run."""
    loot.ledger.pop()
    loot.runs[loot.name(-1)].pop()


def swap_names(loot: Loot) -> None:
    """Swap the names of two."""
    one, two = loot.name(1), loot.name(2)
    loot.runs[one], loot.runs[two] = loot.runs[two], loot.runs[one]


def copy(loot: Loot) -> None:
    """Copy one under a new name."""
    loot.runs[loot.new_name("copy")] = loot.runs[loot.name(1)]


def add_empty(loot: Loot) -> None:
    """Add a file that holds nothing."""
    loot.runs[loot.new_name("empty")] = []


def copy_of_other(loot: Loot) -> None:
    """Copy one of another place."""
    assert loot.other
    name = loot.other.name(1)
    loot.runs[name] = loot.other.runs[name]


def link(loot: Loot) -> None:
    """Put a symbolic link in the place of a file."""
    name = loot.name(1)
    loot.runs["moved.away"] = loot.runs.pop(name)
    loot.links[name] = "moved.away"


def link_twice(loot: Loot) -> None:
    """Add a symbolic link to a file."""
    loot.links[loot.new_name("link")] = loot.name(1)


def rewrite(loot: Loot) -> None:
    """Rewrite a run."""
    loot.rewrite_run(1)


def rewrite_with_entry(loot: Loot) -> None:
    """Rewrite a run and its entry."""
    listing = loot.rewrite_run(1)
    loot.ledger[1] = replace(loot.entry(1), listing=listing).line()


def rewrite_onwards(key: Key | None = None, which: int = 1) -> Deed:
    """Return what rewrites a run, and the ledger from there on."""

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
    """Put the trail of another place here."""
    assert loot.other
    loot.runs, loot.ledger = loot.other.runs, loot.other.ledger


def replay(loot: Loot) -> None:
    """Append the lines of an old run."""
    loot.runs[loot.name(-1)] += loot.runs[loot.name(1)]


def replay_with_new_id(loot: Loot) -> None:
    """Append the lines of an old run under a new id."""
    old = loot.entry(1).listing.run_id.encode()
    loot.runs[loot.new_name("replayed")] = [line.replace(old, b"replayed") for line in loot.runs[loot.name(1)]]


def forge(loot: Loot) -> None:
    """Add a made-up run."""
    loot.add_run("forged")


def forge_idle(loot: Loot) -> None:
    """Add a made-up run that did nothing."""
    loot.add_run("forged", listed=False)


def forge_open(loot: Loot) -> None:
    """Leave a made-up run that no entry lists yet, as a process that died would."""
    name = loot.new_name("forged")
    loot.runs[name if loot.in_bucket else opened(name)] = forged("forged")[0]


def forge_silent(at: timedelta) -> Deed:
    """Add a made-up run that ended so long after the ledger began, and does not say that it is listed."""

    def do(loot: Loot) -> None:
        began = datetime.fromtimestamp(loot.entry(0).listing.time_ms / 1000, UTC)
        lines, _ = forged("forged", at=began + at)
        event = json.loads(lines[-1])
        del event["unmapped"]["listed"]
        loot.runs[loot.new_name("forged")] = [*lines[:-1], sealed(event) + b"\n"]

    return do


def delete_idle(loot: Loot) -> None:
    """Delete the run that found nothing to do."""
    listed = {loot.entry(index).listing.run_id for index in range(len(loot.ledger))}
    (idle,) = {run_of(line) for lines in loot.runs.values() for line in lines} - listed
    loot.drop_run(idle)
