"""What is recorded: an entry on its way into the trail, and the record of it that readers get.

An entry is a step of a run (`rotator.model.events`), or is about the trail itself. Its record adds who
wrote it and where it belongs. `rotator.audit.event` says what a record looks like as a line.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import TypeAlias, assert_never

from rotator.audit.attestation import FIRST, event_uid
from rotator.model.errors import Remedy
from rotator.model.events import Decided, Done, Ended, Event, Failure, Intent, Operation, RunEnd, Subject
from rotator.model.plan import OutcomeKind


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes events: a program, what started it, and the identity it acts under."""

    name: str
    version: str
    trigger: str
    """What started the program, such as `cli`, `daemon` or `lambda`."""
    user: str
    """The caller's ARN, or the best name there is for the identity."""
    hostname: str


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """One run: one reconcile of one secret. Secret and ARN are empty for a chain that is about a file."""

    run_id: str
    secret: str
    arn: str


@dataclass(frozen=True, slots=True)
class Position:
    """Where an entry belongs: its run, its number in the run's chain, its time and its call."""

    run: RunIdentity
    sequence: int
    time_ms: int
    call_uid: str
    listed: bool = False
    """Whether it ends a run that did something, which the ledger of the place lists."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run has begun."""

    audit_head: str = ""
    """The heads that were noted on the secret then; empty without a note."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run was found that can never end, because the process that wrote it is gone."""

    unanswered: tuple[tuple[str, str], ...]
    """The id and the operation of each call without an outcome: it may have happened."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """From a place in a file on, what a crash left is not believed; it stays there, with a line break added."""

    length: int
    """Bytes from the first one that cannot be read, with whole lines behind it, and the line break that closes them."""
    sha256: str
    offset: int | None
    """Where they begin in the file; None if a version before 0.2 wrote it: they stand right above it."""


Entry: TypeAlias = Started | Event | Recovered | Repaired


class EventKind(StrEnum):
    """What an event says, for readers of the trail."""

    STARTED = "started"
    DECIDED = "decided"
    INTENT = "intent"
    DONE = "done"
    ENDED = "ended"
    RECOVERED = "recovered"
    REPAIRED = "repaired"


RUN_ENDS = frozenset({EventKind.ENDED, EventKind.RECOVERED})
"""How the run of a secret ends."""
IDLE = frozenset({OutcomeKind.UP_TO_DATE, OutcomeKind.WAITING})
"""How a run ends that found nothing to do."""
CHAIN_ENDS = RUN_ENDS | {EventKind.REPAIRED}
"""The last event of a chain; a repair is a chain by itself."""
PROOFS = frozenset({Operation.VERIFY_KEY, Operation.PROVE_DEAD})
"""Calls that change nothing."""


@dataclass(frozen=True, slots=True)
class Record:
    """What an event says, to its writer and its readers; what does not apply to its kind is empty."""

    kind: EventKind
    operation: str
    result: str
    """How it ended, in lower case: success, failure, unknown; for the end of a run its outcome."""
    run_id: str
    sequence: int
    uid: str
    time_ms: int
    """Milliseconds since 1970, UTC."""
    call_uid: str
    """The same for a call's intent and its outcome."""
    writer: Writer
    secret: str = ""
    arn: str = ""
    subject: Subject = field(default_factory=Subject)
    detail: str = ""
    reason: str = ""
    actions: tuple[str, ...] = ()
    generation: int | None = None
    """The generation of the current version; only a decision has one."""
    revoked: tuple[str, ...] = ()
    failure: Failure | None = None
    """Why a run failed; None if it did not, or if a version before 0.2 wrote it: that has a sentence in `detail`."""
    unanswered: tuple[str, ...] = ()
    """Of a recovery: the ids of the calls without an outcome."""
    audit_head: str = ""
    """Of a start: the heads that were noted on the secret."""
    listed: bool = False
    """Of a run's end: whether the run did something, so that the ledger of the place lists it."""
    torn: Repaired | None = None
    """Of a repair: the bytes that are not an event."""

    @classmethod
    def of(cls, entry: Entry, position: Position, writer: Writer) -> "Record":
        """Return what the event of an entry says."""
        run = position.run
        record = partial(
            cls,
            run_id=run.run_id,
            sequence=position.sequence,
            uid=event_uid(run.run_id, position.sequence),
            time_ms=position.time_ms,
            call_uid=position.call_uid,
            listed=position.listed,
            writer=writer,
            secret=run.secret,
            arn=run.arn,
        )
        match entry:
            case Started(audit_head):
                made = record(EventKind.STARTED, "StartRun", "started", audit_head=audit_head)
            case Decided(reason, actions, generation):
                record = partial(record, reason=reason, actions=actions)
                made = record(EventKind.DECIDED, "Decide", "decided", generation=generation)
            case Intent(operation, subject):
                made = record(EventKind.INTENT, operation, "intent", subject=subject)
            case Done(operation, subject, result, detail):
                made = record(EventKind.DONE, operation, result, subject=subject, detail=detail)
            case Ended(outcome, reason, version_id, key_id, revoked, failure):
                record = partial(record, subject=Subject(version_id, key_id), reason=reason or "", revoked=revoked)
                detail = failure.message if failure else ""
                made = record(EventKind.ENDED, "EndRun", outcome, detail=detail, failure=failure)
            case Recovered(unanswered):
                lost = ", ".join(operation for _, operation in unanswered)
                lost = f"without a known outcome, and may have happened: {lost}" if lost else "no call was under way"
                record = partial(record, detail=f"the run did not end; {lost}")
                ids = tuple(uid for uid, _ in unanswered)
                made = record(EventKind.RECOVERED, "RecoverRun", "unknown", unanswered=ids)
            case Repaired(length, _, offset):
                detail = f"{length} bytes from byte {offset} on are what a crash left, and are not believed"
                made = record(EventKind.REPAIRED, "RepairFile", "repaired", detail=detail, torn=entry)
            case _:
                assert_never(entry)
        return made

    @property
    def is_note(self) -> bool:
        """Whether it is all there is of its run, which found nothing to do."""
        return self.kind is EventKind.ENDED and self.sequence == FIRST and self.result in IDLE

    @property
    def ends_run(self) -> bool:
        """Whether it is the end of a run that looked at a secret; setting a tag is none, and its end has no reason."""
        is_tag_alone = self.kind is EventKind.ENDED and self.result == OutcomeKind.UP_TO_DATE and not self.reason
        return self.kind in RUN_ENDS and not is_tag_alone

    @property
    def time(self) -> datetime:
        """When it was recorded."""
        return datetime.fromtimestamp(self.time_ms / 1000, UTC)

    def end(self) -> RunEnd:
        """Return how a run ended, of the event that ended or recovered it.

        Neither a run that was cut short nor a version before 0.2 says who must act.
        """
        if self.result in set(OutcomeKind) - {OutcomeKind.FAILED}:
            return RunEnd(self.time, OutcomeKind(self.result), self.failure)
        failure = self.failure or Failure("", Remedy.NEXT_RUN, self.detail, "")
        return RunEnd(self.time, OutcomeKind.FAILED, failure)
