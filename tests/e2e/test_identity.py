"""Who the command line is to AWS: the pinned account, and an assumed role."""

from pathlib import Path

from rotator.sandbox.running import ACCOUNT, REGION
from tests.e2e.stage import USAGE, Stage

OTHER_ACCOUNT = "999999999999"


def configure(stage: Stage, line: str) -> None:
    """Add a line to the section `[aws]`."""
    stage.edit(f'region = "{REGION}"', f'region = "{REGION}"\n{line}')


def users(directory: Path) -> str:
    """Return everything the audit trail says."""
    return "".join(path.read_text() for path in sorted(directory.glob("*.jsonl")))


def test_the_expected_account_is_the_one_that_acts(stage: Stage) -> None:
    """With the right account, the caller's ARN is who the audit trail names."""
    configure(stage, f'expected_account = "{ACCOUNT}"')
    assert stage.row("run")["outcome"] == "rotated"
    assert f"arn:aws:sts::{ACCOUNT}:" in users(stage.sandbox.audit_directory)


def test_another_account_is_refused_before_anything_is_read(stage: Stage) -> None:
    """With the wrong credentials nothing is done, and the message names both accounts."""
    configure(stage, f'expected_account = "{OTHER_ACCOUNT}"')
    before = len(stage.sandbox.secrets_manager.requests)
    done = stage.rotator("run")
    assert done.returncode == USAGE
    assert ACCOUNT in done.stderr
    assert OTHER_ACCOUNT in done.stderr
    asked = [call.operation for call in stage.sandbox.secrets_manager.requests[before:]]
    assert "DescribeSecret" not in asked
    assert "GetSecretValue" not in asked


def test_a_role_is_assumed_for_every_call(stage: Stage) -> None:
    """With `role_arn`, the temporary credentials of the role rotate the key."""
    configure(stage, f'role_arn = "arn:aws:iam::{ACCOUNT}:role/rotator"\nexpected_account = "{ACCOUNT}"')
    assert stage.row("run")["outcome"] == "rotated"
    assert ":assumed-role/rotator/rotator" in users(stage.sandbox.audit_directory)
