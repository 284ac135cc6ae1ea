"""The deployed stack, as `make stack` shows it."""

import fcntl
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.compared_rights import compare, compare_optional
from tests.stack.deployment import CONSUMERS, Deployment
from tests.stack.scenarios import OPTIONAL, SCENARIOS
from tests.stack.watched_metrics import unknown

NEVER_BUNDLED = {"apscheduler", "click", "moto", "pip", "pytest", "rich", "tests"}


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """Let one test at a time install and package in the folder that both use, whichever worker runs it."""
    with (Path(tempfile.gettempdir()) / "rotator-stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@pytest.mark.slow
@pytest.mark.xdist_group("stack")  # one installs what both need, and moto has one state in a process
@pytest.mark.timeout(3600)
def test_stack(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """Deployed as it is packaged, it rotates, survives every scenario, and uses exactly the rights it has."""
    with Deployment(tmp_path) as stack:
        with subtests.test("the bundle has what the functions need, for any architecture"):
            names = zipfile.ZipFile(tmp_path / "rotator.zip").namelist()
            assert not {name.partition("/")[0] for name in names} & NEVER_BUNDLED
            assert not [name for name in names if name.endswith(".so")]
            assert not [name for name in names if "/tests/" in name]
            assert not [name for name in names if name.startswith(("rotator/sandbox", "rotator/cli"))]
        for scenario in SCENARIOS:
            with subtests.test(scenario.name):
                scenario.play(stack)
        for found in compare(stack):
            with subtests.test(f"rights of {found.function}"):
                assert found.used
                assert found.differences == ()
        with subtests.test("every metric with an alarm was sent"):
            assert unknown(stack) == []


@pytest.mark.slow
@pytest.mark.xdist_group("stack")  # one installs what both need, and moto has one state in a process
@pytest.mark.timeout(3600)
def test_stack_with_options(tmp_path: Path, subtests: pytest.Subtests) -> None:
    """With consumers and a trail that is signed, the functions use exactly the rights that are added for them."""
    with Deployment(tmp_path, CONSUMERS, signs=True) as stack:
        for scenario in OPTIONAL:
            with subtests.test(scenario.name):
                scenario.play(stack)
        for found in compare_optional(stack):
            with subtests.test(f"rights of {found.function}"):
                assert found.differences == ()
