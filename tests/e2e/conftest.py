"""One sandbox for each test."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import time_machine

from rotator.sandbox.running import Sandbox
from tests.e2e.stage import SkippedTime, Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Yield a seeded sandbox: a hand-made key, no grace, no settling; what a command waits for is skipped."""
    with time_machine.travel(datetime.now(UTC), tick=True) as clocks, Sandbox(tmp_path) as sandbox:
        yield Stage(sandbox, SkippedTime(clocks))


@pytest.fixture
def stage_in_real_time(tmp_path: Path) -> Iterator[Stage]:
    """Yield the same where every wait is waited for, beside others who live by the same clock."""
    with Sandbox(tmp_path) as sandbox:
        yield Stage(sandbox)
