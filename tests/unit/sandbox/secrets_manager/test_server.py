"""AWS on a loopback port: answers, lists, lag, faults, and the controls under `/_sandbox/`."""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any, cast

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.faults import Fault, FaultPlan, Kind, Moment
from rotator.sandbox.secrets_manager.gate import DROPPED
from rotator.sandbox.secrets_manager.server import SecretsManagerServer
from rotator.sandbox.secrets_manager.state import InvalidParameterError
from rotator.sandbox.secrets_manager.store import Lag, Scope

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

V1, V2, V3 = (f"version-{n}-".ljust(32, "x") for n in range(1, 4))
NAME = "prod/pinata/uploader"
NO_RETRY = Config(retries={"total_max_attempts": 1, "mode": "standard"})
SCOPE = Scope("123456789012", "eu-central-1")


class Clock:
    """A clock that stands still unless told."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        """The time, in epoch seconds."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The clock of the server."""
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[SecretsManagerServer]:
    """A server with one secret of one version."""
    with SecretsManagerServer(clock=clock) as running:
        running.secrets.answer("CreateSecret", {"Name": NAME, "SecretString": "one", "ClientRequestToken": V1}, SCOPE)
        yield running


def connect(server: SecretsManagerServer, config: Config | None = None) -> "SecretsManagerClient":
    """A client with dummy credentials."""
    return boto3.client(
        "secretsmanager",
        region_name="eu-central-1",
        endpoint_url=server.endpoint_url,
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=config,
    )


@pytest.fixture
def client(server: SecretsManagerServer) -> Iterator["SecretsManagerClient"]:
    """A client that retries nothing."""
    with closing(connect(server, NO_RETRY)) as connected:
        yield connected


def put(client: "SecretsManagerClient", token: str) -> None:
    """A new current version."""
    client.put_secret_value(SecretId=NAME, ClientRequestToken=token, SecretString=token)


def current(client: "SecretsManagerClient") -> str:
    """The version a default read serves."""
    return client.get_secret_value(SecretId=NAME)["VersionId"]


def operations(server: SecretsManagerServer) -> list[tuple[str, int]]:
    """What was asked and how it ended."""
    return [(request.operation, request.status) for request in server.requests]


def steer(server: SecretsManagerServer, method: str, control: str, **body: object) -> Any:  # noqa: ANN401 - any JSON
    """Use a control as a client in another language would."""
    url = f"{server.endpoint_url}/_sandbox/{control}"
    request = urllib.request.Request(url, json.dumps(body).encode(), method=method)  # noqa: S310 - loopback
    with urllib.request.urlopen(request, timeout=600.0) as answer:  # noqa: S310 - loopback
        return json.load(answer)


@pytest.mark.slow
def test_ten_thousand_secrets_are_a_hundred_pages(server: SecretsManagerServer, client: "SecretsManagerClient") -> None:
    """ListSecrets shows every secret once, with stages, date, tags and ARN, 100 to a page."""
    for n in range(9_999):
        sent = {"Name": f"s{n}", "SecretString": "x", "ClientRequestToken": V1}
        tags = [{"Key": "n", "Value": str(n)}]
        server.secrets.answer("CreateSecret", {**sent, "Tags": tags}, SCOPE)
    pages = [page["SecretList"] for page in client.get_paginator("list_secrets").paginate()]
    assert [len(page) for page in pages] == [100] * 100
    assert len({secret["Name"] for page in pages for secret in page}) == 10_000
    last = pages[-1][-1]
    described = client.describe_secret(SecretId="s9998")
    assert last["SecretVersionsToStages"] == {V1: ["AWSCURRENT"]} == described["VersionIdsToStages"]
    assert last["Tags"] == [{"Key": "n", "Value": "9998"}] == described["Tags"]
    assert last["LastChangedDate"] == described["LastChangedDate"]
    assert client.describe_secret(SecretId=last["ARN"])["Name"] == "s9998"


def test_filters_select(server: SecretsManagerServer, client: "SecretsManagerClient") -> None:
    """Names and tags match by prefix, `!` negates, and deleted secrets are hidden."""
    for name in ("dev/a", "dev/b", "prod/c"):
        client.create_secret(Name=name, Tags=[{"Key": "team", "Value": name[-1]}])
    client.delete_secret(SecretId="dev/b")
    assert server.requests

    def names(key: str, value: str) -> set[str]:
        filters = [{"Key": key, "Values": [value]}]
        listed = client.list_secrets(Filters=cast("Any", filters))["SecretList"]
        return {secret["Name"] for secret in listed}

    assert names("name", "dev/") == {"dev/a"}
    assert names("tag-key", "team") == {"dev/a", "prod/c"}
    assert names("tag-value", "c") == {"prod/c"}
    assert names("name", "!prod/") == {"dev/a"}
    assert names("all", "PINATA") == {NAME}


def test_a_secret_lives_and_dies(client: "SecretsManagerClient", clock: Clock) -> None:
    """A deleted secret refuses its value until it is restored, and is gone after its window."""
    arn = client.describe_secret(SecretId=NAME)["ARN"]
    client.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    with pytest.raises(ClientError, match="InvalidRequestException"):
        client.get_secret_value(SecretId=arn[:-7])
    client.restore_secret(SecretId=NAME)
    assert current(client) == V1
    client.delete_secret(SecretId=NAME, RecoveryWindowInDays=7)
    clock.now += 8 * 86_400.0
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_secret(SecretId=NAME)
    assert client.create_secret(Name=NAME, SecretString="two")["ARN"] != arn


def test_a_creation_may_be_repeated(client: "SecretsManagerClient") -> None:
    """The same token and value succeed once more; another value does not."""
    client.create_secret(Name=NAME, SecretString="one", ClientRequestToken=V1)
    with pytest.raises(ClientError, match="ResourceExistsException"):
        client.create_secret(Name=NAME, SecretString="two", ClientRequestToken=V1)
    assert client.get_secret_value(SecretId=NAME)["SecretString"] == "one"


def test_bytes_come_back_as_bytes(client: "SecretsManagerClient") -> None:
    """SecretBinary survives the wire, and a batch shows it beside what is missing."""
    client.put_secret_value(SecretId=NAME, SecretBinary=b"\x00\xff")
    batch = client.batch_get_secret_value(SecretIdList=[NAME, "missing"])
    assert batch["SecretValues"][0]["SecretBinary"] == b"\x00\xff"
    assert batch["Errors"][0].get("ErrorCode") == "ResourceNotFoundException"


def test_listed_versions_hide_unlabelled_ones(client: "SecretsManagerClient") -> None:
    """ListSecretVersionIds shows deprecated versions on request only, and the real ARN."""
    put(client, V2)
    put(client, V3)
    shown = client.list_secret_version_ids(SecretId=NAME)
    assert [version.get("VersionId") for version in shown["Versions"]] == [V2, V3]
    every = client.list_secret_version_ids(SecretId=NAME, IncludeDeprecated=True, MaxResults=2)
    assert [version.get("VersionId") for version in every["Versions"]] == [V1, V2]
    assert every["ARN"] == client.describe_secret(SecretId=NAME)["ARN"]
    more = client.list_secret_version_ids(SecretId=NAME, IncludeDeprecated=True, NextToken=every["NextToken"])
    assert [version.get("VersionId") for version in more["Versions"]] == [V3]


def test_other_services_are_motos(server: SecretsManagerServer) -> None:
    """STS answers on the same endpoint, with a date; what nobody simulates is refused."""
    with closing(
        boto3.client(
            "sts",
            region_name="eu-central-1",
            endpoint_url=server.endpoint_url,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )
    ) as sts:
        answer = sts.get_caller_identity()
    assert answer["Account"] == SCOPE.account
    assert "date" in answer["ResponseMetadata"]["HTTPHeaders"]
    with closing(connect(server)) as client:
        assert len(client.get_random_password(PasswordLength=9)["RandomPassword"]) == 9
        with pytest.raises(ClientError, match="has no ValidateResourcePolicy"):
            client.validate_resource_policy(ResourcePolicy="{}")


def test_reads_lag_by_writes(server: SecretsManagerServer, client: "SecretsManagerClient") -> None:
    """Reads serve the state before the last write; writes do not, and lag can be confined."""
    put(client, V2)
    server.secrets.lag = Lag(writes=1)
    assert current(client) == V1
    client.update_secret_version_stage(
        SecretId=NAME, VersionStage="AWSCURRENT", MoveToVersionId=V1, RemoveFromVersionId=V2
    )
    assert current(client) == V2
    server.secrets.lag = Lag(writes=1, operations=frozenset({"ListSecrets"}))
    assert current(client) == V1
    listed = client.list_secrets()["SecretList"][0]["SecretVersionsToStages"]
    assert listed == {V2: ["AWSCURRENT"], V1: ["AWSPREVIOUS"]}


def test_reads_lag_by_time(server: SecretsManagerServer, client: "SecretsManagerClient", clock: Clock) -> None:
    """A write is seen once the lag has passed; a young secret is not found before."""
    steer(server, "PUT", "stale", age_s=2.0)
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        client.describe_secret(SecretId=NAME)
    clock.now += 10.0
    put(client, V2)
    clock.now += 1.9
    assert current(client) == V1
    clock.now += 0.2
    assert current(client) == V2


def test_throttling_ends_and_retries_cope(server: SecretsManagerServer) -> None:
    """boto3's own retries get through two throttled requests and every second one."""
    with closing(connect(server, Config(retries={"mode": "standard"}))) as client:
        server.faults.throttle(2, "PutSecretValue")
        put(client, V2)
        server.faults.throttle_every(2)
        assert current(client) == V2
        assert current(client) == V2
    puts = [status for name, status in operations(server) if name == "PutSecretValue"]
    gets = [status for name, status in operations(server) if name == "GetSecretValue"]
    assert puts == [400, 400, 200]
    assert gets == [200, 400, 200]


@pytest.mark.parametrize(("moment", "version"), [(Moment.BEFORE, V1), (Moment.AFTER, V2)], ids=["before", "after"])
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.ERROR, Kind.THROTTLE])
def test_a_fault_strikes_before_or_after_the_effect(
    server: SecretsManagerServer, client: "SecretsManagerClient", kind: Kind, moment: Moment, version: str
) -> None:
    """The client sees a failure either way; only a fault after the effect leaves a version."""
    server.faults.add(Fault(kind, "PutSecretValue", moment))
    with pytest.raises((ClientError, ConnectionClosedError)):
        put(client, V2)
    assert current(client) == version
    put(client, V2)
    assert current(client) == V2
    assert [name for name, _ in operations(server)].count("PutSecretValue") == 2
    statuses = {Kind.DROP: DROPPED, Kind.ERROR: 500, Kind.THROTTLE: 400}
    assert operations(server)[0] == ("PutSecretValue", statuses[kind])


def test_the_hook_runs_after_the_effect(clock: Clock) -> None:
    """`on_request` sees the number and operation while the client still waits."""
    seen: list[tuple[int, str, str]] = []
    secrets = SecretsManager(clock=clock)

    def hook(number: int, operation: str) -> None:
        listed = secrets.answer("ListSecrets", {}, SCOPE)["SecretList"]
        seen.append((number, operation, ",".join(secret["Name"] for secret in listed)))

    with SecretsManagerServer(secrets, clock=clock, on_request=hook) as server, closing(connect(server)) as client:
        client.create_secret(Name="a")
        client.create_secret(Name="b")
    assert seen == [(1, "CreateSecret", "a"), (2, "CreateSecret", "a,b")]


def test_controls_work_over_http(server: SecretsManagerServer, client: "SecretsManagerClient") -> None:
    """Faults, the record and a reset can be had by any HTTP client; nonsense is refused."""
    steer(server, "POST", "faults", kind="throttle", operation="DescribeSecret", times=0)
    steer(server, "POST", "faults", kind="delay", moment="after", delay_s=0.01)
    for _ in range(2):
        with pytest.raises(ClientError, match="ThrottlingException"):
            client.describe_secret(SecretId=NAME)
    steer(server, "DELETE", "faults")
    client.describe_secret(SecretId=NAME)
    recorded = steer(server, "GET", "requests")
    assert [request["status"] for request in recorded] == [400, 400, 200]
    assert set(recorded[0]) == {"operation", "at", "status"}
    for body in ({"kind": "flood"}, {"kind": "drop", "first": 0}, {"kind": "drop", "more": 1}, {}):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            steer(server, "POST", "faults", **body)
    steer(server, "POST", "reset")
    assert server.requests == ()
    assert client.list_secrets()["SecretList"] == []


def test_a_plan_counts_each_fault_for_itself() -> None:
    """First, every and times select requests of the operation, from when the fault was added."""
    plan = FaultPlan()
    fault = Fault(Kind.ERROR, "PutSecretValue", first=2, every=3, times=2)
    plan.add(fault)
    plan.strike("GetSecretValue")
    struck = [bool(plan.strike("PutSecretValue")) for _ in range(10)]
    assert [n for n, hit in enumerate(struck, start=1) if hit] == [2, 5]


def test_a_stopped_server_hangs_up(clock: Clock) -> None:
    """A kept-alive connection does not outlive its server."""
    with SecretsManagerServer(clock=clock) as server:
        client = connect(server, NO_RETRY)
        client.list_secrets()
    with closing(client), pytest.raises(Exception, match=r"(?i)connect"):
        client.list_secrets()


def test_replication_comes_to_what_is_said(server: SecretsManagerServer, client: "SecretsManagerClient") -> None:
    """A replica is in sync until a control says otherwise; other regions and other secrets keep their status."""
    client.replicate_secret_to_regions(
        SecretId=NAME, AddReplicaRegions=[{"Region": "eu-west-1"}, {"Region": "us-east-1"}]
    )
    before = client.describe_secret(SecretId=NAME)
    steer(server, "PUT", "replica", secret_id=NAME, region="us-east-1", status="Failed")
    after = client.describe_secret(SecretId=NAME)
    assert [replica["Status"] for replica in before["ReplicationStatus"]] == ["InSync", "InSync"]
    assert [replica["Status"] for replica in after["ReplicationStatus"]] == ["InSync", "Failed"]
    assert after["LastChangedDate"] == before["LastChangedDate"]
    assert "ReplicationStatus" not in client.list_secrets()["SecretList"][0]
    left = client.remove_regions_from_replication(SecretId=NAME, RemoveReplicaRegions=["us-east-1"])[
        "ReplicationStatus"
    ]
    assert [replica["Region"] for replica in left] == ["eu-west-1"]


@pytest.mark.parametrize(
    "sent",
    [
        {"secret_id": NAME, "region": "eu-west-1", "status": "InSync"},
        {"secret_id": "nobody", "region": "eu-west-1", "status": "InSync"},
        {"secret_id": NAME, "region": "eu-west-1", "status": "Lost"},
        {"secret_id": NAME, "region": "eu-west-1"},
    ],
    ids=["no replica there", "no such secret", "no such status", "no status"],
)
def test_unknown_replication_is_refused(
    server: SecretsManagerServer, client: "SecretsManagerClient", sent: dict[str, str]
) -> None:
    """A control that names nothing changes nothing."""
    with pytest.raises(urllib.error.HTTPError):
        steer(server, "PUT", "replica", **sent)
    assert "ReplicationStatus" not in client.describe_secret(SecretId=NAME)


@pytest.mark.parametrize("regions", [[], ["eu-west-1"]], ids=["none", "not as AWS writes them"])
def test_replication_names_its_regions(
    server: SecretsManagerServer, client: "SecretsManagerClient", regions: list[str]
) -> None:
    """Replicating to nowhere is refused."""
    assert client.meta.region_name == SCOPE.region
    sent = {"SecretId": NAME, "AddReplicaRegions": regions}
    with pytest.raises(InvalidParameterError):
        server.secrets.answer("ReplicateSecretToRegions", sent, SCOPE)
