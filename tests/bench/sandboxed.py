"""A fleet in the sandbox, which runs in this process, so that its CPU time is not that of what is measured."""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.sandbox.running import Sandbox, value_of
from tests.bench.fresh import environment, run

_ENTRY = """
[[secrets]]
name = "{name}"
secret_id = "prod/pinata/{name}"
permissions = {{ resources = ["org:files:write"] }}
"""


@dataclass(frozen=True, slots=True)
class Fleet:
    """A running sandbox and the names of its secrets."""

    sandbox: Sandbox
    names: tuple[str, ...]

    def edit(self, old: str, new: str) -> None:
        """Replace one place of the configuration."""
        path = self.sandbox.config_path
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")

    def program(self, name: str, *arguments: str) -> dict[str, Any]:
        """Run a program of `clients` and return what it reports."""
        command = [sys.executable, "-m", "tests.bench.clients", name, *arguments]
        variables = self.sandbox.environment | {"PINATA_URL": self.sandbox.pinata.url}
        spent = run(command, environment(variables))
        reported: dict[str, Any] = json.loads(spent.output.splitlines()[-1])
        return reported


@contextmanager
def fleet(folder: Path, names: Sequence[str]) -> Iterator[Fleet]:
    """Yield secrets that hold hand-made keys, without grace, and with no limit to requests."""
    folder.mkdir()
    with Sandbox(folder) as sandbox:
        text = sandbox.config_path.read_text(encoding="utf-8").partition("[[secrets]]")[0]
        text = text.replace("= 6000\n", "= 100000\n").replace("= 3000\n", "= 100000\n")
        entries = (_ENTRY.format(name=name) for name in names)
        sandbox.config_path.write_text(text + "".join(entries), encoding="utf-8")
        for name in names:
            sandbox.create_secret(f"prod/pinata/{name}", value_of(sandbox.seed_key(f"hand {name}")))
        yield Fleet(sandbox, tuple(names))
