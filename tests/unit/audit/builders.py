"""What tests of the audit trail start from: a writer, a clock that ticks, and recorded runs."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

from rotator.audit.chain import Chain
from rotator.audit.directory.destination import DirectoryDestination
from rotator.audit.directory.files import audit_files
from rotator.audit.directory.source import DirectorySource
from rotator.audit.ledger import Entry
from rotator.audit.record import Record, RunIdentity, Started, Writer
from rotator.audit.sources import Criteria
from rotator.audit.trail import AuditTrail
from rotator.audit.verify import Flaw, VerificationReport
from rotator.model.events import Decided, Done, Ended, Event, Intent, Operation, Result, Subject
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason

WRITER = Writer(
    name="rotator",
    version="1.2.3",
    trigger="cli",
    user="arn:aws:sts::111122223333:assumed-role/rotator/ci",
    hostname="runner-1",
)
ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/pinata/uploader-AbCdEf"
ANYTHING = Criteria()
FILE = "20261122T095328Z-0123456789.jsonl"
OPEN_FILE = "20261122T095328Z-0123456789.open.jsonl"
START = datetime(2026, 11, 22, 9, 53, 28, tzinfo=UTC)
VERSION = "g000012-20261122T095328Z-9f3c1a2b4d"
KEY = "0f1e2d3c4b5a69788796"
KEY_NAME = f"rotator/111122223333/eu-central-1/prod/pinata/uploader-AbCdEf/{VERSION}"


class TickingClock:
    """A clock that is one second later at each look, unless it is set."""

    def __init__(self, now: datetime = START) -> None:
        self.now = now

    def __call__(self) -> datetime:
        """Return the time now."""
        self.now += timedelta(seconds=1)
        return self.now


class RunIds:
    """Ids of runs: `run-1`, `run-2` and so on, with a prefix that tells processes apart."""

    def __init__(self, prefix: str = "run") -> None:
        self._prefix = prefix
        self._numbers = count(1)

    def __call__(self) -> str:
        """Return the next id."""
        return f"{self._prefix}-{next(self._numbers)}"


class Lines:
    """A sink in memory."""

    def __init__(self) -> None:
        self.written: list[bytes] = []

    def append(self, line: bytes, *, durable: bool) -> None:  # noqa: ARG002 - all of it is kept
        """Keep a line."""
        self.written.append(line)


def a_trail(directory: Path, *, ids: str = "run", clock: TickingClock | None = None) -> AuditTrail:
    """Return the audit log of a process that records in a directory."""
    clock, new_id = clock or TickingClock(), RunIds(ids)
    destination = DirectoryDestination(directory, WRITER, clock=clock, new_id=RunIds(f"{ids}-place"))
    return AuditTrail([destination], WRITER, clock=clock, new_id=new_id)


def as_is(entry: Entry) -> Entry:
    """Return an entry of the ledger without a signature."""
    return entry


def an_intent(operation: Operation = Operation.CREATE_KEY) -> Intent:
    """Return the intent of a call."""
    return Intent(operation, Subject(version_id=VERSION, key_name=KEY_NAME))


def an_outcome(operation: Operation = Operation.CREATE_KEY, result: Result = Result.SUCCESS, detail: str = "") -> Done:
    """Return the outcome of a call."""
    return Done(operation, Subject(VERSION, KEY, KEY_NAME), result, detail)


def an_end(outcome: OutcomeKind = OutcomeKind.ROTATED) -> Ended:
    """Return the end of a run."""
    return Ended(outcome, Reason.AGED_OUT, VERSION, KEY, ("old-key",), None)


def a_rotation() -> Iterator[Event]:
    """Yield what a short rotation records after its start."""
    yield Decided(Reason.AGED_OUT, ("Create", "Verify", "Promote"), 11)
    for operation in (Operation.CREATE_KEY, Operation.VERIFY_KEY, Operation.PROMOTE):
        yield an_intent(operation)
        yield an_outcome(operation)
    yield an_end()


def record_rotation(trail: AuditTrail, secret: str = "uploader", arn: str = ARN) -> str:
    """Record a whole rotation and return its run id."""
    run = trail.begin(secret, arn)
    for event in a_rotation():
        run.record(event)
    return run.run_id


def a_finished_file(directory: Path, *secrets: str) -> Path:
    """Return a finished file with a rotation of each secret, one after the other."""
    with a_trail(directory) as trail:
        for secret in secrets or ("uploader",):
            record_rotation(trail, secret)
    (path,) = audit_files(directory)
    return path


def query(directory: Path, criteria: Criteria = ANYTHING) -> list[Record]:
    """Return the records in a directory that fit."""
    return list(DirectorySource(directory).records(criteria))


def verify(directory: Path) -> VerificationReport:
    """Check every file of a directory."""
    return DirectorySource(directory).verify()


def flaws_in(directory: Path, lines: list[bytes], name: str = FILE) -> list[tuple[Flaw, int | None, int | None]]:
    """Return what is found in a directory with a file of these lines, apart from its having no ledger."""
    (directory / name).write_bytes(b"".join(lines))
    found = verify(directory).findings
    return [(one.flaw, one.line, one.sequence) for one in found if one.flaw is not Flaw.UNLISTED]


def chain_lines(run_id: str, events: list[Event], clock: TickingClock | None = None) -> list[bytes]:
    """Return the lines of one run, as a list in memory."""
    sink = Lines()
    chain = Chain(RunIdentity(run_id, "uploader", ARN), WRITER, sink, clock or TickingClock())
    for entry in (Started(), *events):
        chain.add(entry)
    return sink.written
