"""`status --watch` over a large fleet: no refresh asks after more secrets than a daemon's first tick would."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rotator.audit.locations import TrailLocations
from rotator.cli import watcher as watcher_module
from rotator.cli.watcher import Watcher
from rotator.engine.run import Run, World
from rotator.fleet.memory import FIRST_LOOKS_MAX
from rotator.fleet.neighbours import Neighbours
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Operation, Process
from tests.unit.fleet.many import fleet

SIZE = 2 * FIRST_LOOKS_MAX + 20


@dataclass
class Both:
    """Both systems, as a command reaches them."""

    store: SimulatedStore
    trail_locations: TrailLocations


def test_new_secrets_are_looked_at_in_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 220 nobody knows a hundred are looked at, then another hundred, then the rest, then one at a time."""
    scene, specs = fleet(SIZE)
    looks: list[int] = [0]

    def count(operation: Operation) -> None:
        looks[-1] += operation is Operation.LIST_KEYS

    process = Process(scene.systems, count)
    store = SimulatedStore(process)
    world = World(
        "rotator",
        SimulatedProvider(process),
        store,
        process,
        Neighbours(specs, store).holding,
        SimulatedConsumers(process),
    )
    monkeypatch.setattr(watcher_module, "startup_deadline", lambda: process)
    monkeypatch.setattr(
        watcher_module, "new_run", lambda _, demand: Run(scene.systems.now(), "a" * 10, demand, process, process.now)
    )
    both: Any = Both(store, TrailLocations(tmp_path, None, lambda: datetime.now(UTC)))
    watcher = Watcher(specs, both, world)
    known = [0]
    for _ in range(4):
        seen = watcher.look()
        known.append(sum(row.reason is not None for row in seen.secrets))
        looks.append(0)
    assert [b - a for a, b in pairwise(known)] == [FIRST_LOOKS_MAX, FIRST_LOOKS_MAX, 20, 0]
    a_look = looks[0] // FIRST_LOOKS_MAX
    assert max(looks) <= looks[0] + a_look
    assert 0 < looks[3] < looks[0] / 10
