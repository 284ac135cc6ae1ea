"""The README: it is short, its commands run, its output is real; and the documented policy is what is needed."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.running import value_of
from tests.e2e.stage import COMMAND, Stage
from tests.e2e.states import begin_rotation

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMAND_S = 600.0


def blocks(language: str, page: str = README) -> list[str]:
    """Return the fenced blocks of one language, without common indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", page, flags=re.MULTILINE | re.DOTALL)
    return [re.sub(rf"^{indent}", "", text, flags=re.MULTILINE) for indent, text in found]


def normalised(text: str) -> list[str]:
    """Return lines without what differs from run to run: key ids and numbers."""
    text = re.sub(r"\b[0-9a-f]{20}\b", "KEY", text)
    text = re.sub(r"\d+", "N", text)
    return [line.rstrip() for line in text.strip().splitlines()]


def test_it_is_short() -> None:
    """Whoever meets the project reads the README to its end."""
    assert len(README.splitlines()) <= 150


@pytest.mark.slow
def test_demo_prints_what_the_readme_shows() -> None:
    """What the README shows of the demo is how a demo ends."""
    done = subprocess.run([*COMMAND, "demo"], capture_output=True, text=True, timeout=COMMAND_S, check=False)
    shown = re.search(r"<!-- demo output: its end -->\n```\n(.*?)```", README, flags=re.DOTALL)
    assert shown is not None
    assert done.returncode == 0, done.stdout + done.stderr
    end = normalised(shown[1])
    assert normalised(done.stdout)[-len(end) :] == end
    assert " 0 refused" in done.stdout


def test_the_steps_of_the_readme_work_in_their_order(stage: Stage) -> None:
    """Looking, running and asking work as the README writes them, from a hand-made key on."""
    steps = [line.split()[1:] for line in blocks("sh") for line in line.splitlines() if line.startswith("rotator ")]
    assert [step[0] for step in steps] == ["demo", "init", "config", "plan", "run", "status"]
    for step in steps[2:]:
        done = stage.process(*step)
        assert done.returncode == 0, done.stdout + done.stderr
    assert "rotated" in done.stdout


def test_init_writes_what_config_check_takes(tmp_path: Path) -> None:
    """The starter file is complete: the next command of the README finds no problem in it."""
    for step in (["init"], ["config", "check"]):
        done = subprocess.run(
            [*COMMAND, *step], cwd=tmp_path, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
    assert "no problems" in done.stdout


def test_the_policy_names_the_calls_that_are_made_and_no_other(stage: Stage) -> None:
    """Over a whole life, every AWS call is in the documented policy, and every action there is used."""
    (policy_text,) = blocks("json", (ROOT / "docs/rights.md").read_text())
    policy = json.loads(policy_text)
    allowed: set[str] = set()
    for statement in policy["Statement"]:
        actions = statement["Action"]
        allowed |= set(actions) if isinstance(actions, list) else {actions}
    for number in range(3):
        by_hand = stage.seed(f"by hand {number}", Permissions(resources=("org:files:write",)))
        stage.sandbox.create_secret(f"prod/pinata/more-{number}", value_of(by_hand))
        stage.add_secret(f"more-{number}", f"prod/pinata/more-{number}")
    seeded = len(stage.sandbox.secrets_manager.requests)
    leak = ["contain", "uploader", "--reason", "in a log"]
    for step in (["rotate", "uploader"], ["plan"], ["run"], ["run"], leak, ["status"]):
        if step == ["status"]:
            begin_rotation(stage)
        done = stage.rotator(*step)
        assert done.returncode == 0, done.stdout + done.stderr
    made = {request.operation for request in stage.sandbox.secrets_manager.requests[seeded:]}
    assert {f"secretsmanager:{operation}" for operation in made} == allowed


def test_explored_figures_are_those_of_the_document() -> None:
    """What the README says was explored adds up from the generated tables."""
    document = (ROOT / "docs" / "reliability.md").read_text()
    rows = re.findall(r"^\| (.+?) \| [\d,]+ \| ([\d,]+) \| [\d,]+ \| 0 \|", document, re.MULTILINE)
    states = {name.partition(" |")[0]: int(number.replace(",", "")) for name, number in rows}
    told = re.findall(r"^\| .+ \| ([\d,]+) \| 0 \|$", README, re.MULTILINE)
    *some, rest = (int(number.replace(",", "")) for number in told)
    assert set(some) < set(states.values())
    assert sum(some) + rest == states["all"]
    bugs = re.search(r"so (\d+) bugs", README)
    assert bugs
    assert int(bugs[1]) == len(re.findall(r" \| [IL]\d+ \| \d+ steps?[^|]* \|$", document, re.MULTILINE))
