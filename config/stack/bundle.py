"""The zip that the functions run: rotator, the locked dependencies they need, and one configuration.

    python config/stack/bundle.py prepare            install what is needed, if a lock file has changed since
    python config/stack/bundle.py zip CONFIG OUTPUT  pack; the same input gives the same bytes

Only pure-Python packages come in, so what is tested here is, byte for byte, what runs on any architecture. boto3 is
among them: the runtime's own changes without notice. Of botocore's descriptions of all AWS services, those that
rotator calls are kept. Bytecode comes along, for a function cannot keep its own: it halves the time of an import. It
is of the Python that packs, and ignored by every other, so pack with the Python of the functions; otherwise a warning
says so.
"""

import compileall
import hashlib
import py_compile
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
LOCK = ROOT / "requirements.lock"
BUILD = ROOT / "build/stack"
DEPENDENCIES = BUILD / "dependencies"
OSLS = BUILD / "node_modules/osls/bin/serverless.js"
NOT_NEEDED = {
    "apscheduler": "the daemon's",
    "click": "the command line's",
    "jinja2": "the page's",
    "markdown-it-py": "rich's",
    "markupsafe": "Jinja2's",
    "mdurl": "rich's",
    "prometheus-client": "the daemon's",
    "pygments": "rich's",
    "rich": "the command line's",
    "tzlocal": "APScheduler's",
    "waitress": "the page's",
}
SERVICES = {"ecs", "kms", "lambda", "s3", "secretsmanager", "sqs", "ssm", "sts"}
LEFT_OUT = ("sandbox", "cli", "daemon", "page", "__main__.py")
TIME = (1980, 1, 1, 0, 0, 0)
BYTES_MAX = 50 * 1024 * 1024
"""What Lambda takes as an upload without S3, and far more than this may grow to."""


def requirements() -> str:
    """Return the part of the lock file that the functions need, hashes and all."""
    entries = re.split(r"\n(?=\S)", LOCK.read_text(encoding="utf-8"))
    return "\n".join(one for one in entries if one.partition("==")[0].strip() not in NOT_NEEDED)


def prepare() -> None:
    """Install the functions' dependencies and osls below `build/`, each if its lock file has changed since."""
    stamp = DEPENDENCIES / f".installed-from.{sys.implementation.cache_tag}"
    _once(LOCK.read_bytes() + Path(__file__).read_bytes(), stamp, _install_dependencies)
    lock = HERE / "package-lock.json"
    _once(lock.read_bytes(), BUILD / "node_modules/.installed-from", _install_osls)


def _once(source: bytes, stamp: Path, install: Callable[[], None]) -> None:
    digest = hashlib.sha256(source).hexdigest()
    if not stamp.exists() or stamp.read_text(encoding="utf-8") != digest:
        shutil.rmtree(stamp.parent, ignore_errors=True)
        install()
        stamp.write_text(digest, encoding="utf-8")


def _install_dependencies() -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".lock", encoding="utf-8") as locked:
        locked.write(requirements())
        locked.flush()
        pure = "--only-binary=:all: --platform any --implementation py --abi none --python-version 3.13"
        options = f"-qq --no-deps --require-hashes --no-compile {pure}".split()
        where = ["--target", str(DEPENDENCIES), "--requirement", locked.name]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, *where], check=True)
    _compile(DEPENDENCIES, "")


def _compile(folder: Path, name: str) -> None:
    """Compile a folder that is called `name` in the zip, so that nothing of this machine gets into the bytecode."""
    compileall.compile_dir(
        folder, ddir=name, force=True, quiet=1, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def _install_osls() -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed to package the stack; install Node.js 20 or newer")
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, BUILD)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([npm, "ci", *options], cwd=BUILD, check=True)


def files(package: Path, config: Path) -> Iterator[tuple[str, Path]]:
    """Yield what goes into the zip: name there, file here."""
    for path in _below(DEPENDENCIES):
        parts = path.relative_to(DEPENDENCIES).parts
        match parts:
            case ["bin", *_]:
                continue
            case _ if "tests" in parts[:-1]:
                continue
            case ["botocore", "data", service, _, *_] if service not in SERVICES:
                continue
            case _:
                yield "/".join(parts), path
    for path in _below(package):
        yield "/".join(path.relative_to(package.parent).parts), path
    yield "rotator.toml", config


def pack(config: Path, output: Path) -> None:
    """Write the zip, entries in order and without times."""
    if not config.is_file():
        raise SystemExit(f"{config} does not exist; `.venv/bin/rotator init` writes one")
    output.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as bundle,
    ):
        package = Path(folder) / "rotator"
        shutil.copytree(ROOT / "rotator", package, ignore=_left_out)
        _compile(package, "rotator")
        for name, path in sorted(files(package, config)):
            entry = zipfile.ZipInfo(name, TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            bundle.writestr(entry, path.read_bytes())
    size = output.stat().st_size
    if size > BYTES_MAX:
        raise SystemExit(f"{output} has {size} bytes, more than Lambda takes")
    python = sys.implementation.cache_tag
    if python != (theirs := cache_tag_of_the_functions()):
        sys.stderr.write(
            f"Warning: the bytecode in {output} is of {python}, and the functions are of {theirs}, which ignores it: "
            "they start in twice the time; run `make dev PYTHON=...` with their Python, and pack again\n"
        )
    sys.stdout.write(f"{output}: {size / 1e6:.1f} MB, bytecode of {python}, configuration {config}\n")


def cache_tag_of_the_functions() -> str:
    """Return what the bytecode of the functions' own Python is marked with."""
    runtime = re.search(
        r"^ *runtime: python3\.(\d+)$", (ROOT / "serverless.yml").read_text(encoding="utf-8"), re.MULTILINE
    )
    if runtime is None:
        raise SystemExit("serverless.yml names no runtime of the form python3.N")
    return f"cpython-3{runtime[1]}"


def _left_out(folder: str, names: list[str]) -> set[str]:
    top = LEFT_OUT if Path(folder) == ROOT / "rotator" else ()
    return {name for name in names if name == "__pycache__" or name in top}


def _below(folder: Path) -> Iterator[Path]:
    """Yield the files of a folder, bytecode of this Python included, stamps not."""
    for path in folder.rglob("*"):
        of_other = path.suffix == ".pyc" and sys.implementation.cache_tag not in path.suffixes[0]
        if path.is_file() and not of_other and not path.name.startswith(".installed-from"):
            yield path


def main(arguments: list[str]) -> None:
    """Do what the command line says."""
    match arguments:
        case ["prepare"]:
            prepare()
        case ["zip", config, output]:
            pack(Path(config), Path(output))
        case _:
            raise SystemExit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
