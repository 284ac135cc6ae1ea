"""Two programs, side by side: what is left of a rotation in which one call went wrong?

A schedule is a rotation of a secret that is due, in which one call meets one fault; there is one for each call and
each fault that it can meet. No state is merged, so schedules can be counted. A delayed request has its effect when the
rotation is over. Then nothing goes wrong any more: the rotation is tried again, and a month later there is another
one, and its repeat. Only what is wrong after all that, or broke an invariant on the way, counts.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from rotator.model.observed import AWSPENDING
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.secret import Demand
from tests.exploration.canonical import AGE_S
from tests.exploration.configurations import AT_ONCE, PLAIN
from tests.exploration.fates import ALPHABET, WRITES, Fate
from tests.exploration.instances import CALLS_MAX, Instances, Node, Program, Start, reconcile_once
from tests.exploration.origins import ORIGINS
from tests.exploration.people import tick
from tests.exploration.sample import concluded, invoked, rotate_as_published
from tests.exploration.universe import Universe
from tests.simulated.invariants import Act, i5_live_keys_are_bounded, l1_settled, l2_idle_run_writes_nothing
from tests.simulated.values import held_in
from tests.simulated.world import Operation

_TRIES = 2
"""A rotation, and its repeat."""
_NAME = "{:<32}"


class Flaw(StrEnum):
    """What is wrong in the end, whoever looks."""

    LIVE_KEY = "live key never revoked"
    STUCK = "stuck AWSPENDING"
    DEAD_CURRENT = "dead key current"


@dataclass(frozen=True, slots=True)
class Contender:
    """A program, and how it is triggered."""

    name: str
    program: Program
    begun: Callable[[Universe, int, int], tuple[int, Start] | None]
    """The world in which an attempt begins, and how, given a world and the attempt's number; None if none is due."""
    concluded: Callable[[Universe, int], int]
    """The world after an attempt that did not fail."""
    forgiven: frozenset[str] = frozenset()
    """Invariants that it is not held to."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule and what came of it."""

    call: int
    """The number of the call that met the fault; the first is 1, and 0 is none."""
    operation: Operation | None
    fate: Fate
    broken: tuple[str, ...]
    """The invariants that do not hold."""
    flaws: frozenset[Flaw]

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.broken or self.flaws)


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One run to its end, or to its death."""

    world: int
    calls: tuple[Operation, ...]
    broken: tuple[str, ...]

    @property
    def writes(self) -> int:
        return sum(operation in WRITES for operation in self.calls)


def _ticked(universe: Universe, world: int, attempt: int) -> tuple[int, Start]:
    """Begin a run as the daemon does: it looks, whatever there is to do."""
    return world, Start(Demand.DUE, universe.worlds[world].now_s, f"attempt{attempt:03}")


ROTATOR = Contender("rotator", reconcile_once, _ticked, lambda _, world: world)
SAMPLE = Contender(
    "AWS sample's shape (a stand-in)", rotate_as_published, invoked, concluded, forgiven=frozenset({"I6"})
)
CONTENDERS = (ROTATOR, SAMPLE)


class Arena:
    """All schedules of one contender."""

    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.universe = Universe(AT_ONCE, reads_lag=False)
        self.instances = Instances(contender.program, AT_ONCE, self.universe.systems)
        self.universe.instances = self.instances
        self.origin = self.universe.number(ORIGINS["due"](self.universe))

    def schedules(self, fates: frozenset[Fate] = PLAIN) -> Iterator[Schedule]:
        """Yield the outcome of a rotation without a fault, then of each with one fault."""
        calm = self._rotation(0, Fate.OK)
        yield self._judged(0, Fate.OK, calm)
        for number, operation in enumerate(calm.calls, start=1):
            for fate in ALPHABET[operation]:
                if fate in fates:
                    yield self._judged(number, fate, self._rotation(number, fate))

    def _rotation(self, call: int, fate: Fate) -> _Attempt:
        begun = self.contender.begun(self.universe, self.origin, 0)
        assert begun is not None
        return self._attempt(*begun, call, fate)

    def _judged(self, call: int, fate: Fate, faulty: _Attempt) -> Schedule:
        """Let the contender recover, and say what is wrong then."""
        universe, world, broken = self.universe, faulty.world, [*faulty.broken]
        writes, number = 0, 0
        for elapsed_s in (0.0, AGE_S):
            world = tick(universe, world, elapsed_s)
            for _ in range(_TRIES):
                number, writes = number + 1, 0
                begun = self.contender.begun(universe, world, number)
                if begun is not None:
                    attempt = self._attempt(*begun, 0, Fate.OK)
                    world, writes = attempt.world, attempt.writes
                    broken += attempt.broken
        moment = universe.moment(world)
        rest = (l1_settled(moment), l2_idle_run_writes_nothing(writes))
        found = (*broken, *(message for message in rest if message))
        operation = faulty.calls[call - 1] if call else None
        return Schedule(call, operation, fate, found, self._flaws(world, found))

    def _flaws(self, world: int, broken: tuple[str, ...]) -> frozenset[Flaw]:
        moment = self.universe.moment(world)
        pending = held_in(self.universe.worlds[world].secret, AWSPENDING)
        kept = {moment.current} | ({pending.key_id} if pending else set())
        found = {
            Flaw.LIVE_KEY: bool(moment.managed - kept),
            Flaw.STUCK: moment.pending,
            Flaw.DEAD_CURRENT: not moment.works or any(m.startswith("I1 ") for m in broken),
        }
        return frozenset(flaw for flaw, present in found.items() if present)

    def _attempt(self, world: int, start: Start, call: int, fate: Fate) -> _Attempt:
        """Run once; the call with this number, if there is one, meets a fate."""
        universe, broken, calls = self.universe, list[str](), list[Operation]()
        node: Node | None = self.instances.begin(start)
        while node is not None and node.request is not None and len(calls) <= CALLS_MAX:
            operation = self.instances.requests[node.request].operation
            calls.append(operation)
            own = fate if len(calls) == call else Fate.OK
            step = universe.call(world, node.request, own, start.demand)
            broken += (*node.broken, *step.broken, *self._crowded(world, operation, step.world))
            world = step.world
            node = self.instances.answer(node, step.reply) if step.reply else None
        while universe.worlds[world].zombies:
            landed = universe.land(world, 0)
            world, broken = landed.world, [*broken, *landed.broken]
        if node is not None:
            broken += node.broken
            if isinstance(node.ended, Outcome) and node.ended.kind is not OutcomeKind.FAILED:
                world = self.contender.concluded(universe, world)
        held_to = tuple(m for m in broken if m.split(maxsplit=1)[0] not in self.contender.forgiven)
        return _Attempt(world, tuple(calls), held_to)

    def _crowded(self, before: int, operation: Operation, after: int) -> Iterator[str]:
        message = i5_live_keys_are_bounded(
            self.universe.moment(before),
            Act(operation, Demand.DUE, 0.0),
            self.universe.moment(after),
            AT_ONCE.live_keys_max,
        )
        if message:
            yield message


@dataclass(frozen=True, slots=True)
class Score:
    """The figures of one contender."""

    contender: str
    calls: int
    """Of a rotation without a fault."""
    calm: Schedule
    faulty: tuple[Schedule, ...]
    """Those with one fault."""

    @property
    def failed(self) -> tuple[Schedule, ...]:
        """Those after which something is wrong."""
        return tuple(schedule for schedule in self.faulty if schedule.failed)

    def count(self, flaw: Flaw) -> int:
        """Return how many schedules end in a flaw."""
        return sum(flaw in schedule.flaws for schedule in self.faulty)


def score(contender: Contender, fates: frozenset[Fate] = PLAIN) -> Score:
    """Follow every schedule of a contender."""
    calm, *faulty = Arena(contender).schedules(fates)
    calls = max(schedule.call for schedule in faulty)
    return Score(contender.name, calls, calm, tuple(faulty))


def compared(scores: Iterable[Score]) -> Iterator[str]:
    """Yield the table."""
    columns = ("one-fault schedules", "failing", *Flaw)
    yield _NAME.format("program") + "".join(f"  {column}" for column in columns)
    for found in scores:
        cells = (len(found.faulty), len(found.failed), *(found.count(flaw) for flaw in Flaw))
        yield _NAME.format(found.contender) + "".join(
            f"  {cell:>{len(column)},}" for cell, column in zip(cells, columns, strict=True)
        )


def listed(found: Score) -> Iterator[str]:
    """Yield every failing schedule of a contender."""
    for schedule in (found.calm, *found.faulty):
        if schedule.failed:
            what = ", ".join(sorted(schedule.flaws)) or schedule.broken[0]
            yield f"  call {schedule.call:>2} of {found.calls}  {schedule.operation}: {schedule.fate}  ->  {what}"
