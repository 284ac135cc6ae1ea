"""Problems are found on their lines."""

from rotator.config.problems import line_numbers


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


def test_lines_are_not_guessed() -> None:
    """Where a string spans lines, what looks like a key may be text, and no line is claimed."""
    assert line_numbers('a = """\nb = 1\n"""\nc = 1\n') == {}
