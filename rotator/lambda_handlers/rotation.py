"""`native`: Secrets Manager's own rotation, in four steps."""

from typing import Any

from rotator.errors import EventError
from rotator.lambda_handlers.invocation import Context, Invocation, invoked


def native(event: Any, context: Context) -> None:  # noqa: ANN401 - parsed before anything is done
    """Do one step of a rotation that Secrets Manager has begun.

    Raises:
        EventError: the event is none of Secrets Manager's.
    """
    del event
    return invoked("native", context, _native)


def _native(invocation: Invocation) -> None:
    del invocation
    raise EventError("native rotation is not supported yet; nothing was done")
