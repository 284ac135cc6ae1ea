"""Attacks on a finished trail, as data: what is done to it, and what finds it in each kind of place."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from tests.unit.audit import deeds
from tests.unit.audit import ledger_deeds as entries
from tests.unit.audit import object_deeds as objects
from tests.unit.audit.deeds import Deed
from tests.unit.audit.loot import FORMER, THEIRS


class Found(StrEnum):
    """What finds an attack; each finds what those before it find, too."""

    VERSIONS = "versions"
    """Of the objects, where a bucket keeps them."""
    CHAIN = "chain"
    LEDGER = "ledger"
    SEAL = "seal"
    HEAD = "head kept elsewhere"
    NOTHING = "nothing"
    NO_SUCH = "—"
    """The attack does not exist there."""


@dataclass(frozen=True, slots=True)
class Attack:
    """One attack."""

    name: str
    do: Deed
    found: Found
    """What finds it, in a directory and in a bucket, as far as the next field does not say otherwise."""
    in_bucket: Found | None = None
    later: bool = False
    """Whether a run of rotator follows before anyone looks."""
    adds: bool = False
    """Whether it only adds objects to a bucket: then no version shows it, and the rest does as in any bucket."""

    def found_in(self, medium: str) -> Found:
        """Return what finds it in a `directory`, a `bucket`, or a bucket that keeps `versions`."""
        found = self.found if medium == "directory" else self.in_bucket or self.found
        is_seen = medium == "versions" and not self.adds and found is not Found.NO_SUCH
        return Found.VERSIONS if is_seen else found


_, _CHAIN, _LEDGER, _SEAL, _HEAD, _NOTHING, _NO_SUCH = Found
_LINES = (
    Attack("the first line of a run is edited", deeds.line(0, deeds.edit), _CHAIN),
    Attack("a line in the middle is edited", deeds.line(2, deeds.edit), _CHAIN),
    Attack("the last line of a run is edited", deeds.line(-1, deeds.edit), _CHAIN),
    Attack("a line in the middle is edited, with a new fingerprint", deeds.line(2, deeds.edit_and_seal), _CHAIN),
    Attack("the last line is edited, with a new fingerprint", deeds.line(-1, deeds.edit_and_seal), _LEDGER),
    Attack("the fingerprint of the last line says more", deeds.line(-1, deeds.add_to_fingerprint), _CHAIN),
    Attack("a line is written in another form of JSON", deeds.line(1, deeds.reformat), _CHAIN),
    Attack("the first line of a run is deleted", deeds.line(0, deeds.delete), _CHAIN),
    Attack("a line in the middle is deleted", deeds.line(2, deeds.delete), _CHAIN),
    Attack("a line in the middle is deleted, and those after it renamed", deeds.line(2, deeds.close_gap), _CHAIN),
    Attack("the last line of a run is deleted", deeds.line(-1, deeds.delete), _CHAIN),
    Attack("a line is inserted", deeds.line(2, deeds.insert), _CHAIN),
    Attack("a line of nonsense is inserted", deeds.line(2, deeds.nonsense), _CHAIN),
    Attack("a line is repeated", deeds.line(2, deeds.duplicate), _CHAIN),
    Attack("two lines are swapped", deeds.line(1, deeds.swap), _CHAIN),
    Attack("a line is moved to another run", deeds.move, _CHAIN),
    Attack("a line is replaced by that of another run", deeds.replace_line, _CHAIN),
    Attack("the last line break is removed", deeds.line(-1, deeds.break_line), _CHAIN),
)
_FILES = (
    Attack("the oldest file, or run, is deleted", deeds.delete_file(0), _LEDGER),
    Attack("a file, or run, in the middle is deleted", deeds.delete_file(3), _LEDGER),
    Attack("the newest file, or run, is deleted", deeds.delete_file(-1), _LEDGER),
    Attack("all files, or runs, are deleted, and the ledger is left", deeds.delete_all, _LEDGER),
    Attack("everything is deleted", deeds.delete_everything, _LEDGER),
    Attack("a file is emptied", deeds.line(0, deeds.empty), _LEDGER),
    Attack("an empty file is added", deeds.add_empty, _NOTHING, _NO_SUCH),
    Attack("a file is cut after a line", deeds.line(2, deeds.truncate), _CHAIN),
    Attack("a file is cut within a line", deeds.line(2, deeds.half), _CHAIN),
    Attack("the newest file is cut, and named as that of a process that died", deeds.cut_and_open, _LEDGER, _NO_SUCH),
    Attack("the names of two files, or runs, are swapped", deeds.swap_names, _NOTHING, _CHAIN),
    Attack("a file, or run, is copied under a new name", deeds.copy, _CHAIN, adds=True),
    Attack("a file, or run, of another place is copied here", deeds.copy_of_other, _LEDGER, adds=True),
    Attack("a file is moved away, and a symbolic link put in its place", deeds.link, _CHAIN, _NO_SUCH),
    Attack("a symbolic link to a file is added", deeds.link_twice, _CHAIN, _NO_SUCH),
)
_OBJECTS = (
    Attack("the first object of a run is deleted, with all its lines", objects.drop(0), _NO_SUCH, _CHAIN),
    Attack("the last object of a run is deleted, with all its lines", objects.drop(-1), _NO_SUCH, _CHAIN),
    Attack("the last object of a run is emptied", objects.further(objects.emptied), _NO_SUCH, _CHAIN),
    Attack("two objects of a run are swapped", objects.swap, _NO_SUCH, _CHAIN),
    Attack("the last objects of two runs are swapped", objects.swap_between_runs, _NO_SUCH, _CHAIN),
    Attack(
        "an object is split in two, and each part has the key that it should have", objects.split, _NO_SUCH, _NOTHING
    ),
    Attack("an object is split in two, and the second part has another key", objects.split_wrongly, _NO_SUCH, _CHAIN),
    Attack("two objects that follow each other are merged into the first", objects.merge, _NO_SUCH, _NOTHING),
    Attack(
        "the lines of an object are repeated under the next key",
        objects.further(objects.repeat),
        _NO_SUCH,
        _CHAIN,
        adds=True,
    ),
    Attack(
        "a part of an object is repeated under the key that it would have by itself",
        objects.further(objects.repeat_half),
        _NO_SUCH,
        _CHAIN,
        adds=True,
    ),
    Attack("an empty object is added to a run", objects.further(objects.nothing), _NO_SUCH, _CHAIN, adds=True),
    Attack(
        "an object with another name is added to a run", objects.further(objects.stray), _NO_SUCH, _NOTHING, adds=True
    ),
    Attack("an empty object is added to the ledger", objects.empty_entry, _NO_SUCH, _LEDGER, adds=True),
    Attack("the newest entry of the ledger has the key of another number", objects.misname_entry, _NO_SUCH, _LEDGER),
    Attack("the newest two entries of the ledger are in one object", objects.merge_entries, _NO_SUCH, _LEDGER),
)
_RUNS = (
    Attack("a run is rewritten with a new chain", deeds.rewrite, _LEDGER),
    Attack("a run is rewritten, and its entry", deeds.rewrite_with_entry, _LEDGER),
    Attack("a run is rewritten, and the ledger from there on", deeds.rewrite_onwards(), _SEAL),
    Attack("the newest run is rewritten, and its entry", deeds.rewrite_onwards(which=-1), _SEAL),
    Attack(
        "the newest run is rewritten, and its entry, sealed by a key that is not trusted",
        deeds.rewrite_onwards(THEIRS, -1),
        _SEAL,
    ),
    Attack("the whole trail is made anew", deeds.anew(), _SEAL),
    Attack("the whole trail is made anew, sealed by a key that is not trusted", deeds.anew(THEIRS), _SEAL),
    Attack(
        "the whole trail is made anew, sealed by a former key that leaked, with times before its end",
        deeds.anew(FORMER),
        _HEAD,
    ),
    Attack("the whole trail is replaced by that of another place", deeds.replaced_by_other, _HEAD),
    Attack("the lines of an old run are appended again", deeds.replay, _CHAIN),
    Attack("the lines of an old run are appended with a new id", deeds.replay_with_new_id, _CHAIN, adds=True),
    Attack("a run that found nothing to do is deleted", deeds.delete_idle, _NOTHING),
    Attack("a made-up run is added", deeds.forge, _LEDGER, adds=True),
    Attack("a made-up run is added that found nothing to do", deeds.forge_idle, _NOTHING, adds=True),
)
_ENTRIES = (
    Attack("the ledger is deleted", entries.no_ledger, _LEDGER),
    Attack("the newest entry of the ledger is cut off", entries.cut_entries(1), _LEDGER),
    Attack("the newest two entries of the ledger are cut off", entries.cut_entries(2), _LEDGER),
    Attack(
        "the newest entry of the ledger is cut off, and its file named as that of a process that died",
        deeds.open_unlisted,
        _LEDGER,
        _NO_SUCH,
    ),
    Attack("the newest entry of the ledger is cut off, and the end of its run", deeds.cut_run, _CHAIN),
    Attack("the newest entry of the ledger and its run are removed together", entries.cut_both, _HEAD),
    Attack(
        "the newest entry of the ledger and its run are removed together, and the next run takes its number",
        entries.cut_both,
        _HEAD,
        later=True,
    ),
    Attack(
        "the oldest entry of the ledger and its run are removed, and the rest of the ledger is made anew",
        entries.cut_both_of_oldest,
        _SEAL,
    ),
    Attack("the first entry is dropped", entries.in_ledger(0, deeds.delete), _LEDGER),
    Attack("an entry in the middle is dropped", entries.in_ledger(2, deeds.delete), _LEDGER),
    Attack("two entries are swapped", entries.in_ledger(1, deeds.swap), _LEDGER),
    Attack("an entry is repeated", entries.in_ledger(1, deeds.duplicate), _LEDGER),
    Attack("the newest entry is repeated", entries.in_ledger(-1, deeds.duplicate), _LEDGER, adds=True),
    Attack("an entry is edited", entries.in_ledger(1, entries.edit_entry), _LEDGER),
    Attack("the newest entry is edited", entries.in_ledger(-1, entries.edit_entry), _LEDGER),
    Attack("the hash of an entry is edited", entries.in_ledger(1, entries.edit_entry_hash), _LEDGER),
    Attack("an entry has another number, and a hash that fits", entries.entry(1, entries.renumbered), _LEDGER),
    Attack("an entry has another place, and a hash that fits", entries.entry(1, entries.moved), _LEDGER),
    Attack("the newest entry has another place, and a hash that fits", entries.entry(-1, entries.moved), _LEDGER),
    Attack("the ledger is that of another place", entries.ledger_of_other, _LEDGER),
    Attack("the ledger is made anew for another place", entries.other_place, _SEAL),
    Attack("an entry is added for a run that never was", entries.append(entries.ghost_next), _LEDGER, adds=True),
    Attack("a line of nonsense is added to the ledger", entries.in_ledger(1, deeds.nonsense), _LEDGER),
    Attack("a made-up run is added, with an entry", entries.append(entries.forged_next), _SEAL, adds=True),
    Attack(
        "a made-up run is added, with an entry that is sealed by a key that is not trusted",
        entries.append(entries.forged_next, THEIRS),
        _SEAL,
        adds=True,
    ),
    Attack(
        "a made-up run is added, with an entry, and the next run seals it",
        entries.append(entries.forged_next),
        _NOTHING,
        later=True,
        adds=True,
    ),
    Attack(
        "a made-up run is added, with an entry that is sealed by a former key that leaked, and a time before its end",
        entries.append(entries.forged_next, FORMER),
        _SEAL,
        adds=True,
    ),
    Attack("an old run is rewritten, and listed once more at the end", entries.append(entries.rewritten_next), _LEDGER),
    Attack(
        "an old run is rewritten, and listed once more at the end, and the next run seals that",
        entries.append(entries.rewritten_next),
        _LEDGER,
        later=True,
    ),
    Attack(
        "a made-up run is left as that of a process that died, and the next run lists it",
        deeds.forge_open,
        _NOTHING,
        _NOTHING,
        later=True,
        adds=True,
    ),
    Attack(
        "a made-up run that did something is added, and does not say that it is listed",
        deeds.forge_silent(timedelta(minutes=1)),
        _LEDGER,
        adds=True,
    ),
    Attack(
        "a made-up run that did something is added, and has a date before the ledger began",
        deeds.forge_silent(-timedelta(hours=1)),
        _NOTHING,
        adds=True,
    ),
    Attack("an entry has a fingerprint that is not hexadecimal", entries.append(entries.not_hex), _LEDGER, adds=True),
    Attack("an entry has a time beyond the calendar", entries.append(entries.no_time, THEIRS), _LEDGER, adds=True),
)
_SEALS = (
    Attack("the seal of the newest entry is removed", entries.unseal(slice(-1, None)), _SEAL),
    Attack("all seals are removed", entries.unseal(slice(None)), _SEAL),
    Attack(
        "the seals of older entries are removed, which the newest one covers", entries.unseal(slice(0, -1)), _NOTHING
    ),
    Attack("the seal of the newest entry says more", entries.add_to_seal, _SEAL),
    Attack("an entry has the seal of another one", entries.seal_of_other, _SEAL),
    Attack("an entry is sealed by a key that is not trusted", entries.entry(-1, THEIRS.seal), _SEAL),
    Attack("an entry is sealed by a former key, after its end", entries.entry(-1, FORMER.seal), _SEAL),
    Attack("what base64 does not use of a signature is changed", entries.spare_bits, _NOTHING),
)
ATTACKS = (*_LINES, *_FILES, *_OBJECTS, *_RUNS, *_ENTRIES, *_SEALS)


def table() -> str:
    """Return the table of docs/audit.md."""
    media = ("Directory", "directory"), ("Bucket", "bucket"), ("Bucket that keeps versions", "versions")
    rows = [["Attack", *(heading for heading, _ in media)], ["---"] * (1 + len(media))]
    rows += [[_words(attack), *(attack.found_in(medium) for _, medium in media)] for attack in ATTACKS]
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _words(attack: Attack) -> str:
    return f"{attack.name[0].upper()}{attack.name[1:]}"
