"""The audit directory, or bucket, every test here has to itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from tests.unit.audit.media import Both, InBucket, Medium, OnDisk


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Return an empty, private directory."""
    made = tmp_path / "audit"
    made.mkdir(mode=0o700)
    return made


@pytest.fixture
def bucket() -> Iterator[InBucket]:
    """Yield an empty bucket."""
    with mock_aws():
        yield InBucket()


@pytest.fixture(params=["directory", "bucket"])
def medium(request: pytest.FixtureRequest) -> Medium:
    """Return an empty place for a trail, of either kind."""
    if request.param == "bucket":
        found: Medium = request.getfixturevalue("bucket")
        return found
    return OnDisk(request.getfixturevalue("directory"))


@pytest.fixture
def both(directory: Path, bucket: InBucket) -> Both:
    """Return an empty directory and an empty bucket, for one trail."""
    return Both(directory, bucket)
