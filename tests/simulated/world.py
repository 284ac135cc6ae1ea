"""The two systems in memory, and processes that reach them through one boundary.

The rules are those of the sandbox (its Pinata `world`, its Secrets Manager `rules`): nothing is decided here. A world
is deterministic and cheap to copy, has no threads, and never sleeps: a wait moves its clock.

    Systems    what there is: keys, secrets, the time; `copy` forks it
    Process    one run of the program: what it may still do, what it called, what it recorded
    Boundary   asked before each call what becomes of it; it may also change the world meanwhile

The other modules of this folder, all for tests without sockets:

    provider, store    the two ports over such a world
    scene              one configured secret, and what people and runs do to it
    daemon             the real tick over such a world, restarted as often as a test likes
    values             stored values, read and written without the code that is judged
    invariants         what must hold after every effect, and from every quiet state
"""

from collections.abc import Callable, Container
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import Enum, StrEnum
from threading import RLock
from typing import Self, TypeVar, TypeVarTuple

from rotator.model.errors import AuditUnavailableError, DeadlineExceededError, RotatorError
from rotator.model.events import Event, Subject
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Switches
from rotator.sandbox.pinata.world import Digest, PinataWorld, seeded
from rotator.sandbox.secrets_manager.state import Secret

T = TypeVar("T")
Ts = TypeVarTuple("Ts")
START_S = 1_790_000_000.0
"""2026-09-21, a Monday."""
ARN_PREFIX = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:"
ARN_SUFFIX = "-AbCdEf"
DIGEST: Digest = seeded("simulation")


class Operation(StrEnum):
    """One HTTP request, or what the adapters would make of it."""

    LIST_KEYS = "list keys"
    CREATE_KEY = "create key"
    TEST_AUTHENTICATION = "testAuthentication"
    PROBE = "probe"
    REVOKE_KEY = "revoke key"
    DESCRIBE = "DescribeSecret"
    LIST_SECRETS = "ListSecrets"
    LIST_VERSIONS = "ListSecretVersionIds"
    GET_VALUE = "GetSecretValue"
    GET_VALUES = "BatchGetSecretValue"
    PUT_VALUE = "PutSecretValue"
    PROMOTE = "UpdateSecretVersionStage AWSCURRENT"
    ATTACH = "UpdateSecretVersionStage attach"
    REMOVE = "UpdateSecretVersionStage remove"
    TAG = "TagResource"
    UNTAG = "UntagResource"
    ASK_CONSUMER = "ask a consumer"
    REDEPLOY = "UpdateService"
    ROTATE = "RotateSecret"
    """Not a call of ours: Secrets Manager begins a rotation of its own."""


class Fault(Enum):
    """What may become of a call."""

    CRASH_BEFORE = "the process dies before it"
    CRASH_AFTER = "the process dies after its effect"
    LOST = "no effect, and no answer"
    LATE = "the effect, and no answer"
    REJECTED = "refused"
    DENIED = "our credential is refused"


@dataclass(frozen=True, slots=True)
class Named:
    """What the call before it is about, as far as its request says; a part that it does not say is empty."""

    subject: Subject


@dataclass(frozen=True, slots=True)
class Answered:
    """The last call that writes was answered, or was not."""

    effect_possible: bool


class Crash(BaseException):
    """The process is dead; no code of ours may catch this."""


_ONE_CALL = RLock()
"""The systems answer one call at a time: a run over many secrets calls them from several threads."""

Boundary = Callable[[Operation], Fault | None]


def calm(_: Operation) -> None:
    """Let every call succeed."""


@dataclass(slots=True)
class Systems:
    """Pinata, Secrets Manager and the time."""

    pinata: PinataWorld
    admin: KeyRecord
    secrets: dict[str, Secret] = field(default_factory=dict)
    """By name."""
    now_s: float = START_S
    skew_s: float = 0.0
    """Secrets Manager's clock minus the machine's."""
    latency_s: float = 0.05
    holding: frozenset[str] = frozenset()
    """The key that a consumer read last and keeps, if there is such a consumer."""
    rolling: bool = False
    """That consumer is being deployed anew."""

    @classmethod
    def empty(cls, switches: Switches | None = None) -> Self:
        """Return a world with a managing key and no secret."""
        pinata = PinataWorld(lambda: START_S, DIGEST, switches or Switches())
        world = cls(pinata, pinata.seed("managing key", Permissions(admin=True)))
        pinata.clock = world.time
        return world

    def copy(self) -> Self:
        """Return an independent world in the same state."""
        fork = replace(self, pinata=self.pinata.copy(), secrets=dict(self.secrets))
        fork.pinata.clock = fork.time
        return fork

    def time(self) -> float:
        """Return the time in epoch seconds."""
        return self.now_s

    def now(self) -> datetime:
        """Return the time."""
        return datetime.fromtimestamp(self.now_s, UTC)

    def name_of(self, secret_id: str) -> str | None:
        """Return the name of a secret, given its name or ARN; None if there is none."""
        name = secret_id.removeprefix(ARN_PREFIX)
        name = name.removesuffix(ARN_SUFFIX) if name != secret_id else name
        return name if name in self.secrets else None


def arn_of(name: str) -> str:
    """Return the ARN of the secret with a name."""
    return f"{ARN_PREFIX}{name}{ARN_SUFFIX}"


@dataclass(slots=True)
class Process:
    """One process of ours: the calls it made, the events it recorded, and its death.

    It is its own deadline and its own audit log.
    """

    systems: Systems
    boundary: Boundary = calm
    time_left_s: float = 120.0
    audit_fails: Container[int] = ()
    """Which audit records fail; the first record of a run, its beginning, is 1."""
    calls: list[Operation] = field(default_factory=list)
    trail: list[Event | Operation | Named | Answered] = field(default_factory=list)
    """Audit events, and calls after their effect, in order."""
    records: int = 0
    dead: bool = False
    _began_s: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock of the deadline."""
        self._began_s = self.systems.now_s

    # Deadline

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return self._began_s + self.time_left_s - self.systems.now_s

    # AuditLog and AuditRun

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return "run-1"

    def begin(self, secret: str, arn: str, audit_head: str | None = None) -> "Process":
        """Start the trail."""
        assert secret
        assert arn.startswith("arn:")
        assert not audit_head, "no head is noted in this world"
        self._count_record()
        return self

    trouble = None
    """Nobody else is told."""

    def record(self, event: Event) -> None:
        """Keep an event, or fail as `audit_fails` says."""
        self._count_record()
        self.trail.append(event)

    def _count_record(self) -> None:
        self._die_again()
        self.records += 1
        if self.records in self.audit_fails:
            raise AuditUnavailableError("the audit trail is full")

    # The boundary

    @property
    def now_s(self) -> float:
        """The time this process sees, in epoch seconds."""
        return self.systems.now_s

    def call(
        self,
        operation: Operation,
        faults: dict[Fault, Callable[[], RotatorError]],
        effect: Callable[[Systems, *Ts], T],
        *args: *Ts,
    ) -> T:
        """Make one call: ask the boundary what becomes of it, and let it have its effect.

        Args:
            operation: what kind of call it is.

            faults: the errors that the adapter would raise for it.

            effect: what the call does to the two systems, whichever those are by then, and what it answers.

            args: of the effect, with the meaning of the whole call in them.
        """
        self._die_again()
        if self.remaining_s() <= 0:
            raise DeadlineExceededError(f"no time is left for {operation}")
        self.calls.append(operation)
        with _ONE_CALL:
            self.systems.now_s += self.systems.latency_s
        fault = self.boundary(operation)
        if fault is Fault.CRASH_BEFORE:
            self._die()
        if fault in {Fault.LOST, Fault.REJECTED, Fault.DENIED}:
            refused = faults[fault]()
            raise refused
        try:
            with _ONE_CALL:
                answer = effect(self.systems, *args)
        finally:
            self.trail.append(operation)
            if fault is Fault.CRASH_AFTER:
                self._die()
        if fault is Fault.LATE:
            unanswered = faults[Fault.LOST]()
            raise unanswered
        return answer

    def now(self) -> float:
        """Return the time this process sees, as a clock that nobody sets."""
        return self.systems.now_s

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        with _ONE_CALL:
            self.systems.now_s += seconds

    def _die(self) -> None:
        self.dead = True
        raise Crash

    def _die_again(self) -> None:
        """Keep a dead process from acting in its `finally` blocks."""
        if self.dead:
            raise Crash


# Boundaries


def at_call(number: int, fault: Fault) -> Boundary:
    """Return a boundary with one fault, at the call with this number (the first is 1)."""
    seen = 0

    def boundary(_: Operation) -> Fault | None:
        nonlocal seen
        seen += 1
        return fault if seen == number else None

    return boundary


def on(operation: Operation, fault: Fault, nth: int = 1, times: int = 1) -> Boundary:
    """Return a boundary with a fault at the nth call of an operation, and at some that follow."""
    seen = 0

    def boundary(called: Operation) -> Fault | None:
        nonlocal seen
        seen += called is operation
        return fault if called is operation and nth <= seen < nth + times else None

    return boundary


def meanwhile(number: int, happens: Callable[[], object]) -> Boundary:
    """Return a boundary that lets something happen just before the call with this number."""
    seen = 0

    def boundary(_: Operation) -> None:
        nonlocal seen
        seen += 1
        if seen == number:
            happens()

    return boundary


def just_before(operation: Operation, happens: Callable[[], object], nth: int = 1) -> Boundary:
    """Return a boundary that lets something happen just before the nth call of an operation."""
    seen = 0

    def boundary(called: Operation) -> None:
        nonlocal seen
        seen += called is operation
        if called is operation and seen == nth:
            happens()

    return boundary
