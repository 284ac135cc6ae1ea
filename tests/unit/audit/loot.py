"""A finished trail in the hands of an attacker: runs and ledger as lines in memory, and what forges new ones."""

import base64
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import PurePath

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rotator.audit.chain import Chain
from rotator.audit.directory.files import OPEN_SUFFIX, SUFFIX
from rotator.audit.ledger import Entry, Listing, first, parse_entry
from rotator.audit.record import RunIdentity, Started
from rotator.model.events import Event
from rotator.model.plan import OutcomeKind
from rotator.model.signing import ED25519, Seal, fingerprint_of
from tests.unit.audit.builders import ARN, WRITER, Lines, TickingClock, an_end, an_intent, an_outcome

LEDGER = ".ledger"
_LAST = 9_999_999_999
RETIRED_AT = datetime(2020, 11, 1, tzinfo=UTC)
"""Until when the former key is trusted."""
BEFORE = datetime(2020, 10, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Key:
    """A key that seals entries."""

    private: Ed25519PrivateKey

    @classmethod
    def numbered(cls, number: int) -> "Key":
        """Return a key of a fixture, always the same for a number."""
        return cls(Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32))

    @property
    def _der(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def fingerprint(self) -> str:
        """Return what it is called."""
        return fingerprint_of(self._der)

    def seal(self, entry: Entry) -> Entry:
        """Return an entry with its seal."""
        public, signature = (base64.b64encode(it).decode() for it in (self._der, self.private.sign(entry.message)))
        return replace(entry, seal=Seal(ED25519, public, signature))


OURS, FORMER, THEIRS = map(Key.numbered, (1, 2, 3))
"""The key that signs, one that signed before `RETIRED_AT` and has leaked, and one that is not trusted."""


@dataclass(slots=True)
class Loot:
    """The lines of a place."""

    in_bucket: bool
    runs: dict[str, list[bytes]]
    """By file, or by a run's folder in the bucket; the oldest first."""
    ledger: list[bytes]
    other: "Loot | None" = None
    """Another place, with runs of its own."""
    links: dict[str, str] = field(default_factory=dict)
    """Files that are symbolic links to others."""
    objects: dict[str, list[int]] = field(default_factory=dict)
    """By a run's folder in the bucket: the number of the first line of each object, from 1 on."""
    further: dict[str, bytes] = field(default_factory=dict)
    """Objects that hold no lines of `runs`."""

    @classmethod
    def of(cls, files: dict[str, bytes], *, in_bucket: bool) -> "Loot":
        """Return what the files, or objects, of a place hold."""
        runs: dict[str, list[bytes]] = {}
        ledger: list[bytes] = []
        objects: dict[str, list[int]] = {}
        for name, content in sorted(files.items()):
            lines = content.splitlines(keepends=True)
            if name.startswith(LEDGER):
                ledger = lines + ledger  # in a bucket, the newest is the first
            else:
                path = PurePath(name)
                run = str(path.parent) if in_bucket else name
                runs.setdefault(run, []).extend(lines)
                if in_bucket:
                    objects.setdefault(run, []).append(int(path.stem))
        in_time = sorted(runs, key=lambda name: name.partition("/")[2], reverse=in_bucket)
        return cls(in_bucket, {name: runs[name] for name in in_time}, ledger, objects=objects)

    def files(self) -> dict[str, bytes]:
        """Return the files, or objects, that hold it."""
        if not self.in_bucket:
            ledger = {LEDGER: b"".join(self.ledger)} if self.ledger else {}
            return {name: b"".join(lines) for name, lines in self.runs.items()} | ledger
        events = {
            f"{folder}/{first:06}.json": b"".join(lines)
            for folder in self.runs
            for first, lines in self.batches(folder).items()
        }
        listed = {entry_name(number): line for number, line in enumerate(self.ledger, start=1)}
        return {name: line for name, line in (events | listed).items() if line} | self.further

    def batches(self, folder: str) -> dict[int, list[bytes]]:
        """Return the lines of each object of a run in the bucket, by the number of its first line."""
        lines = self.runs[folder]
        ends = pairwise([*self.objects.get(folder, [1]), len(lines) + 1])
        return {first: lines[first - 1 : after - 1] for first, after in ends}

    def name(self, which: int) -> str:
        """Return the name of a file or folder: 0 is the oldest, -1 the newest."""
        return list(self.runs)[which]

    def new_name(self, run_id: str) -> str:
        """Return a name that nothing has, later than all."""
        return f"uploader/1000000000000-20291122T095328Z-{run_id}" if self.in_bucket else f"20291122T0-{run_id}{SUFFIX}"

    def entry(self, which: int) -> Entry:
        """Return an entry of the ledger."""
        found = parse_entry(self.ledger[which])
        assert found is not None
        return found

    def drop_run(self, run_id: str) -> None:
        """Take away every line of a run."""
        for name, lines in self.runs.items():
            self.runs[name] = [line for line in lines if run_of(line) != run_id]
        self.runs = {name: lines for name, lines in self.runs.items() if lines}

    def rewrite_run(self, which: int) -> Listing:
        """Write a run of the ledger anew in its place, with another outcome and a flawless chain."""
        old = self.entry(which).listing
        made, listing = forged(old.run_id, secret=old.secret, outcome=OutcomeKind.HELD)
        for name, lines in self.runs.items():
            if any(run_of(line) == old.run_id for line in lines):
                at = [run_of(line) for line in lines].index(old.run_id)
                rest = [line for line in lines if run_of(line) != old.run_id]
                self.runs[name] = [*rest[:at], *made, *rest[at:]]
        return listing

    def add_run(self, run_id: str, secret: str = "uploader", at: datetime = BEFORE, *, listed: bool = True) -> Listing:
        """Add a run that never was."""
        lines, listing = forged(run_id, secret=secret, at=at)
        if not listed:
            lines, listing = forged(run_id, secret=secret, at=at, acts=False)
        self.runs[self.new_name(run_id)] = lines
        return listing

    def relist(self, start: int, *changes: Entry, key: Key | None = None, cut: int = 0) -> None:
        """Write the entries from an index on anew, so that each follows from the one before.

        The first ones are `changes`, in place of as many of those that are there; seals are made with the key, or gone.
        """
        old = [self.entry(index) for index in range(len(self.ledger))]
        wanted = [*old[:start], *changes, *old[start + len(changes) + cut :]]
        made = old[:start]
        self.ledger = self.ledger[:start]
        for entry in wanted[start:]:
            last = made[-1] if made else None
            place = changes[0].place if changes and not start else wanted[0].place
            new = last.next(entry.listing) if last else first(place, entry.listing)
            made.append(key.seal(new) if key else new)
            self.ledger.append(made[-1].line())


def run_of(line: bytes) -> str:
    """Return the run of an event; empty for what is none."""
    try:
        return str(json.loads(line)["metadata"]["correlation_uid"])
    except (ValueError, LookupError, TypeError):
        return ""


def short_rotation(outcome: OutcomeKind = OutcomeKind.ROTATED) -> tuple[Event, ...]:
    """Return what a run with one call records after its start."""
    return an_intent(), an_outcome(), an_end(outcome)


def forged(
    run_id: str,
    *,
    secret: str = "uploader",
    outcome: OutcomeKind = OutcomeKind.ROTATED,
    at: datetime = BEFORE,
    acts: bool = True,
) -> tuple[list[bytes], Listing]:
    """Return the lines of a run that never was, and how it would be listed."""
    sink = Lines()
    chain = Chain(RunIdentity(run_id, secret, ARN), WRITER, sink, TickingClock(at))
    events = short_rotation(outcome) if acts else (an_end(OutcomeKind.UP_TO_DATE),)
    for entry in (Started(), *events):
        chain.add(entry)
    assert chain.head is not None
    return sink.written, Listing(run_id, secret, chain.head.sequence, chain.head.fingerprint, chain.head.time_ms)


def entry_name(number: int) -> str:
    """Return the name of the object that holds an entry of the ledger."""
    return f"{LEDGER}/{_LAST - number:010}.json"


def opened(name: str) -> str:
    """Return the name of a file as that of a process that died."""
    return name.removesuffix(SUFFIX) + OPEN_SUFFIX
