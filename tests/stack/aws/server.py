"""`AwsServer`: AWS for one account and region, into which a stack can be deployed and in which it runs.

with AwsServer(folder, scope) as aws:
    ...                                   osls deploy, with AWS_ENDPOINT_URL=aws.endpoint_url
    aws.tick()                            the schedules fire now
    aws.poller.drain()                    the queues are worked off
    aws.secrets.wait_for_rotations(60)    what RotateSecret started
    aws.functions.metrics(name), aws.witness.uses, aws.skipped.types
"""

import json
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.server import SecretsManagerServer
from rotator.sandbox.secrets_manager.store import Scope
from rotator.sandbox.secrets_manager.under_moto import MotoLambdas
from tests.stack.aws.functions import Functions
from tests.stack.aws.poller import Poller
from tests.stack.aws.rights import Ask, allowed
from tests.stack.aws.under_moto import Deployed, Schedule, function, mended, rules_for, schedules
from tests.stack.aws.witness import Witness, signed_for

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from tests.e2e.consumers_aws import ConsumersAws
    from tests.kms_server import KmsServer

INVOKE = "lambda:InvokeFunction"
ROTATIONS_S = 600.0
ATTEMPTS = 2
"""A rotation that fails is run again as a whole (RotateSecret API reference); how often is not documented."""


class AwsServer:
    """A context manager. One at a time in a process: moto's state is shared by all of it."""

    def __init__(self, folder: Path, scope: Scope, *, port: int = 0) -> None:
        """Keep unpacked code below `folder`."""
        self.scope = scope
        self.secrets = SecretsManager(lambdas=self, rotation_attempts=ATTEMPTS)
        self.witness = Witness(scope, self.secrets)
        self.consumers: ConsumersAws | None = None
        """Who answers the functions for ECS and Lambda, if the stack has consumers."""
        self.kms: KmsServer | None = None
        """Who answers them for KMS, if the stack signs its trail: moto's CloudFormation makes no key that signs."""
        self.server = SecretsManagerServer(self.secrets, in_front=self._in_front, port=port)
        self._folder = folder
        self._lambdas = MotoLambdas()
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Serve, and run functions."""
        self._open.enter_context(self.server)
        self.functions = Functions(self.scope, self._folder, self.server.endpoint_url, self.witness.ask)
        self._open.callback(self.functions.close)
        self.skipped = self._open.enter_context(mended(self.functions.run))
        self.poller = Poller(self.scope, self.functions, self.witness.ask)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End every process and stop serving."""
        self.secrets.wait_for_rotations(ROTATIONS_S)
        self._open.close()

    def _in_front(self, application: "WSGIApplication") -> "WSGIApplication":
        """Let the witness see every call, and then those answer that stand in for a service."""

        def served(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            service, target = signed_for(environ), environ.get("HTTP_X_AMZ_TARGET", "")
            if self.consumers and service in {"ecs", "lambda"}:
                path = f"{environ['PATH_INFO']}?{environ.get('QUERY_STRING', '')}"
                status, answer = self.consumers.respond(path, target, _body(environ))
            elif self.kms and service == "kms":
                status, answer = self.kms.respond(target.removeprefix("TrentService."), json.loads(_body(environ)))
            else:
                return application(environ, start)
            content = json.dumps(answer).encode()
            start(f"{status} -", [("Content-Type", "application/json"), ("Content-Length", str(len(content)))])
            return [content]

        return self.witness.stand_before(served)

    @property
    def endpoint_url(self) -> str:
        """The URL for `AWS_ENDPOINT_URL`."""
        return self.server.endpoint_url

    def tick(self) -> list[tuple[str, Any, bool]]:
        """Let every schedule fire once, now: function, its answer, and whether that is an error.

        Raises:
            RuntimeError: a function's policy does not let the schedule invoke it.
        """
        return [self._fire(schedule) for schedule in schedules(self.scope)]

    def label_moved(self, arn: str, label: str, version_id: str) -> list[tuple[str, Any, bool]]:
        """Let Secrets Manager tell EventBridge that a label moved, as it does by itself; what `tick` returns.

        Raises:
            RuntimeError: as `tick`.
        """
        told = self._event("Secret Label Updated", "aws.secretsmanager", arn)
        name = arn.partition(":secret:")[2].rpartition("-")[0]
        told["detail"] = {"name": name, "labelUpdated": label, "versionId": version_id}
        return [self._fire(rule, told) for rule in rules_for(self.scope, told)]

    def _event(self, kind: str, source: str, resource: str) -> dict[str, Any]:
        return {
            "version": "0",
            "id": "00000000-0000-0000-0000-000000000000",
            "detail-type": kind,
            "source": source,
            "account": self.scope.account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": self.scope.region,
            "resources": [resource],
            "detail": {},
        }

    def _fire(self, schedule: Schedule, event: dict[str, Any] | None = None) -> tuple[str, Any, bool]:
        to_invoke = function(self.scope, schedule.function)
        ask = Ask(INVOKE, to_invoke.arn, {"aws:sourcearn": schedule.arn}, principal="events.amazonaws.com")
        if not allowed(to_invoke.policy, ask):
            raise RuntimeError(f"{schedule.name} may not invoke {schedule.function}")
        event = event or self._event("Scheduled Event", "aws.events", schedule.arn)
        payload, failed, _ = self.functions.run(to_invoke, json.dumps(event).encode())
        return schedule.function, json.loads(payload or b"null"), failed

    # What RotateSecret needs

    def exists(self, arn: str) -> bool:
        """Whether there is such a function, and it lets Secrets Manager of this account invoke it."""
        return self._lambdas.exists(arn) and self._lets_rotate(function(self.scope, arn))

    def run(self, arn: str, event: Mapping[str, str]) -> bool:
        """Run one step to its end; false if the function failed."""
        return self._lambdas.run(arn, event)

    def _lets_rotate(self, invoked: Deployed) -> bool:
        context = {"aws:sourceaccount": self.scope.account}
        ask = Ask(INVOKE, invoked.arn, context, principal="secretsmanager.amazonaws.com")
        return allowed(invoked.policy, ask)


def _body(environ: "WSGIEnvironment") -> bytes:
    return bytes(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
