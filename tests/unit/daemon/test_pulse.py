"""The watchdog: it ends a loop that hangs, and nothing else."""

from contextlib import suppress
from dataclasses import dataclass, field

from rotator.daemon.pulse import POLL_S, WATCHDOG_EXIT, Pulse, Watchdog, patience_s


@dataclass
class Machine:
    """Two clocks, and what the watchdog did."""

    mono_s: float = 1000.0
    wall_s: float = 1_790_000_000.0
    done: list[object] = field(default_factory=list)

    def watchdog(self, limit_s: float = 30.0) -> Watchdog:
        """Return a watchdog over a pulse that began just now."""
        pulse = Pulse(lambda: self.mono_s)
        return Watchdog(
            pulse,
            lambda: limit_s,
            late=lambda age_s: self.done.append(("late", round(age_s))),
            jumped=lambda: self.done.append("jumped"),
            wall=lambda: self.wall_s,
            end=self.done.append,
        )

    def looks(self, watchdog: Watchdog, seconds: float) -> None:
        """Let it look each second for a while."""
        for _ in range(round(seconds / POLL_S)):
            self.mono_s += POLL_S
            self.wall_s += POLL_S
            watchdog.look()


def test_loop_that_hangs_is_ended() -> None:
    """One second after its patience is over, and not before."""
    machine = Machine()
    watchdog = machine.watchdog()
    machine.looks(watchdog, 30)
    assert machine.done == []
    machine.looks(watchdog, 1)
    assert machine.done == [("late", 31), WATCHDOG_EXIT]


def test_loop_that_moves_lives() -> None:
    """A beat now and then is enough."""
    machine = Machine()
    watchdog = machine.watchdog()
    for _ in range(10):
        machine.looks(watchdog, 29)
        watchdog.pulse.beat()
    assert machine.done == []


def test_process_that_was_paused_is_not_ended() -> None:
    """After an hour of SIGSTOP the watchdog itself is late; the loop gets its time anew."""
    machine = Machine()
    watchdog = machine.watchdog()
    machine.looks(watchdog, 5)
    machine.mono_s += 3600
    machine.wall_s += 3600
    machine.looks(watchdog, 29)
    assert machine.done == []
    machine.looks(watchdog, 3)
    assert machine.done == [("late", 31), WATCHDOG_EXIT]


def test_clock_that_is_set_wakes_the_loop() -> None:
    """The scheduler waits by the wall clock: set back by a year, it would wait for a year."""
    machine = Machine()
    watchdog = machine.watchdog()
    machine.looks(watchdog, 2)
    machine.wall_s -= 365 * 86_400
    machine.looks(watchdog, 2)
    assert machine.done == ["jumped"]
    machine.wall_s += 2  # NTP slews by little
    machine.looks(watchdog, 2)
    assert machine.done == ["jumped"]


def test_watchdog_ends_the_process_even_if_it_cannot_say_so() -> None:
    """A log that cannot be written does not keep a hung process alive."""
    machine = Machine()
    watchdog = machine.watchdog()

    def broken(_: float) -> None:
        raise OSError

    watchdog.late = broken
    machine.mono_s += 1
    watchdog.look()
    watchdog.pulse.at_s -= 60
    machine.mono_s += 1
    with suppress(OSError):
        watchdog.look()
    assert machine.done == [WATCHDOG_EXIT]


def test_patience() -> None:
    """Three ticks and the longest run."""
    assert patience_s(300, 120) == 1020
