"""What one who watches a fleet sees: labels at each refresh, and a closer look where it is worth one.

A secret is looked at closely when it is new or has changed, so many at one refresh at most; of the others, one at each
refresh, so that watching leaves the provider's budget to those who rotate. It changes nothing.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from rotator import __version__
from rotator.audit.sources import endings_of, last_outcomes_of
from rotator.audit.trail import NOTED_EVERY
from rotator.engine.reconcile import preview
from rotator.engine.run import World
from rotator.fleet.lookup import Target, resolve
from rotator.fleet.memory import (
    BACK_OFF_MAX,
    FIRST_LOOKS_MAX,
    NEVER,
    LastLook,
    after_failed_preview,
    after_preview,
    recalled,
    status_of,
)
from rotator.fleet.run import WORKERS_MAX
from rotator.fleet.strays import FEW
from rotator.fleet.wake import Wake, wake
from rotator.model.errors import AuditUnavailableError, ProviderUnavailableError, RotatorError
from rotator.model.events import Failure
from rotator.model.observed import SecretDescription
from rotator.model.plan import OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.model.status import FleetStatus, SecretStatus, urgency
from rotator.model.times import span_text
from rotator.wiring.runs import new_run, startup_deadline

if TYPE_CHECKING:
    from rotator.wiring.connect import Connected

_FAILURES_BACK = timedelta(days=1)
"""How far back runs that failed one after the other are counted, in a fleet that is small."""


@dataclass(slots=True)
class Watcher:
    """What is remembered between two refreshes."""

    specs: Sequence[SecretSpec]
    both: "Connected"
    world: World
    every: timedelta = timedelta(minutes=5)
    """`[daemon] every`: the least time after which a trail that hears nothing is worth a word."""
    _looks: dict[str, LastLook] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    """When each secret was last looked at closely, in refreshes."""
    _found: dict[str, SecretDescription] = field(default_factory=dict)
    _audit_error: str = ""
    _refreshes: int = 0
    _last: FleetStatus | None = None

    def survey(self) -> tuple[Target, ...]:
        """Read labels and the trail; return the secrets that were found.

        Raises RotatorError if the labels could not be read.
        """
        self._refreshes += 1
        try:
            self._recall()
            self._audit_error = ""
        except AuditUnavailableError as error:
            self._audit_error = error.message
        found = resolve(self.specs, self.both.store, startup_deadline())
        for spec, why in found.lost:
            self._looks[spec.name] = after_failed_preview(NEVER, why)
        self._found = {target.spec.name: target.description for target in found.targets}
        return found.targets

    def restless(self, targets: Sequence[Target]) -> tuple[Target, ...]:
        """Return those of which labels and trail do not tell that all is well."""
        now, unsettled = datetime.now(UTC), {OutcomeKind.FAILED, OutcomeKind.HELD}
        return tuple(
            target
            for target in targets
            if wake(target, now=now, since=now) is not Wake.ASLEEP
            or self._looks.get(target.spec.name, NEVER).outcome in unsettled
        )

    def look_closer(self, targets: Sequence[Target]) -> Iterator[SecretStatus]:
        """Ask both systems about some secrets, several at a time, and yield how each one stands."""
        with ThreadPoolExecutor(WORKERS_MAX, "look") as pool:
            for asked in as_completed([pool.submit(self._look_at, target) for target in targets]):
                yield self._status_of(asked.result(), datetime.now(UTC))

    def look_failure(self, name: str) -> Failure | None:
        """Return why the last look at a secret saw nothing; None if it did see, or nobody looked."""
        return self._looks.get(name, NEVER).look_failure

    def provider_silence(self) -> str:
        """Return why Pinata gave a look no answer, so that it is not waited for once more; empty if it answered."""
        failures = (look.look_failure for look in self._looks.values() if look.look_failure)
        return next((f.message for f in failures if f.error == ProviderUnavailableError.__name__), "")

    def fleet(self) -> FleetStatus:
        """Return where the fleet stands, as far as is known."""
        now = datetime.now(UTC)
        in_order = sorted((self._status_of(spec, now) for spec in self.specs), key=urgency)
        silence = self._silence(now)
        self._last = FleetStatus(now, tuple(in_order), self._audit_error, "", __version__, silence=silence)
        return self._last

    def _silence(self, now: datetime) -> str:
        """Say that no run has left its line of the day; what Secrets Manager schedules is left out."""
        native = {name for name, description in self._found.items() if description.rotation_enabled}
        ours = [spec for spec in self.specs if spec.name not in native]
        looks = [look for spec in ours if (look := self._looks.get(spec.name, NEVER)).run_at]
        if not looks:
            return ""
        period = max([self.every, *(spec.check_every for spec in ours)])
        # What fails over and over is tried again within the longest back-off.
        patience = NOTED_EVERY + max(2 * period, 2 * BACK_OFF_MAX if any(look.failures for look in looks) else period)
        quiet = now - max(look.run_at for look in looks if look.run_at)
        if quiet <= patience:
            return ""
        return (
            f"the audit trail has heard nothing for {span_text(quiet)}, and runs that find nothing to do say so once a "
            "day: see whether the cron job, the timer or the daemon still runs"
        )

    def look(self) -> FleetStatus:
        """Read labels, look closer where needed, and return where the fleet stands.

        Raises RotatorError if the labels could not be read.
        """
        for _ in self.look_closer(self._chosen(self.survey())):
            pass
        return self.fleet()

    def look_again(self) -> FleetStatus:
        """Return what `look` does; if the labels cannot be read, what the last one saw, and why."""
        try:
            return self.look()
        except RotatorError as error:
            seen = self._last or FleetStatus(datetime.now(UTC), (), "", "", __version__)
            return replace(seen, tick_error=error.message)

    def _chosen(self, targets: Sequence[Target]) -> list[Target]:
        changed: list[Target] = []
        others: list[Target] = []
        for target in sorted(targets, key=lambda t: self._turns.get(t.spec.name, 0)):
            (changed if self._has_changed(target) else others).append(target)
        return changed[:FIRST_LOOKS_MAX] + others[:1]

    def _has_changed(self, target: Target) -> bool:
        findings = self._looks.get(target.spec.name, NEVER).findings
        return findings is None or findings.changed_at != target.description.changed_at

    def _status_of(self, spec: SecretSpec, now: datetime) -> SecretStatus:
        return status_of(spec, self._found.get(spec.name), self._looks.get(spec.name, NEVER), now)

    def _look_at(self, target: Target) -> SecretSpec:
        spec, now = target.spec, datetime.now(UTC)
        before = self._looks.get(spec.name, NEVER)
        self._turns[spec.name] = self._refreshes
        try:
            run = new_run(spec, Demand.DUE)
            planned, observed = preview(spec, target.description, self.world, run)
        except RotatorError as error:
            self._looks[spec.name] = after_failed_preview(before, error)
        else:
            self._looks[spec.name] = after_preview(before, spec, planned, observed, now)
        return spec

    def _recall(self) -> None:
        """Read how the last runs ended, whoever made them."""
        specs = {spec.name: spec for spec in self.specs}
        sources = self.both.trail_locations.sources()
        last = last_outcomes_of(sources, list(specs))
        news = {name: record for name, record in last.items() if self._looks.get(name, NEVER).run_at != record.time}
        failed = {name for name, record in news.items() if record.end().outcome is OutcomeKind.FAILED}
        lately = endings_of(sources, datetime.now(UTC) - _FAILURES_BACK) if failed and len(specs) <= FEW else []
        for name, record in news.items():
            before, told = self._looks.get(name, NEVER), NEVER
            earlier = [end for end in lately if end.secret == name and end.time < record.time] if name in failed else []
            for end in (*earlier, record):
                told = recalled(told, specs[name], end.end())
            self._looks[name] = replace(
                before,
                run_at=told.run_at,
                success_at=told.success_at or before.success_at,
                outcome=told.outcome,
                failures=told.failures,
                failure=told.failure,
                trouble=told.trouble,
            )
