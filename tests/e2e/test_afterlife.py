"""What a person must not overlook: keys that outlive their revocation, lists that hide, fleets with a gap."""

import json

import pytest

from rotator.sandbox.pinata.records import Bearer
from rotator.sandbox.pinata.switches import CountOf, Delay, Generation, Listed, Order
from tests.e2e.stage import FAILED, PERSON, TWO_SECONDS, USAGE, Stage

PATIENT = 3600.0


def test_a_key_that_outlives_its_revocation_is_not_forgotten(stage: Stage) -> None:
    """Every run says so until it is dead, the second one to a person; status does, too; then all is well again."""
    stage.edit("[defaults]\n", f"[defaults]\n{TWO_SECONDS}")
    stage.own()
    stage.switch(revocation=Delay(PATIENT))
    first = stage.row("rotate", "uploader", code=FAILED)
    assert "was revoked, but" in first["error"]
    assert [old["key_id"] for old in stage.row("status", code=FAILED)["old_keys"]] == first["revoked"]
    again = stage.row("run", code=PERSON)
    assert "was revoked, but" in again["error"]
    assert stage.row("status", code=PERSON)["needs_person"] is True
    stage.switch(revocation=Delay())
    healed = stage.row("run")
    assert healed["outcome"] == "up_to_date"
    assert "ProveDead" in healed["actions"] or "Unlabel" in healed["actions"]
    assert stage.row("run")["actions"] == []
    assert stage.rotator("audit", "verify").returncode == 0


@pytest.mark.parametrize("order", [Order.NEWEST_FIRST, pytest.param(Order.OLDEST_FIRST, marks=pytest.mark.slow)])
@pytest.mark.parametrize("count", list(CountOf))
def test_short_pages_hide_no_superseded_key(stage: Stage, count: CountOf, order: Order) -> None:
    """With pages of three, and more keys than that, every key before the current one dies."""
    stage.switch(page_size=3, count_of=count, order=order)
    for _ in range(6):
        assert stage.row("rotate", "uploader")["outcome"] == "rotated"
    assert len(stage.live_keys()) == 1


def test_a_list_of_active_keys_only_proves_death_soon(stage: Stage) -> None:
    """A revoked key that is simply no longer listed is proved dead by its token, without long waiting."""
    stage.switch(listed_by_default=Listed.ACTIVE_ONLY)
    stage.edit('api_url = "', 'api = "legacy"\napi_url = "')
    stage.edit(
        'permissions = { resources = ["org:files:write"] }',
        'permissions = { endpoints = { pinning = ["pinFileToIPFS"] } }',
    )
    stage.edit("[defaults]\n", '[defaults]\ntimeout = "20s"\nverify_timeout = "10s"\n')
    row = stage.row("rotate", "uploader")
    assert row["actions"][-3:] == ["Revoke", "ProveDead", "Unlabel"]


def test_a_missing_secret_stops_no_other(stage: Stage) -> None:
    """The others rotate; the missing one has its own line, and decides the exit code."""
    stage.add_secret("gone", "prod/pinata/gone")
    rows = {row["secret"]: row for row in stage.rows("run", code=USAGE)}
    assert rows["uploader"]["outcome"] == "rotated"
    assert rows["gone"]["outcome"] == "failed"
    assert "prod/pinata/gone" in rows["gone"]["error"]
    assert stage.rotator("plan").returncode == USAGE
    assert "uploader" in stage.rotator("status").stdout


def test_a_revoked_current_key_shows_in_status(stage: Stage) -> None:
    """The table says that a new key is due now, and why."""
    stage.own()
    (live,) = stage.live_keys()
    with stage.site.lock:
        stage.site.world.revoke(Bearer(stage.sandbox.admin_jwt), Generation.V3, live)
    (row,) = stage.rows("status", code=PERSON)
    assert row["reason"] == "KEY_REVOKED"
    assert row["next_actions"][0] == "Create"
    assert " now " in stage.rotator("status").stdout


def test_the_configuration_may_be_named_behind_the_command(stage: Stage) -> None:
    """--config works in both places, and its errors reach a program that asked for JSON."""
    path = str(stage.sandbox.config_path)
    unset = {"ROTATOR_CONFIG": None}
    for args in (["--config", path, "plan"], ["plan", "--config", path], ["config", "check", "--config", path]):
        assert stage.rotator(*args, env=unset).returncode == 0
    done = stage.rotator("run", "--json", "--config", "/nowhere.toml")
    assert done.returncode == USAGE
    assert json.loads(done.stdout)["outcome"] == "failed"


def test_other_fields_are_carried_over_as_they_are(stage: Stage) -> None:
    """Numbers keep their digits, those that Python could not carry over, too."""
    value = json.loads(stage.text())
    stage.put(json.dumps(value | {"ratio": 1.5, "port": 8080, "note": "grün"}))
    assert stage.row("run")["outcome"] == "rotated"
    after = json.loads(stage.text())
    assert (after["ratio"], after["port"], after["note"]) == (1.5, 8080, "grün")
    stage.put(json.dumps(after).replace("1.5", "12345678901234567890.123456789"))
    assert stage.row("rotate", "uploader")["outcome"] == "rotated"
    assert '"ratio": 12345678901234567890.123456789' in stage.text()


def test_listing_lag_is_no_lie(stage: Stage) -> None:
    """A list that lags behind a revocation is waited for, and what it says last counts."""
    stage.switch(listing=Delay(1.0))
    row = stage.row("rotate", "uploader")
    assert row["outcome"] == "rotated"
    assert len(stage.live_keys()) == 1
