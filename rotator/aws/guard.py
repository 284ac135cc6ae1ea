"""Calls guarded: whatever botocore lets out comes back as an error of ours, and nothing is sent after the deadline."""

import threading
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar

from botocore.hooks import BaseEventHooks

from rotator.aws.faults import Effect, Fault, fault_of, settings_error
from rotator.model.errors import DeadlineExceededError, RotatorError
from rotator.model.ports import Deadline

_T = TypeVar("_T")


def settled(build: Callable[[], _T]) -> _T:
    """Return what `build` returns: a session, a client, or whatever needs settings and credentials.

    Raises the RotatorError that a failure means.
    """
    try:
        return build()
    except RotatorError:
        raise
    except Exception as failure:  # noqa: BLE001 - botocore lets anything out, see `causes`
        error = settings_error(failure)
    raise error


class GuardedCalls:
    """Makes the calls of one client; what fails is returned, not raised. Safe for threads."""

    def __init__(self, events: BaseEventHooks, service: str = "secrets-manager") -> None:
        """Watch the attempts of a client of `service`, as botocore's events call it."""
        self._attempts = _Attempts()
        events.register_first(f"before-send.{service}", self._attempts.begin)
        events.register(f"response-received.{service}", self._attempts.note)

    def make(self, operation: str, subject: str, deadline: Deadline, call: Callable[[], _T]) -> _T | Fault:
        """Make one call, and return its answer as `call` parses it.

        The message names `operation` and `subject`. `call` also parses: if it fails, the answer is a foreign one.
        Nothing is sent after the deadline; an attempt under way is not cut short.
        """
        if deadline.remaining_s() <= 0:
            late = f"the time of this run was up before {operation} of {subject}; it was not made"
            return Fault(DeadlineExceededError(late), "", Effect.NONE)
        self._attempts.expect(deadline)
        try:
            return call()
        except Exception as failure:  # noqa: BLE001 - botocore lets anything out, see below
            # Of an answer that is not what it should be: AttributeError, RecursionError,
            # UnicodeDecodeError with the body in it (measured with botocore 1.44).
            return fault_of(operation, subject, failure, self._attempts.effect, sent=self._attempts.sent)


class NoTimeLeft(Exception):  # noqa: N818 - its name is told in brackets, as those of botocore's are
    """Another attempt would begin after the deadline."""


class _Attempts(threading.local):
    """What the attempts of this thread's call came to, before botocore repeats it or gives up."""

    effect = Effect.NONE
    sent = False
    deadline: Deadline | None = None

    def expect(self, deadline: Deadline) -> None:
        """Forget the attempts of the call before."""
        self.effect, self.sent, self.deadline = Effect.NONE, False, deadline

    def begin(self, **_: object) -> None:
        """Let no attempt begin late; called by botocore before each, once it is signed."""
        self.sent = True
        if self.deadline is not None and self.deadline.remaining_s() <= 0:
            raise NoTimeLeft

    def note(self, response_dict: Mapping[str, Any] | None, exception: Exception | None, **_: object) -> None:
        """Remember an attempt that may have had an effect; called by botocore after each."""
        status = response_dict["status_code"] if response_dict else None
        if exception or not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.effect = Effect.POSSIBLE
