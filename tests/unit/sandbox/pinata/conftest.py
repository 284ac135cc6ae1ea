"""A simulated Pinata for each test."""

from collections.abc import Iterator

import pytest

from tests.unit.sandbox.pinata.served import Pinata


@pytest.fixture
def pinata() -> Iterator[Pinata]:
    """Serve a Pinata for one test."""
    served = Pinata()
    with served.server, served.http:
        yield served
