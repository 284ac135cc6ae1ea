"""`make bench`: every figure of the performance budget, measured side by side in one run; fails where one is missed."""

import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from tests.bench import fleets, looks, reading, rotations, starts
from tests.bench.fresh import BenchError
from tests.bench.judged import Bound, Figure, exit_code, table

Measure = Callable[[Path], tuple[Figure, ...]]
MEASURES: dict[str, Measure] = {
    "cold-start": starts.cold_start,
    "help": starts.help_start,
    "plan": looks.plan,
    "status": looks.status,
    "cpu": rotations.cpu,
    "process": rotations.process,
    "latency": rotations.latency,
    "idle": fleets.idle_tick,
    "limited": fleets.limited,
    "reading": reading.reading,
}


def judged(measures: dict[str, Measure]) -> list[Figure]:
    """Take every measure; one that cannot be taken is a missed budget, and stops no other."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory(prefix="rotator-bench-") as folder:
        for name, measure in measures.items():
            began = time.monotonic()
            try:
                figures += measure(Path(folder))
            except BenchError as error:
                traceback.print_exc(limit=-1)
                figures.append(missed(name, error))
            sys.stderr.write(f"{name}: {time.monotonic() - began:.0f} s\n")
    return figures


def missed(name: str, error: BenchError) -> Figure:
    """Return a figure that keeps no budget."""
    detail = str(error).splitlines()[-1] if str(error) else ""
    return Figure(name, "", float("nan"), Bound.AT_MOST, 0.0, "", detail)


def main(names: list[str]) -> int:
    """Print the table; return 0 if every budget is kept.

    Args:
        names: of measures; all, if none is named.
    """
    unknown = [name for name in names if name not in MEASURES]
    if unknown:
        sys.stderr.write(f"unknown: {', '.join(unknown)}; there are {', '.join(MEASURES)}\n")
        return 2
    figures = judged({name: MEASURES[name] for name in names or MEASURES})
    sys.stdout.write(table(figures))
    return exit_code(figures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
