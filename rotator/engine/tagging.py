"""What a person says by a command is written down as a tag, so that every other trigger hears it."""

from rotator.engine.audited import audited
from rotator.engine.run import Run, World
from rotator.model.errors import AuditUnavailableError, RotatorError
from rotator.model.events import Ended, Failure, Operation, Subject
from rotator.model.observed import SecretDescription
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import SecretSpec


def set_tag(  # noqa: PLR0913, PLR0917 - what a run is given, and the tag
    spec: SecretSpec, description: SecretDescription, world: World, run: Run, key: str, value: str | None
) -> Outcome:
    """Set a tag of a secret, or take it off if `value` is None; audited like every effect."""
    arn, subject = description.arn, Subject(label=key if value is None else f"{key}={value}")
    operation = Operation.UNTAG if value is None else Operation.TAG
    failure: RotatorError | None = None
    try:
        audit = world.audit.begin(spec.name, arn, description.audit_head or "")
    except AuditUnavailableError as error:
        return Outcome.failed(spec.name, error)

    def call() -> None:
        if value is None:
            world.store.untag(arn, key, run.deadline)
        else:
            world.store.tag(arn, key, value, run.deadline)

    try:
        audited(audit, operation, subject, call)
    except AuditUnavailableError as error:
        return Outcome(spec.name, audit.run_id, OutcomeKind.FAILED, error=error)
    except RotatorError as error:
        failure = error
    kind = OutcomeKind.FAILED if failure else OutcomeKind.UP_TO_DATE
    try:
        audit.record(Ended(kind, None, "", "", (), Failure.of(failure) if failure else None))
    except AuditUnavailableError as error:
        return Outcome(spec.name, audit.run_id, OutcomeKind.FAILED, error=error)
    return Outcome(spec.name, audit.run_id, kind, error=failure)
