"""What is said of keys that belong to no configured secret."""

from rotator.fleet.strays import Stray, Unknown, strays_text
from rotator.model.naming import name_of, secret_of_key
from tests.builders import ARN, FAMILY

VERSION = "g000012-20261122T095328Z-9f3c1a2b4d"


def test_a_key_name_tells_its_secret() -> None:
    """The end of the ARN, and the name in it; a name that is not exactly ours tells nothing."""
    resource = ARN.partition(":secret:")[2]
    assert secret_of_key(FAMILY.key_name(VERSION)) == (FAMILY.prefix, resource)
    assert ARN.endswith(f":secret:{name_of(resource)}{resource[-7:]}")
    for other in (FAMILY.key_name("g000012"), f"x {FAMILY.prefix}", VERSION, "", f"a/b/c/d-AbCdEf/{VERSION}"):
        assert secret_of_key(other) is None


def test_what_is_not_known_is_not_nothing() -> None:
    """No key is no word; a list that could not be read is told; of many, some are named and the rest counted."""
    assert strays_text(()) == ""
    assert "is not known: no answer" in strays_text(Unknown("no answer"))
    text = strays_text([Stray(f"k{number}", "prod/x") for number in range(7)])
    assert "k4 (made for prod/x) and 2 more" in text
    assert "k5" not in text
