"""SIGKILL of the real command line at each of its HTTP requests: the next run puts everything right.

Requests are counted over both systems, in the order they come in.
"""

import signal
import subprocess  # noqa: TC003 - used by the annotation of an attribute at run time
from collections.abc import Callable
from enum import Enum
from pathlib import Path

import pytest

from rotator.model.naming import KeyFamily
from rotator.sandbox.running import Sandbox
from tests.e2e.stage import COMMAND_S, Stage
from tests.e2e.watch import Watch

REQUESTS_MAX = 40
"""More than any single run here needs."""


class Moment(Enum):
    """When the process dies; between the two it may write to its audit trail."""

    BEFORE_THE_ANSWER = "after the effect, before the answer"
    AFTER_THE_ANSWER = "after the answer, before the effect of the next request"


class Killer:
    """Kills a process at its n-th request."""

    def __init__(self, nth: int, moment: Moment) -> None:
        """Be armed once `victim` is set."""
        self._nth = nth
        self._moment = moment
        self._seen = 0
        self.victim: subprocess.Popen[str] | None = None

    def arriving(self) -> None:
        """A request has come in and had no effect yet; from a process that was killed it never has one."""
        self._seen += 1
        if self._moment is Moment.AFTER_THE_ANSWER and self._seen == self._nth + 1:
            self._kill()
        if self.victim is not None and self.victim.returncode is not None:
            raise ConnectionAbortedError

    def answering(self) -> None:
        """A request has had its effect and no answer yet."""
        if self._moment is Moment.BEFORE_THE_ANSWER and self._seen == self._nth:
            self._kill()

    def _kill(self) -> None:
        assert self.victim is not None
        self.victim.kill()
        self.victim.wait(COMMAND_S)


def from_own_key(stage: Stage) -> None:
    """A key of ours that is long due."""
    stage.own()


def from_hand_made_key(stage: Stage) -> None:
    """The sandbox begins with a key that a person put there."""
    del stage


def from_empty_secret(stage: Stage) -> None:
    """A secret without a value."""
    stage.empty()


def kill_at(nth: int, prepared: Callable[[Stage], None], moment: Moment, folder: Path) -> bool:
    """Kill a run at its n-th request, see the next one put all right, and return whether the first got so far."""
    folder.mkdir()
    with Sandbox(folder) as sandbox:
        stage = Stage(sandbox)
        prepared(stage)
        old = stage.live_keys()
        watch = Watch(stage)
        killed = _kill(stage, watch, Killer(nth, moment))
        with watch.standing(_nothing, _nothing):
            calls = stage.calls()
            stage.row("run")
        watch.expect_sound()
        assert watch.effects >= 3, "any rotation creates, puts and tidies up"
        watch.expect_settled(stage.calls() - calls)
        expect_order(stage, old)
        stage.rows("audit", "verify")
        before = stage.writes()
        assert stage.row("run")["outcome"] == "up_to_date"
        assert stage.writes() == before
    return killed


@pytest.mark.parametrize("nth", [5, 6, 9, 12])
def test_a_run_killed_at_some_requests(tmp_path: Path, nth: int) -> None:
    """As the slow test below: after the key was made, stored, promoted, and after the old one was revoked."""
    assert kill_at(nth, from_hand_made_key, Moment.BEFORE_THE_ANSWER, tmp_path / "sandbox")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
@pytest.mark.parametrize(
    "prepared", [from_own_key, from_hand_made_key, from_empty_secret], ids=lambda start: start.__name__
)
def test_a_run_killed_at_every_request(tmp_path: Path, prepared: Callable[[Stage], None], moment: Moment) -> None:
    """For every request: no effect breaks an invariant, and one live key of ours is left, inside AWSCURRENT."""
    nth = 1
    while kill_at(nth, prepared, moment, tmp_path / str(nth)):
        nth += 1
        assert nth < REQUESTS_MAX
    assert nth > 8, "a rotation has more requests than these: nothing was killed"


def _nothing() -> None:
    """Let a request be."""


def _kill(stage: Stage, watch: Watch, killer: Killer) -> bool:
    """Run `rotator run` under the killer, and tell whether it was killed."""
    with watch.standing(killer.arriving, killer.answering):
        # The first request comes long after the process object is there.
        killer.victim = stage.start("run")
        out, err = killer.victim.communicate(timeout=COMMAND_S)
    code = killer.victim.returncode
    assert code in {0, -signal.SIGKILL}, out + err
    return code != 0


def expect_order(stage: Stage, old: list[str]) -> None:
    """One live key, ours, in AWSCURRENT; every old one is dead; no AWSPENDING."""
    (live,) = stage.live_keys()
    assert live == stage.sandbox.current_key_id()
    assert KeyFamily.of("rotator", stage.arn()).generation(stage.key(live).name) > 0
    assert live not in old
    assert "AWSPENDING" not in stage.labels()
