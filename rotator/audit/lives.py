"""The life of each key of a secret, and what its runs came to, from its audit records.

It tells what the records say, in their order. Whether they are genuine is asked of `rotator audit verify`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from rotator.audit.record import IDLE, EventKind, Record
from rotator.model.events import Operation, Result
from rotator.model.naming import generation_of_version

RUNS_MAX = 50
"""Runs told in full on one page; `rotator history` tells all."""

_BEFORE = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class KeyLife:
    """One key, from its birth to its proven death; what the records do not tell is None."""

    key_id: str
    version_id: str = ""
    created_at: datetime | None = None
    promoted_at: datetime | None = None
    superseded_at: datetime | None = None
    revoked_at: datetime | None = None
    dead_at: datetime | None = None
    why: str = ""
    """The reason of the run that made it, or else made it current."""
    trigger: str = ""
    """What started that run."""
    proof: str = ""
    """How its death was proved."""

    @property
    def generation(self) -> int:
        """The generation in the version's id; 0 if it is not ours or unknown."""
        return generation_of_version(self.version_id)

    @property
    def known_from(self) -> datetime | None:
        """When it was made; None if that was before the records begin."""
        return self.created_at or self.promoted_at

    @property
    def begun_at(self) -> datetime | None:
        """The first thing that is known of it."""
        known = (self.created_at, self.promoted_at, self.superseded_at, self.revoked_at)
        return next((moment for moment in known if moment), None)


@dataclass(frozen=True, slots=True)
class RunStep:
    """One thing a run did or failed to do."""

    time: datetime
    result: str
    """`success`, `failure`, `unknown`; empty where neither applies."""
    text: str
    about: tuple[str, ...]
    """Ids that it concerns."""
    detail: str


@dataclass(frozen=True, slots=True)
class RunStory:
    """One run that did something, or came to something other than "nothing to do"."""

    run_id: str
    time: datetime
    """Of the last thing that is known of it."""
    outcome: str
    """The value of an `OutcomeKind`; `cut short` if it died, `running` if it has no end yet."""
    reason: str
    trigger: str
    detail: str
    steps: tuple[RunStep, ...]
    began_at: datetime
    user: str
    """The identity that it acted under."""
    host: str
    error: str
    """The class of the error that ended it; empty if none did, or if a version before 0.2 wrote it."""


def key_lives(records: Sequence[Record]) -> tuple[KeyLife, ...]:
    """Return the keys that records tell of, the oldest first."""
    lives: dict[str, KeyLife] = {}
    current, taken_over_at = "", None
    reasons = reasons_of(records)
    for record in effects(records):
        key_id = record.subject.key_id
        life = lives.get(key_id) or KeyLife(key_id)
        if record.operation in {Operation.CREATE_KEY, Operation.PROMOTE} and not life.trigger:
            life = replace(life, why=reasons.get(record.run_id, ""), trigger=record.writer.trigger)
        match record.operation:
            case Operation.CREATE_KEY:
                version_id = record.subject.version_id
                life = replace(life, created_at=record.time, version_id=version_id)
            case Operation.PROMOTE:
                if current and current != key_id:
                    lives[current] = replace(lives[current], superseded_at=record.time)
                current = key_id
                taken_over_at = taken_over_at or record.time
                version_id = record.subject.version_id
                promoted_at = life.promoted_at or record.time
                life = replace(life, promoted_at=promoted_at, version_id=version_id, superseded_at=None)
            case Operation.REVOKE_KEY:
                # Made before the records begin: it was current until our first promotion.
                superseded_at = life.superseded_at if life.begun_at else taken_over_at
                life = replace(life, superseded_at=superseded_at, revoked_at=record.time)
            case Operation.PROVE_DEAD:
                life = replace(life, dead_at=record.time, proof=record.detail)
            case _:
                continue
        if key_id:
            lives[key_id] = life
    return tuple(sorted(lives.values(), key=lambda life: life.known_from or _BEFORE))


def effects(records: Sequence[Record]) -> Iterator[Record]:
    """Yield the records of calls that had their effect.

    A promotion whose outcome was lost is one of them if a run ended with its key as the current one; the intent is
    yielded then, as the only record of it.
    """
    calls = [record for record in records if record.kind is EventKind.DONE]
    answered = {record.call_uid for record in calls if record.result != Result.UNKNOWN}
    promoted = {r.subject.key_id for r in calls if r.operation == Operation.PROMOTE and r.result == Result.SUCCESS}
    lost = {record.subject.key_id for record in records if record.kind is EventKind.ENDED} - promoted
    for record in records:
        is_lost = record.operation == Operation.PROMOTE and record.subject.key_id in lost
        match record.kind:
            case EventKind.DONE if record.result == Result.SUCCESS:
                yield record
            case EventKind.INTENT if is_lost and record.call_uid not in answered:
                yield record
            case _:
                pass


def reasons_of(records: Sequence[Record]) -> dict[str, str]:
    """Return by run why it moved on, or else what it decided first."""
    decided = [record for record in reversed(records) if record.kind is EventKind.DECIDED]
    return {record.run_id: record.reason for record in sorted(decided, key=lambda r: "Promote" in r.actions)}


def runs(records: Sequence[Record]) -> tuple[tuple[RunStory, ...], int]:
    """Return the latest runs worth telling, the newest first, and how many others there were."""
    shown = tuple(stories(records)[:RUNS_MAX])
    return shown, len({record.run_id for record in records}) - len(shown)


def stories(records: Sequence[Record]) -> list[RunStory]:
    """Return every run worth telling, the newest first."""
    grouped: dict[str, list[Record]] = {}
    for record in records:
        grouped.setdefault(record.run_id, []).append(record)
    told = [run for group in grouped.values() if not _is_idle(run := _run(group))]
    return sorted(told, key=lambda run: run.time, reverse=True)


def _is_idle(run: RunStory) -> bool:
    return not run.steps and run.outcome in IDLE


def _run(group: list[Record]) -> RunStory:
    # A copy of it that broke off in one of two places was closed there later; its end in the other one counts.
    first, last = group[0], next((r for r in reversed(group) if r.kind is EventKind.ENDED), group[-1])
    decided = next((record for record in group if record.kind is EventKind.DECIDED), first)
    outcome = {EventKind.ENDED: last.result, EventKind.RECOVERED: "cut short"}.get(last.kind, "running")
    return RunStory(
        run_id=first.run_id,
        time=last.time,
        outcome=outcome,
        reason=decided.reason or last.reason,
        trigger=first.writer.trigger,
        detail=last.detail if outcome != "running" else "",
        steps=tuple(_step(record) for record in group if record.kind is EventKind.DONE),
        began_at=first.time,
        user=first.writer.user,
        host=first.writer.hostname,
        error=last.failure.error if last.failure else "",
    )


def _step(record: Record) -> RunStep:
    known = next((operation for operation in Operation if operation == record.operation), None)
    done, to_do = (known.done, known.to_do) if known else (record.operation, record.operation)
    match record.result:
        case Result.SUCCESS:
            text = done[0].upper() + done[1:]
        case Result.UNKNOWN:
            text = f"It is not known whether it could {to_do}"
        case _:
            text = f"Failed to {to_do}"
    subject = record.subject
    about = tuple(part for part in (subject.version_id, subject.key_id, subject.label) if part)
    return RunStep(record.time, record.result, text, about, record.detail)
