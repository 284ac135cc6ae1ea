"""`native`: Secrets Manager's own rotation, which invokes a function for each of four steps.

An event of an unknown shape, or about a secret that is not configured, causes no call at all; one about a rotation
that Secrets Manager does not know of causes the one call that tells. A step that cannot be done raises, so Secrets
Manager stops before the next one and begins again later.
"""

from dataclasses import replace
from typing import Any

from rotator.config.tables import AwsConfig
from rotator.engine.native import Step, is_finished
from rotator.engine.reconcile import step
from rotator.lambda_handlers.events import RotationEvent, rotation_event
from rotator.lambda_handlers.invocation import Context, Invocation, invoked
from rotator.model.errors import EventError, StepRefusedError
from rotator.model.naming import place_of
from rotator.model.plan import OutcomeKind
from rotator.model.secret import Demand
from rotator.model.times import time_text

_DONE = frozenset({OutcomeKind.ROTATED, OutcomeKind.UP_TO_DATE})


def native(event: Any, context: Context) -> None:  # noqa: ANN401 - parsed before anything is done
    """Do one step of a rotation that Secrets Manager has begun.

    Raises EventError if the event is not Secrets Manager's, or not about a configured secret; StepRefusedError if a
    rule forbids the step now; another RotatorError if it failed.
    """

    def body(invocation: Invocation) -> None:
        _native(rotation_event(event), context.invoked_function_arn, invocation)

    invoked("native", context, body)


def _native(asked: RotationEvent, function_arn: str, invocation: Invocation) -> None:
    config = invocation.container.config
    if place_of(asked.arn) != _place(config.aws, function_arn):
        raise EventError("SecretId of the event is of another account or region; nothing was done")
    spec = config.entry_of(asked.arn)
    if spec is None:
        raise EventError("SecretId of the event is the ARN of no configured secret; nothing was done")
    clients = invocation.container.clients
    run = invocation.new_run(spec, Demand.NATIVE)
    description = clients.store.describe(spec.secret_id, run.deadline)
    if description.arn != asked.arn:
        raise EventError(f"`{spec.name}` is another secret than that of the event; nothing was done")
    if is_finished(description, asked.rotation) or asked.rotation.step is Step.SET:
        return  # without reading the managing key for nothing
    with invocation.world() as both:
        world = replace(both, store=clients.store.in_rotation(asked.proof))
        outcome = step(spec, description, world, run, asked.rotation)
    if outcome.error is not None:
        raise outcome.error  # counted where it is caught
    invocation.count(outcome)
    if outcome.kind not in _DONE and outcome.reason is not None:
        name, again = asked.rotation.step.value, outcome.back_off
        until = f"; the next attempt may be made at {time_text(again.until)}" if again else ""
        raise StepRefusedError(f"{name} of `{spec.name}` is refused: {outcome.reason}, {outcome.reason.clause}{until}")


def _place(aws: AwsConfig, function_arn: str) -> tuple[str, str]:
    """Return the region and the account of the secrets: the configured ones, else those of the function."""
    _, _, _, region, account, *_ = function_arn.split(":")
    assumed = aws.role_arn.split(":")[4] if aws.role_arn else account
    return aws.region or region, aws.expected_account or assumed
