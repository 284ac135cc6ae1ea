"""The vocabulary: secrets cannot leak out of it, and what is observed answers questions."""

import copy
import dataclasses
import enum
import json
import pickle
import types
import typing
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from rotator import model
from rotator.model import events
from rotator.model.credential import Credential, Sensitive
from rotator.model.events import Event
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, KeyState, Observed
from rotator.model.plan import Outcome, Plan
from rotator.model.secret import SecretSpec
from tests.builders import NATIVE_ID, a_dead_key, a_key, a_version, an_observed

CANARY = "canary-d41d8cd98f"
HELD = Credential("key-1", Sensitive(CANARY), Sensitive(CANARY), None)


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


@pytest.mark.parametrize(
    "root", [SecretSpec, Observed, Plan, Outcome, *typing.get_args(Event)], ids=lambda r: r.__name__
)
def test_no_secret_is_reachable(root: type) -> None:
    """What is planned from, returned and recorded has no field that could hold a secret."""
    reached = set(_reachable(root, set()))
    assert root in reached
    assert not reached & {Sensitive, Credential, object, typing.Any, bytes, bytearray, dict}


def test_everything_spoken_is_frozen() -> None:
    """Every dataclass of the vocabulary is frozen and has slots."""
    classes = [
        value
        for module in (model, events)
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    ]
    assert classes
    for value in classes:
        assert value.__dataclass_params__.frozen, value  # type: ignore[attr-defined]  # not in the stubs
        assert "__slots__" in vars(value), value


def _reachable(kind: object, seen: set[object]) -> Iterator[object]:
    """Yield every type that a value of a type can hold, at any depth."""
    if kind in seen:
        return
    seen.add(kind)
    origin = typing.get_origin(kind)
    if origin is typing.Literal:
        return
    if origin is not None or isinstance(kind, types.UnionType):
        for part in typing.get_args(kind):
            yield from _reachable(part, seen)
        return
    yield kind
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        for hint in typing.get_type_hints(kind).values():
            yield from _reachable(hint, seen)
    elif isinstance(kind, type) and not issubclass(kind, enum.Enum | Exception):
        assert kind.__module__ in {"builtins", "datetime", "zoneinfo"}, kind


def test_labels_are_found() -> None:
    """A version is found by each of its labels and by its id."""
    both = a_version(4, AWSCURRENT, AWSPENDING)
    previous = a_version(3, AWSPREVIOUS)
    seen = an_observed(both, previous)
    assert (seen.current, seen.pending, seen.previous) == (both, both, previous)
    assert seen.version(previous.version_id) == previous
    assert seen.version("nothing") is None
    assert seen.version(None) is None
    assert seen.version_labelled("nothing") is None


def test_key_inside_is_read_from_the_value() -> None:
    """The key inside a version is the one its value names; unread values name none."""
    seen = an_observed(a_version(4, AWSCURRENT, key="key-2"), a_version(3, AWSPREVIOUS))
    assert seen.key_inside(seen.current) == "key-2"
    assert seen.key_inside(seen.previous) is None
    assert seen.key_inside(None) is None


def test_generation_is_the_higher_of_two() -> None:
    """A version's generation is that of its id or of its key's name, whichever is higher."""
    by_id, by_key = a_version(4, AWSCURRENT, key="key-2"), a_version(NATIVE_ID, "a", key="key-3")
    foreign = a_version(NATIVE_ID, "b")
    seen = an_observed(by_id, by_key, foreign, keys=[a_key(2), a_key(3)])
    assert [seen.generation(v) for v in (by_id, by_key, foreign, None)] == [4, 3, 0, 0]


def test_highest_generation_counts_everything() -> None:
    """Dead keys and superseded versions count, too; nothing at all is zero."""
    assert an_observed().highest_generation() == 0
    assert an_observed(a_version(4, AWSCURRENT), keys=[a_dead_key(7)]).highest_generation() == 7
    assert an_observed(a_version(4, "a"), keys=[a_key(2)]).highest_generation() == 4


def test_missing_is_not_revoked() -> None:
    """A key is dead if testAuthentication says so, or, if that was not asked, the list."""
    seen = an_observed(
        keys=[a_key(1), a_dead_key(2)],
        witnessed=[("key-1", KeyState.REVOKED), ("seen", KeyState.REVOKED), ("ok", KeyState.LIVE)],
    )
    asked = {k: seen.is_live(k) for k in ("key-1", "key-2", "seen", "ok", "unknown")}
    assert asked == {"key-1": False, "key-2": False, "seen": False, "ok": True, "unknown": True}
    assert [key.key_id for key in seen.live_keys()] == ["key-1"]


def test_key_is_found_by_id() -> None:
    """A key of ours is found by its id, and by nothing else."""
    seen = an_observed(keys=[a_key(1)])
    assert seen.key("key-1") == a_key(1)
    assert seen.key("key-2") is None
    assert seen.generation_of_key(replace(a_key(1), name="somebody else's")) == 0
