"""What the report makes of records: two places, broken copies, roll-backs, runs without an end, hostile texts."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from rotator.audit.lives import key_lives
from rotator.audit.record import EventKind, Record
from rotator.audit.report import Deviation, Period, ReportedSecret, _kept, report_secrets
from rotator.audit.sources import Criteria
from rotator.audit.verify import ANY_TERMS, Terms, VerificationReport
from rotator.model.events import Operation, Result, Subject
from rotator.page.report import render_report
from tests.page_fleets import DAY, HOSTILE, HOUR, NOW, a_failed_run, a_record, a_retirement, a_rotation, an_idle_run

SECOND = timedelta(seconds=1)
PERIOD = Period(NOW - 30 * DAY, NOW, NOW)


@dataclass
class Memory:
    """A place of the trail, in memory."""

    held: Sequence[Record]

    def records(self, criteria: Criteria) -> Iterator[Record]:
        """Yield what fits."""
        return filter(criteria.fit, self.held)

    def last_outcomes(self, secrets: Collection[str], since: datetime | None = None) -> dict[str, Record]:
        """Not asked by a report."""
        raise NotImplementedError

    def endings(self, since: datetime) -> list[Record]:
        """Not asked by a report."""
        raise NotImplementedError

    def verify(self, terms: Terms = ANY_TERMS) -> VerificationReport:
        """Not asked here."""
        raise NotImplementedError


def numbered(records: Sequence[Record]) -> list[Record]:
    """Return the records of one run with their numbers, and a call id for each."""
    return [replace(r, sequence=n, call_uid=f"{r.run_id}.{n}") for n, r in enumerate(records, start=1)]


def reported(*places: Sequence[Record], period: Period = PERIOD) -> ReportedSecret:
    """Return the only secret of a report over some places."""
    (secret,) = report_secrets([Memory(place) for place in places], (), period)
    return secret


def kinds(secret: ReportedSecret) -> list[Deviation]:
    """Return the kinds of a secret's exceptions."""
    return [one.kind for one in secret.exceptions]


def test_what_is_in_two_places_is_told_once() -> None:
    """A run whose copy broke off in one place, and was closed there, has ended as the other place says."""
    whole = numbered(a_rotation(2, NOW - 9 * DAY))
    begun = numbered(a_rotation(1, NOW - 20 * DAY))
    crash = a_record(EventKind.RECOVERED, NOW - 8 * DAY, whole[0].run_id, sequence=5, detail="the run did not end")
    secret = reported([*begun, *whole], [*begun, *whole[:4], crash])
    assert [one.key_id for one in secret.rotations] == ["key-1", "key-2"]
    assert secret.rotations[1].ended_at == whole[-1].time
    assert kinds(secret) == [Deviation.KEY_ALIVE_AFTER_REPLACEMENT]


def test_runs_that_did_nothing_are_not_kept() -> None:
    """However often rotator looked, memory holds what happened; the first and the last look are known."""
    idle = [record for hour in range(24 * 20) for record in an_idle_run(NOW - hour * HOUR - SECOND)]
    kept = _kept([Memory(sorted([*idle, *numbered(a_rotation(1, NOW - 9 * DAY))], key=lambda r: r.time))], NOW)
    assert {run_id for run_id, _, _ in kept["uploader"].records} == {"00000001-run"}
    assert kept["uploader"].first_at == min(record.time for record in idle)
    assert kept["uploader"].last_at == NOW - SECOND


def lost_promotion(result: Result | None) -> list[Record]:
    """Return two rotations of which the second one's promotion has this result, or no record of any."""
    run = numbered(a_rotation(2, NOW - 9 * DAY))
    promote = run[5]
    intent = replace(promote, kind=EventKind.INTENT, result="intent")
    known = [replace(promote, sequence=7, result=result)] if result else []
    crash = a_record(EventKind.RECOVERED, NOW - 8 * DAY, run[0].run_id, sequence=8, detail="the run did not end")
    return [*numbered(a_rotation(1, NOW - 20 * DAY)), *run[:5], intent, *known, crash]


def a_look(key_id: str) -> list[Record]:
    """Return an idle run that found a key current."""
    run = numbered(an_idle_run(NOW - 7 * DAY))
    return [*run[:-1], replace(run[-1], subject=Subject(key_id=key_id))]


@pytest.mark.parametrize("result", [None, Result.UNKNOWN])
def test_a_promotion_that_a_later_run_found_is_one(result: Result | None) -> None:
    """Its answer was lost, yet the next run, which had nothing to do, found its key current."""
    secret = reported([*lost_promotion(result), *a_look("key-2")])
    assert [one.key_id for one in secret.rotations] == ["key-1", "key-2"]
    assert secret.keys[0].current_to == secret.keys[1].current_from == NOW - 9 * DAY + 4 * SECOND
    assert kinds(secret) == [Deviation.KEY_ALIVE_AFTER_REPLACEMENT, Deviation.RUN_CUT_SHORT]


@pytest.mark.parametrize(("result", "found"), [(None, "key-1"), (Result.UNKNOWN, "key-1"), (Result.FAILURE, "key-2")])
def test_a_promotion_without_such_a_witness_is_none(result: Result | None, found: str) -> None:
    """If the old key was still current, or the call is known to have failed, nothing was replaced."""
    secret = reported([*lost_promotion(result), *a_look(found)])
    assert [one.key_id for one in secret.rotations] == ["key-1"]
    assert secret.keys[0].current_to is None
    assert Deviation.KEY_NEVER_CURRENT in kinds(secret)


@pytest.mark.parametrize("result", [None, Result.UNKNOWN])
def test_a_promotion_that_nobody_has_looked_at_since_is_in_doubt(result: Result | None) -> None:
    """Its key may be current: the report calls it neither promoted nor never current."""
    secret = reported(lost_promotion(result))
    assert [one.key_id for one in secret.rotations] == ["key-1"]
    assert kinds(secret) == [Deviation.RUN_CUT_SHORT]


def test_a_key_that_was_rolled_back_to_is_current_again() -> None:
    """It is no old key that outlived its replacement; the newer one is."""
    run = numbered(a_rotation(3, NOW - 5 * DAY))
    again = Subject("g000003-20261119T120000Z-0123456789", "key-1")
    back = [replace(record, subject=again) for record in run if record.operation != Operation.CREATE_KEY]
    records = [*a_rotation(1, NOW - 20 * DAY), *a_rotation(2, NOW - 9 * DAY), *back]
    lives = {life.key_id: life for life in key_lives(records)}
    assert (lives["key-1"].superseded_at, lives["key-2"].superseded_at) == (None, NOW - 5 * DAY + 4 * SECOND)
    secret = reported(records)
    assert [(one.key_id, one.old_key_id) for one in secret.rotations] == [
        ("key-1", None),
        ("key-2", "key-1"),
        ("key-1", "key-2"),
    ]
    assert [one.key_id for one in secret.exceptions] == ["key-2"]


def test_a_run_without_an_end() -> None:
    """As of the end of the period it has none; what came later closes it in the next report."""
    begun = numbered(a_rotation(1, NOW - DAY))[:3]
    crash = a_record(EventKind.RECOVERED, NOW + DAY, begun[0].run_id, sequence=4, detail="the run did not end")
    now, later = reported([*begun, crash]), reported([*begun, crash], period=Period(NOW, NOW + 9 * DAY, NOW + 9 * DAY))
    assert kinds(now) == [Deviation.RUN_WITHOUT_END, Deviation.KEY_NEVER_CURRENT]
    assert kinds(later) == [Deviation.KEY_NEVER_CURRENT, Deviation.RUN_CUT_SHORT]


def test_the_bounds_of_a_period() -> None:
    """What happened at its start belongs to it, and what happened at its end to the next one."""
    at_start, at_end = a_failed_run(PERIOD.start), a_failed_run(PERIOD.end)
    assert [one.at for one in reported([*at_start, *at_end]).exceptions] == [PERIOD.start]
    dead_before = [
        *a_rotation(1, NOW - 60 * DAY),
        *a_rotation(2, NOW - 50 * DAY),
        *a_retirement("key-1", NOW - 49 * DAY),
    ]
    assert [key.key_id for key in reported(dead_before).keys] == ["key-2"]


def a_report(secret: ReportedSecret, **changes: Any) -> dict[str, object]:  # noqa: ANN401 - any part
    """Return a report with one secret, as the page takes it."""
    verification = {"verdict": "intact", "meaning": "intact", "places": []}
    made_by = {"program": "rotator", "version": "1.0.0", "host": "runner-1"}
    return {
        "made_at": NOW,
        "made_by": made_by,
        "period": PERIOD,
        "verification": verification,
        "not_shown": (),
        "secrets": (secret,),
    } | changes


@pytest.mark.parametrize("text", HOSTILE)
def test_texts_from_outside_do_no_harm(text: str) -> None:
    """Whatever stands in a changed trail is shown as text, and never becomes a part of the page."""
    writer = a_record(EventKind.STARTED, NOW).writer
    hostile = replace(writer, trigger=text, user=text, hostname=text)
    tagged = a_record(
        EventKind.DONE,
        NOW - HOUR,
        text,
        operation=Operation.TAG,
        result=text,
        subject=Subject(label=f"rotator:hold={text}"),
        writer=hostile,
    )
    failed = [replace(record, writer=hostile, run_id="failed") for record in a_failed_run(NOW - DAY, text)]
    records = [replace(record, secret=text, arn=text) for record in [*a_rotation(1, NOW - 9 * DAY), *failed, tagged]]
    finding = {"file": text, "line": None, "flaw": "altered", "run_id": text, "sequence": None, "detail": text}
    place = {"where": text, "verdict": "broken", "files": 1, "runs": 1, "events": 1, "in_progress": 0}
    places = [place | {"findings": [finding], "findings_left_out": 1}]
    verification = {"verdict": "broken", "meaning": text, "places": places}
    page = render_report(a_report(reported(records), verification=verification)).decode()
    plain = render_report(a_report(reported(a_rotation(1, NOW - 9 * DAY)))).decode()
    assert page.count("<script") == page.count("<img") == page.count("onerror=alert(1)>") == 0
    assert page.count("<style>") == plain.count("<style>") == 1
    assert page.isprintable() or all(char.isprintable() or char == "\n" for char in page.replace("\u202f", " "))
