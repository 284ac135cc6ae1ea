"""Pure functions of the program, remembered: most histories lead the planner to a look that it has judged before.

It is sound for a function of nothing but its arguments, which are frozen; what such a function raises is not kept. A
seeded bug is remembered as it is: each is planted in a package, and explored in a process, of its own.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType

from rotator.engine import planner
from rotator.model import naming, payload

_PURE: tuple[tuple[ModuleType, str], ...] = (
    (planner, "plan"),
    (payload, "read_value"),
    (naming, "generation_of_version"),
)


@contextmanager
def remembered() -> Iterator[None]:
    """Put a memory before each of these functions, under every name that a module has given it."""
    functions = [getattr(module, name) for module, name in _PURE]
    found = [(module, name, function) for function in functions for module, name in _names_of(function)]
    memories = {function: _memory(function) for function in functions}
    for module, name, function in found:
        setattr(module, name, memories[function])
    try:
        yield
    finally:
        for module, name, function in found:
            setattr(module, name, function)


def _names_of(function: Callable[..., object]) -> list[tuple[ModuleType, str]]:
    ours = [module for name, module in sys.modules.items() if name.startswith(("rotator.", "tests."))]
    return [(module, name) for module in ours for name, value in vars(module).items() if value is function]


def _memory(function: Callable[..., object]) -> Callable[..., object]:
    known: dict[object, object] = {}

    def call(*args: object, **named: object) -> object:
        key = (args, *named.items())
        try:
            return known[key]
        except KeyError:
            result = known[key] = function(*args, **named)
            return result

    return call
