"""The simulated Pinata's rate limits over loopback HTTP."""

import pytest

from rotator.sandbox.pinata.switches import LimitScope, RateHeaders, RateLimits, RetryAfter, Switches
from tests.unit.sandbox.pinata.served import START, Pinata


def test_documented_limits_are_the_default_and_slide(pinata: Pinata) -> None:
    """30 a minute on /data, 60 elsewhere; a minute after the first request one more is served."""
    pinata.switch(Switches())
    data = []
    for _ in range(31):
        data.append(pinata.http.get("/data/testAuthentication"))
        pinata.now += 1
    assert [answer.status_code for answer in data] == [200] * 30 + [429]
    assert data[0].headers["X-RateLimit-Limit"] == "30"
    assert data[0].headers["X-RateLimit-Remaining"] == "29"
    assert data[-1].headers["X-RateLimit-Reset"] == str(int(START) + 60)
    assert data[-1].headers["Retry-After"] == "30"
    other = [pinata.http.get("/v3/api_keys").status_code for _ in range(61)]
    assert other == [200] * 60 + [429]
    pinata.now = START + 60
    statuses = [pinata.http.get("/data/testAuthentication").status_code for _ in range(2)]
    assert statuses == [200, 429]


@pytest.mark.parametrize(
    ("scope", "statuses"),
    [(LimitScope.KEY, [200, 200, 200]), (LimitScope.ACCOUNT, [200, 429, 200]), (LimitScope.ADDRESS, [200, 429, 429])],
)
def test_c11_scope_of_the_limit(pinata: Pinata, scope: LimitScope, statuses: list[int]) -> None:
    """Two keys of one account and one of another share a limit of 1, or do not."""
    pinata.switch(Switches(limits=RateLimits(data_per_minute=1, scope=scope)))
    jwts = [pinata.jwt, pinata.server.seed_admin("second"), pinata.server.seed_admin("third", "elsewhere")]
    assert [pinata.authenticate(jwt).status_code for jwt in jwts] == statuses


@pytest.mark.parametrize(
    ("headers", "carriers"),
    [
        (RateHeaders.LEGACY_ONLY, ["/users/apiKeys"]),
        (RateHeaders.ALL, ["/users/apiKeys", "/v3/api_keys"]),
        (RateHeaders.NONE, []),
    ],
)
def test_c11_headers_of_the_limit(pinata: Pinata, headers: RateHeaders, carriers: list[str]) -> None:
    """Served and refused requests carry the limit on the switched paths."""
    pinata.switch(Switches(limits=RateLimits(other_per_minute=1, headers=headers)))
    for path in ("/users/apiKeys", "/v3/api_keys"):
        pinata.now += 60
        answers = [pinata.http.get(path) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 429]
        carried = ["X-RateLimit-Limit" in answer.headers for answer in answers]
        assert carried == [path in carriers] * 2


@pytest.mark.parametrize(
    ("retry_after", "expected"), [(RetryAfter.ABSENT, None), (RetryAfter.SECONDS_LEFT, "58"), (RetryAfter.SIXTY, "60")]
)
def test_c11_retry_after(pinata: Pinata, retry_after: RetryAfter, expected: str | None) -> None:
    """A 429 says when to come back, or does not, and has no effect."""
    pinata.switch(Switches(limits=RateLimits(other_per_minute=1, retry_after=retry_after)))
    served = pinata.create()
    pinata.now += 2.5
    refused = pinata.create()
    assert [served.status_code, refused.status_code] == [200, 429]
    assert "Retry-After" not in served.headers
    assert refused.headers.get("Retry-After") == expected
    assert pinata.names() == ["managing key", "a"]
