"""`explain`: what a reason, an exit code or an error means, what happens next by itself, and what you do.

All of it stands beside the codes, in their docstrings; docs/reasons.md is written from the same.
"""

import ast
import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from functools import cache
from itertools import pairwise

import click

from rotator.cli.context import print_json
from rotator.cli.exits import Exit, exit_code_of
from rotator.config.values import nearest, quoted
from rotator.model import errors
from rotator.model.errors import ConfigError, Remedy, RotatorError
from rotator.model.reasons import Reason


class Kind(StrEnum):
    """What a code is."""

    REASON = "reason"
    EXIT = "exit code"
    ERROR = "error"


@dataclass(frozen=True)
class Explanation:
    """What one code means."""

    code: str
    kind: Kind
    exit_code: int | None
    """With which code a command ends for it; None for a reason, where the outcome decides."""
    meaning: str
    happens: str
    you: str


def explain(code: str | None, *, as_json: bool) -> int:
    """Print what a code means, or the codes if none is given. Raises ConfigError if there is no such code."""
    known = explanations()
    if code is None:
        shown = tuple(known.values())
    else:
        given = code.lower().replace("-", "_").removeprefix("exit").strip(" _")
        by_lower = {name.lower(): name for name in known}
        if given not in by_lower:
            near = nearest(code, known) or nearest(given.upper(), known)
            raise ConfigError(
                f"there is no reason, exit code or error {quoted(code)}{'; ' if near else ''}{near}",
                next_step="`rotator explain` lists them all.",
            )
        shown = (known[by_lower[given]],)
    if as_json:
        for one in shown:
            print_json(_row(one))
    elif code is None:
        for kind in Kind:
            codes = ", ".join(one.code for one in shown if one.kind is kind)
            click.echo(click.wrap_text(f"{kind}s: {codes}", width=80, subsequent_indent="  "))
    else:
        for one in shown:
            click.echo(_text(one))
    return Exit.OK


def _row(one: Explanation) -> dict[str, object]:
    return {
        "code": one.code,
        "kind": one.kind,
        "exit_code": one.exit_code,
        "meaning": one.meaning,
        "next": one.happens,
        "you": one.you,
    }


def _text(one: Explanation) -> str:
    ends = f", exit code {one.exit_code}" if one.kind is Kind.ERROR else ""
    paragraphs = (f"{one.code} ({one.kind}{ends})", one.meaning, f"Next: {one.happens}", f"You: {one.you}")
    first, *rest = (click.wrap_text(text, width=80) for text in paragraphs)
    return "\n".join([first, *(f"  {line}" for text in rest for line in text.splitlines())])


@cache
def explanations() -> Mapping[str, Explanation]:
    """Return every reason, exit code and error by its code, in the order in which they are documented."""
    reasons = [
        Explanation(reason.value, Kind.REASON, None, *_parts(text))
        for reason, text in zip(Reason, _docstrings(Reason), strict=True)
    ]
    exits = [
        Explanation(str(code.value), Kind.EXIT, code.value, *_parts(text))
        for code, text in zip(Exit, _docstrings(Exit), strict=True)
    ]
    happens = dict(zip(Remedy, (_parts(text)[1] for text in _docstrings(Remedy)), strict=True))
    failures = [
        Explanation(
            error.__name__,
            Kind.ERROR,
            exit_code_of(error),
            " ".join(inspect.cleandoc(error.__doc__ or "").split("\n\n")[0].split()),
            happens[error.remedy],
            error.default_step,
        )
        for error in vars(errors).values()
        if isinstance(error, type) and issubclass(error, RotatorError)
    ]
    return {one.code: one for one in (*reasons, *exits, *failures)}


def _docstrings(members: type[Enum]) -> list[str]:
    """Return the docstring below each member, which Python keeps in the source alone."""
    (body,) = (node.body for node in ast.parse(inspect.getsource(members)).body if isinstance(node, ast.ClassDef))
    return [
        inspect.cleandoc(below.value.value)
        for above, below in pairwise(body)
        if isinstance(above, ast.Assign)
        and isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    ]


def _parts(docstring: str) -> tuple[str, str, str]:
    """Return what a docstring says of the meaning, of what happens next, and of what you do."""
    meaning, _, rest = docstring.partition("\n\nNext: ")
    happens, _, you = rest.partition("\nYou: ")
    meaning, happens, you = (" ".join(part.split()) for part in (meaning, happens, you))
    return meaning, happens, you
