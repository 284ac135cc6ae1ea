"""The one table at the end, and counterexamples that a person can follow."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from tests.exploration.bounds import Report, Violation
from tests.exploration.fates import ALPHABET, APART
from tests.exploration.jobs import Hunt

_COLUMNS = ("executions", "states", "events", "CPU s", "violations", "recovery")
_WIDTH = 58


def counterexample(violation: Violation) -> Iterator[str]:
    """Yield a broken invariant, the schedule that leads to it, and every step of it."""
    yield f"  {violation.message}"
    yield f"  replay: .venv/bin/{violation.replay}"
    for line, repeats in groupby(violation.trace):
        times = sum(1 for _ in repeats)
        yield f"    {line}" + (f"  ({times} times)" if times > 1 else "")


def steps_of(violation: Violation) -> str:
    """Say how long the way to a violation is."""
    clean = ", then clean runs" if violation.at_rest else ""
    return f"{violation.steps} steps{clean}"


def line_of(result: Report | Hunt, *, verbose: bool = False) -> Iterator[str]:
    """Yield what is told as soon as a result is there."""
    match result:
        case Report():
            state = "every schedule" if is_complete(result) else "NOT exhausted"
            yield f"{result.configuration}: {result.states:,} states in {result.seconds:.1f} CPU s, {state}"
            for violation in result.violations:
                yield from counterexample(violation)
        case Hunt(killed=Violation() as violation):
            rule, schedule = violation.message.split()[0], " ".join(map(str, violation.choices))
            where = f"'{violation.configuration}' {schedule}"
            yield f"mutant killed: {result.mutant}: {rule} after {steps_of(violation)}: {where}"
            if verbose:
                yield f"  {result.sentence}"
                yield from counterexample(violation)
        case Hunt(unfit="", timed_out=True):
            yield f"mutant NOT DECIDED: {result.mutant}: time was up after {result.states:,} states. {result.sentence}"
        case Hunt(unfit=""):
            yield f"mutant SURVIVED: {result.mutant}. {result.sentence}"
        case _:
            yield f"mutant NOT PLANTED: {result.unfit}"


def table(reports: Sequence[Report], hunts: Sequence[Hunt], seconds: float) -> Iterator[str]:
    """Yield the summary."""
    yield ""
    yield "configuration".ljust(_WIDTH) + "".join(name.rjust(12) for name in _COLUMNS)
    for report in reports:
        yield _row(report.configuration + ("" if is_complete(report) else " (cut short)"), [report])
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
    if cut := sum(r.cut for r in reports):
        yield f"beyond the cap            {cut:,} worlds with more live keys were not followed"
    yield from _coverage(reports)
    for report in reports:
        for violation in report.violations:
            yield ""
            yield f"BROKEN in {report.configuration}, after {steps_of(violation)}:"
            yield from counterexample(violation)


def is_complete(report: Report) -> bool:
    """Tell whether every schedule within the bounds was followed."""
    return report.exhausted and not report.cut


def untried(reports: Sequence[Report]) -> list[tuple[str, str]]:
    """Return the operations and faults that no exploration brought together, though nothing speaks against it."""
    covered = set().union(*(report.covered for report in reports))
    pairs = [(operation, fate) for operation, fates in ALPHABET.items() for fate in fates]
    return [(str(o), str(f)) for o, f in pairs if (str(o), str(f)) not in covered and (o, f) not in APART]


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
    tried_pairs = sum(pair in covered for pair in pairs)
    yield f"operation x fault         {tried_pairs} of {len(pairs)} pairs"
    for (operation, fate), reason in APART.items():
        yield f"  not tried: {operation}, {fate}: {reason}"
    for operation_name, fate_name in untried(reports):
        yield f"  NEVER TRIED: {operation_name}, {fate_name}"
    for operation, fates in ALPHABET.items():
        tried = [str(f) for f in fates if (str(operation), str(f)) in covered]
        yield f"  {operation:<38} {len(tried):>2} of {len(fates):<2}  {', '.join(tried)}"
