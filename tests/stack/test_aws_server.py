"""Functions that really run, under the rights of their roles, fed by queues: with code made for the purpose."""

import io
import json
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from rotator.sandbox.secrets_manager.state import RuleError
from rotator.sandbox.secrets_manager.store import Scope
from tests.stack.aws.server import AwsServer
from tests.stack.aws.under_moto import function

SCOPE = Scope("123456789012", "eu-central-1")
QUEUE_ARN = f"arn:aws:sqs:{SCOPE.region}:{SCOPE.account}:"
CODE = """
import importlib.util, json, os, time, urllib.error, urllib.request

seen = 0

def handler(event, context):
    global seen
    seen += 1
    match event.get("do") or "batch":
        case "count":
            return seen
        case "raise":
            raise ValueError("on purpose")
        case "exit":
            os._exit(3)
        case "sleep":
            time.sleep(600)
        case "left":
            return context.get_remaining_time_in_millis()
        case "look":
            return [name for name in ("click", "moto", "boto3") if importlib.util.find_spec(name)]
        case "metric":
            directive = {"Namespace": "n", "Dimensions": [["Function"]], "Metrics": [{"Name": "Beats"}]}
            print(json.dumps({"_aws": {"CloudWatchMetrics": [directive]}, "Function": "f", "Beats": 2}))
        case "get":
            key = os.environ["AWS_ACCESS_KEY_ID"]
            scope = f"{key}/20260101/eu-central-1/secretsmanager/aws4_request"
            headers = {
                "X-Amz-Target": "secretsmanager.GetSecretValue",
                "Content-Type": "application/x-amz-json-1.1",
                "Authorization": f"AWS4-HMAC-SHA256 Credential={scope}",
            }
            body = json.dumps({"SecretId": event["id"]}).encode()
            request = urllib.request.Request(os.environ["AWS_ENDPOINT_URL"], body, headers)
            try:
                return json.load(urllib.request.urlopen(request))["SecretString"]
            except urllib.error.HTTPError as error:
                return json.load(error)["__type"]
        case "batch":
            bad = [one["messageId"] for one in event["Records"] if one["body"] == "bad"]
            if any(one["body"] == "terrible" for one in event["Records"]):
                raise ValueError
            return {"batchItemFailures": [{"itemIdentifier": one} for one in bad]}
"""


class Cloud:
    """One server, with a function and what it needs."""

    def __init__(self, aws: AwsServer) -> None:
        """Use a running server."""
        self.aws = aws

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients of services without stubs
        """Return a client of a person."""
        return boto3.client(  # type: ignore[call-overload]  # the service's name is not a literal
            service,
            endpoint_url=self.aws.endpoint_url,
            region_name=SCOPE.region,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    def deploy(self, name: str, code: str = CODE, timeout_s: int = 600, *actions: str) -> None:
        """Create a function whose role allows logs and some more actions."""
        role = {"RoleName": name, "AssumeRolePolicyDocument": "{}"}
        arn = self.client("iam").create_role(**role)["Role"]["Arn"]
        statement = {"Effect": "Allow", "Action": ["logs:*", *actions], "Resource": "*"}
        self.client("iam").put_role_policy(
            RoleName=name,
            PolicyName="p",
            PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
        )
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as bundle:
            bundle.writestr("toy.py", code)
        self.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.13",
            Role=arn,
            Handler="toy.handler",
            Timeout=timeout_s,
            Code={"ZipFile": zipped.getvalue()},
        )

    def invoke(self, name: str, **event: str) -> Any:  # noqa: ANN401 - what the function returned
        """Invoke as a client does; the payload, or the type of the error."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        payload = json.loads(answer["Payload"].read())
        return payload["errorType"] if "FunctionError" in answer else payload

    def feed(self, name: str, *bodies: str) -> None:
        """Connect a queue of three chances to a function, and send messages of one group."""
        sqs = self.client("sqs")
        for queue, redrive in ((f"{name}-dead.fifo", None), (f"{name}.fifo", f"{name}-dead.fifo")):
            attributes = {"FifoQueue": "true", "VisibilityTimeout": "120"}
            if redrive:
                policy = {"deadLetterTargetArn": QUEUE_ARN + redrive, "maxReceiveCount": 3}
                attributes["RedrivePolicy"] = json.dumps(policy)
            url = sqs.create_queue(QueueName=queue, Attributes=attributes)["QueueUrl"]
        self.client("lambda").create_event_source_mapping(
            FunctionName=name,
            EventSourceArn=f"{QUEUE_ARN}{name}.fifo",
            BatchSize=5,
            FunctionResponseTypes=["ReportBatchItemFailures"],
        )
        for number, body in enumerate(bodies):
            sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId="g", MessageDeduplicationId=str(number))


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    """AWS with no function in it."""
    with AwsServer(tmp_path / "functions", SCOPE) as aws:
        yield Cloud(aws)


def test_an_environment_is_kept_warm_until_it_dies(cloud: Cloud) -> None:
    """What a module keeps is there at the next call, and gone after a crash; a raise is no crash."""
    cloud.deploy("warm")
    assert [cloud.invoke("warm", do="count") for _ in range(2)] == [1, 2]
    assert cloud.invoke("warm", do="raise") == "ValueError"
    assert cloud.invoke("warm", do="count") == 4
    assert cloud.invoke("warm", do="exit") == "Runtime.ExitError"
    assert cloud.invoke("warm", do="count") == 1


def test_a_timeout_ends_the_process(cloud: Cloud) -> None:
    """A call that exceeds the function's timeout is an error, and the next one starts cold."""
    cloud.deploy("slow", CODE, 3)
    assert cloud.invoke("slow", do="sleep") == "Sandbox.Timedout"
    assert cloud.invoke("slow", do="count") == 1
    assert 0 < cloud.invoke("slow", do="left") <= 3000


def test_a_handler_that_cannot_be_loaded_is_an_error(cloud: Cloud) -> None:
    """The error of the import comes back to the caller."""
    cloud.deploy("broken", "import nothing_of_this_name")
    assert cloud.invoke("broken") == "Runtime.ImportModuleError"


def test_a_function_sees_its_bundle_only(cloud: Cloud) -> None:
    """No package of the machine can be imported by accident."""
    cloud.deploy("lonely")
    assert cloud.invoke("lonely", do="look") == []


def test_metrics_are_found_in_the_log(cloud: Cloud) -> None:
    """What is printed in the embedded metric format is a metric."""
    cloud.deploy("metered")
    cloud.invoke("metered", do="metric")
    until = time.monotonic() + 600.0  # the answer may overtake the log
    while not (found := cloud.aws.functions.metrics("metered")) and time.monotonic() < until:
        time.sleep(0.01)
    (metric,) = found
    assert (metric.name, metric.value, metric.dimensions) == ("Beats", 2.0, (("Function", "f"),))


def test_a_call_needs_a_right(cloud: Cloud) -> None:
    """Without it the call is refused and noted as missing; with it, it is noted as used."""
    sent = {"Name": "a", "SecretString": "v", "ClientRequestToken": "0" * 32}
    cloud.aws.secrets.answer("CreateSecret", sent, SCOPE)
    cloud.deploy("poor")
    cloud.deploy("rich", CODE, 600, "secretsmanager:GetSecretValue")
    assert cloud.invoke("poor", do="get", id="a") == "AccessDeniedException"
    assert cloud.invoke("rich", do="get", id="a") == "v"
    asked = {
        use.function: use.granted for use in cloud.aws.witness.uses if use.action == "secretsmanager:GetSecretValue"
    }
    assert asked == {"poor": False, "rich": True}


def test_a_customers_key_needs_rights_of_its_own(cloud: Cloud) -> None:
    """A value under a customer's KMS key cannot be read without kms:Decrypt."""
    sent = {"Name": "k", "SecretString": "v", "ClientRequestToken": "0" * 32, "KmsKeyId": "key"}
    cloud.aws.secrets.answer("CreateSecret", sent, SCOPE)
    cloud.deploy("keyless", CODE, 20, "secretsmanager:GetSecretValue")
    assert cloud.invoke("keyless", do="get", id="k") == "AccessDeniedException"


def test_rotation_needs_the_functions_consent(cloud: Cloud) -> None:
    """RotateSecret is refused while the function's policy does not let Secrets Manager of this account in."""
    sent = {"Name": "r", "SecretString": "v", "ClientRequestToken": "0" * 32}
    cloud.aws.secrets.answer("CreateSecret", sent, SCOPE)
    cloud.deploy("rotor")
    arn = function(SCOPE, "rotor").arn
    sent = {"SecretId": "r", "RotationLambdaARN": arn, "ClientRequestToken": "1" * 32}
    with pytest.raises(RuleError):
        cloud.aws.secrets.answer("RotateSecret", sent, SCOPE)
    cloud.client("lambda").add_permission(
        FunctionName="rotor",
        StatementId="s",
        Action="lambda:InvokeFunction",
        Principal="secretsmanager.amazonaws.com",
        SourceAccount=SCOPE.account,
    )
    cloud.aws.secrets.answer("RotateSecret", sent, SCOPE)


def test_what_a_batch_reports_as_failed_stays(cloud: Cloud) -> None:
    """The other messages are deleted at once; the failed one ends in the dead-letter queue after three receives."""
    cloud.deploy("picky", CODE, 20, "sqs:*")
    cloud.feed("picky", "good", "bad", "good too")
    cloud.aws.poller.drain()
    assert cloud.aws.poller.queues.bodies("picky.fifo") == ["bad"]
    cloud.aws.poller.drain(redeliveries=3)
    assert cloud.aws.poller.queues.bodies("picky.fifo") == []
    assert cloud.aws.poller.queues.bodies("picky-dead.fifo") == ["bad"]


def test_a_batch_whose_function_fails_stays_whole(cloud: Cloud) -> None:
    """Nothing of it is deleted."""
    cloud.deploy("weak", CODE, 20, "sqs:*")
    cloud.feed("weak", "good", "terrible")
    cloud.aws.poller.drain()
    assert cloud.aws.poller.queues.bodies("weak.fifo") == ["good", "terrible"]
