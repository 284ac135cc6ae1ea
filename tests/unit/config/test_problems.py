"""Problems are found on their lines."""

import pytest

from rotator.config.problems import Problems, line_numbers


def test_lines_of_tables_and_keys() -> None:
    """Headers, entries of arrays, tables within them and dotted keys are found on their lines."""
    text = """top = 1
[a] # comment
b = 1
  c.d = { e = 1 }
# f = 1
[[s]]
b = 1
[s.t]
b = 1
[[s]]\r
b = [
  "g = 1",
]
"""
    assert line_numbers(text) == {
        ("top",): 1,
        ("a",): 2,
        ("a", "b"): 3,
        ("a", "c", "d"): 4,
        ("s",): 6,
        ("s", 0): 6,
        ("s", 0, "b"): 7,
        ("s", 0, "t"): 8,
        ("s", 0, "t", "b"): 9,
        ("s", 1): 10,
        ("s", 1, "b"): 11,
    }


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_lines_are_not_guessed(quotes: str) -> None:
    """Where a string spans lines, what looks like a key may be text, and no line is claimed."""
    assert line_numbers(f"a = {quotes}\nb = 1\n{quotes}\nc = 1\n") == {}


def test_a_token_in_a_message_is_withheld() -> None:
    """Whatever a reader quotes, no token leaves."""
    problems = Problems()
    problems.add(("a", "b"), "found eyJhbGciOiJIUzI1NiJ9.eyJz, and more")
    assert problems.report("f", "[a]\nb = 1") == "f:2: a.b: found <withheld>, and more"


def test_faults_are_known_at_and_above_a_key() -> None:
    """A table is faulty if something in it is; its neighbours are not."""
    problems = Problems()
    problems.add(("a", 0, "b"), "x")
    assert [problems.at(path) for path in (("a",), ("a", 0), ("a", 0, "b"))] == [True, True, True]
    assert [problems.at(path) for path in (("b",), ("a", 1), ("a", 0, "c"))] == [False, False, False]
