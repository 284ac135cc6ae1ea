"""Consumers that keep their key: nothing is revoked before they have the next one."""

import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pytest

from tests.e2e.consumers_aws import ConsumersAws
from tests.e2e.stage import COMMAND_S, FAILED, PERSON, Stage

HOUR_S, DAY_S = 3600.0, 86_400.0
ECS = '\n[[secrets.consumers]]\necs = "prod/uploader"\n'


@pytest.fixture
def aws(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[ConsumersAws]:
    """Yield an ECS service that has read the secret, and lead the sandbox's commands there."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    stage.rows("run")
    stage.passes(HOUR_S + 60)
    stage.rows("run")
    fake = ConsumersAws(stage.text, stage.arn())
    fake.deploy()
    with fake.serving() as variables:
        for name, url in variables.items():
            monkeypatch.setenv(name, url)
        yield fake


def configure(stage: Stage, text: str) -> None:
    """Add to the last entry of the configuration."""
    with stage.sandbox.config_path.open("a") as file:
        file.write(text)


def refused(stage: Stage, fake: ConsumersAws) -> int:
    """Return how many tasks hold a key that Pinata refuses."""
    held = [json.loads(task.value)["pinata_api_key"] for task in fake.tasks]
    return sum(key_id not in stage.live_keys() for key_id in held)


def test_without_a_gate_a_service_is_refused(stage: Stage, aws: ConsumersAws) -> None:
    """A service that is deployed weekly holds a dead key an hour after each rotation."""
    stage.rows("rotate", "uploader")
    stage.passes(HOUR_S + 60)
    stage.rows("run")
    assert refused(stage, aws) == aws.wanted


def test_with_a_gate_a_service_is_never_refused(stage: Stage, aws: ConsumersAws) -> None:
    """Through ten rotations the old key outlives its grace until the weekly deployment, and dies then."""
    configure(stage, ECS)
    for _ in range(10):
        assert stage.row("rotate", "uploader")["outcome"] == "rotated"
        old = json.loads(aws.tasks[0].value)["pinata_api_key"]
        for _ in range(7):
            stage.passes(DAY_S)
            row = stage.row("run")
            assert (row["reason"], row["outcome"]) == ("CONSUMER_BEHIND", "waiting")
            assert old in stage.live_keys()
            assert refused(stage, aws) == 0
        aws.deploy()
        stage.passes(60)
        assert stage.row("run")["revoked"] == [old]
        assert refused(stage, aws) == 0
        assert stage.live_keys() == [stage.sandbox.current_key_id()]


def test_consumer_that_is_behind_is_shown(stage: Stage, aws: ConsumersAws) -> None:
    """Plan and status name the consumer, and why it counts as behind; neither calls the old key overdue."""
    configure(stage, ECS)
    stage.rows("rotate", "uploader")
    stage.passes(HOUR_S + 60)
    said = "ecs prod/uploader may hold an older value: tasks from before the promotion: 2"
    planned = stage.rotator("plan")
    assert planned.returncode == 0
    assert said in stage.said(planned)
    (row,) = stage.rows("status")
    assert row["consumers"] == [{"name": "ecs prod/uploader", "behind": True}]
    assert row["reason"] == "CONSUMER_BEHIND"
    shown = stage.rotator("status")
    assert shown.returncode == 0
    assert said in stage.said(shown)
    aws.deploy()
    stage.passes(60)
    (row,) = stage.rows("status", code=FAILED)  # nothing keeps the old key alive any more, and it is
    assert row["consumers"] == [{"name": "ecs prod/uploader", "behind": False}]


def test_consumer_that_cannot_be_asked_is_behind(stage: Stage, aws: ConsumersAws) -> None:
    """Denied, missing or broken: the old key lives, and the cause is told."""
    configure(stage, ECS)
    stage.rows("rotate", "uploader")
    stage.passes(HOUR_S + 60)
    aws.deploy()
    aws.denied = frozenset({"DescribeServices"})
    before = stage.live_keys()
    done = stage.rotator("run")
    assert done.returncode == 0
    assert len(before) == 2
    assert stage.live_keys() == before
    assert "ecs prod/uploader cannot be asked: AWS refused DescribeServices" in stage.said(stage.rotator("status"))
    assert "fault consumer" in stage.said(stage.rotator("doctor"))
    aws.denied = frozenset()
    assert len(stage.row("run")["revoked"]) == 1


def test_task_that_is_still_stopping_holds_the_old_key(stage: Stage, aws: ConsumersAws) -> None:
    """A task that is to stop and still runs counts."""
    configure(stage, ECS)
    stage.rows("rotate", "uploader")
    stage.passes(HOUR_S + 60)
    old = aws.tasks[0]
    aws.deploy()
    old.last_status = "STOPPING"
    aws.tasks.append(old)
    assert stage.row("run")["reason"] == "CONSUMER_BEHIND"
    old.last_status = "STOPPED"
    assert len(stage.row("run")["revoked"]) == 1


def test_task_of_the_read_lag_may_hold_the_old_key(stage: Stage, aws: ConsumersAws) -> None:
    """A task that started within 15 s of the promotion may have been given the old value."""
    configure(stage, ECS)
    stage.rows("rotate", "uploader")
    aws.deploy()  # within the lag
    stage.passes(HOUR_S + 60)
    assert stage.row("run")["reason"] == "CONSUMER_BEHIND"


def test_pinned_task_definition_needs_a_person(stage: Stage, aws: ConsumersAws) -> None:
    """A service that takes AWSPREVIOUS never follows; nothing is made or revoked, and exit code 3 says so."""
    configure(stage, ECS)
    stage.rows("rotate", "uploader")
    aws.stage = "AWSPREVIOUS"
    stage.passes(HOUR_S + 60)
    before = stage.live_keys()
    row = stage.row("run", code=PERSON)
    assert (row["reason"], row["outcome"]) == ("CONSUMER_STUCK", "held")
    assert stage.live_keys() == before
    assert "takes AWSPREVIOUS" in stage.said(stage.rotator("status"))


def test_limit_of_waiting_needs_a_person(stage: Stage, aws: ConsumersAws) -> None:
    """At `wait_at_most` a person is asked, nothing dies, and no further key is made; `contain --key` is their word."""
    configure(stage, 'wait_at_most = "2d"\n' + ECS)
    stage.rows("rotate", "uploader")
    old = json.loads(aws.tasks[0].value)["pinata_api_key"]
    stage.passes(40 * DAY_S)
    row = stage.row("run", code=PERSON)
    assert row["reason"] == "CONSUMER_STUCK"
    assert old in stage.live_keys()
    assert len(stage.live_keys()) == 2
    row = stage.row("contain", "uploader", "--key", old, "--reason", "its consumer is gone")
    assert row["contained"] is True
    assert old not in stage.live_keys()


def test_containment_waits_for_no_consumer(stage: Stage, aws: ConsumersAws) -> None:
    """A key that has leaked dies though a service still has it; with `redeploy` the service follows all the same."""
    configure(stage, ECS + "redeploy = true\n")
    leaked = stage.sandbox.current_key_id()
    row = stage.row("contain", "uploader", "--reason", "it was in a log")
    assert row["contained"] is True
    assert leaked not in stage.live_keys()
    assert aws.calls.count("UpdateService") == 1
    assert refused(stage, aws) == 0


def test_redeploy_ends_each_rotation_in_minutes(stage: Stage, aws: ConsumersAws) -> None:
    """The service is deployed anew once per promotion, after the read lag; the old key dies with its grace."""
    configure(stage, ECS + "redeploy = true\n")
    for number in range(1, 4):
        old = stage.sandbox.current_key_id()
        row = stage.row("rotate", "uploader")
        assert (row["outcome"], row["actions"][-1]) == ("rotated", "Redeploy")
        assert aws.calls.count("UpdateService") == number
        stage.passes(HOUR_S + 60)
        assert stage.row("run")["revoked"] == [old]
        assert refused(stage, aws) == 0
    stage.passes(HOUR_S)
    stage.rows("run")
    assert aws.calls.count("UpdateService") == 3


def test_deployment_of_somebody_else_is_not_repeated(stage: Stage, aws: ConsumersAws) -> None:
    """While a deployment that began after the promotion is under way, none is begun."""
    configure(stage, ECS + "redeploy = true\n")
    aws.denied = frozenset({"UpdateService"})
    stage.rows("rotate", "uploader", code=FAILED)
    stage.passes(60)
    aws.begin_deploying()
    aws.denied = frozenset()
    stage.rows("run")
    assert "UpdateService" not in aws.calls
    assert "is being deployed anew" in stage.said(stage.rotator("status"))


def test_denied_redeploy_is_told_and_the_rotation_stands(stage: Stage, aws: ConsumersAws) -> None:
    """The outcome is `rotated`, the error names the refusal, the next run tries again."""
    configure(stage, ECS + "redeploy = true\n")
    aws.denied = frozenset({"UpdateService"})
    row = stage.row("rotate", "uploader", code=FAILED)
    assert row["outcome"] == "rotated"
    assert row["code"] == "RedeployError"
    assert "AWS refused UpdateService with AccessDeniedException" in row["error"]
    aws.denied = frozenset()
    stage.passes(300)
    stage.rows("run")
    assert aws.calls.count("UpdateService") == 1


def test_function_follows_by_its_last_change(stage: Stage, aws: ConsumersAws) -> None:
    """An alias has the key when each version behind it was changed after the promotion, and its time-out has passed."""
    configure(stage, '\n[[secrets.consumers]]\nlambda = "pinner:live"\n')
    stage.rows("rotate", "uploader")
    stage.passes(HOUR_S + 60)

    def version(changed_s: float, status: str = "Successful") -> dict[str, object]:
        written = datetime.fromtimestamp(changed_s, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        return {"LastModified": written, "LastUpdateStatus": status, "Timeout": 120}

    long_ago = time.time() - DAY_S
    aws.aliases["pinner:live"] = {"FunctionVersion": "7", "RoutingConfig": {"AdditionalVersionWeights": {"6": 0.1}}}
    aws.functions |= {"pinner:7": version(time.time()), "pinner:6": version(long_ago)}
    assert stage.row("run")["reason"] == "CONSUMER_BEHIND"
    aws.aliases["pinner:live"] = {"FunctionVersion": "7"}
    aws.functions["pinner:7"] = version(time.time(), "InProgress")
    assert stage.row("run")["reason"] == "CONSUMER_BEHIND"
    aws.functions["pinner:7"] = version(time.time())
    assert stage.row("run")["reason"] == "CONSUMER_BEHIND"
    stage.passes(121)
    assert len(stage.row("run")["revoked"]) == 1


def test_endpoint_says_which_key_it_holds(stage: Stage, aws: ConsumersAws) -> None:
    """A service answers with its key id; another id, an error and nonsense count as behind."""
    del aws
    answers = [b'{"key_id": "another"}', b"[]", b"no json", b""]

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[0])

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class has it
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        configure(stage, f'\n[[secrets.consumers]]\nhttp = "http://127.0.0.1:{server.server_address[1]}/key"\n')
        stage.rows("rotate", "uploader")
        stage.passes(HOUR_S + 60)
        while len(answers) > 1:
            assert stage.row("run")["reason"] == "CONSUMER_BEHIND", answers[0]
            answers.pop(0)
        answers[0] = json.dumps({"version_id": stage.labels()["AWSCURRENT"]}).encode()
        assert len(stage.row("run")["revoked"]) == 1
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_config_check_warns_of_a_limit_that_delays_rotations(stage: Stage) -> None:
    """A consumer that may be behind for more than half of `max_age` is told before it happens."""
    configure(stage, 'wait_at_most = "20d"\n' + ECS)
    done = stage.rotator("config", "check")
    assert done.returncode == 0
    assert "`wait_at_most` (20d) is above half of `max_age` (30d)" in stage.said(done)


# The examples of docs/consumers.md


PAGE = (Path(__file__).parents[2] / "docs" / "consumers.md").read_text(encoding="utf-8")


def example(language: str, holding: str) -> str:
    """Return the one example of the page in a language that holds a text."""
    (found,) = [text for text in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if holding in text]
    return str(found)


def test_python_example_answers_with_the_key_id(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """The WSGI application of the page tells which key is in the variable."""
    key = stage.key(stage.sandbox.current_key_id())
    monkeypatch.setenv("PINATA_JWT", key.jwt)
    names: dict[str, Any] = {}
    exec(example("python", "def app("), names)  # noqa: S102 - the page's own code
    answered: list[str] = []
    (body,) = names["app"]({}, lambda status, _headers: answered.append(status))
    assert (answered, json.loads(body)) == (["200 OK"], {"key_id": key.key})


def test_rereading_example_calls_once_more_when_refused() -> None:
    """What is cached is used until it is refused, and what is current then."""
    names: dict[str, Any] = {}
    exec(example("python", "def call("), names)  # noqa: S102 - the page's own code
    sent: list[str] = []

    def send(token: str) -> SimpleNamespace:
        sent.append(token)
        return SimpleNamespace(status=401 if token == "old" else 200)

    answer = names["call"](send, lambda cached: "old" if cached else "new")
    assert (answer.status, sent) == (200, ["old", "new"])


@pytest.mark.slow
def test_javascript_example_answers_with_the_key_id(stage: Stage, tmp_path: Path) -> None:
    """The server of the page, under Node.js, tells which key is in the variable."""
    key = stage.key(stage.sandbox.current_key_id())
    path = tmp_path / "credential.mjs"
    path.write_text(example("javascript", "createServer"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {"PATH": os.environ["PATH"], "PINATA_JWT": key.jwt, "PORT": str(port)}
    node = shutil.which("node")
    assert node
    with subprocess.Popen([node, str(path)], env=env) as server:
        try:
            until = time.monotonic() + COMMAND_S
            while True:
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/credential", timeout=5) as answer:
                        assert json.load(answer) == {"key_id": key.key}
                    break
                except OSError:
                    assert time.monotonic() < until
                    assert server.poll() is None
                    time.sleep(0.05)
        finally:
            server.kill()
