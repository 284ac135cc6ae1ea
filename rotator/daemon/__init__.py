"""The daemon: the same reconcile as every command, for as long as the process lives.

tick           one look over the fleet
loop           the scheduler, signals, the end
pulse          the watchdog
stop           being told to stop
reloading      a configuration that changes
metrics        what Prometheus is told
environment    what a long-lived process refuses to find

It takes no lock and elects no leader. Two daemons and a command may work on one secret; see docs/daemon.md.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from rotator.audit.record import Record
from rotator.audit.sources import Criteria, endings_of, records_of
from rotator.config.file import Config
from rotator.config.values import is_loopback
from rotator.daemon import environment
from rotator.daemon.loop import Loop, block_signals
from rotator.daemon.metrics import Metrics
from rotator.daemon.pulse import Pulse, Watchdog, patience_s
from rotator.daemon.reloading import LiveConfig
from rotator.daemon.stop import Stop
from rotator.daemon.tick import Outside, Watch
from rotator.model.events import Event
from rotator.model.plan import Outcome
from rotator.model.secret import Demand
from rotator.page import Sources, serve
from rotator.wiring import logs
from rotator.wiring.call_counts import Traffic
from rotator.wiring.connect import Connected, connect, ping, rate_limiter, trail_locations
from rotator.wiring.runs import STARTUP_S, new_run

__all__ = ["run"]

TIMELINE_MAX = 2000
"""Records of one secret that are shown at most, the latest."""


def run(
    path: Path,
    env: Mapping[str, str],
    listen: tuple[str, int] | None,
    every: timedelta | None,
    tell: Callable[[Outcome], None],
) -> None:
    """Tick until told to stop.

    Args:
        path: of the configuration.
        env: the environment.
        listen: where probes, metrics and the page are served, if not where the configuration says.
        every: the time between two ticks, if not what the configuration says.
        tell: is told each outcome.

    Raises:
        ConfigError: configuration or environment cannot be used from the start.
    """
    block_signals()
    logs.configure(env, default_level="INFO")
    log = structlog.get_logger()
    live = LiveConfig(path)
    environment.check(live.now, env)
    for name in environment.trusted_elsewhere(env):
        log.warning("whom this process trusts is set from outside", variable=name)
    stop, pulse, traffic = Stop(), Pulse(), Traffic()

    def told(outcome: Outcome) -> None:
        metrics.tell(outcome)
        if outcome.error is not None and not outcome.run_id:  # it has no run whose end is logged
            log.error("not looked at", secret=outcome.secret, error=outcome.error.message)
        tell(outcome)

    def heard(secret: str, run_id: str, event: Event) -> None:
        logs.log_event(secret, run_id, event)
        metrics.listen(secret, run_id, event)

    watch = Watch(live, _outside(env, stop, traffic), stop, pulse, heard, told, every)
    metrics = Metrics(lambda: watch.status, lambda: watch.ticked_at, traffic, _now)

    def limit_s() -> float:
        longest_s = max(spec.timeout.total_seconds() for spec in live.now.secrets)
        return patience_s(watch.period().total_seconds(), longest_s + STARTUP_S)

    def reload() -> None:
        watch.reload_asked = True

    loop = Loop(watch.tick, watch.period, stop, reload)
    watchdog = Watchdog(
        pulse,
        limit_s,
        late=lambda age_s: log.critical("the loop has stopped; ending", still_for_s=round(age_s)),
        jumped=loop.wake,
    )
    address = listen or live.now.daemon.listen
    sources = Sources(
        status=lambda: watch.status,
        live=lambda: watch.live(limit_s()),
        ready=watch.ready,
        metrics=metrics.render,
        timeline=lambda name: _timeline(live.now, env, name),
        hosts=live.now.daemon.hosts,
    )
    with ExitStack() as stack:
        stack.enter_context(closing(watch))
        served = stack.enter_context(serve(address, sources))
        log.info("listening", url=served.url, every_s=watch.period().total_seconds(), secrets=len(live.now.secrets))
        if not is_loopback(address[0]):
            log.warning("anybody who reaches this address may read the page; it needs no password")
        watchdog.start()
        loop.run()
        log.info("stopped")


def _timeline(config: Config, env: Mapping[str, str], name: str) -> Sequence[Record]:
    """Return the latest records of one secret, in order."""
    sources = trail_locations(config, env).sources()
    return tuple(deque(records_of(sources, Criteria(secret=name)), maxlen=TIMELINE_MAX))


def _now() -> datetime:
    return datetime.now(UTC)


def _outside(env: Mapping[str, str], stop: Stop, traffic: Traffic) -> Outside:
    """Return the real outside: each tick connects anew, so that it sees new credentials and a new managing key."""
    limiters = {}  # by budget: what was used of it outlasts a tick

    def connected(config: Config) -> AbstractContextManager[Connected]:
        budgets = (config.pinata.requests_per_minute, config.pinata.data_requests_per_minute)
        if budgets not in limiters:
            limiters[budgets] = rate_limiter(config)
        deadline = stop.deadline(STARTUP_S)
        return connect(config, env, limiters[budgets], traffic, deadline)

    return Outside(
        now=_now,
        connect=connected,
        probe_audit=lambda config: trail_locations(config, env).probe(),
        endings=lambda config, since: endings_of(trail_locations(config, env).sources(), since),
        new_run=lambda spec: new_run(spec, Demand.DUE, stop.deadline(spec.timeout.total_seconds()), stop.is_asked),
        deadline=lambda: stop.deadline(STARTUP_S),
        ping=ping,
    )
