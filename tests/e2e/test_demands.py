"""What people say by a command is written down as they mean it, whatever else is broken."""

import pytest

from rotator.sandbox.pinata.faults import Respond, Side
from tests.e2e.stage import FAILED, PERSON, USAGE, Stage
from tests.e2e.states import with_grace
from tests.e2e.test_contain import tags

HOUR_S = 3_600.0


def test_demand_names_the_key_without_pinata(stage: Stage) -> None:
    """While Pinata refuses every call, the tag has the id of the key that leaked, so no other key dies for it."""
    with_grace(stage)
    stage.own()
    (leaked,) = stage.live_keys()
    stage.inject(Respond(Side.BEFORE, 503), None, None)
    before_s = stage.waited_s()
    row = stage.row("contain", "uploader", "--reason", "it was in a log", code=FAILED)
    assert row["key_ids"] == [leaked]
    assert row["steps"][0]["step"] == "TagSecret"
    assert row["steps"][0]["seconds"] < 1
    assert tags(stage)["rotator:contain"] == f"{leaked} it was in a log"
    assert stage.waited_s() >= before_s
    seen = stage.row("status", code=PERSON)
    assert (seen["attention"], seen["reason"]) == ("outage", "CONTAINED")
    stage.heal()
    assert leaked in stage.row("run")["revoked"]
    assert leaked not in stage.live_keys()


@pytest.mark.parametrize("written", ["nonexistent", "0ea1", "g" * 20, ""])
def test_what_is_no_key_id_is_refused(stage: Stage, written: str) -> None:
    """Nothing is tagged, made or revoked for a `--key` that has not the form of an id."""
    before = stage.world()
    done = stage.rotator("contain", "uploader", "--key", written, "--reason", "x")
    assert done.returncode == USAGE, stage.said(done)
    assert stage.world() == before


def test_id_in_capitals_is_the_same_key(stage: Stage) -> None:
    """An id that was copied in capitals contains the key that it means."""
    with_grace(stage)
    stage.own()
    (leaked,) = stage.live_keys()
    row = stage.row("contain", "uploader", "--key", leaked.upper(), "--reason", "x")
    assert row["key_ids"] == [leaked]
    assert leaked not in stage.live_keys()


@pytest.mark.parametrize("command", ["contain", "hold", "rollback"])
def test_empty_reason_is_refused(stage: Stage, command: str) -> None:
    """Whoever stops or kills something says why."""
    stage.refused("--reason is empty", code=USAGE, command=(command, "uploader", "--reason", " "))


def test_reason_that_would_end_the_hold_is_refused(stage: Stage) -> None:
    """A reason that ends like a tag with an end is not taken for one."""
    reason = "freeze: old change window until=2020-01-01T00:00:00Z"
    stage.refused("would end the hold", code=USAGE, command=("hold", "uploader", "--reason", reason))
    assert "rotator:hold" not in tags(stage)


def test_demand_of_nobody_prints_the_way_out(stage: Stage) -> None:
    """The printed command takes the demand back, and the secret is fine again."""
    stage.own()
    done = stage.rotator("contain", "uploader", "--key", "abcdefabcdefabcdefab", "--reason", "x")
    assert done.returncode == PERSON
    assert f"aws secretsmanager untag-resource --secret-id {stage.arn()} --tag-keys rotator:contain" in stage.said(done)
    assert "untag-resource" in stage.said(stage.rotator("status"))
    stage.sandbox.call("UntagResource", {"SecretId": stage.arn(), "TagKeys": ["rotator:contain"]})
    assert stage.rows("status", code=0)


def test_demand_under_a_hold_says_what_it_waits_for(stage: Stage) -> None:
    """contain, plan and run name the hold, its reason, and the demand that waits for its end."""
    with_grace(stage)
    stage.own()
    stage.rotator("hold", "uploader", "--reason", "audit week")
    done = stage.rotator("contain", "uploader", "--reason", "in a log")
    assert "waits for `rotator release uploader`" in stage.said(done)
    for command in ("plan", "run"):
        said = stage.said(stage.rotator(command))
        assert "on hold: audit week; a key that has leaked waits for it" in said, said


def test_hold_is_no_run(stage: Stage) -> None:
    """Setting and taking a tag does not hide that runs fail; runs that failed are counted one by one."""
    stage.own()
    stage.inject(Respond(Side.BEFORE, 401), None, None)
    for _ in range(3):
        stage.rotator("run")
        stage.passes(HOUR_S)
    stage.rotator("hold", "uploader", "--reason", "x")
    stage.rotator("release", "uploader")
    seen = stage.row("status", code=PERSON)
    assert (seen["failures"], seen["last_outcome"]) == (3, "failed")


def test_rotate_in_a_grace_says_who_tells_when_it_ends(stage: Stage) -> None:
    """`plan`, which it names, says when the old key dies."""
    with_grace(stage)
    stage.own()
    stage.rotator("rotate", "uploader")
    done = stage.rotator("rotate", "uploader")
    assert done.returncode == PERSON
    assert "`rotator plan uploader` says when the grace ends" in stage.said(done)
    assert "after its grace, in about" in stage.said(stage.rotator("plan", "uploader"))


def test_inspecting_python_ends_with_the_right_code(stage: Stage) -> None:
    """PYTHONINSPECT is refused in one sentence, and no prompt opens afterwards."""
    done = stage.process("plan", env={"PYTHONINSPECT": "1"})
    assert done.returncode == USAGE, done.stderr
    assert "PYTHONINSPECT is set" in done.stderr
    assert "defect" not in done.stderr
