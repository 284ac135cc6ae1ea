"""What people install: the wheel, and the two commands of the README."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest

from rotator import __version__

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
NAME = "pinata-key-rotator"
INSTALL_S = 1800.0
STRANGERS = re.compile(r"""(?:pipx?|uv (?:pip|tool)) install (?:-\S+ )*["']?rotator\b(?!/)""")
"""An instruction to take `rotator` from an index, where the name is somebody else's."""


def test_wheel_has_a_name_of_its_own_and_the_command(tmp_path: Path) -> None:
    """The distribution, the package, the command and the extra are what the README says."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            str(tmp_path),
            str(ROOT),
        ],
        check=True,
        timeout=INSTALL_S,
    )
    (wheel,) = tmp_path.iterdir()
    assert wheel.name == f"pinata_key_rotator-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (information,) = {name.partition("/")[0] for name in names if ".dist-info/" in name}
        metadata = Parser().parsestr(packed.read(f"{information}/METADATA").decode())
        commands = packed.read(f"{information}/entry_points.txt").decode()
    assert {name.partition("/")[0] for name in names} == {"rotator", information}
    assert metadata["Name"] == NAME
    assert "sandbox" in (metadata.get_all("Provides-Extra") or [])
    assert commands.split() == ["[console_scripts]", "rotator", "=", "rotator.__main__:main"]
    assert f"`{NAME}`" in README


def test_nobody_is_told_to_install_a_strangers_package() -> None:
    """No message and no document tells people to install the bare name from an index."""
    paths = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md"), *(ROOT / "rotator").glob("**/*.py")]
    paths += (path for path in (ROOT / "config").glob("**/*") if path.is_file())
    found = [f"{path.name}: {match[0]}" for path in paths if (match := STRANGERS.search(path.read_text()))]
    assert not found
    for told in ("pip install rotator", 'pipx install "rotator[sandbox]"', "uv tool install --force rotator"):
        assert STRANGERS.search(told)
    assert not STRANGERS.search('pipx install --force ".[sandbox]"')


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_commands_of_the_readme_install_it(tmp_path: Path) -> None:
    """As written, in a folder and an environment of their own; where there is no pipx, uv stands in for it."""
    blocks = re.findall(r"<!-- run by: tests/project/test_install\.py -->\n```sh\n(.*?)```", README, flags=re.DOTALL)
    assert [block.split()[0] for block in blocks] == ["pipx", "uv"]
    uv = Path(sys.executable).with_name("uv")
    for number, block in enumerate(blocks):
        home = tmp_path / str(number)
        home.mkdir()
        commands = home / ".local/bin"
        env = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith(("PYTHON", "VIRTUAL_ENV", "XDG_"))
            },
            "HOME": str(home),
            "PATH": f"{commands}:{uv.parent}:/usr/local/bin:/usr/bin:/bin",
            "PIPX_HOME": str(home / "pipx"),
            "UV_TOOL_DIR": str(home / "tools"),
        }
        script = block if shutil.which("pipx", path=env["PATH"]) else block.replace("pipx install", "uv tool install")
        done = subprocess.run(
            ["bash", "-euc", f"{script}\nrotator explain DRIFTED\nrotator --version"],  # noqa: S607 - wherever it is
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            timeout=INSTALL_S,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        assert done.stdout.endswith(f"rotator, version {__version__}\n")
        assert (commands / "rotator").exists()
        assert ("0 refused" in done.stdout) == ("demo" in block)
