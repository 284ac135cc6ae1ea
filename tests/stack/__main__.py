"""`make stack`: deploy the stack into the sandbox's AWS, play every scenario, compare rights; one line for each."""

import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from tests.stack.compared_rights import Comparison, compare, compare_optional
from tests.stack.deployment import CONSUMERS, Deployment
from tests.stack.scenarios import OPTIONAL, SCENARIOS
from tests.stack.watched_metrics import unknown


def main() -> int:
    """Return 0 if everything passed."""
    began = time.monotonic()
    passed = True
    with tempfile.TemporaryDirectory(prefix="rotator-stack-") as folder, Deployment(Path(folder)) as stack:
        for step in stack.steps:
            _say("PASS", step.name, step.seconds)
        sys.stdout.write(f"      left out by moto, so not deployed: {', '.join(sorted(stack.aws.skipped.types))}\n")
        for scenario in SCENARIOS:
            passed &= _played(scenario.name, partial(scenario.play, stack))
        passed &= _equal(compare(stack))
        missing = unknown(stack)
        passed &= not missing
        sys.stdout.write(f"{'FAIL' if missing else 'PASS'}  every metric with an alarm was sent {missing or ''}\n")
    sys.stdout.write("\nDeployed with consumers, and a key that signs the audit trail\n")
    with (
        tempfile.TemporaryDirectory(prefix="rotator-stack-") as folder,
        Deployment(Path(folder), CONSUMERS, signs=True) as stack,
    ):
        for scenario in OPTIONAL:
            passed &= _played(scenario.name, partial(scenario.play, stack))
        passed &= _equal(compare_optional(stack))
    sys.stdout.write(f"{'passed' if passed else 'FAILED'} in {time.monotonic() - began:.0f} s\n")
    return 0 if passed else 1


def _equal(comparisons: Iterable[Comparison]) -> bool:
    sys.stdout.write("\nRights used by each function, against those of its role\n")
    equal = True
    for found in comparisons:
        differences = len(found.differences)
        equal &= not differences
        sys.stdout.write(
            f"{'FAIL' if differences else 'PASS'}  {found.function}: "
            f"{differences} differences, {len(found.used)} actions used\n"
        )
        sys.stdout.writelines(f"      {action}\n" for action in found.used)
        sys.stdout.writelines(f"      {text}\n" for text in found.differences)
    return equal


def _played(name: str, play: Callable[[], None]) -> bool:
    began = time.monotonic()
    try:
        play()
    except Exception:  # noqa: BLE001 - whatever it is, the scenario failed, and the others are played
        traceback.print_exc(limit=-2)
        _say("FAIL", name, time.monotonic() - began)
        return False
    _say("PASS", name, time.monotonic() - began)
    return True


def _say(verdict: str, name: str, seconds: float) -> None:
    sys.stdout.write(f"{verdict}  {name}  {seconds:.1f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
