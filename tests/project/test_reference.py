"""What is derived from the declarations of the settings is up to date."""

from pathlib import Path

import pytest

from tests.project.reference import DERIVED


@pytest.mark.parametrize("path", DERIVED, ids=lambda path: path.name)
def test_derived_files_are_what_the_declarations_say(path: Path) -> None:
    """Neither the example nor the reference page was edited, or forgotten after a change of a declaration."""
    assert path.read_text(encoding="utf-8") == DERIVED[path], "run `python -m tests.project.reference`"
