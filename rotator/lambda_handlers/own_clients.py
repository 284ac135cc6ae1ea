"""Clients with the function's own rights, for what lies beside the function: its queue, its configuration.

`[aws] role_arn` and `[aws] endpoint_url` are about the secrets, and may lead to another account.
"""

from collections.abc import Mapping
from typing import Any, Literal

import boto3
from botocore.config import Config

from rotator.secrets_manager import client_config, endpoint_from_environment

Service = Literal["s3", "sqs", "ssm"]
_VARIABLE: dict[Service, Literal["S3", "SQS", "SSM"]] = {"s3": "S3", "sqs": "SQS", "ssm": "SSM"}


def own_client(service: Service, env: Mapping[str, str]) -> Any:  # noqa: ANN401 - boto3 makes its classes at run time
    """Return a client of a service.

    Raises:
        ConfigError: the environment names an endpoint that is not loopback.
    """
    endpoint = endpoint_from_environment(env, _VARIABLE[service])
    # An endpoint of one's own seldom has a name for each bucket.
    style = Config(s3={"addressing_style": "path"}) if endpoint else Config()
    return boto3.Session().client(
        service, config=client_config().merge(style), endpoint_url=endpoint
    )
