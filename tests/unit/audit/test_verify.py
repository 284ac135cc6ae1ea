"""What verification finds, and what a chain without a key cannot show."""

import json
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import ANY

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.audit import verify as verify_module
from rotator.audit.attestation import JsonObject, canonical, sealed
from rotator.audit.chain import Chain
from rotator.audit.record import Recovered, RunIdentity, Started
from rotator.audit.verify import Flaw, Verdict
from rotator.model.events import Decided, Done, Intent, Operation
from rotator.model.events import Event as RunEvent
from rotator.model.plan import OutcomeKind
from rotator.model.reasons import Reason
from tests.unit.audit.builders import (
    ARN,
    WRITER,
    TickingClock,
    a_finished_file,
    a_rotation,
    an_end,
    an_intent,
    an_outcome,
    chain_lines,
    flaws_in,
    verify,
)
from tests.unit.audit.builders import Lines as Sink

ROTATION = list(a_rotation())
LINES = chain_lines("run-1", ROTATION)
OTHER = chain_lines("run-2", ROTATION)
Lines = list[bytes]


def _misnamed(line: bytes) -> bytes:
    """Return a line that names another algorithm for its own fingerprint."""
    first = b'"fingerprint":{"algorithm_id":'
    return line.replace(first + b"3", first + b"2", 1)


def _twice_attested(line: bytes) -> bytes:
    """Return a line with its attestation twice."""
    event = json.loads(line)
    event["unmapped"]["attestation_list"] *= 2
    return canonical(event) + b"\n"


def _forged(line: bytes, change: Callable[[JsonObject], object]) -> bytes:
    """Return a line changed and sealed with a new fingerprint."""
    event = json.loads(line)
    change(event)
    return sealed(event) + b"\n"


def test_an_honest_trail_is_intact(directory: Path) -> None:
    """What was recorded verifies, and is counted."""
    a_finished_file(directory, "one", "two", "three")
    report = verify(directory)
    assert report.findings == []
    assert (report.verdict, report.files, report.runs) == (Verdict.INTACT, 1, 3)
    assert report.events == 3 * len(LINES)


@pytest.mark.parametrize(
    ("attack", "flaw", "line", "sequence"),
    [
        (lambda x: [x[0], x[1].replace(b"AGED_OUT", b"UP_TO_DATE"), *x[2:]], Flaw.ALTERED, 2, 2),
        (lambda x: [*x[:3], *x[4:]], Flaw.OUT_OF_SEQUENCE, 4, 5),
        (lambda x: x[1:], Flaw.NO_START, 1, 2),
        (lambda x: [*x[:2], x[3], x[2], *x[4:]], Flaw.OUT_OF_SEQUENCE, 3, 4),
        (lambda x: [*x[:3], x[2], *x[3:]], Flaw.OUT_OF_SEQUENCE, 4, 3),
        (lambda x: [*x, x[-1]], Flaw.OUT_OF_SEQUENCE, len(LINES) + 1, len(LINES)),
        (lambda x: x[:-1], Flaw.NO_END, len(LINES) - 1, len(LINES) - 1),
        (lambda x: x[:1], Flaw.NO_END, 1, 1),
        (lambda x: [*x[:-1], x[-1][:-40]], Flaw.NO_EVENT, len(LINES), None),
        (lambda x: [*x[:-1], x[-1].rstrip()], Flaw.ALTERED, len(LINES), None),
        (lambda x: [*x[:4], b"\n", *x[4:]], Flaw.NO_EVENT, 5, None),
        (lambda x: [*x[:4], b'{"note":"hello"}\n', *x[4:]], Flaw.NO_EVENT, 5, None),
        (lambda x: [*x[:4], OTHER[4], *x[5:]], Flaw.NO_START, 5, 5),
        (lambda x: [x[0].replace(b'":"', b'": "'), *x[1:]], Flaw.ALTERED, 1, 1),
        (lambda x: [x[0], x[1][:-2] + b',"z":1.0}\n', *x[2:]], Flaw.NO_EVENT, 2, None),
        (lambda x: [x[0], _twice_attested(x[1]), *x[2:]], Flaw.ALTERED, 2, 2),
        (lambda x: [x[0], _misnamed(x[1]), *x[2:]], Flaw.ALTERED, 2, 2),
        (lambda x: [x[0], x[1].replace(b"Decide", b"\\ud800"), *x[2:]], Flaw.ALTERED, 2, 2),
    ],
    ids=[
        "edit",
        "delete-inside",
        "delete-first",
        "swap",
        "repeat-inside",
        "repeat-end",
        "cut-last",
        "cut-all-but-first",
        "tear-last",
        "cut-line-break",
        "add-empty",
        "add-json",
        "replace-by-another-run",
        "add-space",
        "add-fraction",
        "two-attestations",
        "algorithm",
        "half-a-surrogate-pair",
    ],
)
def test_tampering_is_found(
    directory: Path, attack: Callable[[Lines], Lines], flaw: Flaw, line: int, sequence: int | None
) -> None:
    """Every change without a new chain is found, and the first finding names the place."""
    found = flaws_in(directory, attack(LINES))
    assert found[0] == (flaw, line, sequence)
    assert verify(directory).verdict is Verdict.BROKEN


@pytest.mark.parametrize(
    ("change", "flaw"),
    [
        (lambda e: e.update(status_detail="all is well"), Flaw.UNLINKED),
        (lambda e: e.update(note="added"), Flaw.MISSHAPEN),
        (lambda e: e["actor"].pop("app_name"), Flaw.MISSHAPEN),
        (lambda e: e["metadata"].update(uid="run-1.77"), Flaw.MISSHAPEN),
        (lambda e: e["metadata"].update(correlation_uid="run-9"), Flaw.MISSHAPEN),
        (lambda e: e.update(time=e["time"] - 3_600_000), Flaw.BACKWARDS),
        (lambda e: e["resources"][0].update(name="another"), Flaw.STRANGER),
        (lambda e: e["api"]["request"].update(uid="run-1.99"), Flaw.NO_INTENT),
        (lambda e: e.update(status_detail="9b" * 32), Flaw.EXPOSED),
        (lambda e: e.update(status_detail="Bearer eyJhbGciOiJIUzI1NiJ9.e30.x"), Flaw.EXPOSED),
    ],
    ids=["text", "field", "missing", "uid", "run", "time", "secret", "call", "api-secret", "token"],
)
def test_one_forged_event_is_found(directory: Path, change: Callable[[JsonObject], object], flaw: Flaw) -> None:
    """An event with a new, right fingerprint breaks the link after it, or contradicts its run."""
    forged = _forged(LINES[3], change)
    flaws = {found for found, _, _ in flaws_in(directory, [*LINES[:3], forged, *LINES[4:]])}
    assert flaw in flaws
    assert {Flaw.UNLINKED, Flaw.OUT_OF_SEQUENCE} & flaws


@pytest.mark.parametrize(
    "change",
    [
        lambda e: e["metadata"].update(sequence=2, uid="run-1.2"),
        lambda e: e["unmapped"].update(kind="decided"),
        lambda e: e["unmapped"]["attestation_list"][0].update(prev_event={}),
    ],
    ids=["sequence", "kind", "link"],
)
def test_a_run_begins_with_its_start(directory: Path, change: Callable[[JsonObject], object]) -> None:
    """A first event has the first number, is a start, and refers to nothing."""
    assert flaws_in(directory, [_forged(LINES[0], change), *LINES[1:]])[0] == (Flaw.NO_START, 1, ANY)


def test_moved_events_do_not_cast_doubt_on_others(directory: Path) -> None:
    """Of two events that changed places, only these are said to be out of place."""
    found = flaws_in(directory, [*LINES[:2], LINES[3], LINES[2], *LINES[4:]])
    assert [line for flaw, line, _ in found if flaw is Flaw.OUT_OF_SEQUENCE] == [3, 4]


def _recorded(directory: Path, *events: RunEvent) -> list[Flaw]:
    return [flaw for flaw, _, _ in flaws_in(directory, chain_lines("run-1", list(events)))]


def test_intents_and_outcomes_belong_together(directory: Path) -> None:
    """Outcomes need an intent, intents an outcome, and nothing follows the end."""
    assert _recorded(directory, an_outcome(), an_end()) == [Flaw.NO_INTENT]
    assert _recorded(directory, an_intent(), an_end()) == [Flaw.NO_OUTCOME]
    other = an_outcome(Operation.REVOKE_KEY)
    assert _recorded(directory, an_intent(), other, an_end()) == [Flaw.NO_INTENT, Flaw.NO_OUTCOME]
    assert _recorded(directory, an_end(), Decided(Reason.FORCED, (), 1)) == [Flaw.AFTER_END]


def test_a_recovery_accounts_for_one_call(directory: Path) -> None:
    """A crash explains the call it names, and no other."""
    sink = Sink()
    chain = Chain(RunIdentity("run-1", "uploader", ARN), WRITER, sink, TickingClock())
    for entry in (Started(), an_intent(), an_intent(Operation.PROMOTE)):
        chain.add(entry)
    chain.add(Recovered((("run-1.3", "Promote"),)))
    (finding,) = flaws_in(directory, sink.written)
    assert finding == (Flaw.NO_OUTCOME, 4, 4)
    assert verify(directory).findings[0].detail == "CreateApiKey"


def test_a_clock_may_go_back_a_little(directory: Path) -> None:
    """A step back of up to a minute between machines is not a finding."""
    behind = json.loads(LINES[-1])["time"] - 55_000
    forged = _forged(LINES[-1], lambda e: e.update(time=behind))
    assert flaws_in(directory, [*LINES[:-1], forged]) == []


def test_a_report_has_a_limit(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many findings the first are kept and the others counted; the gravest still decides."""
    monkeypatch.setattr(verify_module, "FINDINGS_MAX", 2)
    for number in range(3):
        (directory / f"2026112{number}T000000Z-0123456789.open.jsonl").write_bytes(chain_lines(f"run-{number}", [])[0])
    (directory / "20261129T000000Z-0123456789.jsonl").write_bytes(b"spoilt")
    report = verify(directory)
    assert (len(report.findings), report.findings_left_out) == (2, 2)
    assert report.verdict is Verdict.BROKEN


# What a chain without a key cannot show ---------------------------------------------------------


def test_a_removed_run_is_not_missed(directory: Path) -> None:
    """Every line of a run can be taken out, also of a file with others."""
    assert flaws_in(directory, [*LINES, *OTHER]) == []
    assert flaws_in(directory, LINES) == []


def test_a_rewritten_run_is_not_noticed(directory: Path) -> None:
    """A whole new chain can tell any story."""
    story = chain_lines("run-1", [Decided(Reason.UP_TO_DATE, (), 11), an_end()])
    assert flaws_in(directory, LINES) == []
    assert flaws_in(directory, story) == []


# Properties -------------------------------------------------------------------------------------

CALLS = st.sampled_from(Operation).flatmap(
    lambda operation: st.sampled_from(
        [
            [Decided(Reason.FORCED, ("Create",), 3)],
            [an_intent(operation), an_outcome(operation)],
            [an_intent(operation), an_outcome(operation, detail='"quoted"\n € 😀 \\ \x00')],
        ]
    )
)


RUNS = st.lists(st.lists(CALLS, max_size=3), min_size=1, max_size=4)


@settings(deadline=None)
@given(runs=RUNS, data=st.data())
@pytest.mark.slow
def test_any_interleaving_verifies(runs: list[list[list[Decided | Intent | Done]]], data: st.DataObject) -> None:
    """Runs of several threads may mix in any way: each chain stands for itself."""
    chains = [
        chain_lines(f"run-{number}", [*(e for call in calls for e in call), an_end()])
        for number, calls in enumerate(runs)
    ]
    turns = [number for number, chain in enumerate(chains) for _ in chain]
    order = data.draw(st.permutations(turns))
    heads = [iter(chain) for chain in chains]
    with TemporaryDirectory() as made:
        assert flaws_in(Path(made), [next(heads[number]) for number in order]) == []
        assert verify(Path(made)).runs == len(runs)


CONTENT = b"".join(
    line for pair in zip(LINES, chain_lines("run-2", ROTATION, TickingClock()), strict=True) for line in pair
)


@settings(deadline=None, max_examples=300)
@given(at=st.integers(0, len(CONTENT) - 1), byte=st.integers(0, 255))
@pytest.mark.slow
def test_any_edited_byte_is_found(at: int, byte: int) -> None:
    """If any byte of a finished file is changed, the trail is broken."""
    edited = CONTENT[:at] + bytes([byte]) + CONTENT[at + 1 :]
    with TemporaryDirectory() as made:
        found = flaws_in(Path(made), [edited])
    assert bool(found) is (edited != CONTENT)


@settings(deadline=None)
@given(cut=st.integers(1, len(CONTENT) - 1))
def test_any_cut_of_a_finished_file_is_found(cut: int) -> None:
    """A finished file that lost its tail is broken, as long as a run was cut by it."""
    with TemporaryDirectory() as made:
        assert flaws_in(Path(made), [CONTENT[:cut]])


# Decisions ---------------------------------------------------------------------------------------


REVOKES = Decided(Reason.AGED_OUT, ("Revoke", "ProveDead", "Revoke"), 3)
REVOKED = [an_intent(Operation.REVOKE_KEY), an_outcome(Operation.REVOKE_KEY)]


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([REVOKES, *REVOKED, *REVOKED, an_end()], []),
        ([REVOKES, *REVOKED, *REVOKED, Decided(Reason.UP_TO_DATE, (), 3), an_end()], []),
        ([REVOKES, *REVOKED, an_end()], [Flaw.UNDONE]),
        ([REVOKES, Decided(Reason.UP_TO_DATE, (), 3), an_end()], [Flaw.UNDONE]),
        ([REVOKES, *REVOKED, an_end(OutcomeKind.FAILED)], []),
    ],
    ids=["done", "done, and looked again", "one of two", "none, and another plan", "given up"],
)
def test_decided_revocation_is_begun_or_given_up(directory: Path, events: list[RunEvent], found: list[Flaw]) -> None:
    """A plan to revoke is followed by its intents, or by the failure that stopped it."""
    assert [flaw for flaw, _, _ in flaws_in(directory, chain_lines("run-1", events))] == found
