"""Bad input gets a clear error, and nothing is lost.

Each case says which exit code is due and what the person must read: what happened, and what to do next. No message
shows a token, and a refusal leaves both systems as they were.
"""

import json
import os
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from rotator.sandbox.pinata_faults import (
    Damage,
    Drop,
    Fault,
    Injection,
    Omit,
    Operation,
    Respond,
    Side,
    Slow,
    Spoil,
)
from rotator.sandbox.pinata_switches import CountOf, Delay, Generation, Order
from rotator.sandbox.running import ADMIN_SECRET, SECRET
from rotator.sandbox.secrets_manager_faults import Fault as AwsFault
from rotator.sandbox.secrets_manager_faults import Kind
from tests.e2e.stage import COMMAND, COMMAND_S, Environment, Stage

FAILED, USAGE, PERSON, AUDIT = 1, 2, 3, 4
SHORT = 'verify_timeout = "2s"\ntimeout = "4s"\n'
PERMISSIONS = 'permissions = { resources = ["org:files:write"] }'
CHECK = "rotator config check"
_HTML = "<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"


def said(done: subprocess.CompletedProcess[str], stage: Stage) -> str:
    """Return what a command printed, on one line, after making sure that it shows no token."""
    text = done.stdout + done.stderr
    for key in stage.site.world.keys.values():
        assert not any(secret[:24] in text for secret in (key.jwt, key.jwt[60:], key.secret))
    return " ".join(text.split())


def refused(
    stage: Stage,
    *phrases: str,
    code: int,
    command: tuple[str, ...] = ("run",),
    env: Environment | None = None,
) -> str:
    """Run a command that is refused: this code, these words, and nothing changed."""
    before = stage.world()
    done = stage.rotator(*command, env=env)
    text = said(done, stage)
    assert done.returncode == code, text
    for phrase in phrases:
        assert phrase in text, text
    assert stage.world() == before
    return text


def heals(stage: Stage) -> None:
    """Run once more: one live key of ours is left, inside AWSCURRENT."""
    row = stage.row("run")
    assert row["outcome"] in {"rotated", "up_to_date"}, row
    assert stage.live_keys() == [stage.sandbox.current_key_id()] == [row["key_id"]]
    assert "AWSPENDING" not in stage.labels()


# The configuration


@pytest.mark.parametrize(
    ("old", "new", "phrases"),
    [
        pytest.param("[audit]", "[audit", ("rotator.toml:12:", "not TOML"), id="toml_syntax"),
        pytest.param(
            'grace = "0s"',
            'grase = "0s"',
            ("rotator.toml:16: defaults.grase", "did you mean `grace`?"),
            id="unknown_key",
        ),
        pytest.param(
            'grace = "0s"',
            'grace = "31d"',
            ("rotator.toml:16: defaults.grace", "must not be longer than `max_age` (30d)"),
            id="grace_longer_than_max_age",
        ),
        pytest.param(
            PERMISSIONS,
            "permissions = { admin = true }",
            ("rotator.toml:22: secrets[0].permissions", "admin"),
            id="admin_for_a_rotated_key",
        ),
        pytest.param(
            "http://127.0.0.1", "http://127.0.0.1.example.com", ("loopback",), id="http_elsewhere"
        ),
        pytest.param('grace = "0s"', "grace = 0", ("expected a duration",), id="wrong_type"),
        pytest.param(PERMISSIONS, "", ("secrets[0].permissions", "is missing"), id="missing_key"),
        pytest.param("[audit]", "", ("audit",), id="missing_section"),
    ],
)
def test_the_configuration_is_refused_with_line_and_next_step(
    stage: Stage, old: str, new: str, phrases: tuple[str, ...]
) -> None:
    """`run` and `config check` refuse it alike, before anybody is called."""
    text = stage.sandbox.config_path.read_text()
    stage.sandbox.config_path.write_text(text.replace(old, new, 1))
    refused(stage, *phrases, CHECK, code=USAGE, command=("config", "check"))
    calls = stage.calls()
    refused(stage, *phrases, CHECK, code=USAGE)
    assert stage.calls() == calls


def add_secret(stage: Stage, name: str, secret_id: str) -> None:
    """Add an entry to the configuration."""
    with stage.sandbox.config_path.open("a") as file:
        file.write(f'\n[[secrets]]\nname = "{name}"\nsecret_id = "{secret_id}"\n{PERMISSIONS}\n')


def test_two_entries_with_one_id_are_refused(stage: Stage) -> None:
    """Two entries that name one secret alike are a mistake of the file."""
    add_secret(stage, "twin", SECRET)
    refused(stage, "rotator.toml:26: secrets[1].secret_id", CHECK, code=USAGE)


def test_two_entries_with_one_arn_are_refused(stage: Stage) -> None:
    """Name and ARN of one secret are recognised before anything is done to it."""
    add_secret(stage, "twin", stage.arn())
    refused(stage, "`uploader` and `twin` are one secret", stage.arn(), CHECK, code=USAGE)


def test_every_problem_is_reported_at_once(stage: Stage) -> None:
    """Four mistakes, four lines."""
    stage.edit('grace = "0s"', 'grase = "0s"\ntimeout = "4 s"')
    stage.edit(PERMISSIONS, "permissions = { admin = true }")
    add_secret(stage, "twin", SECRET)
    phrases = ("defaults.grase", "defaults.timeout", "secrets[0].permissions", "secrets[1]")
    refused(stage, *phrases, code=USAGE)


def test_a_token_in_the_file_is_refused_and_not_shown(stage: Stage) -> None:
    """A managing key pasted into the configuration is withheld."""
    stage.edit('admin_secret = "pinata/admin"', f'admin_secret = "{stage.sandbox.admin_jwt}"')
    refused(stage, "this looks like a token", code=USAGE)


def test_a_file_that_is_not_there_is_refused(stage: Stage, tmp_path: Path) -> None:
    """The next step is `rotator init`."""
    refused(
        stage,
        "nowhere.toml",
        "does not exist",
        "rotator init",
        code=USAGE,
        command=("--config", str(tmp_path / "nowhere.toml"), "run"),
    )


def test_an_unknown_name_is_refused(stage: Stage) -> None:
    """The nearest and all configured names are shown."""
    refused(stage, "did you mean `uploader`?", code=USAGE, command=("rotate", "uplaoder"))


@pytest.mark.parametrize(
    ("command", "phrase"),
    [
        pytest.param(("rotate",), "NAME", id="rotate_nothing"),
        pytest.param(("spin",), "No such command", id="unknown_command"),
        pytest.param(("run", "--every", "often"), "5m", id="no_duration"),
        pytest.param(("audit", "show", "--since", "lately"), "24h", id="no_time"),
    ],
)
def test_wrong_arguments_are_refused(stage: Stage, command: tuple[str, ...], phrase: str) -> None:
    """With an example of right ones, or the usage."""
    refused(stage, phrase, code=USAGE, command=command)


# The environment


@pytest.mark.parametrize(
    ("env", "phrases"),
    [
        pytest.param(
            {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None},
            ("no AWS credentials", "aws sts get-caller-identity"),
            id="no_credentials",
        ),
        pytest.param({"AWS_SECRET_ACCESS_KEY": None}, ("PartialCredentials",), id="half_of_them"),
        pytest.param({"AWS_PROFILE": "nobody"}, ("ProfileNotFound", "AWS_PROFILE"), id="profile"),
        pytest.param({"SSLKEYLOGFILE": "/tmp/keys"}, ("SSLKEYLOGFILE",), id="key_log"),  # noqa: S108 - never opened
        pytest.param({"ROTATOR_LOG_LEVEL": "LOUD"}, ("ROTATOR_LOG_LEVEL",), id="log_level"),
        pytest.param({"ROTATOR_LOG_FORMAT": "xml"}, ("ROTATOR_LOG_FORMAT",), id="log_format"),
    ],
)
def test_the_environment_is_refused(
    stage: Stage, env: Environment, phrases: tuple[str, ...]
) -> None:
    """Before anything is done."""
    refused(stage, *phrases, code=USAGE, env=env)


def test_a_missing_region_is_refused(stage: Stage) -> None:
    """Neither configured nor in the environment."""
    stage.edit('region = "eu-central-1"\n', "")
    env = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    refused(stage, "no AWS region", "Set `[aws] region`", code=USAGE, env=env)


def test_an_endpoint_elsewhere_in_the_environment_is_refused(stage: Stage) -> None:
    """Whoever sets the variable would get every secret."""
    text = stage.sandbox.config_path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("endpoint_url")]
    stage.sandbox.config_path.write_text("\n".join(kept))
    env = {"AWS_ENDPOINT_URL": "https://secrets.example.com"}
    refused(stage, "AWS_ENDPOINT_URL", "loopback", "endpoint_url", code=USAGE, env=env)


# Secrets Manager


def test_secrets_that_do_not_exist_are_all_named(stage: Stage) -> None:
    """Nothing is done to the ones that do exist either."""
    add_secret(stage, "lost", "prod/lost")
    add_secret(stage, "gone", "prod/gone")
    refused(stage, "lost: ", "gone: ", "aws secretsmanager list-secrets", code=USAGE)


@pytest.mark.parametrize(
    ("value", "phrases"),
    [
        pytest.param("password1", ("not JSON",), id="not_json"),
        pytest.param(" ", ("empty",), id="blank"),
        pytest.param("[]", ("not an object",), id="an_array"),
        pytest.param('{"JWT": ', ("not JSON",), id="cut_off"),
        pytest.param('{"other": "x"}', ("has no field `JWT`",), id="no_token"),
        pytest.param('{"JWT": ""}', ("field `JWT`", "empty"), id="empty_token"),
        pytest.param('{"JWT": "e30.e30.e30"}', ("names no key",), id="no_key"),
    ],
)
def test_a_value_of_another_shape_is_left_alone(
    stage: Stage, value: str, phrases: tuple[str, ...]
) -> None:
    """It may be somebody else's secret."""
    stage.put(value)
    refused(stage, "uploader: failed", *phrases, "rotator plan", code=PERSON)
    assert stage.text() == value


def test_a_bare_token_where_json_is_configured_is_left_alone(stage: Stage) -> None:
    """The message names the setting that would fit."""
    stage.put(stage.seed("bare", stage.sandbox.rotated_keys()[0].permissions).jwt)
    refused(stage, 'format = "jwt"', code=PERSON)


def test_json_where_a_bare_token_is_configured_is_left_alone(stage: Stage) -> None:
    """`format = "jwt"` never reshapes JSON."""
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nformat = "jwt"')
    refused(stage, "the value is JSON", code=PERSON)


def test_configured_fields_that_do_not_occur_are_refused(stage: Stage) -> None:
    """A field that no consumer reads is not invented."""
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nfields = {{ jwt = "TOKEN", key = "id" }}')
    refused(stage, "no field `TOKEN`", code=PERSON)


def test_throttling_is_waited_out(stage: Stage) -> None:
    """Two throttled calls cost time, not the rotation."""
    stage.sandbox.secrets_manager.faults.throttle(2)
    heals(stage)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(AwsFault(Kind.THROTTLE, "DescribeSecret", times=0), id="throttled"),
        pytest.param(AwsFault(Kind.ERROR, "DescribeSecret", times=0), id="error_500"),
        pytest.param(AwsFault(Kind.DROP, "DescribeSecret", times=0), id="no_answer"),
    ],
)
def test_a_secrets_manager_that_fails_for_good_stops_the_run(
    stage: Stage, fault: AwsFault
) -> None:
    """Nothing was done, and the next run goes on."""
    stage.sandbox.secrets_manager.faults.add(fault)
    refused(stage, "DescribeSecret", "Nothing to do: the next run", code=FAILED)
    stage.sandbox.secrets_manager.faults.clear()
    heals(stage)


# The managing key


def put_admin(stage: Stage, value: str) -> None:
    """Change the managing key's secret."""
    stage.put(value, ADMIN_SECRET)


def test_a_managing_secret_that_is_not_there_is_refused(stage: Stage) -> None:
    """The setting is named."""
    stage.edit('admin_secret = "pinata/admin"', 'admin_secret = "pinata/lost"')
    refused(stage, "no managing key", "pinata/lost", "Put the JWT", code=USAGE)


def test_a_managing_variable_that_is_not_set_is_refused(stage: Stage) -> None:
    """The variable is named."""
    stage.edit('admin_secret = "pinata/admin"', 'admin_jwt_env = "PINATA_JWT"')
    refused(stage, "no managing key", "PINATA_JWT", code=USAGE)


def test_a_managing_variable_works(stage: Stage) -> None:
    """The same run succeeds with it."""
    stage.edit('admin_secret = "pinata/admin"', 'admin_jwt_env = "PINATA_JWT"')
    done = stage.rotator("run", env={"PINATA_JWT": stage.sandbox.admin_jwt})
    assert done.returncode == 0, done.stderr
    assert stage.live_keys() == [stage.sandbox.current_key_id()]


@pytest.mark.parametrize(
    ("ending", "phrases"),
    [
        pytest.param("\n", ("ends with a newline", "printf"), id="newline"),
        pytest.param("\r\n", ("ends with a newline", "printf"), id="crlf"),
        pytest.param(" ", ("white space", CHECK), id="space"),
    ],
)
def test_a_managing_key_with_white_space_is_refused(
    stage: Stage, ending: str, phrases: tuple[str, ...]
) -> None:
    """As a field, or as the bare token that a shell command stored."""
    put_admin(stage, stage.sandbox.admin_jwt + ending)
    refused(stage, *phrases, code=USAGE)
    put_admin(stage, json.dumps({"JWT": stage.sandbox.admin_jwt + ending}))
    refused(stage, *phrases, code=USAGE)


def test_a_managing_secret_without_a_token_is_refused(stage: Stage) -> None:
    """Its field is named."""
    put_admin(stage, '{"token": "x"}')
    refused(stage, "no managing key", "no field `JWT`", code=USAGE)


def test_a_managing_key_that_is_refused_needs_a_person(stage: Stage) -> None:
    """A revoked managing key stops every secret; it says where to put another."""
    with stage.site.lock:
        keys = stage.site.world.keys
        for key_id, key in list(keys.items()):
            if key.permissions.admin:
                keys[key_id] = replace(key, revoked_at=time.time())
    refused(stage, "Pinata answered 403", "Put a live managing key", code=PERSON)


def test_a_managing_key_without_the_right_needs_a_person(stage: Stage) -> None:
    """A key that may not manage keys is no managing key."""
    put_admin(stage, stage.sandbox.rotated_keys()[0].jwt)
    refused(stage, "required scopes", "Put a live managing key", code=PERSON)


# Pinata, before anything is done


def inject(stage: Stage, fault: Fault, operation: Operation | None, times: int | None) -> None:
    """Let the next calls go wrong."""
    with stage.site.lock:
        stage.site.faults.add(Injection(fault, operation, times=times))


def heal(stage: Stage) -> None:
    """Let nothing go wrong any more."""
    with stage.site.lock:
        stage.site.faults.clear()


@pytest.mark.parametrize(
    ("fault", "phrase"),
    [
        pytest.param(Drop(Side.BEFORE), "no whole answer", id="hangs_up"),
        pytest.param(Slow(Side.BEFORE, 30), "no whole answer", id="slow"),
        pytest.param(Respond(Side.BEFORE, 429), "answered 429", id="429"),
        pytest.param(
            Respond(Side.BEFORE, 429, headers=(("Retry-After", "600"),)),
            "asks to wait 600 s",
            id="429_with_a_long_wait",
        ),
        pytest.param(Respond(Side.BEFORE, 500), "answered 500", id="500"),
        pytest.param(
            Respond(Side.BEFORE, 502, _HTML, "text/html"), "answered 502", id="502_html"
        ),
        pytest.param(Spoil(Damage.CUT_OFF), "no whole answer", id="cut_off"),
        pytest.param(Spoil(Damage.WRONG_TYPE), "list", id="wrong_type"),
        pytest.param(Spoil(Damage.WRONG_VALUES), "list", id="wrong_values"),
        pytest.param(Spoil(Damage.EMPTY), "list", id="empty"),
        pytest.param(Spoil(Damage.HTML), "list", id="200_html"),
        pytest.param(Spoil(Damage.BIG), "more than 1048576 bytes", id="2_mib"),
        pytest.param(Spoil(Damage.GZIP_BOMB), "compressed", id="gzip_bomb"),
        pytest.param(
            Respond(Side.BEFORE, 302, headers=(("Location", "https://example.com/"),)),
            "answered 302",
            id="redirect",
        ),
    ],
)
def test_a_pinata_that_answers_badly_stops_the_run(stage: Stage, fault: Fault, phrase: str) -> None:
    """Nothing is done, within the time the configuration gives; then the next run does it all."""
    stage.edit('grace = "0s"', f'grace = "0s"\n{SHORT}')
    inject(stage, fault, None, None)
    started = time.monotonic()
    refused(stage, "uploader: failed", phrase, "next run", code=FAILED)
    assert time.monotonic() - started < 20
    heal(stage)
    heals(stage)


def test_a_pinata_that_is_down_stops_the_run(stage: Stage) -> None:
    """Nobody listens there."""
    stage.edit('grace = "0s"', f'grace = "0s"\n{SHORT}')
    stage.edit(stage.sandbox.pinata.url, "http://127.0.0.1:9")
    refused(stage, "no connection", "next run", code=FAILED)


def test_a_short_wait_is_waited(stage: Stage) -> None:
    """429 with `Retry-After: 2`, once, costs two seconds and no more."""
    inject(
        stage, Respond(Side.BEFORE, 429, headers=(("Retry-After", "2"),)), Operation.LIST, times=1
    )
    started = time.monotonic()
    heals(stage)
    assert time.monotonic() - started > 2


# Pinata, in the middle


@dataclass(frozen=True, slots=True)
class Struck:
    """A create that goes wrong, and whether it leaves a live key that no secret holds."""

    fault: Fault
    leaves_key: bool
    code: int = FAILED


@pytest.mark.parametrize(
    "struck",
    [
        pytest.param(Struck(Drop(Side.BEFORE), leaves_key=False), id="lost_before"),
        pytest.param(Struck(Drop(Side.AFTER), leaves_key=True), id="lost_after"),
        pytest.param(Struck(Respond(Side.BEFORE, 429), leaves_key=False), id="429"),
        pytest.param(Struck(Respond(Side.AFTER, 500), leaves_key=True), id="500_after"),
        pytest.param(
            Struck(Respond(Side.AFTER, 502, _HTML, "text/html"), leaves_key=True), id="502_html"
        ),
        pytest.param(Struck(Respond(Side.BEFORE, 400), leaves_key=False, code=PERSON), id="400"),
        pytest.param(Struck(Spoil(Damage.CUT_OFF), leaves_key=True), id="cut_off"),
        pytest.param(Struck(Spoil(Damage.WRONG_TYPE), leaves_key=True), id="wrong_type"),
        pytest.param(Struck(Spoil(Damage.WRONG_VALUES), leaves_key=True), id="wrong_values"),
        pytest.param(Struck(Spoil(Damage.BIG), leaves_key=True), id="2_mib"),
        pytest.param(Struck(Omit("JWT"), leaves_key=False), id="without_a_token"),
        pytest.param(Struck(Omit("pinata_api_key"), leaves_key=True), id="without_an_id"),
        pytest.param(Struck(Spoil(Damage.FOREIGN_JWT), leaves_key=False), id="token_of_another"),
    ],
)
def test_a_create_that_goes_wrong_changes_no_secret_and_is_put_right(
    stage: Stage, struck: Struck
) -> None:
    """The create is never repeated in place; consumers keep their key, and the next run finds the orphan."""
    (consumers_key,) = stage.live_keys()
    inject(stage, struck.fault, Operation.CREATE, times=1)
    done = stage.rotator("run")
    text = said(done, stage)
    assert done.returncode == struck.code, text
    assert "uploader: failed" in text
    assert stage.site.count(Operation.CREATE) == 1
    assert stage.sandbox.current_key_id() == consumers_key
    assert "AWSPENDING" not in stage.labels()
    assert len(stage.live_keys()) == 1 + struck.leaves_key, text
    heals(stage)


def test_a_key_that_never_works_is_not_promoted(stage: Stage) -> None:
    """The consumers' key stays; once new keys work, the next run finishes with the same one."""
    (consumers_key,) = stage.live_keys()
    stage.edit('grace = "0s"', f'grace = "0s"\n{SHORT}')
    activate_after(stage, 3600)
    done = stage.rotator("run")
    text = said(done, stage)
    assert done.returncode == FAILED, text
    assert "testAuthentication does not accept the key after 2 s" in text
    assert "AWSCURRENT is unchanged" in text
    assert stage.sandbox.current_key_id() == consumers_key
    activate_after(stage, 0)
    heals(stage)
    assert stage.site.count(Operation.CREATE) == 1


def test_a_key_that_works_after_three_seconds_is_waited_for(stage: Stage) -> None:
    """Propagation is not a failure."""
    activate_after(stage, 3.0)
    started = time.monotonic()
    heals(stage)
    assert time.monotonic() - started > 3


def test_a_key_that_outlives_its_revocation_needs_a_person(stage: Stage) -> None:
    """The new key is current; the old one is reported by its id."""
    (old,) = stage.live_keys()
    stage.edit('grace = "0s"', f'grace = "0s"\n{SHORT}')
    switch(stage, revocation=Delay(3600))
    row = stage.row("run", code=PERSON)
    assert row["outcome"] == "failed"
    assert old in row["error"]
    assert "still" in row["error"] or "its token is accepted" in row["error"]
    assert stage.sandbox.current_key_id() == row["key_id"] != old


def activate_after(stage: Stage, seconds: float) -> None:
    """Say how long a new key is refused."""
    switch(stage, activation=Delay(seconds))


def switch(stage: Stage, **changes: object) -> None:
    """Change how the simulated Pinata behaves."""
    with stage.site.lock:
        stage.site.world.switches = replace(stage.site.world.switches, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("count_of", CountOf, ids=lambda value: value.value)
@pytest.mark.parametrize("order", [Order.NEWEST_FIRST, Order.OLDEST_FIRST, Order.UNSTABLE])
def test_a_list_that_changes_while_it_is_read_hides_no_key(
    stage: Stage, order: Order, count_of: CountOf
) -> None:
    """On the legacy paths the whole account is paged through, and others make keys meanwhile."""
    stage.own()
    stage.edit("[pinata]\n", '[pinata]\napi = "legacy"\n')
    stage.edit(PERMISSIONS, 'permissions = { endpoints = { data = ["pinList"] } }')
    others = [stage.sandbox.seed_key(f"another service {number}").key for number in range(15)]
    switch(
        stage, order=order, count_of=count_of, generations=frozenset({Generation.LEGACY})
    )

    def make_another(_: int, operation: Operation) -> None:
        if operation is Operation.LIST and len(others) < 30:
            others.append(stage.sandbox.seed_key(f"another service {len(others)}").key)

    stage.site.after_reply = make_another
    row = stage.row("run")
    assert row["outcome"] == "rotated"
    assert sorted(stage.live_keys()) == sorted([*others, row["key_id"]])


# The audit trail


def test_a_missing_audit_directory_stops_everything(stage: Stage) -> None:
    """The command that makes it is shown."""
    stage.sandbox.audit_directory.rmdir()
    refused(stage, "does not exist; nothing was done", "install -d -m 0700", code=AUDIT)


def test_an_audit_directory_open_to_others_stops_everything(stage: Stage) -> None:
    """What others can write to proves nothing."""
    stage.sandbox.audit_directory.chmod(0o777)
    refused(stage, "others may write", "chmod 0700", code=AUDIT)


def in_own_mount(stage: Stage, mount: str, *args: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where something else is mounted on the audit directory, as its owner."""
    namespace = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
    shell = ["sh", "-c", f'{mount} && exec "$@"', "sh", *COMMAND, *args]
    return subprocess.run(
        ["unshare", *namespace, *shell],  # noqa: S607 - util-linux, wherever it is
        env=stage.environment({"DIR": str(stage.sandbox.audit_directory)}),
        capture_output=True,
        text=True,
        timeout=COMMAND_S,
        check=False,
    )


TMPFS = 'mount -t tmpfs -o size={size},mode=0700 tmpfs "$DIR"'


@pytest.mark.parametrize(
    ("mount", "phrase"),
    [
        pytest.param(TMPFS.format(size="8k") + ' && mount -o remount,ro "$DIR"', "Read-only", id="read_only"),
        pytest.param(
            TMPFS.format(size="8k") + ' && head -c 8192 /dev/zero > "$DIR/else"', "No space", id="full"
        ),
    ],
)
def test_an_audit_directory_that_takes_nothing_stops_everything(
    stage: Stage, mount: str, phrase: str
) -> None:
    """Nothing is done that could not be recorded."""
    before = stage.world()
    done = in_own_mount(stage, mount, "run")
    text = said(done, stage)
    assert done.returncode == AUDIT, text
    assert phrase in text
    assert "then run `rotator run`" in text
    assert stage.world() == before
    heals(stage)


@pytest.mark.parametrize("size", ["4k", "8k", "12k"])
def test_an_audit_directory_that_fills_up_stops_the_run_where_it_is(
    stage: Stage, size: str
) -> None:
    """The secret holds a live key at every moment, and a run with space goes on from there."""
    done = in_own_mount(stage, TMPFS.format(size=size), "run")
    text = said(done, stage)
    assert done.returncode == AUDIT, text
    assert "No space" in text
    assert stage.sandbox.current_key_id() in stage.live_keys()
    heals(stage)


def test_the_audit_trail_goes_before_other_failures(stage: Stage) -> None:
    """Of many secrets the gravest exit code wins."""
    add_secret(stage, "lost", "prod/lost")
    stage.sandbox.audit_directory.rmdir()
    refused(stage, "lost", code=USAGE)
    stage.sandbox.create_secret("prod/lost", "password1")
    refused(stage, "uploader: failed", "lost: failed", "does not exist", code=AUDIT)
