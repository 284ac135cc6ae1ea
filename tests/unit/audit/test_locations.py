"""The locations of a trail are what is configured."""

import pytest

from rotator.audit.locations import TrailLocations
from rotator.audit.trail import AuditTrail
from tests.unit.audit.builders import WRITER, RunIds, a_rotation, record_rotation
from tests.unit.audit.media import Both

EVENTS = 1 + len(list(a_rotation()))


@pytest.mark.parametrize("with_bucket", [True, False])
def test_places_are_what_is_configured(both: Both, *, with_bucket: bool) -> None:
    """A bucket alone, or a directory alone, is a whole trail."""
    place = TrailLocations(
        None if with_bucket else both.directory, both.bucket.bucket if with_bucket else None, both.bucket.clock
    )
    new_id = RunIds()
    with AuditTrail(place.destinations(WRITER, new_id), WRITER, clock=place.clock, new_id=new_id) as trail:
        record_rotation(trail)
    (source,) = place.sources()
    assert source.verify().events == EVENTS
