"""Runs of the real program, driven one answer at a time.

A run is a deterministic function of how it was begun and of the answers it got. So its histories form a tree: a node
is "begun like this, answered like that", and knows the next call. The program itself, in a greenlet, finds each node
once; where histories part, it is begun anew and given the recorded answers. What a run does next is never modelled.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar, TypeVarTuple

import greenlet  # type: ignore[import-untyped]  # it has neither annotations nor stubs

from rotator.engine.reconcile import reconcile
from rotator.engine.run import Run, World
from rotator.fleet.neighbours import Neighbours
from rotator.model.credential import Credential, HeaderPair, Sensitive, Token
from rotator.model.errors import AuditUnavailableError, DeadlineExceededError, DefectError, RotatorError
from rotator.model.events import Ended, Event, Subject
from rotator.model.observed import SecretDescription
from rotator.model.payload import credential_in
from rotator.model.plan import Outcome
from rotator.model.ports import Authentication
from rotator.model.secret import Demand, SecretSpec
from tests.exploration.fates import MADE_WRONG, MISLEADING, UNANSWERED, WRITES, Fate
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.invariants import OF_A_RUN, Conduct, i6_intents_have_outcomes, i7_secrets_stay_inside
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.values import held_by, key_id_of
from tests.simulated.world import Answered, Fault, Named, Operation, Process, Systems

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
_FRESH_MAX = 16
"""No more entries than this come into a trail between two calls."""
_FAILED = dict.fromkeys(UNANSWERED, Fault.LOST) | {Fate.REJECTED: Fault.REJECTED, Fate.DENIED: Fault.DENIED}
"""The error that an adapter would raise, for fates that are one."""
NEIGHBOUR = "prod/pinata/reader"
"""Another configured secret, where there is one."""
CALLS_MAX = 48
"""A run makes at most so many calls, whatever happens (I8)."""


class Start(NamedTuple):
    """How a run is begun."""

    demand: Demand
    now_s: float
    nonce: str


class Request(NamedTuple):
    """One call as plain values: it can be performed on any state of the systems, at any time."""

    operation: Operation
    effect: Callable[..., object]
    args: tuple[object, ...]


class Reply(NamedTuple):
    """What a run is told: a value, or how the call failed."""

    fate: Fate
    value: object = None


class Raised(NamedTuple):
    """An effect ended in this error of ours."""

    error: type[RotatorError]
    message: str


class Defect(NamedTuple):
    """The program raised what it never should."""

    message: str


Program = Callable[[Process, SecretSpec, Start], Outcome | None]
"""What one instance runs to its end: the seam for entry points with another contract."""


def reconcile_once(process: Process, spec: SecretSpec, start: Start) -> Outcome | None:
    """Read the labels and reconcile, as every trigger does."""
    return _reconcile(process, spec, start, (spec,))


def leapfrog(process: Process, spec: SecretSpec, start: Start) -> Outcome | None:
    """Read the managing key, which the secret itself holds, and reconcile with it."""
    store = SimulatedStore(process)
    try:
        text = store.read_current(spec.secret_id, process)
    except RotatorError as error:
        return Outcome.failed(spec.name, error)
    return _reconcile(process, spec, start, (spec,), credential_in(text, spec.shape))


def _reconcile(
    process: Process,
    spec: SecretSpec,
    start: Start,
    configured: tuple[SecretSpec, ...],
    managing: Credential | None = None,
) -> Outcome | None:
    store = SimulatedStore(process)
    others = Neighbours(configured, store)
    world = World(
        "rotator",
        SimulatedProvider(process, managing=managing),
        store,
        process,
        others.holding,
        SimulatedConsumers(process),
    )
    run = Run(datetime.fromtimestamp(start.now_s, UTC), start.nonce, start.demand, process, process.now)
    try:
        labels = store.describe(spec.secret_id, process)
    except RotatorError as error:  # as the fleet does
        return Outcome.failed(spec.name, error)
    return reconcile(spec, labels, world, run)


def reconcile_beside_another(process: Process, spec: SecretSpec, start: Start) -> Outcome | None:
    """Reconcile where another secret is configured, too."""
    return _reconcile(process, spec, start, (spec, replace(spec, name="reader", secret_id=NEIGHBOUR)))


@dataclass(slots=True)
class Node:
    """One history: what the run asks for next, or what it came to."""

    number: int
    start: Start
    replies: tuple[int, ...]
    failing: tuple[int, Fate] | None
    """The audit record that fails, and how."""
    request: int | None = None
    """The next call; None if the run is over."""
    operation: Operation | None = None
    ended: Outcome | Defect | None = None
    recorded: tuple[int, int] = (0, 0)
    """The numbers of the audit records since the last answer: from, and up to but not including."""
    proved: frozenset[str] = frozenset()
    """The keys that the run saw working."""
    misled: bool = False
    """Some answer was not the truth."""
    broken: tuple[str, ...] = ()
    """What is wrong with the run's conduct if it goes on like this."""
    children: dict[int, int] = field(default_factory=dict)
    variants: dict[tuple[int, Fate], int] = field(default_factory=dict)
    paused: greenlet.greenlet | None = None


class Instances:
    """The tree of histories of one program."""

    def __init__(self, program: Program, spec: SecretSpec, systems: Systems) -> None:
        self._program, self._spec, self._systems = program, spec, systems
        self.nodes: list[Node] = [Node(0, Start(Demand.DUE, 0.0, ""), (), None)]
        self.requests: list[Request] = []
        self.replies: list[Reply] = [Reply(Fate.CRASH_BEFORE)]  # number 0: nobody is told
        self._clean: set[Event] = set()
        """Events that were searched for secrets; a secret exists before anybody can tell it."""
        self.windows: set[str] = set()
        """Pieces of every secret there is, in every usual form."""
        self.runs = 0
        """How often the program was begun."""
        self._roots: dict[Start, int] = {}
        self._request_ids: dict[Request, int] = {}
        self._reply_ids: dict[Reply, int] = {}

    def begin(self, start: Start) -> Node:
        """Return the history that has just begun."""
        number = self._roots.get(start)
        if number is None:
            number = self._roots[start] = self._explore(start, (), None).number
        return self.nodes[number]

    def answer(self, node: Node, reply: int) -> Node:
        """Return the history that goes on with an answer."""
        number = node.children.get(reply)
        if number is None:
            paused, node.paused = node.paused, None
            replies = (*node.replies, reply)
            if paused is None:
                child = self._explore(node.start, replies, node.failing)
            else:
                child = self._new(node.start, replies, node.failing)
                self._go_on(child, paused, self.replies[reply])
            child.misled = node.misled or self.replies[reply].fate in MISLEADING
            number = node.children[reply] = child.number
        return self.nodes[number]

    def with_failing_audit(self, node: Node, record: int, fate: Fate) -> Node:
        """Return the history in which an audit record since the last answer could not be written."""
        number = node.variants.get((record, fate))
        if number is None:
            child = self._explore(node.start, node.replies, (record, fate))
            child.misled = node.misled
            number = node.variants[record, fate] = child.number
        return self.nodes[number]

    def forget_paused(self) -> None:
        """Let all paused runs go; they are begun anew when one of them must go on."""
        for node in self.nodes:
            node.paused = None

    def request_id(self, request: Request) -> int:
        """Return the number of a request."""
        number = self._request_ids.setdefault(request, len(self.requests))
        if number == len(self.requests):
            self.requests.append(request)
        return number

    def reply_id(self, reply: Reply) -> int:
        """Return the number of a reply."""
        number = self._reply_ids.setdefault(reply, len(self.replies))
        if number == len(self.replies):
            self.replies.append(reply)
        return number

    def _new(self, start: Start, replies: tuple[int, ...], failing: tuple[int, Fate] | None) -> Node:
        node = Node(len(self.nodes), start, replies, failing)
        self.nodes.append(node)
        return node

    def _explore(self, start: Start, replies: tuple[int, ...], failing: tuple[int, Fate] | None) -> Node:
        """Begin the program anew and give it the recorded answers."""
        node = self._new(start, replies, failing)
        process = Driven(self._systems)
        process.clock_s, process.failing = start.now_s, failing
        running = greenlet.greenlet(lambda: self._body(process, start))
        self.runs += 1
        asked = running.switch()
        for reply in replies[:-1]:
            asked = running.switch(self.replies[reply])
        if replies:
            process.fresh = process.records
            asked = running.switch(self.replies[replies[-1]])
        return self._arrive(node, process, running, asked)

    def _go_on(self, node: Node, running: greenlet.greenlet, reply: Reply) -> None:
        process: Driven = running.process
        process.fresh = process.records
        self._arrive(node, process, running, running.switch(reply))

    def _arrive(self, node: Node, process: "Driven", running: greenlet.greenlet, asked: object) -> Node:
        node.recorded = (process.fresh + 1, process.records + 1)
        if isinstance(asked, Request):
            node.request, node.operation = self.request_id(asked), asked.operation
            running.process = process
            node.paused = running
        else:
            assert isinstance(asked, Outcome | Defect)
            node.ended = asked
        node.proved = frozenset(process.proved)
        node.broken = self._broken(process, asked)
        return node

    def _broken(self, process: "Driven", asked: object) -> tuple[str, ...]:
        conduct = Conduct(process.trail, process.saw_hold, CALLS_MAX, process.saw_behind)
        found = [rule(conduct) for rule in OF_A_RUN]
        told = [e for e in process.trail[-_FRESH_MAX:] if isinstance(e, Event)]
        texts = [repr(event) for event in told if event not in self._clean]
        self._clean.update(told)
        match asked:
            case Defect(message):
                found.append(f"a defect: {message}")
            case Outcome(error=RotatorError() as error):
                texts += [error.message, error.next_step, repr(error.__cause__)]
            case _:
                pass
        if isinstance(asked, Outcome) and process.failing is None:
            found.append(i6_intents_have_outcomes(conduct))
        found.append(i7_secrets_stay_inside(texts, self.windows))
        return tuple(message for message in found if message)

    def _body(self, process: "Driven", start: Start) -> Outcome | Defect:
        try:
            outcome = self._program(process, self._spec, start)
        except Exception as error:  # noqa: BLE001 - whatever it is, the explorer reports it
            return Defect(f"{type(error).__name__}: {error}")
        if outcome and isinstance(outcome.error, DefectError):
            return Defect(outcome.error.message)
        told = [entry for entry in process.trail if isinstance(entry, Event)]
        if process.failing is None and told and not isinstance(told[-1], Ended):
            return Defect("the audit trail of a finished run has no end")
        return outcome or Defect("the program came to nothing")


def named_by(operation: Operation, args: tuple[object, ...]) -> Subject:  # noqa: PLR0911 - one return per operation
    """Return what a call that writes is about, by its arguments."""
    match operation, args:
        case Operation.CREATE_KEY, (_, str(name), *_):
            return Subject(key_name=name)
        case Operation.REVOKE_KEY, (_, str(key_id), *_):
            return Subject(key_id=key_id)
        case Operation.PUT_VALUE, (_, str(version_id), Sensitive() as text, *_):
            held = held_by(text.reveal())
            return Subject(version_id, held.key_id if held else "")
        case Operation.TAG, (_, str(key), str(value)):
            return Subject(label=f"{key}={value}")
        case Operation.UNTAG, _:
            return Subject()
        case Operation.REDEPLOY, (str(name), str(version_id)):
            return Subject(version_id, label=name)
        case _, (_, str(label), to, away_from):
            return Subject(str(to or away_from or ""), label=label)
        case _:
            raise AssertionError(f"not a call that writes: {operation}")


@dataclass(slots=True)
class Driven(Process):
    """A process that asks the scheduler what becomes of each call."""

    clock_s: float = 0.0
    failing: tuple[int, Fate] | None = None
    fresh: int = 0
    """How many audit records there were at the last answer."""
    saw_hold: bool = False
    expects_hold: bool = False
    """The hold is this run's own."""
    saw_behind: bool = False
    proved: set[str] = field(default_factory=set)
    """Keys that testAuthentication accepted."""

    @property
    def now_s(self) -> float:
        """The time as this process counts it; only waiting moves it."""
        return self.clock_s

    def remaining_s(self) -> float:
        """Return the seconds left: nothing takes time but waiting, until the scheduler says that time is up."""
        return self.time_left_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock_s += seconds
        self.time_left_s -= seconds

    def call(
        self,
        operation: Operation,
        faults: dict[Fault, Callable[[], RotatorError]],
        effect: Callable[[Systems, *Ts], T],
        *args: *Ts,
    ) -> T:
        """Ask the scheduler."""
        if self.time_left_s <= 0:
            raise DeadlineExceededError(f"no time is left for {operation}")
        # After a write that was refused the adapter asks where a label is: that is no look of the program's.
        looks = not (self.trail and isinstance(self.trail[-1], Answered))
        self.trail.append(operation)
        if operation in WRITES:
            self.trail.append(Named(named_by(operation, args)))
        parent = greenlet.getcurrent().parent
        assert parent is not None
        reply: Reply = parent.switch(Request(operation, effect, args))
        if operation in WRITES:
            done = reply.fate in {Fate.OK, *MADE_WRONG} and not isinstance(reply.value, Raised)
            self.trail.append(Answered(done or reply.fate in UNANSWERED))
        if reply.fate in _FAILED:
            error = faults[_FAILED[reply.fate]]()
            raise error
        if reply.fate is Fate.TIME_UP:
            self.time_left_s = -1.0
            raise DeadlineExceededError(f"no time is left for {operation}")
        value = reply.value
        if isinstance(value, Raised):
            raise value.error(value.message)
        if isinstance(value, SecretDescription) and looks:
            self.saw_hold = value.hold is not None and not self.expects_hold
            self.saw_behind = bool(value.replicas_behind)
        if value is Authentication.ACCEPTED:
            forms = (part for part in args if isinstance(part, Token | HeaderPair))
            self.proved.update(f.key_id if isinstance(f, HeaderPair) else key_id_of(f.jwt.reveal()) for f in forms)
        return value  # type: ignore[return-value]  # what the effect answered

    trouble = None
    """Nobody else is told."""

    def record(self, event: Event) -> None:
        """Keep an event, or fail as the scheduler said."""
        self._count_record()
        self.trail.append(event)

    def _count_record(self) -> None:
        self.records += 1
        match self.failing:
            case (number, Fate.AUDIT_ONCE) if self.records == number:
                raise AuditUnavailableError("the audit trail is full")
            case (number, Fate.AUDIT_DOWN) if self.records >= number:
                raise AuditUnavailableError("the audit trail is full")
            case _:
                pass
