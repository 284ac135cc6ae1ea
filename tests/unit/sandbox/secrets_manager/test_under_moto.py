"""The strict Secrets Manager inside moto: what it replaces, how it goes away, moto's functions."""

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.awslambda.models import LambdaFunction
from moto.server import ThreadedMotoServer

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.state import PendingOnPromotion
from rotator.sandbox.secrets_manager.under_moto import strict

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

V1, V2 = "version-1-".ljust(32, "x"), "version-2-".ljust(32, "x")
REGION = "eu-central-1"


@pytest.fixture
def client() -> Iterator["SecretsManagerClient"]:
    """A client of moto in this process, not strict by itself."""
    with mock_aws(), closing(boto3.client("secretsmanager", region_name=REGION)) as connected:
        yield connected


def promote(client: "SecretsManagerClient") -> None:
    """A secret whose second version was made current by its label."""
    client.create_secret(Name="a", SecretString="one", ClientRequestToken=V1)
    client.put_secret_value(SecretId="a", SecretString="two", ClientRequestToken=V2, VersionStages=["AWSPENDING"])
    client.update_secret_version_stage(
        SecretId="a", VersionStage="AWSCURRENT", MoveToVersionId=V2, RemoveFromVersionId=V1
    )


def test_stock_moto_returns(client: "SecretsManagerClient") -> None:
    """After the block moto answers in its own way again, and has seen none of the secrets."""
    with strict():
        promote(client)
        assert client.get_secret_value(SecretId="a")["SecretString"] == "two"
    promote(client)
    # moto 5.2.5 alone serves the old value; if this fails, moto was mended.
    assert client.get_secret_value(SecretId="a")["SecretString"] == "one"


def test_only_one_may_be_active() -> None:
    """A second `strict()` is refused, and leaves the first in force."""
    with strict(), pytest.raises(RuntimeError), strict():
        pass
    with strict():
        pass


def test_motos_own_server_becomes_strict() -> None:
    """The same replacement works under moto's threaded server."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    try:
        with strict(), closing(boto3.client("secretsmanager", region_name=REGION, endpoint_url=url)) as connected:
            promote(connected)
            assert connected.get_secret_value(SecretId="a")["SecretString"] == "two"
            with pytest.raises(ClientError, match="InvalidParameterException"):
                connected.update_secret_version_stage(SecretId="a", VersionStage="AWSCURRENT", MoveToVersionId=V1)
    finally:
        server.stop()


def test_a_promotion_may_drop_awspending(client: "SecretsManagerClient") -> None:
    """The other end state AWS documents can be chosen."""
    with strict(SecretsManager(on_promotion=PendingOnPromotion.DROPPED)):
        promote(client)
        described = client.describe_secret(SecretId="a")["VersionIdsToStages"]
    assert described == {V2: ["AWSCURRENT"], V1: ["AWSPREVIOUS"]}


@pytest.mark.parametrize("broken", ["", "testSecret"])
def test_a_rotation_runs_motos_function(
    client: "SecretsManagerClient", monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    """Steps reach the function moto keeps, in order, and stop at the first that raises."""
    steps: list[str] = []

    def run(_: LambdaFunction, event: Any) -> tuple[str, bool, str]:  # noqa: ANN401 - moto's own signature
        steps.append(event["Step"])
        return "{}", event["Step"] == broken, ""

    monkeypatch.setattr(LambdaFunction, "_invoke_lambda", run)
    with strict() as secrets:
        client.create_secret(Name="a", SecretString="one", ClientRequestToken=V1)
        client.rotate_secret(SecretId="a", RotationLambdaARN=function_arn())
        assert secrets.wait_for_rotations(timeout_s=10.0)
    expected = ["createSecret", "setSecret", "testSecret", "finishSecret"]
    assert steps == (expected[:3] if broken else expected)


def function_arn() -> str:
    """A function in moto's Lambda, with a role and a file."""
    trust = {"Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as files:
        files.writestr("rotate.py", "")
    with (
        closing(boto3.client("iam", region_name=REGION)) as iam,
        closing(boto3.client("lambda", region_name=REGION)) as functions,
    ):
        role = iam.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
        function = functions.create_function(
            FunctionName="rotate",
            Role=role["Role"]["Arn"],
            Runtime="python3.13",
            Handler="rotate.handler",
            Code={"ZipFile": archive.getvalue()},
        )
    return str(function["FunctionArn"])
