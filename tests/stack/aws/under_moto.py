"""What a deployed stack looks like inside moto: everything untyped that moto has is touched here only.

Tested with moto 5.2.5. moto's own Lambda needs Docker, its poller of queues is a sketch, and its ValidateTemplate
takes a linter's warnings for errors; `mended` puts all three right until its block ends. Resources of a kind that
moto's CloudFormation cannot make are left out of a stack; `Skipped` knows which.
"""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

import moto.cloudformation.models
import moto.cloudformation.parsing
from moto.awslambda.models import LambdaFunction
from moto.awslambda.utils import get_backend
from moto.cloudformation.utils import validate_template_cfn_lint
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.kms.models import kms_backends
from moto.sqs.models import Message, Queue, sqs_backends

from rotator.sandbox.secrets_manager.store import Scope

Statements = list[dict[str, Any]]
SQS = ":sqs:"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A function as it was deployed."""

    name: str
    arn: str
    role_arn: str
    handler: str
    timeout_s: int
    memory_mb: int
    variables: tuple[tuple[str, str], ...]
    code: bytes
    code_sha256: str
    policy: tuple[Mapping[str, Any], ...]
    """Statements of the function's own policy: who may invoke it."""


@dataclass(frozen=True, slots=True)
class EventSource:
    """A queue that feeds a function."""

    function: str
    queue: str
    queue_arn: str
    batch_max: int
    reports_failures: bool


@dataclass(frozen=True, slots=True)
class Schedule:
    """A rule with a schedule, and the function it invokes."""

    arn: str
    name: str
    expression: str
    function: str


Run = Callable[[Deployed, bytes], tuple[bytes, bool, str]]
"""Invoke: payload in; payload, whether it is an error, and the end of the log out."""


class Skipped:
    """Takes the place of the module `warnings` where moto says which kinds of resources it leaves out."""

    def __init__(self) -> None:
        """Nothing was left out yet."""
        self.types: set[str] = set()

    def warn(self, text: str, **_: object) -> None:
        """Note the kind that a warning names."""
        self.types |= {word for word in text.split() if word.startswith("AWS::")}


@contextmanager
def mended(run: Run) -> Iterator[Skipped]:
    """Lead moto's Invoke to `run`, silence its poller and its linter's warnings."""

    def invoke(function: LambdaFunction, event: object = None) -> tuple[str, bool, str]:
        payload, failed, log = run(_deployed(function), json.dumps(event).encode())
        return payload.decode(), failed, log

    # A property stands before what the instance stores: no queue ever has an event source of moto's.
    no_sources = property(lambda _: {}, lambda _, __: None)
    with ExitStack() as stack:
        stack.enter_context(patch.object(LambdaFunction, "_invoke_lambda", invoke))
        stack.enter_context(patch.object(Queue, "lambda_event_source_mappings", no_sources, create=True))
        stack.enter_context(patch.object(moto.cloudformation.models, "validate_template_cfn_lint", _errors_only))
        parsing, skipped = moto.cloudformation.parsing, Skipped()
        stack.enter_context(patch.object(parsing, "warnings", skipped))
        stack.enter_context(patch.object(parsing.logger, "disabled", new=True))
        yield skipped


def _errors_only(template: str) -> list[Any]:
    return [one for one in validate_template_cfn_lint(template) if one.rule.id.startswith("E")]


def function(scope: Scope, name: str) -> Deployed:
    """Return a function by name or ARN.

    Raises:
        LambdaClientError: there is none.
    """
    return _deployed(get_backend(scope.account, scope.region).get_function(name))


def _deployed(found: LambdaFunction) -> Deployed:
    return Deployed(
        name=found.function_name,
        arn=found.function_arn,
        role_arn=found.role,
        handler=found.handler or "",
        timeout_s=int(found.timeout),
        memory_mb=int(found.memory_size),
        variables=tuple(sorted(found.environment_vars.items())),
        code=found.code_bytes,
        code_sha256=found.code_sha_256,
        policy=tuple(found.policy.statements),
    )


def role_statements(scope: Scope, role_arn: str) -> Statements:
    """Return the statements of a role's inline policies, as they were deployed."""
    role = iam_backends[scope.account]["aws"].get_role(role_arn.rpartition("/")[2])
    found: Statements = []
    for document in role.policies.values():
        text = document if isinstance(document, str) else json.dumps(document)  # type: ignore[redundant-expr]  # moto keeps objects, too
        statements = json.loads(unquote(text))["Statement"]
        found += [statements] if isinstance(statements, dict) else statements
    return found


def event_sources(scope: Scope) -> list[EventSource]:
    """Return the enabled event source mappings of queues."""
    backend = get_backend(scope.account, scope.region)
    return [
        EventSource(
            function=mapping.function_arn.split(":")[6],
            queue=mapping.event_source_arn.rpartition(":")[2],
            queue_arn=mapping.event_source_arn,
            batch_max=int(mapping.batch_size),
            reports_failures="ReportBatchItemFailures" in (mapping.function_response_types or ()),
        )
        for mapping in tuple(backend._event_source_mappings.values())
        if SQS in mapping.event_source_arn and str(mapping.enabled).lower() != "false"
    ]


def schedules(scope: Scope) -> list[Schedule]:
    """Return the enabled schedules that invoke functions."""
    bus = events_backends[scope.account][scope.region].event_buses["default"]
    return [
        Schedule(rule.arn, rule.name, rule.scheduled_expression, target["Arn"].split(":")[6])
        for rule in bus.rules.values()
        if rule.scheduled_expression and rule.state == "ENABLED"
        for target in rule.targets
        if ":lambda:" in target["Arn"]
    ]


def rules_for(scope: Scope, event: Any) -> list[Schedule]:  # noqa: ANN401 - as moto has it
    """Return the enabled rules whose pattern an event of AWS's matches, and the functions that they invoke."""
    bus = events_backends[scope.account][scope.region].event_buses["default"]
    return [
        Schedule(rule.arn, rule.name, "", target["Arn"].split(":")[6])
        for rule in bus.rules.values()
        if not rule.scheduled_expression and rule.state == "ENABLED" and rule.event_pattern.matches_event(event)
        for target in rule.targets
        if ":lambda:" in target["Arn"]
    ]


def key_statements(scope: Scope, key_arn: str) -> Statements:
    """Return the statements of a KMS key's own policy; none if there is no such key."""
    key = kms_backends[scope.account][scope.region].keys.get(key_arn.rpartition("/")[2])
    policy: Any = {"Statement": []} if key is None else key.policy
    return list((json.loads(policy) if isinstance(policy, str) else policy)["Statement"])


class Queues:
    """moto's queues as a poller uses them: one caller at a time."""

    def __init__(self, scope: Scope) -> None:
        """Look at the queues of one account and region."""
        self._backend = sqs_backends[scope.account][scope.region]
        self._lock = threading.Lock()

    def receive(self, queue: str, count: int) -> list[Message]:
        """Return up to `count` visible messages; moto moves those received too often to the dead-letter queue."""
        with self._lock:
            attributes = self._backend.get_queue(queue).attributes
            visibility_s = int(attributes["VisibilityTimeout"])
            return self._backend.receive_message(queue, count, 0, visibility_s)

    def delete(self, queue: str, message: Message) -> None:
        """Delete a message that was received."""
        with self._lock:
            self._backend.delete_message(queue, str(message.receipt_handle))

    def bodies(self, queue: str) -> list[str]:
        """Return what is in a queue, in flight or not."""
        with self._lock:
            return [one.body for one in self._backend.get_queue(queue)._messages]

    def release(self, queue: str) -> None:
        """Let the visibility timeout of every message in flight pass now."""
        with self._lock:
            for message in self._backend.get_queue(queue)._messages:
                message.visible_at = 0.0
