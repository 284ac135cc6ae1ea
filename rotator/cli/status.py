"""`status`: every secret at a glance, what needs a person first; and `--watch`, the same again and again."""

import sys
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from rotator.cli.context import chosen, connected, load_config, period_of, print_json
from rotator.cli.exits import Exit
from rotator.cli.fleet_screen import fleet_lines
from rotator.cli.progress import Bar
from rotator.cli.screen import alarming, counted, width
from rotator.cli.watcher import Watcher
from rotator.config.tables import PinataConfig
from rotator.fleet.lookup import Target
from rotator.fleet.strays import FEW, Stray, Unknown, stray_keys, strays_text, with_strays
from rotator.model.status import Attention, FleetStatus, to_json, urgency
from rotator.model.times import span_text, time_text
from rotator.wiring.runs import startup_deadline

PERIOD_MAX = timedelta(days=1)


def show_status(config_option: str | None, names: Sequence[str], *, as_json: bool, deep: bool) -> int:
    """Print where each secret stands: by its labels and the trail, and after a closer look where that is worth it."""
    config = load_config(config_option)
    specs = chosen(config, names)
    with connected(config) as both, both.audit_trail("cli") as audit:
        watcher = Watcher(specs, both, both.world(audit), config.daemon.every)
        found = watcher.survey()
        closer = found if names or deep or len(specs) <= FEW else watcher.restless(found)
        is_whole = specs == config.secrets and len(specs) <= FEW
        if as_json and not is_whole:
            _stream(watcher, closer)
        else:
            _look_closer(watcher, closer, config.pinata)
        fleet = watcher.fleet()
        strays: Sequence[Stray] | Unknown = ()
        if is_whole:
            strays = stray_keys(fleet.secrets, config.pinata.owner, both.provider, startup_deadline())
    if not isinstance(strays, Unknown):
        fleet = replace(fleet, secrets=tuple(with_strays(status, strays) for status in fleet.secrets))
    if not as_json:
        click.echo("\n".join(fleet_lines(fleet, width())))
    elif is_whole:
        for status in fleet.secrets:
            print_json(to_json(status, fleet.taken_at))
    _warn(fleet)
    if warning := strays_text(strays):
        click.echo(f"warning: {warning}", err=True)
    return status_exit(fleet)


def _stream(watcher: Watcher, closer: Sequence[Target]) -> None:
    """Print what labels and trail tell at once, and the rest as it comes; of a few, what needs people comes first."""
    asked = {target.spec.name for target in closer}
    known = watcher.fleet()
    for status in known.secrets:
        if status.name not in asked:
            print_json(to_json(status, known.taken_at))
    looks = watcher.look_closer(closer)
    for status in sorted(looks, key=urgency) if len(closer) <= FEW else looks:
        print_json(to_json(status, datetime.now(UTC)))


def _look_closer(watcher: Watcher, closer: Sequence[Target], pinata: PinataConfig) -> None:
    """Ask both systems; say on standard error how long that takes, if it does, and how far it is."""
    looks = watcher.look_closer(closer)
    # Each look asks testAuthentication once and lists keys once; a minute's budget may be used at once.
    minutes = max(len(closer) // pinata.data_requests_per_minute, len(closer) // pinata.requests_per_minute)
    if minutes:
        click.echo(
            f"looking closer at {counted(len(closer), 'secret')}: about {minutes} min, because of "
            "`[pinata] requests_per_minute` and `data_requests_per_minute`",
            err=True,
        )
    if not sys.stderr.isatty() or len(closer) <= 1:
        deque(looks, maxlen=0)
        return
    bar = Bar(len(closer), "looking closer")
    with bar.display:
        for _ in looks:
            bar.advance()


def watch_status(config_option: str | None, names: Sequence[str], every: str, *, as_json: bool) -> int:
    """Print it every few seconds until Ctrl-C: one screen on a terminal, plain lines elsewhere."""
    config = load_config(config_option)
    period = period_of(every, PERIOD_MAX)
    console = Console(highlight=False)
    fleet: FleetStatus | None = None
    try:
        with connected(config) as both, both.audit_trail("cli") as audit:
            watcher = Watcher(chosen(config, names), both, both.world(audit), config.daemon.every)
            if as_json or not console.is_terminal:
                for fleet in _looks(watcher, period):
                    _print(fleet, as_json=as_json)
            else:
                with Live(console=console, screen=False, auto_refresh=False) as live:
                    for fleet in _looks(watcher, period):
                        footer = f"{time_text(fleet.taken_at)}, every {span_text(period)}; Ctrl-C ends"
                        screen = [*fleet_lines(fleet, width()), footer, *map(alarming, _problems(fleet))]
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


def _print(fleet: FleetStatus, *, as_json: bool) -> None:
    if as_json:
        for status in fleet.secrets:
            print_json(to_json(status, fleet.taken_at))
    else:
        click.echo("\n".join(fleet_lines(fleet, None)))
    _warn(fleet)


def _warn(fleet: FleetStatus) -> None:
    for problem in _problems(fleet):
        click.echo(f"warning: {problem}", err=True)


def _problems(fleet: FleetStatus) -> list[str]:
    return [problem for problem in (fleet.silence, fleet.tick_error, fleet.audit_error) if problem]
