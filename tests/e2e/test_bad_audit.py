"""No record, no effect: an audit directory that cannot be used stops everything, with exit code 4."""

import os
import subprocess

import pytest

from tests.e2e.stage import AUDIT, COMMAND, COMMAND_S, FAILED, Stage


def test_a_missing_audit_directory_stops_everything(stage: Stage) -> None:
    """The command that makes it is shown."""
    stage.sandbox.audit_directory.rmdir()
    stage.refused("does not exist; nothing was done", "install -d -m 0700", code=AUDIT)


def test_an_empty_trail_is_not_intact(stage: Stage) -> None:
    """Where nothing was verified nothing is proved: a verdict of its own, with exit code 1."""
    done = stage.rotator("audit", "verify")
    assert done.returncode == FAILED
    assert "nothing to verify, so nothing is proved" in done.stdout
    (row,) = stage.rows("audit", "verify", code=FAILED)
    assert row["verdict"] == "nothing"


def test_an_audit_directory_open_to_others_stops_everything(stage: Stage) -> None:
    """What others can write to proves nothing."""
    stage.sandbox.audit_directory.chmod(0o777)
    stage.refused("others may write", "chmod 0700", code=AUDIT)


def in_own_mount(stage: Stage, mount: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where something else is mounted on the audit directory, as its owner."""
    namespace = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    shell = ["sh", "-c", f'{mount} && exec "$@"', "sh", *COMMAND, *args]
    return subprocess.run(
        ["unshare", *namespace, *shell],  # noqa: S607 - util-linux, wherever it is
        env=stage.environment({"DIR": str(stage.sandbox.audit_directory)}),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )


TMPFS = 'mount -t tmpfs -o size={size},mode=0700 tmpfs "$DIR"'


@pytest.mark.parametrize(
    ("mount", "phrase"),
    [
        pytest.param(TMPFS.format(size="8k") + ' && mount -o remount,ro "$DIR"', "Read-only", id="read_only"),
        pytest.param(TMPFS.format(size="8k") + ' && head -c 8192 /dev/zero > "$DIR/else"', "No space", id="full"),
    ],
)
def test_an_audit_directory_that_takes_nothing_stops_everything(stage: Stage, mount: str, phrase: str) -> None:
    """Nothing is done that could not be recorded."""
    before = stage.world()
    done = in_own_mount(stage, mount, "run")
    text = stage.said(done)
    assert done.returncode == AUDIT, text
    assert phrase in text
    assert "then run `rotator run`" in text
    assert stage.world() == before
    stage.heals()


@pytest.mark.parametrize(
    "size", [pytest.param("4k", marks=pytest.mark.slow), "8k", pytest.param("12k", marks=pytest.mark.slow)]
)
def test_an_audit_directory_that_fills_up_stops_the_run_where_it_is(stage: Stage, size: str) -> None:
    """The secret holds a live key at every moment, and a run with space goes on from there."""
    done = in_own_mount(stage, TMPFS.format(size=size), "run")
    text = stage.said(done)
    assert done.returncode == AUDIT, text
    assert "No space" in text
    assert stage.sandbox.current_key_id() in stage.live_keys()
    stage.heals()


def test_the_audit_trail_goes_before_other_failures(stage: Stage) -> None:
    """Of many secrets the gravest exit code wins."""
    stage.add_secret("lost", "prod/lost")
    stage.sandbox.audit_directory.rmdir()
    stage.refused("uploader: failed", "lost: failed", "no such secret", code=AUDIT)
    stage.sandbox.create_secret("prod/lost", "password1")
    stage.refused("1 more secret failed, for the same cause as", "2 secrets: 2 failed", "does not exist", code=AUDIT)
