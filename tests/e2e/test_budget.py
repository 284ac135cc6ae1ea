"""What a rotation costs: calls to both systems, but for the one that reads the managing key.

Pinata's free plan allows 60 requests a minute, and 30 to `/data`; so calls are what a fleet is short of.
"""

from collections.abc import Callable

import pytest

from tests.e2e.stage import Stage


@pytest.mark.parametrize(
    ("prepared", "reason", "calls_max"),
    [
        pytest.param(Stage.own, "AGED_OUT", 13, id="own_key"),
        pytest.param(Stage.live_keys, "ADOPTED", 14, id="hand_made_key"),
        pytest.param(Stage.empty, "NO_CURRENT", 13, id="empty_secret"),
    ],
)
def test_a_rotation_stays_within_its_budget_of_calls(
    stage: Stage, capsys: pytest.CaptureFixture[str], prepared: Callable[[Stage], object], reason: str, calls_max: int
) -> None:
    """Observe, create, store, verify, promote, revoke and prove dead, in at most so many calls."""
    prepared(stage)
    row = stage.row("run")
    calls = stage.calls() - 1
    with capsys.disabled():
        print(f"\n{reason}: {calls} calls of at most {calls_max}")  # noqa: T201 - it is to be seen
    assert (row["outcome"], row["reason"]) == ("rotated", reason)
    assert stage.live_keys() == [row["key_id"]]
    assert 0 < calls <= calls_max
    assert stage.row("run")["outcome"] == "up_to_date"
