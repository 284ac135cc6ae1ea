"""Closing what dead processes left open, so that a crash never looks like a finished run.

Each open file whose lock is free is taken over: remains of a torn write get a line break and an
event of their own that names them, each run without an end gets a last event that says so, and the
file its final name. Two processes at it at once are kept apart by the lock. A crash in here leaves
a file that the next process recovers in the same way.

Recovery judges nothing. A line that was tampered with stays as it is, for verification to find.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rotator.audit.attestation import Head
from rotator.audit.chain import Chain, Clock
from rotator.audit.directory import AuditFile, audit_files, is_open_name, lines, reading, unreadable
from rotator.audit.event import StoredEvent, parse
from rotator.audit.record import EventKind, Recovered, Repaired, RunIdentity, Writer


def recover(directory: Path, writer: Writer, clock: Clock, new_id: Callable[[], str]) -> None:
    """Close the files of processes that died.

    Raises:
        AuditUnavailableError: such a file cannot be written to.
    """
    for path in filter(is_open_name, audit_files(directory)):
        file = AuditFile.adopt(path)
        if file is None:
            continue
        try:
            _finish(file, writer, clock, new_id)
            file.close()
        except OSError as error:
            raise unreadable(path, error) from None
        finally:
            file.abandon()


@dataclass(slots=True)
class Unfinished:
    """A run without an end, as far as it was recorded."""

    run: RunIdentity
    head: Head
    calls: dict[str, str]
    """Calls without an outcome, by their id."""

    def recovered(self) -> Recovered:
        """Return the event that closes it."""
        uid, operation = next(reversed(self.calls.items()), ("", ""))
        return Recovered(uid, operation)


def _finish(file: AuditFile, writer: Writer, clock: Clock, new_id: Callable[[], str]) -> None:
    unfinished, torn, needs_break = _survey(file.path)
    if needs_break:
        file.append(b"\n")
    if torn:
        Chain(RunIdentity(new_id(), "", ""), writer, file, clock).add(torn)
    for left in unfinished.values():
        Chain(left.run, writer, file, clock, left.head).add(left.recovered())


def _survey(path: Path) -> tuple[dict[str, Unfinished], Repaired | None, bool]:
    """Return runs without an end, what is no event at the end, and if a line break is missing."""
    unfinished: dict[str, Unfinished] = {}
    tail, digest, line = 0, hashlib.sha256(), b"\n"
    with reading(path) as stream:
        for line in lines(stream):
            stored = parse(line)
            if stored is None:
                tail += len(line)
                digest.update(line)
                continue
            tail, digest = 0, hashlib.sha256()
            note(unfinished, stored)
    needs_break = not line.endswith(b"\n")
    if tail and needs_break:
        tail += 1
        digest.update(b"\n")
    return unfinished, Repaired(tail, digest.hexdigest()) if tail else None, needs_break


def note(unfinished: dict[str, Unfinished], stored: StoredEvent) -> None:
    """Take an event into account, in the order of its run."""
    record = stored.record
    match record.kind:
        case EventKind.ENDED | EventKind.RECOVERED | EventKind.REPAIRED:
            unfinished.pop(stored.head.run_id, None)
            return
        case _:
            pass
    left = unfinished.setdefault(
        stored.head.run_id, Unfinished(RunIdentity(stored.head.run_id, record.secret, record.arn), stored.head, {})
    )
    left.head = stored.head
    if record.kind is EventKind.INTENT:
        left.calls[record.call_uid] = record.operation
    elif record.kind is EventKind.DONE:
        left.calls.pop(record.call_uid, None)
