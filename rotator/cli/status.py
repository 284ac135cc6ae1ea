"""`status`: every secret at a glance, what needs a person first."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import click

from rotator.cli.context import (
    chosen,
    connected,
    json_option,
    load_config,
    names_argument,
    period_of,
    print_json,
)
from rotator.cli.exits import Exit, exit_code_of, gravest

if TYPE_CHECKING:
    from rotator.audit import Record
    from rotator.errors import RotatorError
    from rotator.model import Observed, Plan
    from rotator.spec import SecretSpec


@dataclass(frozen=True, slots=True)
class Row:
    """What the table and the JSON object say of one secret; times are aware, and None where there is none."""

    secret: str
    generation: int | None
    born_at: datetime | None
    due_at: datetime | None
    old_key_until: datetime | None
    """Until when the key before is kept for consumers; None if no superseded key is alive."""
    last_result: str
    reason: str
    next_actions: tuple[str, ...]
    needs_person: str
    """What a person has to do; empty if nothing."""
    code: Exit


@click.command()
@names_argument
@json_option
@click.option("--watch", is_flag=True, help="Go on showing it, until Ctrl-C.")
@click.option(
    "--every", metavar="DURATION", default="5s", show_default=True, help="With --watch: how often."
)
def status(names: tuple[str, ...], *, as_json: bool, watch: bool, every: str) -> int:
    """Show every secret: age, next rotation, old keys, last result, and what needs a person."""
    if watch:
        return _watch(names, every, as_json=as_json)
    from rotator import wiring
    from rotator.audit import last_outcomes_of
    from rotator.errors import AuditUnavailableError, RotatorError
    from rotator.fleet import resolve
    from rotator.reconcile import preview
    from rotator.spec import Demand

    config = load_config()
    now = datetime.now(UTC)
    rows = []
    with connected(config) as both, both.audit_trail("cli") as audit:
        specs = chosen(config, names)
        try:
            last = last_outcomes_of(both.audit_places.sources(), [spec.name for spec in specs])
        except AuditUnavailableError as error:
            click.echo(f"warning: {error.message}", err=True)
            last = {}
        world = both.world(audit)
        found = resolve(specs, both.store, wiring.startup_deadline())
        rows += [_failed(spec, error, last.get(spec.name)) for spec, error in found.lost]
        for target in found.targets:
            record = last.get(target.spec.name)
            try:
                run = wiring.new_run(target.spec, Demand.DUE)
                planned, observed = preview(target.spec, target.labels, world, run)
            except RotatorError as error:
                rows.append(_failed(target.spec, error, record))
            else:
                rows.append(_row(target.spec, planned, observed, record))
    rows.sort(key=lambda row: not row.needs_person)
    if as_json:
        for row in rows:
            print_json(_json(row, now))
    else:
        _print_table(rows, now)
    return gravest(row.code for row in rows)


def _watch(names: tuple[str, ...], every: str, *, as_json: bool) -> int:
    from rotator.cli import watching

    config = load_config()
    period = period_of(every, timedelta(days=1))
    with connected(config) as both, both.audit_trail("cli") as audit:
        onlooker = watching.Onlooker(chosen(config, names), both, both.world(audit))
        watching.watch(onlooker, period, as_json=as_json)
    return Exit.OK


def _row(spec: "SecretSpec", planned: "Plan", observed: "Observed", record: "Record | None") -> Row:
    from rotator.planner import NEEDS_PERSON, born_at
    from rotator.reasons import WHY
    from rotator.retiring import superseded_keys

    needs = f"{planned.reason}: {WHY[planned.reason]}" if planned.reason in NEEDS_PERSON else ""
    needs = needs or _last_needs_person(record)
    old = bool(superseded_keys(observed))
    return Row(
        secret=spec.name,
        generation=observed.generation(observed.current) if observed.current else None,
        born_at=born_at(observed),
        due_at=planned.due_at,
        old_key_until=observed.labels.changed_at + spec.grace if old else None,
        last_result=_last(record),
        reason=planned.reason,
        next_actions=tuple(type(action).__name__ for action in planned.actions),
        needs_person=needs,
        code=Exit.PERSON if needs else Exit.OK,
    )


def _last_needs_person(record: "Record | None") -> str:
    """Return what the last run left to a person; the next one may not meet it again by itself."""
    from rotator.errors import Remedy

    who, _, what = record.detail.partition(": ") if record else ("", "", "")
    return what if who == Remedy.PERSON.value else ""


def _failed(spec: "SecretSpec", error: "RotatorError", record: "Record | None") -> Row:
    code = exit_code_of(error)
    needs = "" if code is Exit.FAILED else error.message
    return Row(spec.name, None, None, None, None, _last(record), error.message, (), needs, code)


def _last(record: "Record | None") -> str:
    from rotator.cli.wording import time_text

    return f"{record.result} {time_text(record.time)}" if record else "never run"


def _json(row: Row, now: datetime) -> dict[str, object]:
    from rotator.cli.wording import time_text

    return {
        "secret": row.secret,
        "generation": row.generation,
        "age_seconds": int((now - row.born_at).total_seconds()) if row.born_at else None,
        "due_at": time_text(row.due_at) if row.due_at else None,
        "old_key_until": time_text(row.old_key_until) if row.old_key_until else None,
        "last_result": row.last_result,
        "reason": row.reason,
        "actions": list(row.next_actions),
        "needs_person": bool(row.needs_person),
    }


def _print_table(rows: list[Row], now: datetime) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from rotator.cli.wording import duration_text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in (
        "SECRET",
        "GEN",
        "AGE",
        "DUE IN",
        "OLD KEY UNTIL",
        "LAST RESULT",
        "REASON",
        "NEEDS A PERSON",
    ):
        table.add_column(heading, no_wrap=heading not in {"NEEDS A PERSON", "LAST RESULT"})
    for row in rows:
        table.add_row(
            row.secret,
            str(row.generation) if row.generation else "-",
            duration_text(now - row.born_at) if row.born_at else "-",
            _due_text(row, now),
            _until_text(row.old_key_until, now),
            row.last_result,
            escape(row.reason),
            f"[red]{escape(row.needs_person)}[/]" if row.needs_person else "",
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=200, no_color=True)
    console.print(table)


def _due_text(row: Row, now: datetime) -> str:
    from rotator.cli.wording import duration_text

    if "Create" in row.next_actions or (row.due_at is not None and row.due_at <= now):
        return "now"
    return duration_text(row.due_at - now) if row.due_at else "-"


def _until_text(moment: datetime | None, now: datetime) -> str:
    from rotator.cli.wording import duration_text

    if moment is None:
        return "-"
    return f"in {duration_text(moment - now)}" if moment > now else "overdue"


COMMANDS = {"status": status}
