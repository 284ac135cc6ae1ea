"""Every deployed function: its code unpacked once, its processes, what it printed, and the metrics in that.

A function's log is what Lambda would send to CloudWatch in the name of its role; without the right to, it is lost.
Metrics are found in the log as CloudWatch finds them (embedded metric format).
"""

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.sandbox.secrets_manager.store import Scope
from tests.stack.aws.environments import Code, Invocation, Pool, credentials, lay_out_runtime
from tests.stack.aws.rights import Ask
from tests.stack.aws.under_moto import Deployed

LOG_TAIL_BYTES = 4096
LINES_MAX = 100_000


@dataclass(frozen=True, slots=True)
class Metric:
    """One value, as CloudWatch would store it."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    value: float


AskRights = Callable[[str, Iterable[Ask]], bool]


class Functions:
    """The running side of Lambda. Safe for threads."""

    def __init__(self, scope: Scope, folder: Path, endpoint_url: str, ask: AskRights) -> None:
        """Unpack below `folder`; functions reach AWS at `endpoint_url`."""
        self._scope = scope
        self._folder = folder
        self._endpoint_url = endpoint_url
        self._ask = ask
        self._pools: dict[str, Pool] = {}
        self._lines: dict[str, list[str]] = {}
        self._lock = threading.Lock()
        self.invocations: list[tuple[str, Invocation]] = []
        self._runtime = folder / "runtime"
        self._runtime.mkdir(parents=True)
        lay_out_runtime(self._runtime)

    def run(self, function: Deployed, payload: bytes) -> tuple[bytes, bool, str]:
        """Invoke: the payload, whether it is an error, and the end of the log."""
        done = self._pool(function.name).invoke(self._code(function), payload, function.timeout_s)
        with self._lock:
            self.invocations.append((function.name, done))
        tail = "\n".join(self.lines(function.name))[-LOG_TAIL_BYTES:]
        return done.payload, done.failed, tail

    def kill(self, name: str) -> None:
        """Kill what the function is doing now; the next call starts cold."""
        self._pool(name).kill()

    def expire(self, name: str) -> None:
        """Take the timeout of what the function is doing now as passed."""
        self._pool(name).expire()

    def lines(self, name: str) -> list[str]:
        """Return the function's log."""
        with self._lock:
            return list(self._lines.get(name, ()))

    def metrics(self, name: str) -> list[Metric]:
        """Return every metric in the function's log, oldest first."""
        return [metric for line in self.lines(name) for metric in _metrics(line)]

    def close(self) -> None:
        """End every process."""
        for pool in self._pools.values():
            pool.close()

    def _pool(self, name: str) -> Pool:
        with self._lock:
            return self._pools.setdefault(name, Pool(lambda line: self._log(name, line)))

    def _log(self, name: str, line: str) -> None:
        stream = f"log-group:/aws/lambda/{name}:log-stream:sandbox"
        resource = f"arn:aws:logs:{self._scope.region}:{self._scope.account}:{stream}"
        rights = ("logs:CreateLogStream", "logs:PutLogEvents")
        if not self._ask(name, [Ask(right, resource) for right in rights]):
            return
        with self._lock:
            kept = self._lines.setdefault(name, [])
            if len(kept) < LINES_MAX:
                kept.append(line)

    def _code(self, function: Deployed) -> Code:
        folder = self._folder / function.code_sha256.replace("/", "_")
        with self._lock:
            if not folder.exists():
                with zipfile.ZipFile(io.BytesIO(function.code)) as bundle:
                    bundle.extractall(folder)
        given = {**credentials(function.name), "AWS_ENDPOINT_URL": self._endpoint_url, **dict(function.variables)}
        return Code(
            function_arn=function.arn,
            handler=function.handler,
            folder=folder,
            runtime=self._runtime,
            memory_mb=function.memory_mb,
            variables=tuple(sorted(given.items())),
        )


def _metrics(line: str) -> list[Metric]:
    try:
        entry: Any = json.loads(line)
        return [
            Metric(
                directive["Namespace"],
                metric["Name"],
                tuple((name, str(entry[name])) for name in dimensions),
                float(entry[metric["Name"]]),
            )
            for directive in entry["_aws"]["CloudWatchMetrics"]
            for dimensions in directive["Dimensions"]
            for metric in directive["Metrics"]
        ]
    except (KeyError, TypeError, ValueError):
        return []
