"""The second verifier, docs/verify_trail.py, as an auditor runs it."""

import ast
import subprocess
import sys
from pathlib import Path

from tests.unit.audit.builders import TickingClock
from tests.unit.audit.loot import OURS, THEIRS
from tests.unit.audit.sites import SCRIPT, DirectorySite, populate


def run(*arguments: str) -> tuple[int, list[str]]:
    """Run it; return its exit code and what it prints."""
    done = subprocess.run([sys.executable, "-I", *arguments], check=False, capture_output=True, text=True)
    assert not done.stderr
    return done.returncode, done.stdout.splitlines()


def a_signed_trail(folder: Path) -> str:
    """Make a trail with seals; return its folder."""
    populate(DirectorySite(folder, TickingClock()), OURS.seal)
    return str(folder)


def test_it_imports_nothing_of_rotator() -> None:
    """The standard library alone, and `cryptography`."""
    nodes = list(ast.walk(ast.parse(SCRIPT.read_text(encoding="utf-8"))))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in names} <= sys.stdlib_module_names | {"cryptography"}


def test_it_says_what_was_shown_and_what_was_not(tmp_path: Path) -> None:
    """One line for an intact trail; one more for each finding."""
    folder = a_signed_trail(tmp_path / "audit")
    code, (line,) = run(str(SCRIPT), folder, OURS.fingerprint)
    assert (code, line.partition(":")[0]) == (0, "intact")
    assert "sealed up to entry 7" in line
    assert "Not shown: " in line
    code, lines = run(str(SCRIPT), folder, THEIRS.fingerprint, "7:0123456789abcdef")
    assert (code, lines[-1].partition(":")[0]) == (1, "BROKEN")
    assert "head 7:0123456789abcdef: not so: the ledger has it" in lines


def test_it_is_short_enough_to_be_read_whole() -> None:
    """An auditor runs nothing that was not read."""
    assert len(SCRIPT.read_text(encoding="utf-8").splitlines()) < 120
