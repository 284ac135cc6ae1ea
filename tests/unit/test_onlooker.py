"""`status --watch` over a large fleet: no refresh asks after more secrets than a daemon's first tick would."""

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rotator import wiring
from rotator.audit.places import AuditPlaces
from rotator.cli.watching import Onlooker
from rotator.fleet import Neighbours
from rotator.reconcile import Run, World
from rotator.seen import FIRST_LOOKS_MAX
from tests.simulation.provider import SimulatedProvider
from tests.simulation.store import SimulatedStore
from tests.simulation.world import Operation, Process
from tests.unit.test_fleet import fleet

SIZE = 2 * FIRST_LOOKS_MAX + 20


@dataclass
class Both:
    """Both systems, as a command reaches them."""

    store: SimulatedStore
    audit_places: AuditPlaces


def test_new_secrets_are_looked_at_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
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
    )
    monkeypatch.setattr(wiring, "startup_deadline", lambda: process)
    monkeypatch.setattr(
        wiring,
        "new_run",
        lambda _, demand: Run(scene.systems.now(), "a" * 10, demand, process),
    )
    both: Any = Both(store, AuditPlaces(tmp_path, None, lambda: datetime.now(UTC)))
    onlooker = Onlooker(specs, both, world)
    known = [0]
    for _ in range(4):
        board = onlooker.look()
        known.append(sum(row.last_reason != "" for row in board.standings))
        looks.append(0)
    assert [b - a for a, b in pairwise(known)] == [FIRST_LOOKS_MAX, FIRST_LOOKS_MAX, 20, 0]
    assert max(looks) <= looks[0] + 1
    assert 0 < looks[3] < looks[0] / 10
