"""One sandbox for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.sandbox.running import Sandbox
from tests.e2e.stage import Stage


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Yield a seeded sandbox: a hand-made key, no grace, no settling."""
    with Sandbox(tmp_path) as sandbox:
        yield Stage(sandbox)
