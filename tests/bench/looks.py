"""How long somebody who looks waits: `plan NAME`, and `status` over a large fleet at Pinata's limits."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rotator.model.naming import version_id
from rotator.sandbox.running import SECRET, Sandbox
from tests.bench.fleets import DATA_PER_MINUTE, OTHER_PER_MINUTE, PERMISSIONS
from tests.bench.fresh import PROCESS_S, BenchError, environment, in_turn, run
from tests.bench.judged import Bound, Figure

ROUNDS = 9
SECRETS = 1_000
_FIRST_ROW = 3
"""Below the answer and the headings; the answer is told once more in the end."""
_BARE = f"import boto3; boto3.client('secretsmanager').describe_secret(SecretId='{SECRET}')"


def plan(folder: Path) -> tuple[Figure, ...]:
    """Measure `rotator plan NAME`, with its six calls, against a Python that imports boto3 and makes one."""
    directory = folder / "plan"
    directory.mkdir()
    with Sandbox(directory) as sandbox:
        env = environment(sandbox.environment)
        pair = in_turn(
            lambda: run([sys.executable, "-m", "rotator", "plan", "uploader"], env).wall_s,
            lambda: run([sys.executable, "-c", _BARE], env).wall_s,
            ROUNDS,
        )
    return (Figure("rotator plan NAME", "import boto3, one call", pair.ratio, Bound.AT_MOST, 1.5, "x", pair.detail),)


def status(folder: Path) -> tuple[Figure, ...]:
    """Measure when `rotator status` prints its first row and its last, with one secret that needs a closer look."""
    directory = folder / "status"
    directory.mkdir()
    made_at = datetime.now(UTC) - timedelta(hours=1)
    with Sandbox(directory) as sandbox:
        text = sandbox.config_path.read_text(encoding="utf-8")
        text = text.replace("= 6000\n", f"= {OTHER_PER_MINUTE}\n").replace("= 3000\n", f"= {DATA_PER_MINUTE}\n")
        text = text.replace('grace = "0s"', 'grace = "24h"\ncheck_every = "365d"')  # else a grace ends in the look
        for number in range(SECRETS - 1):
            text += f'[[secrets]]\nname = "n{number:03}"\nsecret_id = "many/{number:03}"\n{PERMISSIONS}\n'
            value = json.dumps({"JWT": "unread", "number": number})
            token = version_id(1, made_at, f"{number:010x}")
            asked = {"Name": f"many/{number:03}", "SecretString": value, "ClientRequestToken": token}
            sandbox.call("CreateSecret", asked)
        sandbox.config_path.write_text(text, encoding="utf-8")
        before = len(sandbox.secrets_manager.requests) + len(sandbox.pinata.site.log)
        first_s, all_s, rows = _told(environment(sandbox.environment))
        calls = len(sandbox.secrets_manager.requests) + len(sandbox.pinata.site.log) - before
    if rows < SECRETS:
        raise BenchError(f"{rows} rows of {SECRETS} secrets")
    work, against = f"status of {SECRETS:,} secrets", f"{OTHER_PER_MINUTE} requests a minute"
    return (
        Figure(work, against, first_s, Bound.BELOW, 2, "s", "to the first row"),
        Figure(work, "", all_s, Bound.BELOW, 5, "s", f"to the end, {rows:,} rows"),
        Figure(work, "", calls, Bound.AT_MOST, 20, "calls", "to both systems"),
    )


def _told(env: dict[str, str]) -> tuple[float, float, int]:
    """Return the seconds until the first row and until the end, and the number of rows."""
    began, first_s, lines = time.perf_counter(), 0.0, 0
    command = [sys.executable, "-m", "rotator", "status"]
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        for _ in process.stdout:
            lines += 1
            if lines == _FIRST_ROW:
                first_s = time.perf_counter() - began
        process.wait(PROCESS_S)
    return first_s, time.perf_counter() - began, lines - _FIRST_ROW
