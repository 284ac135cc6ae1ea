"""A set of run ids that keeps a hash of each."""

import pytest

from rotator.audit import runset
from rotator.audit.runset import RunSet


def test_it_holds_what_was_added() -> None:
    """However many, however often, and nothing else."""
    held = RunSet()
    for number in (*range(5000), *range(5000)):
        held.add(f"run-{number}")
    assert [number for number in range(10_000) if f"run-{number}" in held] == [*range(5000)]


def test_hashes_that_share_a_place_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the place of a hash is taken, the next one is."""
    monkeypatch.setattr(runset, "_key", lambda run_id: 1023 + 1024 * int(run_id))
    held = RunSet()
    for number in range(0, 2000, 2):
        held.add(str(number))
    assert [number for number in range(2000) if str(number) in held] == [*range(0, 2000, 2)]
