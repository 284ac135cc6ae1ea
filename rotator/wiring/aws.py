"""The AWS session of a process: which region, which role, which endpoints, and who that makes us."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import boto3
from botocore.config import Config as BotoConfig
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from rotator.config import Config
from rotator.errors import ConfigError
from rotator.secrets_manager import client_config, endpoint_from_environment

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sts import STSClient


def secrets_manager_client(
    session: boto3.Session, config: Config, env: Mapping[str, str]
) -> "SecretsManagerClient":
    """Return a client for the secrets."""
    return session.client(
        "secretsmanager",
        config=client_config(),
        endpoint_url=_endpoint(config, env, "SECRETS_MANAGER"),
    )


def s3_client(config: Config, env: Mapping[str, str]) -> "S3Client":
    """Return a client for the audit trail's bucket, which is ours: `role_arn` is about the secrets alone.

    Raises:
        ConfigError: region or endpoint are unusable.
    """
    endpoint = _endpoint(config, env, "S3")
    # An endpoint of one's own seldom has a name for each bucket.
    style = BotoConfig(s3={"addressing_style": "path"}) if endpoint else BotoConfig()
    return own_session(config).client(
        "s3", config=client_config().merge(style), endpoint_url=endpoint
    )


def own_session(config: Config) -> boto3.Session:
    """Return a session in the configured region with this process's own rights, for what lies beside it.

    Raises:
        ConfigError: AWS's configuration cannot be used, or no region is set.
    """
    problem = ""
    try:
        session = boto3.Session(region_name=config.aws.region)
        session.get_credentials()  # kept by the session; half a pair is found out here
    except BotoCoreError as error:  # a profile that does not exist, a broken configuration file
        problem = type(error).__name__
    if problem:
        raise ConfigError(
            f"AWS's configuration cannot be used: {problem}",
            next_step="Look at AWS_PROFILE and the other AWS variables.",
        )
    if session.region_name is None:
        raise ConfigError(
            "no AWS region: `[aws] region` is not set, and neither is AWS_REGION",
            next_step="Set `[aws] region`.",
        )
    return session


def session_of(config: Config, env: Mapping[str, str]) -> boto3.Session:
    """Return a session for the secrets, in the configured region and as the configured role.

    Raises:
        ConfigError: as `own_session`; or there are no credentials to assume the role with.
    """
    session = own_session(config)
    if config.aws.role_arn is None:
        return session
    return _assumed(session, config.aws.role_arn, _endpoint(config, env, "STS"))


def _assumed(session: boto3.Session, role_arn: str, sts_endpoint: str | None) -> boto3.Session:
    """Return a session whose credentials are those of a role, renewed as they expire."""
    inner = get_session()
    source = session.get_credentials()
    if source is None:
        raise _no_credentials()

    def sts(
        _: str, aws_access_key_id: str, aws_secret_access_key: str, aws_session_token: str | None
    ) -> "STSClient":
        return session.client(
            "sts",
            config=client_config(),
            endpoint_url=sts_endpoint,
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
            aws_session_token=aws_session_token,
        )

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=sts,
        source_credentials=source,
        role_arn=role_arn,
        extra_args={"RoleSessionName": "rotator"},
    )
    renewed = DeferredRefreshableCredentials(
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )
    inner._credentials = renewed  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way
    return boto3.Session(botocore_session=inner, region_name=session.region_name)


def _endpoint(
    config: Config, env: Mapping[str, str], service: Literal["SECRETS_MANAGER", "STS", "S3"]
) -> str | None:
    return config.aws.endpoint_url or endpoint_from_environment(env, service)


def identity_of(session: boto3.Session, config: Config, env: Mapping[str, str]) -> str:
    """Return who we are, and make sure that it is the expected account.

    Raises:
        ConfigError: there are no credentials, they are of another account, or STS does not say.
    """
    problem = ""
    try:
        credentials = session.get_credentials()
        if credentials is None:
            raise _no_credentials()
        if config.aws.expected_account is None:
            return str(credentials.access_key)
        endpoint = _endpoint(config, env, "STS")
        caller = session.client(
            "sts", config=client_config(), endpoint_url=endpoint
        ).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        problem = (
            error.response["Error"]["Code"]
            if isinstance(error, ClientError)
            else type(error).__name__
        )
    if problem:
        raise ConfigError(
            f"AWS does not say who we are: {problem}",
            next_step="Try `aws sts get-caller-identity`.",
        )
    if caller["Account"] != config.aws.expected_account:
        raise ConfigError(
            f"these credentials are of account {caller['Account']}, not of `expected_account` "
            f"{config.aws.expected_account}; nothing was done",
            next_step="Use the credentials of the other account, or correct `[aws] expected_account`.",
        )
    return caller["Arn"]


def _no_credentials() -> ConfigError:
    return ConfigError(
        "no AWS credentials: none in the environment, in AWS's files, or from a role",
        next_step="Try `aws sts get-caller-identity`; README.md says which rights are needed.",
    )
