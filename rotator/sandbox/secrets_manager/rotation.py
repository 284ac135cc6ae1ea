"""Rotation by a Lambda function: the four steps, their events, and where they stop.

Sources: the user guide's page on rotation by Lambda function (event fields) and the RotateSecret
API reference. Step names are those AWS's sample functions read; the guide's prose has snake_case.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol


class Lambdas(Protocol):
    """The rotation functions RotateSecret may call."""

    def exists(self, arn: str) -> bool:
        """Whether there is such a function."""

    def run(self, arn: str, event: Mapping[str, str]) -> bool:
        """Run one step to its end; false if the function failed."""


class Steps(Enum):
    """Which steps a rotation runs."""

    ALL = ("createSecret", "setSecret", "testSecret", "finishSecret")
    TEST = ("testSecret",)
    """With `RotateImmediately=False`."""


@dataclass(frozen=True, slots=True)
class Rotation:
    """One rotation of one secret (`secret_arn`) to the version `token`."""

    secret_arn: str
    token: str
    lambda_arn: str
    steps: Steps

    def run(self, lambdas: Lambdas, attempts: int) -> bool:
        """Run the steps in order up to the first that fails, whole again up to `attempts` times."""
        return any(
            all(lambdas.run(self.lambda_arn, self._event(step)) for step in self.steps.value) for _ in range(attempts)
        )

    def _event(self, step: str) -> dict[str, str]:
        return {
            "Step": step,
            "SecretId": self.secret_arn,
            "ClientRequestToken": self.token,
            "RotationToken": str(uuid.uuid4()),
        }
