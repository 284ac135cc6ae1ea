"""Where lines meet the terminal: its width, its colours, and how long sentences are folded."""

import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Iterable

import click

WIDTH_MIN = 60


def width() -> int | None:
    """Return how wide lines may be; None in a pipe, where nothing is cut or folded."""
    return max(WIDTH_MIN, shutil.get_terminal_size().columns) if sys.stdout.isatty() else None


def folded(line: str, columns: int | None) -> str:
    """Fold a line to the width; what follows is indented below it. A command stays whole, to be copied."""
    if columns is None or len(line) <= columns or line.lstrip().startswith("$ "):
        return line
    indent = " " * (len(line) - len(line.lstrip()))
    wrap = textwrap.TextWrapper(
        columns,
        initial_indent=indent,
        subsequent_indent=f"{indent}    ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return wrap.fill(line.lstrip())


def show(lines: Iterable[str], echo: Callable[[str], None] = click.echo) -> None:
    """Print lines, folded to the terminal; whoever draws there meanwhile is the one who prints."""
    columns = width()
    for line in lines:
        echo(folded(line, columns))


def alarming(text: str) -> str:
    """Return a text in red, where colours are shown."""
    is_coloured = sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return click.style(text, fg="red") if is_coloured else text


def counted(number: int, noun: str) -> str:
    """Write a number with its noun: `1 key`, `10,000 keys`."""
    return f"{number:,} {noun}" + ("" if number == 1 else "s")
