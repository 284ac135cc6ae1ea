"""Closing what dead processes left open in an audit directory, so that a crash never looks like a finished run.

A power failure takes what was not durable yet, each block by itself. From the first line on that is not an event,
nothing is believed: it gets a line break and an event of its own that names it. Each run without an end gets a last
event that says so and names the calls that may have happened, the ledger lists what it does not have yet, and the file
gets its final name. The file's lock keeps
two processes apart that do this at once; after a crash in here, the next process does the rest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rotator.audit.chain import Before, Chain, Clock, Keeps, Unfinished, listing_of, note
from rotator.audit.directory import files
from rotator.audit.directory.ledger import DirectoryLedger, listed_since
from rotator.audit.event import parse
from rotator.audit.ledger import Listing
from rotator.audit.record import RunIdentity, Writer
from rotator.model.errors import AuditUnavailableError


@dataclass(frozen=True, slots=True)
class Left:
    """A file that a dead process left, under our lock, and its runs without an end."""

    file: files.AuditFile
    runs: tuple[Unfinished, ...]
    ended: tuple[Listing, ...]
    """Runs that the ledger should have already, if the process did not die just then."""

    def close(self, writer: Writer, clock: Clock, ledger: DirectoryLedger, before: Before | None = None) -> None:
        """End the runs, list them, and give the file its final name; without a ledger, leave that to the next process.

        Raises AuditUnavailableError if the file cannot be written.
        """
        try:
            closed = [run.close(writer, self.file, clock, before) for run in self.runs]
            if _are_listed(ledger, self.ended, [listing for listing in closed if listing]):
                self.file.close()
        finally:
            self.file.abandon()


@dataclass(frozen=True, slots=True)
class Recovery:
    """What recovers one directory."""

    directory: Path
    writer: Writer
    clock: Clock
    new_id: Callable[[], str]
    ledger: DirectoryLedger

    def recover(self, keeps: Keeps = lambda _: False) -> list[Left]:
        """Close the files of processes that died; return those, still open, with a run that is to be kept so."""
        kept: list[Left] = []
        for path in filter(files.is_open_name, files.audit_files(self.directory)):
            file = files.AuditFile.adopt(path)
            if file is None:
                continue
            try:
                left = self._mend(file, _survey(path))
            except BaseException:
                file.abandon()
                raise
            if any(map(keeps, left.runs)):
                kept.append(left)
            else:
                left.close(self.writer, self.clock, self.ledger)
        return kept

    def _mend(self, file: files.AuditFile, seen: "_Survey") -> Left:
        """Account for the remains of a torn write."""
        if seen.needs_break:
            file.append(b"\n")
        if seen.remains:
            Chain(RunIdentity(self.new_id(), "", ""), self.writer, file, self.clock).add(seen.remains.repair)
        return Left(file, tuple(seen.unfinished.values()), tuple(seen.ended))


def _are_listed(ledger: DirectoryLedger, ended: Sequence[Listing], closed: Sequence[Listing]) -> bool:
    """List what is not listed yet; tell whether all is then."""
    try:
        known = listed_since(ledger.directory, min(run.time_ms for run in ended)) if ended else set()
        for listing in (*ended, *closed):
            if listing.run_id not in known:
                ledger.add(listing)
    except AuditUnavailableError:
        return False
    return True


@dataclass(slots=True)
class _Survey:
    """What is in a file."""

    unfinished: dict[str, Unfinished] = field(default_factory=dict)
    ended: list[Listing] = field(default_factory=list)
    """Runs that the ledger should list."""
    size: int = 0
    """Of the lines so far."""
    remains: files.Remains | None = None
    """What no event accounts for yet."""
    needs_break: bool = False

    def take(self, line: bytes) -> None:
        """Take a line in."""
        stored = parse(line)
        if self.remains and stored and self.remains.are_accounted_for(stored.record.torn):
            self.remains = None
        if self.remains or stored is None:
            self.remains = self.remains or files.Remains(self.size)
            self.remains.add(line)
        else:
            note(self.unfinished, stored)
            if listing := listing_of(stored):
                self.ended.append(listing)
        self.size += len(line)


def _survey(path: Path) -> _Survey:
    seen, line = _Survey(), b"\n"
    with files.reading(path) as stream:
        for line in files.lines(stream):
            seen.take(line)
    seen.needs_break = not line.endswith(b"\n")
    if seen.remains and seen.needs_break:
        seen.remains.add(b"\n")
    return seen
