"""Kinds of consumers of one secret, simulated: how each comes by the key that it holds, and a fleet that calls Pinata.

Each kind reads as its maker says, and no earlier than it must: a cache keeps a value for its whole time, and whoever
polls does so at its own minute. All live by the clock of this process, which tests put forward.

fleet.add("agent", agent.held, agent.held)      two consumers of one cache
fleet.passes(3_600)                             an hour passes, with the polls that come due in it
fleet.call()                                    each consumer calls Pinata once, and the answers are counted
"""

import http.client
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import boto3

from rotator.sandbox.running import SECRET, Sandbox
from tests.e2e.stage import Stage

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

PATH = "/data/testAuthentication"
POWERTOOLS_S, AGENT_S, PYTHON_CACHE_S, EXTERNAL_SECRETS_S = 5.0, 300.0, 3600.0, 3600.0
"""How long each keeps a value if it is not told otherwise."""
_CONNECT_S = 60.0
Held = Callable[[], str]
"""Returns the value that a consumer uses for a call that it makes now."""


# How consumers read


@contextmanager
def reading(sandbox: Sandbox) -> Iterator["SecretsManagerClient"]:
    """Yield the SDK of a consumer."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=sandbox.secrets_manager.endpoint_url,
        region_name=sandbox.environment["AWS_REGION"],
        aws_access_key_id="consumer",
        aws_secret_access_key="consumer",
    )
    with closing(client):
        yield client


@dataclass(slots=True)
class EachUse:
    """An SDK call for each use, without any cache."""

    client: "SecretsManagerClient"

    def held(self) -> str:
        """Read the current value."""
        return self.client.get_secret_value(SecretId=SECRET)["SecretString"]


@dataclass(slots=True)
class Cache:
    """Reads when it is asked and what it has is too old: Powertools with `max_age`, the Secrets Manager Agent."""

    read: Held
    keeps_s: float
    _value: str = ""
    _read_s: float = 0.0

    def held(self) -> str:
        """Return what is cached, or what is current."""
        if not self._value or time.time() - self._read_s >= self.keeps_s:
            self._value, self._read_s = self.read(), time.time()
        return self._value


@dataclass(slots=True)
class VersionCache:
    """AWS's cache for Python: asks now and then which version is current, and reads each version once.

    The real one asks again after half to all of its interval, by chance; this one always after all of it.
    """

    client: "SecretsManagerClient"
    keeps_s: float = PYTHON_CACHE_S
    _current: str = ""
    _described_s: float = 0.0
    _values: dict[str, str] = field(default_factory=dict)

    def held(self) -> str:
        """Return the value of the version that was current when it last asked."""
        if not self._current or time.time() - self._described_s >= self.keeps_s:
            stages = self.client.describe_secret(SecretId=SECRET)["VersionIdsToStages"]
            (self._current,) = [version for version, labels in stages.items() if "AWSCURRENT" in labels]
            self._described_s = time.time()
        if self._current not in self._values:
            answer = self.client.get_secret_value(SecretId=SECRET, VersionId=self._current)
            self._values[self._current] = answer["SecretString"]
        return self._values[self._current]


@dataclass(slots=True)
class Starting:
    """A process that reads the secret when it starts, and says over HTTP which key it has."""

    read: Held
    value: str = ""

    def start(self) -> None:
        """Begin anew, with the value of now."""
        self.value = self.read()

    def held(self) -> str:
        """Return what it was started with."""
        return self.value

    @contextmanager
    def answering(self) -> Iterator[str]:
        """Run it; yield the address at which it answers with its key id."""
        self.start()
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/credential"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


@dataclass(slots=True)
class Copy:
    """What External Secrets copies into a cluster: once in each interval, whether somebody asks for it or not.

    A pod with a volume has each copy at once. A pod with variables is a process of `pods`: started anew, by a reloader,
    when the copy has changed.
    """

    read: Held
    interval_s: float
    polled_s: float
    value: str
    pods: list[Starting] = field(default_factory=list)

    def held(self) -> str:
        """Return the copy."""
        return self.value

    def last_before(self, moment_s: float) -> float:
        """Return the time of the last poll that is due until a moment."""
        return moment_s - (moment_s - self.polled_s) % self.interval_s

    def poll(self) -> None:
        """Copy the current value now."""
        before, self.value, self.polled_s = self.value, self.read(), time.time()
        if self.value != before:
            for pod in self.pods:
                pod.start()


def _handler(process: Starting) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"key_id": key_of(process.value)}).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
            pass

    return Handler


def key_of(value: str) -> str:
    """Return the id of the key inside a value."""
    return str(json.loads(value)["pinata_api_key"])


# Many of them


@dataclass(slots=True)
class Member:
    """One consumer, and what became of its calls."""

    kind: str
    held: Held
    statuses: list[int] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    """Those that it used, in order."""


class Fleet:
    """Consumers that call Pinata with what they hold; a context manager, by `closing`."""

    def __init__(self, stage: Stage) -> None:
        """Have no member yet."""
        self._stage = stage
        self._pinata = http.client.HTTPConnection(urlsplit(stage.sandbox.pinata.url).netloc, timeout=_CONNECT_S)
        self.members: list[Member] = []
        self.copies: list[Copy] = []

    def close(self) -> None:
        """Hang up."""
        self._pinata.close()

    def add(self, kind: str, *held: Held) -> None:
        """Add consumers of a kind."""
        self.members += [Member(kind, one) for one in held]

    def passes(self, seconds: float) -> None:
        """Let time pass; of the polls that come due, only the last of each has an effect that is left."""
        until_s = time.time() + seconds
        polls = [(copy.last_before(until_s), number) for number, copy in enumerate(self.copies)]
        for moment_s, number in sorted(polls):
            if moment_s > self.copies[number].polled_s:
                self._stage.passes(max(moment_s - time.time(), 0.0))
                self.copies[number].poll()
        self._stage.passes(max(until_s - time.time(), 0.0))

    def call(self) -> None:
        """Let each consumer call Pinata once with what it holds."""
        for member in self.members:
            value = member.held()
            if key_of(value) not in member.keys:
                member.keys.append(key_of(value))
            self._pinata.request("GET", PATH, headers={"Authorization": f"Bearer {json.loads(value)['JWT']}"})
            answer = self._pinata.getresponse()
            answer.read()
            member.statuses.append(answer.status)

    def calls(self) -> int:
        """Return how many calls were made."""
        return sum(len(member.statuses) for member in self.members)

    def refused(self) -> dict[str, int]:
        """Return how many calls of each kind were refused, without the kinds that had none refused."""
        statuses = Counter(member.kind for member in self.members for status in member.statuses if status != 200)
        return dict(statuses)
