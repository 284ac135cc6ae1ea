"""Secrets that cannot be written where they are read: replicas, and secrets that an AWS service manages."""

import pytest

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.state import InvalidRequestError, ResourceNotFoundError
from rotator.sandbox.secrets_manager.store import Json, Scope

HERE, THERE = Scope("123456789012", "eu-central-1"), Scope("123456789012", "us-east-1")
TOKEN, NEXT_TOKEN = "v1" * 16, "v2" * 16
NAME = "prod/uploader"
REGIONS = [{"Region": THERE.region}]


@pytest.fixture
def aws() -> SecretsManager:
    """Give a Secrets Manager with one secret."""
    aws = SecretsManager(clock=lambda: 1_790_000_000.0)
    aws.answer("CreateSecret", {"Name": NAME, "SecretString": "first", "ClientRequestToken": TOKEN}, HERE)
    return aws


def put(aws: SecretsManager, scope: Scope) -> Json:
    """Put the second value."""
    sent = {"SecretId": NAME, "SecretString": "second", "ClientRequestToken": NEXT_TOKEN}
    return aws.answer("PutSecretValue", sent, scope)


def read(aws: SecretsManager, scope: Scope, secret_id: str = NAME) -> str:
    """Read the current value."""
    return str(aws.answer("GetSecretValue", {"SecretId": secret_id}, scope)["SecretString"])


def describe(aws: SecretsManager, scope: Scope) -> Json:
    """Describe the secret, and make sure that ListSecrets says the same of its primary and its owner."""
    described = aws.answer("DescribeSecret", {"SecretId": NAME}, scope)
    (listed,) = aws.answer("ListSecrets", {}, scope)["SecretList"]
    for field in ("ARN", "PrimaryRegion", "OwningService"):
        assert listed.get(field) == described.get(field)
    return described


def test_a_replica_reads_as_its_primary_and_is_not_written(aws: SecretsManager) -> None:
    """It has the region's own ARN and names its primary; what is put there is refused, and put here shows there."""
    assert "PrimaryRegion" not in describe(aws, HERE)
    aws.answer("ReplicateSecretToRegions", {"SecretId": NAME, "AddReplicaRegions": REGIONS}, HERE)
    primary, replica = describe(aws, HERE), describe(aws, THERE)
    assert primary["PrimaryRegion"] == replica["PrimaryRegion"] == HERE.region
    assert replica["ARN"] == primary["ARN"].replace(HERE.region, THERE.region)
    with pytest.raises(InvalidRequestError, match="on a replica secret"):
        put(aws, THERE)
    with pytest.raises(InvalidRequestError):
        aws.answer("TagResource", {"SecretId": NAME, "Tags": [{"Key": "a", "Value": "b"}]}, THERE)
    assert read(aws, HERE) == read(aws, THERE, replica["ARN"]) == "first"
    put(aws, HERE)
    assert read(aws, THERE) == "second"
    assert describe(aws, THERE)["VersionIdsToStages"] == describe(aws, HERE)["VersionIdsToStages"]


def test_a_replica_ends_with_its_replication(aws: SecretsManager) -> None:
    """Once the region is removed nothing is there, and another secret of that name is never taken for a replica."""
    aws.answer("ReplicateSecretToRegions", {"SecretId": NAME, "AddReplicaRegions": REGIONS}, HERE)
    aws.answer("RemoveRegionsFromReplication", {"SecretId": NAME, "RemoveReplicaRegions": [THERE.region]}, HERE)
    with pytest.raises(ResourceNotFoundError):
        read(aws, THERE)
    aws.answer("CreateSecret", {"Name": NAME, "SecretString": "another", "ClientRequestToken": TOKEN}, THERE)
    aws.answer("ReplicateSecretToRegions", {"SecretId": NAME, "AddReplicaRegions": REGIONS}, HERE)
    aws.answer("RemoveRegionsFromReplication", {"SecretId": NAME, "RemoveReplicaRegions": [THERE.region]}, HERE)
    assert read(aws, THERE) == "another"
    assert put(aws, THERE)["VersionId"] == NEXT_TOKEN


def test_a_secret_of_an_aws_service_is_written_by_nobody_else(aws: SecretsManager) -> None:
    """It names its owner; a value or a label of ours is refused, a tag is not, until nobody owns it."""
    aws.set_owner(NAME, "rds")
    assert describe(aws, HERE)["OwningService"] == "rds"
    with pytest.raises(InvalidRequestError, match="managed by another service"):
        put(aws, HERE)
    move = {"SecretId": NAME, "VersionStage": "mine", "MoveToVersionId": TOKEN}
    with pytest.raises(InvalidRequestError):
        aws.answer("UpdateSecretVersionStage", move, HERE)
    aws.answer("TagResource", {"SecretId": NAME, "Tags": [{"Key": "a", "Value": "b"}]}, HERE)
    assert read(aws, HERE) == "first"
    aws.set_owner(NAME, "")
    assert "OwningService" not in describe(aws, HERE)
    put(aws, HERE)
    with pytest.raises(ResourceNotFoundError):
        aws.set_owner("nobody", "rds")
