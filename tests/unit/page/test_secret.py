"""One secret's page: its facts, what to do, its keys over time, its runs."""

import re
from dataclasses import replace
from datetime import timedelta

import pytest
from markupsafe import escape

from rotator.audit.lives import RUNS_MAX, key_lives, runs
from rotator.audit.record import EventKind, Record
from rotator.model.events import Operation, Result, Subject
from rotator.model.reasons import Reason
from rotator.model.status import OldKey, SecretStatus, next_command
from rotator.page.drawing import LANES_MAX, age_bar, strip, timeline
from rotator.page.headline import Level
from rotator.page.states import State
from tests.page_fleets import (
    DAY,
    HOUR,
    NOW,
    a_failed_run,
    a_fleet,
    a_record,
    a_retirement,
    a_rotation,
    a_status,
    a_story,
    an_idle_run,
    sources,
)
from tests.unit.page.wsgi import ask

STEPS = {
    "hold": (a_status(person="hold", reason=Reason.ON_HOLD, secret_id="prod/a b", hold=""), "rotator release uploader"),
    "drift": (a_status(person="x", reason=Reason.DRIFTED), "rotator rotate uploader"),
    "other": (a_status(person="x", reason=Reason.TOO_MANY_KEYS), "rotator plan uploader"),
    "failing": (a_status(error="no answer"), "rotator history uploader"),
    "late": (a_status(due_at=NOW - DAY), "rotator plan uploader"),
    "old key overdue": (a_status(old_keys=(OldKey("k", NOW),)), "rotator plan uploader"),
    "deleted": (
        a_status(person="x", reason=Reason.TO_BE_DELETED),
        "aws secretsmanager restore-secret --secret-id prod/pinata/uploader",
    ),
}


@pytest.mark.parametrize(("status", "command"), STEPS.values(), ids=STEPS)
def test_next_step(status: SecretStatus, command: str) -> None:
    """The page names the command that gets on: the one that `rotator status` names."""
    assert escape(next_command(status, NOW)) == command
    text = ask(sources(a_fleet(status)), "/secret/uploader").text
    assert f"<code>{command}</code></pre>" in text


def test_a_secret_that_is_fine_asks_for_nothing() -> None:
    """Without a problem there is no call to action."""
    assert "callout" not in ask(sources(), "/secret/uploader").text


def test_all_facts_are_shown() -> None:
    """Ids, exact times, window, old keys and orphans stand on the page."""
    status = a_status(
        window="Sat 01:00-05:00 UTC",
        window_open=False,
        orphans=2,
        failures=3,
        error="Pinata did not answer",
        old_keys=(OldKey("old-1", NOW + HOUR), OldKey("old-2", NOW - DAY)),
    )
    text = ask(sources(a_fleet(status)), "/secret/uploader").text.replace("\u202f", " ")
    for shown in (
        status.arn,
        status.secret_id,
        "2026-11-12 12:00:00 UTC",
        "2026-12-12 12:00:00 UTC",
        "Sat 01:00-05:00 UTC",
        "closed now",
        "3 failures in a row",
        "Pinata did not answer",
        "old-1",
        "is revoked in 1 h",
        "overdue by 24 h",
    ):
        assert shown in text, shown


def test_the_drawing_has_words() -> None:
    """The timeline is an image with a title and a description, and the table below names every key on it."""
    text = ask(sources(records=a_story()), "/secret/uploader").text
    assert re.search(r'<svg class="timeline" role="img" aria-labelledby="tl-title tl-desc"', text)
    assert '<title id="tl-title">Keys of uploader over time</title>' in text
    assert "5 keys, the latest on top, from 2026-08-15" in text
    table = text[text.index("Keys, the latest first") :]
    for key in ("key-9", "key-10", "key-11", "key-12", "made-by-hand"):
        assert key in table


def test_a_secret_without_records_says_so() -> None:
    """Before the first rotation there is nothing to draw."""
    text = ask(sources(), "/secret/uploader").text
    assert "shows no key yet" in text
    assert "<figure" not in text


def test_lives_of_keys() -> None:
    """Creation, promotion, succession, revocation and death are read from the records."""
    lives = {life.key_id: life for life in key_lives(a_story())}
    assert list(lives) == ["made-by-hand", "key-9", "key-10", "key-11", "key-12"]
    ten, now, foreign = lives["key-10"], lives["key-12"], lives["made-by-hand"]
    assert ten.generation == 10
    assert ten.created_at
    assert ten.promoted_at
    assert ten.superseded_at == lives["key-11"].promoted_at
    assert ten.revoked_at
    assert ten.dead_at == ten.revoked_at + timedelta(seconds=3)
    assert (now.superseded_at, now.revoked_at, now.dead_at) == (None, None, None)
    assert (foreign.generation, foreign.created_at, foreign.promoted_at) == (0, None, None)
    assert foreign.superseded_at == lives["key-9"].promoted_at


def test_a_restamped_key_stays_current() -> None:
    """A current value under a new version id is the same key, and is not superseded by itself."""
    again = [
        replace(record, subject=Subject("g000013-20261123T120000Z-0123456789", "key-12"))
        for record in a_rotation(13, NOW - DAY)
        if record.operation in {Operation.PUT_PENDING, Operation.PROMOTE}
    ]
    life = key_lives((*a_rotation(12, NOW - 9 * DAY), *again))[-1]
    assert (life.key_id, life.generation, life.superseded_at) == ("key-12", 13, None)


def test_failed_calls_tell_no_life() -> None:
    """A call that failed, or whose outcome is unknown, changes no key's life."""
    assert key_lives(a_failed_run(NOW)) == ()
    refused = [
        replace(record, result=Result.FAILURE)
        for record in a_retirement("key-12", NOW)
        if record.kind is EventKind.DONE
    ]
    [life] = key_lives((*a_rotation(12, NOW - DAY), *refused))
    assert (life.revoked_at, life.dead_at) == (None, None)


def test_runs_that_found_nothing_are_counted_only() -> None:
    """Idle runs are not told, but their number is; the newest run comes first."""
    told, left_out = runs(a_story())
    assert left_out == 40
    assert [run.outcome for run in told].count("failed") == 1
    assert [run.time for run in told] == sorted((run.time for run in told), reverse=True)
    many = [r for n in range(RUNS_MAX + 7) for r in a_failed_run(NOW - n * HOUR)]
    told, left_out = runs(many)
    assert (len(told), left_out) == (RUNS_MAX, 7)


def test_a_run_without_end() -> None:
    """A run that a crash cut short is told as such; one that goes on is running."""
    begun = a_rotation(12, NOW)[:3]
    crash = a_record(EventKind.RECOVERED, NOW, begun[0].run_id, detail="the run did not end")
    assert runs(begun)[0][0].outcome == "running"
    [told] = runs([*begun, crash])[0]
    assert (told.outcome, told.detail) == ("cut short", "the run did not end")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (Result.SUCCESS, "Promoted to AWSCURRENT"),
        (Result.FAILURE, "Failed to promote it to AWSCURRENT"),
        (Result.UNKNOWN, "It is not known whether it could promote it to AWSCURRENT"),
    ],
)
def test_steps_in_words(result: Result, said: str) -> None:
    """A step says what was done, was not, or may have been."""
    record = a_record(EventKind.DONE, NOW, operation=Operation.PROMOTE, result=result)
    assert runs([record])[0][0].steps[0].text == said


def test_every_operation_has_words() -> None:
    """No operation is told by its code."""
    for operation in Operation:
        record = a_record(EventKind.DONE, NOW, operation=operation, result=Result.SUCCESS)
        assert runs([record])[0][0].steps[0].text != operation


def a_long_story() -> list[Record]:
    """Return the records of thirty rotations."""
    records: list[Record] = []
    for generation in range(1, 31):
        time = NOW - (31 - generation) * DAY
        records += a_rotation(generation, time)
        if generation > 1:
            records += a_retirement(f"key-{generation - 1}", time + HOUR)
    return records


@pytest.mark.parametrize(
    "records",
    [a_story(), a_long_story(), a_rotation(1, NOW), a_rotation(1, NOW + HOUR), a_retirement("k", NOW)],
    ids=["story", "long", "just now", "clock behind", "revocation alone"],
)
@pytest.mark.parametrize("due_at", [None, NOW - DAY, NOW + HOUR, NOW + 4_000 * DAY])
def test_a_timeline_stays_within_its_frame(records: list[Record], due_at: object) -> None:
    """Whatever the records say, every piece lies between 0 and 100 percent, and few ticks mark the time."""
    told, _ = runs(records)
    drawn = timeline(key_lives(records), told, due_at, NOW)  # type: ignore[arg-type]  # a table of times
    assert drawn
    assert 0 < len(drawn.lanes) <= LANES_MAX
    assert len(drawn.lanes) + drawn.left_out == len(key_lives(records))
    assert len(drawn.ticks) <= 7
    places = [drawn.now, *drawn.troubles, *(tick.x for tick in drawn.ticks)]
    places += [piece.start for lane in drawn.lanes for piece in lane.pieces]
    assert all(0 <= place <= 100 for place in places)
    assert all(lane.pieces for lane in drawn.lanes)


def test_an_idle_secret_has_no_timeline() -> None:
    """Runs without effect leave nothing to draw."""
    assert timeline(key_lives(an_idle_run(NOW)), (), None, NOW) is None


@pytest.mark.parametrize(
    ("age", "due_in", "level"),
    [
        (DAY, DAY, Level.FINE),
        (29 * DAY, -DAY, Level.WATCH),
        (31 * DAY, -DAY, Level.ACT),
        (400 * DAY, -DAY, Level.ACT),
        (-DAY, DAY, Level.FINE),
    ],
)
def test_age_bar(age: timedelta, due_in: timedelta, level: Level) -> None:
    """The bar fills towards `max_age`, overshoots it, and never leaves its frame."""
    bar = age_bar(a_status(born_at=NOW - age, due_at=NOW + due_in), NOW)
    assert bar
    assert bar.level is level
    assert 0 <= bar.filled <= 100
    assert (bar.filled > bar.limit) == (age > 30 * DAY)


def test_no_age_no_bar() -> None:
    """A key of unknown age has no bar."""
    assert age_bar(a_status(born_at=None), NOW) is None


def test_the_strip_shows_what_is_rare() -> None:
    """One secret of ten thousand is still seen, and the strip is filled exactly."""
    pieces = strip({State.PERSON: 1, State.LATE: 0, State.FRESH: 9_999})
    assert [piece.kind for piece in pieces] == ["person", "fresh"]
    assert pieces[0].width > 0.5
    assert sum(piece.width for piece in pieces) == pytest.approx(100, abs=0.05)
    assert strip({State.FRESH: 0}) == ()
