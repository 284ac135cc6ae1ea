"""What a failed call to AWS means: one of our errors, ready to be raised.

A library's exception keeps the answer it failed on, and sometimes the request: `UnicodeDecodeError`
holds a whole body, `ParamValidationError` quotes parameters. So nothing of it passes through here
but the name of its class, and of a refusal the error code, the HTTP status and the request id, if
they look like such. The operation, and what it was about, are told by the caller.

Codes: Secrets Manager API reference, "Errors" of each operation and "Common Errors".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from http import HTTPStatus

from botocore.exceptions import ClientError

from rotator.aws.causes import Cause, network_cause, settings_cause, settings_known
from rotator.aws.denials import GRANT_KEY, GRANT_SIGNING, denial
from rotator.model.errors import (
    RotatorError,
    SecretNotFoundError,
    StoreDeniedError,
    StoreRejectedError,
    StoreUnavailableError,
)

RESTORE = "Restore it with `aws secretsmanager restore-secret`, or take it out of the configuration."
_RENEW = (
    "Renew the AWS credentials of this process (a role, AWS_PROFILE or `aws sso login`), and check "
    "its clock: AWS refuses signatures that are minutes off."
)
_OWN_KEY = (
    "Encrypt the secret with a KMS key of its account that admits this one: `aws secretsmanager update-secret "
    "--secret-id NAME --kms-key-id KEY`, in the secret's account."
)
_PROVIDER = (
    "Register the provider in the role's account (`aws iam list-open-id-connect-providers`), or correct the role."
)
_MAKE_ROOM = (
    "A secret takes 20 labels over all its versions, and about 100 versions a day. Remove labels "
    "that are not needed, or wait: the next run retries."
)


class Effect(Enum):
    """Whether a call may have changed something."""

    NONE = "This call changed nothing"
    POSSIBLE = "It may or may not have taken effect"


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
_FOREIGN_KEY = (
    "was refused: `aws/secretsmanager`, the default KMS key, works for no other account than the secret's own"
)
_REFUSED = _Meaning(StoreRejectedError, "was refused")
_NO_ID = _Meaning(SecretNotFoundError, "was refused: that is not the name or ARN of a secret")

_ANY_CALL = {
    "ExpiredToken": _Meaning(StoreDeniedError, "was refused: the AWS credentials do not hold", _RENEW),
    **dict.fromkeys(
        ("DecryptionFailure", "EncryptionFailure"),
        _Meaning(StoreRejectedError, "was refused: the KMS key cannot be used", GRANT_KEY),
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
_STS = _READ | {
    "IDPCommunicationError": _Meaning(StoreUnavailableError, "was refused: STS did not reach the identity provider"),
    "RegionDisabledException": _Meaning(StoreDeniedError, "was refused: STS is not enabled in this region"),
    **dict.fromkeys(
        ("InvalidParameterException", "InvalidRequestException", "MalformedPolicyDocument", "ValidationError"),
        _Meaning(StoreDeniedError, "was refused", "Compare `[aws] role_arn`, or the profile's, with the role's ARN."),
    ),
}
_WRONG_KEY = (
    "Name a key of the spec ECC_NIST_P256 and the usage SIGN_VERIFY in `[audit] sign`; `aws kms describe-key` shows "
    "both."
)
_KMS = {
    "ExpiredToken": _ANY_CALL["ExpiredToken"],
    "InvalidRequestException": _Meaning(
        StoreRejectedError, "was refused", "Compare `[audit] sign` with what `aws kms describe-key` says of the key."
    ),
    "ThrottlingException": _READ["ThrottlingException"],
    "DependencyTimeoutException": _Meaning(StoreUnavailableError, _UNUSABLE),
    "KMSInternalException": _Meaning(StoreUnavailableError, _UNUSABLE),
    "KeyUnavailableException": _Meaning(StoreUnavailableError, "was refused: the key is not available just now"),
    "DisabledException": _Meaning(
        StoreRejectedError,
        "was refused: the key is disabled",
        "Enable it with `aws kms enable-key`, or name another key.",
    ),
    "KMSInvalidStateException": _Meaning(
        StoreRejectedError,
        "was refused: the key cannot be used in its present state, such as a scheduled deletion",
        "Look at it with `aws kms describe-key`, and cancel its deletion or name another key.",
    ),
    "NotFoundException": _Meaning(
        StoreRejectedError, "found no such key", "Compare `[audit] sign` with `aws kms list-keys` in the key's region."
    ),
    **dict.fromkeys(
        ("InvalidKeyUsageException", "UnsupportedOperationException"),
        _Meaning(StoreRejectedError, "was refused: the key is not one for signatures with ECDSA_SHA_256", _WRONG_KEY),
    ),
}
_MEANINGS = {
    "BatchGetSecretValue": _READ,
    "DescribeSecret": _DESCRIBE,
    "GetPublicKey": _KMS,
    "GetResourcePolicy": _READ,
    "GetSecretValue": _GET,
    "ListSecrets": _READ,
    "PutSecretValue": _WRITE,
    "Sign": _KMS,
    "UpdateSecretVersionStage": _WRITE,
}
_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,48}", re.ASCII)  # shorter than any secret of Pinata's
_PROVIDER_URL = re.compile(
    r"No OpenIDConnect provider found in your account for (https?://[A-Za-z0-9./_-]{1,160})(?= |$)"
)
_DEFAULT_KEY = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS"


def fault_of(operation: str, subject: str, failure: Exception, earlier: Effect, *, sent: bool = True) -> Fault:
    """Return what a failure means.

    `earlier` says whether an attempt before the last, of those the client makes by itself, may have changed something;
    a refusal then does not prove that nothing was changed. Of what was never `sent`, settings and credentials are to
    blame.
    """
    facts = _reported(operation, failure)
    meaning = _meaning(operation, facts)
    if cause := _cause(facts, failure, sent=sent):
        meaning = _Meaning(cause.error, f"failed: {cause.said}", cause.next_step)
    effect, error = Effect.NONE, meaning.error
    if _writes(operation):
        effect = Effect.POSSIBLE if error is StoreUnavailableError else earlier
        error = StoreUnavailableError if effect is Effect.POSSIBLE else error
    called = f"{operation} of {subject}" + (f", at {facts.during}," if facts.during else "")
    message = f"{called} {meaning.said} ({_told(facts)}). {effect.value}"
    return Fault(error(message, next_step=meaning.next_step), facts.code, effect)


def settings_error(failure: Exception) -> RotatorError:
    """Return what it means that a session, a client or credentials could not be made; nothing was changed."""
    if isinstance(failure, ClientError):
        facts = _reported(failure.operation_name, failure)
        meaning = _meaning(failure.operation_name, facts)
        called = f"no AWS credentials: {failure.operation_name} {meaning.said}"
        return meaning.error(f"{called} ({_told(facts)}). Nothing was sent with them", next_step=meaning.next_step)
    cause = settings_cause(failure)
    return cause.error(f"{cause.said} ({_reported('', failure).code})", next_step=cause.next_step)


def _cause(facts: _Reported, failure: Exception, *, sent: bool) -> Cause | None:
    """Return the cause outside of the call itself, if there is one that is known."""
    if facts.status or isinstance(failure, ClientError) or facts.code in _ANY_CALL:
        return None
    if not sent or settings_known(failure):
        return settings_cause(failure)
    return network_cause(failure)


def _told(facts: _Reported) -> str:
    return ", request ".join(part for part in (facts.code, facts.request_id) if part)


def _reported(operation: str, failure: Exception) -> _Reported:
    if not isinstance(failure, ClientError):
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
    return _MEANINGS.get(operation) is _WRITE


def _meaning(operation: str, facts: _Reported) -> _Meaning:
    """First match wins; the HTTP status decides over codes that no table has."""
    table = _MEANINGS.get(operation, _STS)
    if facts.code.startswith("AccessDenied"):
        return _denied(operation, facts)
    if facts.code == "InvalidIdentityToken":
        return _unknown_provider(facts)
    if facts.code == "InvalidRequestException" and "marked for deletion" in facts.message:
        error = StoreRejectedError if _writes(operation) else SecretNotFoundError
        return _Meaning(error, _DELETED, RESTORE)
    if facts.message.startswith(_DEFAULT_KEY):
        return _Meaning(StoreDeniedError, _FOREIGN_KEY, _OWN_KEY)
    code = "ThrottlingException" if _THROTTLED.fullmatch(facts.code) else facts.code
    code = "ExpiredToken" if _BAD_CREDENTIALS.fullmatch(code) else code
    return table.get(code) or _by_status(operation, table, facts)


def _by_status(operation: str, table: Mapping[str, _Meaning], facts: _Reported) -> _Meaning:
    match facts.status:
        case HTTPStatus.UNAUTHORIZED | HTTPStatus.FORBIDDEN:
            return _denied(operation, facts)
        case HTTPStatus.TOO_MANY_REQUESTS:
            return table["ThrottlingException"]
        case status if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR:
            return table["InvalidRequestException"]
        case _:
            return _Meaning(StoreUnavailableError, _UNUSABLE)


def _denied(operation: str, facts: _Reported) -> _Meaning:
    if facts.during or operation not in _MEANINGS:
        right, grant_key = f"sts:{facts.during or operation}", GRANT_KEY
    elif _MEANINGS[operation] is _KMS:
        right, grant_key = f"kms:{operation}", GRANT_SIGNING
    else:
        right, grant_key = f"secretsmanager:{operation}", GRANT_KEY
    why = denial(facts.message, right, grant_key)
    return _Meaning(StoreDeniedError, f"was denied{why.said}", why.next_step)


def _unknown_provider(facts: _Reported) -> _Meaning:
    url = _PROVIDER_URL.search(facts.message)
    who = (
        f"the identity provider {url[1]} is not known to the role's account"
        if url
        else "the web identity token is not valid"
    )
    return _Meaning(StoreDeniedError, f"was refused: {who}", _PROVIDER)
