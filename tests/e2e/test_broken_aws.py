"""Broken AWS environments: each is told as what it is, with an exit code and a JSON row, and nothing is called.

Files that are missing or nonsense, logins that have expired, programs that fail, hang or print something else, regions
and numbers that are none. botocore lets out whatever these make it raise.
"""

import json
import shlex
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rotator.aws import credential_process
from rotator.sandbox.running import Sandbox
from tests.e2e.daemons import Daemon
from tests.e2e.stage import USAGE, Environment, Stage

pytestmark = pytest.mark.slow  # it starts many processes

CANARY = "canary-of-a-secret-that-nobody-may-see"
ROLE = "arn:aws:iam::123456789012:role/rotator"
NO_KEYS: Environment = {"AWS_ACCESS_KEY_ID": None, "AWS_SECRET_ACCESS_KEY": None}
NONE = "no AWS credentials: "
PROCESS = "the `credential_process` of the AWS profile "
UNTIL_ENDED = "import time; time.sleep(60)"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """A sandbox whose configuration says nothing of AWS but where it is."""
    with Sandbox(tmp_path_factory.mktemp("sandbox")) as sandbox:
        text = sandbox.config_path.read_text().replace('region = "eu-central-1"\n', "")
        sandbox.config_path.write_text(text)
        yield Stage(sandbox)


def refused(stage: Stage, phrase: str, env: Environment, command: str = "plan", code: int = USAGE) -> None:
    """Run a command that is refused: this code, these words on both streams, no traceback, no secret, no call."""
    before = stage.calls()
    done = stage.rotator(command, "--json", env=env)
    assert done.returncode == code, done.stdout + done.stderr
    assert "defect" not in done.stderr
    assert "Traceback" not in done.stderr
    assert phrase in done.stderr
    (row,) = map(json.loads, done.stdout.splitlines())
    assert phrase in row["error"]
    assert row["next_step"]
    assert CANARY not in done.stdout + done.stderr
    assert stage.calls() == before


def profile(folder: Path, text: str) -> Environment:
    """Return the environment of a default profile."""
    file = folder / "config"
    file.write_text(f"[default]\n{text}\n")
    return {**NO_KEYS, "AWS_CONFIG_FILE": str(file), "HOME": str(folder)}


def prints(text: object) -> str:
    """Return a program that prints."""
    return f"print({text if isinstance(text, str) else json.dumps(text)!r})"


GIVEN = {"Version": 1, "AccessKeyId": CANARY, "SecretAccessKey": CANARY}
PROGRAMS = {
    "fails": ("raise SystemExit(7)", "ended with exit code 7"),
    "fails and says a secret": (f"raise SystemExit({CANARY!r})", "ended with exit code 1"),
    "is killed": ("import os; os.kill(os.getpid(), 9)", "ended with exit code -9"),
    "prints nothing": ("", "printed something else than a JSON object"),
    "prints text": (prints(repr(CANARY)), "printed something else than a JSON object"),
    "prints bytes": ("import os; os.write(1, b'\\xff\\xfe')", "printed something else than a JSON object"),
    "prints an array": (prints([CANARY]), "printed something else than a JSON object"),
    "prints another version": (prints(GIVEN | {"Version": 2}), "printed JSON without `Version` 1"),
    "prints no key id": (prints({"Version": 1, "SecretAccessKey": CANARY}), "printed JSON without `AccessKeyId`"),
    "prints a number as key": (prints(GIVEN | {"SecretAccessKey": 1}), "printed JSON without `SecretAccessKey`"),
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_program_that_gives_no_credentials(stage: Stage, tmp_path: Path, program: str) -> None:
    """It is said what it did, and nothing of what it printed."""
    code, phrase = PROGRAMS[program]
    file = tmp_path / "program.py"
    file.write_text(code)
    env = profile(tmp_path, f"credential_process = {shlex.quote(sys.executable)} {shlex.quote(str(file))}")
    refused(stage, NONE + PROCESS + phrase, env)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param(UNTIL_ENDED, id="itself"),
        pytest.param(
            f"import subprocess as s; s.Popen(['sleep', '9']); {UNTIL_ENDED}", id="with a child that holds its output"
        ),
    ],
)
@pytest.mark.parametrize("section", ["", "role_arn = arn:aws:iam::123456789012:role/r\nsource_profile = other\n"])
def test_a_program_that_hangs_is_ended(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, section: str
) -> None:
    """So it is in the profile of a role's source."""
    monkeypatch.setattr(credential_process, "LIMIT_S", 0.5)
    file = tmp_path / "program.py"
    file.write_text(code)
    line = f"credential_process = {shlex.quote(sys.executable)} {shlex.quote(str(file))}"
    env = profile(tmp_path, section + (f"[profile other]\n{line}" if section else line))
    refused(stage, NONE + PROCESS + "did not end within 0.5 s, and was ended", env)


KEY = "aws_access_key_id = a\naws_secret_access_key = b"
UNUSABLE = "cannot be used"
PROFILES = {
    "program is missing": (f"credential_process = /nowhere/{CANARY}", PROCESS + "cannot be started (No such file"),
    "program is a directory": ("credential_process = /tmp", PROCESS + "cannot be started (Permission denied)"),
    "program is no command": (f"credential_process = '{CANARY}", UNUSABLE),
    "nothing in it": ("output = json", "none in the environment"),
    "half a key": (f"aws_access_key_id = {CANARY}", "is missing"),
    "role without a source": (f"role_arn = {ROLE}", "is missing"),
    "source is missing": (f"role_arn = {ROLE}\nsource_profile = nobody", UNUSABLE),
    "sources in a circle": (
        f"role_arn = {ROLE}\nsource_profile = b\n[profile b]\nrole_arn = {ROLE}\nsource_profile = default",
        UNUSABLE,
    ),
    "two sources": (f"role_arn = {ROLE}\nsource_profile = default\ncredential_source = Environment", UNUSABLE),
    "unknown source": (f"role_arn = {ROLE}\ncredential_source = Ether", UNUSABLE),
    "source is empty": (f"role_arn = {ROLE}\ncredential_source = Environment", "did not give any"),
    "no one to type an MFA code": (
        f"role_arn = {ROLE}\nsource_profile = b\nmfa_serial = me\n[profile b]\n{KEY}",
        "MFA code",
    ),
    "never logged in (SSO)": (
        "sso_start_url = https://x.example/\nsso_region = eu-central-1\nsso_account_id = 1\nsso_role_name = r",
        "the login of the AWS profile has expired or is missing",
    ),
    "SSO without a session": ("sso_session = gone\nsso_account_id = 123456789012\nsso_role_name = r", UNUSABLE),
    "half of SSO": (
        "sso_start_url = https://x.awsapps.com/start\nsso_region = eu-central-1",
        "none in the environment",
    ),
    "never logged in (aws login)": (
        "login_session = arn:aws:iam::123456789012:user/me",
        NONE,  # or a package that it needs
    ),
}


@pytest.mark.parametrize("broken", PROFILES)
def test_a_profile_that_gives_no_credentials(stage: Stage, tmp_path: Path, broken: str) -> None:
    """What is known of the cause is said."""
    text, phrase = PROFILES[broken]
    env = profile(tmp_path, text)
    done = stage.rotator("plan", "--json", env=env)
    assert NONE in done.stderr
    refused(stage, phrase, env)


def web(token_file: str) -> Environment:
    """Return the environment of a pod with a token in a file."""
    return {**NO_KEYS, "AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": token_file}


def test_an_expired_login(stage: Stage, tmp_path: Path) -> None:
    """What `aws sso login` left is there, and of the year before."""
    url = "https://x.awsapps.com/start"
    cache = tmp_path / ".aws" / "sso" / "cache"
    cache.mkdir(parents=True)
    stale = {"startUrl": url, "region": "eu-central-1", "accessToken": CANARY, "expiresAt": "2020-01-01T00:00:00Z"}
    for name in ("19a1a8b1a8e3d4a6a6b0b7c8d9e0f1a2b3c4d5e6", "me"):
        (cache / f"{name}.json").write_text(json.dumps(stale))
    text = (
        f"sso_session = me\nsso_account_id = 123456789012\nsso_role_name = r\n[sso-session me]\nsso_start_url = {url}\n"
    )
    refused(stage, NONE + "the login", profile(tmp_path, text + "sso_region = eu-central-1"))


FILE = "the file that AWS_WEB_IDENTITY_TOKEN_FILE names cannot be read"
VARIABLES: dict[str, tuple[Environment, str]] = {
    "token file is missing": (web("/nowhere/token"), f"{FILE} (No such file or directory)"),
    "token file is a directory": (web("/tmp"), f"{FILE} (Is a directory)"),  # noqa: S108 - nothing is written there
    "token file is below a file": (web("/dev/null/token"), f"{FILE} (Not a directory)"),
    "token file is the token itself": (web(CANARY * 9), f"{FILE} (File name too long)"),
    "token file is empty": (web("/dev/null"), "what AWS's files or variables say is not what STS takes"),
    "token file without a role": ({**web("/dev/null"), "AWS_ROLE_ARN": None}, UNUSABLE),
    "nothing": (NO_KEYS, "none in the environment"),
    "half a key": ({"AWS_SECRET_ACCESS_KEY": None}, "AWS_SECRET_ACCESS_KEY is missing"),
    "key with a newline": ({"AWS_ACCESS_KEY_ID": CANARY + "\n"}, "the access key id ends with a newline"),
    "secret with a newline": ({"AWS_SECRET_ACCESS_KEY": CANARY + "\r\n"}, "the secret access key ends with a newline"),
    "token with a newline": ({"AWS_SESSION_TOKEN": CANARY + "\n"}, "the session token ends with a newline"),
    "key with a space": (
        {"AWS_ACCESS_KEY_ID": f"{CANARY} {CANARY}"},
        "the access key id holds white space or characters",
    ),
    "key with an umlaut": (
        {"AWS_SECRET_ACCESS_KEY": CANARY + "ä"},
        "the secret access key holds white space or characters",
    ),
    "key with a byte order mark": (
        {"AWS_ACCESS_KEY_ID": "\ufeff" + CANARY},
        "the access key id holds white space or characters",
    ),
    "profile is missing": ({"AWS_PROFILE": CANARY}, "AWS_PROFILE names a profile that does not exist"),
    "credentials from elsewhere": (
        {**NO_KEYS, "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/x"},
        UNUSABLE,
    ),
    "container's token file is missing": (
        {
            **NO_KEYS,
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:9/x",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": "/nowhere/token",
        },
        "the file that AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE names cannot be read",
    ),
    "timeout is no number": ({"AWS_METADATA_SERVICE_TIMEOUT": CANARY}, UNUSABLE),
    "attempts are no number": ({"AWS_METADATA_SERVICE_NUM_ATTEMPTS": "1.5"}, UNUSABLE),
    "metadata service is no URL": (
        {**NO_KEYS, "AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://[", "AWS_EC2_METADATA_DISABLED": "false"},
        UNUSABLE,
    ),
}


@pytest.mark.parametrize("broken", VARIABLES)
def test_variables_that_give_no_credentials(stage: Stage, broken: str) -> None:
    """The variable is named where it is known, its value never."""
    env, phrase = VARIABLES[broken]
    refused(stage, NONE if phrase is UNUSABLE else NONE + phrase, env)


SETTINGS: dict[str, Environment] = {
    "mode of defaults": {"AWS_DEFAULTS_MODE": CANARY},
    "checksums": {"AWS_REQUEST_CHECKSUM_CALCULATION": CANARY},
}


@pytest.mark.parametrize("broken", SETTINGS)
def test_settings_that_no_client_can_use(stage: Stage, broken: str) -> None:
    """They stop the client from being made."""
    refused(stage, "AWS's settings cannot be used", SETTINGS[broken])


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
@pytest.mark.parametrize(
    "region", ["eu-central-1\n", " eu-central-1", "Frankfurt", "eu_central_1", "eu-central-1a", CANARY]
)
def test_a_region_that_is_none(stage: Stage, name: str, region: str) -> None:
    """In either variable; it is not quoted."""
    refused(stage, "no AWS region: ", {"AWS_REGION": None, "AWS_DEFAULT_REGION": None, name: region})


@pytest.mark.parametrize("content", [b"[default", b"\xff\xfe\x00", b"key without a section = 1\n"], ids=repr)
@pytest.mark.parametrize("variable", ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"])
def test_a_file_that_is_nonsense(stage: Stage, tmp_path: Path, variable: str, content: bytes) -> None:
    """Whichever of the two."""
    file = tmp_path / "file"
    file.write_bytes(content)
    refused(stage, NONE, {**NO_KEYS, variable: str(file)})


@pytest.mark.parametrize("command", ["plan", "run", "status"])
@pytest.mark.parametrize("broken", ["token file is missing", "key with a newline", "nothing"])
def test_each_command_says_so(stage: Stage, command: str, broken: str) -> None:
    """What is told by `plan` is told by the others."""
    env, phrase = VARIABLES[broken]
    refused(stage, NONE + phrase, env, command)


def test_the_daemon_lives_on(stage: Stage) -> None:
    """It is a tick that failed, not a process that is started anew for ever; told to stop, it ends with 0."""
    env = VARIABLES["token file is missing"][0]
    with Daemon(stage, env={**env, "ROTATOR_LOG_FORMAT": "json"}) as daemon:
        daemon.until(lambda: daemon.events("tick failed"))
        assert FILE in daemon.events("tick failed")[0]["error"]
        daemon.send(signal.SIGTERM)
        daemon.stopped(0)
