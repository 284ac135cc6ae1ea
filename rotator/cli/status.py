"""`status`: every secret at a glance, what needs a person first; and `--watch`, the same again and again."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import click
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from rotator.cli.context import chosen, connected, load_config, period_of, print_json
from rotator.cli.exits import Exit
from rotator.cli.watcher import Watcher
from rotator.fleet.strays import FEW, Stray, Unknown, stray_keys, strays_text, with_strays
from rotator.model.status import Attention, FleetStatus, SecretStatus, to_json
from rotator.model.times import relative_text, span_text, time_text
from rotator.wiring.runs import startup_deadline

PERIOD_MAX = timedelta(days=1)
_HEADINGS = ("SECRET", "GEN", "AGE", "DUE IN", "OLD KEYS", "ORPHANS", "LAST RUN", "REASON", "NEEDS A PERSON")
_PIPED_WIDTH = 10_000
"""In a pipe nothing is cut: one line a secret."""


def show_status(config_option: str | None, names: Sequence[str], *, as_json: bool) -> int:
    """Print where each secret stands, after a close look at each."""
    config = load_config(config_option)
    specs = chosen(config, names)
    with connected(config) as both, both.audit_trail("cli") as audit:
        fleet = Watcher(specs, both, both.world(audit), first_looks_max=len(specs)).look()
        strays: Sequence[Stray] | Unknown = ()
        if specs == config.secrets and len(specs) <= FEW:
            strays = stray_keys(fleet.secrets, config.pinata.owner, both.provider, startup_deadline())
    if not isinstance(strays, Unknown):
        fleet = replace(fleet, secrets=tuple(with_strays(status, strays) for status in fleet.secrets))
    _print(fleet, as_json=as_json)
    if warning := strays_text(strays):
        click.echo(f"warning: {warning}", err=True)
    return _exit_code(fleet)


def watch_status(config_option: str | None, names: Sequence[str], every: str, *, as_json: bool) -> int:
    """Print it every few seconds until Ctrl-C: a table on a terminal, plain lines elsewhere."""
    config = load_config(config_option)
    period = period_of(every, PERIOD_MAX)
    console = Console(highlight=False)
    fleet: FleetStatus | None = None
    try:
        with connected(config) as both, both.audit_trail("cli") as audit:
            watcher = Watcher(chosen(config, names), both, both.world(audit))
            if as_json or not console.is_terminal:
                for fleet in _looks(watcher, period):
                    _print(fleet, as_json=as_json)
            else:
                with Live(console=console, screen=False, auto_refresh=False) as live:
                    for fleet in _looks(watcher, period):
                        live.update(_table(fleet, f", every {span_text(period)}"), refresh=True)
    except KeyboardInterrupt:
        pass
    return _exit_code(fleet) if fleet else Exit.OK


def _looks(watcher: Watcher, every: timedelta) -> Iterator[FleetStatus]:
    while True:
        yield watcher.look_again()
        time.sleep(every.total_seconds())


def _exit_code(fleet: FleetStatus) -> Exit:
    """Return 3 if a secret needs a person or is in outage, 1 if one is failing or an old key is overdue."""
    asked = {status.attention for status in fleet.secrets}
    if asked & {Attention.OUTAGE, Attention.PERSON}:
        return Exit.PERSON
    overdue = any(status.overdue_keys(fleet.taken_at) for status in fleet.secrets)
    return Exit.FAILED if Attention.FAILING in asked or overdue or fleet.tick_error else Exit.OK


def _print(fleet: FleetStatus, *, as_json: bool) -> None:
    if as_json:
        for status in fleet.secrets:
            print_json(to_json(status, fleet.taken_at))
    else:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=_PIPED_WIDTH, no_color=True)
        console.print(_table(fleet, ""))
    for problem in _problems(fleet):
        click.echo(f"warning: {problem}", err=True)


def _table(fleet: FleetStatus, rhythm: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    if rhythm:
        table.caption = f"{time_text(fleet.taken_at)}{rhythm}; Ctrl-C ends" + "".join(
            f"\n[red]{escape(problem)}[/]" for problem in _problems(fleet)
        )
        table.caption_justify = "left"
    for heading in _HEADINGS:
        table.add_column(heading, no_wrap=heading not in _HEADINGS[-3:])
    for status in fleet.secrets:
        *cells, last = map(escape, _cells(status, fleet.taken_at))
        table.add_row(*cells, f"[red]{last}[/]" if status.attention else last)
    return table


def _cells(status: SecretStatus, now: datetime) -> tuple[str, ...]:
    run = status.last_outcome or "none known"
    if status.last_run_at:
        run += f" {relative_text(status.last_run_at, now)}"
    why = ": ".join(part for part in (status.error, status.next_step) if part)
    return (
        status.name,
        str(status.generation) if status.generation else "-",
        span_text(now - status.born_at) if status.born_at else "-",
        _due_text(status, now),
        _old_keys_text(status, now),
        "?" if status.orphans is None else str(status.orphans or "-"),
        run.replace("_", " "),
        status.reason or "-",
        why,
    )


def _due_text(status: SecretStatus, now: datetime) -> str:
    if "Create" in (status.next_actions or ()):
        return "now"
    if status.due_at is None:
        return "-"
    return "now" if status.due_at <= now else span_text(status.due_at - now)


def _old_keys_text(status: SecretStatus, now: datetime) -> str:
    if status.old_keys is None:
        return "?"
    if not status.old_keys:
        return "-"
    if overdue := status.overdue_keys(now):
        return f"{overdue} overdue"
    until = min(key.until for key in status.old_keys)
    return f"{len(status.old_keys)}, {relative_text(until, now)}"


def _problems(fleet: FleetStatus) -> list[str]:
    return [problem for problem in (fleet.tick_error, fleet.audit_error) if problem]
