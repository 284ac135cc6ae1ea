"""The loop in a thread of the test: wishes that come at a bad moment, and an end that waits."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from types import SimpleNamespace

import pytest
import structlog
from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MISSED

from rotator.daemon.loop import Loop
from rotator.daemon.pulse import WATCHDOG_EXIT
from rotator.daemon.stop import Stop

WAIT_S = 600.0


@dataclass
class Ticks:
    """Counts ticks, and holds one up if asked."""

    every: timedelta = timedelta(hours=1)
    count: int = 0
    at_once: int = 0
    most_at_once: int = 0
    came: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    go: threading.Event = field(default_factory=threading.Event)
    ended: list[int] = field(default_factory=list)
    reloads: int = 0
    more: int = 0
    """So many ticks leave something for the next one."""

    def __call__(self) -> bool:
        """Tick."""
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        self.count += 1
        self.came.release()
        assert self.go.wait(WAIT_S)
        self.at_once -= 1
        self.more -= 1
        return self.more >= 0

    def reload(self) -> None:
        """Note a wish to reload."""
        self.reloads += 1

    def comes(self) -> None:
        """Wait for the next tick to begin."""
        assert self.came.acquire(timeout=WAIT_S), "no tick came"


class Deaf(Loop):
    """A loop whose signals the test sends by hand: the process they belong to is the test runner."""

    def _listen(self) -> None:
        pass


@contextmanager
def running(ticks: Ticks) -> Iterator[Loop]:
    """Yield a loop that runs, and wait for its end."""
    loop = Deaf(ticks, lambda: ticks.every, Stop(), ticks.reload, ticks.ended.append)
    thread = threading.Thread(target=loop.run)
    thread.start()
    try:
        yield loop
    finally:
        ticks.go.set()
        if not loop.stop.is_asked():
            loop._signalled(signal.SIGTERM)
        thread.join(WAIT_S)
        assert not thread.is_alive()
    assert ticks.most_at_once == 1
    assert ticks.ended == []


def test_first_tick_is_at_once_and_the_end_waits_for_it() -> None:
    """An hour's rhythm begins with a tick; told to stop in the middle of it, the loop ends after it."""
    ticks = Ticks()
    with running(ticks) as loop:
        ticks.comes()
        loop._signalled(signal.SIGTERM)
        loop._signalled(signal.SIGHUP)  # comes too late, and does no harm
        assert ticks.at_once == 1
    assert (ticks.count, ticks.at_once) == (1, 0)


def test_wish_during_a_tick_brings_another() -> None:
    """SIGHUP while a tick is at work: that one may have read the old file, so one more follows at once."""
    ticks = Ticks()
    with running(ticks) as loop:
        ticks.comes()
        for _ in range(3):
            loop._signalled(signal.SIGHUP)
        ticks.go.set()
        ticks.comes()
    assert (ticks.count, ticks.reloads) == (2, 3)


def test_wish_between_ticks_brings_one_now() -> None:
    """SIGHUP while the loop waits for its next hour."""
    ticks = Ticks()
    ticks.go.set()
    with running(ticks) as loop:
        for _ in range(5):
            ticks.comes()
            loop._signalled(signal.SIGHUP)
        ticks.comes()
    assert ticks.count == 6


def test_new_rhythm_is_taken_over() -> None:
    """A configuration that asks for a shorter period is followed without a restart."""
    ticks = Ticks()
    with running(ticks):
        ticks.comes()
        ticks.every = timedelta(seconds=0.2)
        ticks.go.set()
        ticks.comes()
        ticks.comes()


def test_second_signal_ends_the_process() -> None:
    """With the number that shells use for it."""
    ticks = Ticks()
    with running(ticks) as loop:
        ticks.comes()
        loop._signalled(signal.SIGINT)
        loop._signalled(signal.SIGTERM)
        assert ticks.ended == [128 + signal.SIGTERM]
        ticks.ended.clear()


def test_no_pause_is_too_long_for_the_next_tick() -> None:
    """A tick that comes late, after SIGSTOP or a machine's sleep, is made once: by default APScheduler drops it."""
    ticks = Ticks()
    loop = Deaf(ticks, lambda: ticks.every, Stop(), ticks.reload, ticks.ended.append)
    jobs = [job for job, _, _ in loop._scheduler._pending_jobs]
    assert [(j.misfire_grace_time, j.coalesce, j.max_instances) for j in jobs] == [(None, True, 1)]


@pytest.mark.parametrize(
    ("code", "exception", "kind"),
    [(EVENT_JOB_MISSED, None, "EVENT_JOB_MISSED"), (EVENT_JOB_ERROR, KeyError("x"), "KeyError")],
)
def test_event_that_must_not_be_ends_the_process(code: int, exception: Exception | None, kind: str) -> None:
    """The log names the defect, or the event if it brings none."""
    ticks = Ticks()
    loop = Deaf(ticks, lambda: ticks.every, Stop(), ticks.reload, ticks.ended.append)
    with structlog.testing.capture_logs() as logged:
        loop._heard(SimpleNamespace(code=code, exception=exception))
    assert ticks.ended == [WATCHDOG_EXIT]
    assert [(line["where"], line["kind"]) for line in logged] == [("event", kind)]


def test_what_a_tick_left_is_done_at_once() -> None:
    """A tick that had too much for one is followed by another, without waiting for the period."""
    ticks = Ticks(more=2)
    ticks.go.set()
    with running(ticks):
        for _ in range(3):
            ticks.comes()
    assert ticks.count == 3
