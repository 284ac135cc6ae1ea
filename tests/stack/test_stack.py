"""The deployed stack, in `make test`."""

from pathlib import Path

import pytest

from tests.stack.compared_rights import compare
from tests.stack.deployment import Deployment
from tests.stack.scenarios import SCENARIOS
from tests.stack.watched_metrics import unknown


@pytest.mark.timeout(600)
def test_stack(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Deployed as it is packaged, it rotates, survives every scenario, and uses exactly the rights it has."""
    with Deployment(tmp_path) as stack:
        for scenario in SCENARIOS:
            with subtests.test(scenario.name):
                scenario.play(stack)
        for found in compare(stack):
            with subtests.test(f"rights of {found.function}"):
                assert found.used
                assert found.differences == ()
        with subtests.test("every metric with an alarm was sent"):
            assert unknown(stack) == []
