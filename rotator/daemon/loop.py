"""The loop: a scheduler that ticks, signals that steer it, a watchdog that ends it.

Whatever goes wrong in the tick, in the trigger or in a listener is told and ends the process: APScheduler by itself
would log it and live on, doing nothing.
"""

import os
import signal
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES, EVENT_JOB_MISSED, EVENT_SCHEDULER_STARTED
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.blocking import BlockingScheduler
from apscheduler.triggers.interval import IntervalTrigger

from rotator.daemon.pulse import WATCHDOG_EXIT
from rotator.daemon.stop import Stop
from rotator.wiring.process import STEERING

_JOB = "tick"
_JITTER_PART = 20
"""Two daemons started together drift apart by up to this part of a tick."""


_EVENTS = {EVENT_JOB_ERROR: "EVENT_JOB_ERROR", EVENT_JOB_MISSED: "EVENT_JOB_MISSED"}


def _every(period: timedelta) -> IntervalTrigger:
    seconds = period.total_seconds()
    return IntervalTrigger(seconds=seconds, timezone=UTC, jitter=seconds / _JITTER_PART)


@dataclass(slots=True)
class Loop:
    """Ticks until it is told to stop.

    `tick` is called at once, then every `period()`, never twice at a time, and at once after one that says so; `reload`
    on SIGHUP, before a tick.
    """

    tick: Callable[[], bool]
    period: Callable[[], timedelta]
    stop: Stop
    reload: Callable[[], None]
    end: Callable[[int], object] = os._exit
    trigger: Callable[[timedelta], Any] = _every
    _scheduler: Any = field(init=False)
    _now: timedelta = field(init=False)
    _busy: bool = field(default=False, init=False)
    _again: bool = field(default=False, init=False)
    _guard: threading.Lock = field(default_factory=threading.Lock, init=False)
    _ticking: threading.Lock = field(default_factory=threading.Lock, init=False)

    def __post_init__(self) -> None:
        """Plan the first tick."""
        self._scheduler = BlockingScheduler(timezone=UTC, executors={"default": ThreadPoolExecutor(1)})
        self._now = self.period()
        self._scheduler.add_listener(
            self._heard, EVENT_SCHEDULER_STARTED | EVENT_JOB_MAX_INSTANCES | EVENT_JOB_ERROR | EVENT_JOB_MISSED
        )
        self._scheduler.add_job(
            self._ticked,
            self.trigger(self._now),
            id=_JOB,
            next_run_time=datetime.now(UTC),
            misfire_grace_time=None,
            coalesce=True,
            max_instances=1,
        )

    def run(self) -> None:
        """Tick until told to stop, then wait for the tick that is at work."""
        try:
            self._scheduler.start()
            with self._ticking:
                return
        except BaseException as defect:  # noqa: BLE001 - of the trigger, which would leave a process that does nothing
            self._die("scheduler", defect)

    def wake(self) -> None:
        """Let the next tick be now, or right after the one that is at work."""
        with self._guard:
            self._again = True
            idle = not self._busy
        if idle:
            self._advance()

    def _ticked(self) -> None:
        with self._ticking:
            try:
                self._tick_while_wanted()
                self._follow_period()
            except BaseException as defect:  # noqa: BLE001 - APScheduler would swallow it and go on
                self._die("tick", defect)

    def _tick_while_wanted(self) -> None:
        """Tick for the scheduler, then once more for wishes that came meanwhile."""
        wanted = True
        while wanted and not self.stop.is_asked():
            with self._guard:
                self._busy, self._again = True, False
            more = self.tick()
            with self._guard:
                self._busy = wanted = self._again or more

    def _follow_period(self) -> None:
        """Take over another period, if the configuration has one."""
        if self.period() != self._now and not self.stop.is_asked():
            self._now = self.period()
            with suppress(JobLookupError):
                self._scheduler.reschedule_job(_JOB, trigger=self.trigger(self._now))

    def _advance(self) -> None:
        with suppress(JobLookupError):  # the loop has been stopped, and there is no next tick
            self._scheduler.modify_job(_JOB, next_run_time=datetime.now(UTC))

    def _heard(self, event: Any) -> None:  # noqa: ANN401 - APScheduler has no types
        try:
            self._respond(event.code, getattr(event, "exception", None))
        except BaseException as defect:  # noqa: BLE001 - APScheduler would log it to nobody
            self._die("listener", defect)

    def _respond(self, code: int, defect: BaseException | None) -> None:
        if code == EVENT_SCHEDULER_STARTED:
            threading.Thread(target=self._listen, name="signals", daemon=True).start()
        elif code != EVENT_JOB_MAX_INSTANCES:
            self._die("event", defect, _EVENTS.get(code, f"event {code}"))
        elif self._again and not self._busy and not self.stop.is_asked():
            self._advance()  # a wish met a tick that was just beginning or ending

    def _listen(self) -> None:
        """Wait for signals, one after another."""
        try:
            while True:
                self._signalled(signal.Signals(signal.sigwait(STEERING)))
        except BaseException as defect:  # noqa: BLE001 - a thread's exception ends the thread alone
            self._die("signals", defect)

    def _signalled(self, number: signal.Signals) -> None:
        log = structlog.get_logger()
        if number == signal.SIGHUP:
            log.info("told to reload")
            self.reload()
            self.wake()
            return
        if self.stop.is_asked():
            log.warning("told to stop again; ending at once", signal=number.name)
            self.end(128 + number)
            return
        log.info("told to stop", signal=number.name)
        self.stop.ask()
        self._scheduler.shutdown(wait=False)

    def _die(self, where: str, defect: BaseException | None, event: str = "") -> None:
        """Tell type (or event) and place, never the message, which may quote a value; then end the process."""
        try:
            frames = traceback.extract_tb(defect.__traceback__) if defect else []
            structlog.get_logger().critical(
                "the daemon ends because of a defect",
                where=where,
                kind=type(defect).__name__ if defect else event,
                at=[f"{f.filename.rpartition('/')[2]}:{f.lineno} in {f.name}" for f in frames],
            )
        finally:
            self.end(WATCHDOG_EXIT)
