"""podman with a store of its own, and nothing of this machine's: builds images, runs containers locked down.

It needs podman and runc, and root. Neither a daemon nor systemd is used.
"""

import os
import shutil
import subprocess
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

BUILD_S = 1800.0
RUN_S = 600.0
LOCKED_DOWN = ("--read-only", "--tmpfs=/tmp", "--cap-drop=all", "--security-opt=no-new-privileges")
"""What the manifests under config/ ask for, too."""
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")


def obstacle() -> str | None:
    """Return why podman cannot be used here, or None."""
    if os.geteuid() != 0:
        return "podman is used as root here"
    missing = [program for program in ("podman", "runc", "make") if shutil.which(program) is None]
    return f"{' and '.join(missing)} not installed" if missing else None


@dataclass(frozen=True)
class Podman:
    """One store of images and containers."""

    store: Path
    driver: str

    @classmethod
    def at(cls, store: Path) -> "Podman":
        """Return a store that uses overlay mounts, or copies where the kernel refuses them."""
        overlay = cls(store, "overlay")
        works = overlay.call("info", check=False).returncode == 0
        return overlay if works else cls(store.with_name("copies"), "vfs")

    @property
    def command(self) -> tuple[str, ...]:
        """How podman is called."""
        return (
            "podman",
            f"--root={self.store / 'root'}",
            f"--runroot={self.store / 'run'}",
            f"--storage-driver={self.driver}",
            "--cgroup-manager=cgroupfs",
            "--runtime=runc",
        )

    @property
    def build_command(self) -> str:
        """How images are built, for `make image BUILDER=...`."""
        return " ".join([*self.command, "build", "--format=docker"])

    @property
    def build_flags(self) -> str:
        """What a build needs here: this machine's certificate authorities and package index."""
        flags = [f"--volume={_TRUSTED}:{_TRUSTED}:ro"] if _TRUSTED.exists() else []
        flags += [f"--env={name}" for name in ("PIP_INDEX_URL",) if name in os.environ]
        return " ".join(flags)

    def call(self, *args: str, check: bool = True, timeout_s: float = RUN_S) -> subprocess.CompletedProcess[str]:
        """Call podman, and show what it said if it fails."""
        done = subprocess.run(
            [*self.command, *args],
            env=build_environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert not check or done.returncode == 0, f"podman {args}\n{done.stdout}\n{done.stderr}"
        return done

    def create(self, image: str, *args: str, flags: Sequence[str] = (), network: str = "host") -> str:
        """Make a container, locked down, and return its name."""
        name = f"rotator-{uuid.uuid4().hex[:12]}"
        limits = ("--ulimit=nofile=1024:1024", "--ulimit=nproc=1024:1024")
        here = ("--pull=never", f"--network={network}", "--no-healthcheck", *limits)
        self.call("create", f"--name={name}", *here, *LOCKED_DOWN, *flags, image, *args)
        return name

    def run(self, image: str, *args: str, flags: Sequence[str] = ()) -> subprocess.CompletedProcess[str]:
        """Run a container to its end."""
        name = self.create(image, *args, flags=flags)
        try:
            return self.call("start", "--attach", name, check=False)
        finally:
            self.call("rm", "--force", "--time=0", name)

    def clear(self) -> None:
        """Remove every container, image and file of this store."""
        self.call("rm", "--all", "--force", "--time=0", check=False)
        self.call("rmi", "--all", "--force", check=False)
        subprocess.run(["umount", str(self.store / "root" / self.driver)], capture_output=True, check=False)
        shutil.rmtree(self.store, ignore_errors=True)


def build_environment() -> dict[str, str]:
    """Return the environment for builds: RUN without a runtime, which not every host allows."""
    return {**os.environ, "BUILDAH_ISOLATION": "chroot"}
