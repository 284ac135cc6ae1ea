"""Rotations of the real engine, over simulated systems, that are recorded in a real trail."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

from rotator.audit.record import PROOFS, EventKind
from rotator.audit.sources import Criteria, Source
from rotator.audit.trail import AuditTrail
from rotator.audit.verify import Verdict
from rotator.engine.reconcile import reconcile
from rotator.engine.run import Run
from rotator.model.errors import AuditUnavailableError, RotatorError
from rotator.model.events import Done, Ended, Event, Intent
from rotator.model.plan import Outcome
from rotator.model.ports import AuditRun
from rotator.model.secret import Demand
from tests.builders import a_spec
from tests.simulated.invariants import EFFECTS
from tests.simulated.scene import AT_ONCE, Scene, effects_without_intent
from tests.simulated.world import Operation, Process

RUNS_MAX, HOUR = 6, timedelta(hours=1)
"""So often the work is taken up again: a key that was made in vain is revoked when nobody can be at it any more."""
Told = tuple[str, EventKind, str]
"""A run, and an intent or an outcome with its operation."""


@dataclass
class Acknowledged:
    """An audit log that keeps what another one has made durable, for the process that relies on it."""

    trail: AuditTrail
    process: Process
    durable: list[Told] = field(default_factory=list)
    trouble: RotatorError | None = None
    _run: AuditRun = field(init=False)
    _told: list[tuple[EventKind, str]] = field(default_factory=list)

    def begin(self, secret: str, arn: str, audit_head: str | None = None) -> "Acknowledged":
        """Start the trail of one run."""
        self._run = self.trail.begin(secret, arn, audit_head)
        return self

    @property
    def run_id(self) -> str:
        """The id of this run."""
        return self._run.run_id

    def record(self, event: Event) -> None:
        """Record an event, and keep it if that went well; with one that must be durable, those before are, too."""
        self._run.record(event)
        self.process.trail.append(event)
        match event:
            case Intent(operation):
                self._told.append((EventKind.INTENT, operation))
            case Done(operation):
                self._told.append((EventKind.DONE, operation))
            case _:
                pass
        if isinstance(event, Ended) or (isinstance(event, Intent) and event.operation not in PROOFS):
            self.durable += [(self.run_id, *told) for told in self._told]
            self._told.clear()


@dataclass
class Rotation:
    """Processes that rotate a secret whose key is due, and what they were told was recorded."""

    scene: Scene
    heard: list[Told] = field(default_factory=list)
    """What is durable, as far as it was told."""

    def run(self, trail: AuditTrail, before_effect: Callable[[], object] = lambda: None) -> Outcome:
        """Run once; demand that no effect came before its intent."""
        scene = self.scene

        def boundary(operation: Operation) -> None:
            if operation in EFFECTS:
                before_effect()

        process = scene.last = Process(scene.systems, boundary)
        scene.runs += 1
        log = Acknowledged(trail, process)
        world = replace(scene._world(process), audit=log)
        labels = world.store.describe(scene.spec.secret_id, process)
        run = Run(scene.systems.now(), f"{scene.runs:010}", Demand.DUE, process, process.now)
        try:
            outcome = reconcile(scene.spec, labels, world, run)
        finally:
            self.heard += log.durable
            assert effects_without_intent(process) == []
        if outcome.error is not None:
            assert isinstance(outcome.error, AuditUnavailableError)
            assert outcome.error.message.startswith("the audit trail cannot be ")
            assert outcome.error.next_step
        return outcome


def a_rotation() -> Rotation:
    """Return a rotation that is due, and revokes the old key at once."""
    return Rotation(Scene.own(a_spec(grace=AT_ONCE)))


def require_made_good(rotation: Rotation, trail: AuditTrail, source: Source) -> None:
    """Let the next process finish the work; nothing that was durable is lost, and the trail is intact."""
    with trail:
        for _ in range(RUNS_MAX):
            assert rotation.run(trail).error is None
            if rotation.scene.is_settled():
                break
            rotation.scene.passes(HOUR)
    assert rotation.scene.is_settled()
    there = {(record.run_id, record.kind, record.operation) for record in source.records(Criteria())}
    assert {*rotation.heard} <= there
    report = source.verify()
    assert (report.findings, report.verdict) == ([], Verdict.INTACT)
