"""No consumer is ever refused: neither one that reads the secret each time, nor one that caches it.

On all three path sets. The legacy one knows no `resources`, so its keys have a legacy scope and its consumer calls a
legacy endpoint.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from rotator.sandbox.consumer import PATH, Consumer
from rotator.sandbox.pinata.faults import Operation, Respond, Side
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Generation, Switches
from rotator.sandbox.running import SECRET, value_of
from tests.e2e.stage import PERSON, Stage

CACHE_S = 0.5
GRACE_S = 3600.0
CALLS_MIN = 20
PATIENCE_S = 600.0
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
on_all_path_sets = pytest.mark.parametrize(
    "paths",
    [V3, pytest.param(V3_PINATA, marks=pytest.mark.slow), pytest.param(LEGACY, marks=pytest.mark.slow)],
    ids=lambda paths: paths.api,
)


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
    """A takeover and a rotation with grace 0: many calls, three keys, none refused.

    A call under way would need a grace. So one that has read the secret gets to use what it read: a run that asks
    Pinata about a key, as it does before it revokes another, is answered after two calls of the consumer.
    """
    hand_made = prepare(stage, paths)
    with consumer(stage, paths) as watching:

        def round_once(_: int, operation: Operation) -> None:
            if operation is Operation.AUTHENTICATE:
                at_least(watching, 2)

        stage.site.before_reply = round_once
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
        retire(stage, watching, hand_made, first["key_id"])
        second = stage.row("rotate", "uploader")
        assert (second["outcome"], second["revoked"]) == ("rotated", [])
        retire(stage, watching, first["key_id"], second["key_id"])
        at_least(watching, CALLS_MIN)
    assert watching.count.keys == [hand_made, first["key_id"], second["key_id"]]
    assert (watching.count.refused, watching.count.problems) == (0, [])
    assert second["key_id"] in stage.live_keys()
    assert json.loads(stage.text())["pinata_api_key"] == second["key_id"]


@on_all_path_sets
def test_one_that_always_reads_the_secret_sees_no_refusal_through_a_containment(stage: Stage, paths: PathSet) -> None:
    """The current key leaks, its containment is cut short before the revocation, and the next run ends it."""
    prepare(stage, paths)
    stage.edit('grace = "0s"', 'grace = "24h"')
    leaked = stage.row("run")["key_id"]
    with consumer(stage, paths) as watching:

        def round_once(_: int, operation: Operation) -> None:
            if operation is Operation.AUTHENTICATE:
                at_least(watching, 2)

        stage.site.before_reply = round_once
        stage.inject(Respond(Side.BEFORE, 403), Operation.REVOKE, 1)
        first = stage.row("contain", "uploader", "--reason", "in a log", code=PERSON)
        assert (first["contained"], leaked in stage.live_keys()) == (False, True)
        second = stage.row("run")
        at_least(watching, CALLS_MIN)
    assert leaked in second["revoked"]
    assert leaked not in stage.live_keys()
    assert watching.count.keys == [leaked, stage.sandbox.current_key_id()]
    assert (watching.count.refused, watching.count.problems) == (0, [])


def retire(stage: Stage, watching: Consumer, old: str, new: str) -> None:
    """Once the consumer has the new key, let the grace end: the old one is revoked then, and not a minute before."""
    until(watching, lambda: watching.count.keys[-1] == new)
    changed_at = stage.describe()["LastChangedDate"]
    stage.passes(GRACE_S - 60)
    assert stage.row("run")["revoked"] == []
    assert stage.key(old).revoked_at is None
    stage.passes(60)
    assert stage.row("run")["revoked"] == [old]
    assert (stage.key(old).revoked_at or 0.0) >= changed_at + GRACE_S


def at_least(watching: Consumer, calls: int) -> None:
    """Wait until the consumer has made so many calls more."""
    enough = watching.count.calls + calls
    until(watching, lambda: watching.count.calls >= enough)


def until(watching: Consumer, holds: Callable[[], bool]) -> None:
    """Wait until something holds, as long as nothing keeps the consumer from its work."""
    give_up_at = time.monotonic() + PATIENCE_S
    while not holds():
        assert watching.count.problems == []
        assert time.monotonic() < give_up_at
        time.sleep(0.01)
