"""The tables of docs/reliability.md, made from the program itself.

`matrix` drives single runs through the explorer's worlds: one fault at each call, and then a clean run. `figures` puts
what a whole exploration measured into a table that is the same on every machine. Both stand in the document between
marks of their names, and a check fails when they differ from what the program does now.
"""

import re
import string
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rotator.model.observed import AWSPENDING
from rotator.model.plan import Outcome
from rotator.model.secret import Demand
from tests.exploration.bounds import Budgets, Configuration, Report
from tests.exploration.comparison import CONTENDERS, Flaw, score
from tests.exploration.configurations import AT_ONCE, BY_NAME
from tests.exploration.explorer import Explorer
from tests.exploration.fates import ALPHABET, Fate
from tests.exploration.instances import Defect, Node, Start
from tests.exploration.jobs import Hunt
from tests.exploration.planting import REPOSITORY
from tests.exploration.summary import steps_of
from tests.simulated.values import generation_in_name
from tests.simulated.world import Operation

DOCUMENT = REPOSITORY / "docs" / "reliability.md"
COMMAND = "python -m tests.exploration --write"
_BEGINNINGS = {
    "due": "a key of ours that is due",
    "hand-made": "a key that a person made",
    "empty": "a secret without a value",
}
_NONCE = "matrix0000"


class _Run(NamedTuple):
    """Where one run of the program has come to."""

    world: int
    node: Node | None
    """None once it is dead."""
    calls: tuple[Operation, ...]


class Story:
    """Single runs over one beginning: what they call, what a fault leaves, and how the next run goes on."""

    def __init__(self, beginning: str) -> None:
        """Begin with a secret as `ORIGINS` names it, whose superseded key need not wait."""
        self.explorer = Explorer(Configuration("matrix", AT_ONCE, (beginning,), Budgets()))
        self._universe, self._instances = self.explorer.universe, self.explorer.instances
        (origin,) = self.explorer.origins()
        self._origin = origin.world

    def calls(self) -> tuple[Operation, ...]:
        """Return the calls of a run in which nothing goes wrong."""
        return self._follow(self._origin, None, Fate.OK).calls

    def with_fault(self, place: int, fate: Fate) -> _Run:
        """Return what a run comes to whose call number `place`, from 0, has this fate."""
        return self._follow(self._origin, place, fate)

    def next_run(self, world: int) -> _Run:
        """Return what the next clean run makes of a world."""
        return self._follow(self.explorer.forms.of(world), None, Fate.OK)

    def _follow(self, world: int, place: int | None, fate: Fate) -> _Run:
        now_s = self._universe.worlds[world].now_s
        node = self._instances.begin(Start(Demand.DUE, now_s, _NONCE))
        calls: list[Operation] = []
        while node.request is not None and node.operation is not None:
            here = fate if len(calls) == place else Fate.OK
            calls.append(node.operation)
            step = self._universe.call(world, node.request, here, Demand.DUE)
            assert not step.broken, step.broken
            world = step.world
            if not step.reply:
                return _Run(world, None, tuple(calls))
            node = self._instances.answer(node, step.reply)
        return _Run(world, node, tuple(calls))

    def state(self, world: int) -> str:
        """Say which key consumers read, what is pending, and which keys live."""
        secret, keys = self._universe.worlds[world].secret, self._universe.worlds[world].keys
        moment = self._universe.moment(world)
        names = {k.key: f"g{n}" if (n := generation_in_name(self._universe.prefix, k.name)) else "hand" for k in keys}
        current = names[moment.current] if moment.current else "none"
        pending = ", AWSPENDING" if AWSPENDING in secret.labels else ""
        live = " ".join(sorted(names[key_id] for key_id in moment.live)) or "none"
        return f"{current}{pending} | {live}"


def matrix() -> Iterator[str]:
    """Yield the crash matrix and the fault matrix, as Markdown."""
    for beginning, words in _BEGINNINGS.items():
        yield from _crashes(beginning, words)
    yield from _faults()


def _crashes(beginning: str, words: str) -> Iterator[str]:
    story = Story(beginning)
    yield f"**Beginning with {words}** (grace 0):"
    yield ""
    yield "| # | killed right after | AWSCURRENT | live keys | the next run | calls |"
    yield "|---:|---|---|---|---|---:|"
    for place, operation in enumerate(story.calls()):
        fate = Fate.CRASH_AFTER if Fate.CRASH_AFTER in ALPHABET[operation] else Fate.OK
        left = story.with_fault(place, fate) if fate is not Fate.OK else _killed_before(story, place)
        then = story.next_run(left.world)
        yield (f"| {place + 1} | {operation} | {story.state(left.world)} | {_ended(then)} | {len(then.calls)} |")
    yield ""


def _killed_before(story: Story, place: int) -> _Run:
    """Return what a run leaves that dies after a read: the same as before the call that follows."""
    calls = story.calls()
    if place + 1 == len(calls):
        return story.with_fault(place, Fate.OK)
    return story.with_fault(place + 1, Fate.CRASH_BEFORE)


def _faults() -> Iterator[str]:
    story = Story("due")
    yield "**One fault in a rotation that is due** (grace 0), the run's own end, and what the next run did:"
    yield ""
    yield "| # | call | fault | the run | AWSCURRENT | live keys | the next run |"
    yield "|---:|---|---|---|---|---|---|"
    for place, operation in enumerate(story.calls()):
        for fate in ALPHABET[operation]:
            if fate in {Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.WIDER}:
                continue
            run = story.with_fault(place, fate)
            then = story.next_run(run.world)
            yield (f"| {place + 1} | {operation} | {fate} | {_kind(run)} | {story.state(run.world)} | {_ended(then)} |")
    yield ""


def _kind(run: _Run) -> str:
    assert run.node is not None
    ended = run.node.ended
    assert isinstance(ended, Outcome)
    return f"{ended.kind.value}, {type(ended.error).__name__}" if ended.error else ended.kind.value


def _ended(run: _Run) -> str:
    assert run.node is not None
    ended = run.node.ended
    assert ended is not None
    assert not isinstance(ended, Defect), ended
    names = ", ".join(action.name for action in ended.actions)
    told = f"{ended.reason}: {names}" if names else f"{ended.reason}"
    return f"{told}; failed, {type(ended.error).__name__}" if ended.error else told


def figures(reports: Sequence[Report], hunts: Sequence[Hunt]) -> Iterator[str]:
    """Yield what an exploration measured, as Markdown."""
    yield (
        "| configuration | beginnings | faults | grace | live keys | executions | states | events "
        "| violations | worst recovery, calls |"
    )
    yield "|---|---|---|---|---:|---:|---:|---:|---:|---:|"
    legend: dict[frozenset[Fate], str] = {}
    for report in reports:
        configuration = BY_NAME[report.configuration]
        yield _row(f"{configuration.name} | {_bounds(configuration, legend)}", [report])
    yield _row("all | | | |", reports)
    yield ""
    yield "Beginnings and grace are as named in `tests/exploration/origins.py` and `configurations.py`. A world at rest"
    yield "with more than so many live keys of ours is not followed; `make simulate` fails if there was one. Faults:"
    yield ""
    for fates, mark in legend.items():
        told = [str(fate) for fate in Fate if fate in fates]
        yield f"- {mark}: {', '.join(told)}"
    yield ""
    yield "| seeded bug | found by | steps |"
    yield "|---|---|---|"
    for hunt in sorted(hunts, key=lambda hunt: hunt.mutant):
        found, steps = "nothing", ""
        if hunt.killed:
            found, steps = hunt.killed.message.split(maxsplit=1)[0], steps_of(hunt.killed)
        yield f"| {hunt.mutant}: {hunt.sentence} | {found} | {steps} |"


def _bounds(configuration: Configuration, legend: dict[frozenset[Fate], str]) -> str:
    """Return the cells that say what an exploration is over; each set of faults gets a letter."""
    never = {Fate.OK} if configuration.zombies_max else {Fate.OK, Fate.DELAYED}
    fates = configuration.fates - never
    told = "none"
    if configuration.budgets.faults and fates:
        mark = legend.setdefault(fates, string.ascii_uppercase[len(legend)])
        told = f"{len(fates)} ({mark})"
    grace_h = configuration.spec.grace.total_seconds() / 3600
    origins = ", ".join(configuration.origins)
    return f"{origins} | {told} | {grace_h:g} h | {configuration.live_keys_cap}"


def comparison() -> Iterator[str]:
    """Yield how `rotator` and the shape that AWS publishes fare under one fault, as Markdown."""
    yield "| program | one-fault schedules | failing | " + " | ".join(Flaw) + " |"
    yield "|---|" + "---:|" * (2 + len(Flaw))
    scores = [score(contender) for contender in CONTENDERS]
    for found in scores:
        counts = (len(found.faulty), len(found.failed), *map(found.count, Flaw))
        yield f"| {found.contender} | " + " | ".join(map(str, counts)) + " |"
    yield ""
    yield "| call | fault | what is left for ever |"
    yield "|---|---|---|"
    for found in scores:
        for schedule in found.failed:
            what = ", ".join(sorted(schedule.flaws))
            yield f"| {schedule.operation} | {schedule.fate} | {what} |"


def _row(name: str, reports: Sequence[Report]) -> str:
    cells = (
        sum(r.executions for r in reports),
        sum(r.states for r in reports),
        sum(r.events for r in reports),
        sum(len(r.violations) for r in reports),
        max(r.recovery_calls for r in reports),
    )
    return f"| {name} | " + " | ".join(f"{cell:,}" for cell in cells) + " |"


def replaced(text: str, name: str, lines: Iterable[str]) -> str:
    """Return a document with the lines between the marks of a name replaced.

    Raises:
        ValueError: the marks are not there exactly once.
    """
    block = f"<!-- {name} -->\n" + "\n".join(lines).strip() + f"\n<!-- /{name} -->"
    changed, count = re.subn(rf"<!-- {name} -->\n.*<!-- /{name} -->", lambda _: block, text, flags=re.DOTALL)
    if count != 1:
        raise ValueError(f"the document has {count} places for {name}")
    return changed


def document(reports: Sequence[Report], hunts: Sequence[Hunt], path: Path = DOCUMENT) -> str:
    """Return the document as it should be."""
    text = replaced(path.read_text(), "figures", figures(reports, hunts))
    return replaced(replaced(text, "matrix", matrix()), "comparison", comparison())
