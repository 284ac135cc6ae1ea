"""`status`: every secret at a glance, what needs a person first; and `--watch`, the same again and again."""

import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

import click

from rotator.cli.context import chosen, connected, json_text, load_config, period_of
from rotator.cli.exits import Exit
from rotator.cli.fleet_screen import Table, answer, fleet_lines
from rotator.cli.screen import alarming, counted, show, width
from rotator.cli.watcher import Watcher
from rotator.config.tables import PinataConfig
from rotator.fleet.lookup import Target
from rotator.fleet.strays import FEW, Stray, Unknown, stray_keys, strays_text, with_strays
from rotator.model.status import Attention, FleetStatus, SecretStatus, to_json, urgency
from rotator.model.times import span_text, time_text
from rotator.wiring.runs import startup_deadline

if TYPE_CHECKING:
    from rotator.cli.progress import Bar

PERIOD_MAX = timedelta(days=1)
Look: TypeAlias = tuple[SecretStatus, Callable[[str], None]]
"""What a closer look has seen, and what prints a line about it."""


def show_status(config_option: str | None, names: Sequence[str], *, as_json: bool, deep: bool) -> int:
    """Print where each secret stands: by its labels and the trail, and after a closer look where that is worth it."""
    config = load_config(config_option)
    specs = chosen(config, names)
    is_small = len(specs) <= FEW
    with connected(config) as both, both.audit_trail("cli") as audit:
        watcher = Watcher(specs, both, both.world(audit), config.daemon.every)
        found = watcher.survey()
        closer = found if names or deep or is_small else watcher.restless(found)
        looks = _closer_looks(watcher, closer, config.pinata)
        streams = bool(closer) and not is_small
        if not streams:
            deque(looks, maxlen=0)
        else:
            _stream(watcher, {target.spec.name for target in closer}, looks, as_json=as_json, hides_fine=not names)
        fleet = watcher.fleet()
        strays: Sequence[Stray] | Unknown = ()
        if is_small and specs == config.secrets:
            silent = watcher.provider_silence()
            owner = config.pinata.owner
            strays = Unknown(silent) if silent else stray_keys(fleet.secrets, owner, both.provider, startup_deadline())
    if not isinstance(strays, Unknown):
        fleet = replace(fleet, secrets=tuple(with_strays(status, strays) for status in fleet.secrets))
    if not streams:
        _print(fleet, as_json=as_json, columns=width(), hides_fine=not names and not is_small)
    _warn([*_problems(fleet), strays_text(strays)])
    return status_exit(fleet)


def _stream(
    watcher: Watcher, asked: Collection[str], looks: Iterator[Look], *, as_json: bool, hides_fine: bool
) -> None:
    """Print what labels and trail tell at once, then the rest as it comes; of a few, what needs people comes first.

    The first line counts apart what is being looked at; then the last line is the answer.
    """
    known = watcher.fleet()
    table = Table.of(known, width(), hides_fine=hides_fine, more=True)
    head = iter(() if as_json else (table.head(),))

    def tell(status: SecretStatus, echo: Callable[[str], None]) -> None:
        now = datetime.now(UTC)
        for line in [json_text(to_json(status, now))] if as_json else table.row(status, now):
            for heading in head:  # once, above the first row
                echo(heading)
            echo(line)

    if not as_json:
        show([answer(known, asked)])
    for status in known.secrets:
        if status.name not in asked:
            tell(status, click.echo)
    for status, echo in sorted(looks, key=lambda look: urgency(look[0])) if len(asked) <= FEW else looks:
        tell(status, echo)
    if not as_json:
        fleet = watcher.fleet()
        show(filter(None, [table.hidden(fleet), answer(fleet)]))


def _closer_looks(watcher: Watcher, closer: Sequence[Target], pinata: PinataConfig) -> Iterator[Look]:
    """Ask both systems; say on standard error how long that takes, if it does, and how far it is."""
    # Each look asks testAuthentication once and lists keys once; a minute's budget may be used at once.
    minutes = max(len(closer) // pinata.data_requests_per_minute, len(closer) // pinata.requests_per_minute)
    if minutes:
        click.echo(
            f"looking closer at {counted(len(closer), 'secret')}: about {minutes} min, because of "
            "`[pinata] requests_per_minute` and `data_requests_per_minute`",
            err=True,
        )
    bar: Bar | None = None
    if sys.stderr.isatty() and len(closer) > 1:
        from rotator.cli import progress as drawn

        bar = drawn.Bar(len(closer), "looking closer")
    with bar.display if bar else nullcontext():
        for status in watcher.look_closer(closer):
            if bar:
                bar.advance()
            yield status, bar.print if bar else click.echo


def watch_status(config_option: str | None, names: Sequence[str], every: str, *, as_json: bool) -> int:
    """Print it every few seconds until Ctrl-C: one screen on a terminal, plain lines elsewhere."""
    config = load_config(config_option)
    period = period_of(every, PERIOD_MAX)
    fleet: FleetStatus | None = None
    try:
        with connected(config) as both, both.audit_trail("cli") as audit:
            watcher = Watcher(chosen(config, names), both, both.world(audit), config.daemon.every)
            if as_json or not sys.stdout.isatty():
                for fleet in _looks(watcher, period):
                    _print(fleet, as_json=as_json, columns=None)
                    _warn(_problems(fleet))
            else:
                from rich.console import Console
                from rich.live import Live
                from rich.text import Text

                with Live(console=Console(highlight=False), screen=False, auto_refresh=False) as live:
                    for fleet in _looks(watcher, period):
                        footer = f"{time_text(fleet.taken_at)}, every {span_text(period)}; Ctrl-C ends"
                        lines = fleet_lines(fleet, width(), hides_fine=not names and len(fleet.secrets) > FEW)
                        screen = [*lines, footer, *map(alarming, _problems(fleet))]
                        live.update(Text.from_ansi("\n".join(screen)), refresh=True)
    except KeyboardInterrupt:
        pass
    return status_exit(fleet) if fleet else Exit.OK


def _looks(watcher: Watcher, every: timedelta) -> Iterator[FleetStatus]:
    while True:
        yield watcher.look_again()
        time.sleep(every.total_seconds())


def status_exit(fleet: FleetStatus) -> Exit:
    """Return 3 if a secret needs a person or is in outage, or nobody looks; 1 if one fails or an old key is overdue."""
    asked = {status.attention for status in fleet.secrets}
    if asked & {Attention.OUTAGE, Attention.PERSON} or fleet.silence:
        return Exit.PERSON
    overdue = any(status.overdue_keys(fleet.taken_at) for status in fleet.secrets)
    return Exit.FAILED if Attention.FAILING in asked or overdue or fleet.tick_error else Exit.OK


def _print(fleet: FleetStatus, *, as_json: bool, columns: int | None, hides_fine: bool = False) -> None:
    rows = (json_text(to_json(status, fleet.taken_at)) for status in fleet.secrets)
    for line in rows if as_json else fleet_lines(fleet, columns, hides_fine=hides_fine):
        click.echo(line)


def _warn(problems: Sequence[str]) -> None:
    for problem in filter(None, problems):
        click.echo(f"Warning: {problem}", err=True)


def _problems(fleet: FleetStatus) -> list[str]:
    return [problem for problem in (fleet.silence, fleet.tick_error, fleet.audit_error) if problem]
