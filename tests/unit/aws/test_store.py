"""The store at the wire's edge: what each fault of a call comes to, and that nothing leaks with it.

Answers are made up below botocore, so its own parsing, signing and retries take part.
"""

import json
import pickle
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    CredentialRetrievalError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    ReadTimeoutError,
)

import rotator
from rotator.aws.client import client_config
from rotator.aws.credential_process import CredentialProcessError
from rotator.aws.store import LIST_DENIED_FOR_S, SecretsManagerStore
from rotator.model.credential import Sensitive
from rotator.model.errors import (
    ConfigError,
    DeadlineExceededError,
    LabelConflictError,
    Remedy,
    RotatorError,
    SecretNotFoundError,
    SecretValueError,
    StoreDeniedError,
    StoreError,
    StoreRejectedError,
    StoreUnavailableError,
)
from rotator.model.observed import AWSCURRENT, AWSPENDING

ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/pinata/uploader-AbCdEf"
OLD = "g000001-20261101T000000Z-aaaaaaaaaa"
NEW = "g000002-20261122T000000Z-bbbbbbbbbb"
OTHER = "g000002-20261122T000001Z-cccccccccc"
CANARY = "hunter2-not-to-be-seen-anywhere"


@dataclass
class Minutes:
    """A deadline on a clock that moves when somebody sleeps."""

    left_s: float = 120.0
    slept_s: float = 0.0

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.left_s - self.slept_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept_s += seconds


@dataclass(frozen=True)
class Http:
    """An answer on the wire."""

    status: int
    body: bytes
    date: str | None = None


@dataclass(frozen=True)
class Unsigned:
    """A failure on the way to the wire: nothing is sent."""

    failure: Exception


Line = Http | Exception | Unsigned


@dataclass
class Wire:
    """Answers requests from a script, whose last line repeats, and remembers what was sent."""

    script: list[Line]
    asked: list[str] = field(default_factory=list)

    def sign(self, **_: object) -> None:
        """Fail before anything is sent, if the script says so."""
        if self.script and isinstance(self.script[0], Unsigned):
            raise self.script[0].failure

    def answer(self, request: AWSRequest, **_: object) -> Any:  # noqa: ANN401 - the stubs say None
        """Stand in for the network."""
        target = request.headers["X-Amz-Target"]
        name = target.decode() if isinstance(target, bytes) else target
        self.asked.append(name.partition(".")[2])
        line = self.script[0] if len(self.script) == 1 else self.script.pop(0)
        if isinstance(line, Exception):
            raise line
        assert isinstance(line, Http)
        headers = HTTPHeaders()
        headers["x-amzn-RequestId"] = "11111111-2222-3333-4444-555555555555"
        if line.date:
            headers["Date"] = line.date
        raw = SimpleNamespace(stream=lambda *_, **__: iter([line.body]))
        return AWSResponse(str(request.url), line.status, headers, raw)


@dataclass
class Edge:
    """A store whose wire is ours."""

    store: SecretsManagerStore
    wire: Wire
    deadline: Minutes


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat at once."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture
def edge() -> Edge:
    """A store with a client as the program configures it, and an empty script."""
    wire, deadline = Wire([]), Minutes()
    client = boto3.client("secretsmanager", region_name="eu-central-1", config=client_config())
    client.meta.events.register("request-created.secrets-manager", wire.sign)
    client.meta.events.register("before-send.secrets-manager", wire.answer)
    return Edge(SecretsManagerStore(client, clock=lambda: 0.0, sleep=deadline.sleep), wire, deadline)


def ok(**body: object) -> Http:
    """Return a 200 answer about the secret."""
    return Http(200, json.dumps({"ARN": ARN, "Name": "prod/pinata/uploader", **body}).encode())


def refused(code: str, message: str = CANARY, status: int = 400) -> Http:
    """Return a refusal whose message holds the canary."""
    return Http(status, json.dumps({"__type": code, "Message": message}).encode())


def described(**holders: str) -> Http:
    """Return a description with these labels; `pending=NEW` is AWSPENDING on NEW."""
    stages: dict[str, list[str]] = {}
    for label, version in holders.items():
        stages.setdefault(version, []).append(f"AWS{label.upper()}")
    return ok(LastChangedDate=1_795_000_000.25, VersionIdsToStages=stages)


CALLS: dict[str, Callable[[Edge], object]] = {
    "describe": lambda e: e.store.describe(ARN, e.deadline),
    "survey": lambda e: e.store.survey((ARN,), e.deadline),
    "read": lambda e: e.store.read(ARN, NEW, e.deadline),
    "read_current": lambda e: e.store.read_current(ARN, e.deadline),
    "read_current_values": lambda e: e.store.read_current_values((ARN, f"{ARN}2"), e.deadline),
    "put": lambda e: e.store.put_pending(ARN, NEW, Sensitive(CANARY), frozenset(), e.deadline),
    "promote": lambda e: e.store.promote(ARN, NEW, OLD, e.deadline),
    "remove": lambda e: e.store.remove(ARN, NEW, AWSPENDING, e.deadline),
}
READS = ("describe", "survey", "read", "read_current", "read_current_values")
WRITES = ("put", "promote", "remove")
Kinds = type[RotatorError] | dict[str, type[RotatorError]]

_BY_EFFECT: Kinds = {**dict.fromkeys(READS, StoreUnavailableError), **dict.fromkeys(WRITES, StoreRejectedError)}
_DELETED: Kinds = {**dict.fromkeys(READS, SecretNotFoundError), **dict.fromkeys(WRITES, StoreRejectedError)}
_NOT_AN_ID: Kinds = {**dict.fromkeys(CALLS, StoreRejectedError), "describe": SecretNotFoundError}
FAULTS: dict[str, tuple[Line, Kinds]] = {
    "role lacks the right": (refused("AccessDeniedException"), StoreDeniedError),
    "role lacks the right (XML services)": (refused("AccessDenied", status=403), StoreDeniedError),
    "403 from something else": (Http(403, CANARY.encode()), StoreDeniedError),
    "unknown access key": (refused("UnrecognizedClientException"), StoreDeniedError),
    "wrong secret key": (refused("InvalidSignatureException"), StoreDeniedError),
    "session is over": (refused("ExpiredTokenException"), StoreDeniedError),
    "no credentials": (Unsigned(NoCredentialsError()), ConfigError),
    "credential process fails": (Unsigned(CredentialRetrievalError(provider="process", error_msg=CANARY)), ConfigError),
    "throttled": (refused("ThrottlingException"), _BY_EFFECT),
    "throttled by status": (Http(429, CANARY.encode()), _BY_EFFECT),
    "bad parameter": (refused("InvalidParameterException"), _NOT_AN_ID),
    "bad state": (refused("InvalidRequestException"), StoreRejectedError),
    "marked for deletion": (refused("InvalidRequestException", "it was marked for deletion. " + CANARY), _DELETED),
    "version id is taken": (refused("ResourceExistsException"), StoreRejectedError),
    "quota": (refused("LimitExceededException"), StoreRejectedError),
    "key cannot encrypt": (refused("EncryptionFailure"), StoreRejectedError),
    "key cannot decrypt": (refused("DecryptionFailure"), StoreRejectedError),
    "a refusal no list has": (refused("BrandNewException"), StoreRejectedError),
    "a code that is none": (refused(f"{CANARY} was sent"), StoreRejectedError),
    "a code as long as a secret": (refused(CANARY * 2), StoreRejectedError),
    "internal error": (refused("InternalServiceError", status=500), StoreUnavailableError),
    "bad gateway": (Http(502, f"<html>{CANARY}</html>".encode()), StoreUnavailableError),
    "no connection": (EndpointConnectionError(endpoint_url=f"https://aws.example/{CANARY}"), StoreUnavailableError),
    "connection lost": (ConnectionClosedError(endpoint_url=f"https://aws.example/{CANARY}"), StoreUnavailableError),
    "no answer": (ReadTimeoutError(endpoint_url=f"https://aws.example/{CANARY}"), StoreUnavailableError),
    "an unforeseen library fault": (RuntimeError(CANARY), StoreUnavailableError),
    "page of a proxy": (Http(200, f"<html>{CANARY}</html>".encode()), StoreUnavailableError),
    "empty answer": (Http(200, b""), StoreUnavailableError),
    "JSON that is no object": (Http(200, json.dumps([CANARY]).encode()), StoreUnavailableError),
    "bytes that are no text": (Http(200, b"\xff" + CANARY.encode()), StoreUnavailableError),
    "refusal that is no object": (Http(400, json.dumps(CANARY).encode()), StoreUnavailableError),
    "bottomless JSON": (Http(200, b"[" * 100_000), StoreUnavailableError),
    "redirect": (Http(302, CANARY.encode()), StoreUnavailableError),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", CALLS)
def test_fault_becomes_one_of_our_errors_and_leaks_nothing(edge: Edge, call: str, fault: str) -> None:
    """Each operation x each fault is the class its caller decides by, and carries no trace."""
    line, kinds = FAULTS[fault]
    edge.wire.script = [line]
    with pytest.raises(RotatorError) as caught:
        CALLS[call](edge)
    kind = kinds[call] if isinstance(kinds, dict) else kinds
    assert type(caught.value) is kind
    assert_clean(caught.value)


@pytest.mark.parametrize("call", WRITES)
def test_message_tells_whether_anything_changed(edge: Edge, call: str) -> None:
    """A person reads from the message alone what happened to what, and in what state things are."""
    edge.wire.script = [refused("EncryptionFailure")]
    with pytest.raises(StoreRejectedError) as sure:
        CALLS[call](edge)
    edge.wire.script = [refused("InternalServiceError", status=500)]
    with pytest.raises(StoreUnavailableError) as unsure:
        CALLS[call](edge)
    assert sure.value.message.endswith("This call changed nothing")
    assert unsure.value.message.endswith("It may or may not have taken effect")
    for text in (sure.value.message, unsure.value.message):
        assert ARN in text
        assert "request 11111111-2222-3333-4444-555555555555" in text
    assert "EncryptionFailure" in sure.value.message
    assert "kms:GenerateDataKey" in sure.value.next_step


@pytest.mark.parametrize(
    ("call", "operation"),
    [
        ("describe", "DescribeSecret"),
        ("survey", "ListSecrets"),
        ("read", "GetSecretValue"),
        ("read_current_values", "BatchGetSecretValue"),
        ("put", "PutSecretValue"),
        ("promote", "UpdateSecretVersionStage"),
    ],
)
def test_denial_names_the_missing_right(edge: Edge, call: str, operation: str) -> None:
    """The right in the message can be pasted into a policy."""
    edge.wire.script = [refused("AccessDeniedException")]
    with pytest.raises(StoreDeniedError, match=f"`secretsmanager:{operation}`") as caught:
        CALLS[call](edge)
    assert caught.value.remedy is Remedy.PERSON


def test_denied_list_is_not_asked_for_again_within_an_hour(edge: Edge) -> None:
    """A fleet whose policy leaves ListSecrets out makes no denied call with every look."""
    edge.wire.script = [refused("AccessDeniedException")]
    for _ in range(2):
        with pytest.raises(StoreDeniedError, match="`secretsmanager:ListSecrets`"):
            edge.store.survey((ARN,), edge.deadline)
    assert edge.wire.asked == ["ListSecrets"]
    edge.store._list_denied_at_s -= LIST_DENIED_FOR_S
    edge.wire.script = [ok(SecretList=[])]
    assert edge.store.survey((ARN,), edge.deadline) == {}


def test_of_several_values_each_is_read_missing_or_unknown(edge: Edge) -> None:
    """One that a batch refuses, holds as bytes or says nothing of may be anything; one without a value is left out."""
    arns = tuple(f"{ARN[:-1]}{number}" for number in range(5))
    errors = [
        {"SecretId": arns[1], "ErrorCode": "AccessDeniedException", "Message": CANARY},
        {"SecretId": arns[2], "ErrorCode": "ResourceNotFoundException", "Message": CANARY},
    ]
    values = [{"ARN": arns[0], "SecretString": CANARY}, {"ARN": arns[3], "SecretBinary": "AAE="}]
    edge.wire.script = [ok(SecretValues=values, Errors=errors)]
    read = edge.store.read_current_values(arns, edge.deadline)
    assert read == {arns[0]: Sensitive(CANARY), arns[1]: None, arns[3]: None, arns[4]: None}
    assert edge.wire.asked == ["BatchGetSecretValue"]


def test_denial_about_the_key_names_the_key(edge: Edge) -> None:
    """AWS says AccessDenied for the KMS key, too; the secret's own rights are not the trouble."""
    edge.wire.script = [refused("AccessDeniedException", "Access to KMS is not allowed")]
    with pytest.raises(StoreDeniedError, match="denied the use of the KMS key") as caught:
        CALLS["read"](edge)
    assert "kms:Decrypt" in caught.value.next_step


def test_denial_names_the_policy(edge: Edge) -> None:
    """The role's own policy is not to blame for what the organization forbids."""
    sentence = (
        f"User: arn:aws:iam::111122223333:user/{CANARY} is not authorized to perform: secretsmanager:PutSecretValue "
        f"on resource: {ARN} with an explicit deny in a service control policy"
    )
    edge.wire.script = [refused("AccessDeniedException", sentence)]
    with pytest.raises(
        StoreDeniedError, match="a service control policy denies `secretsmanager:PutSecretValue`"
    ) as caught:
        CALLS["put"](edge)
    assert "organization" in caught.value.next_step
    assert_clean(caught.value)


def test_default_key_across_accounts_needs_a_person(edge: Edge) -> None:
    """No grant helps: the key is AWS's, and of one account."""
    said = "You can't access a secret from a different AWS account if you encrypt the secret with the default KMS "
    edge.wire.script = [refused("InvalidRequestException", said + "service key.")]
    with pytest.raises(StoreDeniedError, match="`aws/secretsmanager`, the default KMS key") as caught:
        CALLS["read"](edge)
    assert "--kms-key-id" in caught.value.next_step


@pytest.mark.parametrize(
    "failure",
    [
        FileNotFoundError(2, "No such file or directory", f"/{CANARY}"),
        ValueError(CANARY),
        AttributeError(CANARY),
        CredentialProcessError("ended with exit code 1"),
        RuntimeError(CANARY),
        json.JSONDecodeError(CANARY, CANARY, 0),
    ],
    ids=lambda failure: type(failure).__name__,
)
@pytest.mark.parametrize("call", CALLS)
def test_credentials_that_fail_in_the_middle_are_named_as_such(edge: Edge, call: str, failure: Exception) -> None:
    """A token file goes away, a program prints nonsense: nothing was sent, so nothing was changed."""
    edge.wire.script = [Unsigned(failure)]
    with pytest.raises(ConfigError, match=r"no AWS credentials: .* This call changed nothing$") as caught:
        CALLS[call](edge)
    assert_clean(caught.value)


def test_role_that_cannot_be_assumed_is_named_as_such(edge: Edge) -> None:
    """A failure on the way to credentials is not taken for one of Secrets Manager."""
    answer = {"Error": {"Code": "AccessDenied", "Message": CANARY}}
    edge.wire.script = [Unsigned(ClientError(answer, "AssumeRole"))]  # type: ignore[arg-type]  # a part
    with pytest.raises(StoreDeniedError, match=r"at AssumeRole, was denied.*`sts:AssumeRole`"):
        CALLS["put"](edge)


@pytest.mark.parametrize("failure", [NoCredentialsError(), NoRegionError()], ids=repr)
def test_missing_configuration_says_what_to_give(edge: Edge, failure: BotoCoreError) -> None:
    """Somebody who runs it for the first time is told the remedy, and that nothing happened."""
    edge.wire.script = [Unsigned(failure)]
    with pytest.raises(ConfigError, match=r"This call changed nothing$") as caught:
        CALLS["put"](edge)
    assert "[aws] region" in caught.value.next_step
    assert "AWS_PROFILE" in caught.value.next_step


@pytest.mark.parametrize("last", ["ThrottlingException", "AccessDeniedException", "quota"])
def test_refusal_after_a_lost_attempt_proves_nothing(edge: Edge, last: str) -> None:
    """The client repeats by itself: if its first attempt was lost, the key may be stored."""
    code = "LimitExceededException" if last == "quota" else last
    edge.wire.script = [ReadTimeoutError(endpoint_url="https://x"), refused(code)]
    with pytest.raises(StoreUnavailableError, match="may or may not"):
        CALLS["put"](edge)


def test_lost_attempt_of_an_earlier_call_is_forgotten(edge: Edge) -> None:
    """Doubt belongs to one call."""
    edge.wire.script = [refused("InternalServiceError", status=500)]
    with pytest.raises(StoreUnavailableError):
        CALLS["put"](edge)
    edge.wire.script = [refused("ThrottlingException")]
    with pytest.raises(StoreRejectedError):
        CALLS["put"](edge)


def test_attempts_are_bounded(edge: Edge) -> None:
    """Three attempts at most, by botocore; none is added here."""
    edge.wire.script = [refused("ThrottlingException")]
    with pytest.raises(StoreRejectedError):
        CALLS["put"](edge)
    assert edge.wire.asked == ["PutSecretValue"] * 3


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_called_once_time_is_up(edge: Edge, call: str) -> None:
    """The error says that the call was not made, and it was not."""
    edge.deadline.left_s = 0.0
    with pytest.raises(DeadlineExceededError, match="not made"):
        CALLS[call](edge)
    assert edge.wire.asked == []


@pytest.mark.parametrize(
    "answer",
    [
        ok(SecretString=CANARY, VersionId=NEW),
        ok(SecretString=CANARY, CreatedDate=1.0),
        ok(SecretString=CANARY, VersionId=NEW, CreatedDate=CANARY),
        ok(SecretBinary="aHVudGVyMi1ub3QtdG8tYmUtc2Vlbi1hbnl3aGVyZQ==", VersionId=NEW),
        refused("DecryptionFailure"),
    ],
    ids=["no date", "no id", "date is no date", "binary", "refused"],
)
@pytest.mark.parametrize("call", ["read", "read_current"])
def test_unusable_value_leaks_nothing(edge: Edge, call: str, answer: Http) -> None:
    """An answer that holds the secret and is refused leaves no trace of it."""
    edge.wire.script = [answer]
    with pytest.raises(StoreError) as caught:
        CALLS[call](edge)
    assert_clean(caught.value)


def test_parameter_that_botocore_refuses_leaks_nothing(edge: Edge) -> None:
    """The client's own validation quotes what it was given; the message here does not."""
    with pytest.raises(StoreRejectedError, match="ParamValidationError") as caught:
        edge.store.put_pending(ARN, "short", Sensitive(CANARY), frozenset(), edge.deadline)
    assert_clean(caught.value)
    assert edge.wire.asked == []


def test_binary_value_is_no_value_of_ours(edge: Edge) -> None:
    """A binary value is refused, not guessed at."""
    edge.wire.script = [ok(SecretBinary="AAAA", VersionId=NEW, CreatedDate=1.0)]
    with pytest.raises(SecretValueError, match="bytes"):
        CALLS["read"](edge)


def test_value_is_read_with_its_date(edge: Edge) -> None:
    """The text is carried as a sensitive one, the date in UTC."""
    edge.wire.script = [ok(SecretString=CANARY, VersionId=NEW, CreatedDate=1_795_000_000.5)]
    value = edge.store.read(ARN, NEW, edge.deadline)
    assert value is not None
    assert value.version_id == NEW
    assert value.text.reveal() == CANARY
    assert value.created_at == datetime.fromtimestamp(1_795_000_000.5, UTC)


def test_not_found_is_no_value_rather_than_an_error(edge: Edge) -> None:
    """A version without a value, or not visible yet, reads as None."""
    edge.wire.script = [refused("ResourceNotFoundException")]
    assert edge.store.read(ARN, NEW, edge.deadline) is None


@pytest.mark.parametrize(
    ("tags", "hold"),
    [
        ([], None),
        ([{"Key": "rotator:hold", "Value": "until Monday"}], "until Monday"),
        ([{"Key": "rotator:hold", "Value": ""}], ""),
        ([{"Key": "rotator:hold"}], ""),
        ([{"Key": "team", "Value": "rotator:hold"}], None),
    ],
)
def test_hold_is_the_tag_whatever_its_value(edge: Edge, tags: list[dict[str, str]], hold: str | None) -> None:
    """An empty hold still holds."""
    edge.wire.script = [ok(LastChangedDate=1.0, VersionIdsToStages={OLD: [AWSCURRENT]}, Tags=tags)]
    assert edge.store.describe(ARN, edge.deadline).hold == hold


@pytest.mark.parametrize(
    ("status", "behind", "failed"),
    [
        ([], set(), set()),
        ([{"Region": "a", "Status": "InSync"}], set(), set()),
        ([{"Region": "a", "Status": "InProgress"}, {"Region": "b", "Status": "InSync"}], {"a"}, set()),
        ([{"Region": "a", "Status": "Failed", "StatusMessage": "KMS"}], {"a"}, {"a"}),
        ([{"Region": "a", "Status": "Paused"}, {"Region": "b"}], {"a", "b"}, set()),
        ([{"Status": "InProgress"}], {"a region without a name"}, set()),
    ],
)
def test_replica_is_behind_unless_it_is_in_sync(
    edge: Edge, status: list[dict[str, str]], behind: set[str], failed: set[str]
) -> None:
    """A status that nobody has heard of, or none, is no reason to believe that consumers have the new value."""
    edge.wire.script = [ok(LastChangedDate=1.0, VersionIdsToStages={OLD: [AWSCURRENT]}, ReplicationStatus=status)]
    seen = edge.store.describe(ARN, edge.deadline)
    assert set(seen.replicas_behind) == behind
    assert set(seen.replicas_failed) == failed


@pytest.mark.parametrize(
    ("date", "skew_s"),
    [
        ("Thu, 01 Jan 1970 00:02:00 GMT", 120.0),
        ("Wed, 31 Dec 1969 23:59:00 GMT", -60.0),
        ("yesterday", 0.0),
        (None, 0.0),
    ],
)
def test_skew_is_the_servers_clock_minus_ours(edge: Edge, date: str | None, skew_s: float) -> None:
    """Measured by the Date header at receipt; our clock stands at the epoch here."""
    edge.wire.script = [Http(200, described(current=OLD).body, date)]
    assert edge.store.describe(ARN, edge.deadline).clock_skew_s == skew_s


def test_empty_secret_has_no_versions(edge: Edge) -> None:
    """A secret made without a value has no labels, and a version without labels is not shown."""
    edge.wire.script = [ok(LastChangedDate=1.0), ok(LastChangedDate=1.0, VersionIdsToStages={OLD: []})]
    assert edge.store.describe(ARN, edge.deadline).versions == ()
    assert edge.store.describe(ARN, edge.deadline).versions == ()


def test_description_without_a_date_is_not_trusted(edge: Edge) -> None:
    """Grace runs from LastChangedDate: without it nothing may be concluded."""
    edge.wire.script = [ok(VersionIdsToStages={OLD: [AWSCURRENT]})]
    with pytest.raises(StoreUnavailableError):
        edge.store.describe(ARN, edge.deadline)


def test_deleted_secret_is_described_as_such(edge: Edge) -> None:
    """DescribeSecret succeeds for a secret that is marked for deletion; it cannot be written."""
    edge.wire.script = [ok(LastChangedDate=1.0, DeletedDate=2.0, VersionIdsToStages={})]
    assert not edge.store.describe(ARN, edge.deadline).is_writable()


def test_version_that_is_not_listed_has_no_date(edge: Edge) -> None:
    """Whether a version without a value is listed is not documented."""
    edge.wire.script = [ok(Versions=[])]
    assert edge.store.version_created_at(ARN, OLD, edge.deadline) is None


PLACE = refused("InvalidParameterException")
LOST = ConnectionClosedError(endpoint_url="https://x")
HISTORIES: dict[str, tuple[list[Line], type[RotatorError] | None]] = {
    "refused; it is there already": ([PLACE, described(current=NEW)], None),
    "refused; somebody else was first": ([PLACE, described(current=OTHER)], LabelConflictError),
    "refused; one look is stale": ([PLACE, described(current=OLD), described(current=NEW)], None),
    "refused; one look is older still": ([PLACE, described(current=OTHER), described(current=NEW)], None),
    "refused; no look shows why": ([PLACE, described(current=OLD)], StoreRejectedError),
    "no such version": ([refused("ResourceNotFoundException"), described(current=OLD)], StoreRejectedError),
    "lost, and it was done": ([LOST, LOST, LOST, described(current=NEW)], None),
    "lost, then refused since it was done": ([LOST, PLACE, described(current=NEW)], None),
    "lost, then throttled, and it was done": (
        [LOST, *[refused("ThrottlingException")] * 2, described(current=NEW)],
        None,
    ),
    "lost, and no look shows it": ([LOST, LOST, LOST, described(current=OLD)], StoreUnavailableError),
    "lost, and nobody can look": ([LOST], StoreUnavailableError),
    "lost, and we may not look": ([LOST, LOST, LOST, refused("AccessDeniedException")], StoreUnavailableError),
    "lost, and the secret was deleted": (
        [LOST, LOST, LOST, ok(LastChangedDate=1.0, DeletedDate=2.0)],
        StoreUnavailableError,
    ),
    "refused, and we may not look": ([PLACE, refused("AccessDeniedException")], StoreRejectedError),
}


@pytest.mark.parametrize("history", HISTORIES)
def test_promotion_is_judged_by_where_the_label_is(edge: Edge, history: str) -> None:
    """A refused or lost compare-and-swap: success, conflict or open, by two agreeing looks."""
    edge.wire.script, kind = list(HISTORIES[history][0]), HISTORIES[history][1]
    if kind is None:
        CALLS["promote"](edge)
    else:
        with pytest.raises(RotatorError) as caught:
            CALLS["promote"](edge)
        assert type(caught.value) is kind
    assert edge.deadline.slept_s <= 5.0


def test_promotion_that_ran_out_of_time_is_not_called_unmade(edge: Edge) -> None:
    """The deadline ends while looking: the write was made, so its own outcome is told."""
    edge.deadline.left_s = 0.05
    edge.wire.script = [LOST, LOST, LOST, described(current=OLD)]
    with pytest.raises(StoreUnavailableError, match="may or may not"):
        CALLS["promote"](edge)


def assert_clean(error: BaseException) -> None:
    """Assert that nothing an error shows or holds has the canary or a part of a library in it."""
    assert error.__cause__ is None
    assert error.__context__ is None
    printed = "".join(traceback.TracebackException.from_exception(error).format())
    told = [str(error), repr(error), repr(error.args), repr(vars(error)), printed]
    told.append(repr(getattr(error, "__notes__", ())))
    told.append(pickle.dumps(error).decode("latin-1"))
    for frame in _our_frames(error):
        told += map(repr, frame.values())
        foreign = (BotoCoreError, ClientError, AWSResponse)
        assert not [name for name, value in frame.items() if isinstance(value, foreign)]
    assert not [text for text in told if CANARY in text or "ResponseMetadata" in text]


def _our_frames(error: BaseException) -> Iterator[dict[str, Any]]:
    package = str(Path(rotator.__file__).parent)
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if frame.f_code.co_filename.startswith(package):
            yield frame.f_locals
