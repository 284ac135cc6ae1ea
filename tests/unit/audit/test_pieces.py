"""A line that is read in pieces is judged as every other, whatever was done to it."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from rotator.audit import pieces
from rotator.audit.attestation import canonical, sealed
from rotator.audit.directory import checked
from rotator.audit.event import parse
from rotator.audit.verify import Verdict, VerificationReport, _own_flaws
from rotator.model.errors import Remedy
from rotator.model.events import Decided, Done, Ended, Event, Failure, Intent, Operation, Result, Subject
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from tests.unit.audit.alterations import ALTERATIONS, resealed
from tests.unit.audit.builders import (
    ARN,
    KEY,
    OPEN_FILE,
    VERSION,
    a_rotation,
    a_trail,
    an_intent,
    an_outcome,
    chain_lines,
    verify,
)

IDS = ("run-1", "0f1e2d3c4b5a697887960f1e2d3c4b5a", "run-3", "run-four", "5")
FAILURE = Failure(
    "ProviderDeniedError", Remedy.PERSON, 'Pinata refused: \u201eno\u201c \\ "quoted"', "Look at the key."
)
ASCII_FAILURE = replace(FAILURE, message='Pinata refused: "no"')
IDLE = Ended(OutcomeKind.UP_TO_DATE, Reason.UP_TO_DATE, "", "", (), None)


def _runs() -> list[list[bytes]]:
    """Return the lines of runs of every kind."""
    ends = [Ended(OutcomeKind.FAILED, Reason.AGED_OUT, VERSION, KEY, (), one) for one in (FAILURE, ASCII_FAILURE)]
    label = Subject(VERSION, KEY, label="AWSCURRENT")
    labelled: list[Event] = [Intent(Operation.LABEL, label), Done(Operation.LABEL, label, Result.SUCCESS, "moved")]
    events: tuple[list[Event], ...] = (
        [*a_rotation()],
        [Decided(Reason.UP_TO_DATE, (), 3), IDLE],
        [Decided(Reason.AGED_OUT, ("Revoke",), 7), ends[0]],
        [an_intent(), an_outcome(), ends[1]],
        [*labelled, IDLE],
    )
    return [chain_lines(run_id, more) for run_id, more in zip(IDS, events, strict=True)]


RUNS = _runs()
LINES = [line for run in RUNS for line in run]


def _agree(line: bytes) -> bool:
    """Check what is read in pieces against what is read at once; tell whether it was."""
    sound = pieces.read(line)
    if sound is None:
        return False
    stored = parse(line)
    assert stored is not None
    assert list(_own_flaws(line, stored)) == []
    assert (sound.head, sound.prev_event) == (stored.head, stored.prev_event)
    assert (sound.about, sound.call_uid) == (stored.about, stored.call_uid)
    own = ("run_id", "uid", "call_uid", "time_ms", "secret", "arn", "subject", "revoked")
    assert sound.record == replace(stored.record, **{name: getattr(sound.record, name) for name in own})
    return True


def test_usual_lines_are_read_in_pieces() -> None:
    """Every genuine line is, and says the same, except for one with a text that is not plain."""
    lines = [line for run in RUNS[:-1] for line in run]
    (unusual,) = (line for line in lines if not line.isascii())
    assert [line for line in lines if not _agree(line)] == [unusual]


def _renamed(event: dict[str, Any], run_id: str) -> None:
    """Give an event another run."""
    event |= json.loads(json.dumps(event).replace(IDS[1], run_id))


def _hidden(event: dict[str, Any]) -> None:
    """Put into an event a secret that shows once the fingerprints are left out."""
    digits = "1" * 64
    event["unmapped"]["attestation_list"][0]["prev_event"]["fingerprint"]["value"] = digits
    event["status_detail"] = f"{'G1h2' * 5}{digits}{'K3m4' * 5}"


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e.update(status_detail="Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"),
        lambda e: e["resources"][0].update(name="A1b2" * 10),
        lambda e: e["unmapped"].update(reason="9b" * 32),
        _hidden,
        lambda e: e["metadata"].update(uid=f"{IDS[1]}.77"),
        lambda e: e["metadata"].update(correlation_uid="run-1"),
        lambda e: e["unmapped"]["attestation_list"][0].update(chain_uid="run-1"),
        lambda e: e["api"]["request"].update(uid=IDS[1] + "9b" * 16),
        lambda e: _renamed(e, "9b" * 32),
        lambda e: e.update(time=253_402_300_800_000),
        lambda e: e.update(time=True),
        lambda e: e.update(note=1),
        lambda e: e["resources"][0].update(note=1),
        lambda e: e["unmapped"].update(note=1),
        lambda e: e["actor"].pop("app_name"),
        lambda e: e["unmapped"].pop("kind"),
        lambda e: e["unmapped"]["attestation_list"].append({}),
        lambda e: e["unmapped"]["attestation_list"][0].update(note=1),
    ],
    ids=[
        *("token", "secret-key", "api-secret", "hidden", "uid", "run", "chain", "call", "secret-id", "far-time"),
        *("no-time", "field", "resource", "inner-field", "missing", "no-kind", "two-attestations", "attestation"),
    ],
)
def test_what_is_wrong_by_itself_is_left_to_every_check(change: Callable[[Any], object]) -> None:
    """With a fingerprint that fits, it is not taken for sound."""
    event = json.loads(RUNS[1][1])
    assert _agree(sealed(event) + b"\n")
    change(event)
    line = resealed(canonical(event) + b"\n")
    assert pieces.read(line) is None
    stored = parse(line)
    assert stored is None or list(_own_flaws(line, stored))


@pytest.mark.parametrize("time", [b"01795341208000", b" 1795341208000", b"1795341208000 ", b"1_795_341_208_000", b"-0"])
def test_a_time_in_another_form_is_left_to_every_check(time: bytes) -> None:
    """A number has one form."""
    line = resealed(re.sub(rb'"time":\d+', b'"time":' + time, RUNS[1][1]))
    assert pieces.read(line) is None


def _written(directory: Path) -> tuple[Path, list[bytes]]:
    """Return the file of a process that died, with its lines as the next one left them, which has a file of its own."""
    path = directory / OPEN_FILE
    path.write_bytes(b"".join((*LINES, *chain_lines("cut-short", [*a_rotation()])[:5], LINES[3][:99])))
    path.chmod(0o600)
    with a_trail(directory, ids="later") as trail:
        run = trail.begin("uploader", ARN)
        for event in a_rotation():
            run.record(event)
    closed = path.with_name(path.name.replace(".open", ""))
    return closed, closed.read_bytes().splitlines(keepends=True)


def _judged_at_once(directory: Path, patch: pytest.MonkeyPatch) -> VerificationReport:
    """Return what is found without reading in pieces."""
    with patch.context() as without:
        without.setattr(checked, "read", lambda _: None)
        return verify(directory)


def _attack(directory: Path, patch: pytest.MonkeyPatch, seeds: range) -> None:
    """Alter a trail so often, and have each alteration judged both ways."""
    path, genuine = _written(directory)
    assert verify(directory) == _judged_at_once(directory, patch)
    missed = 0
    for seed in seeds:
        chance, lines = Random(seed), [*genuine]  # noqa: S311 - it alters a trail, and hides nothing
        for _ in range(chance.choice((1, 1, 1, 2, 3))):
            try:
                chance.choice(ALTERATIONS)(chance, lines)
            except (ValueError, LookupError, TypeError, AttributeError):
                continue  # an alteration before left nothing to alter
        for line in set(lines) - set(genuine):
            _agree(line)
        path.write_bytes(b"".join(lines))
        report = verify(directory)
        assert report == _judged_at_once(directory, patch), seed
        missed += report.verdict is not Verdict.BROKEN and lines != genuine
    assert missed < len(seeds) // 10


def test_alterations_are_judged_alike(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is altered, the report is the same with and without reading in pieces."""
    _attack(directory, monkeypatch, range(300))


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 11_000, 2_500))
def test_very_many_alterations_are_judged_alike(directory: Path, monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    """As above, ten thousand times."""
    _attack(directory, monkeypatch, range(first, first + 2_500))
