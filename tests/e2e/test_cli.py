"""The command line as people and machines meet it: JSON lines, exit codes, words, colours, signals."""

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

import pytest

from rotator.sandbox.pinata_faults import Operation
from rotator.sandbox.pinata_records import Bearer
from rotator.sandbox.pinata_switches import Generation
from rotator.sandbox.running import SECRET, value_of
from tests.e2e.stage import COMMAND, COMMAND_S, Environment, Stage

DONE, FAILED, USAGE, PERSON = 0, 1, 2, 3
PERMISSIONS = 'permissions = { resources = ["org:files:write"] }'
ESCAPE = "\x1b["
COLOUR = re.compile(r"\x1b\[[0-9;]*3[0-7][0-9;]*m")
OUTCOME_KEYS = {
    "secret",
    "outcome",
    "reason",
    "version_id",
    "key_id",
    "revoked",
    "actions",
    "error",
    "run_id",
}


# JSON lines and exit codes


def test_json_lines_have_their_keys(stage: Stage) -> None:
    """Programs rely on these names and values; `plan` changes nothing."""
    (hand_made,) = stage.live_keys()
    before = stage.world()
    plan = stage.row("plan")
    assert plan == {
        "secret": "uploader",
        "reason": "ADOPTED",
        "actions": ["Create", "Verify", "Promote"],
        "due_at": None,
    }
    assert stage.world() == before
    assert list(stage.sandbox.audit_directory.iterdir()) == []

    run = stage.row("run")
    assert run.keys() >= OUTCOME_KEYS
    assert run["actions"][:5] == ["Create", "Verify", "Promote", "Revoke", "ProveDead"]
    assert (run["secret"], run["outcome"], run["reason"]) == ("uploader", "rotated", "ADOPTED")
    assert run["version_id"] == stage.labels()["AWSCURRENT"]
    assert run["key_id"] == stage.sandbox.current_key_id()
    assert (run["revoked"], run["error"]) == ([hand_made], None)

    rotate = stage.row("rotate", "uploader")
    assert rotate.keys() >= OUTCOME_KEYS
    assert (rotate["outcome"], rotate["reason"]) == ("rotated", "FORCED")
    assert rotate["revoked"] == [run["key_id"]]

    idle = stage.row("run", "uploader")
    assert (idle["outcome"], idle["reason"], idle["actions"]) == ("up_to_date", "UP_TO_DATE", [])

    status = stage.row("status")
    assert status.keys() >= {"secret", "generation", "age_seconds", "due_at", "needs_person"}
    assert (status["generation"], status["needs_person"]) == (2, False)
    assert 0 <= status["age_seconds"] < 60


def test_a_rotation_inside_grace_is_refused(stage: Stage) -> None:
    """A person who asked has to ask again; for cron the same is as it should be."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    first = stage.row("run")
    assert (first["outcome"], first["revoked"]) == ("rotated", [])
    writes, world = stage.writes(), stage.world()
    refused = stage.row("rotate", "uploader", code=PERSON)
    assert (refused["outcome"], refused["reason"]) == ("waiting", "WAITING_GRACE")
    assert (refused["key_id"], refused["actions"]) == (first["key_id"], [])
    assert stage.row("run")["outcome"] == "up_to_date"
    assert (stage.writes(), stage.world()) == (writes, world)
    table = stage.rotator("status").stdout
    assert "in 59m" in table


def test_a_held_secret_is_left_alone_until_released(stage: Stage) -> None:
    """The tag stops `run` and `rotate` alike."""
    hold = {"SecretId": SECRET, "Tags": [{"Key": "rotator:hold", "Value": "incident"}]}
    stage.sandbox.call("TagResource", hold)
    world = stage.world()
    for command in (("run",), ("rotate", "uploader")):
        row = stage.row(*command, code=PERSON)
        assert (row["outcome"], row["reason"], row["actions"]) == ("held", "ON_HOLD", [])
    assert stage.row("plan", code=PERSON)["reason"] == "ON_HOLD"
    assert stage.row("status", code=PERSON)["needs_person"] is True
    assert stage.world() == world
    stage.sandbox.call("UntagResource", {"SecretId": SECRET, "TagKeys": ["rotator:hold"]})
    assert stage.row("run")["outcome"] == "rotated"


def test_a_drifted_secret_waits_for_a_person(stage: Stage) -> None:
    """Somebody put another key in: `run` asks, `rotate` answers, and only our own keys are revoked."""
    stage.row("run")
    stage.put(value_of(stage.sandbox.seed_key("by hand, again")))
    world = stage.world()
    held = stage.row("run", code=PERSON)
    assert (held["outcome"], held["reason"]) == ("held", "DRIFTED")
    assert stage.world() == world
    lifted = stage.row("rotate", "uploader")
    assert lifted["outcome"] == "rotated"
    assert stage.live_keys() == [lifted["key_id"]]


def test_a_rolled_back_secret_waits_for_a_person(stage: Stage) -> None:
    """Somebody moved AWSCURRENT back within grace: `run` asks, `rotate` moves on."""
    stage.own()
    stage.edit('grace = "0s"', 'grace = "1h"')
    old = stage.labels()["AWSCURRENT"]
    new = stage.row("run")["version_id"]
    stage.sandbox.call(
        "UpdateSecretVersionStage",
        {
            "SecretId": SECRET,
            "VersionStage": "AWSCURRENT",
            "MoveToVersionId": old,
            "RemoveFromVersionId": new,
        },
    )
    world = stage.world()
    held = stage.row("run", code=PERSON)
    assert (held["outcome"], held["reason"]) == ("held", "ROLLED_BACK")
    assert stage.world() == world
    lifted = stage.row("rotate", "uploader")
    assert lifted["outcome"] == "rotated"
    assert lifted["version_id"] > new
    assert stage.sandbox.current_key_id() in stage.live_keys()


def test_a_key_revoked_at_the_provider_is_replaced(stage: Stage) -> None:
    """Consumers have a dead key: neither age nor grace matters."""
    stage.edit('grace = "0s"', 'grace = "1h"')
    first = stage.row("run")
    with stage.site.lock:
        stage.site.world.revoke(
            Bearer(stage.sandbox.admin_jwt), Generation.V3, first["key_id"]
        )
    row = stage.row("run")
    assert (row["outcome"], row["reason"]) == ("rotated", "KEY_REVOKED")
    assert row["key_id"] in stage.live_keys()


def test_of_many_secrets_a_broken_one_stops_no_other(stage: Stage) -> None:
    """Twenty secrets, one that is no credential: nineteen rotate, and the exit code tells of the one."""
    with stage.sandbox.config_path.open("a") as file:
        for number in range(1, 20):
            secret_id = f"prod/pinata/{number:02}"
            file.write(f'[[secrets]]\nname = "s{number:02}"\nsecret_id = "{secret_id}"\n')
            file.write(f"{PERMISSIONS}\n")
            key = value_of(stage.sandbox.seed_key(f"made by hand {number}"))
            stage.sandbox.create_secret(secret_id, "password1" if number == 7 else key)
    rows = {row["secret"]: row for row in stage.rows("run", code=PERSON)}
    assert len(rows) == 20
    assert rows.pop("s07")["outcome"] == "failed"
    assert {row["outcome"] for row in rows.values()} == {"rotated"}
    orphan_of_s07 = 1
    assert len(stage.live_keys()) == 19 + orphan_of_s07
    assert {row["key_id"] for row in rows.values()} < set(stage.live_keys())
    assert stage.text("prod/pinata/07") == "password1"
    assert stage.rotator("audit", "verify").returncode == DONE


def test_between_its_slots_a_young_secret_is_not_looked_at(stage: Stage) -> None:
    """`run --every` looks closer only at what is due; here the slot comes once in ten years."""
    stage.edit('grace = "0s"', 'grace = "1h"\ncheck_every = "3650d"')
    stage.row("run")
    before = stage.calls()
    done = stage.rotator("run", "--every", "5m")
    assert (done.returncode, done.stdout) == (DONE, "1 of 1 secrets needed no closer look\n")
    assert stage.calls() - before == 2, "the managing key, and the labels"


# The stored value


def test_other_fields_of_the_value_are_carried_over(stage: Stage) -> None:
    """Whatever else a team keeps beside the key stays, of whatever type."""
    value = json.loads(stage.text())
    extra = {"gateway": "example.mypinata.cloud", "sizes": [1, 2.5, None], "naïve": {"a": True}}
    stage.put(json.dumps(value | extra))
    row = stage.row("run")
    new = json.loads(stage.text())
    assert new["pinata_api_key"] == row["key_id"]
    assert {name: new[name] for name in extra} == extra
    assert new.keys() == value.keys() | extra.keys()


def test_a_bare_token_stays_a_bare_token(stage: Stage) -> None:
    """`format = "jwt"`."""
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nformat = "jwt"')
    stage.put(stage.key(stage.sandbox.current_key_id()).jwt)
    row = stage.row("run")
    assert row["outcome"] == "rotated"
    assert stage.text() == stage.key(row["key_id"]).jwt
    assert stage.live_keys() == [row["key_id"]]


def test_custom_field_names_are_kept(stage: Stage) -> None:
    """`fields` names what consumers read; nothing else is written."""
    fields = 'fields = { jwt = "TOKEN", key = "ID" }'
    stage.edit(PERMISSIONS, f"{PERMISSIONS}\n{fields}")
    old = stage.key(stage.sandbox.current_key_id())
    stage.put(json.dumps({"TOKEN": old.jwt, "ID": old.key}))
    row = stage.row("run")
    new = stage.key(row["key_id"])
    assert json.loads(stage.text()) == {"TOKEN": new.jwt, "ID": new.key}
    assert stage.live_keys() == [new.key]


# Getting started


def test_init_writes_a_configuration_that_passes(stage: Stage, tmp_path: Path) -> None:
    """It says the next two commands, and never overwrites a file."""
    env: Environment = {"ROTATOR_CONFIG": None}
    done = stage.rotator("init", env=env, cwd=tmp_path)
    assert done.returncode == DONE
    assert done.stdout.split("\n\n")[1] == "  rotator config check\n  rotator plan\n"
    checked = stage.rotator("config", "check", env=env, cwd=tmp_path)
    assert (checked.returncode, checked.stderr) == (DONE, "")
    assert "1 secret, no problems" in checked.stdout
    written = (tmp_path / "config/rotator.toml").read_text()
    again = stage.rotator("init", env=env, cwd=tmp_path)
    assert again.returncode == USAGE
    assert "was left as it is" in again.stderr
    assert (tmp_path / "config/rotator.toml").read_text() == written


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_completes_names(stage: Stage, shell: str) -> None:
    """The script is printed, and what it calls offers the configured secrets."""
    script = stage.rotator("completion", shell)
    assert (script.returncode, "_ROTATOR_COMPLETE" in script.stdout) == (DONE, True)
    words = "rotator run up"
    env = {
        "_ROTATOR_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": "up" if shell == "fish" else "2",
    }
    assert "uploader" in stage.rotator(env=env).stdout


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


# The audit trail


def test_the_trail_tells_the_life_of_a_key(stage: Stage) -> None:
    """`history` by secret, `audit show` by key, run and time; `audit verify` counts the same events."""
    first, second = stage.row("run"), stage.row("rotate", "uploader")
    history = stage.rows("history", "uploader")
    assert {row["run_id"] for row in history} == {first["run_id"], second["run_id"]}
    (verdict,) = stage.rows("audit", "verify")
    assert (verdict["verdict"], verdict["runs"], verdict["events"]) == ("intact", 2, len(history))

    of_key = stage.rows("audit", "show", "--key", first["key_id"])
    told = [row["operation"] for row in of_key if row["kind"] == "done" and row["operation"]]
    assert told[0] == "CreateApiKey"
    assert told[-2:] == ["RevokeApiKey", "ProveKeyDead"]
    of_run = stage.rows("audit", "show", "--run", second["run_id"])
    assert of_run == [row for row in history if row["run_id"] == second["run_id"]]
    assert stage.rows("audit", "show", "--secret", "uploader", "--since", "1h") == history
    assert stage.rows("audit", "show", "--until", "1h") == []
    assert stage.rows("audit", "show", "--secret", "other") == []
    assert first["key_id"] in stage.rotator("history", "uploader").stdout


def test_a_trail_that_was_changed_is_broken(stage: Stage) -> None:
    """One word in one event: exit code 3, and where."""
    stage.row("run")
    (file,) = stage.sandbox.audit_directory.iterdir()
    lines = file.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("uploader", "uploadee")
    file.write_text("".join(lines))
    done = stage.rotator("audit", "verify")
    assert done.returncode == PERSON
    assert f"{file.name}:4" in done.stdout
    assert "BROKEN" in done.stdout


def test_a_trail_that_was_cut_is_broken(stage: Stage) -> None:
    """The last event taken away: the run never ended, though its file says it did."""
    stage.row("run")
    (file,) = stage.sandbox.audit_directory.iterdir()
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    assert stage.rotator("audit", "verify").returncode != DONE


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
    assert code == DONE
    told = ["key created", "verified", "promoted to AWSCURRENT", "revoked", "proved dead"]
    places = [shown.find(words) for words in [*told, "uploader: rotated to"]]
    assert -1 not in places
    assert places == sorted(places)
    assert COLOUR.search(shown)


def test_no_color_is_honoured(stage: Stage) -> None:
    """On a terminal, with NO_COLOR set, nothing is coloured."""
    for command in (("run",), ("status",), ("rotate", "uploader")):
        code, shown = on_a_terminal(stage, *command, env={"NO_COLOR": "1"})
        assert code == DONE
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
    assert stage.rotator("rotate", "uploader").stderr == ""


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_logs_go_to_standard_error(stage: Stage, log_format: str) -> None:
    """At INFO each effect is a line there, and standard output stays one JSON object."""
    env = {"ROTATOR_LOG_LEVEL": "INFO", "ROTATOR_LOG_FORMAT": log_format}
    done = stage.rotator("run", "--json", env=env)
    assert json.loads(done.stdout)["outcome"] == "rotated"
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
    header, held, uploader = done.stdout.splitlines()[:3]
    assert header.split()[:3] == ["SECRET", "GEN", "AGE"]
    assert held.startswith("held")
    assert "ON_HOLD" in held
    assert uploader.startswith("uploader  1")
    assert "29d 23h" in uploader
    assert "rotated" in uploader


# Signals


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
        env = os.environ | {
            "ROTATOR_CONFIG": told["config"],
            "AWS_ENDPOINT_URL": told["aws_endpoint_url"],
        }
        rotated = subprocess.run(
            [*COMMAND, "run", "--json"],
            env=env,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        serving.terminate()
        rest, err = serving.communicate(timeout=COMMAND_S)
    assert json.loads(rotated.stdout)["outcome"] == "rotated", rotated.stderr
    assert (serving.returncode, rest, err) == (DONE, "", "")
    assert not Path(told["config"]).exists()


def test_the_lines_the_sandbox_prints_can_be_pasted() -> None:
    """`export` lines with which plan and run work in another shell, until Ctrl-C."""
    with subprocess.Popen(
        [*COMMAND, "sandbox"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as serving:
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
    assert serving.returncode == DONE


def test_the_demo_shows_no_refusal() -> None:
    """It dies half-way once, recovers, and its consumer is never refused."""
    done = subprocess.run(
        [*COMMAND, "demo"], capture_output=True, text=True, timeout=COMMAND_S, check=False
    )
    assert done.returncode == DONE, done.stdout + done.stderr
    assert " 0 refused" in done.stdout
    assert "the process is dead: SIGKILL" in done.stdout
    assert ESCAPE not in done.stdout
