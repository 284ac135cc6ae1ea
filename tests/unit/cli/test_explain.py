"""What is said of reasons, exit codes and errors: it is whole, it is found, and a slip of the hand is helped."""

import json

import pytest

from rotator.cli import run
from rotator.cli.exits import Exit
from rotator.cli.explain import Kind, explanations
from rotator.model.errors import KeyNotListedError, StoreDeniedError
from rotator.model.reasons import Reason


def test_every_reason_exit_code_and_error_is_explained_whole() -> None:
    """Each has a meaning, what happens by itself and what you do, and the parts are told apart."""
    known = explanations()
    assert {*Reason, *(str(code.value) for code in Exit), "KeyNotListedError", "DefectError"} <= known.keys()
    for one in known.values():
        assert all((one.meaning, one.happens, one.you)), one
        assert "Next:" not in one.meaning, one
        assert "You:" not in one.happens, one
        assert (one.meaning + one.happens + one.you).isprintable(), one


def test_an_error_is_explained_by_what_it_says_itself() -> None:
    """The step that an error's message ends with, and the exit code that it comes to, are the ones explained."""
    one = explanations()["StoreDeniedError"]
    assert (one.kind, one.exit_code, one.you) == (Kind.ERROR, Exit.PERSON, StoreDeniedError.default_step)
    assert explanations()["KeyNotListedError"].you == KeyNotListedError.default_step


@pytest.mark.parametrize("written", ["DRIFTED", "drifted", "3", "exit 3", "exit-3", "storedeniederror", "up-to-date"])
def test_a_code_is_found_however_it_is_written(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Case, a hyphen and the word "exit" do not matter."""
    assert run(["explain", written, "--json"]) == Exit.OK
    row = json.loads(capsys.readouterr().out)
    assert row["code"].lower() == written.lower().replace("-", "_").removeprefix("exit").strip(" _")
    assert row["meaning"]


def test_people_read_three_parts(capsys: pytest.CaptureFixture[str]) -> None:
    """The text has what it is, what it means, what happens and what you do, within 80 columns."""
    assert run(["explain", "DRIFTED"]) == Exit.OK
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "DRIFTED (reason)"
    assert any(line.startswith("  Next: ") for line in lines)
    assert any(line.startswith("  You: run `rotator rotate NAME`") for line in lines)
    assert max(map(len, lines)) <= 82


@pytest.mark.parametrize(
    ("written", "meant"), [("DRIFTD", "DRIFTED"), ("drifed", "DRIFTED"), ("KeyNotListed", "KeyNotListedError")]
)
def test_a_mistyped_code_is_answered_with_the_nearest(
    written: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The answer names the code that was meant, as it is written, and how to see all."""
    assert run(["explain", written]) == Exit.USAGE
    told = capsys.readouterr().err
    assert f"did you mean `{meant}`?" in told
    assert "`rotator explain` lists them all" in told


def test_without_a_code_all_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """The list has every code, by its kind."""
    assert run(["explain"]) == Exit.OK
    out = capsys.readouterr().out
    begun = [line.partition(":")[0] for line in out.splitlines() if not line.startswith(" ")]
    assert begun == ["reasons", "exit codes", "errors"]
    assert all(code in out for code in explanations())
