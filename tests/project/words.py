"""Finds words and shapes that the project no longer uses, in what people read: CONTRIBUTING.md has the rules.

`python -m tests.project.words` prints each with its place and what to write instead, and ends with 1; `make lint` runs
it. Searched are the documents, what `config/` says in comments, and the texts of the program: every string of
`rotator/` and the help of its commands, but not what is written about the code.
"""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

OLD = {
    r"\b(?:nobody|somebody|whoever)\b": "who it is: you, another process, anyone who; or the passive",
    r"\b(?:is|are|was|were|been) told (?:of|by|for|at|on|in|once)\b|\btells? of\b": "reported, shows",
    r"\btells? the rest\b|\bis said of\b": "shows, is known about",
    r"(?<!there )\bis no (?!longer|more|such|better|worse)\w+": "is not a ...",
    r"\bis none of ours\b|\bof none ever\b": "is not one of ...",
    r"\bthe other way (?:a)?round\b|\bbut for\b|\bnothing but\b": "conversely; except; only",
    r"\byoung\b|\bhad (?:its|their) time\b": "recent; once the grace period is over",
    r"\blooks? (?:the fleet|it|them) over\b|\blooks? over the fleet\b": "checks every secret",
    r"\bwhat stands in\b|\bin it stands?\b|\bstands in\b": "is in",
    r"\bgets? on\b": "continues",
    r"\bcalls? nobody\b": "makes no call",
    r"(?-i:^(?:error|warning): )": "`Error: ` or `Warning: `",
    r"\bshall\b": "must, will, should",
    r"\bin vain\b|\bhence\b|\bthereby\b|\bwhereby\b": "a plain word",
    r"\butili[sz]e\b|\bleverage\b|\bin order to\b|\bprior to\b|\bplease note\b": "use, to, before; or nothing",
}
"""What is no longer written, as regular expressions without case, and what is written instead."""
QUOTED = re.compile(r"```.*?```|`[^`\n]*`|\]\([^)]*\)|<!--.*?-->", re.DOTALL)
"""Code, addresses and marks are not prose."""
DOCUMENTS = ("README.md", "SECURITY.md", "docs/*.md")
COPIED = {ROOT / "docs" / "reliability.md"}
"""Written by tests/exploration in the words of its code."""
COMMENTED = ("config/**/*.toml", "config/**/*.yml", "config/**/*.yaml", "config/systemd/*", "serverless.yml")


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield what people read in a file, with its lines."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".md":
        blank = QUOTED.sub(lambda code: re.sub(r"[^\n]", " ", code[0]), text)
        yield from enumerate(blank.splitlines(), start=1)
    elif path.suffix == ".py":
        tree = ast.parse(text)
        documentation = set() if path.name == "commands.py" else {id(node) for node in _docstrings(tree)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
                for number, line in enumerate(node.value.splitlines(), start=node.lineno):
                    yield number, re.sub(r"`[^`\n]*`", "", line)
    elif path.suffix in {".html", ".json"}:
        yield from enumerate(text.splitlines(), start=1)
    else:
        for number, line in enumerate(text.splitlines(), start=1):
            yield number, line if path.suffix in {".yml", ".yaml"} else line.partition("#")[2]


def _docstrings(tree: ast.AST) -> Iterator[ast.Constant]:
    """Yield strings that are statements: documentation of the code."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def read_by_people() -> Iterator[Path]:
    """Yield the files in which people read prose."""
    for pattern in (*DOCUMENTS, *COMMENTED, "rotator/**/*.py", "rotator/**/*.html", "config/**/*.json"):
        yield from sorted(set(ROOT.glob(pattern)) - COPIED)


def found() -> Iterator[str]:
    """Yield each word or shape that is no longer used, with its place."""
    for path in read_by_people():
        for number, line in prose(path):
            for old, instead in OLD.items():
                for match in re.finditer(old, line, re.IGNORECASE):
                    yield f"{path.relative_to(ROOT)}:{number}: {match[0]!r}; write: {instead}"


if __name__ == "__main__":
    places = list(found())
    sys.stdout.writelines(f"{place}\n" for place in places)
    sys.exit(bool(places))
