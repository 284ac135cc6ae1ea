"""Planting a seeded bug: one piece of code in one function of a copy of the package is replaced by another.

A bug names the module and the function or constant it is in, and the code it replaces there. Code is compared by its
syntax tree, so neither a rename elsewhere, nor a comment, nor the way lines are broken makes a bug miss; code that is
not there exactly once does, and is told.
"""

import ast
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import cast

REPOSITORY = Path(__file__).parents[2]
"""The folder that holds the package and the tests."""
_BLOCKS = ("body", "orelse", "finalbody", "handlers")


@dataclass(frozen=True, slots=True)
class Edit:
    """One replacement."""

    place: str
    """Module and definition, such as `engine.executor:Executor._promote` or `engine.rules:DUE`."""
    old: str
    """An expression, or statements one after the other."""
    new: str
    """What stands there instead; no statements at all if empty."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """A seeded bug."""

    name: str
    sentence: str
    edits: tuple[Edit, ...]
    hunted_in: tuple[str, ...] = ("1 run after another, <=2 faults",)
    """Names of the configurations that are tried, in order, until one finds it."""


def mutated(mutant: Mutant) -> dict[Path, str]:
    """Return the source of each module that a bug changes, by its path in the package.

    Raises:
        ValueError: an edit does not fit the source exactly once.
    """
    trees: dict[Path, ast.Module] = {}
    for edit in mutant.edits:
        module, _, name = edit.place.partition(":")
        path = Path(*module.split(".")).with_suffix(".py")
        if path not in trees:
            trees[path] = ast.parse((REPOSITORY / "rotator" / path).read_text())
        swap = _Swap(edit.old, edit.new)
        swap.visit(_definition(trees[path], name, edit.place))
        if swap.fits != 1:
            raise ValueError(f"an edit of `{mutant.name}` fits {edit.place} {swap.fits} times")
    return {path: ast.unparse(ast.fix_missing_locations(tree)) for path, tree in trees.items()}


def plant(mutant: Mutant, folder: Path) -> None:
    """Put a copy of the package with the bug in it into a folder.

    Raises:
        ValueError: as `mutated`.
    """
    sources = mutated(mutant)
    package = folder / "rotator"
    shutil.copytree(REPOSITORY / "rotator", package, ignore=shutil.ignore_patterns("__pycache__"))
    for path, source in sources.items():
        (package / path).write_text(source)


def _definition(tree: ast.AST, name: str, place: str) -> ast.AST:
    """Return a function, a method or a constant of a module.

    Raises:
        ValueError: there is none of this name.
    """
    for part in name.split("."):
        found = next((node for node in getattr(tree, "body", ()) if _names(node, part)), None)
        if found is None:
            raise ValueError(f"there is no {place}")
        tree = found
    return tree


def _names(node: ast.AST, name: str) -> bool:
    match node:
        case ast.FunctionDef(name=defined) | ast.ClassDef(name=defined):
            return defined == name
        case ast.AnnAssign(target=ast.Name(id=defined)) | ast.Assign(targets=[ast.Name(id=defined)]):
            return defined == name
        case _:
            return False


class _Swap(ast.NodeTransformer):
    """Replaces code by its syntax, and counts how often."""

    def __init__(self, old: str, new: str) -> None:
        self.fits = 0
        self._old, self._new = ast.parse(old).body, ast.parse(new).body
        self._is_expression = all(len(body) == 1 and isinstance(body[0], ast.Expr) for body in (self._old, self._new))
        self._sought = [ast.dump(node) for node in self._old]

    def visit(self, node: ast.AST) -> ast.AST:
        """Replace what is sought in a node, or the node itself."""
        if self._is_expression:
            sought = cast("ast.Expr", self._old[0]).value
            if isinstance(node, ast.expr) and ast.dump(node) == ast.dump(sought):
                self.fits += 1
                return cast("ast.Expr", self._new[0]).value
            return self.generic_visit(node)
        self.generic_visit(node)  # what is put in below may hold what was sought, and stays
        for block in _BLOCKS:
            self._replace(getattr(node, block, None))
        return node

    def _replace(self, block: object) -> None:
        if not isinstance(block, list):
            return
        length = len(self._sought)
        for start in range(len(block) - length, -1, -1):
            if [ast.dump(node) for node in block[start : start + length]] == self._sought:
                self.fits += 1
                block[start : start + length] = self._new or [ast.Pass()]
                return
