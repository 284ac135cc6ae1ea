"""Comparing scopes that were asked for with those that a list shows."""

import pytest

from rotator.engine.scopes import difference
from rotator.model.secret import Admin, Endpoints, Permissions, Resources

WRITE = Resources(frozenset({"org:files:write"}))
PIN = Endpoints(frozenset({"pinning.pinFileToIPFS"}))


@pytest.mark.parametrize(
    ("requested", "echoed", "expected"),
    [
        pytest.param(WRITE, WRITE, None, id="the same"),
        pytest.param(PIN, PIN, None, id="the same endpoints"),
        pytest.param(Admin(), Admin(), None, id="both admin"),
        pytest.param(WRITE, None, None, id="no echo"),
        pytest.param(Admin(), None, None, id="no echo of an admin key"),
        pytest.param(WRITE, Admin(), "it is an admin key", id="an admin key"),
        pytest.param(PIN, Admin(), "it is an admin key", id="an admin key instead of endpoints"),
        pytest.param(Admin(), WRITE, None, id="an admin key, echoed by its resources"),
        pytest.param(WRITE, PIN, None, id="two kinds"),
        pytest.param(
            WRITE, Resources(frozenset({"org:files:write", "org:files:read"})), None, id="write includes read"
        ),
        pytest.param(
            Resources(frozenset({"org:files:read"})),
            WRITE,
            "it also has org:files:write and lacks org:files:read",
            id="read does not include write",
        ),
        pytest.param(
            WRITE, Resources(frozenset({"org:files:write", "org:write"})), "it also has org:write", id="wider"
        ),
        pytest.param(WRITE, Resources(frozenset()), "it lacks org:files:write", id="narrower"),
        pytest.param(
            PIN,
            Endpoints(PIN.names | {"pinning.unpin", "data.pinList"}),
            "it also has data.pinList, pinning.unpin",
            id="wider endpoints, in order",
        ),
    ],
)
def test_difference(requested: Permissions, echoed: Permissions | None, expected: str | None) -> None:
    """A difference is told where both sides are of one kind; an admin key is wider than anything."""
    assert difference(requested, echoed) == expected
