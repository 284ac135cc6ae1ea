"""What goes wrong at people's sites, from outside: the outcome, the exit code, the words, and both systems after it."""

import json
import re
import shlex
import time

import pytest

from rotator.cli.context import connected, load_config
from rotator.cli.watcher import Watcher
from rotator.engine.observer import REFUSED_APART_S
from rotator.sandbox.pinata.switches import Delay, NameForm
from rotator.sandbox.running import SECRET
from tests.e2e import broken, states
from tests.e2e.stage import FAILED, PERSON, Stage
from tests.e2e.states import DAY_S, denied
from tests.e2e.truth import current_key, headline_of, is_served, metrics_of
from tests.page_fleets import sources
from tests.unit.page.wsgi import ask

MINUTE_S = 60.0


# The credential that consumers read ----------------------------------------------------------------


def test_a_damaged_token_is_asked_about_twice_and_replaced(stage: Stage) -> None:
    """The pair beside it is right: only asking with the very token shows that its readers are not served."""
    broken.damaged_token(stage)
    began_at = time.time()
    row = stage.row("run")
    assert (row["outcome"], row["reason"]) == ("rotated", "CURRENT_REFUSED")
    assert time.time() - began_at >= REFUSED_APART_S, "waits and work together: a slow machine has less left to wait"
    assert is_served(stage)
    assert stage.live_keys() == [row["key_id"]]


def test_an_old_key_never_stands_before_a_refused_one(stage: Stage) -> None:
    """While a superseded key is alive, in its grace, the refused one is replaced at once, and retired in its time."""
    broken.damaged_in_grace(stage)
    row = stage.row("run")
    assert (row["outcome"], row["reason"], row["revoked"]) == ("rotated", "CURRENT_REFUSED", [])
    assert is_served(stage)
    stage.passes(2 * DAY_S)
    stage.row("run")
    assert stage.live_keys() == [row["key_id"]]
    assert stage.rows("status")[0]["old_keys"] == []


@pytest.mark.parametrize("put_back", [broken.dead_key_put_back, broken.dead_key_moved_back])
def test_a_dead_key_that_is_put_back_is_an_outage(stage: Stage, put_back: states.State) -> None:
    """It is told apart from a live key, and healed; a hold stops that, and is shown as an outage that is on hold."""
    put_back(stage)
    tag = {"Key": "rotator:hold", "Value": "who did that?"}
    stage.sandbox.call("TagResource", {"SecretId": SECRET, "Tags": [tag]})
    held = stage.row("run", code=PERSON)
    assert (held["outcome"], held["reason"], is_served(stage)) == ("held", "ON_HOLD", False)
    assert stage.row("status", code=PERSON)["attention"] == "outage"
    stage.sandbox.call("UntagResource", {"SecretId": SECRET, "TagKeys": ["rotator:hold"]})
    row = stage.row("run")
    assert (row["outcome"], row["reason"], is_served(stage)) == ("rotated", "CURRENT_REFUSED", True)


@pytest.mark.parametrize("value", [broken.two_keys, broken.other_json, broken.other_text])
def test_a_broken_value_has_two_ways_out_that_are_printed(stage: Stage, value: states.State) -> None:
    """`rotate` refuses as `run` does; the command that it prints moves AWSCURRENT back."""
    value(stage)
    before = stage.world()
    refused = stage.row("rotate", "uploader", code=PERSON)
    assert "`rotator rotate uploader --replace-value`" in refused["error"]
    assert stage.world() == before
    command = re.search(r"`aws secretsmanager update-secret-version-stage ([^`]*)`", refused["error"])
    assert command is not None
    words = shlex.split(command[1])
    given = {words[i].strip("-").title().replace("-", ""): words[i + 1] for i in range(0, len(words), 2)}
    stage.sandbox.call("UpdateSecretVersionStage", given)
    assert is_served(stage)


@pytest.mark.parametrize("value", [broken.two_keys, broken.other_json, broken.other_text])
def test_a_broken_value_is_replaced_if_a_person_says_so(stage: Stage, value: states.State) -> None:
    """`--replace-value` makes a key where `rotate` refused."""
    value(stage)
    row = stage.row("rotate", "uploader", "--replace-value")
    assert (row["outcome"], current_key(stage), is_served(stage)) == ("rotated", row["key_id"], True)


def test_what_nobody_has_looked_at_is_no_number(stage: Stage) -> None:
    """After a restart in back-off, with an old key alive: no series, and no word of dead keys."""
    states.old_key_in_grace(stage)
    broken.list_down(stage)
    stage.row("run", code=FAILED)
    with stage.surroundings():
        config = load_config(None)
        with connected(config) as both, both.audit_trail("cli") as audit:
            watcher = Watcher(config.secrets, both, both.world(audit), config.daemon.every)
            watcher.survey()
            fleet = watcher.fleet()
    assert headline_of(fleet) == "1 secret is failing"
    names = set(metrics_of(fleet))
    assert "rotator_failures_in_a_row" in names
    assert not names & {
        "rotator_old_keys_alive",
        "rotator_old_keys_overdue",
        "rotator_orphan_keys",
        "rotator_current_refused",
    }
    assert "Every old key is dead" not in ask(sources(fleet)).text


# What a message says of both systems ---------------------------------------------------------------


def test_a_denied_value_names_the_key_that_was_made(stage: Stage) -> None:
    """The call changed nothing, the run did: its key is named, and is dead."""
    stage.own()
    known = {key.key for key in stage.sandbox.rotated_keys()}
    with denied(stage, "PutSecretValue"):
        row = stage.row("run", code=PERSON)
    (made,) = {key.key for key in stage.sandbox.rotated_keys()} - known
    assert f"This call changed nothing; key {made}, made for it, was revoked again" in row["error"]
    assert stage.key(made).revoked_at is not None
    assert "othing was changed" not in row["error"]
    stage.heals()


def test_a_denied_promotion_does_not_say_that_nothing_was_changed(stage: Stage) -> None:
    """The new key waits as AWSPENDING, alive, and the next run that may promote it does."""
    stage.own()
    with denied(stage, "UpdateSecretVersionStage"):
        row = stage.row("run", code=PERSON)
    pending = stage.labels()["AWSPENDING"]
    assert f"This call changed nothing; version {pending} stays AWSPENDING, and its key" in row["error"]
    healed = stage.row("run")
    assert (healed["outcome"], healed["version_id"]) == ("rotated", pending)
    assert stage.live_keys() == [healed["key_id"]]


@pytest.mark.parametrize("outlives_s", [MINUTE_S, DAY_S])
def test_a_person_is_called_only_once_a_key_outlives_its_revocation(stage: Stage, outlives_s: float) -> None:
    """Pinata answers from a cache of a minute: rotated, and 1; the next run ends with 0, or with 3 if it lives on."""
    stage.own()
    stage.switch(revocation=Delay(outlives_s))
    row = stage.row("run", code=FAILED)
    assert (row["outcome"], is_served(stage)) == ("rotated", True)
    (old,) = row["revoked"]
    assert f"key {old} was revoked, but its token is accepted" in row["error"]
    stage.passes(MINUTE_S)
    lives_on = outlives_s > 2 * MINUTE_S
    again = stage.row("run", code=PERSON if lives_on else 0)
    assert ("its token is accepted" in (again["error"] or "")) is lives_on


def test_a_rotation_that_retired_first_has_its_own_reason(stage: Stage) -> None:
    """The reason of the outcome is why the key was made, not what had to come before."""
    states.due_after_grace(stage)
    row = stage.row("run")
    assert row["actions"][0] == "Revoke"
    assert (row["outcome"], row["reason"]) == ("rotated", "AGED_OUT")


# Nothing is minted in vain -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unwritable", "reason"),
    [
        (broken.replica, "WRONG_REGION"),
        (broken.foreign_owner, "FOREIGN_OWNER"),
        (broken.to_be_deleted, "TO_BE_DELETED"),
    ],
)
def test_no_key_is_made_for_a_secret_that_cannot_be_written(
    stage: Stage, unwritable: states.State, reason: str
) -> None:
    """Three runs, no key, and a person is told why; even `rotate` makes none."""
    unwritable(stage)
    keys = len(stage.sandbox.rotated_keys())
    for command in (("run",), ("run",), ("rotate", "uploader")):
        row = stage.row(*command, code=PERSON)
        assert (row["outcome"], row["reason"]) == ("held", reason)
    assert len(stage.sandbox.rotated_keys()) == keys


def test_compact_json_stays_compact(stage: Stage) -> None:
    """A value that only just fits is not made longer: other fields are carried over to the byte."""
    broken.compact_value(stage)
    before = stage.text()
    stage.row("run")
    after = stage.text()
    assert is_served(stage)
    assert after[after.index('"0":') :] == before[before.index('"0":') :]


def test_a_value_that_would_not_fit_is_known_before_a_key_is_made(stage: Stage) -> None:
    """The message says how long it would be and how long it may be."""
    broken.full_value(stage)
    for _ in range(2):
        assert "takes 65536" in stage.row("run", code=PERSON)["error"]
    assert stage.sandbox.rotated_keys() == []


@pytest.mark.parametrize("runs", [12, pytest.param(96, marks=pytest.mark.slow)])
def test_a_write_that_is_refused_for_good_costs_few_keys(stage: Stage, runs: int) -> None:
    """Cron comes each quarter of an hour: an attempt waits twice as long as the one before, and leaves no live key."""
    stage.edit('settle = "0s"', 'settle = "5m"')
    stage.own()
    (current,) = stage.live_keys()
    ends = []
    with denied(stage, "PutSecretValue"):
        for _ in range(runs):
            done = stage.rotator("run", "--json")
            ends.append((json.loads(done.stdout.splitlines()[0])["reason"], done.returncode))
            stage.passes(15 * MINUTE_S)
    made = len(stage.sandbox.rotated_keys()) - 1
    assert ends.count(("AGED_OUT", PERSON)) == made <= (5 if runs == 12 else 10)
    assert ends.count(("BACKING_OFF", FAILED)) == runs - made
    assert stage.live_keys() == [current]
    stage.row("rotate", "uploader")
    assert len(stage.live_keys()) == 1


@pytest.mark.parametrize(
    "altered",
    [
        pytest.param({"name_cut_at": 64}, id="cut_at_64"),
        pytest.param({"name_cut_at": 90}, id="cut_at_90"),
        pytest.param({"name_form": NameForm.LOWER_CASED}, id="lower_cased"),
    ],
)
def test_a_key_under_an_altered_name_never_becomes_current(stage: Stage, altered: dict[str, object]) -> None:
    """It is revoked by its id, run for run, and a person is asked; what consumers read stays."""
    stage.own()
    (current,) = stage.live_keys()
    stage.switch(**altered)
    for _ in range(2):
        row = stage.row("run", code=PERSON)
        assert "not by the name that was asked for" in row["error"]
        assert stage.live_keys() == [current] == [current_key(stage)]


@pytest.mark.parametrize("kept", [{"name_cut_at": 255}, {"name_form": NameForm.UNSPACED}])
def test_a_provider_that_alters_other_names_does_no_harm(stage: Stage, kept: dict[str, object]) -> None:
    """Our names are shorter than 255 characters and have no space at their ends."""
    stage.own()
    stage.switch(**kept)
    stage.heals()
