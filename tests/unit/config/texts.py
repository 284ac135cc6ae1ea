"""Configurations to begin with, and what comes of them."""

from pathlib import Path

import pytest

from rotator.config.file import Config, load
from rotator.model.errors import ConfigError
from rotator.model.secret import SecretSpec

GOOD = """\
[pinata]
admin_secret = "pinata/admin"
[aws]
[audit]
directory = "/audit"
[defaults]
[[secrets]]
name = "uploader"
secret_id = "prod/uploader"
permissions = { resources = ["org:files:write"] }
"""
PERMISSIONS = 'permissions = { resources = ["org:files:write"] }'


def written(folder: Path, text: str | bytes) -> Path:
    """A configuration file, writable by its owner only."""
    path = folder / "rotator.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(0o644)
    return path


def changed(old: str, new: str) -> str:
    """The good text with one passage changed."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def with_secret(line: str) -> str:
    """The good text with one more line in its entry."""
    return f"{GOOD}{line}\n"


def with_default(line: str) -> str:
    """The good text with one more line in its defaults."""
    return changed("[defaults]", f"[defaults]\n{line}")


def loaded(folder: Path, text: str) -> Config:
    """What the text comes to."""
    return load(written(folder, text))


def problems(folder: Path, text: str | bytes) -> list[str]:
    """What is wrong with the text, each line without the name of the file."""
    path = written(folder, text)
    with pytest.raises(ConfigError) as refusal:
        load(path)
    lines = refusal.value.message.split("\n")
    assert all(line.startswith(f"{path}:") for line in lines)
    return [line.removeprefix(f"{path}:").strip() for line in lines]


def spec_of(folder: Path, line: str) -> SecretSpec:
    """The one entry of the good text with one more line in it."""
    return loaded(folder, with_secret(line)).secrets[0]
