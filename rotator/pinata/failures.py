"""What a reply of Pinata that was of no use means: one of our errors, with the next step."""

import re
from http import HTTPStatus
from typing import assert_never

from rotator.model.errors import (
    CreateOutcomeUnknownError,
    ProviderBlockedError,
    ProviderContractError,
    ProviderDeniedError,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from rotator.pinata.bodies import why
from rotator.pinata.obstacles import Lasting
from rotator.pinata.requests import Answer, Garbled, Lost, Reply, Unsent

_NOWHERE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE})
_API = "Compare `[pinata] api` and `api_url` with Pinata's API reference: there is nothing at that path."
_OF_PLAN = re.compile(r"\b(?:plans?|limits?|quota|upgrade|maximum|billing|payment|subscription)\b", re.IGNORECASE)
_PLAN = "Revoke unused keys in Pinata's key list, or have the plan of the account raised; then run `rotator run`."


def failure(what: str, reply: Reply) -> ProviderError:  # noqa: PLR0911 - one return per kind of reply
    """Return the error for a reply that was of no use, to a request that is safe to repeat."""
    match reply:
        case Lasting(detail, next_step):
            return ProviderBlockedError(f"{what}: {detail}; nothing was sent", next_step=next_step)
        case Lost(detail) | Unsent(detail):
            return ProviderUnavailableError(f"{what}: {detail}")
        case Garbled(detail):
            return ProviderContractError(f"{what}: {detail}")
        case Answer() if reply.denied:
            return ProviderDeniedError(f"{what}: {_said(reply)}")
        case Answer() if reply.transient:
            return ProviderUnavailableError(f"{what}: {_said(reply)}")
        case Answer() if reply.status in _NOWHERE:
            return ProviderRejectedError(f"{what}: {_said(reply)}", next_step=_API)
        case Answer():
            return ProviderContractError(f"{what}: {_said(reply)}")
        case _:
            assert_never(reply)


def create_failure(name: str, reply: Reply) -> ProviderError:  # noqa: PLR0911 - one return per kind of reply
    """Return the error for a create without a key to show: a clean 4xx, or a key may exist."""
    match reply:
        case Unsent(detail):
            return ProviderUnavailableError(f"no key was made for {name}: {detail}")
        case Lasting(detail, next_step):
            return ProviderBlockedError(f"no key was made for {name}: {detail}", next_step=next_step)
        case Answer() if _is_beyond_plan(reply):
            said = f"no key was made for {name}: the plan of the Pinata account does not allow it: {_said(reply)}"
            return ProviderRejectedError(said, next_step=_PLAN)
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


def _is_beyond_plan(answer: Answer) -> bool:
    """Tell whether a create was refused for what the account pays for; no document says in which words."""
    paid = answer.status == HTTPStatus.PAYMENT_REQUIRED
    return paid or (answer.status == HTTPStatus.FORBIDDEN and _OF_PLAN.search(why(answer.body)) is not None)


def _said(answer: Answer) -> str:
    """Return the status, what the body of an error says, and how long Pinata asks to wait."""
    text = why(answer.body) if answer.rejected or answer.transient else ""
    said = f"Pinata answered {answer.status}" + (f" ({text})" if text else "")
    if answer.retry_after_s is not None:
        said += f" and asks to wait {answer.retry_after_s:.0f} s"
    return said
