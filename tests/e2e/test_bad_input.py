"""Bad input gets a clear error, and nothing is lost: the configuration, the environment, the stored values.

Each case says which exit code is due and what the person must read: what happened, and what to do next. No message
shows a token, and a refusal leaves both systems as they were.
"""

import json
import time
from dataclasses import replace
from pathlib import Path

import pytest

from rotator.sandbox.running import ADMIN_SECRET, SECRET
from rotator.sandbox.secrets_manager.faults import Fault as AwsFault
from rotator.sandbox.secrets_manager.faults import Kind
from tests.e2e.stage import FAILED, PERMISSIONS, PERSON, USAGE, Environment, Stage

CHECK = "rotator config check"


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
        pytest.param("http://127.0.0.1", "http://127.0.0.1.example.com", ("loopback",), id="http_elsewhere"),
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
    stage.refused(*phrases, CHECK, code=USAGE, command=("config", "check"))
    calls = stage.calls()
    stage.refused(*phrases, CHECK, code=USAGE)
    assert stage.calls() == calls


def test_two_entries_with_one_id_are_refused(stage: Stage) -> None:
    """Two entries that name one secret alike are a mistake of the file."""
    stage.add_secret("twin", SECRET)
    stage.refused("rotator.toml:26: secrets[1].secret_id", CHECK, code=USAGE)


def test_two_entries_with_one_arn_are_refused(stage: Stage) -> None:
    """Name and ARN of one secret are recognised before anything is done to it."""
    stage.add_secret("twin", stage.arn())
    stage.refused("`uploader` and `twin` are one secret", stage.arn(), CHECK, code=USAGE)


def test_every_problem_is_reported_at_once(stage: Stage) -> None:
    """Four mistakes, four lines."""
    stage.edit('grace = "0s"', 'grase = "0s"\ntimeout = "4 s"')
    stage.edit(PERMISSIONS, "permissions = { admin = true }")
    stage.add_secret("twin", SECRET)
    phrases = ("defaults.grase", "defaults.timeout", "secrets[0].permissions", "secrets[1]")
    stage.refused(*phrases, code=USAGE)


def test_a_token_in_the_file_is_refused_and_not_shown(stage: Stage) -> None:
    """A managing key pasted into the configuration is withheld."""
    stage.edit('admin_secret = "pinata/admin"', f'admin_secret = "{stage.sandbox.admin_jwt}"')
    stage.refused("this looks like a token", code=USAGE)


def test_a_file_that_is_not_there_is_refused(stage: Stage, tmp_path: Path) -> None:
    """The next step is `rotator init`."""
    stage.refused(
        "nowhere.toml",
        "does not exist",
        "rotator init",
        code=USAGE,
        command=("--config", str(tmp_path / "nowhere.toml"), "run"),
    )


def test_an_unknown_name_is_refused(stage: Stage) -> None:
    """The nearest and all configured names are shown."""
    stage.refused("did you mean `uploader`?", code=USAGE, command=("rotate", "uplaoder"))


@pytest.mark.parametrize(
    ("command", "phrase"),
    [
        pytest.param(("rotate",), "NAME", id="rotate_nothing"),
        pytest.param(("spin",), 'there is no command "spin"', id="unknown_command"),
        pytest.param(("run", "--every", "often"), "5m", id="no_duration"),
        pytest.param(("audit", "show", "--since", "lately"), "24h", id="no_time"),
    ],
)
def test_wrong_arguments_are_refused(stage: Stage, command: tuple[str, ...], phrase: str) -> None:
    """With an example of right ones, or the usage."""
    stage.refused(phrase, code=USAGE, command=command)


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
def test_the_environment_is_refused(stage: Stage, env: Environment, phrases: tuple[str, ...]) -> None:
    """Before anything is done."""
    stage.refused(*phrases, code=USAGE, env=env)


def test_a_missing_region_is_refused(stage: Stage) -> None:
    """Neither configured nor in the environment."""
    stage.edit('region = "eu-central-1"\n', "")
    env = {"AWS_REGION": None, "AWS_DEFAULT_REGION": None}
    stage.refused("no AWS region", "Set `[aws] region`", code=USAGE, env=env)


def test_an_endpoint_elsewhere_in_the_environment_is_refused(stage: Stage) -> None:
    """Whoever sets the variable would get every secret."""
    text = stage.sandbox.config_path.read_text()
    kept = [line for line in text.splitlines() if not line.startswith("endpoint_url")]
    stage.sandbox.config_path.write_text("\n".join(kept))
    env = {"AWS_ENDPOINT_URL": "https://secrets.example.com"}
    stage.refused("AWS_ENDPOINT_URL", "loopback", "endpoint_url", code=USAGE, env=env)


# Secrets Manager


def test_secrets_that_do_not_exist_are_all_named(stage: Stage) -> None:
    """Each has its own line, with what to compare."""
    stage.add_secret("lost", "prod/lost")
    stage.add_secret("gone", "prod/gone")
    stage.refused(
        "lost: failed",
        "same cause as lost: gone",
        "aws secretsmanager list-secrets",
        code=USAGE,
        command=("run", "lost", "gone"),
    )


@pytest.mark.parametrize(
    ("value", "phrases"),
    [
        pytest.param("password1", ("not JSON",), id="not_json"),
        pytest.param("[]", ("not an object",), id="an_array"),
        pytest.param('{"JWT": ', ("not JSON",), id="cut_off"),
        pytest.param('{"other": "x"}', ("has no field `JWT`",), id="no_token"),
        pytest.param('{"JWT": "e30.e30.e30"}', ("names no key",), id="no_key"),
    ],
)
def test_a_value_of_another_shape_is_left_alone(stage: Stage, value: str, phrases: tuple[str, ...]) -> None:
    """It may be somebody else's secret."""
    stage.put(value)
    stage.refused("uploader: failed", *phrases, "--replace-value", code=PERSON)
    assert stage.text() == value


def test_a_bare_token_where_json_is_configured_is_left_alone(stage: Stage) -> None:
    """The message names the setting that would fit."""
    stage.put(stage.seed("bare", stage.sandbox.rotated_keys()[0].permissions).jwt)
    stage.refused('format = "jwt"', code=PERSON)


def test_json_where_a_bare_token_is_configured_is_left_alone(stage: Stage) -> None:
    """`format = "jwt"` never reshapes JSON."""
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nformat = "jwt"')
    stage.refused("the value is JSON", code=PERSON)


def test_configured_fields_that_do_not_occur_are_refused(stage: Stage) -> None:
    """A field that no consumer reads is not invented."""
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nfields = {{ jwt = "TOKEN", key = "id" }}')
    stage.refused("no field `TOKEN`", code=PERSON)


def test_throttling_is_waited_out(stage: Stage) -> None:
    """Two throttled calls cost time, not the rotation."""
    stage.sandbox.secrets_manager.faults.throttle(2)
    stage.heals()


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(AwsFault(Kind.THROTTLE, "DescribeSecret", times=0), id="throttled"),
        pytest.param(AwsFault(Kind.ERROR, "DescribeSecret", times=0), id="error_500"),
        pytest.param(AwsFault(Kind.DROP, "DescribeSecret", times=0), id="no_answer"),
    ],
)
def test_a_secrets_manager_that_fails_for_good_stops_the_run(stage: Stage, fault: AwsFault) -> None:
    """Nothing was done, and the next run goes on."""
    stage.sandbox.secrets_manager.faults.add(fault)
    stage.refused("DescribeSecret", "Nothing to do: the next run", code=FAILED)
    stage.sandbox.secrets_manager.faults.clear()
    stage.heals()


# The managing key


def test_a_managing_secret_that_is_not_there_is_refused(stage: Stage) -> None:
    """The setting is named."""
    stage.edit('admin_secret = "pinata/admin"', 'admin_secret = "pinata/lost"')
    stage.refused("no managing key", "pinata/lost", "Put the JWT", code=USAGE)


def test_a_managing_variable_that_is_not_set_is_refused(stage: Stage) -> None:
    """The variable is named."""
    stage.edit('admin_secret = "pinata/admin"', 'admin_jwt_env = "PINATA_JWT"')
    stage.refused("no managing key", "PINATA_JWT", code=USAGE)


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
def test_a_managing_key_with_white_space_is_refused(stage: Stage, ending: str, phrases: tuple[str, ...]) -> None:
    """As a field, or as the bare token that a shell command stored."""
    stage.put(stage.sandbox.admin_jwt + ending, ADMIN_SECRET)
    stage.refused(*phrases, code=USAGE)
    stage.put(json.dumps({"JWT": stage.sandbox.admin_jwt + ending}), ADMIN_SECRET)
    stage.refused(*phrases, code=USAGE)


def test_a_managing_secret_without_a_token_is_refused(stage: Stage) -> None:
    """Its field is named."""
    stage.put('{"token": "x"}', ADMIN_SECRET)
    stage.refused("no managing key", "no field `JWT`", code=USAGE)


def test_a_managing_key_that_is_refused_needs_a_person(stage: Stage) -> None:
    """A revoked managing key stops every secret; it says where to put another."""
    with stage.site.lock:
        keys = stage.site.world.keys
        for key_id, key in list(keys.items()):
            if key.permissions.admin:
                keys[key_id] = replace(key, revoked_at=time.time())
    stage.refused("Pinata answered 403", "Put a live managing key", code=PERSON)


def test_a_managing_key_without_the_right_needs_a_person(stage: Stage) -> None:
    """A key that may not manage keys is no managing key."""
    stage.put(stage.sandbox.rotated_keys()[0].jwt, ADMIN_SECRET)
    stage.refused("required scopes", "Put a live managing key", code=PERSON)
