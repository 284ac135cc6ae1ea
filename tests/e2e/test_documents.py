"""The documents: their commands run, or a mark says what they need; their examples can be read by what reads them.

A block of commands that is not run here has a line above it: `<!-- needs: an AWS account -->`, with one of `NEEDS`, or
`<!-- run by: tests/... -->`, the test or the target that runs it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner

from rotator.cli.surroundings import rotator
from rotator.sandbox.running import ADMIN_SECRET
from tests.consumers.installed import AWS, PACKAGES, prepare
from tests.e2e.stage import COMMAND_S, Stage

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("**/*.md"))]
NEEDS = {"an AWS account", "root", "a container engine", "a Kubernetes cluster"}


@dataclass(frozen=True)
class Block:
    """A fenced block of a page, without common indentation; `mark` says why it is not run here."""

    language: str
    text: str
    mark: str


def blocks(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    fence = r"^( *)(?:<!-- ((?:needs|run by): [^\n>]+) -->\n *)?```(\w*)\n(.*?)^ *```$"
    for found in re.finditer(fence, page.read_text(), flags=re.MULTILINE | re.DOTALL):
        indent, mark, language, text = found.groups()
        yield Block(language, re.sub(rf"^{indent}", "", text, flags=re.MULTILINE), mark or "")


def commands(page: Path) -> list[str]:
    """Return the blocks of commands that are run here."""
    return [block.text for block in blocks(page) if block.language == "sh" and not block.mark]


def name(page: Path) -> str:
    """Return a page's name for people."""
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_marks_say_what_is_so(page: Path) -> None:
    """What a mark names is something that a reader may lack, or a test or target that is there."""
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    for block in blocks(page):
        kind, _, what = block.mark.partition(": ")
        if kind == "needs":
            assert what in NEEDS
        elif what.startswith("make "):
            assert what.removeprefix("make ") in targets
        elif kind:
            assert (ROOT / what).exists(), what


@pytest.fixture
def shell(stage: Stage, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a reader's shell: `rotator` and `aws` reach the sandbox."""
    path = tmp_path / "bin"
    path.mkdir()
    scripts = {
        # A reader who begins has no configuration; the one that `init` writes is for the real systems.
        "rotator": f'[ "$1" != init ] || unset ROTATOR_CONFIG\nexec {sys.executable} -m rotator "$@"',
        "aws": f'PYTHONPATH={PACKAGES} exec {" ".join(AWS)} "$@"',
        "logger": "exec cat >/dev/null",
    }
    for command, text in scripts.items():
        (path / command).write_text(f"#!/bin/sh\n{text}\n")
        (path / command).chmod(0o755)
    return {**stage.environment({"AWS_PAGER": ""}), "PATH": f"{path}:{os.environ['PATH']}"}


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if any("aws " in text for text in commands(page)) else ())
        for page in PAGES
        if commands(page)
    ],
    ids=name,
)
@pytest.mark.slow
def test_commands_work_in_their_order(stage: Stage, shell: dict[str, str], page: Path, tmp_path: Path) -> None:
    """Every block that is not marked ends well, from top to bottom; other pages than the first find a secret in use."""
    script = "\n".join(commands(page))
    if "aws " in script:
        prepare()
    if page.name == "README.md":
        stage.sandbox.call("DeleteSecret", {"SecretId": ADMIN_SECRET, "ForceDeleteWithoutRecovery": True})
    else:
        assert stage.rotator("run").returncode == 0
    folder = tmp_path / "reader"
    folder.mkdir()
    done = subprocess.run(
        ["bash", "-euxc", script],  # noqa: S607 - wherever it is
        cwd=folder,
        env=shell,
        input=f"{stage.sandbox.admin_jwt}\n",
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(stage.live_keys()) == 1


def test_the_line_for_cron_keeps_the_exit_code(shell: dict[str, str]) -> None:
    """It says nothing while all is well, and the exit code when it is not, though the output goes to the log."""
    (block,) = (block for block in blocks(ROOT / "README.md") if block.language == "cron")
    line = block.text.splitlines()[-1]
    command = line.partition(" rotator ")[2].replace("/usr/local/bin/", "")
    for config, said in ((shell["ROTATOR_CONFIG"], ""), ("/nowhere.toml", "rotator run: exit code 2\n")):
        done = subprocess.run(
            ["bash", "-c", command],  # noqa: S607 - as above
            env={**shell, "ROTATOR_CONFIG": config},
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        assert (done.stdout, done.stderr) == (said, "")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_command_that_is_named_exists(page: Path) -> None:
    """Whatever a reader tries from a page's text is a command, with the options that it is given."""
    for written in sorted(set(re.findall(r"`rotator ([a-z][^`]*)`", page.read_text()))):
        words = written.split()
        path = words[: 2 if words[0] in {"audit", "config"} else 1]
        done = CliRunner().invoke(rotator, [*path, "--help"])
        assert done.exit_code == 0, written
        for option in (word for word in words if word.startswith("--")):
            assert option in done.output + "--config --help", written


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_examples_can_be_read(page: Path) -> None:
    """An example in a language is in that language."""
    for block in blocks(page):
        match block.language:
            case "json":
                json.loads(block.text)
            case "yaml":
                yaml.safe_load(block.text)
            case "toml":
                tomllib.loads(block.text)
            case "python":
                compile(block.text, name(page), "exec")
            case "hcl" if shutil.which("terraform"):
                subprocess.run(
                    ["terraform", "fmt", "-check", "-"],  # noqa: S607 - wherever it is
                    env={**os.environ, "TF_CLI_CONFIG_FILE": os.devnull},
                    input=block.text,
                    capture_output=True,
                    text=True,
                    check=True,
                    timeout=COMMAND_S,
                )
            case _:
                pass


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="there is no kubectl")
def test_the_overlay_for_kubernetes_is_one(tmp_path: Path) -> None:
    """The documented overlay takes the image, the role and the configuration of a site, and the base all else."""
    (overlay,) = (
        block.text for block in blocks(ROOT / "docs/infrastructure-as-code.md") if "Kustomization" in block.text
    )
    shutil.copytree(ROOT / "config/kubernetes", tmp_path / "config/kubernetes")
    (tmp_path / "site").mkdir()
    (tmp_path / "site/kustomization.yaml").write_text(overlay)
    (tmp_path / "site/rotator.toml").write_text("# of this site")
    made = subprocess.run(
        ["kubectl", "kustomize", str(tmp_path / "site")],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=True,
        timeout=COMMAND_S,
    ).stdout
    objects = {found["kind"]: found for found in yaml.safe_load_all(made)}
    assert objects["ConfigMap"]["data"] == {"rotator.toml": "# of this site"}
    assert "111122223333" in str(objects["ServiceAccount"]["metadata"]["annotations"])
    assert "REGISTRY" not in made
