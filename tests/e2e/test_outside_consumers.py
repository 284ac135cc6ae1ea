"""Other people's clients read the secret through several rotations; what they read works, as long as grace lasts.

They cache for a second, of their own time. The grace is the default one; it ends once each of them has the new key.
The second test shows that the first one can fail. The third has a client with its own interval, in skipped time.
"""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from importlib import import_module
from pathlib import Path

import pytest

from rotator.config.file import load
from rotator.sandbox.running import SECRET
from tests.consumers.installed import COMMANDS, PACKAGES, OutsideConsumer, prepare
from tests.e2e.consumer_kinds import Fleet, VersionCache, reading
from tests.e2e.stage import Stage

CACHE_S = 1.0
ROTATIONS = 3
PATIENCE_S = 600.0
HOUR_S = 3600.0

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600)]


@contextmanager
def consuming(stage: Stage, folder: Path, names: tuple[str, ...], cache_s: float) -> Iterator[list[OutsideConsumer]]:
    """Run consumers, each at least once through before the block begins."""
    prepare()
    variables = {
        **stage.sandbox.environment,
        "SECRET_ID": SECRET,
        "URL": f"{stage.sandbox.pinata.url}/data/testAuthentication",
        "CACHE_S": str(cache_s),
    }
    with ExitStack() as running:
        consumers = [
            running.enter_context(OutsideConsumer(name, variables, folder / f"{number}.txt"))
            for number, name in enumerate(names)
        ]
        for consumer in consumers:
            consumer.wait_until(lambda one: bool(one.uses), PATIENCE_S)
        yield consumers


def told(consumers: list[OutsideConsumer], capsys: pytest.CaptureFixture[str]) -> None:
    """Print what each consumer saw."""
    with capsys.disabled():
        print()  # noqa: T201 - it is to be seen
        for one in consumers:
            print(f"{one.name}: {len(one.uses)} calls, {one.refused} refused, {len(one.keys)} keys")  # noqa: T201 - as above


def test_no_client_is_refused_within_grace(stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Three rotations: each client uses every key while it lives, and none is ever refused."""
    stage.edit('grace = "0s"\n', "")
    grace_s = load(stage.sandbox.config_path).secrets[0].grace.total_seconds()
    keys = [stage.sandbox.current_key_id()]
    with consuming(stage, tmp_path, tuple(COMMANDS), CACHE_S) as consumers:
        for _ in range(ROTATIONS):
            row = stage.row("rotate", "uploader")
            assert (row["outcome"], row["revoked"]) == ("rotated", [])
            keys.append(row["key_id"])
            for consumer in consumers:
                consumer.wait_until(lambda one: one.keys == keys, PATIENCE_S)
            stage.passes(grace_s)
            assert stage.row("run")["revoked"] == [keys[-2]]
    told(consumers, capsys)
    for one in consumers:
        assert (one.refused, one.keys) == (0, keys), one.name
        assert one.default_cache_s < grace_s, one.name
    assert stage.live_keys() == [keys[-1]]


def test_a_client_that_caches_longer_than_grace_is_refused(
    stage: Stage, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One rotation with grace 0: the cached value is refused from then on. So a refusal would be seen above."""
    hand_made = stage.sandbox.current_key_id()
    names = ("aws-secretsmanager-caching", "Powertools for JavaScript")
    with consuming(stage, tmp_path, names, HOUR_S) as consumers:
        assert stage.row("rotate", "uploader")["revoked"] == [hand_made]
        for consumer in consumers:
            consumer.wait_until(lambda one: one.refused > 0, PATIENCE_S)
    told(consumers, capsys)
    assert [one.keys for one in consumers] == [[hand_made]] * len(names)


@pytest.mark.parametrize(("grace_s", "refused"), [(7200, set()), (1500, {"real", "simulated"})], ids=["2 h", "25 min"])
def test_cache_for_python_with_its_own_interval(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, grace_s: int, refused: set[str]
) -> None:
    """The real cache asks after half an hour to an hour: two hours of grace suffice, 25 minutes do not."""
    prepare()
    monkeypatch.setattr(sys, "path", [*sys.path, str(PACKAGES)])
    stage.edit('grace = "0s"', f'grace = "{grace_s}s"')
    keys = [stage.sandbox.current_key_id()]
    with reading(stage.sandbox) as client, closing(Fleet(stage)) as fleet:
        real = import_module("aws_secretsmanager_caching").SecretCache(client=client)
        fleet.add("real", lambda: str(real.get_secret_string(SECRET)))
        fleet.add("simulated", VersionCache(client).held)
        fleet.call()
        for _ in range(ROTATIONS):
            keys.append(stage.row("rotate", "uploader")["key_id"])
            for _ in range(6):
                fleet.call()
                fleet.passes(grace_s / 6)
            assert stage.row("run")["revoked"] == [keys[-2]]
            fleet.call()
    assert fleet.calls() == 2 * (1 + 7 * ROTATIONS)
    assert set(fleet.refused()) == refused
    assert refused or [member.keys for member in fleet.members] == [keys, keys]
    assert stage.live_keys() == [keys[-1]]
