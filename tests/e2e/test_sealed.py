"""A trail that is signed: what is proved, to whom, and what an attacker without the key can do."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rotator.audit.directory.files import audit_files
from rotator.audit.directory.ledger import NAME
from rotator.audit.ledger import Entry, parse_entry
from rotator.audit.signers import FileSigner, make_key
from rotator.model.signing import fingerprint_of
from rotator.sandbox.running import SECRET
from rotator.sandbox.secrets_manager.state import RuleError
from rotator.sandbox.secrets_manager.store import Json, Scope
from tests.e2e.stage import FAILED, PERSON, USAGE, Stage
from tests.kms_server import KEY_ARN, KmsServer, kms_server


class Trail:
    """A signed trail in a directory, and the file of its key."""

    def __init__(self, stage: Stage, key: Path) -> None:
        """Make the key, and let the configuration sign with it."""
        self.stage, self.key = stage, key
        self.made = stage.row("audit", "keygen", str(key))
        self.folder = stage.sandbox.audit_directory
        stage.edit("[audit]\n", f'[audit]\nsign = "file:{key}"\nsigners = ["{self.made["fingerprint"]}"]\n')

    def rotate(self) -> None:
        """Rotate once more."""
        self.stage.rows("rotate", "uploader")

    def verify(self, *args: str, code: int = 0) -> Any:  # noqa: ANN401 - what JSON holds
        """Return what verification says."""
        return self.stage.row("audit", "verify", *args, code=code)

    def flaws(self, *args: str, code: int) -> set[str]:
        """Return what it finds."""
        return {finding["flaw"] for finding in self.verify(*args, code=code)["findings"]}

    def entries(self) -> list[Entry]:
        """Return what the ledger holds."""
        lines = (self.folder / NAME).read_bytes().splitlines(keepends=True)
        return [entry for line in lines if (entry := parse_entry(line))]

    def write(self, *entries: Entry) -> None:
        """Forge the ledger."""
        (self.folder / NAME).write_bytes(b"".join(entry.line() for entry in entries))


@pytest.fixture
def trail(stage: Stage, tmp_path: Path) -> Trail:
    """Return a trail that nothing was written to yet."""
    return Trail(stage, tmp_path / "key.pem")


def test_verification_says_by_whom_the_trail_is_sealed(trail: Trail) -> None:
    """Each run that did something is sealed; a look that found nothing to do is no run of the ledger."""
    trail.rotate()
    trail.stage.rows("run")
    trail.rotate()
    found = trail.verify()
    ledger = found["ledger"]
    assert (found["verdict"], ledger["entries"], ledger["sealed_up_to"]) == ("intact", 2, 2)
    assert ledger["signers"] == [trail.made["fingerprint"]]
    said = trail.stage.rotator("audit", "verify").stdout
    assert f"sealed by {trail.made['fingerprint']}" in said
    assert f"Its head is {ledger['head']}@{ledger['place']}" in said
    assert trail.key.read_text().splitlines()[1] not in said + (trail.folder / NAME).read_text()


def test_signing_that_fails_loses_nothing_and_is_made_good(trail: Trail) -> None:
    """The rotation stands, a warning tells, verification ends with 1; the next run that can sign seals both."""
    trail.key.chmod(0o644)
    done = trail.stage.rotator("rotate", "uploader")
    assert done.returncode == 0
    assert "audit_unsealed" in done.stderr
    assert trail.flaws(code=FAILED) == {"unsealed"}
    trail.key.chmod(0o600)
    trail.rotate()
    assert (trail.verify()["verdict"], [bool(one.seal) for one in trail.entries()]) == ("intact", [False, True])


def test_run_made_up_without_the_key_is_not_proved(trail: Trail, tmp_path: Path) -> None:
    """Whoever can write there may add a run and an entry, but no seal of a trusted key."""
    trail.rotate()
    trail.stage.edit(f'sign = "file:{trail.key}"\n', "")
    trail.rotate()
    assert trail.flaws(code=FAILED) == {"unsealed"}
    own = tmp_path / "own.pem"
    make_key(own)
    first, forged = trail.entries()
    trail.write(first, replace(forged, seal=FileSigner.read(own).sign(forged.message)))
    assert trail.flaws(code=PERSON) == {"unknown_signer", "unsealed"}
    trail.write(first, replace(forged, seal=first.seal))
    assert trail.flaws(code=PERSON) == {"bad_seal", "unsealed"}


def test_signer_is_trusted_until_its_time(trail: Trail) -> None:
    """What it seals after it is refused: its key may be lost by then."""
    trail.rotate()
    trail.stage.edit(trail.made["fingerprint"], f"{trail.made['fingerprint']} until 2026-01-01T00:00:00Z")
    assert "unknown_signer" in trail.flaws(code=PERSON)


def test_head_that_was_kept_finds_what_was_taken_away(trail: Trail) -> None:
    """The newest run and its entry gone together show nowhere in the place itself."""
    trail.rotate()
    kept = shutil.copytree(trail.folder, trail.folder.parent / "kept")
    trail.rotate()
    head = trail.verify()["ledger"]["head"]
    assert trail.verify("--expect", head)["verdict"] == "intact"
    shutil.rmtree(trail.folder)
    kept.rename(trail.folder)
    trail.folder.chmod(0o700)
    assert trail.verify()["verdict"] == "intact"
    assert trail.flaws("--expect", head, code=PERSON) == {"not_reached"}
    assert trail.flaws("--expect", f"{head}@another-place", code=PERSON) == {"not_reached"}
    assert trail.stage.rotator("audit", "verify", "--expect", "nonsense").returncode == USAGE


def test_files_that_were_moved_away_are_allowed_for(trail: Trail) -> None:
    """Without `--since` their runs are missing."""
    trail.rotate()
    trail.stage.passes(3 * 86_400.0)
    trail.rotate()
    min(audit_files(trail.folder)).unlink()
    assert trail.flaws(code=PERSON) == {"missing_run"}
    assert trail.verify("--since", "1d")["verdict"] == "intact"


def tag(stage: Stage) -> str | None:
    """Return the value of the secret's tag."""
    tags = stage.sandbox.call("DescribeSecret", {"SecretId": SECRET}).get("Tags", [])
    return {one["Key"]: one["Value"] for one in tags}.get("rotator:audit-head")


def test_tag_on_the_secret_is_a_witness(trail: Trail) -> None:
    """It names the head of the place; what was taken away or begun anew is found by it, and not without it."""
    trail.rotate()
    kept = shutil.copytree(trail.folder, trail.folder.parent / "kept")
    trail.rotate()
    ledger = trail.verify()["ledger"]
    assert tag(trail.stage) == f"{ledger['head']}@{ledger['place']}"
    assert trail.verify("--against-aws")["verdict"] == "intact"
    trail.stage.rows("run")
    assert tag(trail.stage) == f"{ledger['head']}@{ledger['place']}"
    shutil.rmtree(trail.folder)
    kept.rename(trail.folder)
    trail.folder.chmod(0o700)
    assert trail.verify()["verdict"] == "intact"
    found = trail.verify("--against-aws", code=PERSON)["findings"]
    assert [one["flaw"] for one in found] == ["not_reached", "unrecorded", "unrecorded"]
    trail.rotate()
    (finding,) = trail.verify(code=PERSON)["findings"]
    assert finding["flaw"] == "not_reached", "a run has found the tag, and says so"
    assert f"{ledger['head']}@{ledger['place']} was noted on its secret" in finding["detail"]
    assert tag(trail.stage) == f"{ledger['head']}@{ledger['place']}", "it is not overwritten in silence"
    shutil.rmtree(trail.folder)
    trail.folder.mkdir(mode=0o700)
    trail.rotate()
    assert trail.verify()["verdict"] == "intact"
    assert "not_reached" in trail.flaws("--against-aws", code=PERSON)


def test_witness_that_is_denied_costs_no_rotation(trail: Trail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning tells; without a witness nothing is asked for."""
    real = trail.stage.sandbox.secrets_manager.secrets.answer

    def refuse(operation: str, sent: Json, scope: Scope) -> Json:
        if operation == "TagResource":
            raise RuleError("AccessDeniedException", "not authorized")
        return real(operation, sent, scope)

    monkeypatch.setattr(trail.stage.sandbox.secrets_manager.secrets, "answer", refuse)
    done = trail.stage.rotator("rotate", "uploader")
    assert (done.returncode, "audit_unwitnessed" in done.stderr) == (0, True)
    assert (tag(trail.stage), trail.verify()["verdict"]) == (None, "intact")
    trail.stage.edit("[audit]\n", '[audit]\nwitness = "none"\n')
    assert "audit_unwitnessed" not in trail.stage.rotator("rotate", "uploader").stderr


@pytest.fixture
def kms(monkeypatch: pytest.MonkeyPatch) -> Iterator[KmsServer]:
    """Serve KMS, where the sandbox's own variables do not lead."""
    with kms_server() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", server.url)
        monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
        monkeypatch.setattr("rotator.wiring.signing._PUBLIC_KEYS", {})
        yield server


@pytest.mark.parametrize("code", ["AccessDeniedException", "ThrottlingException", "DisabledException"])
def test_kms_signs_and_may_refuse(trail: Trail, kms: KmsServer, code: str) -> None:
    """A refusal costs no rotation and no record; the next signature covers what was left."""
    fingerprint = fingerprint_of(kms.der)
    trail.stage.edit(f'sign = "file:{trail.key}"', f'sign = "kms:{KEY_ARN}"')
    trail.stage.edit(trail.made["fingerprint"], fingerprint)
    trail.rotate()
    assert trail.verify()["ledger"]["signers"] == [fingerprint]
    kms.refuse(400, code, only="Sign")
    trail.rotate()
    assert trail.flaws(code=FAILED) == {"unsealed"}
    kms.refuse(400, code, times=0)
    trail.rotate()
    assert trail.verify()["ledger"]["sealed_up_to"] == 3


def test_a_key_that_fails_is_not_asked_again_at_once(trail: Trail, kms: KmsServer) -> None:
    """A fleet does not wait for KMS once for each secret; the next run seals all of it."""
    trail.stage.edit(f'sign = "file:{trail.key}"', f'sign = "kms:{KEY_ARN}"')
    trail.stage.edit(trail.made["fingerprint"], fingerprint_of(kms.der))
    for number in range(3):
        trail.stage.sandbox.create_secret(f"prod/other/{number}")
        trail.stage.add_secret(f"other-{number}", f"prod/other/{number}")
    kms.refuse(400, "ThrottlingException", only="Sign")
    done = trail.stage.rotator("run")
    assert (done.returncode, done.stderr.count("audit_unsealed")) == (0, 1)
    assert trail.stage.rotator("rotate", "uploader").stderr.count("audit_unsealed") == 1, "another trail tries again"
    assert trail.flaws(code=FAILED) == {"unsealed"}
    kms.refuse(400, "ThrottlingException", times=0)
    trail.rotate()
    assert [bool(entry.seal) for entry in trail.entries()] == [False] * 5 + [True]
    assert trail.verify()["ledger"]["sealed_up_to"] == 6


def test_ledger_holds_no_secret(trail: Trail) -> None:
    """An entry has ids, numbers, digests and a public key."""
    trail.rotate()
    (line,) = (trail.folder / NAME).read_text().splitlines()
    assert set(json.loads(line)) == {
        *("format", "place", "number", "prev", "run_id", "secret", "sequence", "fingerprint", "time", "hash", "seal")
    }
