"""The audit directory every test here has to itself."""

from pathlib import Path

import pytest


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return an empty, private directory."""
    made = tmp_path / "audit"
    made.mkdir(mode=0o700)
    return made
