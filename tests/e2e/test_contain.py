"""A key has leaked, and a person answers: by a command, or by a tag typed in the AWS console."""

import json
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.model.events import Operation as Audited
from rotator.model.times import time_from
from rotator.sandbox.pinata.faults import Operation, Respond, Side
from rotator.sandbox.running import SECRET, Sandbox
from tests.e2e.stage import COMMAND_S, PERSON, Stage
from tests.e2e.states import with_grace
from tests.e2e.test_kill import REQUESTS_MAX, Killer, Moment
from tests.e2e.watch import Watch

REASON = "it was in a CI log"


def tags(stage: Stage) -> dict[str, str]:
    """Return the tags of the secret."""
    return {tag["Key"]: tag["Value"] for tag in stage.describe().get("Tags", ())}


def tag(stage: Stage, text: str, key: str = "rotator:contain") -> None:
    """Type a tag in the AWS console."""
    stage.sandbox.call("TagResource", {"SecretId": SECRET, "Tags": [{"Key": key, "Value": text}]})


def contain(stage: Stage, *args: str, code: int = 0) -> dict[str, object]:
    """Run `contain`, and return its row."""
    return stage.row("contain", *args, "--reason", REASON, code=code)


def is_over(stage: Stage, leaked: str) -> None:
    """The leaked key is dead, another one serves, nothing else lives, and no tag is left."""
    assert leaked not in stage.live_keys()
    assert stage.sandbox.current_key_id() in stage.live_keys()
    assert "rotator:contain" not in tags(stage)


@pytest.mark.parametrize("owner", ["ours", "hand-made"])
def test_a_leaked_key_is_dead_at_once_in_spite_of_its_grace(stage: Stage, owner: str) -> None:
    """`contain NAME` replaces the current key, kills it without a grace, and says how long that took."""
    with_grace(stage)
    if owner == "ours":
        stage.own()
    (leaked,) = stage.live_keys()
    row = contain(stage, "uploader")
    assert (row["contained"], row["key_ids"], row["reason"]) == (True, [leaked], "CONTAINED")
    assert isinstance(row["seconds"], float)
    steps = [(step["step"], step["key_id"]) for step in row["steps"]]  # type: ignore[attr-defined]  # it is a list
    assert (Audited.PROVE_DEAD, leaked) in steps
    is_over(stage, leaked)
    assert stage.live_keys() == [stage.sandbox.current_key_id()]
    assert stage.row("run")["outcome"] == "up_to_date"
    assert not any(label.startswith("rotator:since") for label in stage.labels())
    assert stage.rotator("audit", "verify").returncode == 0


def test_a_person_reads_a_timeline(stage: Stage) -> None:
    """Each step is told with its seconds, and the last line names what is dead."""
    (leaked,) = stage.live_keys()
    done = stage.rotator("contain", "uploader", "--reason", REASON)
    text = stage.said(done)
    assert done.returncode == 0, text
    assert f"containing {leaked}" in text
    assert "tag set" in text
    assert f"{leaked} is proved dead" in text
    trail = stage.rotator("audit", "show").stdout
    assert REASON in trail
    assert "TagSecret" in trail or "tag set" in trail


def test_a_key_in_its_grace_dies_alone(stage: Stage) -> None:
    """`--key` of a superseded key kills that one at once; the current one stays."""
    with_grace(stage)
    stage.own()
    (old,) = stage.live_keys()
    new = stage.row("rotate", "uploader")["key_id"]
    assert set(stage.live_keys()) == {old, new}
    row = contain(stage, "uploader", "--key", old)
    assert row["contained"] is True
    assert stage.live_keys() == [new] == [stage.sandbox.current_key_id()]
    assert "rotator:contain" not in tags(stage)


@pytest.mark.parametrize("text", [REASON, "{key} " + REASON, "{key}"])
def test_a_tag_typed_in_the_console_contains(stage: Stage, text: str) -> None:
    """Without our command line, the next run obeys, whichever way the tag is written."""
    with_grace(stage)
    stage.own()
    (leaked,) = stage.live_keys()
    tag(stage, text.format(key=leaked))
    planned = stage.row("plan")
    assert planned["reason"] == "CONTAINED"
    dies = [later["at"] for later in planned["later"] if later["key_id"] == leaked]
    assert dies, "what dies is named before it does"
    assert time_from(dies[0]) <= datetime.now(UTC), "it does not wait for a grace"
    looked = stage.row("status", code=PERSON)
    assert looked["attention"] == "outage"
    assert leaked in stage.row("run")["revoked"]
    is_over(stage, leaked)


def test_a_reason_means_the_key_that_was_current_then(stage: Stage) -> None:
    """A key that replaced the leaked one meanwhile is not contained in its place."""
    with_grace(stage)
    stage.own()
    (leaked,) = stage.live_keys()
    tag(stage, REASON)
    stage.inject(Respond(Side.BEFORE, 503), Operation.CREATE, times=None)
    stage.rotator("run")
    assert tags(stage)["rotator:contain"].startswith(leaked)
    assert stage.live_keys() == [leaked], "a leaked key that works beats an outage"
    stage.heal()
    stage.passes(3_600)
    stage.rotator("run")
    is_over(stage, leaked)


def test_a_hold_wins_and_says_how_to_go_on(stage: Stage) -> None:
    """With both tags nothing is done; it is told as an outage, with the command that releases."""
    stage.own()
    (leaked,) = stage.live_keys()
    assert stage.row("hold", "uploader", "--reason", "incident 42")["hold"] == "incident 42"
    row = contain(stage, "uploader", code=PERSON)
    assert (row["contained"], row["reason"]) == (False, "ON_HOLD")
    assert stage.live_keys() == [leaked]
    looked = stage.rotator("status")
    assert looked.returncode == PERSON
    assert "rotator release uploader" in looked.stdout
    assert stage.row("status", code=PERSON)["attention"] == "outage"
    assert stage.rotator("release", "uploader").returncode == 0
    stage.rotator("run")
    is_over(stage, leaked)


def test_the_key_of_nobody_needs_a_person(stage: Stage) -> None:
    """An id that no key of the secret has stays in the tag, and nothing is minted for it."""
    stage.own()
    assert stage.row("run")["outcome"] == "rotated"
    keys = stage.live_keys()
    row = contain(stage, "uploader", "--key", "f" * 20, code=PERSON)
    assert (row["contained"], row["reason"]) == (False, "CONTAIN_STUCK")
    assert stage.live_keys() == keys
    assert tags(stage)["rotator:contain"].startswith("f" * 20)


def test_a_second_demand_is_added(stage: Stage) -> None:
    """A demand that stands is not overwritten: both keys die."""
    with_grace(stage)
    stage.own()
    (old,) = stage.live_keys()
    stage.rotator("rotate", "uploader")
    tag(stage, f"{old} first leak")
    row = contain(stage, "uploader")
    assert row["contained"] is True
    assert old in row["key_ids"]  # type: ignore[operator]  # it is a list
    assert stage.live_keys() == [stage.sandbox.current_key_id()]


def test_a_key_that_is_dead_already_is_said_to_be(stage: Stage) -> None:
    """A demand about a key that died before is answered at once, and nothing is made for it."""
    stage.own()
    (old,) = stage.live_keys()
    new = stage.row("rotate", "uploader")["key_id"]
    done = stage.rotator("contain", "uploader", "--key", old, "--reason", REASON)
    assert done.returncode == 0
    assert f"{old} is proved dead" in stage.said(done)
    assert "NOT contained" not in done.stdout
    assert stage.live_keys() == [new]
    assert "rotator:contain" not in tags(stage)


def test_a_demand_that_somebody_takes_away_is_made_again(stage: Stage) -> None:
    """Terraform takes the tag off while Pinata refuses to make a key: the command sees it, and puts it back."""
    (leaked,) = stage.live_keys()
    real = stage.site._perform

    def perform(*args: Any) -> Any:  # noqa: ANN401 - passes on what it wraps
        stage.sandbox.call("UntagResource", {"SecretId": SECRET, "TagKeys": ["rotator:contain"]})
        return real(*args)

    stage.inject(Respond(Side.BEFORE, 400), Operation.CREATE, times=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.site, "_perform", perform)
        assert contain(stage, "uploader", code=PERSON)["contained"] is False
    assert tags(stage)["rotator:contain"] == f"{leaked} {REASON}"
    stage.row("rotate", "uploader")
    is_over(stage, leaked)


def test_the_secret_of_a_key_is_found(stage: Stage) -> None:
    """`--key` without a name finds the secret that the key was made for; somebody else's key is left alone."""
    stage.own()
    new = stage.row("rotate", "uploader")["key_id"]
    assert contain(stage, "--key", new)["contained"] is True
    assert new not in stage.live_keys()
    theirs = stage.sandbox.seed_key("backup script").key
    done = stage.rotator("contain", "--key", theirs, "--reason", REASON)
    assert done.returncode == 2
    assert "was left alone" in stage.said(done)
    assert theirs in stage.live_keys()


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize("typed", ["{key} leaked", "leaked"], ids=["id", "reason alone"])
def test_a_containment_killed_at_every_request(tmp_path: Path, moment: Moment, typed: str) -> None:
    """Whichever request a run dies at, the next one contains: no effect in between breaks an invariant."""
    nth = 1
    while drill(nth, moment, typed, tmp_path / str(nth)):
        nth += 1
        assert nth < REQUESTS_MAX
    assert nth > 8, "a containment has more requests than these: nothing was killed"


def drill(nth: int, moment: Moment, typed: str, folder: Path) -> bool:
    """Kill a run that contains at its n-th request, see the next one go on, and return whether the first got so far."""
    folder.mkdir()
    with Sandbox(folder) as sandbox:
        stage = Stage(sandbox)
        with_grace(stage)
        stage.own()
        (leaked,) = stage.live_keys()
        tag(stage, typed.format(key=leaked))
        watch, killer = Watch(stage, grace_s=86_400.0), Killer(nth, moment)
        with watch.standing(killer.arriving, killer.answering):
            killer.victim = stage.start("run")
            out, err = killer.victim.communicate(timeout=COMMAND_S)
        assert killer.victim.returncode in {0, -signal.SIGKILL}, out + err
        with watch.standing(lambda: None, lambda: None):
            stage.row("run")
        watch.expect_sound()
        is_over(stage, leaked)
        assert stage.rotator("audit", "verify").returncode == 0
    return killer.victim.returncode != 0


def test_hold_and_release(stage: Stage) -> None:
    """A hold stops every run, says why, and ends by itself at its time, or by `release`."""
    before = stage.live_keys()
    assert stage.rotator("hold", "upl*", "--reason", "incident 42", "--until", "2h").returncode == 0
    assert stage.row("run", code=PERSON)["reason"] == "ON_HOLD"
    assert stage.live_keys() == before
    assert "incident 42" in stage.rotator("status").stdout
    stage.passes(2 * 3_600 + 1)
    assert stage.row("run")["outcome"] == "rotated"
    assert stage.rotator("hold", "uploader", "--reason", "again").returncode == 0
    assert stage.rotator("rotate", "uploader").returncode == PERSON
    assert stage.rotator("release", "uploader").returncode == 0
    assert "was not on hold" in stage.said(stage.rotator("release", "uploader"))
    assert stage.row("rotate", "uploader")["outcome"] == "rotated"


@pytest.mark.parametrize("end", ["until=tomorrow", "until=2026-13-40T00:00:00Z"])
def test_a_hold_whose_end_cannot_be_read_holds(stage: Stage, end: str) -> None:
    """A time that nobody can read holds until somebody releases."""
    tag(stage, f"incident {end}", "rotator:hold")
    stage.passes(30 * 86_400)
    assert stage.row("run", code=PERSON)["reason"] == "ON_HOLD"


def test_roll_back(stage: Stage) -> None:
    """The previous key comes back as a new generation, held; after the release the newer key dies in its grace."""
    with_grace(stage)
    stage.own()
    (old,) = stage.live_keys()
    newer = stage.row("rotate", "uploader")["key_id"]
    row = stage.row("rollback", "uploader", "--reason", "the new key breaks uploads")
    assert (row["outcome"], row["key_id"], row["reason"]) == ("rotated", old, "ROLLING_BACK")
    assert sum(label.startswith("rotator:since") for label in stage.labels()) == 1
    assert json.loads(stage.text())["pinata_api_key"] == old == stage.sandbox.current_key_id()
    assert stage.row("run", code=PERSON)["reason"] == "ON_HOLD"
    stage.rotator("release", "uploader")
    assert stage.row("run")["reason"] == "AGED_OUT" or set(stage.live_keys()) == {old, newer}
    stage.passes(86_400 + 60)
    stage.rotator("run")
    assert newer not in stage.live_keys()


def test_a_dead_key_does_not_come_back(stage: Stage) -> None:
    """A roll-back to a key that Pinata refuses is refused, and changes nothing: no hold either."""
    stage.own()
    stage.rotator("rotate", "uploader")
    stage.refused(
        "Pinata refuses the previous key", "nothing was changed", code=PERSON, command=("rollback", "uploader")
    )
    assert "rotator:hold" not in tags(stage)


def test_a_grace_is_not_renewed_by_tags_and_labels(stage: Stage) -> None:
    """Tags that are edited each hour do not keep an old key alive: its grace runs from the promotion."""
    with_grace(stage)
    stage.own()
    (old,) = stage.live_keys()
    stage.rotator("rotate", "uploader")
    for hour in range(25):
        tag(stage, f"edit {hour}", "team")
        stage.passes(3_600)
        stage.rotator("run")
    assert old not in stage.live_keys()
    assert not any(label.startswith("rotator:since") for label in stage.labels())
