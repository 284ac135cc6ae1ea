"""Calls to Secrets Manager, and what a failed one means: one of our errors, ready to be raised.

A library's exception keeps the answer it failed on, and sometimes the request: `UnicodeDecodeError`
holds a whole body, `ParamValidationError` quotes parameters. So nothing of it passes through here
but the name of its class, and of a refusal the error code, the HTTP status and the request id, if
they look like such. The operation, and what it was about, are told by the caller.

Codes: Secrets Manager API reference, "Errors" of each operation and "Common Errors".
"""

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus
from typing import Any, TypeVar

from botocore import exceptions as boto
from botocore.hooks import BaseEventHooks

from rotator.model.errors import (
    ConfigError,
    DeadlineExceededError,
    RotatorError,
    SecretNotFoundError,
    StoreDeniedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from rotator.model.ports import Deadline

_T = TypeVar("_T")

RESTORE = "Restore it with `aws secretsmanager restore-secret`, or take it out of the configuration."
_CONFIGURE = "Set `[aws] region`, and give this process credentials: a role, AWS_PROFILE or `aws sso login`."
_RENEW = (
    "Renew the AWS credentials of this process (a role, AWS_PROFILE or `aws sso login`), and check "
    "its clock: AWS refuses signatures that are minutes off."
)
_GRANT_KEY = (
    "See that the secret's KMS key is enabled, and that the role has `kms:Decrypt` and `kms:GenerateDataKey` on it."
)
_MAKE_ROOM = (
    "A secret takes 20 labels over all its versions, and about 100 versions a day. Remove labels "
    "that nobody needs, or wait: the next run retries."
)


class Effect(Enum):
    """Whether a call may have changed something."""

    NONE = "Nothing was changed."
    POSSIBLE = "It may or may not have taken effect."


@dataclass(frozen=True, slots=True)
class Fault:
    """A call that failed, to be raised outside of any `except` block.

    What is raised inside of one drags the library's exception along as its context.
    """

    error: RotatorError
    code: str
    """AWS's error code, or the name of the exception's class."""
    effect: Effect


@dataclass(frozen=True, slots=True)
class _Reported:
    """What of a failure may be told."""

    code: str
    status: int = 0
    request_id: str = ""
    during: str = ""
    """The operation that failed, if it is another one: AssumeRole, on the way to credentials."""
    message: str = ""
    """AWS's own words: searched, never told."""


@dataclass(frozen=True, slots=True)
class _Meaning:
    error: type[RotatorError]
    said: str
    next_step: str | None = None


_NOT_CONFIGURED = (
    boto.CredentialRetrievalError,
    boto.InvalidRegionError,
    boto.LoginError,
    boto.MetadataRetrievalError,
    boto.NoAuthTokenError,
    boto.NoCredentialsError,
    boto.NoRegionError,
    boto.PartialCredentialsError,
    boto.RefreshWithMFAUnsupportedError,
    boto.SSOError,
    boto.TokenRetrievalError,
    boto.UnknownCredentialError,
)
_THROTTLED = re.compile(
    "BandwidthLimitExceeded|PriorRequestNotComplete|RequestLimitExceeded|RequestThrottled(Exception)?|SlowDown"
    "|Thrott(led|ling)(Exception)?|TooManyRequestsException"
)
_BAD_CREDENTIALS = re.compile(
    "AuthFailure|ExpiredToken(Exception)?|IncompleteSignature(Exception)?|InvalidAccessKeyId|InvalidClientTokenId"
    "|InvalidSignatureException|MissingAuthenticationToken(Exception)?|NotAuthorized|OptInRequired|RequestExpired"
    "|SignatureDoesNotMatch|UnrecognizedClientException"
)
_TOO_MANY = "was throttled until the retries ran out"
_UNUSABLE = "got no usable answer"
_DELETED = "was refused: the secret is marked for deletion"
_REFUSED = _Meaning(StoreRejectedError, "was refused")
_NO_ID = _Meaning(SecretNotFoundError, "was refused: that is no name or ARN of a secret")

_ANY_CALL = {
    "ExpiredToken": _Meaning(StoreDeniedError, "was refused: the AWS credentials do not hold", _RENEW),
    **dict.fromkeys(
        ("DecryptionFailure", "EncryptionFailure"),
        _Meaning(StoreRejectedError, "was refused: the KMS key cannot be used", _GRANT_KEY),
    ),
    "InvalidParameterException": _REFUSED,
    "InvalidRequestException": _REFUSED,
    "LimitExceededException": _Meaning(StoreRejectedError, "was refused: a quota of the secret is used up", _MAKE_ROOM),
    "ParamValidationError": _Meaning(StoreRejectedError, "was not made: a parameter is out of bounds"),
    "ResourceExistsException": _Meaning(StoreRejectedError, "was refused: the version id already holds another value"),
    "ResourceNotFoundException": _Meaning(StoreRejectedError, "found no such secret or version"),
}
_WRITE = _ANY_CALL | {"ThrottlingException": _Meaning(StoreRejectedError, _TOO_MANY)}
_READ = _ANY_CALL | {"ThrottlingException": _Meaning(StoreUnavailableError, _TOO_MANY)}
_DESCRIBE = _READ | {
    "InvalidParameterException": _NO_ID,
    "ParamValidationError": _NO_ID,
    "ResourceNotFoundException": _Meaning(SecretNotFoundError, "found no such secret"),
    "ValidationException": _NO_ID,
}
_GET = _READ | {"ResourceNotFoundException": _Meaning(SecretNotFoundError, "found no such secret, or no value in it")}
_MEANINGS = {
    "BatchGetSecretValue": _READ,
    "DescribeSecret": _DESCRIBE,
    "GetSecretValue": _GET,
    "ListSecrets": _READ,
    "PutSecretValue": _WRITE,
    "UpdateSecretVersionStage": _WRITE,
}
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,48}", re.ASCII)  # shorter than any secret of Pinata's


class GuardedCalls:
    """Makes the calls of one client; what fails is returned, not raised. Safe for threads."""

    def __init__(self, events: BaseEventHooks) -> None:
        self._attempts = _Attempts()
        events.register("before-send.secrets-manager", self._attempts.begin)
        events.register("response-received.secrets-manager", self._attempts.note)

    def make(self, operation: str, subject: str, deadline: Deadline, call: Callable[[], _T]) -> _T | Fault:
        """Make one call, and return its answer as `call` parses it.

        The message names `operation` and `subject`. `call` also parses: if it fails, the answer is a foreign one.
        Nothing is sent after the deadline; an attempt under way is not cut short.
        """
        if deadline.remaining_s() <= 0:
            late = f"the time of this run was up before {operation} of {subject}; it was not made"
            return Fault(DeadlineExceededError(late), "", Effect.NONE)
        self._attempts.effect, self._attempts.deadline = Effect.NONE, deadline
        try:
            return call()
        except Exception as failure:  # noqa: BLE001 - botocore lets anything out, see below
            # Of an answer that is not what it should be: AttributeError, RecursionError,
            # UnicodeDecodeError with the body in it (measured with botocore 1.44).
            return fault_of(operation, subject, failure, self._attempts.effect)


class NoTimeLeft(Exception):  # noqa: N818 - its name is told in brackets, as those of botocore's are
    """Another attempt would begin after the deadline."""


class _Attempts(threading.local):
    """What the attempts of this thread's call came to, before botocore repeats it or gives up."""

    effect = Effect.NONE
    deadline: Deadline | None = None

    def begin(self, **_: object) -> None:
        """Let no attempt begin late; called by botocore before each."""
        if self.deadline is not None and self.deadline.remaining_s() <= 0:
            raise NoTimeLeft

    def note(self, response_dict: Mapping[str, Any] | None, exception: Exception | None, **_: object) -> None:
        """Remember an attempt that may have had an effect; called by botocore after each."""
        status = response_dict["status_code"] if response_dict else None
        if exception or not status or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self.effect = Effect.POSSIBLE


def fault_of(operation: str, subject: str, failure: Exception, earlier: Effect) -> Fault:
    """Return what a failure means.

    `earlier` says whether an attempt before the last, of those the client makes by itself, may have changed something;
    a refusal then does not prove that nothing was changed.
    """
    facts = _reported(operation, failure)
    meaning = _meaning(operation, facts)
    if isinstance(failure, _NOT_CONFIGURED):
        meaning = _Meaning(ConfigError, "lacks AWS credentials or a region", _CONFIGURE)
    effect, error = Effect.NONE, meaning.error
    if _writes(operation):
        effect = Effect.POSSIBLE if error is StoreUnavailableError else earlier
        error = StoreUnavailableError if effect is Effect.POSSIBLE else error
    called = f"{operation} of {subject}" + (f", at {facts.during}," if facts.during else "")
    told = ", request ".join(part for part in (facts.code, facts.request_id) if part)
    message = f"{called} {meaning.said} ({told}). {effect.value}"
    return Fault(error(message, next_step=meaning.next_step), facts.code, effect)


def _reported(operation: str, failure: Exception) -> _Reported:
    if not isinstance(failure, boto.ClientError):
        return _Reported(type(failure).__name__)
    problem = failure.response.get("Error", {})
    metadata = failure.response.get("ResponseMetadata", {})
    return _Reported(
        code=_plain(problem.get("Code")) or "no error code",
        status=metadata.get("HTTPStatusCode", 0),
        request_id=_plain(metadata.get("RequestId")),
        during="" if failure.operation_name == operation else failure.operation_name,
        message=str(problem.get("Message")),
    )


def _plain(text: object) -> str:
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else ""


def _writes(operation: str) -> bool:
    return _MEANINGS[operation] is _WRITE


def _meaning(operation: str, facts: _Reported) -> _Meaning:
    """First match wins; the HTTP status decides over codes that no table has."""
    if facts.code.startswith("AccessDenied"):
        return _denied(operation, facts)
    if facts.code == "InvalidRequestException" and "marked for deletion" in facts.message:
        error = StoreRejectedError if _writes(operation) else SecretNotFoundError
        return _Meaning(error, _DELETED, RESTORE)
    code = "ThrottlingException" if _THROTTLED.fullmatch(facts.code) else facts.code
    code = "ExpiredToken" if _BAD_CREDENTIALS.fullmatch(code) else code
    return _MEANINGS[operation].get(code) or _by_status(operation, facts)


def _by_status(operation: str, facts: _Reported) -> _Meaning:
    match facts.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return _denied(operation, facts)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return _MEANINGS[operation]["ThrottlingException"]
        case status if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return _REFUSED
        case _:
            return _Meaning(StoreUnavailableError, _UNUSABLE)


def _denied(operation: str, facts: _Reported) -> _Meaning:
    if "KMS" in facts.message:
        return _Meaning(StoreDeniedError, "was denied the use of the KMS key", _GRANT_KEY)
    right = f"sts:{facts.during}" if facts.during else f"secretsmanager:{operation}"
    return _Meaning(StoreDeniedError, f"was denied: this AWS identity lacks `{right}`")
