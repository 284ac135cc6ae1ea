"""The kinds of values: texts, durations, numbers, booleans, arrays and tables, with their bounds."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

from rotator.config.problems import Node
from rotator.config.schema import Kind, Schema
from rotator.config.values import DURATION_MAX, UnfitError, duration, nearest, quoted
from rotator.model.times import setting_text


def text(parse: Callable[[str], object], name: str, bounds: str = "") -> Kind:
    """Return the kind of a string that `parse` reads."""
    return Kind(name, bounds, str, lambda written, _: parse(written))


def like(pattern: str, name: str, build: Callable[[str], object] = str) -> Kind:
    """Return the kind of a string that matches a pattern as a whole; it is compiled when one is read."""

    def parse(written: str) -> object:
        if not re.fullmatch(pattern, written, re.ASCII):
            raise UnfitError
        return build(written)

    return text(parse, name)


def chosen(choices: Mapping[str, object], name: str) -> Kind:
    """Return the kind of a string that is one of the names in `choices`, and means what that stands for."""

    def parse(written: str) -> object:
        if written in choices:
            return choices[written]
        near = nearest(written, choices) or f"known: {', '.join(sorted(choices))}"
        raise UnfitError(f"unknown name {quoted(written)}; {near}")

    return text(parse, name, ", ".join(choices))


def span(least: timedelta, most: timedelta = DURATION_MAX) -> Kind:
    """Return the kind of a duration within bounds, both included."""

    def parse(written: str) -> timedelta:
        value = duration(written)
        if value < least:
            raise UnfitError(f"{quoted(written)} is too short; at least {setting_text(least)}")
        if value > most:
            raise UnfitError(f"{quoted(written)} is too long; at most {setting_text(most)}")
        return value

    kind = text(parse, "a duration", f"{setting_text(least)} to {setting_text(most)}")
    return kind._replace(expected='a duration such as "30d", "24h", "1h30m" or "45s"')


def integer(least: int, most: int) -> Kind:
    """Return the kind of a whole number within bounds, both included."""

    def parse(value: int, _: Node) -> int:
        if isinstance(value, bool) or not least <= value <= most:
            raise UnfitError
        return value

    return Kind("an integer", f"{least} to {most}", int, parse, f"an integer from {least} to {most}")


FLAG = Kind("true or false", "", bool, lambda value, _: value)


def array(item: Kind, collect: Callable[[Iterable[object]], object] = tuple) -> Kind:
    """Return the kind of an array; elements that do not fit are left out."""

    def parse(_: object, node: Node) -> object:
        values = [item.read(element) for element in node.elements()]
        return collect(value for value in values if value is not None)

    return Kind(f"an array, each {item.name}", item.bounds, list, parse, settings=item.settings)


def table(schema: Schema[Any]) -> Kind:
    """Return the kind of a table with settings of its own."""
    return Kind("a table", "", dict, lambda _, node: schema.read(node, {}), settings=schema.settings)
