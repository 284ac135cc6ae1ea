"""One call of a handler: the time it has, what it counts, and what it may raise; and what a warm container keeps.

The configuration and the clients are built once in a container, at its first invocation, so that a wrong
configuration is an error with a message and not a function that does not start. The managing key is read anew by
each invocation that needs it, and so are connections to Pinata made: a container may have been frozen for hours.
"""

import gc
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from types import ModuleType
from typing import Protocol, TypeVar

from rotator.aws.session import own_client
from rotator.config.file import Config
from rotator.engine.age import is_managing_key_expiring
from rotator.engine.containment import is_outage
from rotator.engine.executor import CREATE_TO_STORE_S
from rotator.engine.run import Run, World
from rotator.lambda_handlers.configuration import read_config
from rotator.lambda_handlers.emf import Figures, document
from rotator.lambda_handlers.queue import SqsClient
from rotator.model.errors import DeadlineExceededError, DefectError, RotatorError
from rotator.model.events import Decided, Done, Ended, Event, Operation, Result
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.wiring import environment
from rotator.wiring.connect import Clients, clients
from rotator.wiring.output import lasting_output
from rotator.wiring.runs import MonotonicDeadline, new_run

T = TypeVar("T")
RESERVE_S = 5.0
"""Of the function's time this much is kept back: to seal the audit trail and to answer."""


class Context(Protocol):
    """What Lambda tells about an invocation."""

    @property
    def invoked_function_arn(self) -> str:
        """The function's own ARN."""

    def get_remaining_time_in_millis(self) -> int:
        """Return the time until the function is killed."""


class Container:
    """What is built once, and kept from one invocation to the next."""

    waiting: frozenset[str] = frozenset()
    """Secrets whose turn came in an earlier tick, which had enough with others."""

    @cached_property
    def env(self) -> Mapping[str, str]:
        """The environment, as it was at first. Raises ConfigError if secrets would go elsewhere in it."""
        env = dict(os.environ)
        environment.check(env, lambda variable: _logs().log_foreign_trust(variable))
        return env

    @cached_property
    def config(self) -> Config:
        """The configuration that `ROTATOR_CONFIG` names. Raises ConfigError if it cannot be used."""
        return read_config(self.env)

    @cached_property
    def clients(self) -> Clients:
        """The clients of both systems.

        Raises ConfigError if credentials, region or endpoint are missing or unusable.
        """
        gc.disable()  # many objects and no garbage, as when importing
        try:
            return clients(self.config, self.env)
        finally:
            gc.enable()

    @cached_property
    def sqs(self) -> SqsClient:
        """A client for the queue, with the function's own rights: the queue is beside the function.

        Raises ConfigError if the endpoint is unusable.
        """
        sqs: SqsClient = own_client("sqs", self.env)
        return sqs


CONTAINER = Container()


@dataclass(slots=True)
class Invocation:
    """One call of a handler."""

    container: Container
    now: datetime
    deadline: MonotonicDeadline
    figures: Figures = field(default_factory=Figures)
    _lock: Lock = field(default_factory=Lock)
    _to_retire: dict[str, int] = field(default_factory=dict)
    """By run: old keys whose time is over, and that are not proved dead yet."""

    @contextmanager
    def world(self) -> Iterator[World]:
        """Connect to both systems, with an audit trail that is told to the log as well."""
        log_event = _logs().log_event

        def listen(secret: str, run_id: str, event: Event) -> None:
            log_event(secret, run_id, event)
            self._watch(run_id, event)

        with self.container.clients.connected() as both, both.audit_trail("lambda", listen) as audit:
            self.figures.managing_key_expiring = is_managing_key_expiring(both.managing_expires_at, self.now)
            yield both.world(audit)

    def _watch(self, run_id: str, event: Event) -> None:
        """See which old keys outlive the run that was to retire them."""
        match event:
            case Decided(actions=actions):
                self._to_retire[run_id] = actions.count("ProveDead")
            case Done(operation=Operation.PROVE_DEAD, result=Result.SUCCESS):
                self._to_retire[run_id] = max(self._to_retire[run_id] - 1, 0)  # a key made on trial was never counted
            case Ended():
                self.add(old_keys_overdue=self._to_retire.pop(run_id, 0))
            case _:
                pass

    def new_run(self, spec: SecretSpec, demand: Demand) -> Run:
        """Return the time, nonce and deadline of a run that starts now, if the function's time still covers it.

        Raises DeadlineExceededError if what is left may not cover making a key and storing it.
        """
        left_s = self.deadline.remaining_s()
        if left_s < CREATE_TO_STORE_S:
            raise DeadlineExceededError(
                f"not begun: {left_s:.0f} s of the function's time are left, and a new key takes up to "
                f"{CREATE_TO_STORE_S:.0f} s to be stored",
                next_step="Nothing to do: the next tick goes on. If this repeats, give the function more time.",
            )
        return new_run(spec, demand, within_s=left_s)

    def refuse(self, error: RotatorError) -> None:
        """Count and log something that was not begun."""
        self.add(failed_runs=1)
        _logs().log_failure("refused", error)

    def count(self, outcome: Outcome) -> None:
        """Count what a run came to, and log why it failed, with what to do about it."""
        if outcome.error is not None:
            _logs().log_failure("failed", outcome.error, outcome.secret)
        self.add(
            failed_runs=outcome.kind is OutcomeKind.FAILED,
            rotated=outcome.kind is OutcomeKind.ROTATED,
            held=outcome.kind is OutcomeKind.HELD,
            outages=outcome.observed is not None and is_outage(outcome.observed),
        )

    def add(self, **counts: int) -> None:
        """Add to the figures, from whichever thread."""
        with self._lock:
            for name, count in counts.items():
                setattr(self.figures, name, getattr(self.figures, name) + count)


def invoked(function: str, context: Context, body: Callable[[Invocation], T]) -> T:
    """Run the body of a handler, and print its figures whatever becomes of it.

    Raises the RotatorError that the body raised. A defect of ours is told by type and place: its message may quote a
    value.
    """
    began_s = time.monotonic()
    left_s = context.get_remaining_time_in_millis() / 1000
    invocation = Invocation(CONTAINER, datetime.now(UTC), MonotonicDeadline.after(left_s - RESERVE_S))
    failure: RotatorError | None = None
    try:
        return body(invocation)
    except RotatorError as error:
        failure = error
    except Exception as defect:  # noqa: BLE001 - the boundary: what is raised here is printed by Lambda
        failure = DefectError.of(defect)
    finally:
        figures = invocation.figures
        figures.failed_runs += failure is not None
        seconds = time.monotonic() - began_s
        line = document(function, figures, alive=failure is None, seconds=seconds, now=invocation.now)
        out = lasting_output()
        out.write(line + "\n")
        out.flush()
    # Outside of the `except` blocks: what is raised inside drags the first exception along.
    _logs().log_failure("failed", failure)
    raise failure


def _logs() -> ModuleType:
    """Return the module that logs, set up.

    It is imported when there is something to say: with structlog it takes a tenth of a cold start, and a tick over a
    fleet that is asleep says nothing.
    """
    from rotator.wiring import logs  # noqa: PLC0415 - see above

    logs.configure(os.environ, default_level="INFO", stream=lasting_output())
    return logs
