"""What is wrong with AWS's settings, the credentials or the network, read from what botocore lets out.

botocore raises its own errors and anything else: OSError for a token file, ValueError for a number that is none,
AttributeError for a helper's odd output (measured with botocore 1.44). Their messages quote values, so only known
parts are told: the name of a class, a variable, a provider, a host, or what the operating system said.
"""

import os
import re
import socket
import ssl
from collections.abc import Iterator
from typing import NamedTuple
from urllib.parse import urlsplit

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError
from botocore.session import get_session
from urllib3.exceptions import NameResolutionError

from rotator.aws.credential_process import CredentialProcessError
from rotator.model.errors import ConfigError, RotatorError, StoreUnavailableError, StoreUntrustedError
from rotator.model.secret import REGION

CONFIGURE = (
    "Set `[aws] region`, and give this process credentials: a role, AWS_PROFILE or `aws sso login`. "
    "`aws sts get-caller-identity` tries them."
)
_LOG_IN = "Run `aws sso login` (or `aws login`) for the profile, then the command again."
_REACH = "See that the host can be reached from here; the next run tries again."
_TRUST = "Find out who answers for this host. For a proxy that inspects TLS, name its authority in AWS_CA_BUNDLE."
_PLAIN = re.compile(r"[A-Za-z0-9_. -]{1,48}", re.ASCII)
_HOST = re.compile(r"[a-z0-9.:-]{1,253}", re.ASCII)
_FILE_VARIABLES = (
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
)
_LOGINS = (boto.LoginError, boto.NoAuthTokenError, boto.SSOError, boto.TokenRetrievalError)
_PROVIDERS = (boto.CredentialRetrievalError, boto.MetadataRetrievalError)


class Cause(NamedTuple):
    """A cause that is known; `said` is a clause without its end."""

    error: type[RotatorError]
    said: str
    next_step: str | None


def refusal(failure: Exception) -> str:
    """Return which operation AWS refused, and with which code; empty if it is no refusal."""
    if not isinstance(failure, boto.ClientError):
        return ""
    code = str(failure.response.get("Error", {}).get("Code", ""))
    return f"AWS refused {failure.operation_name}" + (f" with {code}" if code.isalnum() else "")


def network_cause(failure: Exception) -> Cause | None:
    """Return what kept a call from its host; None if it is something else."""
    inner = failure.kwargs.get("error") if isinstance(failure, boto.BotoCoreError) else None
    match failure:
        case boto.SSLError():
            return _tls_cause(failure)
        case boto.ProxyConnectionError():
            said = "the proxy that HTTPS_PROXY or HTTP_PROXY names cannot be used"
        case boto.EndpointConnectionError() if region := _unknown_region(failure):
            said = f"no AWS region: {_host(failure)} does not resolve, and {region} is not a region that is known here"
            return Cause(ConfigError, said, CONFIGURE)
        case boto.EndpointConnectionError():
            said = f"{_host(failure)} {_unreachable(failure)}"
        case boto.ConnectTimeoutError() | boto.ReadTimeoutError():
            said = f"{_host(failure)} did not answer in time"
        case boto.HTTPClientError() if isinstance(inner, OSError):
            return _file_cause(inner)
        case _:
            return None
    return Cause(StoreUnavailableError, said, _REACH)


def is_distrust(failure: Exception) -> bool:
    """Tell whether a call failed because its host is not trusted, which repeating it does not change."""
    return isinstance(failure, boto.SSLError) and _tls_cause(failure).error is StoreUntrustedError


def _tls_cause(failure: boto.SSLError) -> Cause:
    for inner in _chain(failure):
        if isinstance(inner, ssl.SSLCertVerificationError):
            said = f"the certificate of {_host(failure)} is not trusted ({inner.verify_message.rstrip('.')})"
            return Cause(StoreUntrustedError, said, _TRUST)
    return Cause(StoreUnavailableError, f"{_host(failure)} did not agree on TLS", _REACH)


def settings_cause(failure: Exception) -> Cause:
    """Return what is wrong with AWS's settings or the credentials, if no request was answered meanwhile."""
    return network_cause(failure) or _known_cause(failure) or _file_cause(failure) or _any_cause(failure)


def settings_known(failure: Exception) -> bool:
    """Tell whether a failure is about settings and credentials, whenever it happens."""
    return _known_cause(failure) is not None or (isinstance(failure, OSError) and network_cause(failure) is None)


def _known_cause(failure: Exception) -> Cause | None:
    if isinstance(failure, CredentialProcessError):
        return _none(f"the `credential_process` of the AWS profile {failure}")
    if not isinstance(failure, boto.BotoCoreError):
        return None
    if isinstance(failure, boto.PartialCredentialsError):
        return _none(f"{_plain(failure.kwargs.get('cred_var'), 'a part of them')} is missing")
    if isinstance(failure, _PROVIDERS):
        return _none(f"{_plain(failure.kwargs.get('provider'), 'the metadata service')} did not give any")
    return next((cause for kinds, cause in _CAUSES if isinstance(failure, kinds)), None)


def _file_cause(failure: Exception) -> Cause | None:
    if not isinstance(failure, OSError):
        return None
    named = [name for name in _FILE_VARIABLES if os.environ.get(name) and _names(failure, os.environ[name])]
    what = f"the file that {named[0]} names" if named else "a file of AWS's configuration"
    reason = failure.strerror or "it cannot be used"
    return _none(f"{what} cannot be read ({reason})")


def _names(failure: OSError, path: str) -> bool:
    # urllib3 names a missing bundle of certificates in a sentence only.
    return failure.filename == path or (failure.filename is None and path in str(failure))


def _any_cause(failure: Exception) -> Cause:
    if isinstance(failure, ResponseParserError):
        return _none("AWS gave no usable answer")._replace(error=StoreUnavailableError, next_step=_REACH)
    if isinstance(failure, boto.BotoCoreError):
        return Cause(ConfigError, "AWS's settings cannot be used", CONFIGURE)
    return _none("what AWS's variables, files and helpers say cannot be used")


def _none(said: str) -> Cause:
    return Cause(ConfigError, f"no AWS credentials: {said}", CONFIGURE)


_CAUSES = (
    (_LOGINS, _none("the login of the AWS profile has expired or is missing")._replace(next_step=_LOG_IN)),
    (boto.NoCredentialsError, _none("none in the environment, in AWS's files, or from a role")),
    (boto.MissingDependencyException, _none("the AWS profile needs the package `awscrt`, which is not installed")),
    (boto.ParamValidationError, _none("what AWS's files or variables say is not what STS takes")),
    (boto.ProfileNotFound, _none("AWS_PROFILE names a profile that does not exist")),
    (boto.RefreshWithMFAUnsupportedError, _none("the AWS profile asks for an MFA code at each renewal")),
    (
        (boto.ConfigParseError, boto.InvalidConfigError, boto.UnknownCredentialError),
        _none("a file of AWS's configuration cannot be used"),
    ),
    (
        (boto.NoRegionError, boto.InvalidRegionError),
        Cause(ConfigError, "no AWS region: none is set, or not a region's name", CONFIGURE),
    ),
)


def _plain(text: object, otherwise: str) -> str:
    return text if isinstance(text, str) and _PLAIN.fullmatch(text) else otherwise


def _host(failure: boto.BotoCoreError) -> str:
    try:
        host = urlsplit(str(failure.kwargs.get("endpoint_url"))).hostname or ""
    except ValueError:
        host = ""
    return host if _HOST.fullmatch(host) else "AWS"


def _unknown_region(failure: boto.EndpointConnectionError) -> str:
    """Return the region of a host that does not resolve, if botocore knows no such region."""
    if _unreachable(failure) != "does not resolve":
        return ""
    session = get_session()
    partitions = session.get_available_partitions()
    known = {region for name in partitions for region in session.get_available_regions("secretsmanager", name)}
    named = (label for label in _host(failure).split(".") if re.fullmatch(REGION, label, re.ASCII))
    return next((region for region in named if region not in known), "")


def _unreachable(failure: boto.BotoCoreError) -> str:
    for inner in _chain(failure):
        match inner:
            case socket.gaierror() | NameResolutionError():
                return "does not resolve"
            case ConnectionRefusedError():
                return "refused the connection"
            case OSError() if inner.strerror and not isinstance(inner, boto.BotoCoreError):
                return f"cannot be reached ({inner.strerror})"
            case _:
                pass
    return "cannot be reached"


def _chain(failure: Exception) -> Iterator[BaseException]:
    """Yield an error and what it came from; botocore and urllib3 keep it in several places."""
    seen: list[object] = [failure]
    for inner in seen:
        if isinstance(inner, BaseException):
            yield inner
            kwargs = inner.kwargs if isinstance(inner, boto.BotoCoreError) else {}
            around = (
                inner.__cause__,
                inner.__context__,
                kwargs.get("error"),
                getattr(inner, "reason", None),
                *inner.args,
            )
            seen += [one for one in around if isinstance(one, BaseException) and one not in seen]
