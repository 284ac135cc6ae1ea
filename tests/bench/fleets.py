"""What a fleet costs: a tick in which nothing is due, and rotating as fast as the provider allows."""

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

from rotator.model.naming import version_id
from rotator.sandbox.pinata import limits
from rotator.sandbox.pinata.switches import RateLimits
from tests.bench.fresh import environment, run
from tests.bench.judged import Bound, Figure
from tests.bench.sandboxed import fleet

IDLE_SECRETS = 10_000
ROTATED_SECRETS = 67
"""Not a whole number of minutes: one call that misses the last of those would cost one more, once in a fleet."""
SCALE = 12.0
"""A minute of the limits takes 5 s here, on both sides."""
PERMISSIONS = 'permissions = { resources = ["org:files:write"] }'
MINUTE_S = 60.0
DATA_PER_MINUTE, OTHER_PER_MINUTE = 30, 60
DATA_CALLS, OTHER_CALLS = 2, 4
"""Of one rotation: proving the new key alive and the old one dead; create, revoke and two lists."""


def idle_tick(folder: Path) -> tuple[Figure, ...]:
    """Measure `rotator run --every` as a process over a fleet in which nothing is due and no slot falls."""
    made_at = datetime.now(UTC) - timedelta(hours=1)
    with fleet(folder / "idle", []) as idle:
        idle.edit('grace = "0s"', 'grace = "24h"')  # else the end of a grace falls into the tick
        idle.edit('settle = "0s"', f'settle = "0s"\ncheck_every = "365d"\n{PERMISSIONS}')
        with idle.sandbox.config_path.open("a", encoding="utf-8") as config:
            for number in range(IDLE_SECRETS):
                name = f"n{number:05}"
                config.write(f'[[secrets]]\nname = "{name}"\nsecret_id = "idle/{name}"\n')
                idle.sandbox.call(
                    "CreateSecret",
                    {
                        "Name": f"idle/{name}",
                        "SecretString": json.dumps({"JWT": "unread", "pinata_api_key": name}),
                        "ClientRequestToken": version_id(1, made_at, f"{number:010x}"),
                    },
                )
        idle.sandbox.call("DeleteSecret", _forced("prod/pinata/uploader"))
        env = environment(idle.sandbox.environment)
        before = len(idle.sandbox.secrets_manager.requests)
        spent = run([sys.executable, "-m", "rotator", "run", "--every", "1s"], env)
        calls = len(idle.sandbox.secrets_manager.requests) - before + len(idle.sandbox.pinata.site.log)
    work = f"idle tick over {IDLE_SECRETS:,} secrets"
    detail = " ".join(spent.output.split())[-80:]
    return (
        Figure(work, "N / 100 calls", calls, Bound.AT_MOST, 110, "calls", detail),
        Figure(work, "", spent.cpu_s, Bound.AT_MOST, 3, "s CPU", "the whole process"),
        Figure(work, "", spent.memory_mb, Bound.AT_MOST, 150, "MB", "the most it held"),
    )


def _forced(secret_id: str) -> dict[str, object]:
    return {"SecretId": secret_id, "ForceDeleteWithoutRecovery": True}


def limited(folder: Path) -> tuple[Figure, ...]:
    """Measure how near a fleet comes to what the provider's limits allow, time scaled down.

    The ceiling: a client that takes no time sends each minute's calls at its beginning.
    """
    names = [f"n{number:03}" for number in range(ROTATED_SECRETS)]
    with fleet(folder / "limited", names) as many:
        many.program("takeover")
        many.edit("requests_per_minute = 100000\ndata_", f"requests_per_minute = {OTHER_PER_MINUTE}\ndata_")
        many.edit("data_requests_per_minute = 100000", f"data_requests_per_minute = {DATA_PER_MINUTE}")
        site, window_s = many.sandbox.pinata.site, limits.WINDOW_S
        with site.lock:
            kept = RateLimits(data_per_minute=DATA_PER_MINUTE, other_per_minute=OTHER_PER_MINUTE)
            site.world.switches = replace(site.world.switches, limits=kept)
            before = len(site.log)
        limits.WINDOW_S = window_s / SCALE
        try:
            taken_s = many.program("limited", str(SCALE))["seconds"]
        finally:
            limits.WINDOW_S = window_s
        refused = sum(line.status == HTTPStatus.TOO_MANY_REQUESTS for line in many.sandbox.pinata.site.log[before:])
        calls = len(many.sandbox.pinata.site.log) - before
    least_s = MINUTE_S * max(
        (ROTATED_SECRETS * DATA_CALLS - 1) // DATA_PER_MINUTE, (ROTATED_SECRETS * OTHER_CALLS - 1) // OTHER_PER_MINUTE
    )
    work = f"fleet under {DATA_PER_MINUTE}/min on /data, {OTHER_PER_MINUTE}/min else"
    return (
        Figure(
            work,
            "the ceiling of those limits",
            least_s / taken_s,
            Bound.AT_LEAST,
            0.9,
            "x",
            f"{ROTATED_SECRETS} rotations, {calls} calls: {taken_s:.0f} s / {least_s:.0f} s, at {SCALE:.0f} x speed",
        ),
        Figure(work, "", refused, Bound.AT_MOST, 0, "answers 429", f"{calls} calls"),
    )
