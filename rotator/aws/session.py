"""Sessions and clients: which region, which role, which endpoint, and who that makes us.

Every AWS client of this program is made here, and so are those that botocore makes for itself to get credentials.
"""

import re
import sys
from collections.abc import Mapping
from getpass import getpass
from typing import TYPE_CHECKING, Any, Literal

import boto3
import botocore.session
from botocore.config import Config as BotoConfig
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials, ProcessProvider
from botocore.exceptions import NoCredentialsError, RefreshWithMFAUnsupportedError

from rotator.aws import credential_process
from rotator.aws.causes import is_distrust
from rotator.aws.client import Service, client_config, endpoint_of, is_on_loopback
from rotator.aws.guard import settled
from rotator.model.errors import ConfigError
from rotator.model.secret import REGION

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sts import STSClient

_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")


class _BotoSession(botocore.session.Session):
    """botocore's session, of which every client behaves as `client_config` says and uses our endpoint of STS.

    That includes the clients it makes by itself to get credentials: a web identity token goes to nobody else.
    """

    def __init__(self, region: str | None, sts_endpoint: str | None) -> None:
        super().__init__()
        self._sts_endpoint = sts_endpoint
        self.set_default_client_config(client_config())
        self.set_config_variable("csm_enabled", False)  # noqa: FBT003 - it would send session tokens over UDP
        if region:
            self.set_config_variable("region", region)

    def create_client(self, service_name: str, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as botocore has it
        if service_name == "sts" and options.get("endpoint_url") is None:
            options["endpoint_url"] = self._sts_endpoint
        if options.get("endpoint_url") and is_on_loopback(options["endpoint_url"]):
            # A proxy is for what is elsewhere.
            options["config"] = (options.get("config") or BotoConfig()).merge(BotoConfig(proxies={}))
        client = super().create_client(service_name, *args, **options)
        client.meta.events.register("response-received", _give_up_on_distrust)
        return client

    def _create_credential_resolver(self) -> Any:  # noqa: ANN401 - a class that has no stubs
        """Bound what would otherwise run or wait without end. botocore has no public way."""
        resolver = super()._create_credential_resolver()  # type: ignore[misc]  # the stubs lack it
        resolver.get_provider("custom-process")._popen = credential_process.run  # noqa: SLF001 - as above
        assuming = resolver.get_provider("assume-role")
        assuming._prompter = _ask_a_person  # noqa: SLF001 - as above
        sources = assuming._profile_provider_builder  # noqa: SLF001 - as above
        sources._create_process_provider = self._bounded_process  # noqa: SLF001 - as above
        return resolver

    def _bounded_process(self, profile: str) -> ProcessProvider:
        return ProcessProvider(profile, lambda: self.full_config, popen=credential_process.run)


def _give_up_on_distrust(exception: Exception | None, **_: object) -> None:
    """Repeat no call to a host that is not trusted; called by botocore after each attempt."""
    if exception is not None and is_distrust(exception):
        raise exception


def _ask_a_person(prompt: str) -> str:
    if not sys.stdin.isatty():
        raise RefreshWithMFAUnsupportedError
    return getpass(prompt)


def own_session(region: str | None, env: Mapping[str, str], sts_endpoint: str | None) -> boto3.Session:
    """Return a session with this process's own rights, in a region or in the one that AWS's settings name.

    AWS_REGION goes before AWS_DEFAULT_REGION, and both before the profile's region. The credentials are there, and can
    stand in a header. Raises ConfigError if AWS's settings cannot be used, and no region or no credentials are found;
    another RotatorError if whoever gives credentials refused, or could not be asked.
    """
    named = region or next((env[name] for name in _REGION_VARIABLES if env.get(name)), None)
    if named is not None and not re.fullmatch(REGION, named, re.ASCII):
        raise ConfigError(
            f"no AWS region: what {' or '.join(_REGION_VARIABLES)} says is not the name of a region",
            next_step="Write it like `eu-central-1`, without white space, or set `[aws] region`.",
        )
    return settled(lambda: _with_credentials(named, sts_endpoint))


def _with_credentials(region: str | None, sts_endpoint: str | None) -> boto3.Session:
    session = boto3.Session(botocore_session=_BotoSession(region, sts_endpoint))
    if session.region_name is None:
        raise ConfigError(
            "no AWS region: `[aws] region` is not set, and neither is AWS_REGION", next_step="Set `[aws] region`."
        )
    credentials = session.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    _check(credentials.get_frozen_credentials()._asdict())
    return session


def _check(credentials: Mapping[str, object]) -> None:
    """Check that credentials can stand in a header. Raises ConfigError if they cannot."""
    for field, name in (
        ("access_key", "access key id"),
        ("secret_key", "secret access key"),
        ("token", "session token"),
    ):
        value = credentials[field]
        if value is None and field == "token":
            continue
        if isinstance(value, str) and re.fullmatch(r"[!-~]+", value):
            continue
        problem = "is empty or not text"
        if isinstance(value, str) and value:
            ends = value.rstrip("\r\n") != value
            problem = "ends with a newline" if ends else "holds white space or characters that none has"
        raise ConfigError(
            f"no AWS credentials: the {name} {problem}",
            next_step="Store it without: `printf %s` instead of `echo`, and nothing pasted around it.",
        )


def assumed_session(session: boto3.Session, role_arn: str, sts_endpoint: str | None) -> boto3.Session:
    """Return a session whose credentials are those of a role, renewed as they expire; it is assumed at the first call.

    Raises ConfigError if AWS's settings cannot be used.
    """
    return settled(lambda: _assumed(session, role_arn, sts_endpoint))


def _assumed(session: boto3.Session, role_arn: str, sts_endpoint: str | None) -> boto3.Session:
    def sts(_: str, aws_access_key_id: str, aws_secret_access_key: str, aws_session_token: str | None) -> "STSClient":
        return session.client(
            "sts",
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
            aws_session_token=aws_session_token,
        )

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=sts,
        source_credentials=session.get_credentials(),
        role_arn=role_arn,
        extra_args={"RoleSessionName": "rotator"},
    )
    inner = _BotoSession(session.region_name, sts_endpoint)
    renewed = DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
    inner._credentials = renewed  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way
    return boto3.Session(botocore_session=inner)


def secrets_manager_client(session: boto3.Session, endpoint: str | None) -> "SecretsManagerClient":
    """Return a client for the secrets. Raises ConfigError if AWS's settings cannot be used."""
    return settled(lambda: session.client("secretsmanager", endpoint_url=endpoint))


def s3_client(session: boto3.Session, endpoint: str | None) -> "S3Client":
    """Return a client for a bucket. Raises ConfigError if AWS's settings cannot be used."""
    # An endpoint of one's own seldom has a name for each bucket.
    style = BotoConfig(s3={"addressing_style": "path"}) if endpoint else None
    return settled(lambda: session.client("s3", config=style, endpoint_url=endpoint))


def kms_client(session: boto3.Session, region: str, env: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client for the KMS keys of a region. Raises ConfigError as `own_client` does."""
    endpoint = endpoint_of(None, env, "KMS")
    return settled(lambda: session.client("kms", region_name=region, endpoint_url=endpoint))


def consumer_client(session: boto3.Session, service: str, env: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client that asks consumers of one kind, `ecs` or `lambda`. Raises ConfigError as `own_client` does."""
    variables: dict[str, Service] = {"ecs": "ECS", "lambda": "LAMBDA"}
    endpoint = endpoint_of(None, env, variables[service])
    return settled(lambda: session.client(service, endpoint_url=endpoint))  # type: ignore[call-overload]  # one of two names


def own_client(service: Literal["s3", "sqs", "ssm"], env: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client of a service with this process's own rights, for what lies beside a Lambda function.

    Raises ConfigError as `own_session` does, and if the environment names an endpoint that is not loopback.
    """
    variables: dict[str, Service] = {"s3": "S3", "sqs": "SQS", "ssm": "SSM"}
    endpoint = endpoint_of(None, env, variables[service])
    session = own_session(None, env, endpoint_of(None, env, "STS"))
    if service == "s3":
        return s3_client(session, endpoint)
    return settled(lambda: session.client(service, endpoint_url=endpoint))


def identity_of(session: boto3.Session, expected_account: str | None) -> str:
    """Return who we are: the caller's ARN, checked, if an account is expected, else the access key's id.

    Raises ConfigError if the credentials are of another account; another RotatorError if there are none, or STS does
    not say whose they are.
    """
    if expected_account is None:
        return settled(lambda: str(session.get_credentials().access_key))  # type: ignore[union-attr]  # there are some
    caller = settled(lambda: session.client("sts").get_caller_identity())
    if caller["Account"] != expected_account:
        raise ConfigError(
            f"these credentials are of account {caller['Account']}, not of `expected_account` "
            f"{expected_account}; nothing was done",
            next_step="Use the credentials of the other account, or correct `[aws] expected_account`.",
        )
    return caller["Arn"]
