"""`plan`: what `run` would do, why, and which keys die later because of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rotator.audit.locations import TrailLocations
from rotator.cli.context import chosen, connected, load_config, print_json
from rotator.cli.exits import Exit, exit_code_of, gravest
from rotator.cli.screen import counted, show
from rotator.cli.wording import action_text, back_off_text, holders_text, notes
from rotator.engine.forecast import LaterRevocation, later_revocations, moves_on
from rotator.engine.reconcile import preview
from rotator.engine.run import World
from rotator.fleet.lookup import Target, resolve
from rotator.model.errors import AuditUnavailableError, RotatorError
from rotator.model.plan import Plan, Promote, Revoke
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, SecretSpec
from rotator.model.times import relative_text, span_text, time_text
from rotator.wiring.runs import new_run, startup_deadline

IDLE_SHOWN_MAX = 20
"""Of more secrets than this, those in which nothing happens are only counted."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan of one secret."""

    secret: str
    plan: Plan
    later: tuple[LaterRevocation, ...]
    warning: str = ""
    """Who else loses a key; empty if nobody does, as far as is known."""
    notes: tuple[str, ...] = ()
    """What else stands in the way, a line each."""

    @property
    def is_idle(self) -> bool:
        """Whether nothing happens, now or later, that anybody has to know."""
        return not self.plan.actions and not self.later and not self.plan.reason.needs_person


@dataclass(frozen=True, slots=True)
class Unplanned:
    """A secret that has no plan, and why."""

    secret: str
    error: RotatorError


def show_plan(config_option: str | None, names: Sequence[str], *, as_json: bool) -> int:
    """Print the plan of each secret and a summary; change nothing."""
    config = load_config(config_option)
    specs = chosen(config, names)
    entries: list[Planned | Unplanned] = []
    with connected(config) as both, both.audit_trail("cli") as audit:
        trail_error = _trail_error(both.trail_locations)
        world = both.world(audit)  # planning records nothing, so the trail is never opened
        found = resolve(specs, both.store, startup_deadline())
        for entry in _planned(found.targets, found.lost, world):
            entries.append(entry)
            if as_json:
                print_json(_row(entry))
            else:
                show(entry_lines(entry, datetime.now(UTC), shows_idle=len(specs) <= IDLE_SHOWN_MAX))
    now = datetime.now(UTC)
    if as_json:
        print_json({"summary": summary(entries, now) | {"audit_error": trail_error and trail_error.message}})
    else:
        show([summary_text(summary(entries, now))])
        if trail_error:
            show([f"`run` would do nothing: {trail_error.told}", f"  {trail_error.next_step}"])
    return gravest([*map(_exit_code, entries), Exit.AUDIT if trail_error else Exit.OK])


def entry_lines(entry: Planned | Unplanned, now: datetime, *, shows_idle: bool) -> list[str]:
    """Return what a person reads about one secret: this run's actions by number, then what dies later."""
    if isinstance(entry, Unplanned):
        return [f"{entry.secret}: {entry.error.told}", f"  {entry.error.next_step}"]
    planned, reason = entry.plan, entry.plan.reason
    if entry.is_idle and not shows_idle:
        return []
    due = ""
    # What is due at once, whatever its age, has no time to come.
    if planned.due_at and (planned.due_at <= now or not (reason.is_urgent or reason is Reason.WAITING_GRACE)):
        due = f" (due {relative_text(planned.due_at, now)})"
    lines = [f"{entry.secret}: {reason}, {reason.clause}{back_off_text(planned.back_off, now)}{due}"]
    lines += [f"  {number}. {action_text(action)}" for number, action in enumerate(planned.actions, 1)]
    if moves_on(planned) and not any(isinstance(action, Promote) for action in planned.actions):
        lines.append("  then, in the same run: make a key, verify it, and promote it")
    lines += [f"  {_later_text(later, now)}" for later in entry.later]
    lines += [f"  {note}" for note in entry.notes]
    return [*lines, f"  {entry.warning}"] if entry.warning else lines


def _later_text(later: LaterRevocation, now: datetime) -> str:
    if later.at is None:
        once = "once every replica and consumer has the new value, and the current key verifies"
        return f"later: Revoke key {later.key_id} {once}"
    if later.at <= now:
        return f"then, in the same run: Revoke key {later.key_id}, and prove it dead"
    return f"later: Revoke key {later.key_id} after its grace, in about {span_text(later.at - now)}, and prove it dead"


def summary(entries: Sequence[Planned | Unplanned], now: datetime) -> dict[str, int]:
    """Count what would happen over all secrets."""
    plans = [entry for entry in entries if isinstance(entry, Planned)]
    later = [key for entry in plans for key in entry.later]
    soon = sum(key.at is not None and key.at <= now for key in later)
    now_dead = sum(isinstance(action, Revoke) for entry in plans for action in entry.plan.actions)
    return {
        "secrets": len(entries),
        "to_rotate": sum(moves_on(entry.plan) for entry in plans),
        "to_revoke_now": now_dead + soon,
        "to_revoke_later": len(later) - soon,
        "need_person": sum(_exit_code(entry) not in {Exit.OK, Exit.FAILED} for entry in entries),
        "failed": sum(_exit_code(entry) is Exit.FAILED for entry in entries),
    }


def summary_text(counts: dict[str, int]) -> str:
    """Write the summary as one line."""
    needy = counts["need_person"]
    parts = [
        f"{counts['to_rotate']:,} to rotate" if counts["to_rotate"] else "",
        f"{counted(counts['to_revoke_now'], 'key')} to revoke now" if counts["to_revoke_now"] else "",
        f"{counts['to_revoke_later']:,} later" if counts["to_revoke_later"] else "",
        f"{counts['failed']:,} could not be planned" if counts["failed"] else "",
        f"{needy:,} {'needs' if needy == 1 else 'need'} you" if needy else "",
    ]
    return f"{counted(counts['secrets'], 'secret')}: {', '.join(filter(None, parts)) or 'nothing to do'}"


def _trail_error(locations: TrailLocations) -> AuditUnavailableError | None:
    try:
        locations.probe()
    except AuditUnavailableError as error:
        return error
    return None


def _planned(
    targets: Sequence[Target], lost: Sequence[tuple[SecretSpec, RotatorError]], world: World
) -> Iterator[Planned | Unplanned]:
    for spec, error in lost:
        yield Unplanned(spec.name, error)
    for target in targets:
        spec, run = target.spec, new_run(target.spec, Demand.DUE)
        try:
            planned, observed = preview(spec, target.description, world, run)
        except RotatorError as error:
            yield Unplanned(spec.name, error)
        else:
            later = later_revocations(spec, observed, planned, run.now)
            told = tuple(notes(observed, spec.name, run.now))
            yield Planned(spec.name, planned, later, holders_text(planned, observed), told)


def _row(entry: Planned | Unplanned) -> dict[str, object]:
    if isinstance(entry, Unplanned):
        nothing: dict[str, object] = {"reason": None, "actions": [], "due_at": None, "later": []}
        return {"secret": entry.secret, **nothing, "code": type(entry.error).__name__, "error": entry.error.message}
    planned = entry.plan
    return {
        "secret": entry.secret,
        "reason": planned.reason,
        "actions": [action.name for action in planned.actions],
        "due_at": time_text(planned.due_at) if planned.due_at else None,
        "later": [
            {"action": "Revoke", "key_id": key.key_id, "at": time_text(key.at) if key.at else None}
            for key in entry.later
        ],
    }


def _exit_code(entry: Planned | Unplanned) -> Exit:
    if isinstance(entry, Unplanned):
        return exit_code_of(entry.error)
    return Exit.PERSON if entry.plan.reason.needs_person else Exit.OK
