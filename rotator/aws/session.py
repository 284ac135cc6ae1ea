"""Sessions and clients: which region, which role, which endpoint, and who that makes us.

Every AWS client of this program is made here.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import boto3
from botocore.config import Config as BotoConfig
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from rotator.aws.client import Service, client_config, endpoint_of
from rotator.model.errors import ConfigError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sts import STSClient


def own_session(region: str | None = None) -> boto3.Session:
    """Return a session with this process's own rights, in a region or in the one that AWS's settings name.

    Raises ConfigError if AWS's configuration cannot be used, or no region is set.
    """
    problem = ""
    try:
        session = boto3.Session(region_name=region)
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
            "no AWS region: `[aws] region` is not set, and neither is AWS_REGION", next_step="Set `[aws] region`."
        )
    return session


def assumed_session(session: boto3.Session, role_arn: str, sts_endpoint: str | None) -> boto3.Session:
    """Return a session whose credentials are those of a role, renewed as they expire.

    Raises ConfigError if there are no credentials to assume the role with.
    """
    inner = get_session()
    source = session.get_credentials()
    if source is None:
        raise _no_credentials()

    def sts(_: str, aws_access_key_id: str, aws_secret_access_key: str, aws_session_token: str | None) -> "STSClient":
        return session.client(
            "sts",
            config=client_config(),
            endpoint_url=sts_endpoint,
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
            aws_session_token=aws_session_token,
        )

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=sts, source_credentials=source, role_arn=role_arn, extra_args={"RoleSessionName": "rotator"}
    )
    renewed = DeferredRefreshableCredentials(refresh_using=fetcher.fetch_credentials, method="assume-role")
    inner._credentials = renewed  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way
    return boto3.Session(botocore_session=inner, region_name=session.region_name)


def secrets_manager_client(session: boto3.Session, endpoint: str | None) -> "SecretsManagerClient":
    """Return a client for the secrets."""
    return session.client("secretsmanager", config=client_config(), endpoint_url=endpoint)


def s3_client(session: boto3.Session, endpoint: str | None) -> "S3Client":
    """Return a client for a bucket."""
    # An endpoint of one's own seldom has a name for each bucket.
    style = BotoConfig(s3={"addressing_style": "path"}) if endpoint else BotoConfig()
    return session.client("s3", config=client_config().merge(style), endpoint_url=endpoint)


def own_client(service: Literal["s3", "sqs", "ssm"], env: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client of a service with this process's own rights, for what lies beside a Lambda function.

    Raises ConfigError as `own_session` does, and if the environment names an endpoint that is not loopback.
    """
    variables: dict[str, Service] = {"s3": "S3", "sqs": "SQS", "ssm": "SSM"}
    endpoint = endpoint_of(None, env, variables[service])
    if service == "s3":
        return s3_client(own_session(), endpoint)
    return own_session().client(service, config=client_config(), endpoint_url=endpoint)


def identity_of(session: boto3.Session, expected_account: str | None, sts_endpoint: str | None) -> str:
    """Return who we are: the caller's ARN, checked, if an account is expected, else the access key's id.

    Raises ConfigError if there are no credentials, they are of another account, or STS does not say.
    """
    problem = ""
    try:
        credentials = session.get_credentials()
        if credentials is None:
            raise _no_credentials()
        if expected_account is None:
            return str(credentials.access_key)
        sts: STSClient = session.client("sts", config=client_config(), endpoint_url=sts_endpoint)
        caller = sts.get_caller_identity()
    except ClientError as error:
        problem = error.response["Error"]["Code"]
    except BotoCoreError as error:
        problem = type(error).__name__
    if problem:
        raise ConfigError(f"AWS does not say who we are: {problem}", next_step="Try `aws sts get-caller-identity`.")
    if caller["Account"] != expected_account:
        raise ConfigError(
            f"these credentials are of account {caller['Account']}, not of `expected_account` "
            f"{expected_account}; nothing was done",
            next_step="Use the credentials of the other account, or correct `[aws] expected_account`.",
        )
    return caller["Arn"]


def _no_credentials() -> ConfigError:
    return ConfigError(
        "no AWS credentials: none in the environment, in AWS's files, or from a role",
        next_step="Try `aws sts get-caller-identity`; README.md says which rights are needed.",
    )
