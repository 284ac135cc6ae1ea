"""Nothing secret leaves the process but to the two systems: not at DEBUG, not in either log format, not in failures.

Every JWT, key secret, managing token and AWS credential is a canary. It is looked for in all that the command line
prints and writes, in clear, encoded, and cut: any 24 characters of any form count as found.
"""

import base64
import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

import pytest

from rotator.audit.directory.files import audit_files
from rotator.sandbox.pinata.faults import Damage, Drop, Fault, Injection, Omit, Operation, Respond, Side, Spoil
from rotator.sandbox.pinata.switches import Delay
from rotator.sandbox.running import ADMIN_SECRET
from rotator.sandbox.secrets_manager.faults import Fault as AwsFault
from rotator.sandbox.secrets_manager.faults import Kind, Moment
from tests.e2e.stage import Stage

WINDOW = 24
AWS_SECRET = "wJalrXUtnFEMIbPxRfiCYzK7MDENGcanarycanary"


class Everything:
    """All that the command line has let out, and what of it is secret."""

    def __init__(self, stage: Stage, log_format: str) -> None:
        """Collect what a stage's commands print from now on."""
        self._stage = stage
        self._printed: list[str] = []
        self._env = {
            "ROTATOR_LOG_LEVEL": "DEBUG",
            "ROTATOR_LOG_FORMAT": log_format,
            "AWS_SECRET_ACCESS_KEY": AWS_SECRET,
        }

    def rotator(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command and keep what it prints."""
        return self._kept(self._stage.rotator(*args, env=self._env))

    def process(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a process and keep all that it prints, down to the interpreter's last words."""
        return self._kept(self._stage.process(*args, env=self._env))

    def _kept(self, done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
        assert "defect" not in done.stdout + done.stderr, done.stderr
        self._printed += [done.stdout, done.stderr]
        return done

    def text(self) -> str:
        """Return everything printed, and the audit trail."""
        files = sorted(self._stage.sandbox.audit_directory.iterdir())
        return "\n".join([*self._printed, *(file.read_text() for file in files)])

    def leaks(self) -> set[str]:
        """Return the secret pieces that were let out."""
        canaries = set(pieces_of(self._secrets()))
        text = self.text()
        return canaries.intersection(windows(text))

    def _secrets(self) -> Iterator[str]:
        yield AWS_SECRET
        for key in self._stage.site.world.keys.values():
            yield from (key.jwt, key.secret)


def forms(secret: str) -> Iterator[str]:
    """Yield a secret as it may look in a text, whatever has quoted or encoded it."""
    raw = secret.encode()
    yield secret
    yield json.dumps(secret)
    yield quote(secret, safe="")
    yield repr(raw)
    yield raw.hex()
    yield raw.hex().upper()
    for pad in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # The first and the last group depend on what stands around the secret.
            yield encode(b"\0" * pad + raw).decode()[4:-4]


def windows(text: str) -> Iterator[str]:
    """Yield every piece of a text."""
    return (text[start : start + WINDOW] for start in range(len(text) - WINDOW + 1))


def pieces_of(secrets: Iterator[str]) -> Iterator[str]:
    """Yield every piece of every form of every secret."""
    for secret in secrets:
        for form in forms(secret):
            yield from windows(form)


@pytest.fixture(params=["json", pytest.param("console", marks=pytest.mark.slow)])
def everything(stage: Stage, request: pytest.FixtureRequest) -> Everything:
    """Collect in both log formats."""
    return Everything(stage, request.param)


@pytest.mark.slow
def test_a_whole_life_shows_no_secret(stage: Stage, everything: Everything, tmp_path: Path) -> None:
    """Every command, on a secret that is taken over, rotated, edited by hand, held and rotated again."""
    commands: list[tuple[str, ...]] = [
        ("plan",),
        ("run",),
        ("rotate", "uploader", "--json"),
        ("run", "--every", "5m"),
        ("status",),
        ("status", "--json"),
        ("history", "uploader"),
        ("audit", "show", "--json"),
        ("audit", "verify"),
        ("config", "check"),
        ("init", str(tmp_path / "starter.toml")),
    ]
    for command in commands:
        assert everything.process(*command).returncode == 0, command
    assert len([key for key in stage.sandbox.rotated_keys() if key.revoked_at]) == 2
    assert '"rotated"' in everything.text()
    assert everything.leaks() == set()


def test_failures_show_no_secret(stage: Stage, everything: Everything) -> None:
    """Every answer to a create, broken in every way; refusals, lost writes, values of another shape."""
    with stage.site.lock:
        world = stage.site.world
        world.switches = replace(world.switches, secret_listed=True)
    stage.edit('settle = "0s"', 'settle = "0s"\nlive_keys_max = 100')
    faults: list[tuple[Operation, Fault]] = [
        (Operation.CREATE, Spoil(Damage.WRONG_TYPE)),
        (Operation.CREATE, Spoil(Damage.CUT_OFF)),
        (Operation.CREATE, Spoil(Damage.BIG)),
        (Operation.CREATE, Spoil(Damage.FOREIGN_JWT)),
        (Operation.CREATE, Omit("JWT")),
        (Operation.CREATE, Omit("pinata_api_key")),
        (Operation.CREATE, Drop(Side.AFTER)),
        (Operation.LIST, Spoil(Damage.WRONG_TYPE)),
        (Operation.LIST, Respond(Side.BEFORE, 401, json.dumps({"error": stage.sandbox.admin_jwt}))),
        (Operation.CREATE, Respond(Side.BEFORE, 400, json.dumps({"error": stage.sandbox.admin_jwt}))),
    ]
    for operation, fault in faults:
        with stage.site.lock:
            stage.site.faults.add(Injection(fault, operation))
        assert everything.rotator("rotate", "uploader").returncode != 0, fault
    aws = stage.sandbox.secrets_manager.faults
    for operation_name in ("PutSecretValue", "UpdateSecretVersionStage", "GetSecretValue"):
        aws.add(AwsFault(Kind.ERROR, operation_name, Moment.AFTER, times=3))
        everything.rotator("rotate", "uploader")
        aws.clear()
    with stage.site.lock:
        world.switches = replace(world.switches, activation=Delay(3600))
    assert everything.rotator("rotate", "uploader").returncode != 0
    assert everything.leaks() == set()


def test_values_of_another_shape_show_no_secret(stage: Stage, everything: Everything) -> None:
    """A message about a value never quotes it, nor a token that the configuration or a command holds."""
    key = stage.sandbox.rotated_keys()[0]
    bare, broken = key.jwt, json.dumps({"JWT": key.jwt, "pinata_api_secret": key.secret})[:-1]
    wrong_type = json.dumps({"JWT": {"token": key.jwt}, "pinata_api_key": key.key})
    two_keys = json.dumps({"JWT": key.jwt, "pinata_api_key": "0" * 20})
    wrapped = json.dumps({"JWT": key.jwt + "\n", "pinata_api_key": key.key})
    for value in (bare, broken, wrong_type, two_keys, wrapped, key.jwt + "\n"):
        stage.put(value)
        assert everything.rotator("run").returncode == 3, value[:10]
    everything.rotator("status")
    for value in (json.dumps({"token": stage.sandbox.admin_jwt}), stage.sandbox.admin_jwt + "\n"):
        stage.put(value, ADMIN_SECRET)
        assert everything.rotator("run").returncode == 2
    stage.edit('admin_secret = "pinata/admin"', f'admin_secret = "{stage.sandbox.admin_jwt}"')
    assert everything.rotator("config", "check").returncode == 2
    assert everything.leaks() == set()


def test_the_scan_finds_what_it_looks_for(stage: Stage, everything: Everything) -> None:
    """A token cut out of the middle of some base64 in an audit file is found."""
    assert everything.rotator("run").returncode == 0
    assert everything.leaks() == set()
    (file,) = audit_files(stage.sandbox.audit_directory)
    jwt = stage.sandbox.rotated_keys()[-1].jwt
    hidden = base64.b64encode(f"Bearer {jwt}".encode()).decode()[200:240]
    file.write_text(file.read_text() + hidden)
    assert everything.leaks() != set()


@pytest.mark.parametrize(
    "args",
    [
        ["rotate"],
        ["run"],
        ["history"],
        ["audit", "show", "--since"],
        ["daemon", "--listen"],
        ["run", "--every"],
        ["status", "--json"],
        ["init", "--secret"],
        ["completion"],
        ["plan", "--config"],
        ["config", "check", "--config"],
        [],
    ],
)
@pytest.mark.parametrize("kind", ["token", "secret of a key", "AWS secret access key"])
def test_a_secret_among_the_arguments_is_not_echoed(stage: Stage, args: list[str], kind: str) -> None:
    """What is pasted where a name, a time, an address or a path belongs is not repeated."""
    secrets = {
        "token": stage.sandbox.admin_jwt,
        "secret of a key": stage.sandbox.rotated_keys()[0].secret,
        "AWS secret access key": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }
    done = stage.rotator(*args, secrets[kind])
    assert done.returncode in {1, 2}, done.stderr
    assert secrets[kind][:20] not in done.stdout + done.stderr


def test_a_secret_for_the_name_of_a_file_is_not_echoed(stage: Stage, tmp_path: Path) -> None:
    """A file that was asked for is written, and its name is not repeated if it is a secret."""
    secret = stage.sandbox.rotated_keys()[0].secret
    done = stage.rotator("init", secret, cwd=tmp_path)
    assert (done.returncode, (tmp_path / secret).exists()) == (0, True)
    assert secret[:20] not in done.stdout + done.stderr
