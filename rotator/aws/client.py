"""How this program's AWS clients behave, and which endpoint they may be told to use.

Values only: no client is made here and no environment read.
"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from botocore.config import Config

from rotator.model.errors import ConfigError

Service = Literal["SECRETS_MANAGER", "S3", "SQS", "SSM", "STS", "ECS", "LAMBDA", "KMS"]
"""As AWS's own variables call it."""
_SETTINGS: Mapping[Service, str] = {
    "SECRETS_MANAGER": "endpoint_url",
    "STS": "sts_endpoint_url",
    "S3": "s3_endpoint_url",
}
"""The setting that names the endpoint of a service on purpose."""


def client_config() -> Config:
    """Return how an AWS client of this program behaves.

    No call hangs: 3 attempts of 3 s to connect and 10 s to answer. Endpoints from the environment
    and from AWS's configuration files are ignored: they could send every secret anywhere.
    """
    return Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"mode": "standard", "total_max_attempts": 3},
        user_agent_extra="rotator",
        ignore_configured_endpoint_urls=True,  # type: ignore[call-arg]  # the stubs lack it
        tcp_keepalive=True,
        max_pool_connections=32,
    )


def endpoint_from_environment(env: Mapping[str, str], service: Service) -> str | None:
    """Return the endpoint that AWS's own variables name for a service, if any: loopback only.

    `AWS_ENDPOINT_URL_<service>` goes before `AWS_ENDPOINT_URL`, and `AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true` silences
    both (AWS SDKs and Tools reference guide). Raises ConfigError if it is elsewhere, or no URL.
    """
    if env.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() == "true":
        return None
    setting = _SETTINGS.get(service)
    for name in (f"AWS_ENDPOINT_URL_{service}", "AWS_ENDPOINT_URL"):
        url = env.get(name)
        if not url:
            continue
        if not is_on_loopback(url):
            raise ConfigError(
                f"{name} is set, and does not name a loopback address: anyone who sets this variable "
                "would receive every secret, so it is obeyed on loopback only",
                next_step=f"Unset {name}"
                + (f", or name the endpoint on purpose in `[aws] {setting}`." if setting else "."),
            )
        return url
    return None


def endpoint_of(configured: str | None, env: Mapping[str, str], service: Service) -> str | None:
    """Return the endpoint that the configuration names for a service, else the environment's, if any.

    Raises ConfigError if the environment names one that is not loopback.
    """
    return configured or endpoint_from_environment(env, service)


def is_on_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine itself, whoever reads it."""
    if not re.fullmatch(r"https?://[\x21-\x7e]+", url) or "@" in url or "\\" in url:
        return False
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
