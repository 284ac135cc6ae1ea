"""The strict Secrets Manager under moto: everything untyped that moto has is touched here only.

`strict()` puts a `SecretsManager` in the place of moto's own, for clients in the same process
(`mock_aws`) and for moto's server alike, and takes it away again. Tested with moto 5.2.5.
IAM policies are not enforced on Secrets Manager calls.
"""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from threading import Lock
from typing import Any

from moto.awslambda.exceptions import LambdaClientError
from moto.awslambda.utils import get_backend
from moto.core.responses import BaseResponse
from moto.iam.models import get_account_id_from
from moto.secretsmanager.responses import SecretsManagerResponse

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.state import RuleError
from rotator.sandbox.secrets_manager.store import Scope

LEFT_TO_MOTO = "GetRandomPassword"
ROTATION_TIMEOUT_S = 30.0
ARN_PARTS = 7

_installed = Lock()


class MotoLambdas:
    """Functions as moto keeps them, invoked as moto is set to invoke them."""

    def exists(self, arn: str) -> bool:
        """Whether moto has the function."""
        parts = arn.split(":")
        if parts[:3] != ["arn", "aws", "lambda"] or len(parts) < ARN_PARTS:
            return False
        try:
            get_backend(parts[4], parts[3]).get_function(arn)
        except LambdaClientError:
            return False
        return True

    def run(self, arn: str, event: Mapping[str, str]) -> bool:
        """Invoke and wait; a function that raised, or could not be started, has failed."""
        region, account = arn.split(":")[3:5]
        headers: dict[str, str] = {}
        try:
            get_backend(account, region).invoke(arn, None, json.dumps(event), {}, headers)
        except Exception:  # noqa: BLE001 - whatever it is, the step failed
            return False
        return "x-amz-function-error" not in headers


def account_of(access_key: str) -> str:
    """The account moto gives an access key; assumed roles have that of the role."""
    return get_account_id_from(access_key)


def http_answer(world: SecretsManager, operation: str, body: bytes, scope: Scope) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body as AWS's JSON 1.1 protocol sends them."""
    try:
        answer = world.answer(operation, dict(json.loads(body or b"{}")), scope)
        status = HTTPStatus.OK
    except RuleError as error:
        status, answer = HTTPStatus.BAD_REQUEST, {"__type": error.code, "Message": str(error)}
    except (TypeError, ValueError):
        message = "The request body is not a JSON object."
        answer = {"__type": "SerializationException", "Message": message}
        status = HTTPStatus.BAD_REQUEST
    headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-RequestId": str(uuid.uuid4())}
    return status, headers, json.dumps(answer).encode()


@contextmanager
def strict(world: SecretsManager | None = None) -> Iterator[SecretsManager]:
    """Make moto answer Secrets Manager calls strictly until the block ends.

    Use it inside or outside of `mock_aws`; only one may be active in a process. Raises RuntimeError if One is active
    already. .
    """
    if not _installed.acquire(blocking=False):
        raise RuntimeError("strict() is active already")
    answering = world or SecretsManager(lambdas=MotoLambdas())
    stock = SecretsManagerResponse.call_action

    def call_action(response: BaseResponse) -> tuple[int, dict[str, Any], str | bytes]:
        operation = response._get_action()  # noqa: SLF001 - moto has no public name for it
        if operation == LEFT_TO_MOTO:
            return stock(response)
        scope = Scope(response.current_account, response.region)
        return http_answer(answering, operation, response.body, scope)

    SecretsManagerResponse.call_action = call_action  # type: ignore[assignment, method-assign]  # replaced until the end of the block
    try:
        yield answering
    finally:
        answering.wait_for_rotations(ROTATION_TIMEOUT_S)
        del SecretsManagerResponse.call_action
        _installed.release()
