"""What one rotation costs: client CPU and calls, a whole process, and waiting on a slow wire."""

import json
import sys
import uuid
from pathlib import Path

from rotator.sandbox.pinata.faults import Injection, Side, Slow
from rotator.sandbox.secrets_manager.faults import Fault, Kind
from tests.bench.fresh import environment, in_turn, run
from tests.bench.judged import Bound, Figure
from tests.bench.sandboxed import Fleet, fleet
from tests.consumers import installed

BARE = str(Path(__file__).with_name("bare.sh"))
SECRETS = 20
"""Half of them for rotator."""
ROUNDS = 5
LATENCY_S = 0.05
CALLS_MAX = 17


def cpu(folder: Path) -> tuple[Figure, ...]:
    """Measure a fleet's CPU time and calls per rotation against the five bare calls, in one warm process."""
    with fleet(folder / "cpu", [f"n{number:03}" for number in range(SECRETS)]) as many:
        found = many.program("cpu")
    ours_s, theirs_s, calls = found["ours"], found["theirs"], found["calls"]
    return (
        Figure(
            "fleet, client CPU per rotation",
            "five bare calls, boto3 + httpx",
            ours_s / theirs_s,
            Bound.AT_MOST,
            2.8,
            "x",
            f"{1000 * ours_s:.1f} ms / {1000 * theirs_s:.1f} ms; "
            f"13 such calls without an engine: {1000 * found['thirteen']:.1f} ms",
        ),
        Figure(
            "fleet, calls per rotation",
            "",
            float(calls),
            Bound.AT_MOST,
            CALLS_MAX,
            "calls",
            "both systems; without the page of ListSecrets that a hundred secrets share",
        ),
    )


def process(folder: Path) -> tuple[Figure, ...]:
    """Measure one `rotator rotate`, start included, against the five bare calls with curl and the aws command."""
    installed.prepare()
    with fleet(folder / "process", ["ours", "theirs"]) as both:
        script = _Script(both)
        env = environment(both.sandbox.environment)

        def rotate() -> float:
            return run([sys.executable, "-m", "rotator", "rotate", "ours"], env).wall_s

        pair = in_turn(rotate, script.rotate, ROUNDS)
    work, against = "one `rotator rotate`, start included", "five bare calls, curl + aws command"
    return (Figure(work, against, pair.ratio, Bound.BELOW, 1.0, "x", pair.detail),)


class _Script:
    """The bare calls as a script, and what it has to remember from one rotation to the next."""

    def __init__(self, both: Fleet) -> None:
        sandbox = both.sandbox
        self._secret_id = "prod/pinata/theirs"
        read = sandbox.call("GetSecretValue", {"SecretId": self._secret_id})
        self._version, self._key = (read["VersionId"], json.loads(read["SecretString"])["pinata_api_key"])
        self._env = {
            **installed.environment(),
            **sandbox.environment,
            "AWS": " ".join(installed.AWS),
            "ADMIN_JWT": sandbox.admin_jwt,
            "PINATA_URL": sandbox.pinata.url,
            "SECRET_ID": self._secret_id,
        }

    def rotate(self) -> float:
        """Rotate once; the seconds it took."""
        version = str(uuid.uuid4())
        known = {"OLD_VERSION": self._version, "OLD_KEY": self._key, "NEW_VERSION": version}
        spent = run(["sh", BARE], self._env | known)
        self._version, self._key = version, spent.output.strip()
        return spent.wall_s


def latency(folder: Path) -> tuple[Figure, ...]:
    """Measure a warm rotation whose every call waits, against that waiting."""
    with fleet(folder / "latency", ["slow"]) as one:
        site = one.sandbox.pinata.site
        with site.lock:
            site.faults.add(Injection(Slow(Side.BEFORE, LATENCY_S), None, times=None))
        one.sandbox.secrets_manager.faults.add(Fault(Kind.DELAY, times=0, delay_s=LATENCY_S))
        found = one.program("latency")
    waited_s = found["calls"] * LATENCY_S
    work = f"one rotation, {1000 * LATENCY_S:.0f} ms latency"
    detail = f"{1000 * found['seconds']:.0f} ms / {1000 * waited_s:.0f} ms, {found['calls']:.0f} calls"
    ratio = found["seconds"] / waited_s
    return (Figure(work, "calls x latency", ratio, Bound.AT_MOST, 1.1, "x", detail),)
