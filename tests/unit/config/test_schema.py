"""A table is read by the declarations of its settings."""

from collections.abc import Mapping
from dataclasses import dataclass

import pytest

from rotator.config.kinds import integer, like
from rotator.config.problems import Node, Problems
from rotator.config.schema import Default, Example, Required, Schema, Setting


@dataclass(frozen=True)
class Lamp:
    """What the table below comes to."""

    name: str
    watts: int
    colour: str | None = None


NUMBER, WORD = integer(1, 100), like("[a-z]+", "a word")
LAMP = Schema(
    Lamp,
    (
        Setting("called", WORD, Required("desk", "?", unless="number"), "", field="name"),
        Setting("number", like("[0-9]+", "a number"), Example("7"), "", field="name"),
        Setting("watts", NUMBER, Default(40), ""),
        Setting("colour", WORD, Example("red"), ""),
    ),
)
KNOWN = "known here: called, colour, number, watts"


def read(raw: Mapping[str, object], inherited: Mapping[str, object] | None = None) -> tuple[Lamp, list[str]]:
    """What a table comes to, and its problems."""
    problems = Problems()
    lamp = LAMP.read(Node(raw, ("lamp",), problems), inherited or {})
    return lamp, problems.report("f", "").splitlines()


@pytest.mark.parametrize(
    ("raw", "lamp"),
    [
        ({"called": "desk"}, Lamp("desk", 40, None)),
        ({"number": "7"}, Lamp("7", 40, None)),
        ({"called": "desk", "watts": 1, "colour": "red"}, Lamp("desk", 1, "red")),
    ],
)
def test_what_is_set_and_what_is_not(raw: Mapping[str, object], lamp: Lamp) -> None:
    """What is not set has its declared default, else that of the dataclass."""
    assert read(raw) == (lamp, [])


@pytest.mark.parametrize(
    ("raw", "lamp"),
    [({}, Lamp("hall", 60, "blue")), ({"called": "desk", "watts": 2, "colour": "red"}, Lamp("desk", 2, "red"))],
)
def test_what_is_inherited(raw: Mapping[str, object], lamp: Lamp) -> None:
    """What is inherited holds where nothing is set, and is not missing."""
    assert read(raw, {"name": "hall", "watts": 60, "colour": "blue"}) == (lamp, [])


@pytest.mark.parametrize(
    ("raw", "lamp", "problem"),
    [
        ({}, Lamp("?", 40), "called: is missing; expected a word; or set `number`"),
        ({"called": "A"}, Lamp("?", 40), 'called: expected a word, found the string "A"'),
        ({"called": "a", "watts": 0}, Lamp("a", 40), "watts: expected an integer from 1 to 100, found the integer 0"),
        ({"called": "a", "colour": ""}, Lamp("a", 40), 'colour: expected a word, found the string ""'),
        ({"called": "a", "zzz": 1}, Lamp("a", 40), f"zzz: unknown key; {KNOWN}"),
        ({"called": "a", "color": 1}, Lamp("a", 40), "color: unknown key; did you mean `colour`?"),
    ],
)
def test_a_problem_is_noted_and_the_rest_is_read(raw: Mapping[str, object], lamp: Lamp, problem: str) -> None:
    """What does not fit is as if it were not set."""
    assert read(raw) == (lamp, [f"f: lamp.{problem}"])


def test_what_does_not_fit_leaves_what_is_inherited() -> None:
    """The rest of an entry is checked against what it would have without its mistake."""
    lamp, problems = read({"watts": 0}, {"name": "hall", "watts": 60})
    assert (lamp, len(problems)) == (Lamp("hall", 60), 1)


def test_the_rule_sees_what_was_read() -> None:
    """A rule between settings is asked once they are built, and notes its problems like any other."""

    def rule(lamp: Lamp, table: Node) -> None:
        if lamp.colour == lamp.name:
            table.at("colour").note("is its name")

    problems = Problems()
    LAMP._replace(check=rule).read(Node({"called": "red", "colour": "red"}, (), problems), {})
    assert problems.report("f", "") == "f: colour: is its name"
