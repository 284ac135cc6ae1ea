"""What people read has none of the words and shapes that the project no longer uses."""

import re
from pathlib import Path

import pytest

from tests.project.words import OLD, found, prose


def test_no_old_word_is_left() -> None:
    """Documents, messages, help, page, alerts and comments of the configuration are in the words of CONTRIBUTING.md."""
    assert list(found()) == []


@pytest.mark.parametrize("spelled", ["error: ", "warning: "])
def test_a_message_begins_with_a_capital(spelled: str) -> None:
    """`Error:` and `Warning:` have one spelling each; the same words within a sentence are no messages."""
    assert any(re.search(old, spelled, re.IGNORECASE) for old in OLD)
    assert not any(re.search(old, text, re.IGNORECASE) for old in OLD for text in (spelled.title(), f"an {spelled}"))


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("page.md", "It is told of.\n`nobody` and [a](nobody.md)\n", ["It is told of.", "         and [a            "]),
        ("module.py", '"""Nobody reads this."""\nraise E("shall")\n', ["shall"]),
        ("commands.py", 'def f():\n    """Help shall be read."""\n', ["Help shall be read."]),
        ("file.toml", 'a = 1  # nobody\nb = "nobody"\n', [" nobody"]),
        ("rules.yml", "summary: nobody\n", ["summary: nobody"]),
    ],
)
def test_what_people_read_is_found(tmp_path: Path, name: str, text: str, read: list[str]) -> None:
    """Prose, messages, help and comments are searched; code, addresses and documentation of the code are not."""
    path = tmp_path / name
    path.write_text(text)
    assert [line for _, line in prose(path) if line.strip()] == read
