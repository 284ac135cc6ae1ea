"""Programs that are told what has become of a key: at the right moment, without a secret, and at no risk for a run."""

import json
import os
import signal
import stat
import subprocess
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

from rotator.sandbox.pinata.faults import Operation, Respond, Side
from tests.e2e.stage import COMMAND_S, FAILED, PERSON, USAGE, Stage
from tests.e2e.test_kill import REQUESTS_MAX, Killer, Moment
from tests.e2e.watch import Watch

HOOKS = Path(__file__).parents[2] / "config" / "hooks"


class Bench:
    """A folder with a hook that keeps what it is told, a line each."""

    def __init__(self, stage: Stage, folder: Path) -> None:
        """Make the folder the place of the hook."""
        self.stage, self.folder = stage, folder
        self.heard = folder / "heard"

    def hook(self, on: str, script: str = "", timeout: str = "30s") -> None:
        """Configure a hook that keeps its input, and then does what a script says."""
        path = self.folder / "hook.sh"
        path.write_text(f"#!/bin/sh\ncat >> {self.heard}; echo >> {self.heard}\n{textwrap.dedent(script)}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        with self.stage.sandbox.config_path.open("a") as file:
            file.write(f'\n[[hooks]]\non = {on}\ncommand = ["{path}"]\ntimeout = "{timeout}"\n')

    def told(self) -> list[dict[str, Any]]:
        """Return what the hook was told."""
        lines = self.heard.read_text().splitlines() if self.heard.exists() else []
        return [json.loads(line) for line in lines]

    def recorded(self) -> list[dict[str, Any]]:
        """Return what the trail has of hooks."""
        done = self.stage.rotator("audit", "show", "--json")
        return [row for line in done.stdout.splitlines() if "RunHook" in line for row in [json.loads(line)]]


@pytest.fixture
def bench(stage: Stage, tmp_path: Path) -> Bench:
    """Return a place for hooks beside a sandbox."""
    return Bench(stage, tmp_path)


def test_hook_is_told_once_of_each_event(bench: Bench) -> None:
    """A rotation without grace: one promotion and one revocation, after the trail has them, and no secret."""
    bench.hook('["promoted", "revoked", "failed", "attention"]')
    old = bench.stage.sandbox.current_key_id()
    row = bench.stage.row("run")
    promoted, revoked = bench.told()
    assert (promoted["event"], promoted["key_id"], promoted["test"]) == ("promoted", row["key_id"], False)
    assert (promoted["secret"], promoted["arn"], promoted["run_id"]) == ("uploader", bench.stage.arn(), row["run_id"])
    assert promoted["version_id"] == row["version_id"]
    assert (revoked["event"], revoked["key_id"]) == ("revoked", old)
    text = bench.heard.read_text()
    for key in bench.stage.site.world.keys.values():
        assert key.jwt[:24] not in text
        assert key.secret not in text
    assert len(bench.recorded()) == 4  # an intent and an outcome each
    assert bench.stage.rotator("audit", "verify").returncode == 0
    bench.stage.rows("run")
    assert len(bench.told()) == 2, "a run that finds nothing to do tells nothing"
    assert bench.stage.row("status")["last_outcome"] == "rotated", "nor is it recorded"


def test_hook_is_told_of_failures_and_of_what_needs_a_person(bench: Bench) -> None:
    """What failed and what a person must decide, with the code or the reason."""
    bench.hook('["failed", "attention"]')
    bench.stage.rows("run")
    bench.stage.inject(Respond(Side.BEFORE, 503), Operation.CREATE, None)
    bench.stage.rotator("rotate", "uploader")
    bench.stage.heal()
    bench.stage.rotator("hold", "uploader", "--reason", "x")
    bench.stage.rows("run", code=PERSON)
    failed, attention = bench.told()
    assert (failed["event"], bool(failed["code"])) == ("failed", True)
    assert (attention["event"], attention["reason"]) == ("attention", "ON_HOLD")


@pytest.mark.parametrize(
    ("script", "timeout", "said"),
    [
        ("echo one; echo the last line; exit 3", "30s", "promoted: it ended with 3: the last line"),
        ("sleep 60", "1s", "promoted: it did not end within 1 s, and was killed"),
    ],
    ids=["fails", "hangs"],
)
def test_hook_that_fails_harms_no_rotation(bench: Bench, script: str, timeout: str, said: str) -> None:
    """The secret is rotated, the exit code 0; the trail and a warning say what came of the hook."""
    bench.hook('["promoted"]', script, timeout)
    done = bench.stage.rotator("run")
    assert done.returncode == 0
    assert said in " ".join(done.stderr.split())
    assert said in json.dumps(bench.recorded())


def test_hook_that_fails_is_shown(bench: Bench) -> None:
    """`status` says which hook failed and how to try it; the rotation stands, and one that is told later clears it."""
    bench.hook('["promoted"]', "echo no route; exit 3")
    bench.stage.rows("run")
    shown = bench.stage.row("status", code=FAILED)
    assert (shown["attention"], shown["last_outcome"], shown["needs_person"]) == ("failing", "rotated", False)
    assert shown["error"] == "the hook hook.sh failed on promoted: it ended with 3: no route"
    assert "`rotator hooks test" in shown["next_step"]
    (bench.folder / "hook.sh").write_text("#!/bin/sh\nexit 0\n")
    bench.stage.rows("rotate", "uploader")
    assert bench.stage.row("status")["attention"] == ""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
def test_hook_is_told_of_what_a_killed_run_did(bench: Bench, moment: Moment) -> None:
    """SIGKILL at each request of a rotation: hooks hear of each key that became current, and of each that died."""
    bench.hook('["promoted", "revoked"]')
    stage, watch = bench.stage, Watch(bench.stage)
    current, dead = set(), set()
    for nth in range(1, REQUESTS_MAX):
        dead |= {stage.sandbox.current_key_id()}
        killer = Killer(nth, moment)
        with watch.standing(killer.arriving, killer.answering):
            killer.victim = stage.start("rotate", "uploader")
            killer.victim.communicate(timeout=COMMAND_S)
        current |= {stage.sandbox.current_key_id()}
        stage.rows("rotate" if killer.victim.returncode else "run", *(["uploader"] if killer.victim.returncode else []))
        current |= {stage.sandbox.current_key_id()}
        if not killer.victim.returncode:
            break
    assert nth > 8, "nothing was killed"
    told = {(one["event"], one["key_id"]) for one in bench.told()}
    by_hand = {key for key in dead if ("promoted", key) not in told}
    assert len(by_hand) == 1
    assert {key for event, key in told if event == "promoted"} >= current - by_hand
    assert {key for event, key in told if event == "revoked"} >= dead - {stage.sandbox.current_key_id()}
    assert stage.rotator("audit", "verify").returncode == 0


def test_hook_that_was_killed_with_its_run_is_told_again(bench: Bench) -> None:
    """SIGKILL while the hook runs, at its first call: it is told once more, by the next run, and no third time."""
    bench.hook('["promoted"]', f"test $(wc -l < {bench.heard}) -gt 1 || kill -9 $PPID")
    assert bench.stage.process("run").returncode == -signal.SIGKILL
    assert len(bench.told()) == 1
    bench.stage.rows("run")
    assert [one["key_id"] for one in bench.told()] == [bench.stage.sandbox.current_key_id()] * 2
    bench.stage.rows("run")
    assert len(bench.told()) == 2
    assert bench.stage.rotator("audit", "verify").returncode == 0


def test_program_that_a_hook_leaves_behind_holds_up_nothing(bench: Bench) -> None:
    """It keeps the hook's output open for longer than the hook may take; the run ends all the same."""
    bench.hook('["promoted"]', "setsid sleep 45 &", "1s")
    began_s = time.monotonic()
    assert bench.stage.rotator("run").returncode == 0
    assert time.monotonic() - began_s < 30


def test_two_hooks_of_one_program_are_told_each(bench: Bench) -> None:
    """The run dies when the first one has ended: the next run tells the second, and not the first again."""
    bench.hook('["promoted"]', 'test "$1" != first || test $(wc -l < ' + str(bench.heard) + ") -gt 1 || exit 0")
    config = bench.stage.sandbox.config_path
    text = config.read_text()
    entry = text[text.index("[[hooks]]") :]
    path = str(bench.folder / "hook.sh")
    second = entry.replace(f'"{path}"', f'"{bench.folder / "second.sh"}", "second"')
    (bench.folder / "second.sh").write_text("#!/bin/sh\nkill -9 $PPID\n")
    (bench.folder / "second.sh").chmod(0o700)
    config.write_text(text[: text.index("[[hooks]]")] + entry.replace(f'"{path}"]', f'"{path}", "first"]') + second)
    assert bench.stage.process("run").returncode == -signal.SIGKILL
    assert len(bench.told()) == 1
    config.write_text(config.read_text().replace(f'"{bench.folder / "second.sh"}", "second"', f'"{path}", "second"'))
    bench.stage.rows("run")
    assert len(bench.told()) == 2, "the one with the argument `second` alone"


def test_hooks_test_withholds_the_managing_key(bench: Bench) -> None:
    """The program does not inherit the variable that holds it."""
    bench.stage.edit('admin_secret = "pinata/admin"', 'admin_jwt_env = "PINATA_ADMIN_JWT"')
    bench.hook('["promoted"]', 'echo "${PINATA_ADMIN_JWT:-nothing}"')
    env = {"PINATA_ADMIN_JWT": "eyJ.not.real"}
    done = bench.stage.rotator("hooks", "test", "uploader", "--json", env=env)
    assert '"last_line": "nothing"' in done.stdout, done.stdout + done.stderr


def test_hook_that_is_not_there_harms_no_rotation(bench: Bench) -> None:
    """A program that cannot be started is told like one that fails."""
    with bench.stage.sandbox.config_path.open("a") as file:
        file.write('\n[[hooks]]\non = ["promoted"]\ncommand = ["/nowhere/hook"]\n')
    done = bench.stage.rotator("run")
    assert done.returncode == 0
    assert "it could not be started: No such file or directory" in done.stderr
    found = bench.stage.rows("doctor", code=PERSON)
    assert [row["check"] for row in found if row["severity"] == "fault"] == ["hook"]


def test_what_a_hook_prints_is_no_way_out_for_a_token(bench: Bench) -> None:
    """A hook that prints the new token shows it neither in the trail nor in the log."""
    token = bench.stage.key(bench.stage.sandbox.current_key_id()).jwt
    bench.hook('["promoted"]', f"echo {token}; exit 1")
    done = bench.stage.rotator("run")
    assert token[:24] not in done.stderr + json.dumps(bench.recorded())


def test_test_events_are_marked(bench: Bench) -> None:
    """`hooks test` starts each hook for each of its events, changes nothing, and ends with 1 if one fails."""
    bench.hook('["promoted", "failed"]', "echo pushed")
    before = bench.stage.world()
    rows = bench.stage.rows("hooks", "test", "uploader")
    assert [(row["event"], row["ok"], row["last_line"]) for row in rows] == [
        ("failed", True, "pushed"),
        ("promoted", True, "pushed"),
    ]
    assert [(told["event"], told["test"]) for told in bench.told()] == [("failed", True), ("promoted", True)]
    assert bench.stage.world() == before
    bench.hook('["revoked"]', "exit 1")
    assert bench.stage.rotator("hooks", "test", "uploader").returncode == FAILED


def test_config_check_warns_of_a_grace_that_a_hook_cannot_keep(bench: Bench) -> None:
    """Without a grace the old key is dead before a hook can push the new one."""
    bench.hook('["promoted"]')
    done = bench.stage.rotator("config", "check")
    assert done.returncode == 0
    assert "`grace` (0s) is shorter than the hook hook.sh may take (30s)" in bench.stage.said(done)
    bench.stage.edit('grace = "0s"', 'grace = "1m"')
    assert "hook.sh" not in bench.stage.said(bench.stage.rotator("config", "check"))


def test_hook_without_events_or_program_is_a_mistake(bench: Bench) -> None:
    """Each mistake of an entry is named; so is that there is nothing to test."""
    assert bench.stage.rotator("hooks", "test", "uploader").returncode == USAGE
    with bench.stage.sandbox.config_path.open("a") as file:
        file.write('\n[[hooks]]\non = []\ncommand = []\n[[hooks]]\non = ["rotated"]\n')
    done = bench.stage.rotator("config", "check")
    assert done.returncode == USAGE
    said = bench.stage.said(done)
    for problem in ("hooks[0].on: is empty", "hooks[0].command: is empty", 'hooks[1].on[0]: unknown name "rotated"'):
        assert problem in said
    assert "hooks[1].command: is missing" in said


EXAMPLES = {
    "github-actions.sh": (["o/r"], "gh", "secret set PINATA_JWT --repo o/r", "the-token"),
    "vercel.sh": (["/srv", "https://x"], "vercel", "--cwd /srv env add PINATA_JWT production --force", "the-token"),
    "cloudflare-workers.sh": (["worker"], "wrangler", "secret put PINATA_JWT --name worker", "the-token"),
    "slack.sh": (["/run/url"], "curl", "--config /run/url", '{"text": "(test) uploader: promoted key-1"}'),
    "kubernetes.sh": (["ns", "deployment/x", "0"], "kubectl", "--namespace ns rollout restart deployment/x", ""),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_do_what_they_say(example: str, tmp_path: Path) -> None:
    """Each example, with stand-ins for the programs that it calls: these arguments, this input, and success."""
    arguments, program, expected, given = EXAMPLES[example]
    for name in ("aws", "gh", "vercel", "wrangler", "curl", "kubectl"):
        stand_in = tmp_path / name
        answer = """printf '{"JWT": "the-token"}'""" if name == "aws" else "cat >> $0.input 2>/dev/null || true"
        stand_in.write_text(f'#!/bin/sh\necho "$@" >> $0.arguments\n{answer}\n')
        stand_in.chmod(0o700)
    told = {"event": "promoted", "secret": "uploader", "arn": "arn:x", "key_id": "key-1", "test": True}
    done = subprocess.run(
        [HOOKS / example, *arguments],
        input=json.dumps(told),
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert expected in (tmp_path / f"{program}.arguments").read_text()
    if given:
        assert given in (tmp_path / f"{program}.input").read_text()


def test_every_example_is_tried() -> None:
    """No example lies there without a test."""
    assert {path.name for path in HOOKS.iterdir()} == set(EXAMPLES)
