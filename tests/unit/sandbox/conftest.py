"""What tests of the sandbox share."""

from collections.abc import Iterator

import pytest

from tests.unit.sandbox.served_pinata import Pinata


@pytest.fixture
def pinata() -> Iterator[Pinata]:
    """Serve a Pinata for one test."""
    served = Pinata()
    with served.server, served.http:
        yield served
