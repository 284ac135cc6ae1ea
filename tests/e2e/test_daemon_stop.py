"""SIGTERM of the real daemon at its HTTP requests, and while one hangs; the next run puts everything right."""

import signal
import threading
from pathlib import Path
from typing import Any

import pytest

from rotator.fleet.run import WORKERS_MAX
from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.running import Sandbox
from tests.e2e.daemons import HANGS_S, PATIENT, Daemon, Silence
from tests.e2e.stage import Stage
from tests.e2e.test_kill import REQUESTS_MAX, Killer, Moment, expect_order
from tests.e2e.watch import Watch

pytestmark = pytest.mark.slow  # it starts many processes


class Stopper(Killer):
    """Tells the process to stop at its n-th request, after the effect and before the answer."""

    def __init__(self, nth: int, daemon: Daemon) -> None:
        """Be ready for the first request."""
        super().__init__(nth, Moment.BEFORE_THE_ANSWER)
        self.daemon = daemon
        self.stopped = False

    def wait(self) -> None:
        """Wait until it was told, or its work is done without so many requests."""
        self.daemon.until(lambda: self.stopped or self.daemon.outcomes("rotated"))

    def _kill(self) -> None:
        self.daemon.send(signal.SIGTERM)
        self.daemon.until(lambda: self.daemon.events("told to stop"))
        self.stopped = True


def stop_at(nth: int, folder: Path) -> tuple[bool, bool]:
    """Stop a daemon at its n-th request, see all put in order, return whether it got there and had promoted a key."""
    folder.mkdir()
    with Sandbox(folder) as sandbox:
        stage = Stage(sandbox)
        old = stage.live_keys()
        daemon = Daemon(stage, every="30m")
        stopper = Stopper(nth, daemon)
        watch = Watch(stage)
        with watch.standing(stopper.arriving, stopper.answering), daemon:
            stopper.wait()
            if not stopper.stopped:
                daemon.send(signal.SIGTERM)
            daemon.stopped()
        watch.expect_sound()
        promoted = stage.sandbox.current_key_id() not in old
        assert len(stage.live_keys()) <= 2
        stage.row("run")
        expect_order(stage, old)
        stage.rows("audit", "verify")
        before = stage.writes()
        stage.row("run")
        assert stage.writes() == before
    return stopper.stopped, promoted


@pytest.mark.parametrize(("nth", "promoted"), [(5, False), (13, True)])
def test_stop_at_some_requests(tmp_path: Path, nth: int, *, promoted: bool) -> None:
    """Told to stop while a key is made, or promoted: it ends with 0, and one run later all is in order."""
    assert stop_at(nth, tmp_path / "sandbox") == (True, promoted)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_stop_at_every_request(tmp_path: Path) -> None:
    """For every request: it ends with 0, and one run later all is in order, the trail too."""
    seen: list[tuple[bool, bool]] = []
    while not seen or seen[-1][0]:
        seen.append(stop_at(len(seen) + 1, tmp_path / str(len(seen))))
        assert len(seen) < REQUESTS_MAX
    assert len(seen) > 8, "a rotation has more requests than these: nothing was stopped"
    assert {promoted for _, promoted in seen} == {True, False}


SHORT_S = 3.0
"""What a stop leaves the patched daemon, instead of 35 s."""
HURRIED = f"{PATIENT}\nimport rotator.daemon.stop; rotator.daemon.stop.STOP_WITHIN_S = {SHORT_S}"


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.LIST, Operation.REVOKE])
@pytest.mark.slow
def test_stop_while_pinata_is_silent(stage: Stage, operation: Operation) -> None:
    """A call that is never answered ends with the time that a stop leaves; one run later all is in order."""
    old = stage.live_keys()
    silence = stage.site.before_reply = Silence(operation)
    try:
        with Daemon(stage, every="30m", patched=HURRIED) as daemon:
            daemon.until(silence.fell.is_set)
            daemon.send(signal.SIGTERM)
            daemon.stopped()
    finally:
        silence.ends.set()
    assert stage.sandbox.current_key_id() in stage.live_keys()
    assert stage.rotator("run").returncode == 0
    expect_order(stage, old)
    assert stage.rotator("audit", "verify").returncode == 0


def test_key_whose_making_outlasts_the_signal_is_stored(stage: Stage) -> None:
    """Pinata answers a create some time after SIGTERM: the key is in the secret before the process ends."""
    silence = stage.site.before_reply = Silence(Operation.CREATE)
    try:
        with Daemon(stage, every="30m") as daemon:
            daemon.until(silence.fell.is_set)
            daemon.send(signal.SIGTERM)
            daemon.until(lambda: daemon.events("told to stop"))
            silence.ends.set()
            daemon.stopped()
    finally:
        silence.ends.set()
    (made,) = [key for key in stage.live_keys() if key != stage.sandbox.current_key_id()]
    assert "AWSPENDING" in stage.labels()
    row = stage.row("run")
    assert row["key_id"] == made == stage.sandbox.current_key_id(), "another was made"


def test_a_normal_stop_is_one_line(stage: Stage) -> None:
    """Secrets at work and secrets whose turn had not come: neither is told as an error, and no tick has failed."""
    for number in range(WORKERS_MAX + 2):
        stage.sandbox.create_secret(f"prod/pinata/more-{number}")
        stage.add_secret(f"more-{number}", f"prod/pinata/more-{number}")
    silence = stage.site.before_reply = Silence(Operation.CREATE)
    try:
        with Daemon(stage, every="30m") as daemon:
            daemon.until(silence.fell.is_set)
            daemon.send(signal.SIGTERM)
            daemon.until(lambda: daemon.events("told to stop"))
            silence.ends.set()
            daemon.stopped()
    finally:
        silence.ends.set()
    assert [line for line in daemon.logged if line["level"] in {"error", "critical"}] == []
    assert [line["event"] for line in daemon.logged if "stop" in line["event"]] == ["told to stop"]
    assert len(daemon.rows) <= WORKERS_MAX, "what was not begun has no outcome"


@pytest.mark.slow
@pytest.mark.parametrize("operation", ["ListSecrets", "DescribeSecret", "PutSecretValue"])
def test_stop_while_aws_is_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """The attempt under way is waited for, and none is begun after it; one run later all is in order."""
    others = 2 if operation == "ListSecrets" else 0  # with fewer, each secret is described
    for number in range(others):
        name = f"prod/pinata/other-{number}"
        stage.sandbox.create_secret(name)
        stage.add_secret(f"other-{number}", name)
    secrets = stage.sandbox.secrets_manager.secrets
    real, asked, over = secrets.answer, threading.Semaphore(0), threading.Event()

    def silent(called: str, *args: Any) -> Any:  # noqa: ANN401 - passes on what it wraps
        answer = real(called, *args)
        if called == operation and not over.is_set():
            asked.release()
            over.wait(HANGS_S)
        return answer

    monkeypatch.setattr(secrets, "answer", silent)
    try:
        with Daemon(stage, every="30m", patched=HURRIED) as daemon:
            daemon.until(lambda: asked.acquire(blocking=False))
            daemon.send(signal.SIGTERM)
            daemon.stopped()
    finally:
        over.set()
    assert not asked.acquire(blocking=False), "it was asked again"
    assert stage.rotator("run").returncode == 0
    assert stage.sandbox.current_key_id() in stage.live_keys()
    assert stage.rotator("audit", "verify").returncode == 0
