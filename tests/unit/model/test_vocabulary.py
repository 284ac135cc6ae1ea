"""What holds of every word: no secret is reachable from it, and nothing in it changes."""

import dataclasses
import enum
import importlib
import pkgutil
import types
import typing
from collections.abc import Iterator

import pytest

from rotator import model
from rotator.model.credential import Credential, Sensitive
from rotator.model.events import Event
from rotator.model.observed import Observed
from rotator.model.plan import Outcome, Plan
from rotator.model.secret import SecretSpec
from rotator.model.status import FleetStatus


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
    modules = [importlib.import_module(f"rotator.model.{found.name}") for found in pkgutil.iter_modules(model.__path__)]
    classes = {
        value
        for module in modules
        for value in vars(module).values()
        if isinstance(value, type) and dataclasses.is_dataclass(value)
    }
    assert {SecretSpec, Observed, Plan, FleetStatus, Credential} <= classes
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
