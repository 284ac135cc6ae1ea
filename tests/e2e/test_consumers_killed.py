"""Ten rotations, rotator killed in each of them: a service that reads its key when it starts is never refused.

The service runs under the simulated ECS, is deployed weekly, and has a gate; the grace is an hour. Each rotation has
two runs that change something: one makes the new key, one revokes the old key after the deployment. The first is killed
each time, the second every other time, always at another request, and run again. A dead key stays dead, so calls after
each run show whether it revoked too much.
"""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import time_machine

from rotator.sandbox.running import SECRET
from tests.e2e.consumer_kinds import Fleet, key_of
from tests.e2e.consumers_aws import ConsumersAws
from tests.e2e.stage import COMMAND_S, Stage
from tests.e2e.test_kill import Killer, Moment
from tests.e2e.watch import Watch

HOUR_S, DAY_S = 3600.0, 86_400.0
ROTATIONS = 10
ECS = '\n[[secrets.consumers]]\necs = "prod/uploader"\n'
ON_THE_CLOCK = """
import time, time_machine
time_machine.travel(time.time() + {ahead_s!r}, tick=True).start()
from rotator.cli import main
main()
"""
Kill = tuple[int, Moment]
"""At which request of a run, and when."""


def start(stage: Stage, *args: str) -> subprocess.Popen[str]:
    """Start the command line as a process whose clock is as far ahead as that of this process."""
    ahead_s = time.time() - time_machine.escape_hatch.time.time()
    return subprocess.Popen(
        [sys.executable, "-c", ON_THE_CLOCK.format(ahead_s=ahead_s), *args],
        env=stage.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


class Play:
    """The service, its two tasks, and rotator, watched at each effect."""

    def __init__(self, stage: Stage, aws: ConsumersAws, fleet: Fleet) -> None:
        """Begin with one live key, which both tasks have."""
        self.stage, self.aws, self.fleet = stage, aws, fleet
        self.watch = Watch(stage)
        self.killed: list[Kill] = []
        self.lost: list[str] = []
        """Keys whose run was killed before it stored them."""

    def run(self) -> int:
        """Run to the end, let the tasks call Pinata, and return how many requests that took."""
        before = self.stage.calls()
        with self.watch.standing(lambda: None, lambda: None):
            self.stage.row("run")
        requests = self.stage.calls() - before
        self.fleet.call()
        return requests

    def kill(self, nth: int, moment: Moment) -> None:
        """Kill a run at its n-th request, and let the tasks call Pinata."""
        killer = Killer(nth, moment)
        with self.watch.standing(killer.arriving, killer.answering):
            # The first request comes long after the process object is there.
            killer.victim = start(self.stage, "run")
            out, err = killer.victim.communicate(timeout=COMMAND_S)
        assert killer.victim.returncode == -signal.SIGKILL, (nth, moment, out + err)
        self.killed.append((nth, moment))
        self.fleet.call()

    def unstored(self) -> list[str]:
        """Return the live keys that the secret holds under no label of AWS's."""
        asked = [
            {"SecretId": SECRET, "VersionStage": label} for label in self.stage.labels() if label.startswith("AWS")
        ]
        stored = {key_of(self.stage.sandbox.call("GetSecretValue", one)["SecretString"]) for one in asked}
        return [key_id for key_id in self.stage.live_keys() if key_id not in stored]

    def week(self, making: Kill | None = None, revoking: Kill | None = None) -> tuple[int, int]:
        """Let a rotation come due, and the service be deployed three days later; return how many requests both took."""
        self.stage.passes(4 * DAY_S)
        if making:
            self.kill(*making)
        lost = self.unstored()
        self.lost += lost
        made = self.run()
        self.stage.passes(HOUR_S + 60)
        self.run()
        (held,) = {key_of(task.value) for task in self.aws.tasks}
        assert set(self.stage.live_keys()) == {held, self.stage.sandbox.current_key_id(), *lost}
        self.stage.passes(3 * DAY_S)
        self.aws.deploy()
        self.stage.passes(60)
        if revoking:
            self.kill(*revoking)
        revoked = self.run()
        assert self.stage.live_keys() == [self.stage.sandbox.current_key_id()]
        return made, revoked


@pytest.fixture
def play(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Play]:
    """Yield a service with one live key of ours, which is young."""
    stage.edit('grace = "0s"', 'grace = "1h"\nmax_age = "4d"')
    stage.rows("run")
    stage.passes(HOUR_S + 60)
    stage.rows("run")
    aws = ConsumersAws(stage.text, stage.arn())
    aws.deploy()
    with aws.serving() as variables, closing(Fleet(stage)) as fleet:
        for name, url in variables.items():
            monkeypatch.setenv(name, url)
        with stage.sandbox.config_path.open("a") as file:
            file.write(ECS)
        fleet.add("ECS", *(lambda number=number: aws.tasks[number].value for number in range(aws.wanted)))
        yield Play(stage, aws, fleet)


def spread(requests: int, number: int) -> Kill:
    """Return at which of so many requests a rotation is killed: two before the answer, the next two after it."""
    nth = 1 + number * (requests - 2) // (ROTATIONS - 1)
    return nth, tuple(Moment)[number // 2 % 2]


@pytest.mark.slow
def test_ten_rotations_with_kills_in_between(play: Play) -> None:
    """Whichever requests rotator dies at, the key of the tasks is accepted, and no key is left over."""
    stage = play.stage
    making, revoking = play.week()
    keys = [stage.sandbox.current_key_id()]
    assert min(making, revoking) > 4
    for number in range(ROTATIONS):
        play.week(spread(making, number), spread(revoking, number) if number % 2 else None)
        keys.append(stage.sandbox.current_key_id())
    play.watch.expect_sound()
    assert len(set(keys)) == ROTATIONS + 1
    assert len(play.killed) == ROTATIONS + ROTATIONS // 2
    assert play.lost, "no run was killed between making a key and storing it"
    assert play.fleet.calls() == 2 * (3 * (ROTATIONS + 1) + len(play.killed))
    assert play.fleet.refused() == {}
    assert [member.keys[-ROTATIONS - 1 :] for member in play.fleet.members] == [keys, keys]
    assert stage.live_keys() == [keys[-1]]
    assert "AWSPENDING" not in stage.labels()
    stage.rows("audit", "verify")
