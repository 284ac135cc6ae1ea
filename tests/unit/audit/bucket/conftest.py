"""The wire of the bucket every test here has to itself; what is repeated is repeated at once."""

import pytest

from tests.unit.audit.bucket.wire import Wire
from tests.unit.audit.media import InBucket


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat a call at once."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


@pytest.fixture
def wire(bucket: InBucket) -> Wire:
    """Return the wire of the bucket's client."""
    return Wire(bucket)
