"""Whoever may run rotator must not thereby be able to read its memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import ctypes, resource
from rotator.cli import run
code = run(["config", "check"])
print(code, resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3))
"""
"""A command, then what the process has become; 3 is PR_GET_DUMPABLE."""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's own")
def test_a_command_leaves_nothing_to_dump_or_attach_to(tmp_path: Path) -> None:
    """Before a command reads its configuration, core dumps are off and the memory is closed to others."""
    missing = {**os.environ, "ROTATOR_CONFIG": str(tmp_path / "missing.toml")}
    done = subprocess.run(
        [sys.executable, "-c", COMMAND], env=missing, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "2 (0, 0) 0"


HANDLERS = """
import ctypes, resource
import rotator.lambda_handlers
print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="prctl is Linux's own")
def test_a_function_leaves_nothing_to_dump_or_attach_to() -> None:
    """Once the handlers are imported, and before any event, core dumps are off and the memory is closed to others."""
    command = [sys.executable, "-c", HANDLERS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    assert done.stdout.strip() == "(0, 0) 0"


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]], ids=" ".join)
def test_help_does_not_pay_for_it(arguments: list[str]) -> None:
    """What touches no secret starts without ctypes."""
    code = f"from rotator.cli import main; main({arguments!r})"
    command = [sys.executable, "-X", "importtime", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "rotator.cli" in imported
    assert "ctypes" not in imported
