"""D-7: SIGTERM of the real daemon at each of its HTTP requests; the next run puts everything right."""

import signal
from pathlib import Path

import pytest

from rotator.cli import run as rotator_in_this_process
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
            daemon = Daemon(stage, every="1h")
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
