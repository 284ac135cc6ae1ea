"""`audit keygen`: the key, and what is printed of it."""

import json
import tomllib
from pathlib import Path

import pytest

from rotator.audit.signers import FileSigner
from rotator.cli import run
from rotator.cli.exits import Exit
from tests.unit.config.texts import changed, loaded


def test_what_is_printed_can_be_pasted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The two lines are the configuration of the new key, whatever its path is; the private half is not shown."""
    path = tmp_path / 'k\u00e9y "1" \U0001f511.pem'
    assert run(["audit", "keygen", str(path)]) == Exit.OK
    out = capsys.readouterr().out
    lines = "".join(f"{line}\n" for line in out.splitlines() if " = " in line)
    assert set(tomllib.loads(lines)) == {"sign", "signers"}
    audit = loaded(tmp_path, changed("[audit]", f"[audit]\n{lines}")).audit
    assert FileSigner.read(path).fingerprint == audit.signers[0].fingerprint
    assert path.read_text().splitlines()[1] not in out


def test_json_has_path_and_fingerprint(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One object; a relative path is told in full."""
    monkeypatch.chdir(tmp_path)
    assert run(["audit", "keygen", "--json", "key.pem"]) == Exit.OK
    row = json.loads(capsys.readouterr().out)
    assert row == {"path": str(tmp_path / "key.pem"), "fingerprint": FileSigner.read(tmp_path / "key.pem").fingerprint}


def test_a_key_that_is_there_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is refused in one sentence, and the file is as it was."""
    path = tmp_path / "key.pem"
    assert run(["audit", "keygen", str(path)]) == Exit.OK
    before = path.read_bytes()
    capsys.readouterr()
    assert run(["audit", "keygen", str(path)]) == Exit.USAGE
    shown = capsys.readouterr()
    assert path.read_bytes() == before
    assert shown.out == ""
    assert shown.err.startswith(f"Error: no key was made: {path} is there already, and was left as it is\n")
