"""The configuration file as a whole: what it comes to, what cannot be read, and what is never said."""

import errno
import os
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from rotator.config.file import SIZE_MAX_BYTES, Config, find_path, load, parse
from rotator.config.tables import AdminSecret, AuditConfig, AwsConfig, DaemonConfig, PinataConfig, RunConfig
from rotator.model.errors import ConfigError, Remedy
from rotator.model.secret import BareJwt, Blackout, JsonFields, Resources, SecretSpec
from tests.unit.config.texts import GOOD, changed, loaded, problems, with_default, with_secret, written

TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzY29wZWRLZXlLZXkiOiJhYmMifQ.c2lnbmF0dXJlc2lnbmF0dXJl"
TOKEN_LIKE = re.compile(r"eyJ[A-Za-z0-9_-]{8}|c2lnbmF0dXJl")


def refusal(path: Path) -> ConfigError:
    """Why a file cannot be used."""
    with pytest.raises(ConfigError) as raised:
        load(path)
    return raised.value


def test_everything_but_the_necessary_has_a_default(tmp_path: Path) -> None:
    """The shortest configuration comes to the documented defaults."""
    path = written(tmp_path, GOOD)
    assert load(path) == Config(
        PinataConfig("https://api.pinata.cloud", "v3", AdminSecret("pinata/admin"), "rotator", 60, 30),
        AwsConfig(None, None, None, None),
        AuditConfig(Path("/audit")),
        (
            SecretSpec(
                name="uploader",
                secret_id="prod/uploader",
                permissions=Resources(frozenset({"org:files:write"})),
                shape=JsonFields("JWT", "pinata_api_key", "pinata_api_secret", "default"),
                max_age=timedelta(days=30),
                grace=timedelta(days=1),
                pending_timeout=timedelta(hours=1),
                live_keys_max=3,
                verify_timeout=timedelta(seconds=30),
                timeout=timedelta(minutes=2),
                check_every=timedelta(hours=1),
                settle=timedelta(minutes=5),
            ),
        ),
        path,
        DaemonConfig(("127.0.0.1", 9118), timedelta(minutes=5), None, frozenset()),
        RunConfig(),
    )


def test_defaults_name_the_fields(tmp_path: Path) -> None:
    """Fields that are named in `[defaults]` are named by the configuration, and must be in an existing value."""
    config = loaded(tmp_path, with_default('fields = { jwt = "TOKEN" }'))
    assert config.secrets[0].shape == JsonFields("TOKEN", None, None, "config")


def test_defaults_name_no_secret(tmp_path: Path) -> None:
    """An entry without name and id is incomplete, whatever is in `[defaults]`."""
    text = """[pinata]
admin_secret = "pinata/admin"
[audit]
directory = "/audit"
[defaults]
permissions = { resources = ["org:read"] }
name = "a"
secret_id = "a"
[[secrets]]
"""
    assert [problem.partition(";")[0] for problem in problems(tmp_path, text)] == [
        "7: defaults.name: has no default: it belongs in each [[secrets]] entry",
        "8: defaults.secret_id: has no default: it belongs in each [[secrets]] entry",
        "9: secrets[0].name: is missing",
        "9: secrets[0].secret_id: is missing",
    ]


def test_entries_are_tables(tmp_path: Path) -> None:
    """Each entry that is not a table is a problem of its own; the others are read."""
    assert problems(tmp_path, f"secrets = [1, {{ x = 1 }}]\n{GOOD.partition('[[secrets]]')[0]}")[:2] == [
        "1: secrets[0]: expected a table, found the integer 1",
        '1: secrets[1].name: is missing; expected a name of 1 to 64 letters, digits, ".", "_" and "-"',
    ]


def test_a_configuration_from_elsewhere() -> None:
    """It is named by its address, and its relative paths start at a folder that the caller names."""
    text = changed('"/audit"', '"trail"')
    config = parse(text.encode(), "s3://settings/a.toml", Path("/var/task"))
    assert (config.path, config.audit.directory) == (Path("/var/task/rotator.toml"), Path("/var/task/trail"))
    for content, problem in (
        (b"x = 1", ":1: x: unknown key; known here: audit, aws"),
        (b"\xff", ": is not UTF-8 text"),
    ):
        with pytest.raises(ConfigError) as raised:
            parse(content, "s3://settings/a.toml", Path("/"))
        assert f"s3://settings/a.toml{problem}" in raised.value.message


def test_defaults_are_inherited_and_overruled(tmp_path: Path) -> None:
    """An entry takes what it does not say from `[defaults]`, permissions and format included."""
    text = """
    [pinata]
    admin_secret = "pinata/admin"
    [audit]
    directory = "/audit"
    [defaults]
    max_age = "7d"
    format = "jwt"
    permissions = { resources = ["org:files:read"] }
    blackout = ["2026-12-24"]
    [[secrets]]
    name = "a"
    secret_id = "a"
    [[secrets]]
    name = "b"
    secret_id = "b"
    max_age = "8d"
    fields = { jwt = "JWT" }
    permissions = { resources = ["org:read"] }
    blackout = []
    """
    inheriting, overruling = loaded(tmp_path, text).secrets
    assert inheriting.max_age == timedelta(days=7)
    assert inheriting.shape == BareJwt()
    assert inheriting.permissions == Resources(frozenset({"org:files:read"}))
    assert inheriting.blackouts == (Blackout(date(2026, 12, 24), date(2026, 12, 24)),)
    assert overruling.max_age == timedelta(days=8)
    assert overruling.shape == JsonFields("JWT", None, None, "config")
    assert overruling.permissions == Resources(frozenset({"org:read"}))
    assert overruling.blackouts == ()


def test_a_file_without_secrets_is_a_mistake(tmp_path: Path) -> None:
    """With nothing to rotate something is missing, and the defaults are read all the same."""
    text = GOOD.partition("[[secrets]]")[0] + 'settle = "x"\n'
    first, second = problems(tmp_path, text)
    assert first == "secrets: expected at least one [[secrets]] entry"
    assert second.startswith("7: defaults.settle: expected a duration")


def test_every_problem_is_reported_at_once(tmp_path: Path) -> None:
    """Mistakes all over the file come in one message, in the order of the file."""
    text = """[pinata]
admin_secret = 3
api = "v2"
[aws]
account = "111122223333"
[defaults]
max_age = "1 month"
grace = "60d"
[[secrets]]
name = "a"
secret_id = "a"
probe = "x"
permissions = { resources = ["org:fils:write"], endpoint = [] }
[[secrets]]
name = "a"
window = { from = "2", to = "3" }
"""
    places = [": ".join(p.split(": ")[:2]) for p in problems(tmp_path, text)]
    assert places == [
        'audit.directory: is missing; expected the path of a directory, such as "/var/lib/rotator/audit"; or set `s3`',
        "2: pinata.admin_secret",
        "3: pinata.api",
        "5: aws.account",
        "7: defaults.max_age",
        "12: secrets[0].probe",
        "13: secrets[0].permissions.resources[0]",
        "13: secrets[0].permissions.endpoint",
        "14: secrets[1].secret_id",
        "14: secrets[1].permissions",
        "15: secrets[1].name",
        "16: secrets[1].window.zone",
        "16: secrets[1].window.from",
        "16: secrets[1].window.to",
    ]


@pytest.mark.parametrize(
    "text",
    [
        changed("pinata/admin", TOKEN),
        changed("[aws]", f'[aws]\nregion = "{TOKEN}"'),
        changed("[aws]", f'[aws]\nendpoint_url = "https://{TOKEN}"'),
        changed("[aws]", f'[aws]\n"{TOKEN}" = 1'),
        changed("[aws]", f"[aws]\n{TOKEN} = 1\n{TOKEN} = 2"),
        changed("[aws]", f"[{TOKEN}]\n[{TOKEN}]"),
        changed("[aws]", f"[aws]\nregion = {TOKEN}"),
        changed("[aws]", f"[aws] # {TOKEN}"),
        with_secret(f'max_age = "{TOKEN}"'),
        with_secret(f'window = {{ from = "02:00", to = "03:00", zone = "{"x" * 50}{TOKEN}" }}'),
        with_secret(f'fields = {{ jwt = "{TOKEN}" }}'),
    ],
    ids=["id", "text", "url", "key", "twice", "header", "bare", "comment", "time", "cut", "field"],
)
def test_a_token_is_refused_and_never_quoted(tmp_path: Path, text: str) -> None:
    """Wherever a token stands, its place is named and no part of it is repeated."""
    found = problems(tmp_path, text)
    before = text[: text.index(TOKEN)].split("\n")
    place = f"{len(before)}:{len(before[-1]) + 1}"
    assert any(problem.startswith(f"{place}: this looks like a token") for problem in found)
    assert not any(TOKEN_LIKE.search(problem) for problem in found)


API_SECRET = "0123456789abcdef" * 4
ACCESS_KEY = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"


@pytest.mark.parametrize("secret", [API_SECRET, ACCESS_KEY])
@pytest.mark.parametrize("setting", ['"prod/uploader"', '"pinata/admin"', '"uploader"'])
def test_any_secret_is_refused_and_never_quoted(tmp_path: Path, secret: str, setting: str) -> None:
    """A key's secret and an AWS secret access key are withheld as tokens are, also where they would be a fine name."""
    found = problems(tmp_path, changed(setting, f'"{secret}"'))
    assert any("this looks like a token or another secret" in problem for problem in found)
    assert not any(secret[:12] in problem for problem in found)


def test_fingerprints_of_signers_are_no_secret(tmp_path: Path) -> None:
    """The fingerprint of a signer of the trail may stand in the file; the same text elsewhere is refused."""
    digest = f'signers = ["sha256:{API_SECRET}", "sha256:{API_SECRET[::-1]} until 2026-12-01T00:00:00Z"]'
    signers = loaded(tmp_path, changed("[audit]", f"[audit]\n{digest}")).audit.signers
    assert [signer.fingerprint for signer in signers] == [f"sha256:{API_SECRET}", f"sha256:{API_SECRET[::-1]}"]
    assert any("looks like" in p for p in problems(tmp_path, changed("[aws]", f"[aws]\n{digest}")))


def test_byte_order_mark(tmp_path: Path) -> None:
    """A mark before UTF-8 is skipped; UTF-16, as PowerShell writes it, is named."""
    path = tmp_path / "rotator.toml"
    path.write_bytes(GOOD.encode("utf-8-sig"))
    assert load(path).secrets
    path.write_bytes(GOOD.encode("utf-16"))
    with pytest.raises(ConfigError, match="is UTF-16 text"):
        load(path)


def test_a_token_in_disguise_is_not_quoted_either(tmp_path: Path) -> None:
    """A token written with an escape is seen once it is decoded, before it is repeated."""
    found = problems(tmp_path, with_secret(f'max_age = "\\u0065{TOKEN[1:]}"'))
    assert "withheld" in found[-1]
    assert not any(TOKEN_LIKE.search(problem) for problem in found)


def test_passwords_in_addresses_are_not_quoted(tmp_path: Path) -> None:
    """A refused address is not repeated, for it may hold a password."""
    (found,) = problems(tmp_path, changed("[pinata]", '[pinata]\napi_url = "https://u:hunter2@h"'))
    assert "hunter2" not in found


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b'# a\n# \xff\n[pinata]\nadmin_secret = "a"', "is not UTF-8 text; the first wrong byte is on line 2"),
        (b"#" * (SIZE_MAX_BYTES + 1), f"is larger than {SIZE_MAX_BYTES} bytes"),
        (b"a = " + b"[" * 100_000, "is nested too deeply"),
        (b"a = " + b"9" * 5_000, "not TOML: "),
    ],
    ids=["encoding", "size", "depth", "digits"],
)
def test_unreadable_content(tmp_path: Path, content: bytes, problem: str) -> None:
    """What cannot be text of a sensible size is refused as a whole."""
    (found,) = problems(tmp_path, content)
    assert found.startswith(problem)


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    """A file of exactly one mebibyte is still taken."""
    assert SIZE_MAX_BYTES == 1_048_576
    assert loaded(tmp_path, GOOD.ljust(SIZE_MAX_BYTES, "\n")).secrets


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    """Whoever can write the file can send keys elsewhere."""
    path = written(tmp_path, GOOD)
    path.chmod(mode)
    error = refusal(path)
    assert error.message == f"{path}: can be written by others, who could redirect keys; run `chmod go-w` on it"
    assert error.remedy is Remedy.CONFIG


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    """Kubernetes mounts files as symbolic links; where the link stands is where the file stands."""
    (tmp_path / "data").mkdir()
    target = written(tmp_path / "data", changed('"/audit"', '"audit"'))
    link = tmp_path / "rotator.toml"
    link.symlink_to(target)
    assert load(link).audit.directory == tmp_path / "audit"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory and a pipe are refused without waiting; of a missing file it says what to do."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe"):
        assert refusal(path).message == f"{path}: is not a regular file"
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert refusal(loop).message == f"{loop}: cannot be read: {os.strerror(errno.ELOOP)}"
    missing = refusal(tmp_path / "none.toml")
    assert missing.message == f"{tmp_path / 'none.toml'}: does not exist"
    assert "rotator init" in missing.next_step


def test_path_of_the_file() -> None:
    """The option wins over the variable, the variable over the usual place."""
    env = {"ROTATOR_CONFIG": "/etc/rotator.toml"}
    assert find_path(Path("a.toml"), env) == Path("a.toml")
    assert find_path(None, env) == Path("/etc/rotator.toml")
    assert find_path(None, {"ROTATOR_CONFIG": ""}) == Path("config/rotator.toml")
    assert find_path(None, {}) == Path("config/rotator.toml")
