"""The screens are those that somebody has looked at."""

import pytest

from tests.unit.cli.screens import FOLDER, SCREENS, WIDTHS, text


@pytest.mark.parametrize("name", SCREENS)
def test_screens_are_the_golden_ones(name: str) -> None:
    """At 60, 80 and 120 columns, and in a pipe."""
    golden = (FOLDER / f"{name}.txt").read_text(encoding="utf-8")
    assert text(name) == golden, "look at it, then run `python -m tests.unit.cli.screens`"


def test_there_is_no_other_golden_file() -> None:
    """None is left of a screen that is gone."""
    assert {path.stem for path in FOLDER.iterdir()} == set(SCREENS)


@pytest.mark.parametrize("name", SCREENS)
@pytest.mark.parametrize("columns", [width for width in WIDTHS if width])
def test_lines_fit(name: str, columns: int) -> None:
    """No line is wider than the terminal, but for a name or a command that is: those stay whole."""
    draw, _ = SCREENS[name]
    lines = [line for text in draw(columns) for line in text.splitlines()]
    wide = [line.strip() for line in lines if len(line) > columns]
    assert all(" " not in line or line.startswith("$ ") for line in wide), wide
