"""How fast this machine is now, so that a bound on CPU time holds on a slow or shared one too."""

import json
import time
from collections.abc import Callable

_WORK = [{"name": f"fleet/{n:05}", "at": n * 1.5, "labels": ["AWSCURRENT", "AWSPREVIOUS"]} for n in range(10_000)]
_USUAL_S = 0.045  # what _piece_of_work() takes on an idle machine of 2026


def _piece_of_work() -> int:
    """Do a fixed amount of what Python spends its time with: objects, strings, calls."""
    taken = json.loads(json.dumps(_WORK))
    names = sorted((item["name"][::-1], len(item["labels"])) for item in taken)
    return sum(len(f"{name}:{labels}") for name, labels in names for _ in range(5))


def cpu_s(work: Callable[[], object], repeat: int) -> float:
    """Return the CPU seconds of this thread that a work takes: the best of some runs, scaled to a usual machine.

    Each run is compared with a fixed piece of work done just before and just after it.
    """
    best_s = float("inf")
    for _ in range(repeat):
        before_s = _spent_s(_piece_of_work)
        taken_s = _spent_s(work)
        best_s = min(best_s, taken_s * _USUAL_S / max(before_s, _spent_s(_piece_of_work)))
    return best_s


def slowness() -> float:
    """Return how many times longer than a usual machine this one takes now, of CPU time."""
    return max(1.0, _spent_s(_piece_of_work) / _USUAL_S)


def _spent_s(work: Callable[[], object]) -> float:
    started_s = time.thread_time()
    work()
    return time.thread_time() - started_s
