"""Keys that nobody looks after: of secrets that are gone, and in the hands of people whom nobody knows."""

from rotator.sandbox.pinata.records import Bearer
from rotator.sandbox.pinata.switches import Generation
from rotator.sandbox.running import SECRET, value_of
from tests.e2e.stage import Stage


def test_a_secret_created_anew_leaves_a_key_that_is_told(stage: Stage) -> None:
    """The name is the same and the ARN is not: the key before is told by its id, counted, and never touched."""
    old = stage.row("run")["key_id"]
    stage.sandbox.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True})
    stage.sandbox.create_secret(SECRET, value_of(stage.sandbox.seed_key("by hand, again")))
    for outcome in ("rotated", "up_to_date"):
        row = stage.row("run")
        assert row["outcome"] == outcome
    assert sorted(stage.live_keys()) == sorted([old, row["key_id"]])
    world = stage.world()
    told = stage.said(stage.rotator("status"))
    assert f"{old} (made for {SECRET})" in told
    assert row["key_id"] not in told
    assert stage.row("status")["orphans"] == 1
    assert stage.world() == world


def test_an_entry_taken_out_leaves_a_key_that_is_told(stage: Stage) -> None:
    """It is told as long as it lives; a neighbour that is still configured is not concerned."""
    stage.sandbox.create_secret("prod/other", value_of(stage.sandbox.seed_key("other")))
    before = stage.sandbox.config_path.read_text()
    stage.add_secret("other", "prod/other")
    keys = {row["secret"]: row["key_id"] for row in stage.rows("run")}
    assert "no configured secret" not in stage.said(stage.rotator("status"))
    stage.sandbox.config_path.write_text(before)
    told = stage.said(stage.rotator("status"))
    assert f"{keys['other']} (made for prod/other)" in told
    assert keys["uploader"] not in told
    assert stage.row("status")["orphans"] == 0
    with stage.site.lock:
        stage.site.world.revoke(Bearer(stage.sandbox.admin_jwt), Generation.V3, keys["other"])
    assert "no configured secret" not in stage.said(stage.rotator("status"))


def test_a_plan_says_who_else_loses_a_key_made_by_hand(stage: Stage) -> None:
    """Once, for the key that is taken over; of a key of ours nobody else has one."""
    (hand_made,) = stage.live_keys()
    assert f"Key {hand_made} was made by hand: everybody else who holds it" in stage.said(stage.rotator("plan"))
    stage.edit('grace = "0s"', 'grace = "1h"')
    stage.row("run")
    assert "made by hand" not in stage.said(stage.rotator("plan"))
    stage.passes(3700)
    assert f"Key {hand_made} was made by hand: everybody else who holds it" in stage.said(stage.rotator("plan"))
    stage.row("run")
    stage.passes(40 * 86_400)
    assert "made by hand" not in stage.said(stage.rotator("plan"))
