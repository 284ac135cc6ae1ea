"""Reading TOML tables without stopping at the first mistake.

A `Table` hands out typed fields. Where one is wrong it notes a problem and hands out the default
instead, so that the rest is read too; `Problems` has them all in the end, with the lines they stand
on. What the fields mean is known elsewhere.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TypeVar

from rotator.config.values import DURATION_MAX, TOKEN, UnfitError, described, duration, nearest, quoted
from rotator.model.times import setting_text

T = TypeVar("T")
KeyPath = tuple[str | int, ...]

_BARE = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_BARE})\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_BARE})\s*=")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in the text, both counted from 1."""

    line: int
    column: int


@dataclass(slots=True)
class Problems:
    """Everything that is wrong with one file."""

    _found: list[tuple[KeyPath | Place, str]] = field(default_factory=list)
    _touched: set[KeyPath] = field(default_factory=set)

    def add(self, where: KeyPath | Place, text: str) -> None:
        """Note a problem at a key, at a place, or, with an empty path, of the file as a whole."""
        self._found.append((where, text))
        if not isinstance(where, Place):
            self._touched.update(where[:end] for end in range(1, len(where) + 1))

    def at(self, path: KeyPath) -> bool:
        """Tell whether there is a problem at a key or below it."""
        return path in self._touched

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._found)

    def report(self, file: str, text: str) -> str:
        """Return a line for each problem, `file[:line[:column]]: [key: ]problem`, in file order.

        This is the one way out: whatever still looks like a token is withheld here.
        """
        lines = line_numbers(text)
        rows: list[tuple[int, str]] = []
        for where, what in self._found:
            if isinstance(where, Place):
                rows.append((where.line, f"{file}:{where.line}:{where.column}: {what}"))
                continue
            ends = range(len(where), 0, -1)
            line = next((lines[where[:end]] for end in ends if where[:end] in lines), 0)
            place = f"{file}:{line}" if line else file
            key = f"{key_text(where)}: " if where else ""
            rows.append((line, f"{place}: {key}{what}"))
        rows.sort(key=lambda row: row[0])
        return "\n".join(TOKEN.sub("<withheld>", row) for _, row in rows)


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the lines on which tables and keys begin, as far as a plain scan can be sure of them.

    It knows `[table]`, `[[array of tables]]` and `key =` with bare names; what stands inside an
    inline table is found by the key before it. Where a multi-line string is in the text it claims
    nothing, for it cannot tell where that ends.
    """
    found: dict[KeyPath, int] = {}
    if '"""' in text or "'''" in text:
        return found
    entries: dict[KeyPath, int] = {}
    here: KeyPath = ()
    for number, line in enumerate(text.split("\n"), start=1):
        if header := _HEADER.fullmatch(line):
            opens = header[1] == "[["
            here = _header_path(header[2].split("."), entries, opens=opens)
            found.setdefault(here[:-1] if opens else here, number)
            found.setdefault(here, number)
        elif key := _KEY.match(line):
            found.setdefault((*here, *key[1].split(".")), number)
    return found


def key_text(path: KeyPath) -> str:
    """Write a path as `secrets[0].max_age`."""
    shown = ""
    for part in path:
        if isinstance(part, int):
            shown += f"[{part}]"
        else:
            shown += "." * bool(shown) + (part if re.fullmatch(_BARE, part) else quoted(part))
    return shown


class Table:
    """One table of the file, and the fields that were asked of it."""

    __slots__ = ("_asked", "_problems", "_raw", "path")

    def __init__(self, raw: Mapping[str, object], path: KeyPath, problems: Problems) -> None:
        """Read `raw`, which stands at `path`."""
        self._raw = raw
        self._asked: set[str] = set()
        self._problems = problems
        self.path = path

    def has(self, key: str) -> bool:
        """Tell whether a key is set, rightly or wrongly."""
        self._asked.add(key)
        return key in self._raw

    def has_table(self, key: str) -> bool:
        """Tell whether a key is set to a table."""
        return self.has(key) and isinstance(self._raw[key], dict)

    def is_faulty(self, key: str) -> bool:
        """Tell whether a problem was noted at a key or below it."""
        return self._problems.at((*self.path, key))

    def problem(self, key: str, text: str) -> None:
        """Note a problem at a key."""
        self._asked.add(key)
        self._problems.add((*self.path, key), text)

    def require(self, key: str, hint: str) -> None:
        """Note a problem if a key is not set."""
        if not self.has(key):
            self.problem(key, f"is missing; {hint}")

    def refuse(self, key: str, why: str) -> None:
        """Note a problem if a key is set; it is not offered as a known one."""
        if key in self._raw:
            self.problem(key, why)

    def text(self, key: str, default: T, read: Callable[[str], T], expected: str) -> T:
        """Return what `read` makes of a string; messages say "expected `expected`, found ..."."""
        if not self.has(key):
            return default
        read_value = self._read((*self.path, key), self._raw[key], read, expected)
        return default if read_value is None else read_value

    def texts(self, key: str, default: tuple[T, ...], read: Callable[[str], T], expected: str) -> tuple[T, ...]:
        """Return what `read` makes of each string in an array, without those that it refuses."""
        if not self.has(key):
            return default
        value = self._raw[key]
        if not isinstance(value, list):
            self.problem(key, f"expected an array, each {expected}, found {described(value)}")
            return default
        path = (*self.path, key)
        values = [self._read((*path, i), v, read, expected) for i, v in enumerate(value)]
        return tuple(v for v in values if v is not None)

    def integer(self, key: str, default: T, least: int, most: int) -> int | T:
        """Return a whole number within bounds, both included."""
        if not self.has(key):
            return default
        value = self._raw[key]
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        wanted = f"expected an integer from {least} to {most}"
        self.problem(key, f"{wanted}, found {described(value)}")
        return default

    def flag(self, key: str) -> bool:
        """Return a boolean; false if it is not set."""
        if not self.has(key):
            return False
        value = self._raw[key]
        if not isinstance(value, bool):
            self.problem(key, f"expected true or false, found {described(value)}")
        return value is True

    def duration(self, key: str, default: timedelta, *, least: timedelta, most: timedelta = DURATION_MAX) -> timedelta:
        """Return a length of time within bounds, both included."""

        def read(text: str) -> timedelta:
            value = duration(text)
            if value < least:
                raise UnfitError(f"{quoted(text)} is too short; at least {setting_text(least)}")
            if value > most:
                raise UnfitError(f"{quoted(text)} is too long; at most {setting_text(most)}")
            return value

        return self.text(key, default, read, 'a duration such as "30d", "24h", "1h30m" or "45s"')

    def table(self, key: str) -> "Table | None":
        """Return a table within this one; None if it is not set or is no table."""
        if not self.has(key):
            return None
        return self._table((*self.path, key), self._raw[key])

    def section(self, key: str) -> "Table":
        """Return a table within this one; an empty one if it is not set or is no table."""
        return self.table(key) or Table({}, (*self.path, key), self._problems)

    def tables(self, key: str) -> list["Table"]:
        """Return the tables of an array of tables, `[[key]]`."""
        if not self.has(key):
            return []
        value = self._raw[key]
        if not isinstance(value, list):
            self.problem(key, f"expected [[{key}]] entries, found {described(value)}")
            return []
        found = (self._table((*self.path, key, i), entry) for i, entry in enumerate(value))
        return [table for table in found if table is not None]

    def finish(self) -> None:
        """Note every key that nobody asked for."""
        for key in self._raw:
            if key not in self._asked:
                near = nearest(key, self._asked) or f"known here: {', '.join(sorted(self._asked))}"
                self._problems.add((*self.path, key), f"unknown key; {near}")

    def _read(self, path: KeyPath, value: object, read: Callable[[str], T], expected: str) -> T | None:
        reason = ""
        if isinstance(value, str):
            try:
                return read(value)
            except UnfitError as error:
                reason = str(error)
        self._problems.add(path, reason or f"expected {expected}, found {described(value)}")
        return None

    def _table(self, path: KeyPath, value: object) -> "Table | None":
        if isinstance(value, dict):
            return Table(value, path, self._problems)
        self._problems.add(path, f"expected a table, found {described(value)}")
        return None


def _header_path(names: list[str], entries: dict[KeyPath, int], *, opens: bool) -> KeyPath:
    """Resolve a header: a name that is an array of tables means its latest entry."""
    here: KeyPath = ()
    for depth, name in enumerate(names, start=1):
        here = (*here, name)
        if opens and depth == len(names):
            entries[here] = entries.get(here, -1) + 1
        if here in entries:
            here = (*here, entries[here])
    return here
