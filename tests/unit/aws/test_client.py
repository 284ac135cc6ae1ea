"""Which endpoint an AWS client may be told to use, and how long it may take."""

import boto3
import pytest

from rotator.aws.client import client_config, endpoint_from_environment
from rotator.model.errors import ConfigError


@pytest.mark.parametrize(
    ("variables", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": ""}, None),
        ({"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"}, "http://127.0.0.1:4566"),
        ({"AWS_ENDPOINT_URL": "http://localhost:4566"}, "http://localhost:4566"),
        ({"AWS_ENDPOINT_URL": "https://[::1]:4566"}, "https://[::1]:4566"),
        (
            {"AWS_ENDPOINT_URL": "https://evil.example", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "http://127.0.0.2:1"},
            "http://127.0.0.2:1",
        ),
        ({"AWS_ENDPOINT_URL_S3": "https://evil.example"}, None),
        ({"AWS_ENDPOINT_URL": "https://evil.example", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, None),
    ],
)
def test_endpoint_variables_are_obeyed_on_loopback(variables: dict[str, str], endpoint: str | None) -> None:
    """AWS's own variables work for simulators on this machine."""
    assert endpoint_from_environment(variables, "SECRETS_MANAGER") == endpoint


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SECRETS_MANAGER"])
@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example",
        "http://127.0.0.1@evil.example",
        "http://user:hunter2@127.0.0.1",
        "http://127.0.0.1.evil.example",
        "http://localhost.localstack.cloud:4566",
        "http://169.254.169.254",
        "http://0.0.0.0:1",
        "http://[::ffff:10.0.0.1]:1",
        "http://evil.example\\@127.0.0.1",
        "http://127.0.0.1\n.evil.example",
        "http://[::1",
        "ftp://127.0.0.1",
        "127.0.0.1:4566",
    ],
)
def test_endpoint_elsewhere_is_refused(name: str, url: str) -> None:
    """A variable must not send every secret away; the message says why, without the URL."""
    with pytest.raises(ConfigError, match=f"{name} .* would receive every secret") as caught:
        endpoint_from_environment({name: url}, "SECRETS_MANAGER")
    assert "hunter2" not in caught.value.message


def test_client_ignores_endpoints_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `endpoint_from_environment` was not asked about does not work either."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://evil.example")
    client = boto3.client("secretsmanager", region_name="eu-central-1", config=client_config())
    assert client.meta.endpoint_url == "https://secretsmanager.eu-central-1.amazonaws.com"
