"""What the page is given of one secret's audit trail: the newest part, in time, and a few readings at once."""

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from itertools import chain
from pathlib import Path

import pytest

from rotator.audit.record import Record
from rotator.config.file import load
from rotator.daemon.timelines import AT_ONCE, READ_S, RUNS_MAX, Part, Timelines, timelines
from rotator.model.errors import AuditUnavailableError
from rotator.page.sources import IDLE_MAX, TOLD_FOR
from tests import page_fleets
from tests.page_fleets import DAY, HOUR, NOW, an_idle_run
from tests.unit.audit.builders import TickingClock, a_trail, record_rotation

PATIENCE_S = 600.0


def a_rotation(generation: int, time: datetime) -> list[Record]:
    """Return what a run records that makes a generation current."""
    steps = page_fleets.a_rotation(generation, time)
    return [replace(record, sequence=number) for number, record in enumerate(steps, start=1)]


def reads(*runs: list[Record]) -> Timelines:
    """Return what reads these runs, each a part."""
    return Timelines(lambda _: (partial(list, run) for run in runs))


def until_all_turns_are_free(timelines: Timelines) -> None:
    """Wait until no reading is under way."""
    for _ in range(AT_ONCE):
        assert timelines.turns.acquire(timeout=PATIENCE_S)
    timelines.turns.release(AT_ONCE)


def test_what_is_in_two_places_is_told_once_and_by_time() -> None:
    """The order in which the parts were read does not matter."""
    old, new = a_rotation(1, NOW - DAY), a_rotation(2, NOW)
    told = reads(new, [*old, *new])("uploader")
    assert (list(told.records), told.cut) == ([*old, *new], "")


def test_a_secret_without_records_is_no_error() -> None:
    """Nothing there is not the same as nothing read."""
    assert reads()("uploader").records == ()


def test_of_idle_runs_the_newest_are_told() -> None:
    """However many there are, the runs with an effect are all there."""
    idle = [an_idle_run(NOW - number * HOUR) for number in range(IDLE_MAX + 10)]
    told = reads(a_rotation(1, NOW - 30 * DAY), list(chain.from_iterable(idle)))("uploader")
    assert {record.run_id for record in told.records} == {"00000001-run", *(run[0].run_id for run in idle[:IDLE_MAX])}
    assert told.cut == ""


@pytest.mark.parametrize("whole", [True, False], ids=["a part", "a part for each run"])
def test_of_many_runs_the_newest_are_told(*, whole: bool) -> None:
    """That there are more is said."""
    runs = [a_rotation(number, NOW + number * HOUR) for number in range(RUNS_MAX, -1, -1)]
    told = (reads(list(chain.from_iterable(runs))) if whole else reads(*runs))("uploader")
    assert {record.run_id for record in told.records} == {run[0].run_id for run in runs[:-1]}
    assert told.cut == f"it has more than {RUNS_MAX} runs"


def test_what_is_not_read_in_time_is_left_out_with_all_before_it() -> None:
    """The page gets the newest runs without a hole; readings that hang keep their turns, and others are refused."""
    let_go = threading.Event()

    def slow() -> list[Record]:
        let_go.wait(PATIENCE_S)
        return a_rotation(2, NOW - DAY)

    newest, oldest = a_rotation(3, NOW), a_rotation(1, NOW - 2 * DAY)
    beginnings: Iterator[Part] = iter((lambda: newest, slow))
    hanging = Timelines(lambda _: iter((next(beginnings), slow, lambda: oldest)))
    told = hanging("uploader")
    assert (list(told.records), told.cut) == (newest, f"it was not read to its end within {READ_S:g} s")
    with pytest.raises(AuditUnavailableError, match="nothing of it was read within 5 s"):
        hanging("uploader")
    with pytest.raises(AuditUnavailableError, match="2 readings of it are under way"):
        hanging("uploader")
    let_go.set()
    until_all_turns_are_free(hanging)


@pytest.mark.parametrize("error", [AuditUnavailableError("denied", next_step=""), ZeroDivisionError()])
def test_what_fails_is_raised_and_frees_its_turn(error: Exception) -> None:
    """In a part, and while the parts are looked for."""

    def fail() -> list[Record]:
        raise error

    def parts() -> Iterator[Part]:
        yield from ()
        raise error

    for failing in (Timelines(lambda _: iter((fail,))), Timelines(lambda _: parts())):
        for _ in range(AT_ONCE + 1):
            with pytest.raises(type(error)):
                failing("uploader")
            until_all_turns_are_free(failing)


def test_the_configured_trail_is_read_as_far_as_a_year_back(tmp_path: Path) -> None:
    """A directory needs no AWS; the configuration is the one that is in force when the page asks."""
    directory = tmp_path / "audit"
    directory.mkdir(mode=0o700)
    clock = TickingClock(NOW.now(NOW.tzinfo) - TOLD_FOR - DAY)
    with a_trail(directory, clock=clock) as trail:
        record_rotation(trail)
        clock.now += 2 * DAY
        record_rotation(trail, "gateway")
        wanted = record_rotation(trail)
    config = tmp_path / "rotator.toml"
    config.write_text(
        '[pinata]\nadmin_secret = "a"\n[audit]\ndirectory = "audit"\n'
        '[[secrets]]\nname = "uploader"\nsecret_id = "s"\npermissions = { resources = ["org:files:write"] }\n'
    )
    config.chmod(0o600)
    told = timelines(lambda: load(config), {})("uploader")
    assert {record.run_id for record in told.records} == {wanted}
