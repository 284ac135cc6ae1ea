"""No consumer is ever refused: neither one that reads the secret each time, nor one that caches it.

On all three path sets. The legacy one knows no `resources`, so its keys have a legacy scope and its consumer calls a
legacy endpoint.
"""

import json
import time
from dataclasses import dataclass

import pytest

from rotator.sandbox.consumer import PATH, Consumer
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Generation, Switches
from rotator.sandbox.running import SECRET, value_of
from tests.e2e.stage import Stage

CACHE_S = 1.0
GRACE_S = 3.0
CALLS_MIN = 20
PATIENCE_S = 60.0
RESOURCES = '{ resources = ["org:files:write"] }'


@dataclass(frozen=True, slots=True)
class PathSet:
    """A way to manage keys, and what a consumer of such a key may do."""

    api: str
    generation: Generation
    permissions: str
    path: str


V3 = PathSet("v3", Generation.V3, RESOURCES, PATH)
V3_PINATA = PathSet("v3-pinata", Generation.V3_PINATA, RESOURCES, PATH)
LEGACY = PathSet("legacy", Generation.LEGACY, '{ endpoints = { data = ["pinList"] } }', "/data/pinList")
on_all_path_sets = pytest.mark.parametrize("paths", [V3, V3_PINATA, LEGACY], ids=lambda paths: paths.api)


def prepare(stage: Stage, paths: PathSet) -> str:
    """Let the account know one path set only, put in a hand-made key for it, and return its id."""
    key = stage.seed("made by hand", Permissions(resources=("org:files:write",)))
    if paths is LEGACY:
        key = stage.seed("made by hand", Permissions(endpoints=frozenset({"data.pinList"})))
    stage.put(value_of(key))
    stage.edit(RESOURCES, paths.permissions)
    stage.edit("[pinata]\n", f'[pinata]\napi = "{paths.api}"\n')
    with stage.site.lock:
        stage.site.world.switches = Switches(
            generations=frozenset({paths.generation}), limits=stage.site.world.switches.limits
        )
    return key.key


def consumer(stage: Stage, paths: PathSet, cache_s: float = 0.0) -> Consumer:
    """Return a consumer of the secret."""
    sandbox = stage.sandbox
    return Consumer(sandbox.pinata.url, sandbox.secrets_manager.endpoint_url, SECRET, cache_s=cache_s, path=paths.path)


@on_all_path_sets
def test_one_that_always_reads_the_secret_sees_no_refusal_without_grace(stage: Stage, paths: PathSet) -> None:
    """A takeover and a rotation with grace 0: many calls, three keys, none refused."""
    hand_made = prepare(stage, paths)
    with consumer(stage, paths) as watching:
        first = stage.row("run")
        second = stage.row("rotate", "uploader")
        at_least(watching, CALLS_MIN)
    assert (first["outcome"], second["outcome"]) == ("rotated", "rotated")
    assert first["revoked"] == [hand_made]
    assert second["revoked"] == [first["key_id"]]
    assert watching.count.keys == [hand_made, first["key_id"], second["key_id"]]
    assert (watching.count.refused, watching.count.problems) == (0, [])


@on_all_path_sets
def test_one_that_caches_sees_no_refusal_within_grace(stage: Stage, paths: PathSet) -> None:
    """Two rotations with a grace longer than the cache: the old key dies after it, none is refused."""
    hand_made = prepare(stage, paths)
    stage.edit('grace = "0s"', f'grace = "{GRACE_S:.0f}s"')
    with consumer(stage, paths, CACHE_S) as watching:
        first = stage.row("run")
        assert (first["outcome"], first["revoked"]) == ("rotated", [])
        retire(stage, hand_made)
        second = stage.row("rotate", "uploader")
        assert (second["outcome"], second["revoked"]) == ("rotated", [])
        retire(stage, first["key_id"])
        at_least(watching, CALLS_MIN)
    assert watching.count.keys == [hand_made, first["key_id"], second["key_id"]]
    assert (watching.count.refused, watching.count.problems) == (0, [])
    assert second["key_id"] in stage.live_keys()
    assert json.loads(stage.text())["pinata_api_key"] == second["key_id"]


def retire(stage: Stage, key_id: str) -> None:
    """Run as cron would until the old key is revoked, which is not before its grace is over."""
    changed_at = stage.describe()["LastChangedDate"]
    give_up_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < give_up_at:
        row = stage.row("run")
        if row["revoked"]:
            assert row["revoked"] == [key_id]
            assert (stage.key(key_id).revoked_at or 0.0) >= changed_at + GRACE_S
            return
        assert stage.key(key_id).revoked_at is None
    pytest.fail("the old key was not revoked")


def at_least(watching: Consumer, calls: int) -> None:
    """Wait until the consumer has made so many calls more."""
    enough = watching.count.calls + calls
    give_up_at = time.monotonic() + PATIENCE_S
    while watching.count.calls < enough and not watching.count.problems:
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
