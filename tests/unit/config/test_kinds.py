"""Each kind of value: what it means, where its bounds are, and what is said of a value that does not fit."""

from datetime import timedelta

import pytest

from rotator.config.kinds import FLAG, array, chosen, integer, like, span, table
from rotator.config.problems import Node, Problems
from rotator.config.schema import Example, Kind, Schema, Setting

HOURS = span(timedelta(hours=1), timedelta(hours=2))
COLOURS = chosen({"red": 1, "blue": 2}, "a colour")
COUNT = integer(2, 9)
SIDES = table(Schema(dict, (Setting("left", COUNT, Example(3), ""),)))


def read(kind: Kind, value: object) -> tuple[object, list[str]]:
    """What a kind makes of a value, and the problems it notes."""
    problems = Problems()
    read_value = kind.read(Node(value, ("k",), problems))
    return read_value, problems.report("f", "").splitlines()


@pytest.mark.parametrize(
    ("kind", "value", "meaning"),
    [
        (COUNT, 2, 2),
        (COUNT, 9, 9),
        (FLAG, False, False),
        (FLAG, True, True),
        (HOURS, "1h", timedelta(hours=1)),
        (HOURS, "120m", timedelta(hours=2)),
        (span(timedelta(0)), "3653d", timedelta(days=3653)),
        (COLOURS, "blue", 2),
        (like("[a-z]+", "a word"), "abc", "abc"),
        (like("[0-9]+", "a number", int), "12", 12),
        (array(COLOURS), ["red", "blue"], (1, 2)),
        (array(COLOURS, frozenset), [], frozenset()),
        (array(SIDES), [{"left": 2}, {}], ({"left": 2}, {})),
    ],
)
def test_values_that_fit(kind: Kind, value: object, meaning: object) -> None:
    """Bounds are included, and a value is turned into what it means."""
    assert read(kind, value) == (meaning, [])


@pytest.mark.parametrize(
    ("kind", "value", "problem"),
    [
        (COUNT, 1, "f: k: expected an integer from 2 to 9, found the integer 1"),
        (COUNT, 10, "f: k: expected an integer from 2 to 9, found the integer 10"),
        (integer(0, 9), True, "f: k: expected an integer from 0 to 9, found the boolean true"),
        (COUNT, 3.0, "f: k: expected an integer from 2 to 9, found the float 3.0"),
        (FLAG, 1, "f: k: expected true or false, found the integer 1"),
        (HOURS, "59m59s", 'f: k: "59m59s" is too short; at least 1h'),
        (HOURS, "2h1s", 'f: k: "2h1s" is too long; at most 2h'),
        (HOURS, "1", 'f: k: expected a duration such as "30d", "24h", "1h30m" or "45s", found the string "1"'),
        (COLOURS, "rde", 'f: k: unknown name "rde"; did you mean `red`?'),
        (COLOURS, 1, "f: k: expected a colour, found the integer 1"),
        (like("[a-z]+", "a word"), "a1", 'f: k: expected a word, found the string "a1"'),
        (array(COLOURS), "red", 'f: k: expected an array, each a colour, found the string "red"'),
        (SIDES, [], "f: k: expected a table, found an array"),
    ],
)
def test_values_that_do_not_fit(kind: Kind, value: object, problem: str) -> None:
    """One problem is noted, and nothing is read."""
    assert read(kind, value) == (None, [problem])


def test_elements_that_fit_are_read_beside_those_that_do_not() -> None:
    """Each wrong element is a problem of its own, at its index."""
    assert read(array(COLOURS), ["red", 3, "blue", "x"]) == (
        (1, 2),
        ["f: k[1]: expected a colour, found the integer 3", 'f: k[3]: unknown name "x"; known: blue, red'],
    )


@pytest.mark.parametrize(
    ("kind", "name", "bounds"),
    [
        (COUNT, "an integer", "2 to 9"),
        (HOURS, "a duration", "1h to 2h"),
        (span(timedelta(seconds=1)), "a duration", "1s to 3653d"),
        (array(COLOURS), "an array, each a colour", "red, blue"),
        (SIDES, "a table", ""),
    ],
)
def test_kinds_say_what_fits(kind: Kind, name: str, bounds: str) -> None:
    """The reference page can name each kind and its bounds."""
    assert (kind.name, kind.bounds) == (name, bounds)


def test_settings_within_are_known() -> None:
    """The reference page can list what is within a table, or within each of an array of tables."""
    assert [setting.name for setting in SIDES.settings] == ["left"]
    assert array(SIDES).settings == SIDES.settings
