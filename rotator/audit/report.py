"""What an auditor is given about a period: the keys, rotations, exceptions and demands of each secret.

One pass reads the records from before the end of the period. Of runs that did nothing and met no trouble it keeps
none, so memory goes with what happened, not with how often rotator looked. Everything is as the trail had it at the end
of the period: a key that was proved dead a day later is alive here.

It believes what it reads; whether that is genuine is the verdict of `verify_all`, which belongs beside it. What is
unknown is None.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from rotator.audit.lives import KeyLife, RunStory, effects, key_lives, reasons_of, stories
from rotator.audit.record import RUN_ENDS, EventKind, Record
from rotator.audit.sources import Criteria, Source
from rotator.model.events import Operation, Result
from rotator.model.plan import OutcomeKind
from rotator.model.secret import SecretSpec
from rotator.model.tags import CONTAIN_TAG, HOLD_TAG

DEMANDS = {
    (Operation.TAG, HOLD_TAG): "hold_set",
    (Operation.UNTAG, HOLD_TAG): "hold_lifted",
    (Operation.TAG, CONTAIN_TAG): "containment_demanded",
    (Operation.UNTAG, CONTAIN_TAG): "containment_ended",
}
"""What setting a tag, or taking it off, says."""


@dataclass(frozen=True, slots=True)
class Period:
    """The time that a report is about."""

    start: datetime
    """Included."""
    end: datetime
    """Excluded."""
    as_of: datetime
    """The end, or the time of the report if that is earlier: what the report says holds at this time."""

    def has(self, moment: datetime) -> bool:
        """Return whether a time lies in the period."""
        return self.start <= moment < self.end


@dataclass(frozen=True, slots=True)
class ReportedKey:
    """A key that was not proved dead before the period began."""

    key_id: str
    generation: int | None
    version_id: str
    made_at: datetime | None
    current_from: datetime | None
    current_to: datetime | None
    revoked_at: datetime | None
    dead_at: datetime | None
    proof: str
    """How its death was proved."""
    promoted_to_dead_s: float | None


@dataclass(frozen=True, slots=True)
class ReportedRotation:
    """One promotion of another key, with the run that did it."""

    run_id: str
    trigger: str
    user: str
    host: str
    reason: str
    began_at: datetime
    promoted_at: datetime
    ended_at: datetime | None
    key_id: str
    old_key_id: str | None
    old_key_age_s: float | None
    """None if the trail does not have when it was made."""
    old_key_dead_after_s: float | None
    """From this promotion on; None if it was not proved dead by the end of the period."""


class Deviation(StrEnum):
    """What an auditor asks about."""

    RUN_FAILED = "run_failed"
    RUN_CUT_SHORT = "run_cut_short"
    RUN_WITHOUT_END = "run_without_end"
    KEY_ALIVE_AFTER_REPLACEMENT = "key_alive_after_replacement"
    KEY_NEVER_CURRENT = "key_never_current"
    KEY_REPLACED_LATE = "key_replaced_late"
    KEY_OVERDUE = "key_overdue"


@dataclass(frozen=True, slots=True)
class ReportedException:
    """One deviation: when, which run or key, and in words what it is."""

    kind: Deviation
    at: datetime
    run_id: str
    key_id: str
    code: str
    """The class of the error that ended the run."""
    message: str


@dataclass(frozen=True, slots=True)
class ReportedDemand:
    """A hold or a containment, set or taken off by a command or a run; `result` says whether that had its effect."""

    kind: str
    at: datetime
    text: str
    result: str
    run_id: str
    trigger: str
    user: str
    host: str


@dataclass(frozen=True, slots=True)
class ReportedSecret:
    """One secret that is configured or that the trail names."""

    name: str
    arn: str
    configured: bool
    max_age_s: float | None
    """As configured now; the trail does not keep what it was."""
    grace_s: float | None
    """As configured now."""
    first_record_at: datetime | None
    last_record_at: datetime | None
    """Before the end of the period."""
    keys: tuple[ReportedKey, ...]
    rotations: tuple[ReportedRotation, ...]
    exceptions: tuple[ReportedException, ...]
    demands: tuple[ReportedDemand, ...]


@dataclass(slots=True)
class _Kept:
    """What is kept of one secret during the pass."""

    arn: str = ""
    first_at: datetime | None = None
    last_at: datetime | None = None
    current: str = ""
    """The key that the last run which was kept ended with; empty if it named none, so that the next one is kept."""
    records: dict[tuple[str, int, EventKind], Record] = field(default_factory=dict)
    """What is in two places is here once."""

    def note(self, record: Record) -> None:
        """Take down when the secret was heard of."""
        self.arn = record.arn or self.arn
        self.first_at = min(self.first_at or record.time, record.time)
        self.last_at = max(self.last_at or record.time, record.time)

    def keep(self, run: Sequence[Record]) -> None:
        """Keep a run, unless it did nothing, met no trouble and found the key current that was current before."""
        end, key_id = run[-1], run[-1].subject.key_id
        is_news = end.kind is EventKind.ENDED and key_id not in {"", self.current}
        did = any(record.kind in {EventKind.INTENT, EventKind.DONE} for record in run)
        if did or is_news or end.kind is not EventKind.ENDED or end.result == OutcomeKind.FAILED:
            self.current = key_id
            self.records |= {(record.run_id, record.sequence, record.kind): record for record in run}


def report_secrets(
    sources: Sequence[Source], configured: Collection[SecretSpec], period: Period
) -> tuple[ReportedSecret, ...]:
    """Return every secret that is configured, and then every other one that the trail names before the period's end."""
    kept = _kept(sources, period.end)
    specs = {spec.name: spec for spec in configured}
    names = [*specs, *sorted(kept.keys() - specs.keys())]
    return tuple(_secret(name, kept.get(name, _Kept()), specs.get(name), period) for name in names)


def _kept(sources: Sequence[Source], until: datetime) -> Mapping[str, _Kept]:
    kept: dict[str, _Kept] = {}
    for source in sources:
        under_way: dict[tuple[str, str], list[Record]] = {}
        for record in source.records(Criteria(until=until)):
            if not record.secret:
                continue  # it is about a file
            kept.setdefault(record.secret, _Kept()).note(record)
            run = under_way.setdefault((record.secret, record.run_id), [])
            run.append(record)
            if record.kind in RUN_ENDS:
                kept[record.secret].keep(under_way.pop((record.secret, record.run_id)))
        for (secret, _), run in under_way.items():
            kept[secret].keep(run)
    return kept


def _secret(name: str, kept: _Kept, spec: SecretSpec | None, period: Period) -> ReportedSecret:
    records = sorted(kept.records.values(), key=lambda record: (record.time_ms, record.run_id, record.sequence))
    told, lives = stories(records), key_lives(records)
    max_age = spec.max_age if spec else None
    rotations = tuple(_rotations(records, lives, told, period))
    known = [life for life in lives if life.key_id not in _in_doubt(records)]
    found = [*_of_runs(told, period), *_of_keys(known, max_age, period), *_of_rotations(rotations, max_age)]
    return ReportedSecret(
        name=name,
        arn=kept.arn,
        configured=spec is not None,
        max_age_s=_seconds(max_age),
        grace_s=_seconds(spec.grace if spec else None),
        first_record_at=kept.first_at,
        last_record_at=kept.last_at,
        keys=tuple(_key(life) for life in lives if life.dead_at is None or life.dead_at >= period.start),
        rotations=rotations,
        exceptions=tuple(sorted(found, key=lambda one: one.at)),
        demands=tuple(_demands(records, period)),
    )


def _key(life: KeyLife) -> ReportedKey:
    return ReportedKey(
        key_id=life.key_id,
        generation=life.generation or None,
        version_id=life.version_id,
        made_at=life.created_at,
        current_from=life.promoted_at,
        current_to=life.superseded_at,
        revoked_at=life.revoked_at,
        dead_at=life.dead_at,
        proof=life.proof,
        promoted_to_dead_s=_seconds(life.dead_at - life.promoted_at if life.dead_at and life.promoted_at else None),
    )


def _rotations(
    records: Sequence[Record], lives: Sequence[KeyLife], told: Sequence[RunStory], period: Period
) -> Iterator[ReportedRotation]:
    runs, reasons = {run.run_id: run for run in told}, reasons_of(records)
    by_id, by_end = {life.key_id: life for life in lives}, {life.superseded_at: life for life in lives}
    current = ""
    for done in effects(records):
        key_id = done.subject.key_id
        if done.operation != Operation.PROMOTE or key_id == current:
            continue  # the same key under a new version is no rotation
        # A key that was taken over from was never promoted here: only its revocation names it.
        old = by_id.get(current) if current else by_end.get(done.time)
        current = key_id
        run = runs.get(done.run_id)
        if run is None or not period.has(done.time):
            continue
        yield ReportedRotation(
            run_id=run.run_id,
            trigger=run.trigger,
            user=run.user,
            host=run.host,
            reason=reasons.get(run.run_id, run.reason),
            began_at=run.began_at,
            promoted_at=done.time,
            ended_at=None if run.outcome in {"running", "cut short"} else run.time,
            key_id=key_id,
            old_key_id=old.key_id if old else None,
            old_key_age_s=_seconds(done.time - old.created_at if old and old.created_at else None),
            old_key_dead_after_s=_seconds(old.dead_at - done.time if old and old.dead_at else None),
        )


def _of_runs(told: Sequence[RunStory], period: Period) -> Iterator[ReportedException]:
    """Yield the runs that went wrong; one without an end belongs to the period of its last record."""
    kinds = {
        OutcomeKind.FAILED.value: Deviation.RUN_FAILED,
        "cut short": Deviation.RUN_CUT_SHORT,
        "running": Deviation.RUN_WITHOUT_END,
    }
    for run in told:
        if run.outcome in kinds and period.has(run.time):
            detail = run.detail or "the trail has no end of this run before the end of the period"
            yield ReportedException(kinds[run.outcome], run.time, run.run_id, "", run.error, detail)


def _in_doubt(records: Sequence[Record]) -> set[str]:
    """Return the keys that may be current: of their promotion there is an intent alone, and no run has ended since."""
    found: set[str] = set()
    for record in records:
        key_id = record.subject.key_id
        match record.kind:
            case EventKind.INTENT if record.operation == Operation.PROMOTE:
                found.add(key_id)
            case EventKind.DONE if record.operation == Operation.PROMOTE and record.result != Result.UNKNOWN:
                found.discard(key_id)
            case EventKind.ENDED if key_id:
                found.clear()
            case _:
                pass
    return found


def _of_keys(lives: Sequence[KeyLife], max_age: timedelta | None, period: Period) -> Iterator[ReportedException]:
    for life in lives:
        made_at, left_at = life.created_at, life.superseded_at
        if life.dead_at or (life.revoked_at and not left_at):
            continue
        if left_at:
            kind, at, text = Deviation.KEY_ALIVE_AFTER_REPLACEMENT, left_at, "replaced then, and not proved dead since"
        elif made_at and not life.promoted_at:
            kind, at, text = Deviation.KEY_NEVER_CURRENT, made_at, "made then, never current, and not revoked"
        elif made_at and max_age and period.as_of - made_at > max_age:
            kind, at, text = (
                Deviation.KEY_OVERDUE,
                made_at + max_age,
                "older than `max_age` since then, and not replaced",
            )
        else:
            continue
        yield ReportedException(kind, at, "", life.key_id, "", text)


def _of_rotations(rotations: Sequence[ReportedRotation], max_age: timedelta | None) -> Iterator[ReportedException]:
    for one in rotations:
        if max_age and one.old_key_age_s and one.old_key_age_s > max_age.total_seconds():
            text = "older than `max_age` when it was replaced"
            late = Deviation.KEY_REPLACED_LATE
            yield ReportedException(late, one.promoted_at, one.run_id, one.old_key_id or "", "", text)


def _demands(records: Sequence[Record], period: Period) -> Iterator[ReportedDemand]:
    for record in records:
        tag, _, text = record.subject.label.partition("=")
        kind = next((said for (did, key), said in DEMANDS.items() if (did, key) == (record.operation, tag)), None)
        if record.kind is EventKind.DONE and kind and period.has(record.time):
            who = record.writer
            yield ReportedDemand(
                kind, record.time, text, record.result, record.run_id, who.trigger, who.user, who.hostname
            )


def _seconds(span: timedelta | None) -> float | None:
    return None if span is None else round(span.total_seconds(), 1)
