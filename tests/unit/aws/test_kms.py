"""Signing with a key of AWS KMS, over real sockets: what is asked, and what each refusal is told as."""

import base64
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import boto3
import pytest
from moto import mock_aws

from rotator.audit.signers import verify
from rotator.aws.kms import MESSAGE_BYTES_MAX, KmsSigner
from rotator.aws.session import kms_client, own_session
from rotator.model.errors import ConfigError, Remedy, SigningError, SigningUnavailableError
from rotator.model.signing import fingerprint_of
from tests.kms_server import KEY_ARN, KmsServer, kms_server

LINE = b"a line"
DENIED = (
    "User: arn:aws:sts::123456789012:assumed-role/rotator/x is not authorized to perform: kms:{} on resource: "
    f"{KEY_ARN} because no {{}} allows the kms:{{}} action"
)


@pytest.fixture
def kms() -> Iterator[KmsServer]:
    """Serve KMS."""
    with kms_server() as server:
        yield server


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


def signer_at(url: str, known: dict[str, bytes] | None = None) -> KmsSigner:
    """Return a signer as the program makes it."""
    env = {"AWS_ENDPOINT_URL_KMS": url}
    return KmsSigner(kms_client(own_session("eu-central-1", env, None), "eu-central-1", env), KEY_ARN, known)


def test_seal_of_kms_is_checked_without_kms(kms: KmsServer) -> None:
    """The seal fits the line, and names the key of KMS; the key is asked about once."""
    signer = signer_at(kms.url)
    seals = [signer.sign(line) for line in (LINE, b"", b"x" * MESSAGE_BYTES_MAX)]
    assert signer.fingerprint == fingerprint_of(kms.der)
    assert [verify(seal, line) for seal, line in zip(seals, (LINE, b"", b"x" * 4096), strict=True)] == [
        signer.fingerprint
    ] * 3
    assert kms.calls == ["GetPublicKey", "Sign", "Sign", "Sign"]
    assert seals[0].algorithm == "ecdsa-p256-sha256"
    assert seals[0].public_key == base64.b64encode(kms.der).decode()


def test_public_key_is_asked_for_once_in_a_process(kms: KmsServer) -> None:
    """Threads and later signers share what was learnt."""
    known: dict[str, bytes] = {}
    first = signer_at(kms.url, known)
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(lambda _: first.fingerprint, range(16)))) == 1
    assert signer_at(kms.url, known).fingerprint == first.fingerprint
    assert kms.calls == ["GetPublicKey"]
    assert KEY_ARN in repr(first)


def test_moto_agrees() -> None:
    """Another implementation of KMS takes the same calls, and its seal fits."""
    with mock_aws():
        made = boto3.client("kms", region_name="eu-central-1").create_key(
            KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY"
        )
        session = own_session("eu-central-1", {}, None)
        signer = KmsSigner(kms_client(session, "eu-central-1", {}), made["KeyMetadata"]["Arn"])
        assert verify(signer.sign(LINE), LINE) == signer.fingerprint


def test_line_that_kms_does_not_take_is_not_sent(kms: KmsServer) -> None:
    """More than 4096 bytes are refused here."""
    with pytest.raises(SigningError, match="a line of 4097 bytes was not signed"):
        signer_at(kms.url).sign(b"x" * 4097)
    assert kms.calls == []


@pytest.mark.parametrize(
    "about", [{"KeySpec": "ECC_NIST_P384"}, {"KeySpec": "RSA_2048"}, {"KeyUsage": "KEY_AGREEMENT"}]
)
def test_key_of_another_kind_is_refused_before_it_signs(kms: KmsServer, about: dict[str, str]) -> None:
    """The message says what the key must be, and how one is made."""
    kms.about |= about
    with pytest.raises(SigningError, match="is not a key of ECC_NIST_P256 for SIGN_VERIFY") as caught:
        signer_at(kms.url).sign(LINE)
    assert "aws kms create-key" in caught.value.next_step
    assert kms.calls == ["GetPublicKey"]


@pytest.mark.parametrize(
    ("status", "code", "said", "next_step"),
    [
        (400, "InvalidKeyUsageException", "is not one for signatures with ECDSA_SHA_256", "ECC_NIST_P256"),
        (400, "UnsupportedOperationException", "is not one for signatures with ECDSA_SHA_256", "SIGN_VERIFY"),
        (400, "DisabledException", "the key is disabled", "aws kms enable-key"),
        (400, "KMSInvalidStateException", "cannot be used in its present state", "aws kms describe-key"),
        (400, "NotFoundException", "found no such key", "aws kms list-keys"),
        (400, "ValidationException", "was refused", "aws kms describe-key"),
        (400, "ExpiredTokenException", "the AWS credentials do not hold", "Renew the AWS credentials"),
    ],
)
def test_refusal_needs_a_person(kms: KmsServer, status: int, code: str, said: str, next_step: str) -> None:
    """Each is told with the operation, the key, the code and what to do, and is not repeated."""
    kms.refuse(status, code, "a message that is not told", only="Sign")
    with pytest.raises(SigningError) as caught:
        signer_at(kms.url).sign(LINE)
    error = caught.value
    assert error.message.startswith(f"Sign of {KEY_ARN} ")
    assert said in error.message
    assert code in error.message
    assert "not told" not in error.message
    assert next_step in error.next_step
    assert (type(error), error.remedy) == (SigningError, Remedy.PERSON)
    assert error.__context__ is None
    assert kms.calls == ["GetPublicKey", "Sign"]


@pytest.mark.parametrize("operation", ["Sign", "GetPublicKey"])
@pytest.mark.parametrize(
    ("policy", "next_step"),
    [
        ("identity-based policy", "allow `kms:Sign` and `kms:GetPublicKey` on the key"),
        ("service control policy", "Ask the administrators of the AWS organization"),
    ],
)
def test_denial_names_key_and_policy(kms: KmsServer, operation: str, policy: str, next_step: str) -> None:
    """Which policy denies it decides what to do."""
    kms.refuse(400, "AccessDeniedException", DENIED.format(operation, policy, operation), only=operation)
    with pytest.raises(SigningError, match="was denied") as caught:
        signer_at(kms.url).sign(LINE)
    assert f"the use of the KMS key {KEY_ARN}" in caught.value.message
    assert next_step in caught.value.next_step
    assert type(caught.value) is SigningError
    assert kms.calls[-1] == operation


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (400, "ThrottlingException", "was throttled until the retries ran out"),
        (500, "KMSInternalException", "got no usable answer"),
        (503, "DependencyTimeoutException", "got no usable answer"),
        (500, "KeyUnavailableException", "the key is not available just now"),
    ],
)
def test_what_may_pass_is_repeated_twice(kms: KmsServer, status: int, code: str, said: str) -> None:
    """Three attempts, then the next run."""
    kms.refuse(status, code, only="Sign")
    with pytest.raises(SigningUnavailableError, match=said) as caught:
        signer_at(kms.url).sign(LINE)
    assert caught.value.remedy is Remedy.NEXT_RUN
    assert kms.calls == ["GetPublicKey", "Sign", "Sign", "Sign"]


def test_throttling_that_passes_is_not_noticed(kms: KmsServer) -> None:
    """The seal is there after an attempt more."""
    signer = signer_at(kms.url)
    assert signer.fingerprint
    kms.refuse(400, "ThrottlingException", times=1)
    assert verify(signer.sign(LINE), LINE) == signer.fingerprint
    assert kms.calls == ["GetPublicKey", "Sign", "Sign"]


def test_network_failure_is_for_the_next_run() -> None:
    """A port where nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(SigningUnavailableError, match=r"127\.0\.0\.1 refused the connection") as caught:
            signer_at(url).sign(LINE)
    assert "host can be reached" in caught.value.next_step


@pytest.mark.parametrize("answer", [{}, {"Signature": ""}, {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}])
def test_answer_that_is_none_is_no_seal(kms: KmsServer, answer: dict[str, str]) -> None:
    """Neither an empty signature nor a missing key is taken."""
    signer = signer_at(kms.url)
    if "KeySpec" not in answer:
        assert signer.fingerprint
    kms.answer = answer
    with pytest.raises(SigningUnavailableError, match="got no usable answer"):
        signer.sign(LINE)


def test_endpoint_elsewhere_is_refused() -> None:
    """Lines and credentials go to no host that a variable names."""
    session = own_session("eu-central-1", {}, None)
    with pytest.raises(ConfigError, match="AWS_ENDPOINT_URL_KMS is set, and does not name a loopback address"):
        kms_client(session, "eu-central-1", {"AWS_ENDPOINT_URL_KMS": "https://kms.evil.example"})


def test_client_is_of_the_region_of_the_key() -> None:
    """Whatever the region of the session is."""
    client = kms_client(own_session("eu-central-1", {}, None), "us-east-1", {})
    assert client.meta.endpoint_url == "https://kms.us-east-1.amazonaws.com"
