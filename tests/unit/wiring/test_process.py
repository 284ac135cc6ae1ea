"""Whoever may run rotator must not thereby be able to read its memory."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
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


LIBRARIES = """
import io, logging, os, sys
heard = io.StringIO()
logging.basicConfig(level=logging.DEBUG, stream=heard)  # as AWS Lambda does before it imports anything of ours
logging.getLogger().setLevel(logging.DEBUG)
{enter}
from rotator.aws.session import assumed_session, identity_of, own_session
from tests.unit.aws.test_session import listening
answer = open({answer!r}).read()
with listening(body=answer) as sts:
    session = assumed_session(own_session("eu-central-1", os.environ, sts.url), {role!r}, sts.url)
    print(identity_of(session, None))
    for name in ("httpx", "httpcore", "urllib3", "boto3"):
        logging.getLogger(name + ".some.part").error("canary")
logging.getLogger("of.this.test").debug("heard")
print(heard.getvalue())
"""
ASSUMED = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIAGIVEN</AccessKeyId><SecretAccessKey>secret-canary</SecretAccessKey>
<SessionToken>token-canary</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@pytest.mark.parametrize(
    "enter",
    [
        "import rotator.lambda_handlers",
        "from rotator.cli import run; run(['--config', '/nowhere', 'config', 'check'])",
        "from rotator.cli import run; run(['--config', '/nowhere', 'daemon'])",
    ],
)
def test_no_library_logs_the_credentials_of_a_role(enter: str, tmp_path: Path) -> None:
    """With the root logger at DEBUG, whichever way this program is entered."""
    answer = tmp_path / "answer.xml"
    answer.write_text(ASSUMED)
    code = LIBRARIES.format(enter=enter, answer=str(answer), role="arn:aws:iam::123456789012:role/rotator")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=600, cwd=ROOT
    )
    assert "ASIAGIVEN" in done.stdout
    assert "heard" in done.stdout
    assert "canary" not in done.stdout + done.stderr


DEFECT = """
from rotator.cli import commands, main
def fail(*_, **__):
    raise ValueError("canary " + "of a value")
commands.rotator.commands["completion"].callback = fail
main(["completion", "bash"])
"""


def test_a_defect_is_told_without_its_message() -> None:
    """It may quote a value; what is told is where it is, and to whom to report it."""
    done = subprocess.run([sys.executable, "-c", DEFECT], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 3
    assert "a defect of rotator itself: ValueError at rotator/" in done.stderr
    assert "Report this message" in done.stderr
    assert "canary of a value" not in done.stderr
    assert "Traceback" not in done.stderr
