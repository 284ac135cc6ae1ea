"""Secrets cannot leak out of the values that hold them."""

import copy
import dataclasses
import json
import pickle
from collections.abc import Callable

import pytest

from rotator.model.credential import Credential, Sensitive, Token

CANARY = "canary-d41d8cd98f"
HELD = Credential("key-1", Sensitive(CANARY), Sensitive(CANARY), None, (Token(Sensitive(CANARY)),))


@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(str, id="str"),
        pytest.param(lambda held: f"{held}", id="format"),
        pytest.param(lambda held: f"{held:>40}", id="format with a specification"),
        pytest.param(lambda held: "%s" % held, id="percent"),  # noqa: UP031 - it is what is tested
        pytest.param(pickle.dumps, id="pickle"),
        pytest.param(copy.copy, id="copy"),
        pytest.param(copy.deepcopy, id="deepcopy"),
        pytest.param(json.dumps, id="json"),
        pytest.param(lambda held: json.dumps(held, default=str), id="json with a default"),
        pytest.param(vars, id="vars"),
        pytest.param(lambda held: "".join(iter([held])), id="join"),
        pytest.param(lambda held: "Bearer " + held, id="concatenation"),
        pytest.param(bytes, id="bytes"),
        pytest.param(list, id="iteration"),
    ],
)
def test_sensitive_value_does_not_leave(leak: Callable[[Sensitive], object]) -> None:
    """Every way to turn a sensitive value into something else is an error without the value."""
    with pytest.raises(TypeError) as refused:
        leak(Sensitive(CANARY))
    assert CANARY not in str(refused.value)


def test_sensitive_value_has_no_telling_repr() -> None:
    """The repr of a sensitive value, and of what holds it, tells nothing."""
    assert CANARY not in repr(Sensitive(CANARY)) + repr(HELD) + repr([HELD])


def test_credential_cannot_become_a_dictionary() -> None:
    """A credential cannot be unpacked by `dataclasses.asdict`, nor pickled."""
    with pytest.raises(TypeError):
        dataclasses.asdict(HELD)
    with pytest.raises(TypeError):
        pickle.dumps(HELD)


def test_sensitive_value_reveals_itself_on_purpose() -> None:
    """The text is there for who asks for it by name."""
    assert Sensitive(CANARY).reveal() == CANARY


def test_sensitive_values_compare() -> None:
    """Sensitive values are equal by their text, also as members of a set, and equal to nothing else."""
    assert Sensitive("a") == Sensitive("a")
    assert Sensitive("a") != Sensitive("b")
    assert Sensitive("a") != "a"
    assert {Sensitive("a"), Sensitive("a")} == {Sensitive("a")}
    assert Sensitive("ä") == Sensitive("ä")
