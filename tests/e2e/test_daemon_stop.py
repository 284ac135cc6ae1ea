"""SIGTERM of the real daemon at each of its HTTP requests, and while one hangs; the next run puts everything right."""

import signal
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rotator.cli import run as rotator_in_this_process
from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.running import Sandbox
from tests.e2e.daemons import GRACE_S, Daemon
from tests.e2e.stage import Stage
from tests.e2e.test_kill import REQUESTS_MAX, Killer, Moment, expect_order
from tests.e2e.watch import Watch


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


@pytest.mark.timeout(400)
def test_stop_at_every_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """For every request: it ends with 0 within its grace, and one run later all is in order, the trail too."""
    promoted = set()
    for nth in range(1, REQUESTS_MAX):
        folder = tmp_path / f"{nth:02}"
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
                assert daemon.stopped() < GRACE_S
            watch.expect_sound()
            promoted.add(stage.sandbox.current_key_id() not in old)
            assert len(stage.live_keys()) <= 2
            for name, value in stage.environment().items():
                monkeypatch.setenv(name, value)
            assert rotator_in_this_process(["run"]) == 0, capsys.readouterr().out
            expect_order(stage, old)
            assert rotator_in_this_process(["audit", "verify"]) == 0, capsys.readouterr().out
            before = stage.writes()
            assert rotator_in_this_process(["run"]) == 0
            assert stage.writes() == before
        if not stopper.stopped:
            break
    assert not stopper.stopped
    assert nth > 8, "a rotation has more requests than these: nothing was stopped"
    assert promoted == {True, False}


SHORT_S = 3.0
"""What the patched daemon has instead of its 35 s; its calls wait for answers as long as ever."""
PATCHED = f"import rotator.daemon.stop; rotator.daemon.stop.STOP_WITHIN_S = {SHORT_S}"
HANGS_S = 60.0


@dataclass
class Silence:
    """Keeps Pinata from answering one operation, after its effect, until told to."""

    operation: Operation
    fell: threading.Event = field(default_factory=threading.Event)
    ends: threading.Event = field(default_factory=threading.Event)

    def __call__(self, number: int, operation: Operation) -> None:
        """Hold up a reply."""
        del number
        if operation is self.operation and not self.ends.is_set():
            self.fell.set()
            self.ends.wait(HANGS_S)


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    """Both systems, with a key that a person made."""
    with Sandbox(tmp_path) as sandbox:
        yield Stage(sandbox)


@pytest.mark.parametrize("operation", [Operation.CREATE, Operation.LIST, Operation.REVOKE])
def test_stop_while_pinata_is_silent(stage: Stage, operation: Operation) -> None:
    """A call that would wait for 30 s ends with the time that a stop leaves; one run later all is in order."""
    old = stage.live_keys()
    silence = stage.site.before_reply = Silence(operation)
    try:
        with Daemon(stage, every="30m", patched=PATCHED) as daemon:
            daemon.until(silence.fell.is_set)
            daemon.send(signal.SIGTERM)
            assert SHORT_S / 2 < daemon.stopped() < GRACE_S
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
        with Daemon(stage, every="30m", patched=PATCHED) as daemon:
            daemon.until(silence.fell.is_set)
            daemon.send(signal.SIGTERM)
            daemon.until(lambda: daemon.events("told to stop"))
            silence.ends.set()
            assert daemon.stopped() < GRACE_S
    finally:
        silence.ends.set()
    (made,) = [key for key in stage.live_keys() if key != stage.sandbox.current_key_id()]
    assert "AWSPENDING" in stage.labels()
    row = stage.row("run")
    assert row["key_id"] == made == stage.sandbox.current_key_id(), "another was made"


@pytest.mark.parametrize("operation", ["ListSecrets", "DescribeSecret", "PutSecretValue"])
def test_stop_while_aws_is_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch, operation: str) -> None:
    """The attempt under way is waited for, 10 s, and none is begun after it; one run later all is in order."""
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
        with Daemon(stage, every="30m", patched=PATCHED) as daemon:
            daemon.until(lambda: asked.acquire(blocking=False))
            daemon.send(signal.SIGTERM)
            assert daemon.stopped() < 10 + GRACE_S
    finally:
        over.set()
    assert not asked.acquire(blocking=False), "it was asked again"
    assert stage.rotator("run").returncode == 0
    assert stage.sandbox.current_key_id() in stage.live_keys()
    assert stage.rotator("audit", "verify").returncode == 0
