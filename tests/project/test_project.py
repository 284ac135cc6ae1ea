"""Rules about the project's own text that no linter states."""

import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BUILT = {"__pycache__", "build", "dist", "node_modules"}
KEPT_DOT_NAMES = {".ci", ".github", ".editorconfig", ".gitignore", ".dockerignore"}

# Brackets keep a pattern from matching its own source.
FORBIDDEN = re.compile(
    r"p[y]pi\.org|python[h]osted|registry\.n[p]mjs|n[p]mjs\.(org|com)|deb\.[d]ebian\.org"
    r"|(?<![\w.])/(work|root|Users)/|/home/[a-z]|\.l[i]brary/"
)
EXEMPTION = re.compile(r"#\s*(noqa\b|ruff: noqa|type:\s*ignore|pragma: no (cover|branch))")
REASON = re.compile(r"#.*?\s(?:--?|#)\s+\w.{4,}")
CLUTTER = {"base", "common", "helpers", "manager", "service", "utils"}
LINES_MAX = 350


def _paths(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.name in BUILT or (path.name.startswith(".") and path.name not in KEPT_DOT_NAMES):
            continue
        if path.is_dir():
            yield from _paths(path)
        else:
            yield path


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _comments(path: Path) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(_text(path)).readline):
        if token.type == tokenize.COMMENT:
            yield token.start[0], token.string


PATHS = list(_paths(ROOT))
SOURCES = [path for path in PATHS if path.suffix == ".py"]
MODULES = [path for path in SOURCES if path.is_relative_to(ROOT / "rotator")]


def test_no_machine_or_registry_is_named() -> None:
    """No file names a package registry's host or a folder of somebody's machine."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {match[0]}"
        for path in PATHS
        for number, line in enumerate(_text(path).splitlines(), start=1)
        if (match := FORBIDDEN.search(line))
    ]
    assert not found, "\n".join(found)


def test_every_exemption_says_why() -> None:
    """Each silenced lint, type or coverage finding carries its reason on the same line."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {comment}"
        for path in SOURCES
        for number, comment in _comments(path)
        if EXEMPTION.match(comment) and not REASON.match(comment)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("comment", "has_reason"),
    [
        ("# noqa: S105", False),
        ("# noqa: S105, S106 - the secret is fake", True),
        ("# type: ignore[misc]", False),
        ("# type: ignore[misc]  # the stub lacks this overload", True),
        ("# pragma: no cover", False),
        ("# pragma: no cover - only on Windows", True),
    ],
)
def test_reason_is_recognised(comment: str, *, has_reason: bool) -> None:
    """A reason follows the codes after a dash or a second hash."""
    assert EXEMPTION.match(comment)
    assert bool(REASON.match(comment)) is has_reason


def test_modules_can_be_read_in_one_sitting() -> None:
    """No module of the package is longer than the agreed limit."""
    lengths = {str(path.relative_to(ROOT)): len(_text(path).splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LINES_MAX} == {}


def test_no_module_name_attracts_clutter() -> None:
    """No module or package has a name under which anything could be filed."""
    parts = {part for path in MODULES for part in path.relative_to(ROOT).with_suffix("").parts}
    assert not parts & CLUTTER


def test_help_starts_without_the_clients() -> None:
    """`rotator --help` imports neither boto3 nor httpx, which take most of a start."""
    code = "from rotator.cli import main; main(['--help'])"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "rotator.cli" in imported
    assert not imported & {"boto3", "botocore", "httpx"}


def test_contributing_shows_the_lobby_as_it_is() -> None:
    """The maps in CONTRIBUTING.md name what stands in `rotator/` and `tests/`, and nothing else."""
    text = _text(ROOT / "CONTRIBUTING.md")
    for folder in ("rotator", "tests"):
        _, _, rest = text.partition(f"```\n{folder}/\n")
        drawn = re.findall(r"^  (\S+)  ", rest.partition("```")[0], flags=re.MULTILINE)
        found = {path.name + "/" * path.is_dir() for path in (ROOT / folder).iterdir() if path.name not in BUILT}
        files = {name for name in found if not name.endswith("/")} if folder == "tests" else set()
        assert set(drawn) == found - files
        assert len(drawn) == len(set(drawn))


def test_the_ten_minute_path_is_short() -> None:
    """README.md and the files that CONTRIBUTING.md asks a newcomer to read are few, and under 1,000 lines."""
    path, _, _ = _text(ROOT / "CONTRIBUTING.md").partition("## The lobby")
    files = re.findall(r"^\d\. \[`(\S+\.py)`\]", path, flags=re.MULTILINE)
    assert len(files) == 5
    assert sum(len(_text(ROOT / file).splitlines()) for file in ("README.md", *files)) < 1000
