"""What is wrong with the file, and where: problems are collected, not raised, and reported all at once.

Lines are found by a plain scan of the text, because the TOML parser does not tell them.
"""

import re
from typing import NamedTuple

from rotator.config.values import quoted
from rotator.model.secrecy import withheld

KeyPath = tuple[str | int, ...]

_BARE = r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*"
_HEADER = re.compile(rf"\s*(\[\[?)\s*({_BARE})\s*\]\]?\s*(?:#.*)?")
_KEY = re.compile(rf"\s*({_BARE})\s*=")


class Position(NamedTuple):
    """A position in the text, both counted from 1."""

    line: int
    column: int


class Problems:
    """Everything that is wrong with one file."""

    __slots__ = ("_found", "_touched")

    def __init__(self) -> None:
        self._found: list[tuple[KeyPath | Position, str]] = []
        self._touched: set[KeyPath] = set()

    def add(self, where: KeyPath | Position, text: str) -> None:
        """Note a problem at a key, at a position, or, with an empty path, of the file as a whole."""
        self._found.append((where, text))
        if not isinstance(where, Position):
            self._touched.update(where[:end] for end in range(1, len(where) + 1))

    def at(self, path: KeyPath) -> bool:
        """Tell whether there is a problem at a key or below it."""
        return path in self._touched

    def __bool__(self) -> bool:
        """Tell whether there is any."""
        return bool(self._found)

    def report(self, file: str, text: str) -> str:
        """Return a line for each problem, `file[:line[:column]]: [key: ]problem`, in file order.

        All messages leave through here, and what still looks like a secret is withheld.
        """
        lines = line_numbers(text)
        rows: list[tuple[int, str]] = []
        for where, what in self._found:
            if isinstance(where, Position):
                rows.append((where.line, f"{file}:{where.line}:{where.column}: {what}"))
                continue
            ends = range(len(where), 0, -1)
            line = next((lines[where[:end]] for end in ends if where[:end] in lines), 0)
            place = f"{file}:{line}" if line else file
            key = f"{key_text(where)}: " if where else ""
            rows.append((line, f"{place}: {key}{what}"))
        rows.sort(key=lambda row: row[0])
        return "\n".join(withheld(row) for _, row in rows)


class Node(NamedTuple):
    """A value of the file as it was parsed, and where its problems are noted."""

    value: object
    path: KeyPath
    problems: Problems

    def has(self, key: str) -> bool:
        """Tell whether this is a table with a key, right or wrong."""
        return isinstance(self.value, dict) and key in self.value

    def at(self, key: str) -> "Node":
        """Return what is at a key of this table, or would be."""
        value = self.value.get(key) if isinstance(self.value, dict) else None
        return Node(value, (*self.path, key), self.problems)

    def elements(self) -> "list[Node]":
        """Return the elements of this array; none if it is not one."""
        values = self.value if isinstance(self.value, list) else []
        return [Node(value, (*self.path, index), self.problems) for index, value in enumerate(values)]

    def note(self, text: str) -> None:
        """Note a problem here."""
        self.problems.add(self.path, text)

    def is_faulty(self) -> bool:
        """Tell whether a problem was noted here or below."""
        return self.problems.at(self.path)


def line_numbers(text: str) -> dict[KeyPath, int]:
    """Return the lines on which tables and keys begin, as far as a plain scan can be sure of them.

    It knows `[table]`, `[[array of tables]]` and `key =` with bare names; what is inside an inline table is found by
    the key before it. In a text with a multi-line string it claims nothing, because it cannot tell where that ends.
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
