"""A secret that holds the header pair of a key and no token, as many SDKs are configured."""

import json

import pytest

from rotator.sandbox.pinata.records import KeyPair, KeyRecord
from tests.e2e.stage import Stage

FIELDS = 'fields = { key = "PINATA_API_KEY", secret = "PINATA_API_SECRET" }'


def pair_of(key: KeyRecord, secret: str = "") -> str:
    """Return the value that holds a key's pair, and a field that is not ours."""
    return json.dumps({"PINATA_API_KEY": key.key, "PINATA_API_SECRET": secret or key.secret, "host": "gw.example"})


@pytest.fixture
def pair_stage(stage: Stage) -> Stage:
    """A secret with the pair of a key that was made by hand, configured without a token."""
    (seeded,) = stage.live_keys()
    stage.put(pair_of(stage.key(seeded)))
    stage.edit("permissions =", f"{FIELDS}\npermissions =")
    return stage


def stored(stage: Stage) -> dict[str, str]:
    """Return what consumers read; its pair is the one that Pinata accepts."""
    value: dict[str, str] = json.loads(stage.text())
    with stage.site.lock:
        stage.site.world.test_authentication(KeyPair(value["PINATA_API_KEY"], value["PINATA_API_SECRET"]))
    return value


def test_a_pair_is_taken_over_rotated_and_proved_dead(pair_stage: Stage) -> None:
    """No token is ever stored; each key is proved, alive and dead, by what consumers send."""
    stage = pair_stage
    (hand_made,) = stage.live_keys()
    first = stage.row("run")
    assert (first["outcome"], first["reason"], first["revoked"]) == ("rotated", "ADOPTED", [hand_made])
    second = stage.row("rotate", "uploader")
    assert (second["outcome"], second["revoked"]) == ("rotated", [first["key_id"]])
    value = stored(stage)
    assert value.keys() == {"PINATA_API_KEY", "PINATA_API_SECRET", "host"}
    assert (value["PINATA_API_KEY"], value["host"]) == (second["key_id"], "gw.example")
    assert stage.live_keys() == [second["key_id"]]
    proofs = [row["detail"] for row in stage.rows("audit", "show") if "is refused" in str(row.get("detail"))]
    assert len(proofs) == 2
    assert all("its header pair is refused" in proof for proof in proofs)
    assert stage.row("run")["reason"] == "UP_TO_DATE"


def test_a_damaged_pair_is_replaced(pair_stage: Stage) -> None:
    """The pair is proved at each look, and its key being listed as live is no excuse."""
    stage = pair_stage
    key_id = stage.row("run")["key_id"]
    stage.passes(3600)
    stage.put(pair_of(stage.key(key_id), "0" * 64), token=stage.labels()["AWSCURRENT"][:-1] + "z")
    stage.passes(3600)
    row = stage.row("run")
    assert (row["outcome"], row["reason"]) == ("rotated", "CURRENT_REFUSED")
    assert stored(stage)["PINATA_API_KEY"] == row["key_id"] != key_id
