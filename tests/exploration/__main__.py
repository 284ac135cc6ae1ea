"""Explore the real program: every schedule of its calls within stated bounds, judged by `tests.simulated.invariants`.

    explorer, bounds, configurations    the search, its limits, and the explorations that are run
    instances, fates                    runs of the real engine, driven one answer at a time; what may become of a call
    native, rolled_back                 other entry points than the reconcile: RotateSecret, and a person's roll-back
    universe, canonical, origins        worlds as values, one form for equal ones, and where an exploration begins
    pure                                decisions that were made once are not made again
    people, recovery, truth             what people do, whether a quiet state heals, and what is true of a world
    mutants, planting, jobs             seeded bugs, each found in a copy of the package, in a process of its own
    sample, comparison                  the rotation that AWS publishes, in the same worlds
    summary, document                   what is printed, and the tables of docs/reliability.md

python -m tests.exploration                        the QUICK bounds, and every mutant
python -m tests.exploration --write                the same, and its figures into docs/reliability.md
python -m tests.exploration --deep                 all bounds
python -m tests.exploration explore NAME           one configuration, its report as JSON
python -m tests.exploration replay NAME 0 0 3 1    one schedule, step by step
python -m tests.exploration mutant NAME            one seeded bug: the shortest schedule that shows it
python -m tests.exploration compare                beside the shape that AWS publishes: what one fault leaves behind
"""

import argparse
import sys
import time

from tests.exploration.bounds import Report
from tests.exploration.comparison import CONTENDERS, ROTATOR, compared, listed, score
from tests.exploration.configurations import BY_NAME, DEEP, QUICK
from tests.exploration.document import COMMAND, DOCUMENT, document
from tests.exploration.explorer import Explorer
from tests.exploration.jobs import (
    EXPLORE_SECONDS_MAX,
    HUNT_SECONDS_MAX,
    Hunt,
    as_json,
    explore_all,
    explored,
    hunted,
    require_own_package,
)
from tests.exploration.mutants import BY_NAME as MUTANT_BY_NAME
from tests.exploration.mutants import MUTANTS
from tests.exploration.planting import REPOSITORY
from tests.exploration.summary import is_complete, line_of, table, untried

COUNTEREXAMPLES = REPOSITORY / "build" / "counterexamples.txt"


def main() -> int:
    """Do what the arguments say; 1 if something is broken, or a mutant survived."""
    arguments = _parser().parse_args()
    match arguments.command:
        case "explore":
            return _explore(arguments)
        case "replay":
            return _replay(arguments)
        case "mutant":
            hunt = hunted(arguments.name)
            _say(*line_of(hunt, verbose=True))
            return 0 if hunt.killed else 1
        case "compare":
            return _compare(schedules=arguments.schedules)
        case _:
            return _all(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.exploration")
    parser.add_argument("--deep", action="store_true", help="all bounds, for the night")
    parser.add_argument("--write", action="store_true", help=f"write {DOCUMENT.name}")
    parser.add_argument("--configuration", action="append", choices=BY_NAME, help="only this one; repeatable")
    parser.add_argument("--verbose", action="store_true", help=f"tell what else goes to {COUNTEREXAMPLES.name}")
    parser.add_argument("--workers", type=int, default=2, help="processes at once")
    commands = parser.add_subparsers(dest="command")
    explore = commands.add_parser("explore", help="one configuration, its report as JSON")
    explore.add_argument("name", choices=BY_NAME)
    explore.add_argument("--hunt", action="store_true", help="give up after a minute")
    explore.add_argument("--in-this-folder", action="store_true", help="insist on the package in this folder")
    replay = commands.add_parser("replay", help="one schedule, step by step")
    replay.add_argument("name", choices=BY_NAME)
    replay.add_argument("choices", type=int, nargs="+")
    mutant = commands.add_parser("mutant", help="hunt one seeded bug, and tell its counterexample")
    mutant.add_argument("name", choices=MUTANT_BY_NAME)
    compare = commands.add_parser("compare", help="beside the shape that AWS publishes")
    compare.add_argument("--schedules", action="store_true", help="tell every one that fails")
    return parser


def _explore(arguments: argparse.Namespace) -> int:
    if arguments.in_this_folder:
        require_own_package()
    limit_s = HUNT_SECONDS_MAX if arguments.hunt else EXPLORE_SECONDS_MAX
    report = explored(arguments.name, seconds_max=limit_s)
    _say(as_json(report))
    return 0


def _replay(arguments: argparse.Namespace) -> int:
    try:
        lines, broken = Explorer(BY_NAME[arguments.name]).replay(arguments.choices)
    except ValueError as error:
        _say(str(error))
        return 2
    _say(*lines, *broken)
    return 1 if broken else 0


def _compare(*, schedules: bool) -> int:
    scores = [score(contender) for contender in CONTENDERS]
    _say(*compared(scores))
    if schedules:
        for found in scores:
            _say("", f"{found.contender}: {len(found.failed)} fail", *listed(found))
    ours = next(found for found in scores if found.contender == ROTATOR.name)
    return 1 if ours.calm.failed or ours.failed else 0


def _all(arguments: argparse.Namespace) -> int:
    began = time.perf_counter()
    chosen = arguments.configuration or [c.name for c in (DEEP if arguments.deep else QUICK)]
    mutants = [] if arguments.configuration else [mutant.name for mutant in MUTANTS]
    reports: list[Report] = []
    hunts: list[Hunt] = []
    for result in explore_all(chosen, mutants, arguments.workers):
        _say(*line_of(result, verbose=arguments.verbose))
        (reports if isinstance(result, Report) else hunts).append(result)  # type: ignore[arg-type]  # the list of its kind
    reports.sort(key=lambda report: chosen.index(report.configuration))
    _say(*table(reports, hunts, time.perf_counter() - began))
    broken = any(report.violations or not is_complete(report) for report in reports)
    broken |= not all(hunt.killed for hunt in hunts)
    if len(hunts) < len(mutants):
        _say(f"{len(mutants) - len(hunts)} seeded bugs were not hunted: the program itself is broken")
        broken = True
    told = (line for hunt in hunts for line in (*line_of(hunt, verbose=True), ""))
    COUNTEREXAMPLES.parent.mkdir(exist_ok=True)
    COUNTEREXAMPLES.write_text("".join(f"{line}\n" for line in told))
    if arguments.configuration:
        return 1 if broken else 0
    _say(f"each seeded bug, step by step: {COUNTEREXAMPLES.relative_to(REPOSITORY)}", "")
    broken |= bool(untried(reports))
    broken |= _compare(schedules=False) != 0
    if not (broken or arguments.deep):
        broken = not _documented(document(reports, hunts), write=arguments.write)
    return 1 if broken else 0


def _documented(text: str, *, write: bool) -> bool:
    """Tell whether the document says what was measured; write it if that was asked for."""
    if write:
        DOCUMENT.write_text(text)
    current = DOCUMENT.read_text() == text
    if not current:
        _say("", f"{DOCUMENT.name} says otherwise: {COMMAND}")
    return current


def _say(*lines: str) -> None:
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
