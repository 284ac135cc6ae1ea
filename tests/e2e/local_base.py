"""A stand-in for `python:3.13-slim`, for machines that cannot pull an image: Debian and a Python of this machine.

    python -m tests.e2e.local_base FOLDER

makes FOLDER, a root file system to put into an image with `FROM scratch` and `COPY . /`. It needs root,
debootstrap, a Debian package archive, and a Python that was built on this release of Debian. Libraries
and layers differ from the real base; what is tested on it is our Dockerfile, not Debian.
"""

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

WANTED = "3.13"
"""What the Dockerfile builds on; another Python serves if there is none."""
LIBRARIES = (
    "ca-certificates",
    "libbz2-1.0",
    "libexpat1",
    "libffi8",
    "liblzma5",
    "libreadline8",
    "libsqlite3-0",
    "libssl3",
    "libuuid1",
    "zlib1g",
)
"""What Python's own extension modules are linked with."""
LEFT_OUT = shutil.ignore_patterns("__pycache__", "site-packages", "test", "idlelib", "tkinter", "config-*", "ensurepip")
"""Compiled modules, which the official image lacks, too, and what nothing here needs."""
UNUSED = ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists")


def obstacle() -> str | None:
    """Return why no base can be made here, or None."""
    if os.geteuid() != 0:
        return "debootstrap needs root"
    if shutil.which("debootstrap") is None:
        return "debootstrap is not installed"
    if _prefix() is None:
        return "no Python of its own folder, such as pyenv's, is running this"
    return None


def make(folder: Path) -> None:
    """Make the root file system, at once or not at all."""
    prefix = _prefix()
    if prefix is None:
        raise RuntimeError(obstacle())
    unfinished = folder.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.parent.mkdir(parents=True, exist_ok=True)
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    include = f"--include={','.join(LIBRARIES)}"
    command = ["debootstrap", "--variant=minbase", include, suite, str(unfinished)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"debootstrap failed:\n{done.stdout[-2000:]}")
    for unused in UNUSED:
        shutil.rmtree(unfinished / unused, ignore_errors=True)
    _add_python(prefix, unfinished)
    unfinished.rename(folder)


def _prefix() -> Path | None:
    """Return the folder of the Python to copy: a neighbour of the one that runs, or that one."""
    running = Path(sys.base_prefix)
    if running == Path("/usr"):
        return None
    neighbours = sorted(running.parent.glob(f"{WANTED}.*"))
    return neighbours[-1] if neighbours else running


def _add_python(prefix: Path, root: Path) -> None:
    local = root / "usr/local"
    for library in prefix.glob("lib/libpython*.so*"):
        shutil.copy2(library, local / "lib", follow_symlinks=False)
    (standard,) = (path for path in prefix.glob("lib/python3.*") if path.is_dir())
    shutil.copy2(prefix / "bin" / standard.name, local / "bin")
    for alias in ("python", "python3"):
        (local / "bin" / alias).symlink_to(standard.name)
    target = local / "lib" / standard.name
    shutil.copytree(standard, target, symlinks=True, ignore=LEFT_OUT)
    for installer in standard.glob("site-packages/pip*"):
        shutil.copytree(installer, target / "site-packages" / installer.name)
    subprocess.run(["chroot", str(root), "ldconfig"], check=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
