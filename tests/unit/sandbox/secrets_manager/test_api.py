"""The strict Secrets Manager as boto3 meets it, in this process and on a port.

Most cases are ones where moto 5.2.5 alone answers otherwise than AWS documents.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from threading import Barrier
from typing import TYPE_CHECKING

import boto3
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.server import SecretsManagerServer
from rotator.sandbox.secrets_manager.under_moto import strict

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

V1, V2, V3, V4 = (f"version-{n}-".ljust(32, "x") for n in range(1, 5))
NAME = "prod/pinata/uploader"
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:rotate"


@dataclass
class Function:
    """A rotation function as AWS's samples have it; it fails at the step `broken`."""

    broken: str = ""
    events: list[Mapping[str, str]] = field(default_factory=list)
    client: "SecretsManagerClient | None" = None

    def exists(self, arn: str) -> bool:
        """Only this one."""
        return arn == LAMBDA

    def run(self, arn: str, event: Mapping[str, str]) -> bool:
        """Perform a step against the service that called."""
        assert self.exists(arn)
        assert self.client is not None
        self.events.append(event)
        if event["Step"] == self.broken:
            return False
        secret_id, token = event["SecretId"], event["ClientRequestToken"]
        if event["Step"] == "createSecret":
            self.client.put_secret_value(
                SecretId=secret_id, ClientRequestToken=token, SecretString=token, VersionStages=["AWSPENDING"]
            )
        if event["Step"] == "finishSecret":
            promote(self.client, token)
        return True


@dataclass
class Aws:
    """A client and what is behind it."""

    client: "SecretsManagerClient"
    secrets: SecretsManager
    function: Function


@pytest.fixture(params=["in-process", "http"])
def aws(request: pytest.FixtureRequest) -> Iterator[Aws]:
    """The same Secrets Manager, reached in two ways; it holds one secret with one version."""
    function = Function()
    secrets = SecretsManager(lambdas=function)
    with ExitStack() as stack:
        endpoint_url: str | None = None
        if request.param == "in-process":
            stack.enter_context(mock_aws())
            stack.enter_context(strict(secrets))
        else:
            endpoint_url = stack.enter_context(SecretsManagerServer(secrets)).endpoint_url
        client = boto3.client(
            "secretsmanager",
            region_name="eu-central-1",
            endpoint_url=endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
        stack.callback(client.close)
        function.client = client
        client.create_secret(Name=NAME, SecretString="one", ClientRequestToken=V1)
        yield Aws(client, secrets, function)


def put(client: "SecretsManagerClient", token: str, *labels: str, value: str = "") -> str:
    """Put a value, by default the token itself; the version id."""
    answer = client.put_secret_value(
        SecretId=NAME,
        ClientRequestToken=token,
        SecretString=value or token,
        VersionStages=list(labels) or ["AWSCURRENT"],
    )
    return answer["VersionId"]


def stages(client: "SecretsManagerClient") -> dict[str, set[str]]:
    """Which labels are where."""
    described = client.describe_secret(SecretId=NAME)["VersionIdsToStages"]
    return {version_id: set(labels) for version_id, labels in described.items()}


def promote(client: "SecretsManagerClient", token: str) -> None:
    """Move AWSCURRENT by compare-and-swap."""
    current = next(i for i, labels in stages(client).items() if "AWSCURRENT" in labels)
    client.update_secret_version_stage(
        SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=current
    )


def code_of(call: Callable[[], object]) -> str:
    """The error code a call is refused with."""
    with pytest.raises(ClientError) as caught:
        call()
    return caught.value.response["Error"]["Code"]


def rotate(aws: Aws, token: str, *, immediately: bool = True) -> None:
    """Rotate by the function and wait for its end."""
    aws.client.rotate_secret(
        SecretId=NAME, ClientRequestToken=token, RotationLambdaARN=LAMBDA, RotateImmediately=immediately
    )
    assert aws.secrets.wait_for_rotations(timeout_s=10.0)


def test_a_pending_value_cannot_be_overwritten(aws: Aws) -> None:
    """Another value under the same token is refused and the first one stays."""
    put(aws.client, V2, "AWSPENDING")
    refused = code_of(lambda: put(aws.client, V2, "AWSPENDING", value="other"))
    assert refused == "ResourceExistsException"
    assert aws.client.get_secret_value(SecretId=NAME, VersionId=V2)["SecretString"] == V2


def test_a_default_read_follows_a_move_by_label(aws: Aws) -> None:
    """GetSecretValue without a stage serves the version AWSCURRENT was moved to."""
    put(aws.client, V2, "AWSPENDING")
    promote(aws.client, V2)
    assert aws.client.get_secret_value(SecretId=NAME)["SecretString"] == V2
    assert stages(aws.client) == {V1: {"AWSPREVIOUS"}, V2: {"AWSCURRENT", "AWSPENDING"}}


def test_a_put_after_a_move_by_label_leaves_one_current_version(aws: Aws) -> None:
    """AWSCURRENT is on the new version alone, AWSPREVIOUS on the promoted one."""
    put(aws.client, V2, "candidate")
    promote(aws.client, V2)
    put(aws.client, V3)
    assert stages(aws.client) == {V2: {"AWSPREVIOUS", "candidate"}, V3: {"AWSCURRENT"}}


def test_a_custom_label_needs_its_holder_named(aws: Aws) -> None:
    """A custom label elsewhere is not moved by a call that does not say from where."""
    put(aws.client, V2, "mine")
    refused = code_of(
        lambda: aws.client.update_secret_version_stage(SecretId=NAME, VersionStage="mine", MoveToVersionId=V1)
    )
    assert refused == "InvalidParameterException"
    assert stages(aws.client) == {V1: {"AWSCURRENT"}, V2: {"mine"}}


def test_an_unknown_target_changes_nothing(aws: Aws) -> None:
    """A move to a version that does not exist does not strip the label."""
    refused = code_of(
        lambda: aws.client.update_secret_version_stage(
            SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=V4, RemoveFromVersionId=V1
        )
    )
    assert refused == "ResourceNotFoundException"
    assert stages(aws.client) == {V1: {"AWSCURRENT"}}


def test_the_current_label_cannot_be_removed(aws: Aws) -> None:
    """A secret never ends without AWSCURRENT."""
    refused = code_of(
        lambda: aws.client.update_secret_version_stage(SecretId=NAME, VersionStage="AWSCURRENT", RemoveFromVersionId=V1)
    )
    assert refused == "InvalidParameterException"
    assert stages(aws.client) == {V1: {"AWSCURRENT"}}


def test_a_stuck_pending_version_stops_a_rotation(aws: Aws) -> None:
    """RotateSecret refuses while AWSPENDING is on a version that is not current."""
    put(aws.client, V2, "AWSPENDING")
    refused = code_of(lambda: rotate(aws, V3))
    assert refused == "InvalidRequestException"
    assert stages(aws.client) == {V1: {"AWSCURRENT"}, V2: {"AWSPENDING"}}
    assert aws.function.events == []


def test_a_rotation_without_a_function_changes_nothing(aws: Aws) -> None:
    """RotateSecret without any ARN is refused; so is one for an unknown function."""
    refused = code_of(lambda: aws.client.rotate_secret(SecretId=NAME))
    assert refused == "InvalidRequestException"
    unknown = f"{LAMBDA}-other"
    refused = code_of(lambda: aws.client.rotate_secret(SecretId=NAME, RotationLambdaARN=unknown))
    assert refused == "ResourceNotFoundException"
    assert stages(aws.client) == {V1: {"AWSCURRENT"}}


def test_rotations_by_a_function_follow_each_other(aws: Aws) -> None:
    """AWSPENDING on the current version, the normal end of a rotation, allows the next one."""
    for token in (V2, V3, V4):
        rotate(aws, token)
    assert stages(aws.client) == {V3: {"AWSPREVIOUS"}, V4: {"AWSCURRENT", "AWSPENDING"}}
    described = aws.client.describe_secret(SecretId=NAME)
    assert described["RotationEnabled"]
    assert described["LastRotatedDate"] > described["CreatedDate"]


def test_a_failed_step_is_the_last(aws: Aws) -> None:
    """After a failed testSecret nothing is promoted and the version stays pending."""
    aws.function.broken = "testSecret"
    rotate(aws, V2)
    steps = [event["Step"] for event in aws.function.events]
    assert steps == ["createSecret", "setSecret", "testSecret"]
    assert stages(aws.client) == {V1: {"AWSCURRENT"}, V2: {"AWSPENDING"}}


def test_a_step_is_told_the_arn_and_a_rotation_token(aws: Aws) -> None:
    """Events carry what AWS documents, and the ARN rather than the name."""
    rotate(aws, V2)
    event = aws.function.events[0]
    assert event["SecretId"] == aws.client.describe_secret(SecretId=NAME)["ARN"]
    assert event["ClientRequestToken"] == V2
    assert len(event["RotationToken"]) >= 36


def test_a_rotation_test_runs_one_step_and_leaves_nothing(aws: Aws) -> None:
    """`RotateImmediately=False` runs testSecret only and removes the version it made."""
    rotate(aws, V2, immediately=False)
    assert [event["Step"] for event in aws.function.events] == ["testSecret"]
    assert stages(aws.client) == {V1: {"AWSCURRENT"}}


Call = Callable[["SecretsManagerClient"], object]
BEYOND: dict[str, tuple[Call, str]] = {
    "21 stages": (lambda c: put(c, V2, *(f"l{n}" for n in range(21))), "InvalidParameterException"),
    "21 labels over all versions": (
        lambda c: [put(c, f"{n:032}", *(f"l{n}-{m}" for m in range(7))) for n in range(3)],
        "LimitExceededException",
    ),
    "a long label": (lambda c: put(c, V2, "l" * 257), "InvalidParameterException"),
    "a large value": (lambda c: put(c, V2, value="v" * 65_537), "InvalidParameterException"),
    "a long token": (lambda c: put(c, "t" * 65), "InvalidParameterException"),
    "a long description": (
        lambda c: c.update_secret(SecretId=NAME, Description="d" * 2_049),
        "InvalidParameterException",
    ),
    "51 tags": (
        lambda c: c.tag_resource(SecretId=NAME, Tags=[{"Key": f"k{n}", "Value": ""} for n in range(51)]),
        "InvalidParameterException",
    ),
    "150 puts": (lambda c: [put(c, f"{n:032}") for n in range(150)], "LimitExceededException"),
    "an update with a used token": (
        lambda c: c.update_secret(SecretId=NAME, SecretString="one", ClientRequestToken=V1),
        "ResourceExistsException",
    ),
}


@pytest.mark.parametrize(("call", "code"), BEYOND.values(), ids=BEYOND)
def test_limits_are_kept(aws: Aws, call: Call, code: str) -> None:
    """What AWS refuses is refused, and one version stays current."""
    assert code_of(partial(call, aws.client)) == code
    held = [labels for labels in stages(aws.client).values() if "AWSCURRENT" in labels]
    assert len(held) == 1


def test_a_deleted_secret_takes_no_writes(aws: Aws) -> None:
    """Put, tag, label move and read are refused until the secret is restored, unchanged."""
    before = stages(aws.client)
    aws.client.delete_secret(SecretId=NAME)
    calls: list[Call] = [
        lambda c: put(c, V2),
        lambda c: c.tag_resource(SecretId=NAME, Tags=[{"Key": "a", "Value": "b"}]),
        lambda c: c.untag_resource(SecretId=NAME, TagKeys=["a"]),
        lambda c: c.update_secret_version_stage(SecretId=NAME, VersionStage="mine", MoveToVersionId=V1),
        lambda c: c.get_secret_value(SecretId=NAME),
    ]
    for call in calls:
        assert code_of(partial(call, aws.client)) == "InvalidRequestException"
    aws.client.restore_secret(SecretId=NAME)
    assert stages(aws.client) == before
    assert aws.client.describe_secret(SecretId=NAME)["Tags"] == []


def test_five_rotations_by_label_in_a_row(aws: Aws) -> None:
    """Pending, read back, promoted, cleared: each leaves one current and one previous version."""
    tokens = [f"{n:032}" for n in range(5)]
    for token in tokens:
        put(aws.client, token, "AWSPENDING")
        read_back = aws.client.get_secret_value(SecretId=NAME, VersionStage="AWSPENDING")
        assert read_back["SecretString"] == token
        promote(aws.client, token)
        aws.client.update_secret_version_stage(SecretId=NAME, VersionStage="AWSPENDING", RemoveFromVersionId=token)
    assert stages(aws.client) == {tokens[3]: {"AWSPREVIOUS"}, tokens[4]: {"AWSCURRENT"}}


def test_of_eight_racing_swaps_one_wins(aws: Aws) -> None:
    """Eight threads move AWSCURRENT from the same version to eight others; one succeeds."""
    tokens = [f"{n:032}" for n in range(8)]
    for token in tokens:
        put(aws.client, token, f"candidate-{token}")
    together = Barrier(len(tokens))

    def race(token: str) -> str:
        together.wait(timeout=600.0)
        try:
            aws.client.update_secret_version_stage(
                SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=token, RemoveFromVersionId=V1
            )
        except ClientError as error:
            return error.response["Error"]["Code"]
        return token

    with ThreadPoolExecutor(len(tokens)) as pool:
        results = list(pool.map(race, tokens))
    winners = [result for result in results if result in tokens]
    assert len(winners) == 1
    assert results.count("InvalidParameterException") == 7
    assert aws.client.get_secret_value(SecretId=NAME)["SecretString"] == winners[0]
    assert stages(aws.client)[V1] == {"AWSPREVIOUS"}
