"""The Python that everything is made with: of a virtual environment, and of the zip for Lambda."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def make_dev(venv: Path, python: str) -> str:
    """Have `make` say what `make dev` would do about an environment whose Python is this shell command."""
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").write_text(f"#!/bin/sh\n{python}\n")
    (venv / "bin/python").chmod(0o755)
    (venv / ".ready").touch()
    return subprocess.run(
        ["make", "--dry-run", "dev", f"VENV={venv}", f"PYTHON={sys.executable}"],  # noqa: S607 - wherever it is
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
def test_environment_of_another_python_is_made_anew(tmp_path: Path) -> None:
    """`make dev PYTHON=...` gives that Python whatever was there before, and keeps what is right already."""
    told = make_dev(tmp_path / "other", "echo 3.9")
    assert "it is made anew" in told
    assert f"-m venv {tmp_path}/other" in told
    assert not (tmp_path / "other").exists()
    told = make_dev(tmp_path / "same", f'exec {sys.executable} "$@"')
    assert "-m venv" not in told
    assert (tmp_path / "same").exists()


def test_zip_with_bytecode_of_another_python_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The functions would ignore it, and start in twice the time."""
    spec = importlib.util.spec_from_file_location("bundle", ROOT / "config/stack/bundle.py")
    assert spec
    assert spec.loader
    bundle = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bundle)
    monkeypatch.setattr(bundle, "DEPENDENCIES", tmp_path)
    monkeypatch.setattr(sys.implementation, "cache_tag", bundle.cache_tag_of_the_functions())
    bundle.pack(ROOT / "config/example.toml", tmp_path / "right.zip")
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(sys.implementation, "cache_tag", "cpython-311")
    bundle.pack(ROOT / "config/example.toml", tmp_path / "wrong.zip")
    assert "is of cpython-311, and the functions are of cpython-313" in capsys.readouterr().err
