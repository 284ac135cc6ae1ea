"""What one who watches a fleet sees: labels at each refresh, and a closer look where it is worth one.

A secret is looked at closely when it is new or has changed, so many at one refresh at most; of the others, one at each
refresh, so that watching leaves the provider's budget to those who rotate. It changes nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rotator import __version__
from rotator.audit.sources import last_outcomes_of
from rotator.engine.reconcile import preview
from rotator.engine.run import World
from rotator.fleet.lookup import Target, resolve
from rotator.fleet.memory import (
    FIRST_LOOKS_MAX,
    NEVER,
    LastLook,
    after_failed_preview,
    after_preview,
    recalled,
    status_of,
)
from rotator.model.errors import AuditUnavailableError, RotatorError
from rotator.model.secret import Demand, SecretSpec
from rotator.model.status import FleetStatus, urgency
from rotator.wiring.runs import new_run, startup_deadline

if TYPE_CHECKING:
    from rotator.wiring.connect import Connected


@dataclass(slots=True)
class Watcher:
    """What is remembered between two refreshes."""

    specs: Sequence[SecretSpec]
    both: "Connected"
    world: World
    first_looks_max: int = FIRST_LOOKS_MAX
    """The most new or changed secrets that one refresh looks at closely."""
    _looks: dict[str, LastLook] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    """When each secret was last looked at closely, in refreshes."""
    _refreshes: int = 0
    _last: FleetStatus | None = None

    def look(self) -> FleetStatus:
        """Read labels, look closer where needed, and return where the fleet stands.

        Raises RotatorError if the labels could not be read.
        """
        self._refreshes += 1
        now, audit_error = datetime.now(UTC), ""
        try:
            self._recall()
        except AuditUnavailableError as error:
            audit_error = error.message
        found = resolve(self.specs, self.both.store, startup_deadline())
        for spec, why in found.lost:
            self._looks[spec.name] = after_failed_preview(NEVER, why)
        for target in self._chosen(found.targets):
            self._look_at(target, now)
        seen = {target.spec.name: target.description for target in found.targets}
        statuses = (status_of(spec, seen.get(spec.name), self._looks.get(spec.name, NEVER), now) for spec in self.specs)
        in_order = tuple(sorted(statuses, key=urgency))
        self._last = FleetStatus(now, in_order, audit_error, "", __version__)
        return self._last

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
        return changed[: self.first_looks_max] + others[:1]

    def _has_changed(self, target: Target) -> bool:
        findings = self._looks.get(target.spec.name, NEVER).findings
        return findings is None or findings.changed_at != target.description.changed_at

    def _look_at(self, target: Target, now: datetime) -> None:
        spec = target.spec
        before = self._looks.get(spec.name, NEVER)
        self._turns[spec.name] = self._refreshes
        try:
            run = new_run(spec, Demand.DUE)
            planned, observed = preview(spec, target.description, self.world, run)
        except RotatorError as error:
            self._looks[spec.name] = after_failed_preview(before, error)
        else:
            self._looks[spec.name] = after_preview(before, spec, planned, observed, now)

    def _recall(self) -> None:
        """Read how the last runs ended, whoever made them."""
        specs = {spec.name: spec for spec in self.specs}
        sources = self.both.trail_locations.sources()
        for name, record in last_outcomes_of(sources, list(specs)).items():
            before = self._looks.get(name, NEVER)
            told = recalled(NEVER, specs[name], record.end())
            self._looks[name] = replace(
                before,
                run_at=told.run_at,
                success_at=told.success_at or before.success_at,
                outcome=told.outcome,
                failures=told.failures,
                failure=told.failure,
            )
