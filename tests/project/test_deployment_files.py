"""What stands under config/ for containers, Kubernetes and systemd agrees with the program and with the image."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from rotator.cli.exits import Exit
from rotator.cli.surroundings import rotator
from rotator.config.file import load
from rotator.daemon.stop import GRACE_S

ROOT = Path(__file__).parents[2]
CONFIG = ROOT / "config"
UNITS = sorted((CONFIG / "systemd").iterdir())
COMPOSE: dict[str, Any] = yaml.safe_load((CONFIG / "docker-compose.yml").read_text())
OBJECTS: dict[str, Any] = {
    found["kind"]: found for path in (CONFIG / "kubernetes").iterdir() for found in yaml.safe_load_all(path.read_text())
}
MAPPED = OBJECTS["ConfigMap"]["data"]["rotator.toml"]
FIRST_LOOK = (CONFIG / "first-look.toml").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
PORT = 9118
"""Where the daemon listens unless told otherwise, and where the image's health check asks."""


def pods() -> Iterator[Any]:
    """Yield what each workload says of its pods."""
    yield OBJECTS["Deployment"]["spec"]["template"]["spec"]
    yield OBJECTS["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def commands() -> Iterator[list[str]]:
    """Yield the arguments that rotator is started with, wherever it is."""
    for pod in pods():
        yield from (container["args"] for container in pod["containers"])
    yield COMPOSE["services"]["sandbox"]["command"]
    for unit in UNITS:
        for line in re.findall(r"^ExecStart=/usr/local/bin/rotator (.*)$", unit.read_text(), re.MULTILINE):
            yield line.split()
    yield ["daemon"]  # the image's own


@pytest.mark.parametrize("line", sorted({" ".join(arguments) for arguments in commands()}))
def test_every_command_and_option_exists(line: str) -> None:
    """The command line knows what it is started with."""
    command, *rest = line.split()
    done = CliRunner().invoke(rotator, [command, "--help"])
    assert done.exit_code == 0, done.output
    for option in (word for word in rest if word.startswith("--")):
        assert option in done.output


@pytest.mark.parametrize("text", [MAPPED, FIRST_LOOK], ids=["ConfigMap", "compose"])
def test_the_configurations_are_ones(tmp_path: Path, text: str) -> None:
    """Each can be read, keeps its trail on the volume, and is served beyond loopback under known names."""
    path = tmp_path / "rotator.toml"
    path.write_text(text)
    path.chmod(0o600)
    assert str(load(path).audit.directory) == "/var/lib/rotator/audit"
    assert tomllib.loads(text)["daemon"]["hosts"]


@pytest.mark.parametrize("pod", [*pods()], ids=["Deployment", "CronJob"])
def test_pods_are_locked_down(pod: Any) -> None:  # noqa: ANN401 - a manifest
    """No root, no capability, no token, a read-only root; the image's user; time to store a key."""
    assert pod["automountServiceAccountToken"] is False
    security = pod["securityContext"]
    assert security["runAsNonRoot"] is True
    assert f"USER {security['runAsUser']}:{security['runAsGroup']}\n" in DOCKERFILE
    assert security["fsGroupChangePolicy"] == "OnRootMismatch"
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["terminationGracePeriodSeconds"] == GRACE_S
    for container in (*pod["initContainers"], *pod["containers"]):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["limits"]["memory"]
    volumes = {volume["name"] for volume in pod["volumes"]}
    mounts = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert volumes == mounts


def test_kubernetes_objects_name_each_other() -> None:
    """Labels, claims, ports and the service account fit together; the config map says where the probes ask."""
    labels = {"app.kubernetes.io/name": "rotator"}
    deployment = OBJECTS["Deployment"]["spec"]
    assert deployment["strategy"] == {"type": "Recreate"}
    assert deployment["selector"]["matchLabels"] == labels
    assert deployment["template"]["metadata"]["labels"] == labels
    assert OBJECTS["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"] == labels
    for pod in pods():
        named = {volume["name"]: volume for volume in pod["volumes"]}
        assert pod["serviceAccountName"] == OBJECTS["ServiceAccount"]["metadata"]["name"]
        assert named["config"]["configMap"]["name"] == OBJECTS["ConfigMap"]["metadata"]["name"]
        claim = OBJECTS["PersistentVolumeClaim"]["metadata"]["name"]
        assert named["state"]["persistentVolumeClaim"]["claimName"] == claim
    (daemon,) = deployment["template"]["spec"]["containers"]
    assert daemon["ports"] == [{"name": "http", "containerPort": PORT}]
    probes = {name: daemon[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    paths = {name: probe["path"] for name, probe in probes.items()}
    assert paths == {"startup": "/livez", "liveness": "/livez", "readiness": "/readyz"}
    settings = tomllib.loads(MAPPED)
    assert settings["daemon"]["listen"] == f"0.0.0.0:{PORT}"
    assert f"'127.0.0.1', {PORT}" in DOCKERFILE


def test_compose_locks_down_and_shares_one_loopback() -> None:
    """Both containers are locked down; the daemon reaches the simulated systems where they listen."""
    sandbox, daemon = COMPOSE["services"]["sandbox"], COMPOSE["services"]["rotator"]
    for service in (sandbox, daemon):
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["tmpfs"] == ["/tmp"]  # noqa: S108 - a container's own
        stage = service["build"]["target"]
        assert re.search(rf"^FROM runtime AS {stage}$", DOCKERFILE, re.MULTILINE)
        assert (CONFIG / service["build"]["context"]).resolve() == ROOT
    assert daemon["network_mode"] == "service:sandbox"
    listen, ports = sandbox["command"], tomllib.loads(FIRST_LOOK)
    assert ports["pinata"]["api_url"].endswith(f":{listen[listen.index('--pinata-port') + 1]}")
    assert ports["aws"]["endpoint_url"].endswith(f":{listen[listen.index('--aws-port') + 1]}")
    assert ports["daemon"]["listen"] == f"0.0.0.0:{PORT}"
    assert sandbox["ports"] == [f"127.0.0.1:{PORT}:{PORT}"]
    assert daemon["stop_grace_period"] == f"{GRACE_S}s"


@pytest.mark.parametrize(
    ("path", "settings"),
    [
        ("containers.md", ["--stop-timeout "]),
        ("daemon.md", ["TimeoutStopSec=", "terminationGracePeriodSeconds: ", "stop_grace_period: ", "--stop-timeout "]),
    ],
)
def test_documents_name_the_same_grace(path: str, settings: list[str]) -> None:
    """Whoever writes a manifest by them gives the daemon the time that ours give it."""
    text = (ROOT / "docs" / path).read_text()
    for setting in settings:
        found = re.findall(rf"{setting}(\d+)", text)
        assert set(found) == {str(GRACE_S)}, setting


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    """The verifier of systemd finds no fault with them; the program need not be installed here."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed")
    copies = [tmp_path / unit.name for unit in UNITS]
    for unit, copy in zip(UNITS, copies, strict=True):
        copy.write_text(unit.read_text().replace("/usr/local/bin/rotator", "/bin/true"))
    done = subprocess.run(
        ["systemd-analyze", "verify", *map(str, copies)], capture_output=True, text=True, timeout=600, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_both_services_are_equally_locked_down() -> None:
    """What hardens the one hardens the other, and both leave time to store a key."""
    hardening = [
        unit.read_text().partition("# Making")[2].partition("\n[Install]")[0]
        for unit in UNITS
        if unit.suffix == ".service"
    ]
    assert len(hardening) == 2
    assert hardening[0].strip() == hardening[1].strip()
    assert "NoNewPrivileges=yes" in hardening[0]
    assert f"TimeoutStopSec={GRACE_S}s" in hardening[0].splitlines()


def test_systemd_restarts_what_a_restart_helps() -> None:
    """Whatever ended the daemon it is started again, but where a person has to correct the configuration."""
    lines = (CONFIG / "systemd" / "rotator-daemon.service").read_text().splitlines()
    assert "Restart=always" in lines
    assert f"RestartPreventExitStatus={Exit.USAGE}" in lines


def test_lock_files_agree() -> None:
    """What the images install is what was tested: the same versions, by the same hashes."""

    def locked(name: str) -> dict[str, tuple[str, ...]]:
        entries = re.findall(
            r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+).*\\\n((?:    --hash=\S+(?: \\)?\n)+)",
            (ROOT / name).read_text(),
            re.MULTILINE,
        )
        return {package: (version, *hashes.split()) for package, version, hashes in entries}

    tested = locked("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-sandbox.lock"):
        installed = locked(name)
        assert installed
        assert {package: tested.get(package) for package in installed} == installed
