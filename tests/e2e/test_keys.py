"""`rotator keys`: whose each key of the account is, and which secrets hold it."""

import pytest

from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.running import ACCOUNT, REGION, SECRET, value_of
from tests.e2e.stage import FAILED, Stage
from tests.e2e.states import denied, orphan, ours

_VERSION = "g000003-20261122T095328Z-9f3c1a2b4d"


def test_every_key_has_an_owner(stage: Stage) -> None:
    """A key of each kind, live and dead, is told apart; the table shows what matters first and changes nothing."""
    dead = stage.sandbox.current_key_id()
    orphan(stage)
    current = stage.sandbox.current_key_id()
    name = stage.key(current).name
    left = next(key for key in stage.live_keys() if key != current)
    stray = stage.sandbox.seed_key(f"rotator/{ACCOUNT}/{REGION}/prod/gone-AbCdEf/{_VERSION}").key
    theirs = stage.sandbox.seed_key(name.replace("rotator/", "staging/")).key
    abroad = stage.sandbox.seed_key(name.replace(REGION, "us-east-1")).key
    somebodys = stage.seed("by hand", Permissions(endpoints=frozenset({"pinning.pinFileToIPFS"}))).key
    by_hand = stage.sandbox.seed_key("by hand, held")
    stage.sandbox.create_secret("prod/pinata/second", value_of(by_hand))
    stage.add_secret("second", "prod/pinata/second")
    world, writes = stage.world(), stage.writes()
    rows = {row["key_id"]: row for row in stage.rows("keys")}
    whose = {key_id: (row["owner"], row["secret"], row["generation"], row["held_by"]) for key_id, row in rows.items()}
    managing = next(key_id for key_id, row in rows.items() if row["owner"] == "managing")
    assert whose == {
        left: ("orphan", "uploader", 2, []),
        stray: ("orphan", "prod/gone", 3, []),
        current: ("secret", "uploader", 1, ["uploader"]),
        by_hand.key: ("secret", "second", None, ["second"]),
        managing: ("managing", None, None, []),
        theirs: ("installation", SECRET, 1, []),
        abroad: ("installation", SECRET, 1, []),
        somebodys: ("other", None, None, []),
        dead: ("secret", "uploader", None, ["uploader"]),
    }
    assert rows[current]["name"] == name
    assert rows[current]["alive"] is True
    assert rows[dead]["alive"] is False
    assert rows[current]["scopes"] == ["org:files:write"]
    assert rows[managing]["scopes"] == ["admin"]
    text = stage.rotator("keys").stdout
    assert dead not in text
    assert text.index(left) < text.index(current) < text.index(managing) < text.index(somebodys)
    assert "8 keys: 2 orphan, 2 secret, 1 managing, 2 installation, 1 other; none was touched" in text
    assert (stage.world(), stage.writes()) == (world, writes)


def test_filters_choose_rows(stage: Stage) -> None:
    """By owner, by secret, and by life; of nothing, the summary alone is left."""
    orphan(stage)
    current = stage.sandbox.current_key_id()
    assert [row["key_id"] for row in stage.rows("keys", "--owner", "secret", "--alive")] == [current]
    assert {row["owner"] for row in stage.rows("keys", "--owner", "orphan", "--owner", "managing")} == {
        "orphan",
        "managing",
    }
    assert {row["secret"] for row in stage.rows("keys", "--secret", "uploader")} == {"uploader"}
    assert stage.rotator("keys", "--owner", "installation").stdout == "0 keys; none was touched\n"
    assert "(dead)" in stage.rotator("keys", "--dead").stdout


def test_what_cannot_be_read_is_not_none(stage: Stage) -> None:
    """Where a value is denied, who holds a key is not known, and the command says so and ends with 1."""
    ours(stage)
    with denied(stage, "GetSecretValue", about=SECRET):
        rows = stage.rows("keys", "--alive", code=FAILED)
        text = stage.said(stage.rotator("keys"))
    assert [row["held_by"] for row in rows] == [None, None]
    assert "held by not known" in text
    assert "Warning: uploader: which keys it holds is not known" in text


def test_the_table_fits_a_terminal(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """At 80 columns only a name may be wider, on a line of its own: cut, it would name nothing."""
    orphan(stage)
    long = "a key with a name that is long, " * 4
    stage.sandbox.seed_key(long.strip())
    monkeypatch.setattr("rotator.cli.keys.width", lambda: 80)
    lines = stage.rotator("keys").stdout.splitlines()
    assert [line.strip() for line in lines if len(line) > 80] == [long.strip()]
