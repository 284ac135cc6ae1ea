"""`rotator doctor` and the key that signs the audit trail: in a file, and in KMS."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rotator.model.signing import fingerprint_of
from tests.e2e.stage import FAILED, PERSON, Stage
from tests.e2e.states import ours
from tests.kms_server import KEY_ARN, KmsServer, kms_server

OTHER = f"sha256:{'1' * 64}"


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsServer]:
    """Serve KMS, where the sandbox's own variables do not lead."""
    with kms_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.url)
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        yield server


def signed(stage: Stage, sign: str, *signers: str) -> None:
    """Let the configuration name a key, and those that are trusted."""
    ours(stage)
    lines = f'[audit]\nsign = "{sign}"\n' + (f"signers = {list(signers)}\n" if signers else "")
    stage.edit("[audit]\n", lines)


def finding(stage: Stage, code: int) -> dict[str, Any]:
    """Return the one thing that doctor finds."""
    (row,) = stage.rows("doctor", code=code)
    assert (row["check"], row["secret"]) == ("signer", None)
    return row


def test_key_in_a_file_is_read_and_trusted(stage: Stage, tmp_path: Path) -> None:
    """A new key that is named is no finding; another one that is named is; so is a time that is over."""
    made = stage.row("audit", "keygen", str(tmp_path / "key.pem"))
    signed(stage, f"file:{made['path']}", made["fingerprint"])
    assert stage.rows("doctor") == []
    stage.edit(made["fingerprint"], f"{made['fingerprint']} until 2026-01-01T00:00:00Z")
    assert "was trusted until 2026-01-01T00:00:00Z" in finding(stage, PERSON)["what"]
    stage.edit(f"{made['fingerprint']} until 2026-01-01T00:00:00Z", OTHER)
    assert made["fingerprint"] in finding(stage, PERSON)["what"]


def test_key_file_that_others_read_is_a_fault(stage: Stage, tmp_path: Path) -> None:
    """The finding says what to do; without the file, too."""
    made = stage.row("audit", "keygen", str(tmp_path / "key.pem"))
    signed(stage, f"file:{made['path']}")
    Path(made["path"]).chmod(0o644)
    assert "can be used by others" in finding(stage, PERSON)["what"]
    Path(made["path"]).unlink()
    assert "cannot be read: No such file" in finding(stage, PERSON)["what"]


def test_key_of_kms_answers(stage: Stage, kms: KmsServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is asked once what it is, and to sign once at each doctor; denial is a fault, throttling is not known."""
    monkeypatch.setattr("rotator.wiring.signing._PUBLIC_KEYS", {})
    signed(stage, f"kms:{KEY_ARN}", fingerprint_of(kms.der))
    assert stage.rows("doctor") == []
    assert kms.calls == ["GetPublicKey", "Sign"]
    kms.refuse(400, "AccessDeniedException", "User: x is not authorized to perform: kms:Sign", only="Sign")
    denied = finding(stage, PERSON)
    assert "was denied the use of the KMS key" in denied["what"]
    assert "`kms:Sign`" in denied["why"]
    kms.refuse(400, "ThrottlingException", only="Sign")
    assert finding(stage, FAILED)["what"].startswith("not checked: ")
    assert kms.calls.count("GetPublicKey") == 1


def test_endpoint_of_kms_elsewhere_is_refused(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """No line goes to a host that a variable names."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "https://kms.evil.example")
    signed(stage, f"kms:{KEY_ARN}")
    assert "AWS_ENDPOINT_URL_KMS is set" in finding(stage, PERSON)["what"]
