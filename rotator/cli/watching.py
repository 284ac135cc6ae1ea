"""`status --watch`: the board a daemon would show, drawn from the two systems every few seconds, until Ctrl-C.

Labels are read at each refresh. A secret is looked at closely when it is new or has changed, so many at one refresh at
most; of the others, one at each refresh, so that watching leaves the provider's budget to those who rotate.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from rotator import __version__, wiring
from rotator.audit import last_outcomes_of
from rotator.cli.context import print_json
from rotator.cli.wording import duration_text, time_text
from rotator.errors import AuditUnavailableError, RotatorError
from rotator.fleet import Resolved, Target, resolve
from rotator.reconcile import World, preview
from rotator.seen import (
    FIRST_LOOKS_MAX,
    NEVER,
    Seen,
    after_failure,
    after_preview,
    recalled,
    standing,
    urgency,
)
from rotator.spec import Demand, SecretSpec
from rotator.standing import Board, Standing

if TYPE_CHECKING:
    from rich.table import Table

    from rotator.wiring import Connected

_HEADINGS = (
    "SECRET",
    "GEN",
    "AGE",
    "DUE IN",
    "OLD KEYS",
    "ORPHANS",
    "LAST RESULT",
    "REASON",
    "NEEDS A PERSON",
)


@dataclass(slots=True)
class Onlooker:
    """What one who watches remembers between two refreshes."""

    specs: Sequence[SecretSpec]
    both: "Connected"
    world: World
    _seen: dict[str, Seen] = field(default_factory=dict)
    _turns: dict[str, int] = field(default_factory=dict)
    """When each secret was last looked at closely, in refreshes."""
    _refreshes: int = 0

    def look(self) -> Board:
        """Read labels, look closer where needed, and return the board."""
        self._refreshes += 1
        now, problem, audit_error = datetime.now(UTC), "", ""
        found = Resolved((), ())
        try:
            self._recall()
        except AuditUnavailableError as error:
            audit_error = error.message
        try:
            found = resolve(self.specs, self.both.store, wiring.startup_deadline())
        except RotatorError as error:
            problem = error.message
        for spec, why in found.lost:
            self._seen[spec.name] = after_failure(NEVER, why, now)
        for target in self._chosen(found.targets):
            self._look_at(target, now)
        labels = {target.spec.name: target.labels for target in found.targets}
        rows = (
            standing(spec, labels.get(spec.name), self._seen.get(spec.name, NEVER), now)
            for spec in self.specs
        )
        rows_in_order = tuple(sorted(rows, key=urgency))
        return Board(now, rows_in_order, audit_error, "", __version__, problem)

    def _chosen(self, targets: Sequence[Target]) -> list[Target]:
        changed: list[Target] = []
        others: list[Target] = []
        for target in sorted(targets, key=lambda t: self._turns.get(t.spec.name, 0)):
            (changed if self._has_changed(target) else others).append(target)
        return changed[:FIRST_LOOKS_MAX] + others[:1]

    def _has_changed(self, target: Target) -> bool:
        facts = self._seen.get(target.spec.name, NEVER).facts
        return facts is None or facts.changed_at != target.labels.changed_at

    def _look_at(self, target: Target, now: datetime) -> None:
        spec = target.spec
        before = self._seen.get(spec.name, NEVER)
        self._turns[spec.name] = self._refreshes
        try:
            run = wiring.new_run(spec, Demand.DUE)
            planned, observed = preview(spec, target.labels, self.world, run)
        except RotatorError as error:
            self._seen[spec.name] = after_failure(before, error, now)
        else:
            self._seen[spec.name] = after_preview(before, spec, planned, observed)

    def _recall(self) -> None:
        """Read how the last runs ended, whoever made them."""
        specs = {spec.name: spec for spec in self.specs}
        sources = self.both.audit_places.sources()
        for name, record in last_outcomes_of(sources, list(specs)).items():
            told = recalled(NEVER, specs[name], record.time, record.result, record.detail)
            before = self._seen.get(name, NEVER)
            if told.looked_at != before.looked_at:
                self._seen[name] = Seen(
                    told.looked_at,
                    told.success_at,
                    told.outcome,
                    before.reason,
                    told.failures,
                    told.error,
                    told.needs_person,
                    before.facts,
                )


def watch(onlooker: Onlooker, every: timedelta, *, as_json: bool) -> None:
    """Show the board every few seconds until Ctrl-C: a table on a terminal, plain lines elsewhere."""
    from rich.console import Console
    from rich.live import Live

    console = Console(highlight=False)
    try:
        if as_json or not console.is_terminal:
            _repeat(onlooker, every, lambda board: _print_lines(board, as_json=as_json))
        else:
            with Live(console=console, screen=False, auto_refresh=False) as live:
                _repeat(
                    onlooker, every, lambda board: live.update(_table(board, every), refresh=True)
                )
    except KeyboardInterrupt:
        return


def _repeat(onlooker: Onlooker, every: timedelta, show: Callable[[Board], None]) -> None:
    while True:
        show(onlooker.look())
        time.sleep(every.total_seconds())


def _print_lines(board: Board, *, as_json: bool) -> None:
    for row in board.standings:
        if as_json:
            print_json(_json(row, board))
        else:
            click.echo(
                "  ".join((time_text(board.taken_at), *_cells(row, board.taken_at))).rstrip()
            )
    for problem in _problems(board):
        click.echo(f"warning: {problem}", err=True)


def _json(row: Standing, board: Board) -> dict[str, object]:
    now = board.taken_at
    return {
        "taken_at": time_text(now),
        "secret": row.name,
        "generation": row.generation,
        "age_seconds": int((now - row.born_at).total_seconds()) if row.born_at else None,
        "due_at": time_text(row.due_at) if row.due_at else None,
        "old_keys": [{"key_id": k.key_id, "dies_at": time_text(k.dies_at)} for k in row.old_keys],
        "orphans": row.orphans,
        "last_outcome": row.last_outcome,
        "reason": row.last_reason,
        "failures": row.failures,
        "error": row.error or None,
        "needs_person": bool(row.needs_person),
    }


def _table(board: Board, every: timedelta) -> "Table":
    from rich.markup import escape
    from rich.table import Table

    caption = f"{time_text(board.taken_at)}, every {duration_text(every)}; Ctrl-C ends"
    problems = "".join(f"\n[red]{escape(problem)}[/]" for problem in _problems(board))
    table = Table(box=None, pad_edge=False, header_style="bold", caption=caption + problems)
    table.caption_justify = "left"
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading not in _HEADINGS[-1:])
    for row in board.standings:
        *cells, person = map(escape, _cells(row, board.taken_at))
        table.add_row(*cells, f"[red]{person}[/]" if row.needs_person else person)
    return table


def _cells(row: Standing, now: datetime) -> tuple[str, ...]:
    overdue = sum(key.dies_at <= now for key in row.old_keys)
    return (
        row.name,
        str(row.generation or "-"),
        duration_text(now - row.born_at) if row.born_at else "-",
        _due_text(row, now),
        f"{len(row.old_keys)}" + (f" ({overdue} overdue)" if overdue else ""),
        str(row.orphans),
        (row.last_outcome or "never run") + (f" x{row.failures}" if row.failures > 1 else ""),
        row.error or row.last_reason or "-",
        row.needs_person,
    )


def _due_text(row: Standing, now: datetime) -> str:
    if row.due_at is None:
        return "-"
    return "now" if row.due_at <= now else duration_text(row.due_at - now)


def _problems(board: Board) -> list[str]:
    return [problem for problem in (board.tick_error, board.audit_error) if problem]
