"""How long it takes to start: a Lambda function, and the command line."""

import sys
import zipfile
from pathlib import Path

from tests.bench.fresh import environment, in_turn, run
from tests.bench.judged import Bound, Figure

ROOT = Path(__file__).parents[2]
BUNDLE = (sys.executable, str(ROOT / "config/stack/bundle.py"))
ROTATOR = str(Path(sys.executable).with_name("rotator"))
ROUNDS = 15
_CONFIG = """\
[pinata]
api_url = "https://api.pinata.cloud"
admin_secret = "pinata/admin"

[aws]
region = "eu-central-1"

[audit]
s3 = "s3://audit-of-rotator/trail"

[[secrets]]
name = "uploader"
secret_id = "prod/pinata/uploader"
permissions = { resources = ["org:files:write"] }
"""
_TIMED = "import time; began = time.perf_counter()\n{}\nprint(time.perf_counter() - began)"
_TICK = _TIMED.format(
    "from rotator.lambda_handlers import tick\n"
    "from rotator.lambda_handlers.invocation import CONTAINER\n"
    "CONTAINER.clients"
)
_BARE = _TIMED.format("import boto3, httpx\nboto3.client('secretsmanager')\nhttpx.Client()")


def cold_start(folder: Path) -> tuple[Figure, ...]:
    """Measure import and first clients of `tick` from the zip that is deployed, against the bare libraries of it."""
    config, output, unpacked = folder / "rotator.toml", folder / "rotator.zip", folder / "function"
    config.write_text(_CONFIG, encoding="utf-8")
    run([*BUNDLE, "prepare"], environment())
    run([*BUNDLE, "zip", str(config), str(output)], environment())
    with zipfile.ZipFile(output) as bundle:
        bundle.extractall(unpacked)
    variables = {
        **environment(),
        "PYTHONPATH": str(unpacked),
        "LAMBDA_TASK_ROOT": str(unpacked),
        "ROTATOR_CONFIG": "rotator.toml",
        "AWS_REGION": "eu-central-1",
        "AWS_DEFAULT_REGION": "eu-central-1",
        "AWS_ACCESS_KEY_ID": "bench",
        "AWS_SECRET_ACCESS_KEY": "bench",
        "PYTHONDONTWRITEBYTECODE": "1",  # as in Lambda, whose file system is read-only
    }

    def seconds(code: str) -> float:
        # Without site-packages, as Lambda starts it: only what the zip holds is found.
        return float(run([sys.executable, "-S", "-c", code], variables, unpacked).output)

    pair = in_turn(lambda: seconds(_TICK), lambda: seconds(_BARE), ROUNDS)
    against = "import boto3, httpx, a client of each"
    return (Figure("Lambda cold start", against, pair.ratio, Bound.AT_MOST, 1.15, "x", pair.detail),)


def help_start(_: Path) -> tuple[Figure, ...]:
    """Measure `rotator --help` against a Python that imports click."""
    env = environment()
    pair = in_turn(
        lambda: run([ROTATOR, "--help"], env).wall_s,
        lambda: run([sys.executable, "-c", "import click"], env).wall_s,
        ROUNDS,
    )
    against = "python -c 'import click'"
    return (Figure("rotator --help", against, pair.ratio, Bound.AT_MOST, 2.0, "x", pair.detail),)
