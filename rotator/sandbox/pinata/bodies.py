"""JSON for the settings of the simulated Pinata: its dataclasses and enums, both ways.

A dataclass is an object with its field names, an enum its value, a set or tuple an array. In a
union of dataclasses the field `kind` holds the class name in lower case. Decoding checks every
type; a field that is left out keeps its default, an unknown one is an error.
"""

import dataclasses
import types
import typing
from enum import Enum
from typing import Any, TypeVar

T = TypeVar("T")


def encode(value: object) -> object:
    """Turn a setting into what `json.dumps` takes."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"kind": _kind(type(value))} | fields
    if isinstance(value, Enum):
        return encode(value.value)
    if isinstance(value, frozenset):
        return sorted(encode(member) for member in value)  # type: ignore[type-var]  # texts only
    if isinstance(value, tuple):
        return [encode(member) for member in value]
    return value


def decode(wanted: type[T], raw: object) -> T:
    """Read a setting; raises `ValueError` that says what is wrong."""
    return typing.cast("T", _decode(wanted, raw))


def updated(current: T, raw: object) -> T:
    """Return dataclass `current` with the fields that `raw` names; raises `ValueError`."""
    return dataclasses.replace(current, **_fields(type(current), raw))  # type: ignore[type-var]  # a dataclass


def _decode(wanted: Any, raw: object) -> object:  # noqa: ANN401, PLR0911 - any type expression
    origin, arguments = typing.get_origin(wanted), typing.get_args(wanted)
    if origin in {types.UnionType, typing.Union}:
        return _member(arguments, raw)
    if origin is frozenset:
        return frozenset(_decode(arguments[0], member) for member in _array(raw))
    if origin is tuple:
        members = _array(raw)
        each = [arguments[0]] * len(members) if arguments[-1] is ... else arguments
        return tuple(_decode(one, member) for one, member in zip(each, members, strict=True))
    if dataclasses.is_dataclass(wanted):
        return typing.cast("type", wanted)(**_fields(wanted, raw))
    if issubclass(wanted, Enum):
        return wanted(raw)
    if wanted is float and type(raw) is int:
        return float(raw)
    if type(raw) is not wanted:
        message = f"{raw!r} is not of type {wanted.__name__}"
        raise ValueError(message)
    return raw


def _fields(owner: Any, raw: object) -> dict[str, Any]:  # noqa: ANN401 - a dataclass
    hints = typing.get_type_hints(owner)
    decoded: dict[str, Any] = {}
    for name, value in _object(raw).items():
        if name == "kind":
            continue
        if name not in hints:
            message = f"{name} is not one of {', '.join(hints)}"
            raise ValueError(message)
        decoded[name] = _decode(hints[name], value)
    required = {f.name for f in dataclasses.fields(owner) if f.default is dataclasses.MISSING}
    if missing := sorted(required - set(decoded)):
        message = f"{_kind(owner)} needs {', '.join(missing)}"
        raise ValueError(message)
    return decoded


def _member(members: tuple[Any, ...], raw: object) -> object:
    if raw is None and types.NoneType in members:
        return None
    choices = [member for member in members if member is not types.NoneType]
    if len(choices) == 1:
        return _decode(choices[0], raw)
    kind = _object(raw).get("kind")
    for choice in choices:
        if kind == _kind(choice):
            return _decode(choice, raw)
    message = f"kind is not one of {', '.join(map(_kind, choices))}"
    raise ValueError(message)


def _kind(owner: type) -> str:
    return owner.__name__.lower()


def _object(raw: object) -> dict[str, object]:
    if not isinstance(raw, dict):
        message = f"{raw!r} is not an object"
        raise ValueError(message)  # noqa: TRY004 - one error for all that JSON can hold
    return raw


def _array(raw: object) -> list[object]:
    if not isinstance(raw, list):
        message = f"{raw!r} is not an array"
        raise ValueError(message)  # noqa: TRY004 - one error for all that JSON can hold
    return raw
