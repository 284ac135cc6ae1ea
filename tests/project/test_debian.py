"""The README from top to bottom, as somebody types it on a fresh Debian 12: its Python is managed by its packages."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator import __version__
from rotator.sandbox.running import ADMIN_SECRET, Sandbox
from tests.e2e.test_documents import ROOT, blocks, commands

README = ROOT / "README.md"
STEP_S = 1200.0
MISSING = "root, debootstrap and unshare are needed to make a fresh Debian"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
USER = "person"
_INSIDE = 'root=$1; shift; mount -t proc proc "$root/proc"; exec chroot "$@"'


class Debian:
    """A folder with a system of its own, which shares this machine's network."""

    def __init__(self, root: Path) -> None:
        """Install the least there is, and nothing that a reader has not typed."""
        self.root = root
        _done(["debootstrap", "--variant=minbase", "bookworm", str(root)])
        root.chmod(0o755)
        self.as_root(f"useradd --create-home --shell /bin/bash {USER}")

    def as_root(self, script: str) -> str:
        """Run a script of the administrator's."""
        return self._run((), {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "DEBIAN_FRONTEND": "noninteractive"}, script)

    def in_a_new_terminal(self, script: str, env: dict[str, str], typed: str = "") -> str:
        """Run a script as somebody who has just opened a terminal in the clone."""
        variables = {"HOME": f"/home/{USER}", "USER": USER, "PIP_CERT": str(CERTIFICATES), **env}
        return self._run((f"--userspec={USER}:{USER}",), variables, f"cd ~/clone\n{script}", typed)

    def _run(self, options: tuple[str, ...], env: dict[str, str], script: str, typed: str = "") -> str:
        variables = [f"{name}={value}" for name, value in env.items()]
        entered = ["unshare", "--mount", "sh", "-ec", _INSIDE, "sh", str(self.root), *options, str(self.root)]
        return _done([*entered, "/usr/bin/env", "-i", *variables, "bash", "-lec", script], typed)


def _done(command: list[str], typed: str = "") -> str:
    done = subprocess.run(
        command, input=typed, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=STEP_S, check=False
    )
    assert done.returncode == 0, f"{command[-1]}\n{done.stdout[-5000:]}"
    return done.stdout


@pytest.fixture
def debian() -> Iterator[Debian]:
    """Make one, with the clone in its user's home."""
    if os.geteuid() or not all(map(shutil.which, ("debootstrap", "unshare"))):
        if os.environ.get("CI"):
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    with tempfile.TemporaryDirectory(prefix="rotator-debian-") as folder:
        made = Debian(Path(folder))
        leave = shutil.ignore_patterns(".*", "build", "*.egg-info", "__pycache__")
        shutil.copytree(ROOT, made.root / "home" / USER / "clone", ignore=leave)
        made.as_root(f"chown -R {USER}: /home/{USER}")
        yield made


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_readme_leads_from_nothing_to_a_rotated_secret(debian: Debian, tmp_path: Path) -> None:
    """Each command as written, each block in a new terminal; only the addresses of the two systems are replaced."""
    text = README.read_text()
    (prepare,) = re.findall(r"\(`sudo (apt install pipx) && (pipx ensurepath)`, ", text)
    # What is merely recommended stays away: so less is there than a reader has, and it takes half the time.
    apt = "apt-get -qy -o APT::Install-Recommends=false"
    debian.as_root(f"apt-get update\n{prepare[0].replace('apt', apt)}\n{apt} install awscli")
    if CERTIFICATES.exists():  # of whoever stands between this machine and the index
        shutil.copy(CERTIFICATES, debian.root / str(CERTIFICATES).lstrip("/"))
    debian.in_a_new_terminal(prepare[1], {})
    install = next(block.text for block in blocks(README) if block.text.startswith("pipx "))
    assert " 0 refused" in debian.in_a_new_terminal(install, {})
    assert debian.in_a_new_terminal("rotator --version", {}) == f"rotator, version {__version__}\n"
    # Debian's aws command is older than the variable that says where AWS is.
    wrapper = debian.root / "usr/local/bin/aws"
    wrapper.write_text('#!/bin/sh\nexec /usr/bin/aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"\n')
    wrapper.chmod(0o755)
    (directory,) = re.findall(r"`sudo (install -d [^`]+)`", text)
    debian.as_root(directory.replace('"$USER"', USER))
    with Sandbox(tmp_path) as sandbox:
        env = {name: value for name, value in sandbox.environment.items() if name != "ROTATOR_CONFIG"}
        sandbox.call("DeleteSecret", {"SecretId": ADMIN_SECRET, "ForceDeleteWithoutRecovery": True})
        before = sandbox.current_key_id()
        key, init, steps = commands(README)
        debian.in_a_new_terminal(key, env, typed=f"{sandbox.admin_jwt}\n")
        debian.in_a_new_terminal(init, env)
        written = debian.root / "home" / USER / "clone/config/rotator.toml"
        config = re.sub(r"(?m)^(# )?api_url = .*", f'api_url = "{sandbox.pinata.url}"', written.read_text(), count=1)
        aws = f'[aws]\nendpoint_url = "{sandbox.secrets_manager.endpoint_url}"'
        written.write_text(config.replace("[aws]", aws, 1))
        told = debian.in_a_new_terminal(steps, env)
        after = sandbox.current_key_id()
    assert "uploader: rotated to " in told
    assert f"(key {after})" in told
    assert "1 secret: 1 fine; " in told
    assert after != before
