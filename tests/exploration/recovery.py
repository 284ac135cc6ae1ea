"""What becomes of a quiet state when nothing goes wrong any more: does it heal, in how many calls, and then rest?"""

from dataclasses import dataclass, field

from rotator.engine.rollout import redeploys
from rotator.model.naming import since_in
from rotator.model.observed import AWSCURRENT
from rotator.model.plan import Outcome, OutcomeKind, Promote, ProveDead
from rotator.model.reasons import Reason
from rotator.model.secret import Demand
from tests.exploration.canonical import GRACE_S, Forms
from tests.exploration.fates import WRITES, Fate
from tests.exploration.instances import CALLS_MAX as CALLS_OF_A_RUN_MAX
from tests.exploration.instances import Defect, Instances, Node, Start
from tests.exploration.people import deployed, tick, toggle_contain, toggle_hold, toggle_replicas
from tests.exploration.universe import Universe
from tests.simulated.invariants import (
    Moment,
    Told,
    i12_nothing_dies_unproved,
    l1_settled,
    l2_idle_run_writes_nothing,
    l3_recovery_is_short,
    l4_leaked_key_dies,
    l5_good_end_is_good,
    l6_outcome_is_so,
)
from tests.simulated.values import held_in
from tests.simulated.world import START_S, Operation

RUNS_MAX = 5
"""Clean runs, each after a grace, within which everything must be settled (L1)."""
CALLS_MAX = 60
"""Calls of all of them together (L3)."""
_A_PERSON_DECIDES = frozenset({Reason.DRIFTED, Reason.ROLLED_BACK})


@dataclass(frozen=True, slots=True)
class _CleanRun:
    """A run without faults."""

    world: int
    """The quiet world after it."""
    after: int
    """The same under the names that the run gave."""
    calls: int
    writes: int
    ended: Outcome | Defect | None
    """None if it makes more calls than any run should."""
    broken: tuple[str, ...]


@dataclass(slots=True)
class Recovery:
    """The verdict over each quiet world, found once."""

    universe: Universe
    instances: Instances
    forms: Forms
    leaks: bool = False
    """Whether a key may be told to have leaked, from any world at rest (L4)."""
    calls: int = 0
    """The worst so far."""
    runs: int = 0
    """The worst so far."""
    verdicts: dict[int, tuple[str, ...]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """What was called in the clean runs of the last verdict that was found."""

    def verdict(self, world: int) -> tuple[str, ...]:
        """Say what does not heal from a world in which no run is at work and no request on its way."""
        broken = self.verdicts.get(world)
        if broken is None:
            broken = self.verdicts[world] = tuple(self._problems(world))
        return broken

    def retold(self, world: int) -> list[str]:
        """Return what is called from a world on when nothing goes wrong."""
        self._problems(world)
        return list(self.told)

    def _problems(self, world: int) -> list[str]:
        """Run until nothing remains (L1), then once more (L2), and count the calls (L3)."""
        universe, calls, demand, found = self.universe, 0, Demand.DUE, list[str]()
        self.told.clear()
        world, broken = self._put_right(world)
        found += broken
        problem: str | None = None
        begun = world
        for runs in range(1, RUNS_MAX + 1):
            before = universe.moment(world)
            run = self._clean_run(world, demand)
            found += [*run.broken, *self._untrue(before, run)]
            if before.set_back and before.works and demand is Demand.DUE and run.writes:
                found.append(f"I11 {run.writes} writes, unasked, over what a person rolled back")
            world, calls = self._followed(run.world), calls + run.calls
            problem = l1_settled(universe.moment(world))
            if problem is None:
                self.runs = max(self.runs, runs)
                break
            if run.ended is None:
                break
            demand = _insisted(run.ended)
            if demand is Demand.DUE:  # whoever insists does so at once
                world = self.forms.of(tick(universe, world, GRACE_S))
        if problem:
            return [*found, f"{problem}, after {RUNS_MAX} clean runs"]
        if self.leaks:
            found += self._leaked(begun)
        if redeploys(universe.spec) and universe.moment(world).holding != {universe.moment(world).current}:
            found.append("L7 the consumer was not redeployed")
        self.calls = max(self.calls, calls)
        idle = self._clean_run(world, Demand.DUE)
        rest = (l2_idle_run_writes_nothing(idle.writes), l3_recovery_is_short(calls, CALLS_MAX))
        return [*found, *idle.broken, *(p for p in rest if p)]

    def _followed(self, world: int) -> int:
        """Return the world once the consumer has followed; one that is to be redeployed follows only by that."""
        spec, past = self.universe.spec, self.universe.worlds[world].past
        if not spec.consumers or (redeploys(spec) and not past.rolling):
            return world
        return self.forms.of(deployed(self.universe, world))

    def _untrue(self, before: Moment, run: _CleanRun) -> list[str]:
        """Say what a run without faults told of itself that is not so."""
        ended = run.ended
        if not isinstance(ended, Outcome) or ended.error is not None:
            return []
        after = self.universe.moment(run.after)
        told = Told(
            outcome=ended.kind.value,
            ends_well=ended.kind in {OutcomeKind.ROTATED, OutcomeKind.UP_TO_DATE} or ended.reason in _A_PERSON_DECIDES,
            key_id=ended.key_id,
            promoted=any(isinstance(action, Promote) for action in ended.actions),
            revoked=frozenset(ended.revoked),
            proved_dead=frozenset(action.key_id for action in ended.actions if isinstance(action, ProveDead)),
        )
        rules = (l5_good_end_is_good(after, told), l6_outcome_is_so(before, after, told))
        return [message for message in rules if message]

    def _put_right(self, world: int) -> tuple[int, list[str]]:
        """Return the world once what a person must end has ended: a hold, a region that does not catch up."""
        universe, found = self.universe, list[str]()
        if universe.moment(world).held:
            run = self._clean_run(world, Demand.DUE)
            found += run.broken
            if run.writes:
                found.append(f"I10 {run.writes} writes in a run over a secret on hold")
            world = self.forms.of(toggle_hold(universe, run.world))
        if universe.moment(world).behind:
            run = self._clean_run(world, Demand.DUE)
            found += run.broken
            world = self.forms.of(toggle_replicas(universe, run.world))
        return world, found

    def _leaked(self, world: int) -> list[str]:
        """Say what a run without faults leaves of a key that has leaked."""
        held = held_in(self.universe.worlds[world].secret, AWSCURRENT)
        if held is None:
            return []
        world = self.forms.of(toggle_contain(self.universe, world, f"{held.key_id} leaked"))
        run = self._clean_run(world, Demand.CONTAINING)
        if self.universe.spec.manages:  # a run never revokes the key that it works with
            run = self._clean_run(run.after, Demand.CONTAINING)
        if not isinstance(run.ended, Outcome) or run.ended.error:
            return list(run.broken)
        before, after = (self.universe.moment(number) for number in (world, run.after))
        return [*run.broken, *filter(None, [l4_leaked_key_dies(before, after)])]

    def _clean_run(self, world: int, demand: Demand) -> _CleanRun:
        node = self.instances.begin(Start(demand, START_S, "recovery00"))
        calls = writes = 0
        broken: tuple[str, ...] = ()
        self.told.append(f"clean run: {demand.name.lower()}")
        while node.request is not None and calls <= CALLS_OF_A_RUN_MAX:
            step = self.universe.call(world, node.request, Fate.OK, demand)
            calls += 1
            self.told.append(f"clean run: {node.operation}")
            if node.operation in WRITES:
                writes += not self._tidies(node.request)
                broken += node.broken + step.broken
                broken += self._unproved(world, step.world, node)
            world, node = step.world, self.instances.answer(node, step.reply)
        if node.ended is None or isinstance(node.ended, Defect):
            broken += node.broken
        return _CleanRun(self.forms.of(world), world, calls, writes, node.ended, broken)

    def _tidies(self, request: int) -> bool:
        """Tell whether a call takes off a label that says when another version was promoted: nobody decides that."""
        asked = self.instances.requests[request]
        return asked.operation is Operation.REMOVE and since_in(str(asked.args[1])) is not None

    def _unproved(self, before: int, after: int, node: Node) -> tuple[str, ...]:
        truth, then = self.universe.moment(before), self.universe.moment(after)
        message = i12_nothing_dies_unproved(truth, then, node.proved)
        return (message,) if message else ()


def _insisted(ended: Outcome | Defect | None) -> Demand:
    """Return what a person asks for next: where they must decide, let them insist."""
    match ended:
        case Outcome(kind=OutcomeKind.HELD, reason=reason) if reason in _A_PERSON_DECIDES:
            return Demand.FORCED
        case _:
            return Demand.DUE
