"""What happens to a deployed stack, one scenario after the other. Each ends with both systems as they must be."""

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from rotator.audit.ledger import Entry
from rotator.audit.signers import verify
from rotator.config.file import load
from rotator.lambda_handlers.queue import group_of
from rotator.model.signing import fingerprint_of
from rotator.sandbox.pinata.faults import Injection, Operation, Respond, Side
from tests.e2e.consumers_aws import ConsumersAws
from tests.stack.aws.server import ATTEMPTS
from tests.stack.aws.under_moto import function
from tests.stack.deployment import NAMES, SCOPE, Deployment

WAIT_S = 600.0
AGE_S = 1.2
"""A little more than the `max_age` of the secret `uploader`."""
GRACE_S = 1.2
"""A little more than the `grace` of the secret `archive`."""
RECEIVES_MAX = 10
QUEUE, DEAD = "rotator-prod-due.fifo", "rotator-prod-dead.fifo"


@dataclass(frozen=True, slots=True)
class Scenario:
    """A name, and what is done and asserted under it."""

    name: str
    play: Callable[[Deployment], None]


def schedule(stack: Deployment) -> None:
    """A tick finds due secrets, the queue takes them, and `work` rotates them."""
    by_hand = {name: stack.current_key_id(name) for name in NAMES}
    answer = _tick(stack)
    assert answer["queued"] == len(by_hand), answer
    assert stack.aws.poller.drain() >= 1
    for name, key_id in by_hand.items():
        assert stack.current_key_id(name) != key_id
    assert by_hand["archive"] in stack.live_keys("archive")
    time.sleep(GRACE_S)
    _settle(stack, "archive")
    stack.assert_settled(*by_hand)
    assert stack.aws.poller.queues.bodies(QUEUE) == []


def rotate_secret(stack: Deployment) -> None:
    """RotateSecret invokes `native` four times; a tick retires the key before."""
    for name in ("gateway", "archive"):
        _rotate(stack, name)
        time.sleep(GRACE_S)
        _settle(stack, name)


def five_in_a_row(stack: Deployment) -> None:
    """Five rotations by Secrets Manager, nothing between them."""
    seen = {_rotate(stack, "gateway") for _ in range(5)}
    assert len(seen) == 5
    _settle(stack, "gateway")


def failing_test(stack: Deployment) -> None:
    """A key that Pinata refuses is not promoted; when Pinata is well again, a tick finishes the job."""
    before = stack.current_key_id("gateway")
    refuses = Injection(Respond(Side.BEFORE, 401), Operation.AUTHENTICATE, times=None)
    with stack.pinata.site.lock:
        stack.pinata.site.faults.add(refuses)
    failures = stack.failures("native")
    _begin(stack, "gateway")
    assert stack.failures("native") == failures + ATTEMPTS
    assert stack.current_key_id("gateway") == before
    assert "AWSPENDING" in stack.labels("gateway")
    with stack.pinata.site.lock:
        stack.pinata.site.faults.clear()
    _settle(stack, "gateway")
    assert stack.current_key_id("gateway") != before


def given_up(stack: Deployment) -> None:
    """A rotation that Secrets Manager gives up leaves a version without a value; where a key is urgent, it is cleared.

    Its age is asked for: by `native`, by the tick that sees it, and by `work`, which discards it.
    """
    before = stack.current_key_id("gateway")
    refuses = Injection(Respond(Side.BEFORE, 400), Operation.CREATE, times=None)
    with stack.pinata.site.lock:
        stack.pinata.site.faults.add(refuses)
    _begin(stack, "gateway")
    assert stack.current_key_id("gateway") == before
    assert "AWSPENDING" in stack.labels("gateway")
    with stack.pinata.site.lock:
        stack.pinata.site.faults.clear()
        keys = stack.pinata.site.world.keys
        keys[before] = replace(keys[before], revoked_at=time.time())
    _settle(stack, "gateway")
    assert stack.current_key_id("gateway") != before


def poisoned_message(stack: Deployment) -> None:
    """A message that is none of ours stops nobody in its own group, and ends in the dead-letter queue."""
    before = stack.current_key_id("uploader")
    sqs = stack.client("sqs")
    url = sqs.get_queue_url(QueueName=QUEUE)["QueueUrl"]
    poison = json.dumps({"name": "uploader", "arn": "arn:of:nobody"})
    group = group_of(load(stack.config).pinata)
    sqs.send_message(QueueUrl=url, MessageBody=poison, MessageGroupId=group, MessageDeduplicationId="poison")
    _tick_when_due(stack)
    stack.aws.poller.drain()
    assert stack.current_key_id("uploader") != before
    stack.aws.poller.drain(redeliveries=RECEIVES_MAX)
    queues = stack.aws.poller.queues
    assert queues.bodies(QUEUE) == []
    assert queues.bodies(DEAD) == [poison]
    stack.assert_settled("uploader")


def contained(stack: Deployment) -> None:
    """Somebody types a reason into `rotator:contain`: the key that is current then is replaced and dead."""
    leaked = {name: stack.current_key_id(name) for name in NAMES}
    for name in NAMES:
        stack.call("TagResource", SecretId=stack.arn(name), Tags=[{"Key": "rotator:contain", "Value": "in a log"}])
    answer = _tick(stack)
    assert answer["queued"] == len(NAMES), answer
    stack.aws.poller.drain()
    stack.assert_settled(*NAMES)
    for name in NAMES:
        assert stack.current_key_id(name) != leaked[name]
        assert not stack.call("DescribeSecret", SecretId=stack.arn(name)).get("Tags")


def killed(stack: Deployment) -> None:
    """`work` is killed with a key made but not stored, and again just before promotion; it converges."""
    for action in ("PutSecretValue", "UpdateSecretVersionStage"):
        before = stack.current_key_id("uploader")
        _tick_when_due(stack)
        with _killed_before(stack, "work", action) as victims:
            stack.aws.poller.drain()
        assert len(victims) == 1
        assert stack.current_key_id("uploader") == before
        stack.aws.poller.drain(redeliveries=1)
        _settle(stack, "uploader")
        assert stack.current_key_id("uploader") != before


def killed_natively(stack: Deployment) -> None:
    """`native` is killed with a key made but not stored; Secrets Manager begins again, and a tick clears up."""
    before = stack.current_key_id("gateway")
    made = len(stack.keys("gateway"))
    with _killed_before(stack, "native", "PutSecretValue") as victims:
        _begin(stack, "gateway")
    assert len(victims) == 1
    assert len(stack.keys("gateway")) == made + 2
    assert stack.current_key_id("gateway") != before
    _settle(stack, "gateway")


def migrated(stack: Deployment) -> None:
    """A secret goes from the schedule to Secrets Manager's rotation and back."""
    _rotate(stack, "uploader")
    _settle(stack, "uploader")
    stack.call("CancelRotateSecret", SecretId=stack.arn("uploader"))
    before = stack.current_key_id("uploader")
    _tick_when_due(stack)
    _settle(stack, "uploader")
    assert stack.current_key_id("uploader") != before


def timed_out(stack: Deployment) -> None:
    """`work` hangs until Lambda ends it; the write it had sent arrives after its death."""
    before = stack.current_key_id("uploader")
    _tick_when_due(stack)
    failures = stack.failures("work")
    with _held_back(stack, "work", "PutSecretValue") as held:
        stack.aws.poller.drain()
        assert stack.failures("work") == failures + 1
        assert stack.current_key_id("uploader") == before
        stack.aws.poller.drain(redeliveries=1)
        after, versions = stack.current_key_id("uploader"), stack.versions("uploader")
        held.release.set()
        _until(lambda: stack.versions("uploader") > versions)
        assert stack.current_key_id("uploader") == after != before
    _settle(stack, "uploader")  # which rotates once more where a second has passed
    assert stack.current_key_id("uploader") != before


def drifted(stack: Deployment) -> None:
    """AWSCURRENT moves to a key that a person made: the event wakes `tick` for that secret alone, and once."""
    name = "uploader"
    arn, before = stack.arn(name), stack.labels(name)
    stack.call("PutSecretValue", SecretId=arn, SecretString="CHANGEME-is-no-json", ClientRequestToken="e" * 32)
    ((told, answer, failed),) = stack.aws.label_moved(arn, "AWSCURRENT", "e" * 32)
    assert (told, failed) == (stack.function("tick"), False), answer
    assert (answer["secrets"], answer["awake"]) == (1, 1), answer
    assert stack.aws.label_moved(arn, "rotator:since:20260101T000000Z", "e" * 32) == []
    stranger = arn.replace(name, "somebody-elses")
    ((_, answer, failed),) = stack.aws.label_moved(stranger, "AWSCURRENT", "e" * 32)
    assert (answer["secrets"], answer["awake"], failed) == (0, 0, False)
    moved = {"MoveToVersionId": before["AWSCURRENT"], "RemoveFromVersionId": "e" * 32}
    stack.call("UpdateSecretVersionStage", SecretId=arn, VersionStage="AWSCURRENT", **moved)
    ((_, answer, failed),) = stack.aws.label_moved(arn, "AWSCURRENT", before["AWSCURRENT"])
    assert not failed, answer
    stack.aws.poller.drain(redeliveries=1)
    ((_, answer, _),) = stack.aws.label_moved(arn, "AWSCURRENT", before["AWSCURRENT"])
    assert answer["failed"] == 0, answer
    _settle(stack, name)


def followed(stack: Deployment) -> None:
    """A service and a function keep the key that they were started with: the one is redeployed, the other waited for.

    So it is for a rotation by the schedule, and for one by Secrets Manager.
    """
    name, arn = "archive", stack.arn("archive")
    aws = ConsumersAws(lambda: str(stack.call("GetSecretValue", SecretId=arn)["SecretString"]), arn)
    aws.deploy()
    aws.aliases["pinner:live"] = {"FunctionVersion": "7"}
    stack.aws.consumers = aws
    for rotate in (lambda: None, lambda: _rotate(stack, name)):
        before, deployments = stack.current_key_id(name), aws.deployments
        aws.functions["pinner:7"] = _changed_now()
        rotate()
        _tick(stack)
        stack.aws.poller.drain(redeliveries=1)
        assert stack.current_key_id(name) != before
        assert before in stack.live_keys(name)
        assert aws.deployments == deployments + 1
        time.sleep(GRACE_S)  # what began before the function's update has ended then
        aws.functions["pinner:7"] = _changed_now()
        time.sleep(GRACE_S)
        _settle(stack, name)
        assert (stack.live_keys(name), aws.deployments) == ([stack.current_key_id(name)], deployments + 1)


def _changed_now() -> dict[str, object]:
    written = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return {"LastModified": written, "LastUpdateStatus": "Successful", "Timeout": 1}


def sealed(stack: Deployment) -> None:
    """All that `work` and `native` have done is sealed by the stack's key, and its head noted on each secret."""
    for name in ("uploader", "gateway"):
        _rotate(stack, name)
        _settle(stack, name)
    assert {entry.listing.secret for entry in stack.entries()} == set(NAMES)
    assert stack.kms
    assert _signers(stack.entries()) == {fingerprint_of(stack.kms.der)}
    heads = [tag["Value"] for name in NAMES for tag in stack.describe(stack.arn(name))["Tags"]]
    assert len(heads) == len(NAMES)
    assert stack.entries()[0].head in {head.partition("@")[0] for head in heads}


def unsealed(stack: Deployment) -> None:
    """Where KMS throttles or denies, the key is rotated and the run listed without a seal; the next run seals both."""
    for code in ("ThrottlingException", "AccessDeniedException"):
        _rotate_unsealed(stack, code, "work", _rotate_when_due)
        _rotate_unsealed(stack, code, "native", partial(_rotate, name="uploader"))


def _rotate_unsealed(stack: Deployment, code: str, short: str, rotate: Callable[[Deployment], object]) -> None:
    assert stack.kms
    before, known = stack.current_key_id("uploader"), len(stack.entries())
    said = _times_said(stack, short, "audit_unsealed")
    stack.kms.refuse(400, code, only="Sign")
    rotate(stack)
    stack.kms.refusal = None
    assert stack.current_key_id("uploader") != before
    assert _signers(stack.entries()[:-known]) == {""}
    _until(lambda: _times_said(stack, short, "audit_unsealed") > said)
    with pytest.raises(RuntimeError, match="runs are not sealed"):
        stack.assert_settled()
    _rotate_when_due(stack)
    assert _signers(stack.entries()[:1]) == {fingerprint_of(stack.kms.der)}
    _settle(stack, "uploader")


def _rotate_when_due(stack: Deployment) -> None:
    _tick_when_due(stack)
    stack.aws.poller.drain()


def _signers(entries: Iterable[Entry]) -> set[str]:
    """Return who sealed some entries; empty for none."""
    return {verify(entry.seal, entry.message) if entry.seal else "" for entry in entries}


def _times_said(stack: Deployment, short: str, event: str) -> int:
    """Return how often a function has logged something."""
    return sum(event in line for line in stack.aws.functions.lines(stack.function(short)))


OPTIONAL = (
    Scenario("consumers are asked and redeployed before a key dies", followed),
    Scenario("the audit trail is sealed by the stack's own key", sealed),
    Scenario("a trail that KMS does not sign is sealed by the next run", unsealed),
)
"""For a stack that signs its audit trail, and whose last secret has consumers."""
SCENARIOS = (
    Scenario("a schedule tick rotates through the queue", schedule),
    Scenario("RotateSecret rotates in four steps", rotate_secret),
    Scenario("five rotations in a row", five_in_a_row),
    Scenario("a failing testSecret promotes nothing, and heals", failing_test),
    Scenario("a placeholder is cleared where a key is urgent", given_up),
    Scenario("a poisoned message ends in the dead-letter queue", poisoned_message),
    Scenario("a label that moves wakes the tick for its secret", drifted),
    Scenario("a tag typed in the console contains within a tick", contained),
    Scenario("work killed in mid-rotation converges", killed),
    Scenario("native killed in mid-rotation converges", killed_natively),
    Scenario("a secret migrates to native rotation and back", migrated),
    Scenario("work timed out in mid-rotation converges", timed_out),
)


def _tick(stack: Deployment) -> dict[str, Any]:
    """Let the schedule fire; the tick's answer."""
    ((name, answer, failed),) = stack.aws.tick()
    assert name == stack.function("tick")
    assert not failed, answer
    return dict(answer)


def _tick_when_due(stack: Deployment) -> None:
    """Let the schedule fire when `uploader` is due again."""
    versions = stack.call("ListSecretVersionIds", SecretId=stack.arn("uploader"))["Versions"]
    current = stack.labels("uploader")["AWSCURRENT"]
    (made,) = (one["CreatedDate"] for one in versions if one["VersionId"] == current)
    time.sleep(max(made + AGE_S - time.time(), 0))
    assert _tick(stack)["queued"] >= 1


def _settle(stack: Deployment, name: str) -> None:
    """Let the schedule fire and the queue be worked off, and see that all is as it must be."""
    _tick(stack)
    stack.aws.poller.drain(redeliveries=1)
    stack.assert_settled(name)


def _rotate(stack: Deployment, name: str) -> str:
    """Have Secrets Manager rotate a secret; the id of the new key, which is current."""
    before = stack.current_key_id(name)
    token = _begin(stack, name)
    assert stack.labels(name)["AWSCURRENT"] == token
    after = stack.current_key_id(name)
    assert after != before
    assert after in stack.live_keys(name)
    return after


def _begin(stack: Deployment, name: str) -> str:
    """Call RotateSecret, wait for what it starts; the new version's id."""
    arn = function(SCOPE, stack.function("native")).arn
    answer = stack.call(
        "RotateSecret", SecretId=stack.arn(name), RotationLambdaARN=arn, RotationRules={"AutomaticallyAfterDays": 30}
    )
    assert stack.aws.secrets.wait_for_rotations(WAIT_S)
    return str(answer["VersionId"])


@contextmanager
def _killed_before(stack: Deployment, short: str, operation: str) -> Iterator[list[str]]:
    """Kill a function just before its next call of an operation has its effect; who was killed."""
    victims: list[str] = []

    def strike(name: str, action: str) -> None:
        if not victims and (name, action) == (stack.function(short), f"secretsmanager:{operation}"):
            victims.append(name)
            stack.aws.functions.kill(name)
            raise ConnectionAbortedError

    stack.aws.witness.before = strike
    try:
        yield victims
    finally:
        stack.aws.witness.before = lambda _, __: None


@dataclass(slots=True)
class _HeldBack:
    """A call that was sent, and waits on its way."""

    victims: list[str] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)


@contextmanager
def _held_back(stack: Deployment, short: str, operation: str) -> Iterator[_HeldBack]:
    """Hold a function's next call of an operation on its way, and let the function's time run out meanwhile."""
    held = _HeldBack()

    def strike(name: str, action: str) -> None:
        if not held.victims and (name, action) == (stack.function(short), f"secretsmanager:{operation}"):
            held.victims.append(name)
            stack.aws.functions.expire(name)
            assert held.release.wait(WAIT_S)

    stack.aws.witness.before = strike
    try:
        yield held
    finally:
        held.release.set()
        stack.aws.witness.before = lambda _, __: None


def _until(holds: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.05)
