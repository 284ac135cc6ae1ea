"""Looking things up in the trail."""

import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from rotator.audit.directory import source
from rotator.audit.directory.source import DirectorySource
from rotator.audit.record import EventKind, Record
from rotator.audit.sources import Criteria
from rotator.model.errors import AuditUnavailableError
from rotator.model.plan import OutcomeKind
from tests.unit.audit.builders import (
    ARN,
    KEY,
    START,
    TickingClock,
    a_finished_file,
    a_rotation,
    a_trail,
    an_end,
    query,
    record_rotation,
)

EVENTS = 1 + len(list(a_rotation()))


def test_a_query_finds_by_each_criterion(directory: Path) -> None:
    """Secret, run, key and time each narrow what is found, alone and together."""
    with a_trail(directory) as trail:
        first = record_rotation(trail, "one")
        record_rotation(trail, "two")
    records = list(query(directory))
    assert len(records) == 2 * EVENTS
    assert [r.sequence for r in query(directory, Criteria(secret="one"))] == list(range(1, EVENTS + 1))
    assert {r.secret for r in query(directory, Criteria(run_id=first))} == {"one"}
    assert {r.operation for r in query(directory, Criteria(key_id=KEY))} == {
        "CreateApiKey",
        "VerifyApiKey",
        "Promote",
        "EndRun",
    }
    assert [r.operation for r in query(directory, Criteria(key_id="old-key", secret="two"))] == ["EndRun"]
    middle = records[EVENTS].time
    assert {r.secret for r in query(directory, Criteria(until=middle))} == {"one"}
    assert {r.secret for r in query(directory, Criteria(since=middle))} == {"two"}
    assert list(query(directory, Criteria(secret="three"))) == []


def test_a_query_reads_on_over_spoilt_lines(directory: Path) -> None:
    """A line that is no event hides none of the others."""
    path = a_finished_file(directory)
    first, *rest = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(first + b"spoilt\n" + b"".join(rest))
    assert len(list(query(directory))) == EVENTS


def test_a_query_reads_what_is_being_written(directory: Path) -> None:
    """Files of living processes are read, finished or not, in the order they began."""
    a_finished_file(directory, "finished")
    with a_trail(directory, ids="later", clock=TickingClock(START + timedelta(days=1))) as trail:
        trail.begin("running", ARN)
        assert [r.secret for r in query(directory)] == ["finished"] * EVENTS + ["running"]


def test_a_link_is_an_error(directory: Path, tmp_path: Path) -> None:
    """A symbolic link is not followed, and not passed over in silence."""
    (tmp_path / "elsewhere").write_bytes(b"")
    (directory / "20270101T000000Z-0123456789.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(AuditUnavailableError, match="cannot be read"):
        list(query(directory))
    with pytest.raises(AuditUnavailableError, match="cannot be read"):
        DirectorySource(directory).last_outcomes(["uploader"])


def _record_end(directory: Path, secret: str, outcome: OutcomeKind, now: datetime) -> Path:
    """Record a short run in a file of its own, last written at `now`."""
    before = set(directory.iterdir())
    with a_trail(directory, ids=f"{now}", clock=TickingClock(now)) as trail:
        trail.begin(secret, ARN).record(an_end(outcome))
    (made,) = set(directory.iterdir()) - before
    os.utime(made, (now.timestamp() + 5, now.timestamp() + 5))
    return made


def test_the_last_outcome_is_the_latest_of_all_files(directory: Path) -> None:
    """However files and secrets are mixed, each secret shows its latest end."""
    for hours, secret, outcome in (
        (0, "one", OutcomeKind.FAILED),
        (1, "two", OutcomeKind.WAITING),
        (2, "one", OutcomeKind.ROTATED),
        (3, "three", OutcomeKind.HELD),
    ):
        _record_end(directory, secret, outcome, START + timedelta(hours=hours))
    found = DirectorySource(directory).last_outcomes(["one", "two", "never"])
    assert {name: record.result for name, record in found.items()} == {"one": "rotated", "two": "waiting"}


def test_old_files_are_not_read_for_the_last_outcome(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once every secret is found, files that were written to earlier stay closed."""
    for hours in range(5):
        newest = _record_end(directory, "one", OutcomeKind.UP_TO_DATE, START + timedelta(hours=hours))
    read: list[Path] = []
    records = source._records

    def watched(path: Path) -> Iterator[Record]:
        read.append(path)
        return records(path)

    monkeypatch.setattr(source, "_records", watched)
    assert DirectorySource(directory).last_outcomes(["one"])["one"].time > START + timedelta(hours=4)
    assert read == [newest]


def test_a_file_that_began_earlier_may_have_the_later_outcome(directory: Path) -> None:
    """A daemon's old file beats a newer file of the command line, if it was written to later."""
    clock = TickingClock(START)
    with a_trail(directory, ids="daemon", clock=clock) as daemon:
        run = daemon.begin("one", ARN)
        _record_end(directory, "one", OutcomeKind.FAILED, START + timedelta(hours=1))
        clock.now = START + timedelta(hours=2)
        run.record(an_end(OutcomeKind.ROTATED))
        assert DirectorySource(directory).last_outcomes(["one"])["one"].result == "rotated"


def test_a_file_that_was_written_to_last_may_have_an_older_outcome(directory: Path) -> None:
    """What the first file says of a secret counts only until a later end of it turns up."""
    clock = TickingClock(START)
    with a_trail(directory, ids="daemon", clock=clock) as daemon:
        daemon.begin("one", ARN).record(an_end(OutcomeKind.FAILED))
        _record_end(directory, "one", OutcomeKind.ROTATED, START + timedelta(hours=1))
        clock.now = START + timedelta(hours=2)
        daemon.begin("two", ARN).record(an_end(OutcomeKind.FAILED))
        assert DirectorySource(directory).last_outcomes(["one"])["one"].result == "rotated"


def test_an_interrupted_run_is_the_last_outcome(directory: Path) -> None:
    """A run that was cut off and closed by a later process shows as such."""
    crashed = a_trail(directory)
    crashed.begin("one", ARN)
    crashed.close()
    with a_trail(directory, ids="next") as trail:
        record_rotation(trail, "two")
    assert DirectorySource(directory).last_outcomes(["one"])["one"].kind is EventKind.RECOVERED
