"""The image, built by `make image` and run as the manifests under config/ run it: locked down, without root.

Skipped, with the reason, where no image can be built: see `podman.obstacle` and `local_base.obstacle`. Another
base is taken from the environment: `BASE=registry.example/python:3.13-slim`.
"""

import fcntl
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from rotator import __version__
from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.pinata.site import no_hook
from tests.e2e import local_base
from tests.e2e.podman import BUILD_S, Podman, build_environment, obstacle
from tests.e2e.stage import Stage

ROOT = Path(__file__).parents[2]
UID = 10001
STOP_S = 10
"""How long container engines wait by default before they kill."""
BASE = "localhost/rotator-test-base"
IMAGE = "localhost/rotator-test"
EVENTUALLY_S = 600

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3600), pytest.mark.xdist_group("image")]


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """Yield a podman that has the image, and remove everything in the end."""
    base = os.environ.get("BASE")
    reason = obstacle() or (None if base else local_base.obstacle())
    if reason:
        pytest.skip(f"no image can be built here: {reason}")
    # podman takes no path of more than 50 characters for what runs, and pytest's are longer.
    with TemporaryDirectory(prefix="podman-", ignore_cleanup_errors=True) as folder:
        podman = Podman.at(Path(folder) / "store")
        try:
            _build(podman, base or _import_local_base(podman))
            yield podman
        finally:
            podman.clear()


def _import_local_base(podman: Podman) -> str:
    """Make an image of the local base; its root file system is made once and kept in build/."""
    folder = ROOT / "build/image-base"
    folder.parent.mkdir(exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            local_base.make(folder)
    archive = podman.store.with_name("base.tar")
    subprocess.run(["tar", "-C", str(folder), "-cf", str(archive), "."], check=True)
    environment = "ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    podman.call("import", f"--change={environment}", str(archive), BASE, timeout_s=BUILD_S)
    archive.unlink()
    return BASE


def _build(podman: Podman, base: str) -> None:
    """Build the image with the project's own command."""
    settings = {"BUILDER": podman.build_command, "BUILD_FLAGS": podman.build_flags, "BASE": base, "IMAGE": IMAGE}
    done = subprocess.run(
        ["make", "image", *(f"{name}={value}" for name, value in settings.items())],
        cwd=ROOT,
        env=build_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:]


@dataclass(frozen=True)
class Contained:
    """The image against a sandbox on this machine."""

    podman: Podman
    stage: Stage
    flags: tuple[str, ...]

    def rotator(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run a command of rotator in a container to its end."""
        return self.podman.run(IMAGE, *args, flags=self.flags)

    def row(self, *args: str) -> dict[str, Any]:
        """Return what a run prints of its only secret, as JSON."""
        done = self.rotator(*args, "--json")
        assert done.returncode == 0, done.stdout + done.stderr
        line, _ = done.stdout.splitlines()  # the second sums up
        row: dict[str, Any] = json.loads(line)
        return row


@pytest.fixture
def contained(podman: Podman, stage: Stage) -> Contained:
    """Return the image with a configuration, a trail of its own, and the sandbox in reach."""
    stage.edit('directory = "audit"', 'directory = "/var/lib/rotator/audit"')
    os.chown(stage.sandbox.audit_directory, UID, UID)
    environment = {**stage.sandbox.environment, "ROTATOR_CONFIG": "/etc/rotator/rotator.toml"}
    flags = (
        f"--volume={stage.sandbox.config_path}:/etc/rotator/rotator.toml:ro",
        f"--volume={stage.sandbox.audit_directory}:/var/lib/rotator/audit",
        *(f"--env={name}={value}" for name, value in environment.items()),
    )
    return Contained(podman, stage, flags)


@dataclass(frozen=True)
class Daemon:
    """A container with the daemon in it."""

    podman: Podman
    name: str

    def start(self) -> None:
        """Start it."""
        self.podman.call("start", self.name)

    def log(self) -> str:
        """Return what it printed."""
        done = self.podman.call("logs", self.name)
        return done.stdout + done.stderr

    def exit_code(self) -> int | None:
        """Return what it ended with, or None while it runs."""
        asked = "{{.State.Running}} {{.State.ExitCode}}"
        running, code = self.podman.call("inspect", f"--format={asked}", self.name).stdout.split()
        return None if running == "true" else int(code)

    def stopped(self) -> int | None:
        """Send SIGTERM, as an engine does, and return the exit code; 137 if it had to be killed."""
        self.podman.call("stop", f"--time={STOP_S}", self.name)
        return self.exit_code()

    def runs(self, *command: str) -> bool:
        """Tell whether a command in the container succeeds."""
        return self.podman.call("exec", self.name, *command, check=False).returncode == 0


def eventually(holds: Callable[[], bool]) -> None:
    """Wait until something holds."""
    deadline_s = time.monotonic() + EVENTUALLY_S
    while not holds():
        assert time.monotonic() < deadline_s, "it never came to hold"
        time.sleep(0.2)


def python(podman: Podman, code: str, *interpreter_flags: str) -> str:
    """Return what a program prints that runs in the image in rotator's place."""
    done = podman.run(IMAGE, *interpreter_flags, "-c", code, flags=("--entrypoint=python",))
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_it_is_what_it_says(podman: Podman) -> None:
    """The image names its version, runs as a number, and starts rotator without a shell."""
    assert podman.run(IMAGE, "--version").stdout.split()[-1] == __version__
    (found,) = json.loads(podman.call("image", "inspect", IMAGE).stdout)
    config = found["Config"]
    assert config["Labels"]["org.opencontainers.image.version"] == __version__
    assert config["User"] == f"{UID}:{UID}"
    assert config["Entrypoint"] == ["rotator"]
    assert "Volumes" not in config


def test_it_holds_what_is_locked_and_nothing_else(podman: Podman) -> None:
    """Installed are rotator and the locked runtime dependencies; no pip, no tests, no sandbox's moto."""
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    locked = {line.split("==")[0] for line in lines if "==" in line}
    code = "from importlib.metadata import distributions as d; print(*{x.name.lower() for x in d()})"
    assert set(python(podman, code).replace("_", "-").split()) == locked | {"pinata-key-rotator"}


def test_nothing_is_compiled_at_start(podman: Podman) -> None:
    """Every module is there compiled: a container that cannot write would compile it each time."""
    code = """
import pathlib, sys
import rotator.cli.run, rotator.wiring.connect
for module in list(sys.modules.values()):
    compiled = getattr(module, "__cached__", None)
    if compiled and module.__file__.endswith(".py") and not pathlib.Path(compiled).exists():
        print(module.__name__)
"""
    assert python(podman, code).split() == []


def test_the_lock_down_is_in_force(podman: Podman) -> None:
    """As PID 1: our uid, no capability, no new privileges, no way to write but to /tmp."""
    code = """
import json, os, pathlib
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
def refused(path):
    try: pathlib.Path(path, "x").write_text("x")
    except OSError as error: return error.strerror
folders = ["/", "/etc", "/opt/rotator", "/var/lib/rotator", "/tmp"]
print(json.dumps({"pid": os.getpid(), "uids": status["Uid"].split(), "effective": status["CapEff"].strip(),
    "bounding": status["CapBnd"].strip(), "no_new": status["NoNewPrivs"].strip(),
    "refused": {folder: refused(folder) for folder in folders}}))
"""
    read_only = "Read-only file system"
    assert json.loads(python(podman, code)) == {
        "pid": 1,
        "uids": [str(UID)] * 4,
        "effective": "0" * 16,
        "bounding": "0" * 16,
        "no_new": "1",
        "refused": {
            **dict.fromkeys(["/", "/etc", "/opt/rotator", "/var/lib/rotator"], read_only),
            "/tmp": None,  # noqa: S108 - the folder is the very thing asked about
        },
    }


def test_a_rotation(contained: Contained) -> None:
    """`rotator run` in the container rotates; the old key is dead, and the trail on the mount verifies."""
    stage = contained.stage
    (old,) = stage.live_keys()
    row = contained.row("run")
    assert row["outcome"] == "rotated"
    assert row["revoked"] == [old]
    assert stage.live_keys() == [stage.sandbox.current_key_id()] == [row["key_id"]]
    verified = contained.rotator("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    trail = sorted(stage.sandbox.audit_directory.iterdir())
    assert trail
    assert {path.stat().st_uid for path in trail} == {UID}
    assert contained.row("run")["outcome"] == "up_to_date"


def test_without_a_mount_for_the_trail_nothing_is_done(contained: Contained) -> None:
    """The audit directory of the image itself cannot be written: exit 4, and both systems as before."""
    before = contained.stage.world()
    flags = tuple(flag for flag in contained.flags if "/var/lib/rotator/audit" not in flag)
    done = contained.podman.run(IMAGE, "run", flags=flags)
    assert done.returncode == 4, done.stdout + done.stderr
    assert contained.stage.world() == before


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.REVOKE], ids=str)
def test_a_stop_in_the_middle(contained: Contained, operation: Operation) -> None:
    """SIGTERM to PID 1 while Pinata answers ends it well before it would be killed; the next run finishes."""
    stage, podman = contained.stage, contained.podman
    (old,) = stage.live_keys()
    name = podman.create(IMAGE, "run", flags=contained.flags)

    def stop(number: int, answered: Operation) -> None:
        del number
        if answered is operation:
            podman.call("kill", "--signal=TERM", name)

    stage.site.before_reply = stop
    try:
        stopped = podman.call("start", "--attach", name, check=False, timeout_s=STOP_S)
    finally:
        podman.call("rm", "--force", "--time=0", name)
    assert stopped.returncode == 1, stopped.stdout + stopped.stderr
    assert "interrupted" in stopped.stderr
    stage.site.before_reply = no_hook
    row = contained.row("run")
    (live,) = stage.live_keys()
    assert live == stage.sandbox.current_key_id() == row["key_id"] != old
    assert "AWSPENDING" not in stage.labels()
    verified = contained.rotator("audit", "verify")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture
def daemon(contained: Contained) -> Iterator[Daemon]:
    """Yield a daemon in a container that was made and not yet started."""
    arguments = ("daemon", "--listen", "127.0.0.1:0", "--every", "1s")
    with _made(contained, *arguments) as made:
        yield made


@contextmanager
def _made(contained: Contained, *args: str, network: str = "host") -> Iterator[Daemon]:
    name = contained.podman.create(IMAGE, *args, flags=contained.flags, network=network)
    try:
        yield Daemon(contained.podman, name)
    finally:
        contained.podman.call("rm", "--force", "--time=0", name)


def test_the_daemon_rotates_and_stops_when_told(contained: Contained, daemon: Daemon) -> None:
    """It takes the hand-made key over by itself, and SIGTERM ends it with exit code 0 in good time."""
    stage = contained.stage
    (old,) = stage.live_keys()
    daemon.start()
    eventually(lambda: stage.live_keys() not in ([old], []) and old not in stage.live_keys())
    assert daemon.stopped() == 0, daemon.log()
    assert stage.live_keys() == [stage.sandbox.current_key_id()]
    assert contained.rotator("audit", "verify").returncode == 0


def test_the_daemon_stores_a_key_that_it_made_before_it_stops(contained: Contained, daemon: Daemon) -> None:
    """SIGTERM while Pinata makes the key: it is stored all the same, and the next run promotes that very key."""
    stage = contained.stage

    def stop(number: int, answered: Operation) -> None:
        del number
        if answered is Operation.CREATE:
            stage.site.before_reply = no_hook
            contained.podman.call("kill", "--signal=TERM", daemon.name)

    stage.site.before_reply = stop
    daemon.start()
    eventually(lambda: daemon.exit_code() is not None)
    assert daemon.exit_code() == 0, daemon.log()
    assert "AWSPENDING" in stage.labels(), daemon.log()
    (made,) = (key.key for key in stage.sandbox.rotated_keys() if "/g0" in key.name)
    row = contained.row("run")
    assert row["key_id"] == made
    assert stage.live_keys() == [made] == [stage.sandbox.current_key_id()]


def test_the_health_check_asks_the_daemon(contained: Contained) -> None:
    """It passes while the daemon lives, though it reaches neither system, and fails where none listens."""
    (found,) = json.loads(contained.podman.call("image", "inspect", IMAGE).stdout)
    kind, *check = found["Healthcheck"]["Test"]
    assert kind == "CMD"
    with _made(contained, network="none") as daemon:
        daemon.start()
        eventually(lambda: daemon.runs(*check))
        assert not daemon.runs(*[part.replace("9118", "9119") for part in check])
        assert daemon.stopped() == 0, daemon.log()
