"""A year of trail, made fast: genuine chains of runs that find nothing to do, and now and then a rotation."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import count, islice
from pathlib import Path

from rotator.audit import ledger
from rotator.audit.attestation import FIRST
from rotator.audit.chain import Chain, listing_of
from rotator.audit.directory.ledger import NAME
from rotator.audit.event import parse
from rotator.audit.record import Entry, RunIdentity, Started, Writer
from rotator.model.events import Decided, Done, Ended, Intent, Operation, Result, Subject
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason

BEGAN_AT = datetime(2025, 11, 1, tzinfo=UTC)
YEAR = timedelta(days=365)
RUNS_PER_FILE = 1_000
_ROTATES_EVERY = 100
"""Runs to a rotation."""
_RUN_ID, _SECRET, _TIME_MS = "00000000-run-0000", "secret-to-be-named", 1_111_111_111_111
_WRITER = Writer("rotator", "1.2.3", "daemon", "arn:aws:sts::111122223333:assumed-role/rotator/ci", "runner-1")
_VERSION = "g000012-20261122T095328Z-9f3c1a2b4d"
Template = tuple[bytes, bytes]
"""A line without its fingerprint, and with it, as formats."""


class _Kept:
    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def append(self, line: bytes, *, durable: bool) -> None:  # noqa: ARG002 - all of it is kept
        """Keep a line."""
        self.lines.append(line)


def _templates(*entries: Entry) -> list[Template]:
    """Return the lines of a run as formats."""
    kept = _Kept()
    moment = datetime.fromtimestamp(_TIME_MS / 1000, UTC)
    arn = f"arn:aws:secretsmanager:eu-central-1:111122223333:secret:{_SECRET}-AbCdEf"
    chain = Chain(RunIdentity(_RUN_ID, _SECRET, arn), _WRITER, kept, lambda: moment)
    made, before = [], b""
    for entry in entries:
        chain.add(entry)
        assert chain.head
        own = chain.head.fingerprint.encode()
        line = kept.lines[-1].replace(_RUN_ID.encode(), b"%(run)b").replace(_SECRET.encode(), b"%(secret)b")
        line = line.replace(str(_TIME_MS).encode(), b"%(ms)d")
        if before:
            line = line.replace(before, b"%(before)b")
        bare = line.replace(b',"fingerprint":{"algorithm_id":3,"value":"' + own + b'"}', b"", 1).rstrip()
        made.append((bare, line.replace(own, b"%(own)b")))
        before = own
    return made


def _calls() -> Iterator[Entry]:
    for operation in (Operation.CREATE_KEY, Operation.VERIFY_KEY, Operation.PROMOTE):
        yield Intent(operation, Subject(_VERSION, key_name="rotator/uploader"))
        yield Done(operation, Subject(_VERSION, "0f1e2d3c4b5a69788796", "rotator/uploader"), Result.SUCCESS, "")


_IDLE = _templates(Ended(OutcomeKind.UP_TO_DATE, Reason.UP_TO_DATE, "", "", (), None))
_ROTATION = _templates(
    Started(),
    Decided(Reason.AGED_OUT, ("Create", "Verify", "Promote"), 11),
    *_calls(),
    Ended(OutcomeKind.ROTATED, Reason.AGED_OUT, _VERSION, "0f1e2d3c4b5a69788796", ("old-key",), None),
)


def secret_name(number: int) -> str:
    """Return the name of a secret of the fleet."""
    return f"fleet/{number:05}"


def write_year(directory: Path, *, events: int, secrets: int) -> int:
    """Fill a directory with at least so many events, at even distances over a year; return how many there are."""
    runs, total = [], 0
    for number in count():
        if total >= events:
            break
        runs.append(_ROTATION if number % _ROTATES_EVERY == 0 else _IDLE)
        total += len(runs[-1])
    numbered = iter(enumerate(runs))
    entry: ledger.Entry | None = None
    entries: list[bytes] = []
    for first in range(0, len(runs), RUNS_PER_FILE):
        began_at = BEGAN_AT + YEAR * first / len(runs)
        path = directory / f"{began_at:%Y%m%dT%H%M%S.%fZ}-{first:010x}.jsonl"
        path.touch(0o600)
        with path.open("wb") as stream:
            for number, templates in islice(numbered, RUNS_PER_FILE):
                moment = BEGAN_AT + YEAR * number / len(runs)
                # Each round in another order, so that rotations come to all.
                name = secret_name((number * 7 + number // secrets) % secrets)
                lines = list(_run(templates, number, name, int(moment.timestamp() * 1000)))
                stream.writelines(lines)
                last = parse(lines[-1])
                if listing := listing_of(last) if last else None:
                    entry = entry.next(listing) if entry else ledger.first("year", listing)
                    entries.append(entry.line())
        written_s = (began_at + YEAR * RUNS_PER_FILE / len(runs)).timestamp()
        os.utime(path, (written_s, written_s))
    (directory / NAME).write_bytes(b"".join(entries))
    (directory / NAME).chmod(0o600)
    return total


def _run(templates: Iterable[Template], number: int, name: str, ms: int) -> Iterator[bytes]:
    filled = {b"run": b"%08x-run-%04x" % (number, FIRST), b"secret": name.encode(), b"ms": ms, b"before": b""}
    for bare, line in templates:
        own = hashlib.sha256(bare % filled).hexdigest().encode()
        yield line % (filled | {b"own": own})
        filled[b"before"] = own
