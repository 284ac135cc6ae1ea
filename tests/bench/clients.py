"""Warm processes that are measured: each reports one line of JSON.

python -m tests.bench.clients PROGRAM [ARGUMENT]...
"""

import json
import os
import statistics
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import boto3
import httpx

from rotator.config.file import Config, find_path, load
from rotator.engine.run import Run
from rotator.fleet.lookup import resolve
from rotator.fleet.run import run_all
from rotator.model.plan import Outcome, OutcomeKind
from rotator.model.ports import Deadline
from rotator.model.secret import Demand, SecretSpec
from rotator.pinata import transport
from rotator.pinata.transport import RateLimiter
from rotator.wiring.call_counts import Call, CallCounts
from rotator.wiring.connect import clients, rate_limiter
from rotator.wiring.runs import new_run, startup_deadline

PASSES = 5
LATENCY_ROUNDS = 7


class Ours:
    """rotator's own engine over a fleet, as `rotator rotate` puts it together."""

    def __init__(
        self,
        stack: ExitStack,
        rate: Callable[[Config], RateLimiter] = rate_limiter,
        deadline: Callable[[SecretSpec], Deadline | None] = lambda _: None,
    ) -> None:
        """Connect until the stack is closed."""
        self.config = load(find_path(None, os.environ))
        self.call_counts = CallCounts()
        connected = clients(self.config, os.environ, rate(self.config), self.call_counts).connected()
        self._both = stack.enter_context(connected)
        self._audit = stack.enter_context(self._both.audit_trail("bench"))
        self._deadline = deadline

    def rotate(self, specs: Sequence[SecretSpec], demand: Demand = Demand.FORCED) -> list[Outcome]:
        """Rotate, and make sure that each rotation ended well."""
        targets = resolve(specs, self._both.store, startup_deadline()).targets
        outcomes = list(run_all(targets, self._both.world(self._audit), self._run_with(demand)))
        for outcome in outcomes:
            if outcome.kind is not OutcomeKind.ROTATED or not outcome.revoked:
                raise RuntimeError(f"{outcome.secret}: {outcome.kind} {outcome.error}")
        return outcomes

    def _run_with(self, demand: Demand) -> Callable[[SecretSpec], Run]:
        return lambda spec: new_run(spec, demand, self._deadline(spec))

    def calls(self) -> int:
        """Return the calls to both systems so far."""
        return sum(self.call_counts.of(call) for call in (Call.PINATA, Call.SECRETS_MANAGER))


@dataclass(slots=True)
class Bare:
    """The five calls that a rotation cannot do without, and nothing else: no check, no trail, no second thought."""

    name: str
    version: str
    key: str

    @classmethod
    def of(cls, aws: "BareClients", name: str) -> "Bare":
        """Look a secret up."""
        read = aws.secrets.get_secret_value(SecretId=f"prod/pinata/{name}")
        return cls(name, read["VersionId"], json.loads(read["SecretString"])["pinata_api_key"])

    def call_thirteen(self, to: "BareClients") -> None:
        """Make as many calls as a rotation of ours, without an engine around them: 7 to AWS, 6 to Pinata."""
        for _ in range(7):
            to.secrets.describe_secret(SecretId=f"prod/pinata/{self.name}")
        for _ in range(6):
            to.pinata.get("/data/testAuthentication").raise_for_status()

    def rotate(self, to: "BareClients") -> None:
        """Create, put, verify, promote, revoke."""
        version, secret_id = str(uuid.uuid4()), f"prod/pinata/{self.name}"
        body = {"keyName": f"{self.name} {version}", "permissions": {"resources": ["org:files:write"]}}
        key = to.pinata.post("/v3/api_keys", json=body).raise_for_status().json()
        to.secrets.put_secret_value(
            SecretId=secret_id, ClientRequestToken=version, SecretString=json.dumps(key), VersionStages=["AWSPENDING"]
        )
        bearer = {"Authorization": f"Bearer {key['JWT']}"}
        to.pinata.get("/data/testAuthentication", headers=bearer).raise_for_status()
        to.secrets.update_secret_version_stage(
            SecretId=secret_id, VersionStage="AWSCURRENT", MoveToVersionId=version, RemoveFromVersionId=self.version
        )
        to.pinata.delete(f"/v3/api_keys/{self.key}").raise_for_status()
        self.version, self.key = version, key["pinata_api_key"]


class BareClients:
    """boto3 and httpx as they come."""

    def __init__(self, stack: ExitStack) -> None:
        """Connect until the stack is closed."""
        self.secrets = boto3.client("secretsmanager")
        admin = json.loads(self.secrets.get_secret_value(SecretId="pinata/admin")["SecretString"])
        bearer = {"Authorization": f"Bearer {admin['JWT']}"}
        self.pinata = stack.enter_context(httpx.Client(base_url=os.environ["PINATA_URL"], headers=bearer))


def cpu() -> dict[str, object]:
    """Rotate half of the fleet with rotator and half with the bare calls, in turn; CPU time of this process."""
    taken: dict[str, list[float]] = {"ours": [], "theirs": [], "thirteen": []}
    with ExitStack() as stack:
        ours, clients = Ours(stack), BareClients(stack)
        specs = ours.config.secrets
        half = len(specs) // 2
        bare = [Bare.of(clients, spec.name) for spec in specs[half:]]
        ours.rotate(specs[:half])  # takes the hand-made keys over
        for one in bare:
            one.rotate(clients)
        calls = ours.calls()
        for _ in range(PASSES):
            began = time.process_time()
            ours.rotate(specs[:half])
            taken["ours"].append(time.process_time() - began)
            began = time.process_time()
            for one in bare:
                one.rotate(clients)
            taken["theirs"].append(time.process_time() - began)
            began = time.process_time()
            for one in bare:
                one.call_thirteen(clients)
            taken["thirteen"].append(time.process_time() - began)
        # A page of ListSecrets looks a hundred secrets up, so each pass's is not a rotation's own.
        calls = ours.calls() - calls - PASSES
    each = {name: statistics.median(seconds) / half for name, seconds in taken.items()}
    return {**each, "calls": calls / PASSES / half}


def latency() -> dict[str, object]:
    """Rotate one secret over and over; the time each took beside its number of calls."""
    seconds, calls = [], []
    with ExitStack() as stack:
        ours = Ours(stack)
        ours.rotate(ours.config.secrets)
        for _ in range(LATENCY_ROUNDS):
            began, before = time.perf_counter(), ours.calls()
            ours.rotate(ours.config.secrets)
            seconds.append(time.perf_counter() - began)
            calls.append(ours.calls() - before)
    return {"seconds": statistics.median(seconds), "calls": statistics.median(calls)}


def limited(scale: str) -> dict[str, object]:
    """Rotate the whole fleet within its budget of requests, in a time that runs `scale` times as fast."""
    factor = float(scale)
    transport.WINDOW_S /= factor
    with ExitStack() as stack:
        ours = Ours(stack)
        began = time.monotonic()
        ours.rotate(ours.config.secrets)
        return {"seconds": (time.monotonic() - began) * factor}


def takeover() -> dict[str, object]:
    """Take every hand-made key over."""
    with ExitStack() as stack:
        ours = Ours(stack)
        return {"rotated": len(ours.rotate(ours.config.secrets))}


PROGRAMS: dict[str, Callable[..., dict[str, object]]] = {
    "cpu": cpu,
    "latency": latency,
    "limited": limited,
    "takeover": takeover,
}

if __name__ == "__main__":
    print(json.dumps(PROGRAMS[sys.argv[1]](*sys.argv[2:])))  # noqa: T201 - its report
