"""`Consumers` over a world in which one consumer keeps the key that it read last."""

from collections.abc import Callable
from dataclasses import dataclass

from rotator.model.consumers import Consumer, EcsService, Promotion, RollOut, Standing
from rotator.model.errors import DeadlineExceededError, RedeployError, RedeployUnknownError, RotatorError
from rotator.model.ports import Deadline
from tests.simulated.world import Fault, Operation, Process, Systems

_ASK: dict[Fault, Callable[[], RotatorError]] = dict.fromkeys(
    (Fault.LOST, Fault.REJECTED, Fault.DENIED), lambda: RedeployError("the consumer could not be asked")
)
_REDEPLOY = _ASK | {Fault.LOST: lambda: RedeployUnknownError("nobody answered")}


@dataclass(frozen=True, slots=True)
class SimulatedConsumers:
    """The consumers of one process: each configured one holds what `Systems.holding` says."""

    process: Process

    def ask(self, consumer: Consumer, promotion: Promotion, deadline: Deadline) -> Standing:
        """Return whether it holds the current key."""
        del deadline
        try:
            return Standing(consumer, self.process.call(Operation.ASK_CONSUMER, _ASK, _ask, promotion.key_id))
        except DeadlineExceededError:
            return Standing(consumer, RollOut.UNKNOWN, "no time is left")
        except RedeployError as error:
            return Standing(consumer, RollOut.UNKNOWN, error.message)

    def redeploy(self, service: EcsService, promotion: Promotion, deadline: Deadline) -> None:
        """Let its tasks be replaced."""
        del deadline
        self.process.call(Operation.REDEPLOY, _REDEPLOY, _redeploy, service.name, promotion.version_id)


def _ask(systems: Systems, key_id: str) -> RollOut:
    if systems.holding <= {key_id}:
        return RollOut.FOLLOWED
    return RollOut.ROLLING if systems.rolling else RollOut.BEHIND


def _redeploy(systems: Systems, name: str, version_id: str) -> None:
    assert name
    assert version_id
    systems.rolling = True
