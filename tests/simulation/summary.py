"""The one table at the end, and counterexamples that a person can follow."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tests.simulation.bounds import Report, Violation
from tests.simulation.fates import ALPHABET
from tests.simulation.jobs import Hunt

_COLUMNS = ("executions", "states", "events", "CPU s", "violations", "recovery")
_WIDTH = 58


def counterexample(violation: Violation) -> Iterator[str]:
    """Yield a broken invariant, the schedule that leads to it, and every step of it."""
    schedule = " ".join(map(str, violation.choices))
    yield f"  {violation.message}"
    yield f"  replay: .venv/bin/python -m tests.simulation replay '{violation.configuration}' {schedule}"
    for line, repeats in groupby(violation.trace):
        times = sum(1 for _ in repeats)
        yield f"    {line}" + (f"  ({times} times)" if times > 1 else "")


def line_of(result: Report | Hunt) -> Iterator[str]:
    """Yield what is told as soon as a result is there."""
    match result:
        case Report():
            state = "every schedule" if result.exhausted else "NOT exhausted"
            yield f"{result.configuration}: {result.states:,} states in {result.seconds:.1f} CPU s, {state}"
            for violation in result.violations:
                yield from counterexample(violation)
        case Hunt(killed=Violation() as violation):
            took = f"{result.seconds:.1f} s, {len(violation.choices)} steps"
            yield f"mutant killed: {result.mutant} ({took}). {result.sentence}"
            yield from counterexample(violation)
        case Hunt(unfit=""):
            yield f"mutant SURVIVED: {result.mutant}. {result.sentence}"
        case _:
            yield f"mutant NOT PLANTED: {result.unfit}"


def table(reports: Sequence[Report], hunts: Sequence[Hunt], seconds: float) -> Iterator[str]:
    """Yield the summary."""
    yield ""
    yield "configuration".ljust(_WIDTH) + "".join(name.rjust(12) for name in _COLUMNS)
    for report in reports:
        yield _row(report.configuration + ("" if report.exhausted else " (cut short)"), [report])
    yield _row(f"all of it, in {seconds:.0f} s on the wall", reports)
    yield ""
    killed = sum(hunt.killed is not None for hunt in hunts)
    slowest = max((hunt.seconds for hunt in hunts), default=0.0)
    yield f"mutants killed            {killed} of {len(hunts)}; the slowest hunt took {slowest:.1f} s"
    yield (
        f"worst recovery            {max((r.recovery_calls for r in reports), default=0)} calls, "
        f"in {max((r.recovery_runs for r in reports), default=0)} clean runs"
    )
    yield f"worlds at rest            {sum(r.quiet for r in reports):,}; recovery was checked from each"
    yield f"invariants checked after  {sum(r.checks for r in reports):,} different effects"
    yield f"program begun             {sum(r.program_runs for r in reports):,} times"
    yield from _coverage(reports)


def _row(name: str, reports: Sequence[Report]) -> str:
    cells = (
        f"{sum(r.executions for r in reports):,}",
        f"{sum(r.states for r in reports):,}",
        f"{sum(r.events for r in reports):,}",
        f"{sum(r.seconds for r in reports):,.1f}",
        f"{sum(len(r.violations) for r in reports):,}",
        f"{max((r.recovery_calls for r in reports), default=0):,}",
    )
    return name[:_WIDTH].ljust(_WIDTH) + "".join(cell.rjust(12) for cell in cells)


def _coverage(reports: Sequence[Report]) -> Iterator[str]:
    covered = set().union(*(report.covered for report in reports))
    pairs = [(str(o), str(f)) for o, fates in ALPHABET.items() for f in fates]
    missing = [pair for pair in pairs if pair not in covered]
    yield f"operation x fault         {len(pairs) - len(missing)} of {len(pairs)} pairs"
    for operation, fates in ALPHABET.items():
        tried = [str(f) for f in fates if (str(operation), str(f)) in covered]
        yield f"  {operation:<38} {len(tried):>2} of {len(fates):<2}  {', '.join(tried)}"
