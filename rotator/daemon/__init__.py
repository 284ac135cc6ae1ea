"""The daemon: the same reconcile as every command, for as long as the process lives.

tick           one look over the fleet
loop           the scheduler, signals, the end
pulse          the watchdog
stop           being told to stop
reloading      a configuration that changes
metrics        what Prometheus is told
timelines      what the page shows of the audit trail

It takes no lock and elects no leader. Two daemons and a command may work on one secret; see docs/daemon.md.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from rotator.audit.sources import endings_of
from rotator.config.file import Config
from rotator.config.values import is_loopback
from rotator.daemon.loop import Loop
from rotator.daemon.metrics import Metrics
from rotator.daemon.pulse import Pulse, Watchdog, patience_s
from rotator.daemon.reloading import LiveConfig
from rotator.daemon.stop import Stop
from rotator.daemon.tick import Outside, Watch
from rotator.daemon.timelines import Timelines, timelines
from rotator.model.errors import StoppedError
from rotator.model.events import Event
from rotator.model.plan import Outcome
from rotator.model.secret import Demand
from rotator.page import Sources, serve
from rotator.wiring import environment, logs
from rotator.wiring.call_counts import CallCounts
from rotator.wiring.connect import Connected, clients, endpoints, ping, rate_limiter
from rotator.wiring.process import hold_signals, is_told_to_stop
from rotator.wiring.runs import STARTUP_S, new_run
from rotator.wiring.trail import trail_locations

__all__ = ["run"]


def run(
    path: Path,
    env: Mapping[str, str],
    listen: tuple[str, int] | None,
    every: timedelta | None,
    tell: Callable[[Outcome], None],
) -> None:
    """Tick until told to stop.

    `listen` and `every` go before what the configuration says; `tell` is told each outcome. Raises ConfigError if
    configuration or environment cannot be used from the start.
    """
    hold_signals()
    logs.configure(env, default_level="INFO")
    env = dict(env)  # each tick reads the managing key, and takes it out of the environment itself
    environment.check(env, logs.log_foreign_trust)
    live, stop, pulse, calls = LiveConfig(path), Stop(), Pulse(), CallCounts()
    endpoints(live.now.aws, env)

    def heard(secret: str, run_id: str, event: Event) -> None:
        logs.log_event(secret, run_id, event)
        metrics.listen(secret, run_id, event)

    def told(outcome: Outcome) -> None:
        metrics.tell(outcome)
        if isinstance(outcome.error, StoppedError) and not outcome.run_id:
            return  # nothing was begun, and the stop itself is told
        if outcome.error is not None and not outcome.run_id:  # it has no run whose end is logged
            structlog.get_logger().error("not looked at", secret=outcome.secret, error=outcome.error.message)
        tell(outcome)

    watch = Watch(live, _outside(env, stop, calls), stop, pulse, heard, told, every)
    metrics = Metrics(lambda: watch.status, lambda: watch.ticked_at, calls, _now)
    with closing(watch):
        if is_told_to_stop():
            structlog.get_logger().info("told to stop before the first tick; nothing was begun")
            return
        _serve(watch, metrics, listen or live.now.daemon.listen, timelines(lambda: live.now, env))


def _serve(watch: Watch, metrics: Metrics, address: tuple[str, int], timeline: Timelines) -> None:
    """Tick, show what is seen, and watch over the loop, until the end."""
    log, config = structlog.get_logger(), watch.config

    def limit_s() -> float:
        longest_s = max(spec.timeout.total_seconds() for spec in config.now.secrets)
        return patience_s(watch.period().total_seconds(), longest_s + STARTUP_S)

    loop = Loop(watch.tick, watch.period, watch.stop, watch.ask_reload)
    watchdog = Watchdog(
        watch.pulse,
        limit_s,
        late=lambda age_s: log.critical("the loop has stopped; ending", still_for_s=round(age_s)),
        jumped=loop.wake,
    )
    sources = Sources(
        status=lambda: watch.status,
        live=lambda: watch.live(limit_s()),
        ready=watch.ready,
        metrics=metrics.render,
        timeline=timeline,
        hosts=config.now.daemon.hosts,
    )
    with serve(address, sources) as served:
        secrets = len(config.now.secrets)
        log.info("listening", url=served, every_s=watch.period().total_seconds(), secrets=secrets)
        if not is_loopback(address[0]):
            log.warning("anybody who reaches this address may read the page; it needs no password")
        watchdog.start()
        loop.run()
        log.debug("stopped")  # that it was told to, and the end of the process, say so already


def _now() -> datetime:
    return datetime.now(UTC)


def _outside(env: Mapping[str, str], stop: Stop, calls: CallCounts) -> Outside:
    """Return the real outside: each tick connects anew, so that it sees new credentials and a new managing key."""
    limiters = {}  # by budget: what was used of it outlasts a tick

    def connected(config: Config) -> AbstractContextManager[Connected]:
        budgets = (config.pinata.requests_per_minute, config.pinata.data_requests_per_minute)
        if budgets not in limiters:
            limiters[budgets] = rate_limiter(config)
        deadline = stop.deadline(STARTUP_S)
        return clients(config, env, limiters[budgets], calls).connected(deadline)

    return Outside(
        now=_now,
        connect=connected,
        probe_audit=lambda config: trail_locations(config, env).probe(),
        endings=lambda config, since: endings_of(trail_locations(config, env).sources(), since),
        new_run=lambda spec: new_run(spec, Demand.DUE, stop.deadline(spec.timeout.total_seconds()), stop.is_asked),
        deadline=lambda: stop.deadline(STARTUP_S),
        ping=ping,
    )
