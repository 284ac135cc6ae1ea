"""The command line as people meet it: first steps, help, colours, signals, the sandbox."""

import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from rotator.aws.store import SecretsManagerStore
from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.running import SECRET, value_of
from tests.e2e.stage import COMMAND, COMMAND_S, FAILED, PERMISSIONS, PERSON, USAGE, Environment, Stage

pytestmark = pytest.mark.slow  # it starts many processes

ESCAPE = "\x1b["
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")


# Getting started


def test_init_writes_a_configuration_that_passes(stage: Stage, tmp_path: Path) -> None:
    """It says the next two commands, and never overwrites a file."""
    env: Environment = {"ROTATOR_CONFIG": None}
    done = stage.process("init", env=env, cwd=tmp_path)
    assert done.returncode == 0
    assert done.stdout.split("\n\n")[1] == "  rotator config check\n  rotator plan\n"
    checked = stage.process("config", "check", env=env, cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert "1 secret, no problems" in checked.stdout
    written = (tmp_path / "config/rotator.toml").read_text()
    again = stage.process("init", env=env, cwd=tmp_path)
    assert again.returncode == USAGE
    assert "was left as it is" in again.stderr
    assert (tmp_path / "config/rotator.toml").read_text() == written


@pytest.mark.parametrize(
    ("names", "line"),
    [
        (("PINATA_JWT", "PINATA_API_KEY"), 'fields = { jwt = "PINATA_JWT", key = "PINATA_API_KEY" }'),
        ((), 'format = "jwt"'),
    ],
    ids=["near names", "bare"],
)
def test_init_looks_at_a_secret(stage: Stage, tmp_path: Path, names: tuple[str, ...], line: str) -> None:
    """The shape of a secret's value is found, and `plan` names the same line where the configuration lacks it."""
    key = stage.key(stage.sandbox.current_key_id())
    stage.put(json.dumps(dict(zip(names, (key.jwt, key.key), strict=True))) if names else key.jwt)
    assert line in stage.rotator("plan").stdout
    written = tmp_path / "new.toml"
    done = stage.rotator("init", str(written), "--secret", SECRET, env={"ROTATOR_CONFIG": None})
    assert done.returncode == 0, done.stderr
    assert f"\n{line} " in written.read_text()
    assert f'\nsecret_id = "{SECRET}" ' in written.read_text()
    stage.edit(PERMISSIONS, f"{PERMISSIONS}\n{line}")
    assert stage.rotator("plan").returncode == 0


def test_init_writes_nothing_about_a_secret_that_it_cannot_tell(stage: Stage, tmp_path: Path) -> None:
    """A value without a token, a secret that is not there and an id that is none leave no file."""
    stage.put('{"user": "x"}')
    written = tmp_path / "new.toml"
    for secret, code, said in (
        (SECRET, PERSON, "looks like a token of Pinata"),
        ("prod/none", USAGE, "found no such secret"),
        (f"{SECRET}:JWT::", USAGE, f'write "{SECRET}"'),
        ("0123456789abcdef" * 4, USAGE, "looks like a token"),
    ):
        done = stage.rotator("init", str(written), "--secret", secret)
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert not written.exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_completes_names(stage: Stage, shell: str) -> None:
    """The script is printed, and what it calls offers the configured secrets."""
    script = stage.process("completion", shell)
    assert (script.returncode, "_ROTATOR_COMPLETE" in script.stdout) == (0, True)
    words = "rotator run up"
    env = {
        "_ROTATOR_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "up" if shell == "fish" else "2",
    }
    assert "uploader" in stage.process(env=env).stdout


@pytest.mark.parametrize(
    "command",
    [
        "",
        "plan",
        "run",
        "rotate",
        "status",
        "history",
        "audit",
        "audit show",
        "audit verify",
        "config",
        "config check",
        "init",
        "sandbox",
        "demo",
        "completion",
        "daemon",
    ],
)
def test_help_starts_without_the_big_libraries(command: str) -> None:
    """`--help` answers at once: it imports no client."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rotator", *command.split(), "--help"],
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=True,
    )
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert "click" in imported
    assert not imported & {"boto3", "botocore", "httpx", "moto", "rich", "structlog"}
    assert "Usage: rotator" in done.stdout


@pytest.mark.parametrize("command", ["plan", "run", "status"])
def test_a_pipe_pays_for_no_drawing(command: str, stage: Stage) -> None:
    """What a cron job starts imports neither rich nor the command lines of its libraries."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "rotator", command],
        env=stage.environment(),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    imported = {line.rpartition("|")[2].strip() for line in lines}
    assert {"boto3", "httpx", "structlog"} <= imported
    assert not imported & {"rich.console", "rich.progress", "pygments"}


# Terminals


def on_a_terminal(stage: Stage, *args: str, env: Environment | None = None) -> tuple[int, str]:
    """Run the command line under a pseudo-terminal; return its exit code and what it shows."""
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*COMMAND, *args],
        env=stage.environment({"TERM": "xterm-256color", "COLUMNS": "160", **(env or {})}),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    shown = b""
    give_up_at = time.monotonic() + COMMAND_S
    while time.monotonic() < give_up_at:
        readable, _, _ = select.select([ours], [], [], 1.0)
        try:
            chunk = os.read(ours, 65_536) if readable else None
        except OSError:  # Linux's way to say that the other end is closed
            chunk = b""
        if chunk == b"":
            break
        shown += chunk or b""
    os.close(ours)
    return process.wait(COMMAND_S), shown.decode()


def test_a_person_at_a_terminal_sees_each_action(stage: Stage) -> None:
    """In colour, as it happens, and then the result."""
    code, shown = on_a_terminal(stage, "run")
    assert code == 0
    told = ["key created", "verified", "promoted to AWSCURRENT", "revoked", "proved dead"]
    places = [shown.find(words) for words in [*told, "uploader: rotated to"]]
    assert -1 not in places
    assert places == sorted(places)
    assert COLOUR.search(shown)


def test_many_secrets_get_a_bar_that_leaves(stage: Stage) -> None:
    """Over several secrets a bar shows how many are done; what remains are the results."""
    for number in range(3):
        stage.sandbox.create_secret(f"prod/pinata/more-{number}")
        stage.add_secret(f"more-{number}", f"prod/pinata/more-{number}")
    code, shown = on_a_terminal(stage, "run")
    assert code == 0
    assert "reconciling" in shown
    assert "4/4" in shown
    assert shown.count(": rotated to ") == 4


def test_who_waits_for_a_verification_sees_how_far_it_is(stage: Stage) -> None:
    """A bar with the files, and then the verdict; a machine gets that alone."""
    stage.rotator("run")
    code, shown = on_a_terminal(stage, "audit", "verify")
    assert code == 0
    places = [shown.find(words) for words in ("verifying", "1 of 1 files", "events of 1 runs in 1 files")]
    assert -1 not in places
    assert places == sorted(places)
    code, shown = on_a_terminal(stage, "audit", "verify", "--json")
    assert (code, json.loads(shown)["files"]) == (0, 1)
    assert stage.process("audit", "verify").stderr == ""


def test_no_color_is_honoured(stage: Stage) -> None:
    """On a terminal, with NO_COLOR set, nothing is coloured."""
    for command in (("run",), ("status",)):
        code, shown = on_a_terminal(stage, *command, env={"NO_COLOR": "1"})
        assert code == 0
        assert not COLOUR.search(shown)


def test_a_pipe_gets_plain_lines(stage: Stage) -> None:
    """No escape sequence and no progress in what a script reads."""
    for command in (
        ("plan",),
        ("run",),
        ("status",),
        ("history", "uploader"),
        ("audit", "verify"),
        ("run", "nobody"),
        ("--help",),
    ):
        done = stage.rotator(*command)
        assert ESCAPE not in done.stdout + done.stderr
    done = stage.process("rotate", "uploader")
    assert ESCAPE not in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_logs_go_to_standard_error(stage: Stage, log_format: str) -> None:
    """At INFO each effect is a line there, and standard output stays JSON."""
    env = {"ROTATOR_LOG_LEVEL": "INFO", "ROTATOR_LOG_FORMAT": log_format}
    done = stage.process("run", "--json", env=env)
    outcome, _ = map(json.loads, done.stdout.splitlines())
    assert outcome["outcome"] == "rotated"
    lines = done.stderr.splitlines()
    assert sum("CreateApiKey" in line for line in lines) == 1
    if log_format == "json":
        assert {"decided", "done", "ended"} <= {json.loads(line)["event"] for line in lines}


def test_the_status_table_is_read_at_a_glance(stage: Stage) -> None:
    """What needs a person comes first, with what to do."""
    with stage.sandbox.config_path.open("a") as file:
        file.write(f'[[secrets]]\nname = "held"\nsecret_id = "prod/held"\n{PERMISSIONS}\n')
    stage.sandbox.create_secret("prod/held", value_of(stage.sandbox.seed_key("held")))
    hold = {"SecretId": "prod/held", "Tags": [{"Key": "rotator:hold", "Value": "incident"}]}
    stage.sandbox.call("TagResource", hold)
    stage.rotator("run", "uploader")
    done = stage.rotator("status")
    assert done.returncode == PERSON
    answer, header, held, uploader = done.stdout.splitlines()
    assert answer.startswith("2 secrets: 1 fine, 1 needs you; next rotation in ")
    assert header.split()[:3] == ["SECRET", "GEN", "AGE"]
    assert held.startswith("held")
    assert "ON_HOLD" in held
    assert "on hold: incident" in held
    assert held.endswith("$ rotator release held")
    assert uploader.startswith("uploader  1")
    assert "29 d " in uploader  # up to a fiftieth of 30 days early, by its ARN
    assert " fine " in uploader
    assert " rotated " in uploader


def test_a_large_fleet_shows_what_is_not_fine(stage: Stage) -> None:
    """On a terminal fine secrets are counted; what is looked at follows, and the answer is first and last."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    stage.row("run")
    for number in range(22):
        stage.sandbox.create_secret(f"prod/s{number}", stage.text())
        stage.add_secret(f"s{number}", f"prod/s{number}")
    for number in range(20):
        stage.put(stage.text(), f"prod/s{number}", token=stage.labels()["AWSCURRENT"])
    code, shown = on_a_terminal(stage, "status", env={"NO_COLOR": "1"})
    assert code == 0
    lines = [re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", line).strip() for line in shown.splitlines()]
    told = [line for line in lines if line and "looking closer" not in line]
    assert told[0].startswith("23 secrets: 21 fine by their labels alone, 2 being looked at closely; ")
    assert told[1].split()[:2] == ["SECRET", "GEN"]
    assert [line.split()[0] for line in told[2:4]] == ["s20", "s21"]
    assert told[4] == "21 fine secrets not shown; see `rotator status | less -S`"
    assert told[5:] == [told[5]]
    assert told[5].startswith("23 secrets: 21 fine by their labels alone, 2 due now; ")
    assert {line.split()[0] for line in stage.rotator("status").stdout.splitlines()} >= {"s0", "s20", "uploader"}


# Output that cannot be written


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's")
def test_a_full_disk_behind_standard_output_stops_no_run(stage: Stage) -> None:
    """The rotation ends as it would, the loss is said once, and the exit code is the run's; `plan` is of no use."""
    with Path("/dev/full").open("w") as full:

        def onto_it(*args: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                [*COMMAND, *args],
                env=stage.environment(),
                stdin=subprocess.DEVNULL,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=COMMAND_S,
                check=False,
            )

        ran, planned = onto_it("run", "--json"), onto_it("plan")
    lost = "Warning: standard output cannot be written (No space left on device); the work goes on\n"
    assert (ran.returncode, ran.stderr) == (0, lost)
    assert stage.live_keys() == [stage.sandbox.current_key_id()]
    assert stage.row("run")["outcome"] == "up_to_date"
    assert (planned.returncode, planned.stderr) == (
        FAILED,
        "Error: standard output cannot be written: No space left on device\n",
    )


@pytest.mark.parametrize("as_json", [True, False])
def test_a_log_reader_that_leaves_stops_no_run(stage: Stage, *, as_json: bool) -> None:
    """Its end is as if somebody read on; standard output says once that the log is lost."""
    json_option = ("--json",) if as_json else ()
    with stage.start("run", *json_option, env={"ROTATOR_LOG_LEVEL": "DEBUG"}) as process:
        assert process.stdout
        assert process.stderr
        process.stderr.close()
        told = process.stdout.read().splitlines()
        process.wait(COMMAND_S)
    assert process.returncode == 0
    assert len(told) == 3, "the loss, the outcome, the summary"
    assert "standard error cannot be written (Broken pipe); the work goes on" in told[0]
    assert not as_json or json.loads(told[0]).keys() == {"warning"}
    assert stage.live_keys() == [stage.sandbox.current_key_id()]


def test_a_reader_that_leaves_a_list_ends_it_quietly(stage: Stage) -> None:
    """As `plan | head` does: no error, exit code 1."""
    with stage.start("plan") as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        told = process.stderr.read()
        process.wait(COMMAND_S)
    assert (process.returncode, told) == (FAILED, "")


# A defect


def test_a_defect_is_told_by_its_lines(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A person is needed, the lines to report are there, no text that may quote a value is, and the others go on."""
    stage.sandbox.create_secret("prod/pinata/other")
    stage.add_secret("other", "prod/pinata/other")
    promote = SecretsManagerStore.promote

    def defective(store: SecretsManagerStore, arn: str, *args: Any) -> None:  # noqa: ANN401 - passes on what it wraps
        if "uploader" in arn:
            raise KeyError("eyJcanary")
        promote(store, arn, *args)

    monkeypatch.setattr(SecretsManagerStore, "promote", defective)
    done = stage.rotator("run")
    assert done.returncode == PERSON
    assert "other: rotated to" in done.stdout
    assert "a defect of rotator itself: KeyError at rotator/" in done.stdout
    assert re.search(r"rotator/engine/executor\.py:\d+ in _promote", done.stdout)
    assert "canary" not in done.stdout + done.stderr
    monkeypatch.undo()
    assert stage.rotator("run").returncode == 0


# Signals, and what runs until one comes


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (("run",), FAILED, "\ninterrupted; the next run finishes what remains\n"),
        (("plan",), FAILED, "\ninterrupted; the next run finishes what remains\n"),
        (("daemon", "--listen", "127.0.0.1:0"), 0, "told to stop before the first tick; nothing was begun"),
    ],
    ids=["run", "plan", "daemon"],
)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_before_the_first_instruction_is_not_lost(
    stage: Stage, number: signal.Signals, command: tuple[str, ...], code: int, told: str
) -> None:
    """It is told in one line, nobody is called, and the exit code is the documented one."""
    before = stage.writes()
    pending = (
        "import os, signal, sys; "
        f"signal.pthread_sigmask(signal.SIG_BLOCK, [{int(number)}]); os.kill(os.getpid(), {int(number)}); "
        "os.execv(sys.executable, [sys.executable, '-m', 'rotator', *sys.argv[1:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", pending, *command],
        env=stage.environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert told in done.stderr
    assert len(done.stderr.splitlines()) == len(told.splitlines())
    assert done.stdout == ""
    assert stage.writes() == before


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="there is no /proc to see the held signals in")
def test_a_daemon_that_is_told_to_stop_while_it_starts_ends_well(stage: Stage) -> None:
    """From the first instruction on a signal is held, not answered by the default of the system."""
    with stage.start("daemon", "--listen", "127.0.0.1:0") as process:
        give_up_at = time.monotonic() + COMMAND_S / 10
        while not _holds(process.pid, signal.SIGTERM):
            assert time.monotonic() < give_up_at, "it does not hold signals"
        process.terminate()
        out, err = process.communicate(timeout=COMMAND_S)
    assert (process.returncode, out) == (0, "")
    assert err.count("told to stop") == 1


def _holds(pid: int, number: signal.Signals) -> bool:
    held = re.search(r"^SigBlk:\s*([0-9a-f]+)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return held is not None and bool(int(held[1], 16) >> (number - 1) & 1)


def test_an_interrupt_ends_the_run_and_the_next_one_finishes(stage: Stage) -> None:
    """Ctrl-C while Pinata makes a key: exit code 1, no traceback, and nothing is lost."""
    process = stage.start("run")

    def interrupt(_: int, operation: Operation) -> None:
        if operation is Operation.CREATE:
            process.send_signal(signal.SIGINT)

    stage.site.before_reply = interrupt
    _, err = process.communicate(timeout=COMMAND_S)
    assert process.returncode == FAILED
    assert "interrupted; the next run finishes what remains" in err
    assert "Traceback" not in err
    stage.site.before_reply = lambda *_: None
    row = stage.row("run")
    assert stage.live_keys() == [row["key_id"]] == [stage.sandbox.current_key_id()]


def test_the_sandbox_serves_the_real_command_line_until_terminated() -> None:
    """One JSON line, then a whole rotation against it, then SIGTERM: exit code 0."""
    with subprocess.Popen(
        [*COMMAND, "sandbox", "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
        assert serving.stdout is not None
        told = json.loads(serving.stdout.readline())
        assert told.keys() == {"pinata_url", "aws_endpoint_url", "admin_jwt", "config"}
        env = os.environ | {"ROTATOR_CONFIG": told["config"], "AWS_ENDPOINT_URL": told["aws_endpoint_url"]}
        rotated = subprocess.run(
            [*COMMAND, "run", "--json"], env=env, capture_output=True, text=True, timeout=COMMAND_S, check=False
        )
        serving.terminate()
        rest, err = serving.communicate(timeout=COMMAND_S)
    assert json.loads(rotated.stdout.splitlines()[0])["outcome"] == "rotated", rotated.stderr
    assert (serving.returncode, rest, err) == (0, "", "")
    assert not Path(told["config"]).exists()


def test_the_lines_the_sandbox_prints_can_be_pasted() -> None:
    """`export` lines with which plan and run work in another shell, until Ctrl-C."""
    with subprocess.Popen([*COMMAND, "sandbox"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as serving:
        assert serving.stdout is not None
        pasted = []
        while not (line := serving.stdout.readline()).startswith("# Faults"):
            pasted.append(line)
        shell = "".join([*pasted, f"{shlex.join(COMMAND)} run\n"])
        rotated = subprocess.run(
            ["sh", "-c", shell],  # noqa: S607 - the shell people paste into
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=COMMAND_S)
    assert rotated.stdout.startswith("uploader: rotated to"), rotated.stderr
    assert serving.returncode == 0
