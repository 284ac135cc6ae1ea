"""The three handlers over both simulated systems on loopback, as Lambda, SQS and Secrets Manager call them."""

import json
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
import time_machine
from moto.sqs.models import sqs_backends

from rotator.engine.reconcile import preview
from rotator.lambda_handlers import native, tick, work
from rotator.lambda_handlers.invocation import Container
from rotator.model.errors import ConfigError, EventError, RotatorError, StepRefusedError
from rotator.model.secret import SecretSpec
from rotator.sandbox.running import SECRET, SECRET_NAME, Sandbox, value_of
from rotator.sandbox.secrets_manager.faults import Fault, Kind
from rotator.sandbox.secrets_manager.state import Found, ReplicaStatus, Secret
from rotator.sandbox.secrets_manager.store import Scope

SCOPE = Scope("123456789012", "eu-central-1")
GRACE_S = 3600
TRIES = 3
"""How often a call is sent until its failure is told."""
FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:rotator"


@dataclass
class Context:
    """What Lambda tells about an invocation."""

    left_ms: int = 120_000
    invoked_function_arn: str = FUNCTION

    def get_remaining_time_in_millis(self) -> int:
        """Return the time that is left."""
        return self.left_ms


@dataclass
class Functions:
    """The rotation function, in this process; it may fail before or after a step."""

    fails_before: list[str] = field(default_factory=list)
    fails_after: list[str] = field(default_factory=list)
    errors: list[RotatorError] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def exists(self, arn: str) -> bool:
        """There is one."""
        return arn == FUNCTION

    def run(self, arn: str, event: Mapping[str, str]) -> bool:
        """Invoke it."""
        del arn
        step = event["Step"]
        self.steps.append(step)
        self.tokens.add(event["RotationToken"])
        if step in self.fails_before:
            self.fails_before.remove(step)
            return False
        try:
            native(dict(event), Context())
        except RotatorError as error:
            self.errors.append(error)
            return False
        if step in self.fails_after:
            self.fails_after.remove(step)
            return False
        return True


@dataclass
class Cloud:
    """The sandbox, and a function in it."""

    sandbox: Sandbox
    functions: Functions
    printed: "pytest.CaptureFixture[str]"

    def ask(self, operation: str, **sent: Any) -> Any:  # noqa: ANN401 - parts of a JSON document
        """Do something directly in Secrets Manager."""
        secrets = self.sandbox.secrets_manager.secrets
        return secrets.answer(operation, {"SecretId": SECRET, **sent}, SCOPE)

    @property
    def arn(self) -> str:
        """The ARN of the secret."""
        return str(self.ask("DescribeSecret")["ARN"])

    def labels(self) -> dict[str, str]:
        """Return which version carries each label."""
        stages = self.ask("DescribeSecret")["VersionIdsToStages"]
        return {label: version for version, on in stages.items() for label in on}

    def live(self) -> list[str]:
        """Return the live keys but for the managing one."""
        return [k.key for k in self.sandbox.rotated_keys() if k.revoked_at is None]

    def rotate(self, **more: Any) -> str:  # noqa: ANN401 - parts of a JSON document
        """RotateSecret, and wait until the rotation is over; return its token."""
        token = str(uuid.uuid4())
        sent = {"ClientRequestToken": token, "RotationLambdaARN": FUNCTION, **more}
        self.ask("RotateSecret", **sent)
        assert self.sandbox.secrets_manager.secrets.wait_for_rotations(600)
        return token

    def event(self, step: str, token: str, **changes: Any) -> dict[str, Any]:  # noqa: ANN401 - parts of a JSON document
        """Return an event of Secrets Manager."""
        asked = {"Step": step, "SecretId": self.arn, "ClientRequestToken": token}
        return asked | {"RotationToken": str(uuid.uuid4())} | changes

    def calls(self) -> int:
        """Return how often either system was asked so far."""
        return len(self.sandbox.secrets_manager.requests) + len(self.sandbox.pinata.site.log)

    def figures(self) -> dict[str, Any]:
        """Return the last figures that were printed."""
        lines = self.printed.readouterr().out.splitlines()
        return dict(json.loads([line for line in lines if '"_aws"' in line][-1]))

    def failures(self) -> list[dict[str, Any]]:
        """Return what was logged as failed since somebody last looked."""
        lines = self.printed.readouterr().out.splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in told if line.get("event") == "failed"]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Cloud]:
    """Return a new sandbox, and a container that has not been invoked."""
    monkeypatch.setenv("ROTATOR_LOG_FORMAT", "json")
    with Sandbox(tmp_path) as sandbox:
        functions = Functions()
        sandbox.secrets_manager.secrets._lambdas = functions
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("rotator.lambda_handlers.invocation.CONTAINER", Container())
        yield Cloud(sandbox, functions, capsys)


def record(message_id: str, body: str, *, receives: int = 1) -> dict[str, Any]:
    """Return a record as SQS event sources send it."""
    attributes = {"ApproximateReceiveCount": str(receives), "SentTimestamp": "1700000000000", "MessageGroupId": "g"}
    whole = {"messageId": message_id, "receiptHandle": f"r-{message_id}"}
    return whole | {"body": body, "attributes": attributes}


def kept(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    """Return the messages that the queue keeps."""
    return [item["itemIdentifier"] for item in answer["batchItemFailures"]]


# tick


def test_tick_rotates_in_place(cloud: Cloud) -> None:
    """Without a queue a tick does what is due, and the next one has nothing to do."""
    old = cloud.live()
    assert tick({}, Context())["rotated"] == 1
    figures = cloud.figures()
    assert (figures["Function"], figures["Heartbeat"], figures["Rotated"]) == ("tick", 1, 1)
    assert cloud.live() != old
    assert len(cloud.live()) == 1
    assert tick({}, Context())["rotated"] == 0


def three_more(cloud: Cloud) -> None:
    """Configure three more secrets with hand-made keys."""
    with cloud.sandbox.config_path.open("a") as file:
        for number in range(3):
            name = f"prod/more-{number}"
            cloud.sandbox.create_secret(name, value_of(cloud.sandbox.seed_key(f"more {number}")))
            file.write(f'[[secrets]]\nname = "more-{number}"\nsecret_id = "{name}"\n')
            file.write('permissions = { resources = ["org:files:write"] }\n')


def test_tick_looks_at_so_many(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What one tick has no turn for has it in the next ones."""
    three_more(cloud)
    monkeypatch.setattr("rotator.lambda_handlers.schedule.LOOKS_MAX", 3)
    assert [tick({}, Context())["rotated"] for _ in range(3)] == [3, 1, 0]


def test_tick_stops_in_time(cloud: Cloud) -> None:
    """With too little time left no key is made: the secret is told as failed, and the next tick goes on."""
    old = cloud.live()
    assert tick({}, Context(left_ms=20_000))["failed"] == 1
    assert cloud.live() == old
    assert tick({}, Context())["rotated"] == 1


def test_managing_key_is_read_anew(cloud: Cloud) -> None:
    """A warm container uses the managing key that is in its secret now."""
    tick({}, Context())
    cloud.sandbox.secrets_manager.secrets.answer(
        "PutSecretValue", {"SecretId": "pinata/admin", "SecretString": "eyJ.e.e", "ClientRequestToken": "a" * 32}, SCOPE
    )
    assert tick({}, Context())["failed"] == 1


def test_error_is_ours_and_has_no_heartbeat(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration that cannot be used is told with its message, and counted."""
    monkeypatch.setenv("ROTATOR_CONFIG", "nowhere.toml")
    with pytest.raises(ConfigError, match="does not exist"):
        tick({}, Context())
    figures = cloud.figures()
    assert "Heartbeat" not in figures
    assert figures["FailedRuns"] == 1


def test_held_secret_is_counted(cloud: Cloud) -> None:
    """A secret on hold is told in the figures, and left alone."""
    old = cloud.live()
    cloud.ask("TagResource", Tags=[{"Key": "rotator:hold", "Value": "incident"}])
    assert tick({}, Context())["held"] == 1
    assert cloud.figures()["Held"] == 1
    assert cloud.live() == old


def test_tick_fills_a_queue_and_work_empties_it(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a queue a tick changes nothing itself; a worker that gets its message does."""
    sqs = boto3.client("sqs", endpoint_url=cloud.sandbox.secrets_manager.endpoint_url)
    fifo = {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName=f"{uuid.uuid4().hex}.fifo", Attributes=fifo)["QueueUrl"]
    monkeypatch.setenv("ROTATOR_QUEUE_URL", url)
    old = cloud.live()
    assert tick({"time": "not a time"}, Context())["queued"] == 1
    assert cloud.figures()["Queued"] == 1
    assert cloud.live() == old
    tick({}, Context())  # the same errand is one message
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])
    messages = [
        {
            "messageId": m["MessageId"],
            "receiptHandle": m["ReceiptHandle"],
            "body": m["Body"],
            "attributes": m["Attributes"],
        }
        for m in received["Messages"]
    ]
    assert len(messages) == 1
    assert kept(work({"Records": messages}, Context())) == []
    assert cloud.live() != old
    cloud.printed.readouterr()
    assert tick({}, Context())["queued"] == 0


@pytest.fixture
def queue(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> str:
    """Give the function a queue; return its address."""
    sqs = boto3.client("sqs", endpoint_url=cloud.sandbox.secrets_manager.endpoint_url)
    name, fifo = f"{uuid.uuid4().hex}.fifo", {"FifoQueue": "true"}
    url = sqs.create_queue(QueueName=name, Attributes=fifo)["QueueUrl"]
    monkeypatch.setenv("ROTATOR_QUEUE_URL", url)
    return str(url)


@pytest.mark.usefixtures("queue")
def test_what_a_tick_has_no_turn_for_is_looked_at_by_workers(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a queue the planner is asked about so many, and the others are queued without."""
    three_more(cloud)
    monkeypatch.setattr("rotator.lambda_handlers.schedule.LOOKS_MAX", 1)
    previewed: list[str] = []

    def counted(spec: SecretSpec, *args: Any) -> Any:  # noqa: ANN401 - passes on what it wraps
        previewed.append(spec.name)
        return preview(spec, *args)

    monkeypatch.setattr("rotator.lambda_handlers.schedule.preview", counted)
    assert tick({}, Context())["queued"] == 4
    assert len(previewed) == 1


@pytest.mark.usefixtures("queue")
def test_nothing_is_queued_that_is_for_a_person(cloud: Cloud) -> None:
    """A hold is counted, a value of another shape is told; neither is sent to the queue."""
    cloud.ask("TagResource", Tags=[{"Key": "rotator:hold", "Value": "incident"}])
    answer = tick({}, Context())
    assert (answer["held"], answer["queued"], answer["failed"]) == (1, 0, 0)
    cloud.ask("UntagResource", TagKeys=["rotator:hold"])
    cloud.ask("PutSecretValue", SecretString="no JSON", ClientRequestToken="x" * 32)
    answer = tick({}, Context())
    assert (answer["held"], answer["queued"], answer["failed"]) == (0, 0, 1)


@pytest.mark.usefixtures("queue")
def test_replica_that_does_not_follow_is_for_a_person(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """While a replica has failed the key before is told as held and overdue; it is queued once the replica is back."""
    replicated = [{"Region": "eu-west-1"}]
    cloud.ask("ReplicateSecretToRegions", AddReplicaRegions=replicated)
    secrets = cloud.sandbox.secrets_manager.secrets
    secrets.set_replica(SECRET, "eu-west-1", ReplicaStatus.FAILED)
    cloud.rotate()
    monkeypatch.setenv("ROTATOR_TICK_EVERY", "0s")
    event = {"time": (datetime.now(UTC) - timedelta(minutes=30)).isoformat()}
    answer = tick(event, Context())
    figures = cloud.figures()
    assert (answer["held"], answer["queued"], answer["failed"]) == (1, 0, 0)
    assert figures["OldKeysOverdue"] == 1
    assert len(cloud.live()) == 2
    secrets.set_replica(SECRET, "eu-west-1", ReplicaStatus.IN_SYNC)
    assert tick(event, Context())["queued"] == 1


@pytest.mark.usefixtures("queue")
def test_secret_that_there_is_no_time_to_judge_is_queued(cloud: Cloud) -> None:
    """A worker finds out what the tick had no time to ask the planner."""
    del cloud
    assert tick({}, Context(left_ms=20_000))["queued"] == 1


@pytest.mark.usefixtures("queue")
def test_aged_key_is_queued_without_asking_pinata(cloud: Cloud) -> None:
    """Where the labels tell that a key is due, no call to Pinata is spent on it."""
    old = f"g000001-20200101T000000Z-{'a' * 10}"
    text = str(cloud.ask("GetSecretValue")["SecretString"])
    cloud.ask("PutSecretValue", SecretString=text, ClientRequestToken=old)
    before = len(cloud.sandbox.pinata.site.log)
    assert tick({}, Context())["queued"] == 1
    assert len(cloud.sandbox.pinata.site.log) == before


def test_queue_that_is_not_there(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the queue did not take is told as failed; the next tick tries again."""
    url = f"{cloud.sandbox.secrets_manager.endpoint_url}/123456789012/none.fifo"
    monkeypatch.setenv("ROTATOR_QUEUE_URL", url)
    answer = tick({"time": "2026-11-24T20:00:00Z"}, Context())
    assert (answer["queued"], answer["failed"]) == (0, 1)


def test_lost_secret_is_told(cloud: Cloud) -> None:
    """A configured secret that is gone is a failure of its own."""
    cloud.ask("DeleteSecret", ForceDeleteWithoutRecovery=True)
    assert tick({}, Context())["failed"] == 1


@pytest.mark.parametrize(("allowed", "asked"), [("yes", True), ("no", False)])
def test_list_is_asked_for_where_it_is_allowed(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, allowed: str, *, asked: bool
) -> None:
    """A fleet is listed only if the template says that the role may."""
    with cloud.sandbox.config_path.open("a") as config:
        for name in ("second", "third"):
            cloud.sandbox.create_secret(f"prod/pinata/{name}")
            config.write(
                f'[[secrets]]\nname = "{name}"\nsecret_id = "prod/pinata/{name}"\n'
                'permissions = { resources = ["org:files:write"] }\n'
            )
    monkeypatch.setenv("ROTATOR_LIST_SECRETS", allowed)
    assert tick({}, Context())["secrets"] == 3
    operations = {request.operation for request in cloud.sandbox.secrets_manager.requests}
    assert ("ListSecrets" in operations) is asked


def test_permission_to_list_is_yes_or_no(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """Any other word is told, and nothing is done."""
    before = cloud.live()
    monkeypatch.setenv("ROTATOR_LIST_SECRETS", "maybe")
    with pytest.raises(ConfigError, match="ROTATOR_LIST_SECRETS"):
        tick({}, Context())
    assert cloud.live() == before


@pytest.mark.parametrize("period", ["often", ""])
def test_period_must_be_a_duration(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, period: str) -> None:
    """A period that is none is told, and nothing is done."""
    before = cloud.live()
    monkeypatch.setenv("ROTATOR_TICK_EVERY", period)
    with pytest.raises(ConfigError, match="ROTATOR_TICK_EVERY"):
        tick({}, Context())
    assert cloud.live() == before


# work


def test_poison_is_kept_and_stops_nobody(cloud: Cloud) -> None:
    """What is no errand of ours goes back to the queue by itself; the rest of its group is done."""
    good = json.dumps({"name": SECRET_NAME, "arn": cloud.arn})
    stranger = json.dumps({"name": "stranger", "arn": cloud.arn})
    elsewhere = json.dumps({"name": SECRET_NAME, "arn": cloud.arn.replace("uploader", "other")})
    records = [record("a", "nonsense"), record("b", stranger), record("c", elsewhere)]
    broken = record("e", good) | {"attributes": {}}
    answer = work({"Records": [*records, record("d", good), broken]}, Context())
    assert sorted(kept(answer)) == ["a", "b", "c", "e"]
    assert cloud.figures()["Rotated"] == 1


@pytest.mark.parametrize(
    ("part", "other"), [("eu-central-1", "us-east-1"), (":123456789012:", ":210987654321:"), (None, "zzzzzz")]
)
def test_message_about_another_secret_is_kept(cloud: Cloud, part: str | None, other: str) -> None:
    """The name is configured, but the ARN is of another region, account or secret: kept, told, and nothing done."""
    old, arn = cloud.live(), cloud.arn
    foreign = arn.replace(part, other) if part else arn[:-6] + other
    body = json.dumps({"name": SECRET_NAME, "arn": foreign})
    assert kept(work({"Records": [record("a", body)]}, Context())) == ["a"]
    printed = cloud.printed.readouterr().out
    assert '"FailedRuns": 1' in printed
    assert "names another secret" in printed
    assert cloud.live() == old


@pytest.fixture
def neighbour(cloud: Cloud) -> str:
    """Configure a second secret, with a key made by hand; return its ARN."""
    cloud.sandbox.create_secret("prod/pinata/gateway", value_of(cloud.sandbox.seed_key("by hand")))
    with cloud.sandbox.config_path.open("a") as config:
        config.write(
            '[[secrets]]\nname = "gateway"\nsecret_id = "prod/pinata/gateway"\n'
            'permissions = { resources = ["org:files:write"] }\n'
        )
    return str(cloud.ask("DescribeSecret", SecretId="prod/pinata/gateway")["ARN"])


def test_failure_stops_no_other_secret(cloud: Cloud, neighbour: str) -> None:
    """After a failure the next secret of the group is rotated; only what failed is kept, and its copies are not."""
    mine = json.dumps({"name": SECRET_NAME, "arn": cloud.arn})
    other = json.dumps({"name": "gateway", "arn": neighbour})
    cloud.sandbox.secrets_manager.faults.add(Fault(Kind.ERROR, "PutSecretValue", times=20))
    records = [record("a", mine), record("b", mine)]
    assert kept(work({"Records": records}, Context())) == ["a"]
    assert cloud.figures()["FailedRuns"] == 1
    cloud.sandbox.secrets_manager.faults.clear()
    strike = Fault(Kind.ERROR, "DescribeSecret", times=TRIES)
    cloud.sandbox.secrets_manager.faults.add(strike)
    records = [record("a", mine), record("b", mine), record("c", other)]
    assert kept(work({"Records": records}, Context())) == ["a"]
    figures = cloud.figures()
    assert (figures["FailedRuns"], figures["Rotated"]) == (1, 1)


def test_failure_is_logged_with_its_reason(cloud: Cloud) -> None:
    """The log names the secret, what happened and what to do, for every failure that is counted."""
    mine = json.dumps({"name": SECRET_NAME, "arn": cloud.arn})
    cloud.sandbox.secrets_manager.faults.add(Fault(Kind.ERROR, "DescribeSecret", times=TRIES))
    work({"Records": [record("a", mine)]}, Context())
    (told,) = cloud.failures()
    assert told["secret"] == SECRET_NAME
    assert "InternalServiceError" in told["error"]
    assert told["next_step"]
    cloud.ask("DeleteSecret", ForceDeleteWithoutRecovery=True)
    assert tick({}, Context())["failed"] == 1
    (told,) = cloud.failures()
    assert told["secret"] == SECRET_NAME


def test_no_time_left_keeps_everything(cloud: Cloud) -> None:
    """With too little time nothing is begun, everything is handed back, and one failure is told."""
    good = json.dumps({"name": SECRET_NAME, "arn": cloud.arn})
    records = [record(i, good) for i in "ab"]
    assert kept(work({"Records": records}, Context(left_ms=20_000))) == ["a", "b"]
    assert cloud.figures()["FailedRuns"] == 1


def test_kept_message_comes_back_soon(cloud: Cloud, queue: str) -> None:
    """What failed is handed out again in a minute, whatever the visibility timeout of the queue."""
    sqs = boto3.client("sqs", endpoint_url=cloud.sandbox.secrets_manager.endpoint_url)
    sqs.send_message(QueueUrl=queue, MessageBody="nonsense", MessageGroupId="g", MessageDeduplicationId="1")
    (message,) = sqs.receive_message(QueueUrl=queue, VisibilityTimeout=1080)["Messages"]
    poison = record("a", "nonsense") | {"receiptHandle": message["ReceiptHandle"]}
    assert kept(work({"Records": [poison]}, Context())) == ["a"]
    stored = sqs_backends[SCOPE.account][SCOPE.region].get_queue(queue.rpartition("/")[2])
    (in_flight,) = stored.pending_messages
    assert 0 < in_flight.visible_at / 1000 - time.time() <= 60


def test_what_needs_a_person_is_not_repeated(cloud: Cloud) -> None:
    """A value of another shape is told as failed and taken off the queue: repeating it cures nothing."""
    cloud.ask("PutSecretValue", SecretString="no JSON", ClientRequestToken="x" * 32)
    good = json.dumps({"name": SECRET_NAME, "arn": cloud.arn})
    assert kept(work({"Records": [record("a", good)]}, Context())) == []
    assert cloud.figures()["FailedRuns"] == 1


def test_foreign_event_is_an_error(cloud: Cloud) -> None:
    """An event that is none of SQS's is refused without a call."""
    before = cloud.calls()
    with pytest.raises(EventError):
        work({"Records": [{"body": "x"}]}, Context())
    assert cloud.calls() == before


# native


def test_rotations_in_a_row(cloud: Cloud) -> None:
    """Secrets Manager rotates again and again; a tick leaves one live key, and no token was printed."""
    for _ in range(5):
        token = cloud.rotate()
        assert cloud.functions.errors == []
        assert cloud.labels()["AWSCURRENT"] == token
        assert "AWSPENDING" not in cloud.labels()
    printed = cloud.printed.readouterr().out
    assert not [proof for proof in cloud.functions.tokens if proof in printed]
    assert "eyJ" not in printed
    assert tick({}, Context())["failed"] == 0
    assert len(cloud.live()) == 1
    assert cloud.functions.steps == ["createSecret", "setSecret", "testSecret", "finishSecret"] * 5


def test_test_alone_changes_nothing(cloud: Cloud) -> None:
    """With `RotateImmediately=False` testSecret succeeds, and no key is made."""
    tick({}, Context())
    before, live = cloud.labels(), cloud.live()
    cloud.rotate(RotateImmediately=False)
    assert cloud.functions.steps == ["testSecret"]
    assert cloud.functions.errors == []
    assert (cloud.labels(), cloud.live()) == (before, live)


@pytest.mark.parametrize("when", ["fails_before", "fails_after"])
@pytest.mark.parametrize("step", ["createSecret", "setSecret", "testSecret", "finishSecret"])
def test_failed_rotation_is_repeated_whole(cloud: Cloud, when: str, step: str) -> None:
    """A rotation that failed at any step, before or after it had its effect, is repeated with the key it made."""
    cloud.sandbox.secrets_manager.secrets._rotation_attempts = 2
    getattr(cloud.functions, when).append(step)
    token = cloud.rotate()
    assert cloud.labels()["AWSCURRENT"] == token
    assert cloud.functions.errors == []
    tick({}, Context())
    assert len(cloud.live()) == 1
    assert len(cloud.sandbox.rotated_keys()) == 2, "the one made by hand, and one more"


def test_key_that_was_not_stored_is_not_made_again_at_once(cloud: Cloud) -> None:
    """Secrets Manager repeats a step at once; a key whose store failed is followed by another after `settle` only."""
    settings = cloud.sandbox.config_path
    settings.write_text(settings.read_text().replace('settle = "0s"', 'settle = "5m"'))
    cloud.sandbox.secrets_manager.secrets._rotation_attempts = 3
    cloud.sandbox.secrets_manager.faults.add(Fault(Kind.ERROR, "PutSecretValue", times=1000))
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        token = cloud.rotate()
        cloud.sandbox.secrets_manager.faults.clear()
        first, *repeated = cloud.functions.errors
        assert "InternalServiceError" in first.message
        assert [isinstance(error, StepRefusedError) for error in repeated] == [True, True]
        assert all("BACKING_OFF" in error.message for error in repeated)
        assert len(cloud.sandbox.rotated_keys()) == 2
        clock.shift(301)
        for step in ("createSecret", "testSecret", "finishSecret"):
            native(cloud.event(step, token), Context())
        tick({}, Context())
    assert cloud.labels()["AWSCURRENT"] == token
    assert len(cloud.live()) == 1


def test_placeholder_that_is_not_listed_is_filled_or_given_up(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS does not say whether ListSecretVersionIds shows a version without a value: nothing depends on it."""

    def with_value(secret: Secret, *, include_deprecated: bool = False) -> tuple[Found, ...]:
        listed = shown(secret, include_deprecated=include_deprecated)
        return tuple(found for found in listed if found.value is not None)

    shown = Secret.list_versions
    monkeypatch.setattr(Secret, "list_versions", with_value)
    token = cloud.rotate()
    assert cloud.functions.errors == []
    assert cloud.labels()["AWSCURRENT"] == token
    tick({}, Context())
    cloud.functions.fails_before += ["createSecret"]
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        cloud.rotate()
        assert tick({}, Context())["failed"] == 0
        assert "AWSPENDING" in cloud.labels()
        clock.shift(2 * 3600)
        assert tick({}, Context())["failed"] == 0
    assert cloud.labels()["AWSCURRENT"] == token
    assert "AWSPENDING" not in cloud.labels()


def test_failing_test_does_not_promote(cloud: Cloud) -> None:
    """A key that is revoked before testSecret stays out of AWSCURRENT, by finishSecret as well; a tick heals."""
    settings = cloud.sandbox.config_path
    settings.write_text(settings.read_text().replace("settle", 'verify_timeout = "1s"\nsettle'))
    cloud.functions.fails_after.append("createSecret")
    token = cloud.rotate()
    current = cloud.labels()["AWSCURRENT"]
    world = cloud.sandbox.pinata.site.world
    (new,) = [k for k in world.keys.values() if k.name.endswith(token[:10])]
    world.keys[new.key] = replace(new, revoked_at=0.0)
    for step in ("testSecret", "finishSecret"):
        with pytest.raises(RotatorError):
            native(cloud.event(step, token), Context())
    assert cloud.labels()["AWSCURRENT"] == current
    assert tick({}, Context())["rotated"] == 1
    assert "AWSPENDING" not in cloud.labels()
    assert len(cloud.live()) == 1


def test_unknown_shape_makes_no_call(cloud: Cloud) -> None:
    """An event with another step, or about a secret that is not configured, is refused without a call."""
    token = cloud.rotate()
    events = [
        cloud.event("deleteSecret", token),
        cloud.event("createSecret", token, SecretId=cloud.arn.replace("uploader", "other")),
        cloud.event("createSecret", token, SecretId=cloud.arn.replace("eu-central-1", "us-east-1")),
        cloud.event("createSecret", token, SecretId=cloud.arn.replace(":1234", ":4321")),
    ]
    before = cloud.calls()
    for event in events:
        with pytest.raises(EventError):
            native(event, Context())
    assert cloud.calls() == before


def test_unknown_rotation_makes_one_call(cloud: Cloud) -> None:
    """A token that is not pending, a secret without rotation, another secret's ARN: one look, and nothing more."""
    tick({}, Context())
    arn = cloud.arn
    stranger = cloud.event("createSecret", str(uuid.uuid4()))
    another = cloud.event("createSecret", str(uuid.uuid4()), SecretId=arn[:-6] + "zzzzzz")
    for event in (stranger, another):
        before = cloud.calls()
        with pytest.raises(EventError):
            native(event, Context())
        assert cloud.calls() == before + 1
    cloud.rotate(RotateImmediately=False)
    before = cloud.calls()
    with pytest.raises(EventError, match="not labelled AWSPENDING"):
        native(stranger, Context())
    assert cloud.calls() == before + 1


@pytest.mark.usefixtures("queue")
def test_refused_rotations_renew_no_grace(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    """RotateSecret within each grace is refused with the reason, and the old key dies on time all the same."""
    monkeypatch.setenv("ROTATOR_TICK_EVERY", "1h")
    settings = cloud.sandbox.config_path
    settings.write_text(settings.read_text().replace('grace = "0s"', f'grace = "{GRACE_S}s"'))
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        (old,) = cloud.live()
        cloud.rotate()
        for _ in range(4):
            clock.shift(GRACE_S / 5)
            cloud.rotate()
            stalled = cloud.labels().get("AWSPENDING")
            if stalled:
                cloud.ask("UpdateSecretVersionStage", VersionStage="AWSPENDING", RemoveFromVersionId=stalled)
        assert any("WAITING_GRACE" in error.message for error in cloud.functions.errors)
        clock.shift(GRACE_S / 5 + 2)
        assert tick({}, Context())["queued"] == 1
        cloud.rotate()  # or whoever comes next
    assert old not in cloud.live()


def test_hold_is_a_refusal_and_counted(cloud: Cloud) -> None:
    """A person's hold fails the rotation, with words that say so."""
    cloud.ask("TagResource", Tags=[{"Key": "rotator:hold", "Value": "incident"}])
    cloud.rotate()
    (error,) = cloud.functions.errors
    assert isinstance(error, StepRefusedError)
    assert "ON_HOLD" in error.message
    assert cloud.figures()["Held"] == 1
