"""What is remembered of a secret between two looks, and what follows from it: its status, its turn, its back-off.

Nothing here is needed for a correct rotation: a memory that is lost costs one closer look. It is kept by whoever looks
repeatedly, and recalled from the audit trail after a restart, so that a process that dies over and over does not try
a failing secret each time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from rotator.engine.age import born_at, due_at
from rotator.engine.containment import is_outage
from rotator.engine.jitter import rotate_after, slot_between
from rotator.engine.superseded import superseded_keys, unlabelled_keys
from rotator.engine.windows import described, is_open
from rotator.fleet.lookup import Target
from rotator.fleet.wake import Wake, wake
from rotator.model.consumers import Standing
from rotator.model.errors import HookError, Remedy, RotatorError, StoppedError
from rotator.model.events import Failure, RunEnd
from rotator.model.naming import generation_of_version, time_of_version
from rotator.model.observed import AWSCURRENT, Observed, SecretDescription
from rotator.model.plan import Outcome, OutcomeKind, Plan
from rotator.model.reasons import Reason
from rotator.model.secret import SecretSpec
from rotator.model.status import Attention, OldKey, SecretStatus

FIRST_LOOKS_MAX = 100
"""So many secrets that nobody remembers are looked at together; more wait for their slots, or until they are due."""
BACK_OFF_MAX = timedelta(hours=1)
_DOUBLINGS_MAX = 20


@dataclass(frozen=True, slots=True)
class Findings:
    """What a look found."""

    changed_at: datetime
    """LastChangedDate, as far as it was known at the end of the look."""
    generation: int | None
    born_at: datetime | None
    due_at: datetime | None
    old_keys: tuple[OldKey, ...] | None
    """None by labels alone."""
    consumers: tuple[Standing, ...] | None
    """None if none was asked."""
    orphans: int | None
    """None by labels alone."""
    is_out: bool
    """Consumers have no good key, as far as is known: it does not work, or it has leaked."""


@dataclass(frozen=True, slots=True)
class LastLook:
    """The last run over a secret, and the last look at it; without one, all is empty."""

    looked_at: datetime | None = None
    """When both systems were asked, by a run or by a look that changed nothing."""
    reason: Reason | None = None
    actions: tuple[str, ...] | None = None
    """What a look that changed nothing planned."""
    findings: Findings | None = None
    look_failure: Failure | None = None
    """Why a look that was to change nothing saw nothing."""
    run_at: datetime | None = None
    success_at: datetime | None = None
    outcome: OutcomeKind | None = None
    failures: int = 0
    failure: Failure | None = None
    """Why the last run failed."""
    trouble: Failure | None = None
    """What failed beside the last run that did something: a program that was to be told of it."""


NEVER = LastLook()


def after_run(look: LastLook, spec: SecretSpec, outcome: Outcome, began_at: datetime) -> LastLook:
    """Return what is remembered after a run that began at a time."""
    if isinstance(outcome.error, StoppedError):
        return look
    findings = _found(spec, outcome.observed) if outcome.observed else look.findings
    look = replace(look, reason=outcome.reason, findings=findings)
    if outcome.error is not None:
        return after_failure(look, outcome.error, began_at)
    trouble = Failure.of(outcome.trouble) if outcome.trouble else None
    return LastLook(
        looked_at=began_at,
        reason=outcome.reason,
        findings=findings,
        run_at=began_at,
        success_at=began_at,
        outcome=outcome.kind,
        trouble=trouble if outcome.actions else look.trouble,
    )


def after_failure(look: LastLook, error: RotatorError, now: datetime) -> LastLook:
    """Return what is remembered of a secret whose run failed, or that could not even be looked up."""
    return replace(
        look,
        looked_at=now,
        run_at=now,
        outcome=OutcomeKind.FAILED,
        failures=look.failures + 1,
        failure=Failure.of(error),
    )


def after_preview(look: LastLook, spec: SecretSpec, planned: Plan, observed: Observed, now: datetime) -> LastLook:
    """Return what is remembered after a look that changed nothing; the last run stays as it was."""
    return replace(
        look,
        looked_at=now,
        reason=planned.reason,
        actions=tuple(action.name for action in planned.actions),
        findings=_found(spec, observed),
        look_failure=None,
    )


def after_failed_preview(look: LastLook, error: RotatorError) -> LastLook:
    """Return what is remembered after a look that was to change nothing, and failed."""
    return replace(look, look_failure=Failure.of(error))


def recalled(look: LastLook, spec: SecretSpec, end: RunEnd) -> LastLook:
    """Return what the end of a run in the audit trail adds to what its earlier ends have told."""
    if end.outcome is OutcomeKind.FAILED:
        return LastLook(
            looked_at=end.ended_at,
            run_at=end.ended_at,
            success_at=look.success_at,
            outcome=end.outcome,
            failures=look.failures + 1,
            failure=end.failure,
            trouble=look.trouble,
        )
    # A run began so long ago at the latest; what became due meanwhile is looked at again.
    began_at = end.ended_at - spec.timeout
    # Another failure of a run that succeeded is seen again by the next look.
    trouble = end.failure if end.failure and end.failure.error == HookError.__name__ else None
    # Looks that found nothing to do may have followed, and leave no line.
    return LastLook(run_at=end.ended_at, success_at=began_at, outcome=end.outcome, trouble=trouble)


def is_awake(target: Target, look: LastLook, *, now: datetime, every: timedelta) -> bool:
    """Tell whether a secret is to be looked at closely now: due, changed, at its slot, or left unfinished.

    A last look that lies in the future (the clock was set back) is none. `every` is how often this is asked.
    """
    since, description = look.looked_at, target.description
    if since is None or since > now:
        return True
    if look.failures:
        return not since <= now < since + back_off(look.failures, every)
    known_at = look.findings.changed_at if look.findings else None
    if description.changed_at != known_at if known_at else description.changed_at > since:
        return True
    if _waits_for_others(target.spec, look, now):
        grace_ends = description.promoted_at() + target.spec.grace
        in_slot = slot_between(description.arn, target.spec.check_every, since, now)
        return in_slot or since < grace_ends <= now
    return wake(target, now=now, since=since) is not Wake.ASLEEP


def _waits_for_others(spec: SecretSpec, look: LastLook, now: datetime) -> bool:
    """Tell whether another look would only say the same: a person or a window has to come first."""
    if look.outcome is OutcomeKind.HELD:
        return True
    return look.reason is Reason.OUTSIDE_WINDOW and not is_open(spec, now)


def back_off(failures: int, every: timedelta) -> timedelta:
    """Return how long after its start a failed look is repeated: at once after one failure, then ever later."""
    ticks = (1 << min(failures - 1, _DOUBLINGS_MAX)) - 1
    return min(every * ticks, BACK_OFF_MAX)


def status_of(spec: SecretSpec, description: SecretDescription | None, look: LastLook, now: datetime) -> SecretStatus:
    """Return where a secret stands: by its last look, else by its labels alone; `description` is None if not found."""
    findings = look.findings or (_by_labels(spec, description) if description else None)
    failure = look.look_failure or look.failure or look.trouble
    asks, next_step = _attention(look, failure, spec.name)
    # Nobody could see whether it is answered, so it is not.
    unseen = look.look_failure is not None or look.failure is not None
    leaked = unseen and description is not None and description.contain is not None
    is_out = leaked or (look.findings is not None and look.findings.is_out)
    return SecretStatus(
        name=spec.name,
        secret_id=spec.secret_id,
        arn=description.arn if description else "",
        generation=findings.generation if findings else None,
        born_at=findings.born_at if findings else None,
        max_age=spec.max_age,
        due_at=findings.due_at if findings else None,
        window=described(spec),
        window_open=is_open(spec, now),
        reason=Reason.CONTAINED if leaked else look.reason,
        next_actions=look.actions,
        old_keys=findings.old_keys if findings else None,
        consumers=findings.consumers if findings else None,
        orphans=findings.orphans if findings else None,
        hold=description.hold_at(now) if description else None,
        last_outcome=look.outcome,
        last_run_at=look.run_at,
        last_success_at=look.success_at,
        failures=look.failures,
        error=failure.message if failure else "",
        code=failure.error if failure else "",
        next_step=next_step,
        attention=Attention.OUTAGE if is_out else asks,
        needs_person=asks is Attention.PERSON,
        looked_at=look.looked_at,
    )


def _attention(look: LastLook, failure: Failure | None, name: str) -> tuple[Attention, str]:
    """Say what a secret asks of people, and what they do about it."""
    if failure and failure is not look.trouble and failure.remedy is not Remedy.NEXT_RUN:
        return Attention.PERSON, failure.next_step
    # The reason of a run is that of its first plan; what it came to says whether it still holds.
    held = look.outcome is OutcomeKind.HELD if look.actions is None else True
    if held and look.reason and look.reason.needs_person:
        return Attention.PERSON, look.reason.clause
    if held and look.actions is None:
        return Attention.PERSON, "ask `rotator plan` why"
    if failure:
        return Attention.FAILING, failure.next_step
    # A look that ends so has not failed; what it waits for are attempts that did.
    why = f"See `rotator history {name}` for why they failed; `rotator rotate {name}` tries at once."
    return (Attention.FAILING, why) if look.reason is Reason.BACKING_OFF else (Attention.NONE, "")


def _found(spec: SecretSpec, observed: Observed) -> Findings:
    if not observed.description.is_writable():  # nothing but the description was read
        return _by_labels(spec, observed.description)
    changed_at = observed.description.changed_at
    return Findings(
        changed_at=changed_at,
        generation=observed.generation(observed.current) if observed.current else None,
        born_at=born_at(observed),
        due_at=due_at(spec, observed),
        old_keys=tuple(OldKey(k, observed.promoted_at() + spec.grace) for k in superseded_keys(observed)),
        consumers=observed.rollout if spec.consumers else (),
        orphans=len(unlabelled_keys(observed)),
        is_out=is_outage(observed),
    )


def _by_labels(spec: SecretSpec, description: SecretDescription) -> Findings:
    """Return what version ids tell; their time is an index, and good enough to be shown."""
    current = next((v.version_id for v in description.versions if AWSCURRENT in v.labels), None)
    made_at = time_of_version(current or "")
    return Findings(
        changed_at=description.changed_at,
        generation=generation_of_version(current) if current else None,
        born_at=made_at,
        due_at=made_at + rotate_after(spec.max_age, description.arn) if made_at else None,
        old_keys=None,
        consumers=None if spec.consumers else (),
        orphans=None,
        is_out=False,
    )
