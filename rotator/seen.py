"""What is remembered of a secret between two looks, and what follows from it: who is looked at next, who is backed off.

Nothing here is needed for a correct rotation: a memory that is lost costs one closer look. It is kept by whoever looks
repeatedly, and recalled from the audit trail after a restart, so that a process that dies over and over does not try
a failing secret each time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.errors import Remedy, RotatorError, StoppedError
from rotator.fleet import Target, is_asleep
from rotator.model import AWSCURRENT, Labels, Observed, Outcome, OutcomeKind, Plan, Reason
from rotator.naming import generation_of_version, time_of_version
from rotator.openings import described
from rotator.planner import NEEDS_PERSON, born_at, due_at
from rotator.reasons import WHY
from rotator.retiring import superseded_keys, unlabelled_keys
from rotator.spec import SecretSpec
from rotator.spread import rotate_after, slot_between
from rotator.standing import OldKey, Standing
from rotator.windows import is_open

FIRST_LOOKS_MAX = 100
"""So many secrets that nobody remembers are looked at together; more wait for their slots, or until they are due."""
BACK_OFF_MAX = timedelta(hours=1)
_DOUBLINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What a look found."""

    changed_at: datetime
    """LastChangedDate, as far as it was known at the end of the look."""
    generation: int | None
    born_at: datetime | None
    due_at: datetime | None
    old_keys: tuple[OldKey, ...]
    orphans: int


@dataclass(frozen=True, slots=True)
class Seen:
    """The last look at a secret; without one, all is empty."""

    looked_at: datetime | None = None
    success_at: datetime | None = None
    outcome: str = ""
    reason: str = ""
    failures: int = 0
    error: str = ""
    needs_person: str = ""
    facts: Facts | None = None


NEVER = Seen()


def after_run(seen: Seen, spec: SecretSpec, outcome: Outcome, began_at: datetime) -> Seen:
    """Return what is remembered after a run that began at a time."""
    if isinstance(outcome.error, StoppedError):
        return seen
    facts = _facts(spec, outcome.observed) if outcome.observed else seen.facts
    reason = outcome.reason or ""
    if outcome.error is not None:
        return _failed(replace(seen, reason=reason, facts=facts), outcome.error, began_at)
    held = outcome.kind is OutcomeKind.HELD
    why = WHY[outcome.reason] if outcome.reason in NEEDS_PERSON else "ask `rotator plan` why"
    return Seen(
        began_at, began_at, outcome.kind, reason, needs_person=why if held else "", facts=facts
    )


def after_preview(seen: Seen, spec: SecretSpec, planned: Plan, observed: Observed) -> Seen:
    """Return what is remembered after a look that changed nothing; the last run stays as it was."""
    why = WHY[planned.reason] if planned.reason in NEEDS_PERSON else seen.needs_person
    return replace(
        seen, reason=planned.reason, error="", needs_person=why, facts=_facts(spec, observed)
    )


def after_failure(seen: Seen, error: RotatorError, now: datetime) -> Seen:
    """Return what is remembered of a secret that could not even be looked up."""
    return _failed(seen, error, now)


def recalled(seen: Seen, spec: SecretSpec, ended_at: datetime, result: str, detail: str) -> Seen:
    """Return what the end of a run in the audit trail adds to what its earlier ends have told."""
    began_at = (
        ended_at - spec.timeout
    )  # at the latest; what became due meanwhile is looked at again
    if result in set(OutcomeKind) - {OutcomeKind.FAILED}:
        return Seen(began_at, began_at, result)
    who, _, what = detail.partition(": ")
    return Seen(
        looked_at=ended_at,
        success_at=seen.success_at,
        outcome=OutcomeKind.FAILED,
        failures=seen.failures + 1,
        error=what or detail,
        needs_person=what if who == Remedy.PERSON.value else "",
    )


def is_awake(target: Target, seen: Seen, *, now: datetime, every: timedelta) -> bool:
    """Tell whether a secret is to be looked at closely now: due, changed, at its slot, or left unfinished.

    Args:
        target: the secret and its labels, read just now.

        seen: the last look; one that lies in the future (the clock was set back) is none.

        now: the time.

        every: how often this is asked.
    """
    since, labels = seen.looked_at, target.labels
    if since is None or since > now:
        return True
    if seen.failures:
        return not since <= now < since + back_off(seen.failures, every)
    if labels.changed_at != seen.facts.changed_at if seen.facts else labels.changed_at > since:
        return True
    if _waits_for_others(target.spec, seen, now):
        grace_ends = labels.changed_at + target.spec.grace
        in_slot = slot_between(labels.arn, target.spec.check_every, since, now)
        return in_slot or since < grace_ends <= now
    return not is_asleep(target, now=now, since=since)


def _waits_for_others(spec: SecretSpec, seen: Seen, now: datetime) -> bool:
    """Tell whether another look would only say the same: a person or a window has to come first."""
    if seen.outcome == OutcomeKind.HELD:
        return True
    return seen.reason == Reason.OUTSIDE_WINDOW and not is_open(spec, now)


def back_off(failures: int, every: timedelta) -> timedelta:
    """Return how long after its start a failed look is repeated: at once after one failure, then ever later."""
    ticks = (1 << min(failures - 1, _DOUBLINGS_MAX)) - 1
    return min(every * ticks, BACK_OFF_MAX)


def standing(spec: SecretSpec, labels: Labels | None, seen: Seen, now: datetime) -> Standing:
    """Return where a secret stands: by its last look, else by its labels alone, None if it was not found."""
    facts = seen.facts or (_by_labels(spec, labels) if labels else None)
    return Standing(
        name=spec.name,
        secret_id=spec.secret_id,
        arn=labels.arn if labels else "",
        generation=facts.generation if facts else None,
        born_at=facts.born_at if facts else None,
        max_age=spec.max_age,
        due_at=facts.due_at if facts else None,
        window=described(spec),
        window_open=is_open(spec, now),
        old_keys=facts.old_keys if facts else (),
        orphans=facts.orphans if facts else 0,
        last_outcome=seen.outcome,
        last_reason=seen.reason,
        last_looked_at=seen.looked_at,
        last_success_at=seen.success_at,
        failures=seen.failures,
        error=seen.error,
        needs_person=seen.needs_person,
    )


def urgency(standing: Standing) -> tuple[bool, bool, bool, float, str]:
    """Return the sort key of a board: what needs a person, then failures, then what is due first."""
    due = standing.due_at
    return (
        not standing.needs_person,
        not standing.failures,
        due is None,
        due.timestamp() if due else 0.0,
        standing.name,
    )


def _failed(seen: Seen, error: RotatorError, now: datetime) -> Seen:
    return replace(
        seen,
        looked_at=now,
        outcome=OutcomeKind.FAILED,
        failures=seen.failures + 1,
        error=error.message,
        needs_person="" if error.remedy is Remedy.NEXT_RUN else error.next_step,
    )


def _facts(spec: SecretSpec, observed: Observed) -> Facts:
    changed_at = observed.labels.changed_at
    return Facts(
        changed_at=changed_at,
        generation=observed.generation(observed.current) if observed.current else None,
        born_at=born_at(observed),
        due_at=due_at(spec, observed),
        old_keys=tuple(OldKey(k, changed_at + spec.grace) for k in superseded_keys(observed)),
        orphans=len(unlabelled_keys(observed)),
    )


def _by_labels(spec: SecretSpec, labels: Labels) -> Facts:
    """Return what version ids tell; their time is an index, and good enough to be shown."""
    current = next((v.version_id for v in labels.versions if AWSCURRENT in v.labels), None)
    made_at = time_of_version(current or "")
    return Facts(
        changed_at=labels.changed_at,
        generation=generation_of_version(current) if current else None,
        born_at=made_at,
        due_at=made_at + rotate_after(spec.max_age, labels.arn) if made_at else None,
        old_keys=(),
        orphans=0,
    )
