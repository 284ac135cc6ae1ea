"""What a process refuses to find in its environment, at each entry point, and what it takes out of it."""

import os
from pathlib import Path

import pytest

from rotator.config.file import load
from rotator.lambda_handlers.invocation import Container
from rotator.model.errors import ConfigError
from rotator.sandbox.running import Sandbox
from rotator.wiring import environment
from rotator.wiring.connect import clients
from tests.e2e.stage import USAGE, Stage

REFUSED = {
    "SSLKEYLOGFILE": "/tmp/keys",  # noqa: S108 - never opened
    "PYTHONINSPECT": "1",
    "PYTHONBREAKPOINT": "pdb.set_trace",
    "AWS_DATA_PATH": "/nowhere",
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_command_refuses_it(tmp_path: Path, name: str) -> None:
    """Before anything is called."""
    with Sandbox(tmp_path) as sandbox:
        Stage(sandbox).refused(f"{name} is set", f"Unset {name}.", code=USAGE, env={name: REFUSED[name]})


@pytest.mark.parametrize("name", REFUSED)
def test_a_function_refuses_it(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Before it reads its configuration."""
    monkeypatch.setenv(name, REFUSED[name])
    with pytest.raises(ConfigError, match=f"{name} is set"):
        _ = Container().config


@pytest.mark.parametrize("name", environment.TRUST)
def test_each_entry_point_warns_of_whom_it_trusts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """It is legitimate behind a proxy that inspects TLS, and nothing to overlook."""
    with Sandbox(tmp_path) as sandbox:
        done = Stage(sandbox).rotator("plan", env={name: "/etc/ssl/ca.pem"})
        assert done.returncode == 0
        assert name in done.stderr
        for variable in environment.TRUST:
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv(name, "/etc/ssl/ca.pem")
        monkeypatch.setenv("ROTATOR_CONFIG", str(sandbox.config_path))
        _ = Container().config
        assert name in capsys.readouterr().out


def test_a_program_of_the_aws_profile_does_not_inherit_the_managing_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`credential_process` is a child; what it is given is written down by it here."""
    with Sandbox(tmp_path) as sandbox:
        text = sandbox.config_path.read_text().replace('admin_secret = "pinata/admin"', 'admin_jwt_env = "MANAGING"')
        assert "MANAGING" in text
        sandbox.config_path.write_text(text)
        seen, program, profile = tmp_path / "seen", tmp_path / "program.sh", tmp_path / "aws-config"
        given = '{"Version": 1, "AccessKeyId": "a", "SecretAccessKey": "b"}'
        program.write_text(f"#!/bin/sh\nenv > {seen}\necho '{given}'\n")
        program.chmod(0o700)
        profile.write_text(f"[default]\ncredential_process = {program}\n")
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name)
        monkeypatch.setenv("AWS_CONFIG_FILE", str(profile))
        monkeypatch.setenv("MANAGING", sandbox.admin_jwt)
        env = dict(os.environ)
        connecting = clients(load(sandbox.config_path), env)
        for _ in range(2):  # as each tick of a daemon and each invocation of a function does
            with connecting.connected() as both:
                assert both.provider.managing_key_id
        assert "MANAGING" not in os.environ
        assert "PATH=" in seen.read_text()
        assert sandbox.admin_jwt not in seen.read_text()


def test_the_way_to_loopback_needs_no_proxy(tmp_path: Path) -> None:
    """Neither the configured one, nor that of the environment, is asked for what is on this machine."""
    nobody = "http://127.0.0.1:9"
    with Sandbox(tmp_path) as sandbox:
        text = sandbox.config_path.read_text()
        sandbox.config_path.write_text(text.replace("[pinata]", f'[pinata]\nproxy = "{nobody}"'))
        stage = Stage(sandbox)
        ways: dict[str, str | None] = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), nobody)
        done = stage.rotator("run", "--json", env=ways)
        assert done.returncode == 0, done.stderr
        assert '"rotated"' in done.stdout


def test_another_authority_is_read_from_its_file(tmp_path: Path) -> None:
    """A file that cannot be read, that others may write, or that holds no certificate is refused by name."""
    with Sandbox(tmp_path) as sandbox:
        text = sandbox.config_path.read_text()
        sandbox.config_path.write_text(text.replace("[pinata]", '[pinata]\nca_file = "ca.pem"'))
        stage, file = Stage(sandbox), tmp_path / "ca.pem"
        stage.refused("`[pinata] ca_file`", str(file), "No such file", code=USAGE)
        file.write_text("nothing")
        file.chmod(0o644)
        stage.refused("holds no certificate in PEM", code=USAGE)
        file.chmod(0o664)
        stage.refused("can be written by others", code=USAGE)
        file.unlink()
        file.mkdir()
        stage.refused("`[pinata] ca_file`", code=USAGE)
