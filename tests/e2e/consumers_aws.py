"""ECS and Lambda as far as a consumer there shows itself: services with tasks, functions with versions, over HTTP.

A task is given the secret's value when it starts, and keeps it. A deployment replaces the tasks one after another.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

CLUSTER, SERVICE = "prod", "uploader"


@dataclass(slots=True)
class Task:
    """One task of the service, and the value that it was given."""

    arn: str
    created_s: float
    value: str
    last_status: str = "RUNNING"


@dataclass(slots=True)
class ConsumersAws:
    """One ECS service and any number of Lambda functions."""

    read: Callable[[], str]
    """Returns the current value of the secret."""
    arn: str
    tasks: list[Task] = field(default_factory=list)
    deployed_s: float = 0.0
    wanted: int = 2
    denied: frozenset[str] = frozenset()
    """Operations that are refused."""
    stage: str = ""
    """What the task definition takes; empty is AWSCURRENT."""
    calls: list[str] = field(default_factory=list)
    deployments: int = 0
    functions: dict[str, dict[str, Any]] = field(default_factory=dict)
    aliases: dict[str, dict[str, Any]] = field(default_factory=dict)

    def deploy(self) -> None:
        """Begin a deployment: the new tasks start with the value of now, and the old ones stop."""
        self.deployed_s = time.time()
        self.deployments += 1
        self.tasks = [self._task(number) for number in range(self.wanted)]

    def begin_deploying(self) -> None:
        """Begin a deployment whose tasks do not start yet."""
        self.deployed_s = time.time()
        self.deployments += 1

    def _task(self, number: int) -> Task:
        arn = f"arn:aws:ecs:eu-central-1:111122223333:task/{CLUSTER}/{self.deployments:04}{number:04}"
        return Task(arn, time.time(), self.read())

    def answer(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Answer one call."""
        self.calls.append(operation)
        match operation:
            case "DescribeServices":
                primary = {"status": "PRIMARY", "createdAt": self.deployed_s}
                row = {"status": "ACTIVE", "taskDefinition": "uploader:1", "deployments": [primary]}
                return {"services": [row] if body["services"] == [SERVICE] else [], "failures": []}
            case "DescribeTaskDefinition":
                value_from = self.arn + (f"::{self.stage}:" if self.stage else "")
                secrets = [{"name": "PINATA_JWT", "valueFrom": value_from}]
                return {"taskDefinition": {"containerDefinitions": [{"secrets": secrets}]}}
            case "ListTasks":
                stopped = body["desiredStatus"] == "STOPPED"
                return {"taskArns": [t.arn for t in self.tasks if (t.last_status != "RUNNING") is stopped]}
            case "DescribeTasks":
                found = [t for t in self.tasks if t.arn in body["tasks"]]
                return {
                    "tasks": [{"taskArn": t.arn, "createdAt": t.created_s, "lastStatus": t.last_status} for t in found]
                }
            case "UpdateService":
                assert body["forceNewDeployment"] is True
                self.deploy()
                return {"service": {}}
            case _:
                raise AssertionError(operation)

    def respond(self, path: str, target: str, body: bytes) -> tuple[int, dict[str, Any]]:
        """Return status and body for a request: with a target it is for ECS, without one it reads of Lambda."""
        if target:
            operation = target.rpartition(".")[2]
            if operation in self.denied:
                return 400, {"__type": "AccessDeniedException", "message": "not authorized"}
            return 200, self.answer(operation, json.loads(body))
        path, _, query = path.partition("?")
        name, _, rest = path.removeprefix("/2015-03-31/functions/").partition("/")
        if rest.startswith("aliases/"):
            found = self.aliases.get(f"{name}:{rest.removeprefix('aliases/')}")
        else:
            found = self.functions.get(name + (f":{query.partition('=')[2]}" if query else ""))
        return (200, found) if found else (404, {"Type": "User", "Message": "not found"})

    @contextmanager
    def serving(self) -> Iterator[dict[str, str]]:
        """Serve both APIs on loopback; yield the variables that lead there."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield {"AWS_ENDPOINT_URL_ECS": url, "AWS_ENDPOINT_URL_LAMBDA": url}
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _handler(aws: ConsumersAws) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._send(*aws.respond(self.path, self.headers["X-Amz-Target"], self.rfile.read(self._length())))

        def do_GET(self) -> None:
            self._send(*aws.respond(self.path, "", b""))

        def _length(self) -> int:
            return int(self.headers["Content-Length"])

        def _send(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
            pass

    return Handler
