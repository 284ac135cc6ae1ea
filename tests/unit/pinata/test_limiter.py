"""The request budgets: never more than allowed in any minute, and no wait past the deadline."""

import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.model.errors import DeadlineExceededError
from rotator.pinata.transport import RateLimiter

AUTH, KEYS = "/data/testAuthentication", "/v3/api_keys"


@dataclass
class Clock:
    """A clock that moves when somebody sleeps, and the deadline on it."""

    now_s: float = 1_000.0
    ends_s: float = 1_000_000.0

    def monotonic(self) -> float:
        """Return the time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.ends_s - self.now_s


def limiter(clock: Clock, per_minute: int, data_per_minute: int) -> RateLimiter:
    """Return a limiter on a clock."""
    return RateLimiter(
        per_minute=per_minute, data_per_minute=data_per_minute, monotonic=clock.monotonic, sleep=clock.sleep
    )


@given(
    st.integers(1, 5),
    st.integers(1, 5),
    st.lists(st.tuples(st.sampled_from([AUTH, KEYS]), st.floats(0, 40)), max_size=40),
)
def test_no_minute_holds_more_requests_than_its_budget(
    per_minute: int, data_per_minute: int, calls: list[tuple[str, float]]
) -> None:
    """Whatever comes when, each sliding minute keeps to both budgets."""
    clock = Clock()
    paced = limiter(clock, per_minute, data_per_minute)
    sent: list[tuple[str, float]] = []
    for path, idle_s in calls:
        clock.sleep(idle_s)
        paced.wait(path, clock)
        sent.append((path, clock.now_s))
    for budget, times in (
        (per_minute, [at for path, at in sent if path == KEYS]),
        (data_per_minute, [at for path, at in sent if path == AUTH]),
    ):
        for first, beyond in zip(times, times[budget:], strict=False):
            assert beyond - first > 60


def test_requests_within_the_budget_do_not_wait() -> None:
    """A burst up to the budget goes out at once."""
    clock = Clock()
    paced = limiter(clock, 3, 2)
    for path in (AUTH, AUTH, KEYS, KEYS, KEYS):
        paced.wait(path, clock)
    assert clock.now_s == 1_000.0


def test_a_full_data_budget_does_not_hold_up_other_paths() -> None:
    """Only requests to /data/* wait for the budget of /data/*."""
    clock = Clock()
    paced = limiter(clock, 1, 1)
    paced.wait(AUTH, clock)
    paced.wait(KEYS, clock)
    assert clock.now_s == 1_000.0


def test_a_wait_that_does_not_fit_the_deadline_is_refused_without_waiting() -> None:
    """The refusal comes at once, and the request that was not made is not counted."""
    clock = Clock(ends_s=1_030.0)
    paced = limiter(clock, 1, 1)
    paced.wait(KEYS, clock)
    for _ in range(3):
        with pytest.raises(DeadlineExceededError, match="61 s"):
            paced.wait(KEYS, clock)
    assert clock.now_s == 1_000.0
    clock.ends_s = 2_000.0
    paced.wait(KEYS, clock)
    assert clock.now_s == pytest.approx(1_061.0)


def test_nothing_is_sent_once_time_is_up() -> None:
    """A request that need not wait is refused too, when no time is left."""
    clock = Clock(ends_s=1_000.0)
    with pytest.raises(DeadlineExceededError):
        limiter(clock, 5, 5).wait(KEYS, clock)


def test_a_budget_of_nothing_is_refused() -> None:
    """A limiter that could never let anything pass cannot be made."""
    with pytest.raises(ValueError, match="at least 1"):
        limiter(Clock(), 10, 0)


def test_threads_share_one_budget() -> None:
    """Of many threads at one moment exactly as many pass as the budget says."""
    clock = Clock(ends_s=1_010.0)
    paced = limiter(clock, 7, 7)
    passed: list[bool] = []

    def call() -> None:
        try:
            paced.wait(KEYS, clock)
        except DeadlineExceededError:
            passed.append(False)
        else:
            passed.append(True)

    threads = [threading.Thread(target=call) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert passed.count(True) == 7
