"""A bucket that fails at any object of a rotation: no effect without its intent, and nothing is lost."""

from collections.abc import Callable
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ReadTimeoutError

from tests.unit.audit.bucket.wire import Wire, answer, fail
from tests.unit.audit.media import InBucket
from tests.unit.audit.rotating import a_rotation, require_made_good

LATER = timedelta(hours=1)
"""After a run counts as dead."""
OBJECTS = 7
"""Of a rotation: five calls change something, there is an end, and an entry of the ledger."""
FAULTS = {
    "403": answer(403, "AccessDenied"),
    "412": answer(412, "PreconditionFailed"),
    "500": answer(500, "InternalError"),
    "slow": fail(ReadTimeoutError(endpoint_url="https://x")),
}


@pytest.mark.parametrize(
    ("fault", "lasts"),
    [
        pytest.param(fault, lasts, id=f"{name}-{lasts}", marks=() if (name, lasts) == ("500", 3) else pytest.mark.slow)
        for name, fault in FAULTS.items()
        for lasts in (1, 3, 1_000)
    ],
)
def test_a_bucket_that_fails_anywhere_costs_no_intent(
    bucket: InBucket, wire: Wire, fault: Callable[[Any], AWSResponse], lasts: int
) -> None:
    """At each object of a rotation and of the ledger: in one attempt, in one call, or from then on."""
    for at in count():
        rotation, before = a_rotation(), wire.calls["PutObject"]
        wire.fault("PutObject", fault, lasts, after=at)
        with bucket.trail(f"run{at}-") as trail:
            rotation.run(trail)
        is_past = wire.calls["PutObject"] - before <= at
        wire.heal()
        bucket.clock.now += LATER
        require_made_good(rotation, bucket.trail(f"next{at}-"), bucket.source)
        bucket.clock.now += LATER
        if is_past:
            break
    assert at == OBJECTS
