"""One tick over the fleet: survey, look closer at what is awake, remember what was seen, put up the board.

Level-triggered: what is due follows from the two systems and the policy, never from what was scheduled. A tick that
was missed, doubled, cut short or begun again costs calls and nothing else.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from rotator import __version__
from rotator.audit.record import Record
from rotator.audit.trail import NOTED_EVERY, Listener
from rotator.config.file import Config
from rotator.daemon.pulse import Pulse
from rotator.daemon.reloading import LiveConfig
from rotator.daemon.stop import Stop
from rotator.engine.run import Run, World
from rotator.engine.windows import unmet_policies
from rotator.fleet.lookup import Resolved, Target, resolve
from rotator.fleet.memory import (
    BACK_OFF_MAX,
    FIRST_LOOKS_MAX,
    NEVER,
    LastLook,
    after_failure,
    after_run,
    is_awake,
    recalled,
    status_of,
)
from rotator.fleet.run import run_all
from rotator.fleet.wake import LOOKS_MAX, Wake, wake
from rotator.model.errors import AuditUnavailableError, RotatorError, StoppedError
from rotator.model.observed import SecretDescription
from rotator.model.plan import Outcome
from rotator.model.ports import AuditLog, Deadline, SecretStore
from rotator.model.secret import SecretSpec
from rotator.model.status import FleetStatus, urgency

RECALLED = NOTED_EVERY + 2 * BACK_OFF_MAX
"""How far the trail is read after a restart: far enough to find a line of each secret, and each failure of late."""
_PUBLISH_EVERY_S = 10.0
_NEVER_LOOKED = datetime.min.replace(tzinfo=UTC)


class Trail(AuditLog, Protocol):
    """The audit log of this process."""

    def close(self) -> None:
        """Close its files."""


class Systems(Protocol):
    """Both systems, connected."""

    @property
    def store(self) -> SecretStore:
        """Secrets Manager."""

    @property
    def identity(self) -> str:
        """Who we are to AWS."""

    @property
    def managing_expires_at(self) -> datetime | None:
        """When the managing key's token expires, if it says so."""

    def audit_trail(self, trigger: str, listener: Listener) -> Trail:
        """Return an audit trail, to be closed in the end."""

    def world(self, audit: AuditLog) -> World:
        """Return what a run needs to know of the outside."""


@dataclass(frozen=True, slots=True)
class Outside:
    """Everything a tick is given from beyond it."""

    now: Callable[[], datetime]
    connect: Callable[[Config], AbstractContextManager[Systems]]
    probe_audit: Callable[[Config], None]
    endings: Callable[[Config, datetime], Sequence[Record]]
    new_run: Callable[[SecretSpec], Run]
    deadline: Callable[[], Deadline]
    ping: Callable[[str], str]


@dataclass(slots=True)
class Watch:
    """The fleet, watched: what is remembered between two ticks, and its newest status."""

    config: LiveConfig
    outside: Outside
    stop: Stop
    pulse: Pulse
    listener: Listener
    tell: Callable[[Outcome], None]
    every: timedelta | None = None
    """Asked for on the command line; otherwise the configuration decides."""
    status: FleetStatus = field(init=False)
    ticked_at: datetime | None = field(default=None, init=False)
    """When the last tick ended, however it ended."""
    reload_asked: bool = field(default=False, init=False)
    _specs: dict[str, SecretSpec] = field(default_factory=dict, init=False)
    _looks: dict[str, LastLook] = field(default_factory=dict, init=False)
    _descriptions: dict[str, SecretDescription] = field(default_factory=dict, init=False)
    _trail: tuple[object, Trail] | None = field(default=None, init=False)
    _surveyed_at: datetime | None = field(default=None, init=False)
    _audit_error: str = field(default="", init=False)
    _managing_expires_at: datetime | None = field(default=None, init=False)
    _tick_error: str = field(default="no tick has ended yet", init=False)
    _recalled: bool = field(default=False, init=False)
    _waiting: frozenset[str] = field(default=frozenset(), init=False)
    """Those whose turn came in an earlier tick, which had enough with others."""
    _published_at_s: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        """Publish a first status, from the configuration alone."""
        self._warn()
        self._publish()

    def ask_reload(self) -> None:
        """Let the next tick read the configuration anew, whether or not it changed."""
        self.reload_asked = True

    def period(self) -> timedelta:
        """Return the time between two ticks."""
        return self.every or self.config.now.daemon.every

    def tick(self) -> bool:
        """Look the fleet over once; return whether some of it still waits, so that the next tick is wanted at once.

        What goes wrong out there is told; the next tick tries again, at its time.
        """
        self.pulse.beat()
        self._refresh()
        config, problem = self.config.now, ""
        self._specs = {spec.name: spec for spec in config.secrets}
        try:
            self._probe(config)
            self._recall(config)
            with self.outside.connect(config) as both:
                self._managing_expires_at = both.managing_expires_at
                self._look_over(config, both)
        except RotatorError as error:
            problem = error.message
            if not self.stop.is_asked():  # then calls are cut short, and that is no fault
                structlog.get_logger().error("tick failed", error=problem, next_step=error.next_step)
        self._tick_error = problem
        self.ticked_at = self.outside.now()
        self._publish()
        self.pulse.beat()
        self._ping(config)
        return bool(self._waiting) and not problem

    def close(self) -> None:
        """Close the audit trail."""
        if self._trail is not None:
            self._trail[1].close()
            self._trail = None

    def live(self, limit_s: float) -> str:
        """Say why this process must be started anew; empty if it is well."""
        age_s = self.pulse.age_s()
        return f"the loop has not moved for {age_s:.0f} s" if age_s > limit_s else ""

    def ready(self) -> str:
        """Say what keeps the fleet from being looked after; empty if nothing does."""
        status = self.status
        problems = (("configuration", status.config_error), ("audit", status.audit_error), ("tick", status.tick_error))
        return "; ".join(f"{what}: {why}" for what, why in problems if why)

    # What a tick does, in order

    def _refresh(self) -> None:
        asked, self.reload_asked = self.reload_asked, False
        if not self.config.refresh(asked=asked):
            return
        log = structlog.get_logger()
        if self.config.error:
            log.error("configuration not taken", error=self.config.error, in_force="the one before")
            return
        log.info("configuration taken", secrets=len(self.config.now.secrets))
        self._warn()
        names = {spec.name for spec in self.config.now.secrets}
        # Whoever changed something wants to see what comes of it: nothing is backed off any more.
        self._looks = {n: look for n, look in self._looks.items() if n in names and not look.failures}
        self._descriptions = {n: known for n, known in self._descriptions.items() if n in names}

    def _warn(self) -> None:
        for line in unmet_policies(self.config.now.secrets, self.outside.now()):
            structlog.get_logger().warning("policy cannot be met", detail=line)

    def _probe(self, config: Config) -> None:
        try:
            self.outside.probe_audit(config)
        except AuditUnavailableError as error:
            self._audit_error = error.message
            raise
        self._audit_error = ""

    def _recall(self, config: Config) -> None:
        """Remember, once, what earlier processes did lately."""
        if self._recalled:
            return
        back = max([RECALLED, *(spec.check_every * 2 for spec in config.secrets)])
        for record in self.outside.endings(config, self.outside.now() - back):
            if spec := self._specs.get(record.secret):
                before = self._looks.get(spec.name, NEVER)
                self._looks[spec.name] = recalled(before, spec, record.end())
        self._recalled = True

    def _look_over(self, config: Config, both: Systems) -> None:
        now = self.outside.now()
        found = resolve(config.secrets, both.store, self.outside.deadline())
        self.pulse.beat()
        self._descriptions = {target.spec.name: target.description for target in found.targets}
        self._note_lost(found, now)
        awake = self._awake(found.targets, now)
        self._surveyed_at = now
        self._waiting = frozenset(target.spec.name for target in awake)
        self._publish()
        if not awake:
            return
        world = both.world(self._audit(config, both))
        for outcome in run_all(awake[:LOOKS_MAX], world, self._run_of):
            self.pulse.beat()
            self._note(outcome, now)
            if self.pulse.at_s - self._published_at_s > _PUBLISH_EVERY_S:
                self._publish()

    def _awake(self, targets: Sequence[Target], now: datetime) -> list[Target]:
        """Choose whom to look at closely: what is due first, then who has waited longest since the last look."""
        every = self.period()
        known = {name for name, look in self._looks.items() if look.looked_at}
        unknown = sum(target.spec.name not in known for target in targets)
        since = min(self._surveyed_at or now, now - every)
        awake = []
        for target in targets:
            look = self._looks.get(target.spec.name, NEVER)
            is_stranger = unknown > FIRST_LOOKS_MAX and target.spec.name not in known
            look = replace(look, looked_at=_last_heard(target, look, since)) if is_stranger else look
            # While others still wait, nobody has a second turn within one period.
            rested = not self._waiting or look.looked_at is None or not now - every < look.looked_at <= now
            if target.spec.name in self._waiting or (rested and is_awake(target, look, now=now, every=every)):
                awake.append(target)

        def turn(target: Target) -> tuple[bool, datetime]:
            is_due = wake(target, now=now, since=now) is Wake.DUE
            return not is_due, self._looks.get(target.spec.name, NEVER).looked_at or _NEVER_LOOKED

        return sorted(awake, key=turn)

    def _run_of(self, spec: SecretSpec) -> Run:
        self.stop.expect_not_asked()
        if self._audit_error:
            raise StoppedError("the audit trail broke before this secret's turn")
        return self.outside.new_run(spec)

    def _note(self, outcome: Outcome, began_at: datetime) -> None:
        if isinstance(outcome.error, AuditUnavailableError):
            self._audit_error = outcome.error.message
        spec = self._specs[outcome.secret]
        before = self._looks.get(outcome.secret, NEVER)
        self._looks[outcome.secret] = after_run(before, spec, outcome, began_at)
        if not isinstance(outcome.error, StoppedError):
            self._waiting -= {outcome.secret}
        self.tell(outcome)

    def _note_lost(self, found: Resolved, now: datetime) -> None:
        for spec, error in found.lost:
            self._looks[spec.name] = after_failure(self._looks.get(spec.name, NEVER), error, now)
            self.tell(Outcome.failed(spec.name, error))

    def _audit(self, config: Config, both: Systems) -> Trail:
        """Return the trail of this process: one file for many ticks, another if the place or we ourselves change."""
        written_as = (config.audit, both.identity)
        if self._trail is not None and self._trail[0] != written_as:
            self.close()
        if self._trail is None:
            self._trail = written_as, both.audit_trail("daemon", self.listener)
        return self._trail[1]

    def _publish(self) -> None:
        now = self.outside.now()
        rows = (
            status_of(spec, self._descriptions.get(spec.name), self._looks.get(spec.name, NEVER), now)
            for spec in self.config.now.secrets
        )
        self.status = FleetStatus(
            taken_at=now,
            secrets=tuple(sorted(rows, key=urgency)),
            audit_error=self._audit_error,
            config_error=self.config.error,
            version=__version__,
            tick_error=self._tick_error,
            managing_expires_at=self._managing_expires_at,
        )
        self._published_at_s = self.pulse.monotonic()

    def _ping(self, config: Config) -> None:
        """Tell the dead-man's switch, if all went well: silence is what it listens for."""
        failing = any(row.failures for row in self.status.secrets)
        url = config.daemon.ping_url
        if url is None or failing or self.status.audit_error or self._tick_error:
            return
        if problem := self.outside.ping(url):
            structlog.get_logger().warning("ping failed", problem=problem)


def _last_heard(target: Target, look: LastLook, since: datetime) -> datetime:
    """Return from when on a secret is taken up that nobody remembers: a grace may have ended while no process lived."""
    grace_ends = target.description.promoted_at() + target.spec.grace
    return look.success_at if look.success_at and look.success_at < grace_ends <= since else since
