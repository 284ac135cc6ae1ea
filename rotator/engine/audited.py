"""The one way in which anything is changed or proved: its intent on record, the call, and what came of it."""

from collections.abc import Callable
from typing import TypeVar

from rotator.model.errors import RotatorError
from rotator.model.events import Done, Intent, Operation, Result, Subject
from rotator.model.ports import AuditRun

_T = TypeVar("_T")


def audited(
    audit: AuditRun,
    operation: Operation,
    subject: Subject,
    call: Callable[[], _T],
    learned: Callable[[_T], tuple[Subject, str]] | None = None,
) -> _T:
    """Record the intent, make the call, record the outcome and what was learned from it.

    Raises AuditUnavailableError if there is no record of it, before the call if it is the intent; else what the call
    raises.
    """
    audit.record(Intent(operation, subject))
    try:
        returned = call()
    except RotatorError as error:
        result = Result.UNKNOWN if error.may_have_effect else Result.FAILURE
        audit.record(Done(operation, subject, result, error.message))
        raise
    subject, detail = learned(returned) if learned else (subject, "")
    audit.record(Done(operation, subject, Result.SUCCESS, detail))
    return returned
