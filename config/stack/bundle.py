"""The zip that the functions run: rotator, the locked dependencies they need, and one configuration.

    python config/stack/bundle.py dependencies FOLDER       install them (needs a package index)
    python config/stack/bundle.py zip FOLDER CONFIG OUTPUT  pack; the same input gives the same bytes

Only pure-Python packages come in, so what is tested here is, byte for byte, what runs on any architecture. boto3 is
among them: the runtime's own changes without notice. Of botocore's descriptions of all AWS services, those that
rotator calls are kept.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
NOT_NEEDED = {
    "apscheduler": "the daemon's",
    "click": "the command line's",
    "markdown-it-py": "rich's",
    "mdurl": "rich's",
    "pygments": "rich's",
    "rich": "the command line's",
    "tzlocal": "APScheduler's",
}
SERVICES = {"s3", "secretsmanager", "sqs", "ssm", "sts"}
LEFT_OUT = ("sandbox", "cli", "daemon", "daemon.py", "__main__.py")
TIME = (1980, 1, 1, 0, 0, 0)
BYTES_MAX = 50 * 1024 * 1024
"""What Lambda takes as an upload without S3, and far more than this may grow to."""


def requirements() -> str:
    """Return the part of the lock file that the functions need, hashes and all."""
    entries = re.split(r"\n(?=\S)", LOCK.read_text(encoding="utf-8"))
    return "\n".join(one for one in entries if one.partition("==")[0].strip() not in NOT_NEEDED)


def install(folder: Path) -> None:
    """Install the dependencies into a folder that is replaced by it."""
    shutil.rmtree(folder, ignore_errors=True)
    with tempfile.NamedTemporaryFile("w", suffix=".lock", encoding="utf-8") as locked:
        locked.write(requirements())
        locked.flush()
        pure = "--only-binary=:all: --platform any --implementation py --abi none --python-version 3.13"
        options = f"-qq --no-deps --require-hashes --no-compile --target {folder} {pure}".split()
        subprocess.run(  # noqa: S603 - pip, with a list of ours
            [sys.executable, "-m", "pip", "install", *options, "--requirement", locked.name],
            check=True,
        )


def files(dependencies: Path, config: Path) -> Iterator[tuple[str, Path]]:
    """Yield what goes into the zip: name there, file here."""
    for path in _below(dependencies):
        parts = path.relative_to(dependencies).parts
        is_other_service = parts[:2] == ("botocore", "data") and len(parts) > 3
        if parts[0] != "bin" and not (is_other_service and parts[2] not in SERVICES):
            yield "/".join(parts), path
    package = ROOT / "rotator"
    for path in _below(package):
        parts = path.relative_to(package).parts
        if parts[0] not in LEFT_OUT:
            yield "/".join(("rotator", *parts)), path
    yield "rotator.toml", config


def pack(dependencies: Path, config: Path, output: Path) -> None:
    """Write the zip, entries in order and without times."""
    output.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle:
        for name, path in sorted(files(dependencies, config)):
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, path.read_bytes())
    size = output.stat().st_size
    if size > BYTES_MAX:
        raise SystemExit(f"{output} has {size} bytes, more than Lambda takes")
    sys.stdout.write(f"{output}: {size / 1e6:.1f} MB, configuration {config}\n")


def _below(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    match arguments:
        case ["dependencies", folder]:
            install(Path(folder))
        case ["zip", folder, config, output]:
            pack(Path(folder), Path(config), Path(output))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
