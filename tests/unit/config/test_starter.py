"""The starter file can be used as it is, and shows every setting."""

import re
import tomllib
from pathlib import Path

from rotator.config.kinds import FLAG, array, table
from rotator.config.schema import Default, Example, Required, Schema, Setting
from rotator.config.starter import STARTER, starter_text
from rotator.model.secret import JsonFields, SecretSpec
from tests.unit.config.texts import loaded, problems

EXAMPLE = Path(__file__).parents[3] / "config" / "example.toml"


def test_starter_loads_and_is_the_example(tmp_path: Path) -> None:
    """What `rotator init` writes is the example in the repository, and can be used as it is."""
    assert EXAMPLE.read_text(encoding="utf-8") == STARTER
    assert loaded(tmp_path, STARTER).secrets[0].name == "uploader"


def test_starter_shows_the_defaults(tmp_path: Path) -> None:
    """Every commented default, once it counts, changes nothing; every example can be used."""
    sections = [text for text in STARTER.split("\n\n") if not text.startswith("# [")]  # one that is not set as a whole
    lines = [line for line in "\n\n".join(sections).splitlines() if "# example; instead of" not in line]
    keys = [line for line in lines if re.match(r"# \w+ = ", line)]
    shown = [line for line in keys if "# example" not in line]
    plain = loaded(tmp_path, STARTER)
    with_defaults = loaded(tmp_path, "\n".join(line.removeprefix("# ") if line in shown else line for line in lines))
    everything = loaded(tmp_path, "\n".join(line.removeprefix("# ") if line in keys else line for line in lines))
    shape = JsonFields("JWT", "pinata_api_key", "pinata_api_secret", "config")
    assert len(shown) == 18
    assert with_defaults.pinata == plain.pinata
    assert with_defaults.daemon == plain.daemon
    assert with_defaults.secrets[0].shape == shape
    assert [getattr(with_defaults.secrets[0], name) for name in SecretSpec.__slots__[4:]] == [
        getattr(plain.secrets[0], name) for name in SecretSpec.__slots__[4:]
    ]
    assert everything.secrets[0].window is not None


def test_starter_names_every_key(tmp_path: Path) -> None:
    """No key that a section knows is missing from the starter."""
    text = re.sub(r"(?m)^(\[.*)$", r"\1\nqqqqqqqq = 1", STARTER)
    found = problems(tmp_path, text)
    assert len(found) == 7
    for problem in found:
        known = problem.partition("known here: ")[2].split(", ")
        assert [key for key in known if not re.search(rf"\b{key} = ", STARTER)] == []
    assert set(tomllib.loads(STARTER)) == {"pinata", "aws", "audit", "daemon", "run", "defaults", "secrets"}


def test_layout() -> None:
    """What is required is set, all else is shown; comments line up, and a section that is an example is not set."""
    inner: Schema[dict[str, object]] = Schema(
        dict,
        (
            Setting("a", FLAG, Required(value=True, stand_in=False), "must be"),
            Setting("long", array(FLAG), Default([True] * 6), "is long"),
            Setting("b", FLAG, Example({"x": 1, "y": "\u00e9"}), "may be"),
        ),
    )
    shown = starter_text(
        (Setting("one", table(inner), Default({}), ""), Setting("some", array(table(inner)), Example([]), "optional"))
    )
    assert shown.split("\n\n")[1:] == [
        """[one]
a = true                                 # must be
# long = [true, true, true, true, true, true]   # is long
# b = { x = 1, y = "\u00e9" }                 # example; may be""",
        """# [[some]]                               # optional
# a = true                               # must be
# long = [true, true, true, true, true, true]   # is long
# b = { x = 1, y = "\u00e9" }                 # example; may be
""",
    ]
    assert shown.startswith("# Configuration of rotator.")
