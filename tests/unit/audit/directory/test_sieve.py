"""Reading only what was asked for finds what reading everything finds, in any trail."""

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import BinaryIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.audit.attestation import canonical
from rotator.audit.chain import Chain
from rotator.audit.directory import files, sieve
from rotator.audit.directory.sieve import Sieve
from rotator.audit.directory.source import DirectorySource
from rotator.audit.event import parse
from rotator.audit.record import Record, Recovered, RunIdentity, Started
from rotator.audit.sources import Criteria
from rotator.model.events import Done, Operation, Result, Subject
from tests.unit.audit.builders import ARN, START, WRITER, Lines, TickingClock, a_finished_file, a_trail, an_end, query

NAMES = ("up", "uploader", "uploader/eu", 'a"b', "a\\b", "a/b", "tab\there", "\x01", "größe", "ended", "\u2028", "")
KEYS = ("old-key", "key", "key-2", "uploader")
HOUR = timedelta(hours=1)
Rewrite = Callable[[bytes], bytes]


def _rewritten(**options: object) -> Rewrite:
    """Return what writes a line's JSON in another way that says the same."""
    return lambda line: json.dumps(json.loads(line), **options).encode() + b"\n"  # type: ignore[arg-type]  # passed on


def _twice_timed(line: bytes) -> bytes:
    """Return a line that names two times, of which a parser takes the last."""
    return line.replace(b'"time":', b'"time":1,"time":', 1)


def _timed_within(line: bytes) -> bytes:
    """Return a line with another time in a field of its own."""
    event = json.loads(line)
    event["unmapped"]["time"] = 1
    return canonical(event) + b"\n"


REWRITES: tuple[Rewrite, ...] = (
    bytes,
    _rewritten(),
    _rewritten(ensure_ascii=False, separators=(",", ":")),
    lambda line: line.replace(b"/", b"\\/"),
    lambda line: line.replace(b"ended", b"\\u0065nded").replace(b"up", b"\\u0075p"),
    lambda line: line.replace(b'"time":', b'"time" : '),
    lambda line: line.replace(b'"time"', b'"t\\u0069me"'),
    _twice_timed,
    _timed_within,
    lambda line: line[:-9] + b"\n",
    lambda line: line[:-9],
    lambda line: line.rstrip(),
    lambda line: line + line,
    lambda _: b"\n",
    lambda _: b"\xff\n",
    lambda line: b"[" + line.rstrip() + b"]\n",
    lambda line: b"x" * 9_000 + b"\n" + line,
    lambda line: b"x" * (2 * 4_096) + line,
)


def _lines_of(run: RunIdentity, now: datetime, key_id: str) -> list[bytes]:
    """Return the lines of a short run that begins at a time."""
    sink = Lines()
    chain = Chain(run, WRITER, sink, TickingClock(now))
    done = Done(Operation.CREATE_KEY, Subject("v", key_id, "name"), Result.SUCCESS, 'said "time":12,')
    for entry in (Started(), done, Recovered(()) if key_id == "key-2" else an_end()):
        chain.add(entry)
    return sink.written


@st.composite
def _files(draw: st.DrawFn) -> dict[str, tuple[bytes, datetime]]:
    """Draw the files of a trail: what is in each, and when it was last written to."""
    made = {}
    for number in range(draw(st.integers(1, 4))):
        began_at = START + draw(st.integers(0, 6)) * HOUR
        now, content = began_at, b""
        for serial in range(draw(st.integers(0, 4))):
            now += draw(st.integers(0, 2)) * HOUR
            run = RunIdentity(f"run-{number}-{serial}", draw(st.sampled_from(NAMES)), ARN)
            for line in _lines_of(run, now, draw(st.sampled_from(KEYS))):
                content += draw(st.sampled_from(REWRITES))(line) if draw(st.integers(0, 3)) == 0 else line
        suffix = draw(st.sampled_from((files.SUFFIX, files.OPEN_SUFFIX)))
        stamp = began_at.strftime(draw(st.sampled_from(("%Y%m%dT%H%M%S.%fZ", "%Y%m%dT%H%M%SZ", "named"))))
        made[f"{stamp}-{number}{suffix}"] = (content, now + timedelta(seconds=4))
    return made


MOMENTS = st.none() | st.integers(-1, 15).map(lambda hours: START + hours * HOUR + timedelta(microseconds=1_000_500))
CRITERIA = st.builds(
    Criteria,
    secret=st.none() | st.sampled_from(NAMES),
    key_id=st.none() | st.sampled_from(KEYS),
    run_id=st.none() | st.sampled_from(("run-0-0", "run-1-0", "run-1", "")),
    since=MOMENTS,
    until=MOMENTS,
)


def _all_records(directory: Path) -> list[Record]:
    """Return every record, by parsing every line."""
    found = []
    for path in files.audit_files(directory):
        with files.reading(path) as stream:
            found += [stored.record for line in files.lines(stream) if (stored := parse(line))]
    return found


def _times(records: list[Record]) -> list[tuple[datetime, str]]:
    return sorted((record.time, record.uid) for record in records)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(made=_files(), criteria=CRITERIA, secrets=st.sets(st.sampled_from(NAMES)), block=st.sampled_from((64, 999)))
def test_what_is_found_is_what_a_plain_reader_finds(
    made: dict[str, tuple[bytes, datetime]], criteria: Criteria, secrets: set[str], block: int
) -> None:
    """Records, ends and last outcomes are those of a reader that parses every line of every file, in its order."""
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "LINE_MAX_BYTES", 4_096)
        patch.setattr(sieve, "LINE_MAX_BYTES", 4_096)
        patch.setattr(sieve, "BLOCK_BYTES", block)
        for name, (content, written_at) in made.items():
            path = Path(folder, name)
            path.write_bytes(content)
            os.utime(path, (written_at.timestamp(), written_at.timestamp()))
        source, everything = DirectorySource(Path(folder)), _all_records(Path(folder))
        assert list(source.records(criteria)) == list(filter(criteria.fit, everything))
        ends = [record for record in everything if record.ends_run]
        since = criteria.since or START
        assert _times(source.endings(since)) == _times([end for end in ends if end.time >= since])
        latest = {name: max((end.time for end in ends if end.secret == name), default=None) for name in secrets}
        found = source.last_outcomes(secrets)
        assert {name: end.time for name, end in found.items()} == {name: at for name, at in latest.items() if at}


def test_only_what_may_fit_is_parsed(directory: Path) -> None:
    """Of a file, the lines of another secret, before and after the time, and of no end stay unparsed."""
    path = a_finished_file(directory, "up", "uploader", "loader")
    content = path.read_bytes()
    told = len(content.splitlines()) // 3
    for wanted, count in (
        (Sieve.of(Criteria(secret="up")), told),
        (Sieve.of(Criteria(run_id="run-2")), told),
        (Sieve.of(Criteria(key_id="old-key")), 3),
        (Sieve.of(Criteria(since=START + timedelta(days=1))), 0),
        (Sieve.of(Criteria(until=START)), 0),
        (Sieve.of_ends(), 3),
        (Sieve.of_ends(["up"]), 1),
        (Sieve.of_ends(["up", "loader", *map(str, range(9))]), 2),
        (Sieve(), 3 * told),
    ):
        with files.reading(path) as stream:
            assert len(list(wanted.lines(stream))) == count


def test_files_outside_the_time_stay_closed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written to before, or began after, is not opened; what is in between is."""
    for day in range(4):
        now = START + timedelta(days=day)
        with a_trail(directory, ids=f"{day}", clock=TickingClock(now)) as trail:
            trail.begin("one", ARN).record(an_end())
    for path, day in zip(files.audit_files(directory), range(4), strict=True):
        written_s = (START + timedelta(days=day, seconds=9)).timestamp()
        os.utime(path, (written_s, written_s))
    paths, opened = files.audit_files(directory), files.opened
    read: list[Path] = []

    def watched(path: Path) -> AbstractContextManager[BinaryIO]:
        read.append(path)
        return opened(path)

    monkeypatch.setattr(files, "opened", watched)
    found = query(directory, Criteria("one", since=START + timedelta(days=1), until=START + timedelta(hours=45)))
    assert ({record.run_id for record in found}, read) == ({"1-1"}, paths[1:2])


def test_a_file_that_is_closed_meanwhile_is_read(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that its process renames after it was listed is found under its new name, by time as well."""
    trail = a_trail(directory, clock=TickingClock(datetime.now(UTC) - timedelta(seconds=5)))
    trail.begin("one", ARN).record(an_end())
    listed = files.audit_files(directory)
    assert list(map(files.is_open_name, listed)) == [True]
    trail.close()
    monkeypatch.setattr(files, "audit_files", lambda _: listed)
    since = datetime.now(UTC) - HOUR
    assert [record.secret for record in query(directory, Criteria(since=since))] == ["one", "one"]
    assert len(DirectorySource(directory).endings(since)) == 1
    assert set(DirectorySource(directory).last_outcomes(["one"])) == {"one"}
