"""Each consumer to whoever asks it; one that cannot be asked is behind, whatever the cause."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never

from rotator.aws.causes import network_cause, refusal
from rotator.consumers.endpoints import ask_endpoint
from rotator.consumers.functions import ask_function
from rotator.consumers.services import ask_service, deploy_anew
from rotator.model.consumers import (
    READ_LAG,
    Consumer,
    EcsService,
    HttpEndpoint,
    LambdaFunction,
    Promotion,
    RollOut,
    Standing,
)
from rotator.model.errors import RedeployError, RedeployUnknownError, RotatorError
from rotator.model.ports import Deadline

_TO_REDEPLOY_S = 5.0
"""What must be left of a run's time after the read lag."""


@dataclass(slots=True)
class Roster:
    """The consumers of one process. Clients are made when first needed, by `client("ecs")`; safe for threads."""

    client: Callable[[str], Any]
    clock: Callable[[], float]
    sleep: Callable[[float], None]
    _clients: dict[str, Any] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, consumer: Consumer, promotion: Promotion, deadline: Deadline) -> Standing:
        """Return how far a consumer has followed; UNKNOWN, with the reason, if it cannot be asked."""
        if deadline.remaining_s() <= 0:
            return Standing(consumer, RollOut.UNKNOWN, "no time was left")
        try:
            match consumer:
                case EcsService():
                    return ask_service(self._client("ecs"), consumer, promotion)
                case LambdaFunction():
                    now = datetime.fromtimestamp(self.clock(), UTC)
                    return ask_function(self._client("lambda"), consumer, promotion, now)
                case HttpEndpoint():
                    return ask_endpoint(consumer, promotion, deadline)
                case _:
                    assert_never(consumer)
        except Exception as failure:  # noqa: BLE001 - botocore lets anything out, and a foreign answer may be anything
            why = _cause(failure)
        return Standing(consumer, RollOut.UNKNOWN, why)

    def redeploy(self, service: EcsService, promotion: Promotion, deadline: Deadline) -> None:
        """Begin a deployment once the read lag has passed. Raises RedeployError, as the port says."""
        wait_s = max(0.0, promotion.at.timestamp() + READ_LAG.total_seconds() - self.clock())
        if deadline.remaining_s() < wait_s + _TO_REDEPLOY_S:
            raise RedeployError(f"{service.name} was not redeployed: too little of this run's time was left")
        if wait_s:
            self.sleep(wait_s)
        try:
            deploy_anew(self._client("ecs"), service)
        except Exception as failure:  # noqa: BLE001 - botocore lets anything out
            why, is_refused = _cause(failure), bool(refusal(failure))
        else:
            return
        if is_refused:
            raise RedeployError(f"{service.name} was not redeployed: {why}")
        raise RedeployUnknownError(f"{service.name} may be redeployed or not: {why}")

    def _client(self, name: str) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
        with self._making:  # boto3's sessions are not for several threads at once
            if name not in self._clients:
                self._clients[name] = self.client(name)
            return self._clients[name]


def _cause(failure: Exception) -> str:
    """Return what kept a call from its answer: our own words, the code of a refusal, or the name of a class."""
    if isinstance(failure, RotatorError):
        return failure.message
    if refused := refusal(failure):
        return refused
    known = network_cause(failure)
    return known.said if known else f"an answer that was not understood ({type(failure).__name__})"
