"""Calls to Pinata within its budgets and the deadline: what is repeated, and what a failure means.

The only place where anything is retried.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import assert_never

import httpx

from rotator.model.credential import Sensitive
from rotator.model.errors import (
    CreateOutcomeUnknownError,
    DeadlineExceededError,
    ProviderContractError,
    ProviderDeniedError,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
    UnsafeActionError,
)
from rotator.model.ports import Deadline
from rotator.pinata.bodies import why
from rotator.pinata.exchange import (
    Answer,
    Garbled,
    Lost,
    Reply,
    Request,
    Unsent,
    exchange,
    is_transient,
    pause_s,
    sendable,
)
from rotator.pinata.limiter import LOOK_S, RateLimiter

ATTEMPTS_MAX = 8


@dataclass(frozen=True, slots=True)
class Calls:
    """The way to one Pinata."""

    api_url: str
    """Scheme and host, without a slash at the end."""
    http: httpx.Client = field(repr=False)
    limiter: RateLimiter = field(repr=False)
    sleep: Callable[[float], None] = field(repr=False)

    def once(self, request: Request, token: Sensitive, deadline: Deadline) -> Reply:
        """Send a request, when the budgets allow it.

        Raises:
            DeadlineExceededError: not in time; nothing was sent.
            UnsafeActionError: the token cannot stand in a header; nothing was sent.
        """
        if not sendable(token):
            raise UnsafeActionError("the token cannot stand in a header; nothing was sent")
        self.limiter.wait(request.path, deadline)
        return exchange(self.http, self.api_url, request, token, deadline)

    def repeated(self, request: Request, token: Sensitive, deadline: Deadline) -> Reply:
        """Send a request that is safe to repeat, again after each transient fault; as for `once`.

        Waits as long as Pinata asks, or longer and longer, if that fits the deadline; otherwise
        the last reply is returned as it is.
        """
        from tenacity import RetryCallState, Retrying, retry_if_result  # noqa: PLC0415 - slow: it brings asyncio

        reply: Reply = Unsent("no attempt was made")

        def wait_s(state: RetryCallState) -> float:
            return pause_s(reply, state.attempt_number)

        def is_over(state: RetryCallState) -> bool:
            tried_enough = state.attempt_number >= ATTEMPTS_MAX
            return tried_enough or state.upcoming_sleep >= deadline.remaining_s()

        for attempt in Retrying(
            sleep=lambda wait_s: self._pause(wait_s, deadline),
            retry=retry_if_result(is_transient),
            wait=wait_s,
            stop=is_over,
            retry_error_callback=lambda _: None,
        ):
            try:
                reply = self.once(request, token, deadline)
            except DeadlineExceededError:
                # Raised after an attempt, it would deny that there was one.
                if attempt.retry_state.attempt_number == 1:
                    raise
                break
            attempt.retry_state.set_result(reply)
        return reply

    def _pause(self, wait_s: float, deadline: Deadline) -> None:
        """Wait so long, or until the time is up."""
        while wait_s > 0 and deadline.remaining_s() > 0:
            self.sleep(min(wait_s, LOOK_S))
            wait_s -= LOOK_S


def failure(what: str, reply: Reply) -> ProviderError:
    """Return the error for a reply that was of no use, to a request that is safe to repeat."""
    match reply:
        case Lost(detail) | Unsent(detail):
            return ProviderUnavailableError(f"{what}: {detail}")
        case Garbled(detail):
            return ProviderContractError(f"{what}: {detail}")
        case Answer() if reply.denied:
            return ProviderDeniedError(f"{what}: {_said(reply)}")
        case Answer() if reply.transient:
            return ProviderUnavailableError(f"{what}: {_said(reply)}")
        case Answer():
            return ProviderContractError(f"{what}: {_said(reply)}")
        case _:
            assert_never(reply)


def create_failure(name: str, reply: Reply) -> ProviderError:
    """Return the error for a create without a key to show: a clean 4xx, or a key may exist."""
    match reply:
        case Unsent(detail):
            return ProviderUnavailableError(f"no key was made for {name}: {detail}")
        case Answer() if reply.denied:
            return ProviderDeniedError(f"no key was made for {name}: {_said(reply)}")
        case Answer() if reply.rejected and reply.transient:
            return ProviderUnavailableError(f"no key was made for {name}: {_said(reply)}")
        case Answer() if reply.rejected:
            return ProviderRejectedError(f"no key was made for {name}: {_said(reply)}")
        case Answer():
            return CreateOutcomeUnknownError(f"a key may exist for {name}: {_said(reply)}")
        case Garbled(detail) | Lost(detail):
            return CreateOutcomeUnknownError(f"a key may exist for {name}: {detail}")
        case _:
            assert_never(reply)


def _said(answer: Answer) -> str:
    """Return the status, what the body of an error says, and how long Pinata asks to wait."""
    text = why(answer.body) if answer.rejected or answer.transient else ""
    said = f"Pinata answered {answer.status}" + (f" ({text})" if text else "")
    if answer.retry_after_s is not None:
        said += f" and asks to wait {answer.retry_after_s:.0f} s"
    return said
