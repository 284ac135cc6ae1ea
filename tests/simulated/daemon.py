"""Daemons over simulated systems: the real tick, memory and board, with a clock that the test moves.

A `Daemon` dies and is born again as often as wanted; what outlasts it is what outlasts a real one: the two systems and
the ends of runs in the audit trail. A `Guard` is asked before every call of every process and holds the truth against
the promises.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from rotator.audit.attestation import FIRST
from rotator.audit.record import EventKind, Record, Writer
from rotator.audit.trail import Listener
from rotator.config.file import Config
from rotator.daemon.pulse import Pulse
from rotator.daemon.reloading import LiveConfig
from rotator.daemon.stop import Stop
from rotator.daemon.tick import Outside, Watch
from rotator.engine.run import Run, World
from rotator.fleet.neighbours import Neighbours
from rotator.model.errors import AuditUnavailableError
from rotator.model.events import Ended, Event, Intent
from rotator.model.plan import Outcome
from rotator.model.ports import AuditLog
from rotator.model.secret import Demand, SecretSpec
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.scene import Scene
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Boundary, Fault, Operation, Process, Systems, calm

CONFIG = """\
[pinata]
admin_secret = "pinata/admin"
[aws]
[audit]
directory = "audit"
[daemon]
every = "30m"
{daemon}
[defaults]
permissions = {{ resources = ["org:files:write"] }}
{defaults}
"""


class _Trail(Process):
    """The audit log of a daemon's tick."""

    listener: Listener
    _secret = ""

    def close(self) -> None:
        """Nothing is open."""

    def begin(self, secret: str, arn: str, audit_head: str | None = None) -> Process:
        """Start the trail."""
        self._secret = secret
        return super().begin(secret, arn, audit_head)

    def record(self, event: Event) -> None:
        """Keep an event, then tell it."""
        super().record(event)
        self.listener(self._secret, self.run_id, event)


@dataclass(slots=True)
class _Connected:
    """Both systems, as one tick reaches them."""

    process: Process
    config: Config
    identity: str = "simulated"

    managing_expires_at: datetime | None = None

    @property
    def store(self) -> SimulatedStore:
        return SimulatedStore(self.process)

    def audit_trail(self, trigger: str, listener: Listener) -> _Trail:
        assert trigger == "daemon"
        trail = _Trail(self.process.systems, self.process.boundary, 1e9)
        trail.listener = listener
        return trail

    def world(self, audit: AuditLog) -> World:
        store = self.store
        others = Neighbours(self.config.secrets, store)
        consumers = SimulatedConsumers(self.process)
        return World("rotator", SimulatedProvider(self.process), store, audit, others.holding, consumers)


@dataclass(slots=True)
class Daemon:
    """A daemon in the world of a scene, with one secret or several.

    Args:
        systems: both, and the time.

        folder: for its configuration.

        names: of the secrets; each is configured under its own `secret_id`.

        defaults: lines for `[defaults]`.
    """

    systems: Systems
    folder: Path
    names: tuple[str, ...]
    defaults: str = ""
    daemon: str = ""
    boundary: Boundary = calm
    off_s: float = 0.0
    """What its wall clock is ahead of the world's."""
    audit_error: str = ""
    outcomes: list[tuple[datetime, Outcome]] = field(default_factory=list)
    ended: list[Record] = field(default_factory=list)
    _busy: set[str] = field(default_factory=set)
    """Secrets whose run has done something."""
    pings: list[datetime] = field(default_factory=list)
    connects: int = 0
    watch: Watch = field(init=False)
    number: int = 0
    """Of several daemons, which."""
    _process: Process = field(init=False)
    """What this tick is to the systems, and its deadline."""
    _runs: int = 0

    def __post_init__(self) -> None:
        """Write the configuration and begin."""
        self.configure()
        self.restart()

    @property
    def path(self) -> Path:
        """The configuration file."""
        return self.folder / "rotator.toml"

    def configure(self, more: str = "") -> None:
        """Write the configuration."""
        text = CONFIG.format(defaults=self.defaults, daemon=self.daemon)
        for name in self.names:
            text += f'[[secrets]]\nname = "{name.replace("/", "-")}"\nsecret_id = "{name}"\n'
        self.path.write_text(text + more)
        self.path.chmod(0o600)

    def restart(self) -> None:
        """Forget everything, as a process does that dies."""
        outside = Outside(
            now=self.now,
            connect=self._connect,
            probe_audit=self._probe,
            endings=lambda _, since: [r for r in self.ended if r.time >= since],
            new_run=self._run,
            deadline=lambda: self._process,
            ping=self._ping,
        )
        pulse = Pulse(self.systems.time)
        stop = Stop(self.systems.time)
        self.watch = Watch(LiveConfig(self.path), outside, stop, pulse, self._heard, self._told)

    def now(self) -> datetime:
        """Return the time by its own clock."""
        return self.systems.now() + timedelta(seconds=self.off_s)

    def tick(self) -> None:
        """Tick once."""
        self.watch.tick()

    def rotations(self) -> list[datetime]:
        """Return when AWSCURRENT moved."""
        return [at for at, outcome in self.outcomes if outcome.kind == "rotated"]

    @contextmanager
    def _connect(self, config: Config) -> Iterator[_Connected]:
        self.connects += 1
        self._process = Process(self.systems, self.boundary, 3600.0)
        yield _Connected(self._process, config)

    def _probe(self, config: Config) -> None:
        del config
        if self.audit_error:
            raise AuditUnavailableError(self.audit_error)

    def _run(self, spec: SecretSpec) -> Run:
        self._runs += 1
        assert spec.timeout
        return Run(self.now(), f"{self.number:05x}{self._runs:05x}", Demand.DUE, self._process, self._process.now)

    def _ping(self, url: str) -> str:
        assert url
        self.pings.append(self.systems.now())
        return ""

    def _told(self, outcome: Outcome) -> None:
        self.outcomes.append((self.systems.now(), outcome))

    def _heard(self, secret: str, run_id: str, event: Event) -> None:
        if isinstance(event, Intent):
            self._busy.add(secret)
        if isinstance(event, Ended):
            sequence = 5 if secret in self._busy else FIRST
            self._busy.discard(secret)
            self.ended.append(
                Record(
                    kind=EventKind.ENDED,
                    operation="EndRun",
                    result=event.outcome,
                    run_id=run_id,
                    sequence=sequence,
                    uid=f"{run_id}.{sequence}",
                    time_ms=int(self.systems.now().timestamp() * 1000),
                    call_uid=f"{run_id}.{sequence}",
                    writer=Writer("rotator", "1.0.0", "daemon", "", ""),
                    secret=secret,
                    detail=event.failure.message if event.failure else "",
                    failure=event.failure,
                    reason=event.reason or "",
                    revoked=event.revoked,
                )
            )


@dataclass(slots=True)
class Guard:
    """A boundary that checks the world before each call, and may let something happen at it."""

    scene: Scene
    happens: Callable[[Operation], object] = calm
    checked: int = 0
    _generation: int = 0
    _current: str | None = None
    _left: dict[str, float] = field(default_factory=dict)

    def __call__(self, operation: Operation) -> Fault | None:
        """Check, then let it happen."""
        self.check()
        self.happens(operation)
        return None

    def check(self) -> None:
        """Consumers hold live keys, generations rise, keys stay few."""
        scene, grace_s = self.scene, self.scene.spec.grace.total_seconds()
        now_s, live, current = scene.systems.now_s, scene.live_keys(), scene.current_key()
        if self._current is not None and current != self._current:
            self._left[self._current] = now_s
        self._current = current
        assert current in live, "consumers hold a dead key"
        for key_id, left_s in self._left.items():
            assert key_id in live or now_s - left_s >= grace_s, f"{key_id} died inside its grace"
        name = scene.systems.pinata.keys[current].name if current else ""
        generation = scene.family.generation(name)
        assert generation >= self._generation, "the generation fell"
        self._generation = generation
        assert len(live) <= scene.spec.live_keys_max + 2, f"{len(live)} live keys"
        self.checked += 1
