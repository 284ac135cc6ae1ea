"""What an exploration is asked for, the states it moves through, and what it reports."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from rotator.model.secret import Demand, SecretSpec
from rotator.sandbox.pinata.switches import Switches
from tests.exploration.fates import Fate
from tests.exploration.instances import Program, reconcile_once
from tests.exploration.people import people
from tests.exploration.universe import Universe

Moves = Callable[[Universe, int], Iterator[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much of each kind may happen: in all, or between two quiet states if the configuration renews them."""

    runs: int = 1
    faults: int = 0
    preemptions: int = 0
    ticks: tuple[int, int, int] = (0, 0, 0)
    """Of settle time, grace and a month, at any moment."""
    people: int = 0


@dataclass(frozen=True, slots=True)
class Configuration:
    """One bounded exploration."""

    name: str
    spec: SecretSpec
    origins: tuple[str, ...]
    """What there is in the beginning; see `ORIGINS`."""
    budgets: Budgets
    instances: int = 1
    demands: tuple[Demand, ...] = (Demand.DUE,)
    fates: frozenset[Fate] = frozenset(Fate)
    zombies_max: int = 1
    live_keys_cap: int = 6
    """Worlds with more live keys of ours are not followed further."""
    renews: bool = False
    """Budgets are full again at every quiet state, so that any number of runs is covered; time then passes freely."""
    suspends: bool = False
    """Time may pass also while runs are at work: a frozen process, a suspended machine."""
    switches: Switches = Switches(jwt_lifetime_s=None)  # noqa: RUF009 - it is frozen
    """The answers to what nobody knows of Pinata."""
    heals: bool = True
    """From any world at rest clean runs put everything right (L1 to L7); not where Pinata keeps them from it."""
    leaks: bool = False
    """From any world at rest the current key may be said to have leaked (L4)."""
    states_max: int = 5_000_000
    program: Program = reconcile_once
    moves: Moves = people
    """What a person may do."""
    moves_at_rest: Moves | None = None
    """What may happen besides while no run is at work: what no run could see in time."""


class State(NamedTuple):
    """Where an exploration is. Numbers only: a tuple of them is stored, not a hash."""

    world: int
    budgets: int
    last: int
    """The place of the instance that moved last; -1 after a quiet state."""
    nodes: tuple[int, ...]
    """How far the run of each instance has come; 0 is no run."""


class Purse:
    """What may be left of the budgets, numbered; spending is a look-up."""

    def __init__(self) -> None:
        self.contents: list[Budgets] = []
        self._numbers: dict[Budgets, int] = {}
        self._spent: dict[tuple[int, str, int], int] = {}

    def number(self, budgets: Budgets) -> int:
        """Return the number of what is left."""
        number = self._numbers.setdefault(budgets, len(self.contents))
        if number == len(self.contents):
            self.contents.append(budgets)
        return number

    def spent(self, number: int, what: str, place: int = 0) -> int:
        """Return the number of what is left once one more of something is spent; `place` is that of a tick."""
        less = self._spent.get((number, what, place))
        if less is None:
            before = self.contents[number]
            left: Any = getattr(before, what)
            if isinstance(left, tuple):
                left = tuple(n - (i == place) for i, n in enumerate(left))
            else:
                left -= 1
            less = self._spent[number, what, place] = self.number(replace(before, **{what: left}))
        return less


Label = tuple[str, ...]


class Successor(NamedTuple):
    """One choice, and what it leads to."""

    label: Label
    state: State
    broken: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Violation:
    """A schedule after which something does not hold."""

    configuration: str
    message: str
    choices: tuple[int, ...]
    """The first is the beginning, each other one a step."""
    trace: tuple[str, ...]
    at_rest: bool
    """The last step left a state at rest, and what is broken shows in the clean runs that follow."""

    @property
    def steps(self) -> int:
        """How many steps lead there from the beginning."""
        return len(self.choices) - 1

    @property
    def replay(self) -> str:
        """The command that shows it once more."""
        schedule = " ".join(map(str, self.choices))
        return f"python -m tests.exploration replay '{self.configuration}' {schedule}"


@dataclass(slots=True)
class Report:
    """The figures of one exploration."""

    configuration: str
    executions: int = 0
    """Schedules followed until they ended or met a state that was known."""
    states: int = 0
    worlds: int = 0
    quiet: int = 0
    """Canonical quiet worlds: recovery was checked from each of them."""
    events: int = 0
    """Steps taken."""
    checks: int = 0
    program_runs: int = 0
    seconds: float = 0.0
    """Of CPU time."""
    recovery_calls: int = 0
    recovery_runs: int = 0
    cut: int = 0
    """Worlds beyond the cap on live keys."""
    exhausted: bool = True
    """Every schedule was covered, but for those beyond the cap on live keys; else time was up, or it stopped early."""
    violations: list[Violation] = field(default_factory=list)
    covered: set[tuple[str, str]] = field(default_factory=set)
    """Operation and fate."""
