"""Who signs the audit trail, and which keys are trusted, as the file says it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.config.tables import AuditConfig, FileKey, KmsKey
from rotator.model.signing import PinnedSigner
from tests.unit.config.texts import changed, loaded, problems

KEY = "arn:aws:kms:eu-central-1:111122223333:key/11111111-2222-3333-4444-555555555555"
ONE, TWO = (f"sha256:{digit * 64}" for digit in "1a")


def with_audit(line: str) -> str:
    """The good text with one more line in `[audit]`, its fifth."""
    return changed("[audit]", f"[audit]\n{line}")


@pytest.mark.parametrize(
    ("line", "sign", "witness"),
    [
        ("", None, "none"),
        ('sign = "file:/keys/audit.pem"', FileKey(Path("/keys/audit.pem")), "tag"),
        (f'sign = "kms:{KEY}"', KmsKey(KEY), "tag"),
        (f'sign = "kms:{KEY}"\nwitness = "none"', KmsKey(KEY), "none"),
        ('witness = "tag"', None, "tag"),
    ],
)
def test_what_signs_has_a_witness(tmp_path: Path, line: str, sign: FileKey | KmsKey | None, witness: str) -> None:
    """A signed trail has one unless the file says otherwise; without a key there is none."""
    audit = loaded(tmp_path, with_audit(line)).audit
    assert (audit.sign, audit.witness, audit.signers) == (sign, witness, ())


@pytest.mark.parametrize(
    ("arn", "region"),
    [
        (KEY, "eu-central-1"),
        ("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1234abcd", "us-gov-west-1"),
        ("arn:aws-cn:kms:cn-north-1:111122223333:key/1", "cn-north-1"),
    ],
)
def test_key_of_kms_names_its_region(tmp_path: Path, arn: str, region: str) -> None:
    """In every partition, multi-region keys too."""
    sign = loaded(tmp_path, with_audit(f'sign = "kms:{arn}"')).audit.sign
    assert isinstance(sign, KmsKey)
    assert (sign.arn, sign.region) == (arn, region)


def test_relative_key_file_starts_at_the_folder_of_the_file(tmp_path: Path) -> None:
    """As the directory of the trail does."""
    audit = loaded(tmp_path, with_audit('sign = "file:keys/audit.pem"')).audit
    assert audit == AuditConfig(Path("/audit"), sign=FileKey(tmp_path / "keys/audit.pem"), witness="tag")


def test_trusted_keys_end_when_that_is_said(tmp_path: Path) -> None:
    """A fingerprint alone is trusted for good; a time without an offset is UTC."""
    text = with_audit(f'signers = ["{ONE}", "{TWO} until 2026-12-01T01:00:00+01:00"]')
    assert loaded(tmp_path, text).audit.signers == (
        PinnedSigner(ONE),
        PinnedSigner(TWO, datetime(2026, 12, 1, tzinfo=UTC)),
    )


PROBLEMS = {
    "no_kind": ('sign = "key.pem"', '5: audit.sign: expected "file:PATH" or "kms:KEY_ARN", found the string "key.pem"'),
    "type": ("sign = 3", '5: audit.sign: expected "file:PATH" or "kms:KEY_ARN", found the integer 3'),
    "no_path": ('sign = "file:"', '5: audit.sign: expected "file:PATH" or "kms:KEY_ARN", found the string "file:"'),
    "home": ('sign = "file:~/key.pem"', "5: audit.sign: `~` is not expanded here; write the path in full"),
    "no_arn": ('sign = "kms:1234"', "5: audit.sign: expected `kms:` and the ARN of a key, arn:aws:kms:REGION:"),
    "other_arn": (
        f'sign = "kms:{KEY.replace("kms", "sqs")}"',
        "5: audit.sign: expected `kms:` and the ARN of a key, arn:aws:kms:REGION:",
    ),
    "no_region": (f'sign = "kms:{KEY.replace("eu-central-1", "eu")}"', "5: audit.sign: expected `kms:` and the ARN"),
    "alias": (
        'sign = "kms:arn:aws:kms:eu-central-1:111122223333:alias/audit"',
        "5: audit.sign: an alias can be moved to another key; name the key itself, by its ARN",
    ),
    "no_fingerprint": (
        'signers = ["md5:1"]',
        '5: audit.signers[0]: expected a fingerprint, "sha256:" and 64 digits from 0 to f, found the string "md5:1"',
    ),
    "short": (f'signers = ["{ONE}", "{ONE[:-1]}"]', "5: audit.signers[1]: expected a fingerprint"),
    "until": (
        f'signers = ["{ONE} until tomorrow"]',
        '5: audit.signers[0]: "tomorrow" is not a time such as 2026-12-01T00:00:00Z',
    ),
    "era": (f'signers = ["{ONE} until 9999-01-01"]', '5: audit.signers[0]: "9999-01-01" is not a time such as'),
    "empty": ("signers = []", "5: audit.signers: is empty, so that no seal would be trusted"),
    "twice": (f'signers = ["{ONE}", "{ONE} until 2026-12-01"]', "5: audit.signers: names a key twice"),
    "no_array": (f'signers = "{ONE}"', "5: audit.signers: expected an array, each a fingerprint"),
    "witness": ('witness = "tags"', '5: audit.witness: unknown name "tags"; did you mean `tag`?'),
}


@pytest.mark.parametrize(("line", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_mistake_is_named_with_its_line(tmp_path: Path, line: str, problem: str) -> None:
    """Each alone, with its reason."""
    (found,) = problems(tmp_path, with_audit(line))
    assert found.startswith(problem)
