"""Every schedule of the real program within stated bounds: breadth first, so the first violation is a shortest one.

A state is a few numbers: the world, what is left of each budget, and how far each run has come. Successors are listed
in a fixed order, so a schedule is a short list of integers: at each state, which successor was chosen.

A state is visited once. That is sound because a run's future depends on nothing but its answers so far (its `Node`)
and on the world; a dead run leaves nothing but the world.
"""

import gc
import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeVar

from rotator.model.observed import AWSCURRENT, AWSPREVIOUS
from tests.exploration.bounds import Configuration, Label, Purse, Report, State, Successor, Violation
from tests.exploration.canonical import AGE_S, GRACE_S, SETTLE_S, Forms
from tests.exploration.fates import ALPHABET, AUDIT, WITHOUT_EFFECT, WRITES, Fate
from tests.exploration.instances import Instances, Node, Start
from tests.exploration.origins import ORIGINS
from tests.exploration.people import deployed, tick
from tests.exploration.recovery import Recovery
from tests.exploration.universe import Step, Universe
from tests.simulated.invariants import (
    BY_FORCE,
    HOUR_S,
    Act,
    i5_live_keys_are_bounded,
    i10_hold_stops_revocations,
    i12_nothing_dies_unproved,
    i15_attempts_back_off,
)
from tests.simulated.values import generation_in_name, generation_of
from tests.simulated.world import Operation

_TICKS = (("settle time passes", SETTLE_S), ("grace elapses", GRACE_S), ("a month passes", AGE_S))
_NAMES = "AB"
T = TypeVar("T")


class Explorer:
    """The state space of one configuration."""

    def __init__(self, configuration: Configuration) -> None:
        self.configuration = configuration
        lags = Fate.STALE in configuration.fates
        self.universe = Universe(configuration.spec, reads_lag=lags, switches=configuration.switches)
        self.instances = Instances(configuration.program, configuration.spec, self.universe.systems)
        self.universe.instances = self.instances
        self.purse = Purse()
        fates = configuration.fates
        self._fates = {o: tuple(f for f in ALPHABET[o] if f in fates) for o in ALPHABET}
        self._audit_fates = tuple(sorted(AUDIT & fates))
        self._full = self.purse.number(configuration.budgets)
        self.forms = Forms(self.universe)
        self.recovery = Recovery(self.universe, self.instances, self.forms, leaks=configuration.leaks)
        self.cut = 0
        sent = min(configuration.zombies_max, configuration.budgets.faults)
        delayed = sent if Fate.DELAYED in fates else 0
        self._others = configuration.instances - 1 + delayed
        """How many effects besides those of one run may be on their way."""

    # The search

    def explore(self, *, stop_at: int = 1, seconds_max: float = 3600.0) -> Report:
        """Visit every state; stop at so many violations, or after so many seconds of CPU time."""
        search = Search(self, stop_at, time.process_time() + seconds_max)
        # A paused run refers to much and is never part of a cycle that matters: collecting costs more than all else.
        gc.disable()
        try:
            search.run()
        finally:
            self.instances.forget_paused()
            gc.enable()
        return search.report

    def replay(self, choices: Sequence[int]) -> tuple[list[str], tuple[str, ...]]:
        """Follow one schedule; return a line for each step, and what is broken at its end.

        Raises:
            ValueError: there is no such schedule.
        """
        broken: tuple[str, ...] = ()
        state = _chosen(list(self.origins()), choices[0], 0)
        lines = [f"begin: {self.configuration.origins[choices[0]]}"]
        for step, choice in enumerate(choices[1:], start=1):
            label, state, broken = _chosen(self.successors(state), choice, step)
            lines.append(self._told(label, state))
        if not broken and (broken := self.verdict(state)):
            lines += self.recovery.retold(state.world)
        return lines, broken

    def verdict(self, state: State) -> tuple[str, ...]:
        """Say what does not heal, from a state in which no run is at work and no request on its way."""
        if not self.configuration.heals or any(state.nodes) or self.universe.worlds[state.world].zombies:
            return ()
        return self.recovery.verdict(state.world)

    def _told(self, label: Label, state: State) -> str:
        moment = self.universe.moment(state.world)
        truth = f"current {_short(moment.current)} generation {moment.generation}"
        truth += "" if moment.works else " (does not work)"
        truth += f", live {' '.join(sorted(map(_short, moment.managed)))}"
        truth += ", pending" if moment.pending else ""
        return f"{' '.join(label):<64} | {truth}"

    # Beginnings

    def origins(self) -> Iterator[State]:
        """Yield the states in which an exploration begins."""
        idle = (0,) * self.configuration.instances
        for name in self.configuration.origins:
            begun = self.universe.number(ORIGINS[name](self.universe))
            if self.configuration.spec.consumers:
                begun = deployed(self.universe, begun)
            number = self.forms.of(begun)
            yield State(number, self._full, -1, idle)

    # Successors

    def successors(self, state: State) -> list[Successor]:
        """Return every choice there is in a state, in a fixed order."""
        found: list[Successor] = []
        world, _, _, nodes = state
        quiet = not any(nodes)
        if quiet and len(self.universe.moment(world).managed) > self.configuration.live_keys_cap:
            self.cut += 1
            return found
        for place, number in enumerate(nodes):
            if number and (turn := self._turn(state, place)):
                self._moves(found, turn, place, self.instances.nodes[number])
        self._begins(found, state)
        self._landings(found, state)
        self._environment(found, state, quiet=quiet)
        return found

    def _turn(self, state: State, place: int) -> State | None:
        """Return the state in which an instance has the floor; None if that takes a preemption too many."""
        world, budgets, last, nodes = state
        if last in {-1, place} or not nodes[last]:
            return State(world, budgets, place, nodes)
        if not self.purse.contents[budgets].preemptions:
            return None
        return State(world, self.purse.spent(budgets, "preemptions"), place, nodes)

    def _begins(self, found: list[Successor], state: State) -> None:
        """Add the begin of another run, in the first instance that has none."""
        runs = self.purse.contents[state.budgets].runs
        if not runs or 0 not in state.nodes:
            return
        place = state.nodes.index(0)
        turn = self._turn(state, place)
        if turn is None:
            return
        now_s = self.universe.worlds[state.world].now_s
        nonce = f"run{place}{runs % 10}".ljust(10, "0")
        budgets = self.purse.spent(turn.budgets, "runs")
        for demand in self.configuration.demands:
            node = self.instances.begin(Start(demand, now_s, nonce))
            nodes = _with(turn.nodes, place, node.number)
            label = (_NAMES[place], "begins:", demand.name.lower())
            found.append(Successor(label, State(state.world, budgets, place, nodes), ()))

    def _moves(self, found: list[Successor], state: State, place: int, node: Node) -> None:
        """Add what may become of the next call of a run, and of the audit records before it."""
        name, fates = _NAMES[place], self._fates
        budgets = state.budgets
        faulty = self.purse.contents[budgets].faults > 0
        poorer = self.purse.spent(budgets, "faults") if faulty else budgets
        if faulty and node.failing is None:
            for record in range(*node.recorded):
                for fate in self._audit_fates:
                    failed = self.instances.with_failing_audit(node, record, fate)
                    label = (name, f"audit record {record}", fate)
                    found.append(self._arrival(label, state.world, poorer, state, place, failed))
        if node.request is None:
            found.append(self._arrival((name, "ends"), state.world, budgets, state, place, None))
            return
        operation = node.operation
        assert operation is not None
        found.append(self._call(state, budgets, place, node, Fate.OK))
        if not faulty:
            return
        zombies = len(self.universe.worlds[state.world].zombies)
        found.extend(
            self._call(state, poorer, place, node, fate)
            for fate in fates[operation]
            if fate is not Fate.DELAYED or zombies < self.configuration.zombies_max
        )

    def _call(self, state: State, budgets: int, place: int, node: Node, fate: Fate) -> Successor:
        universe, demand, operation = self.universe, node.start.demand, node.operation
        assert node.request is not None
        assert operation is not None
        step = universe.call(state.world, node.request, fate, demand)
        label = (_NAMES[place], operation, fate)
        broken = step.broken
        if operation in WRITES and fate not in WITHOUT_EFFECT:
            broken += node.broken
            broken += self._unsafe(state, node, step)
            if operation is Operation.CREATE_KEY:
                broken += tuple(m for m in (self._crowded(state, node, step), self._hasty(node, step)) if m)
        child = self.instances.answer(node, step.reply) if step.reply else None
        return self._arrival(label, step.world, budgets, state, place, child, broken)

    def _unsafe(self, state: State, node: Node, step: Step) -> tuple[str, ...]:
        """Say what a run should not have done, given what it knew and what is true."""
        if node.operation is not Operation.REVOKE_KEY:
            return ()
        before, after = self.universe.moment(state.world), self.universe.moment(step.world)
        found = (
            i12_nothing_dies_unproved(before, after, node.proved),
            i10_hold_stops_revocations(after, self._others + 1),
        )
        return tuple(message for message in found if message)

    def _crowded(self, state: State, node: Node, step: Step) -> str | None:
        return i5_live_keys_are_bounded(
            self.universe.moment(state.world),
            Act(Operation.CREATE_KEY, node.start.demand, 0.0),
            self.universe.moment(step.world),
            self.configuration.spec.live_keys_max + self.configuration.spec.manages + self._others + node.misled,
        )

    def _hasty(self, node: Node, step: Step) -> str | None:
        if node.start.demand in BY_FORCE:
            return None
        world, spec = self.universe.worlds[step.world], self.configuration.spec
        labels, prefix = world.secret.labels, self.universe.prefix
        # What was promoted helped: attempts count from there.
        fence = max(generation_of(labels.get(label, "")) for label in (AWSCURRENT, AWSPREVIOUS))
        ours = [k for k in world.keys if generation_in_name(prefix, k.name) > fence]
        made = [k.created_at for k in ours if world.now_s - k.created_at < HOUR_S]
        return i15_attempts_back_off(len(made) - self._others, spec.settle.total_seconds())

    def _arrival(  # noqa: PLR0913, PLR0917 - the parts of a state
        self,
        label: Label,
        world: int,
        budgets: int,
        state: State,
        place: int,
        node: Node | None,
        broken: tuple[str, ...] = (),
    ) -> Successor:
        """Return the successor in which a run is at a node, or gone."""
        nodes = _with(state.nodes, place, node.number if node else 0)
        if node is not None and node.broken:
            # What an effect would break is told when it has happened.
            broken += tuple(m for m in node.broken if node.request is None or m[:2] in {"I7", "I8"})
        return Successor(label, self._rested(world, budgets, state.last, nodes), broken)

    def _rested(self, world: int, budgets: int, last: int, nodes: tuple[int, ...]) -> State:
        """Return a state; one without runs in its canonical form."""
        if any(nodes):
            return State(world, budgets, last, nodes)
        if self.configuration.renews:
            budgets = self._full
        return State(self.forms.of(world), budgets, -1, nodes)

    def _landings(self, found: list[Successor], state: State) -> None:
        """Add the late effects of requests whose senders have given up."""
        for place, zombie in enumerate(self.universe.worlds[state.world].zombies):
            step = self.universe.land(state.world, place)
            operation = self.instances.requests[zombie.request].operation
            follows = self._rested(step.world, state.budgets, state.last, state.nodes)
            found.append(Successor(("late effect of", operation), follows, step.broken))

    def _environment(self, found: list[Successor], state: State, *, quiet: bool) -> None:
        """Add what time and people may do."""
        world, budgets, last, nodes = state
        left = self.purse.contents[budgets]
        if quiet or self.configuration.suspends:
            free = quiet and self.configuration.renews
            for i, (name, seconds) in enumerate(_TICKS):
                if left.ticks[i] or free:
                    after = tick(self.universe, world, seconds)
                    fewer = budgets if free else self.purse.spent(budgets, "ticks", i)
                    follows = self._rested(after, fewer, last, nodes)
                    found.append(Successor((name,), follows, ()))
        if left.people:
            fewer = self.purse.spent(budgets, "people")
            at_rest = self.configuration.moves_at_rest if quiet else None
            moves = (
                *self.configuration.moves(self.universe, world),
                *(at_rest(self.universe, world) if at_rest else ()),
            )
            for name, after in moves:
                follows = self._rested(after, fewer, last, nodes)
                found.append(Successor(("a person:", name), follows, ()))


class Search:
    """One walk over a state space, breadth first, and its figures."""

    def __init__(self, explorer: Explorer, stop_at: int, until_s: float) -> None:
        self.explorer, self.stop_at, self.until_s = explorer, stop_at, until_s
        self.report = Report(explorer.configuration.name)
        self._came_from: dict[State, tuple[State | None, int]] = {}
        """How each state was first met: with it, the shortest schedule that leads there."""
        self._queue: deque[State] = deque()
        self._visited = 0

    def run(self) -> None:
        """Walk until everything was visited, or enough is broken, or time is up."""
        began_s = time.process_time()
        report, explorer = self.report, self.explorer
        for choice, origin in enumerate(explorer.origins()):
            self._meet(origin, None, choice)
            for message in explorer.verdict(origin):
                self._note(origin, None, message, at_rest=True)
        while self._queue and len(report.violations) < self.stop_at:
            self._visited += 1
            if self._visited % 64 == 0 and self._is_over():
                break
            self._visit(self._queue.popleft())
        report.exhausted = not self._queue
        report.states = len(self._came_from)
        report.worlds = len(explorer.universe.worlds)
        report.quiet = len(explorer.recovery.verdicts)
        report.checks = explorer.universe.checked
        report.program_runs = explorer.instances.runs
        report.recovery_calls, report.recovery_runs = (explorer.recovery.calls, explorer.recovery.runs)
        report.cut = explorer.cut
        report.covered = {(str(o), str(f)) for o, f in explorer.universe.covered}
        report.seconds = time.process_time() - began_s

    def _is_over(self) -> bool:
        late = time.process_time() > self.until_s
        return late or len(self._came_from) > self.explorer.configuration.states_max

    def _meet(self, state: State, before: State | None, choice: int) -> None:
        self._came_from[state] = (before, choice)
        self._queue.append(state)

    def _visit(self, state: State) -> None:
        report, moved = self.report, False
        for choice, (_, follows, broken) in enumerate(self.explorer.successors(state)):
            moved = True
            report.events += 1
            known = follows in self._came_from
            problems = broken or (() if known else self.explorer.verdict(follows))
            if problems:
                self._note(state, choice, problems[0], at_rest=not broken)
            elif known:
                report.executions += 1
            else:
                self._meet(follows, state, choice)
        report.executions += not moved

    def _note(self, state: State, choice: int | None, message: str, *, at_rest: bool) -> None:
        """Keep the first violation of each invariant."""
        rule = message.split(maxsplit=1)[0]
        if any(violation.message.startswith(rule) for violation in self.report.violations):
            return
        choices = [] if choice is None else [choice]
        at: State | None = state
        while at is not None:
            at, choice = self._came_from[at]
            choices.append(choice)
        schedule = tuple(reversed(choices))
        trace = tuple(self.explorer.replay(schedule)[0])
        self.report.violations.append(Violation(self.explorer.configuration.name, message, schedule, trace, at_rest))


def _chosen(offered: Sequence[T], choice: int, step: int) -> T:
    """Return what a schedule chooses.

    Raises:
        ValueError: that is not on offer.
    """
    if not 0 <= choice < len(offered):
        last = f"0 to {len(offered) - 1}" if offered else "none: the schedule ends before"
        where = f"at step {step}" if step else "of a beginning"
        raise ValueError(f"there is no such schedule: choice {choice} {where}, of {last}")
    return offered[choice]


def _with(nodes: tuple[int, ...], place: int, node: int) -> tuple[int, ...]:
    return (*nodes[:place], node, *nodes[place + 1 :])


def _short(key_id: str | None) -> str:
    return key_id[:4] if key_id else "none"
