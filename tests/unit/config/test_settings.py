"""Each setting: how it is read, and every way in which it can be wrong."""

import json
import re
import types
import typing
from collections.abc import Iterable
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import pytest

from rotator.config import settings
from rotator.config.problems import Node, Problems
from rotator.config.schema import Required, Schema, Setting
from rotator.config.tables import AdminEnvironment, AuditConfig, AwsConfig, DaemonConfig, PinataConfig
from rotator.model.secret import Blackout, Endpoints, JsonFields, Permissions, Resources, SecretSpec, Window
from tests.unit.config.texts import GOOD, PERMISSIONS, changed, loaded, problems, spec_of, with_secret

NO_TABLE = "expected a table, found the integer 3"
DURATION = 'expected a duration such as "30d", "24h", "1h30m" or "45s", found'
WINDOW = '"02:00", to = "05:00", zone = "UTC" }'
MINTS = "secrets[0].permissions: admin, and org:write too, can mint keys"
EMPTY = "secrets[0].permissions: allows nothing"
AS_IT_IS = 'Write "!org:new:write" to pass it to Pinata as it is'
SECTIONS = {
    "unknown_section": ("[aws]", "[awss]", "3: awss: unknown key; did you mean `aws`?"),
    "unknown_key": ("[aws]", "[aws]\nregoin = 1", "4: aws.regoin: unknown key; did you mean `re"),
    "far_off_key": ("[aws]", "[aws]\nzzz = 1", "4: aws.zzz: unknown key; known here: endpoint_url"),
    "quoted_key": ("[aws]", '[aws]\n"a\\n b" = 1', '3: aws."a\\n b": unknown key; known here:'),
    "not_a_section": (
        '[audit]\ndirectory = "/audit"\n[defaults]',
        "[audit]\ndirectory = '/a'\n[[defaults]]",
        "6: defaults: expected a table, found an array",
    ),
    "no_admin": ("admin_secret", "#", "1: pinata.admin_secret: the managing key comes from"),
    "two_admins": ("[pinata]", '[pinata]\nadmin_jwt_env = "A"', "3: pinata.admin_secret: the managing key comes from"),
    "admin_variable": (
        'admin_secret = "pinata/admin"',
        'admin_jwt_env = "$A"',
        '2: pinata.admin_jwt_env: expected the name of a variable, such as "PINATA_ADMIN_JWT", fo',
    ),
    "admin_id": ("pinata/admin", "a b", "2: pinata.admin_secret: expected the name or the ARN of"),
    "api": ("[pinata]", '[pinata]\napi = "v3-pinat"', '2: pinata.api: unknown name "v3-pinat"; did'),
    "api_type": (
        "[pinata]",
        "[pinata]\napi = 3",
        '2: pinata.api: expected "v3", "v3-pinata" or "legacy", found the integer 3',
    ),
    "api_url": ("[pinata]", '[pinata]\napi_url = "http://a.b"', "2: pinata.api_url: http is for lo"),
    "owner": ("[pinata]", '[pinata]\nowner = "A/b"', "2: pinata.owner: expected a name of 1 to 32"),
    "rate": (
        "[pinata]",
        "[pinata]\nrequests_per_minute = 0",
        "2: pinata.requests_per_minute: expected an integer from 1 to 100000, found the integer 0",
    ),
    "data_rate": (
        "[pinata]",
        "[pinata]\ndata_requests_per_minute = true",
        "2: pinata.data_requests_per_minute: expected an integer from 1 to 100000, found the bool",
    ),
    "region": ("[aws]", '[aws]\nregion = "Frankfurt"', "4: aws.region: expected a region such as"),
    "endpoint": ("[aws]", '[aws]\nendpoint_url = "https://10.0.0.1"', "4: aws.endpoint_url: expec"),
    "role": ("[aws]", '[aws]\nrole_arn = "rotator"', "4: aws.role_arn: expected the ARN of an IAM"),
    "account": (
        "[aws]",
        "[aws]\nexpected_account = 111122223333",
        "4: aws.expected_account: expected an account of 12 digits as a string",
    ),
    "no_directory": ("directory", "#", "4: audit.directory: is missing; expected the path of a directory"),
    "empty_directory": ('"/audit"', '""', "5: audit.directory: expected the path of a directory"),
    "home_directory": ('"/audit"', '"~/audit"', "5: audit.directory: `~` is not expanded here"),
    "s3": ("[audit]", '[audit]\ns3 = "https://b/p"', '5: audit.s3: expected "s3://BUCKET" or'),
    "default_name": ("[defaults]", '[defaults]\nname = "a"', "7: defaults.name: has no default"),
    "default_id": ("[defaults]", '[defaults]\nsecret_id = "a"', "7: defaults.secret_id: has no default"),
    "default_duration": ("[defaults]", '[defaults]\ngrace = "x"', f"7: defaults.grace: {DURATION}"),
    "default_pair": (
        "[defaults]",
        '[defaults]\ngrace = "31d"',
        "7: defaults.grace: `grace` (31d) must not be longer than `max_age` (30d)",
    ),
    "default_age": (
        "[defaults]",
        '[defaults]\nmax_age = "12h"',
        "7: defaults.max_age: `grace` (1d) must not be longer than `max_age` (12h)",
    ),
    "secrets_type": ("[[secrets]]", "[secrets]", "7: secrets: expected [[secrets]] entries, found"),
    "no_name": ("name", "#", "7: secrets[0].name: is missing; expected a name of 1 to 64"),
    "no_id": ("secret_id", "#", "7: secrets[0].secret_id: is missing; expected the name or the"),
    "no_permissions": ("permissions", "#", "7: secrets[0].permissions: is missing; for example"),
    "name": ('"uploader"', '"a/b"', "8: secrets[0].name: expected a name of 1 to 64 letters"),
    "long_name": ('"uploader"', f'"{"a" * 65}"', "8: secrets[0].name: expected a name of 1 to 64"),
    "id": ('"prod/uploader"', '"a*"', "9: secrets[0].secret_id: expected the name or the ARN of a"),
    "permissions_type": (PERMISSIONS, "permissions = 3", f"10: secrets[0].permissions: {NO_TABLE}"),
    "syntax": ("[aws]", "[aws]\nregion eu", "4:8: not TOML: Expected '=' after a key"),
    "syntax_at_end": (PERMISSIONS, "a = [", "11:1: not TOML: "),
}
PERMISSION_CASES = {
    "none": ("{}", "secrets[0].permissions: expected exactly one of resources, endpoints and"),
    "two": (
        '{ resources = ["org:read"], endpoints = { data = ["pinList"] } }',
        "secrets[0].permissions: expected exactly one of resources, endpoints and admin; found res",
    ),
    "unknown": ('{ scopes = [], resources = ["org:read"] }', "secrets[0].permissions.scopes: unknown key"),
    "scope": (
        '{ resources = ["org:read", "org:file:write"] }',
        'secrets[0].permissions.resources[1]: unknown name "org:file:write"; did you mean `org:fi',
    ),
    "new_scope": (
        '{ resources = ["org:new:write"] }',
        f'secrets[0].permissions.resources[0]: unknown name "org:new:write"; did you mean `org:write`? {AS_IT_IS}',
    ),
    "shouted": ('{ resources = ["!!org:new:write"] }', "secrets[0].permissions.resources[0]: unknown name"),
    "shouted_mint": ('{ resources = ["!org:write"] }', MINTS),
    "scope_type": ("{ resources = [1] }", "secrets[0].permissions.resources[0]: expected a scope"),
    "no_array": (
        '{ resources = "org:read" }',
        "secrets[0].permissions.resources: expected an array, each a scope, found the string",
    ),
    "no_scope": ("{ resources = [] }", EMPTY),
    "group": ("{ endpoints = { pining = [] } }", "secrets[0].permissions.endpoints.pining: unkn"),
    "endpoint": (
        '{ endpoints = { data = ["pinlist"] } }',
        'secrets[0].permissions.endpoints.data[0]: unknown name "pinlist"; did you mean `pinList`?',
    ),
    "switch": (
        "{ endpoints = { data = { pinlist = true } } }",
        "secrets[0].permissions.endpoints.data.pinlist: unknown key; did you mean `pinList`?",
    ),
    "switch_type": (
        "{ endpoints = { data = { pinList = 1 } } }",
        "secrets[0].permissions.endpoints.data.pinList: expected true or false, found the integer",
    ),
    "all_off": ("{ endpoints = { data = { pinList = false } } }", EMPTY),
    "admin_off": ("{ admin = false }", EMPTY),
    "admin_type": ('{ admin = "yes" }', "secrets[0].permissions.admin: expected true or false, f"),
    "admin": ("{ admin = true }", MINTS),
    "org_write": ('{ resources = ["org:read", "org:write"] }', MINTS),
}
SECRET_CASES = {
    "unknown": ("maxage = 1", "secrets[0].maxage: unknown key; did you mean `max_age`?"),
    "duration": ('max_age = "30 days"', f'secrets[0].max_age: {DURATION} the string "30 days"'),
    "duration_type": ("grace = 24", f"secrets[0].grace: {DURATION} the integer 24"),
    "endless": ('max_age = "11w520w"', f"secrets[0].max_age: {DURATION}"),
    "too_long": ('max_age = "3654d"', 'secrets[0].max_age: "3654d" is longer than 10 years'),
    "no_age": ('max_age = "0s"\ngrace = "0s"', 'secrets[0].max_age: "0s" is too short; at least'),
    "no_time": ('timeout = "0s"', 'secrets[0].timeout: "0s" is too short; at least 1s'),
    "one_key": ("live_keys_max = 1", "secrets[0].live_keys_max: expected an integer from 2 to 100"),
    "few_uses": ("max_uses = 99", "secrets[0].max_uses: expected an integer from 100 to 1000000000"),
    "float": ("max_uses = 1e3", "secrets[0].max_uses: expected an integer from 100 to 1000000000, f"),
    "huge": (f"max_uses = 0x{'f' * 5000}", "secrets[0].max_uses: expected an integer from 100 to "),
    "grace": ('grace = "31d"', "secrets[0].grace: `grace` (31d) must not be longer than `max_age` (30d)"),
    "age": ('max_age = "12h"', "secrets[0].max_age: `grace` (1d) must not be longer than `max_age` (12h)"),
    "verify": (
        'verify_timeout = "121s"',
        "secrets[0].verify_timeout: `verify_timeout` (2m1s) must not be longer than `timeout` (2m)",
    ),
    "pending": (
        'pending_timeout = "2m"',
        "secrets[0].pending_timeout: `pending_timeout` (2m) must be longer than `timeout` (2m)",
    ),
    "format": ('format = "json"', 'secrets[0].format: unknown name "json"; known: jwt'),
    "format_fields": (
        'format = "jwt"\nfields = { jwt = "JWT" }',
        'secrets[0].fields: `format = "jwt"` is the bare token, which has no fields',
    ),
    "no_jwt": ('fields = { key = "K" }', "secrets[0].fields: names no credential: `jwt`, the field"),
    "no_key": ('fields = { secret = "S" }', "secrets[0].fields: names no credential: `jwt`, the field"),
    "one_field": ('fields = { jwt = "A", key = "A" }', "secrets[0].fields: two of the names are"),
    "no_field": ('fields = { jwt = "" }', "secrets[0].fields.jwt: expected the name of a field"),
    "field": ('fields = { jwt = "A", kee = "B" }', "secrets[0].fields.kee: unknown key; did you"),
    "probe": ('probe = "//evil.example/x"', "secrets[0].probe: expected a path on the Pinata API"),
    "negative": ('negative_probe = "v3"', "secrets[0].negative_probe: expected a path on the Pina"),
    "probes": ('probe = "/a"\nnegative_probe = "/a"', "secrets[0].negative_probe: is the same path"),
    "day": (
        f'window = {{ days = ["Mo"], from = {WINDOW}',
        'secrets[0].window.days[0]: unknown name "Mo"; did you mean `Mon`?',
    ),
    "no_days": (f"window = {{ days = [], from = {WINDOW}", "secrets[0].window.days: is empty"),
    "no_from": ('window = { to = "05:00", zone = "UTC" }', "secrets[0].window.from: is missing"),
    "no_to": ('window = { from = "05:00", zone = "UTC" }', "secrets[0].window.to: is missing"),
    "no_zone": ('window = { from = "05:00", to = "06:00" }', "secrets[0].window.zone: is missing"),
    "clock": (
        'window = { from = "24:00", to = "05:00", zone = "UTC" }',
        'secrets[0].window.from: expected a time of day such as "02:00", found the string "24:00"',
    ),
    "clock_type": (
        'window = { from = 02:00:00, to = "05:00", zone = "UTC" }',
        'secrets[0].window.from: expected a time of day such as "02:00", found a date or time',
    ),
    "zone": (
        'window = { from = "02:00", to = "05:00", zone = "Europe/Berln" }',
        'secrets[0].window.zone: unknown time zone "Europe/Berln"; did you mean `Europe/Berlin`?',
    ),
    "zone_path": (
        'window = { from = "02:00", to = "05:00", zone = "../../etc/passwd" }',
        'secrets[0].window.zone: unknown time zone "../../etc/passwd"; expected a name such as',
    ),
    "window_key": (f"window = {{ start = 1, from = {WINDOW}", "secrets[0].window.start: unknown"),
    "window": ("window = 3", f"secrets[0].window: {NO_TABLE}"),
    "blackout": ('blackout = ["24.12."]', "secrets[0].blackout[0]: expected a day or a range of"),
    "blackout_type": ('blackout = "2026-12-24"', "secrets[0].blackout: expected an array, each a"),
    "no_such_day": ('blackout = ["2026-02-30"]', 'secrets[0].blackout[0]: "2026-02-30" names a day'),
    "backwards": (
        'blackout = ["2027-01-02..2026-12-24"]',
        'secrets[0].blackout[0]: "2027-01-02..2026-12-24" ends before it begins',
    ),
}


def test_every_key_is_read(tmp_path: Path) -> None:
    """Each key of each section arrives where it belongs."""
    config = loaded(
        tmp_path,
        """
        [pinata]
        api_url = "http://127.0.0.1:8080/"
        api = "legacy"
        admin_jwt_env = "PINATA_ADMIN_JWT"
        owner = "team-a"
        requests_per_minute = 250
        data_requests_per_minute = 90
        [aws]
        region = "us-gov-west-1"
        endpoint_url = "https://secretsmanager.internal"
        sts_endpoint_url = "https://sts.internal"
        s3_endpoint_url = "https://s3.internal"
        role_arn = "arn:aws:iam::111122223333:role/path/rotator"
        expected_account = "111122223333"
        [audit]
        directory = "trail"
        [[secrets]]
        name = "Up.load_er-1"
        secret_id = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/up-AbCdEf"
        permissions.endpoints.data = ["pinList"]
        permissions.endpoints.pinning = { unpin = true, pinJobs = false }
        fields = { jwt = "TOKEN", key = "KEY" }
        max_age = "12h"
        grace = "0s"
        pending_timeout = "5m"
        live_keys_max = 2
        verify_timeout = "10s"
        timeout = "1m30s"
        check_every = "1w"
        settle = "0s"
        max_uses = 100
        probe = "/data/pinList?pageLimit=1"
        negative_probe = "/users/apiKeys"
        window = { days = ["Mon", "Sun"], from = "22:30", to = "05:00", zone = "Europe/Berlin" }
        blackout = ["2026-12-24", "2026-12-30..2027-01-02"]
        """,
    )
    assert config.pinata == PinataConfig(
        "http://127.0.0.1:8080", "legacy", AdminEnvironment("PINATA_ADMIN_JWT"), "team-a", 250, 90
    )
    assert config.aws == AwsConfig(
        "us-gov-west-1",
        "https://secretsmanager.internal",
        "https://sts.internal",
        "https://s3.internal",
        "arn:aws:iam::111122223333:role/path/rotator",
        "111122223333",
    )
    assert config.audit == AuditConfig(tmp_path / "trail")
    assert config.secrets == (
        SecretSpec(
            name="Up.load_er-1",
            secret_id="arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/up-AbCdEf",
            permissions=Endpoints(frozenset({"data.pinList", "pinning.unpin"})),
            shape=JsonFields("TOKEN", "KEY", None, "config"),
            max_age=timedelta(hours=12),
            grace=timedelta(0),
            pending_timeout=timedelta(minutes=5),
            live_keys_max=2,
            verify_timeout=timedelta(seconds=10),
            timeout=timedelta(seconds=90),
            check_every=timedelta(days=7),
            settle=timedelta(0),
            max_uses=100,
            probe="/data/pinList?pageLimit=1",
            negative_probe="/users/apiKeys",
            window=Window(frozenset({0, 6}), time(22, 30), time(5), ZoneInfo("Europe/Berlin")),
            blackouts=(
                Blackout(date(2026, 12, 24), date(2026, 12, 24)),
                Blackout(date(2026, 12, 30), date(2027, 1, 2)),
            ),
        ),
    )


def test_window_covers_every_day_unless_it_names_some(tmp_path: Path) -> None:
    """Without `days` a window is open daily."""
    spec = spec_of(tmp_path, 'window = { from = "02:00", to = "05:00", zone = "UTC" }')
    assert spec.window == Window(frozenset(range(7)), time(2), time(5), ZoneInfo("UTC"))


@pytest.mark.parametrize(("old", "new", "problem"), SECTIONS.values(), ids=SECTIONS)
def test_problem_in_a_section(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """One mistake gives one line, with its line number, its key and what was expected."""
    text = GOOD.replace("\n" + old, "\n" + new, 1) if old in {"name", "secret_id"} else None
    found = problems(tmp_path, text or changed(old, new))
    assert len(found) == 1, found
    assert found[0].startswith(problem)


@pytest.mark.parametrize(("line", "problem"), SECRET_CASES.values(), ids=SECRET_CASES)
def test_problem_in_an_entry(tmp_path: Path, line: str, problem: str) -> None:
    """One mistake in an entry gives one line, and is found on a line below the good ones."""
    found = problems(tmp_path, with_secret(line))
    assert len(found) == 1, found
    assert re.match(r"1[12]: ", found[0])
    assert found[0].partition(": ")[2].startswith(problem)


@pytest.mark.parametrize(("permissions", "problem"), PERMISSION_CASES.values(), ids=PERMISSION_CASES)
def test_problem_in_permissions(tmp_path: Path, permissions: str, problem: str) -> None:
    """Permissions are of one kind, known, not empty, and never enough to mint keys."""
    text = changed(PERMISSIONS, f"permissions = {permissions}")
    assert [p.startswith(f"10: {problem}") for p in problems(tmp_path, text)] == [True]


@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        ('{ resources = ["!org:new:write", "org:read"] }', Resources(frozenset({"org:new:write", "org:read"}))),
        ('{ resources = ["!org:files:read"] }', Resources(frozenset({"org:files:read"}))),
        ('{ endpoints = { data = ["!newList"] } }', Endpoints(frozenset({"data.newList"}))),
        ('{ endpoints = { data = ["!pinList"] } }', Endpoints(frozenset({"data.pinList"}))),
    ],
)
def test_a_new_scope_passes_by_consent(tmp_path: Path, permissions: str, expected: Permissions) -> None:
    """A scope that Pinata has added since is passed as written, without the mark that asks for it."""
    config = loaded(tmp_path, changed(PERMISSIONS, f"permissions = {permissions}"))
    assert config.secrets[0].permissions == expected


def test_daemon_table(tmp_path: Path) -> None:
    """Each key of the daemon is read, and each has a default."""
    assert loaded(tmp_path, GOOD).daemon == DaemonConfig(("127.0.0.1", 9118), timedelta(minutes=5), None, frozenset())
    text = """[daemon]
listen = "[::1]:0"
every = "30s"
ping_url = "https://hc.example.com/0123?rid=4"
hosts = ["Rotator.example.com", "[fd00::1]", "10.0.0.0/8"]
"""
    daemon = loaded(tmp_path, GOOD + text).daemon
    assert daemon == DaemonConfig(
        ("::1", 0),
        timedelta(seconds=30),
        "https://hc.example.com/0123?rid=4",
        frozenset({"rotator.example.com", "fd00::1", "10.0.0.0/8"}),
    )
    assert "0123" not in repr(daemon)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('listen = "9118"', "expected an address"),
        ('listen = "example.com:80"', "expected an address"),
        ('listen = "127.0.0.1:65536"', "expected an address"),
        ('every = "0s"', "too short"),
        ('every = "30m1s"', "too long; at most 30m"),
        ('ping_url = "http://example.com/x"', "http is for loopback"),
        ('ping_url = "https://u:p@example.com/x"', "no user name"),
        ('ping_url = "https://example.com/x y"', "printable ASCII"),
        ('ping_url = "https://169.254.169.254/x"', "no IP address"),
        ('hosts = ["a b"]', "a host or a network"),
        ('pingurl = "https://example.com"', "did you mean `ping_url`?"),
    ],
)
def test_daemon_table_that_is_refused(tmp_path: Path, line: str, problem: str) -> None:
    """Each mistake is reported at its key, and an address that may be a secret is never quoted."""
    (found,) = problems(tmp_path, f"{GOOD}[daemon]\n{line}\n")
    assert problem in found
    assert "/x" not in found


@pytest.mark.parametrize("text", ["/", "/v3/files/public?limit=1&name=a%20b", f"/{'a' * 1023}"])
def test_probe_path(tmp_path: Path, text: str) -> None:
    """A path, with or without a query."""
    assert spec_of(tmp_path, f"probe = {json.dumps(text)}").probe == text


@pytest.mark.parametrize(
    "text", ["", "v3", "//evil.example", "/\\evil.example", "/a b", "/a\n", "/a#b", "/ä", f"/{'a' * 1024}"]
)
def test_no_probe_path(tmp_path: Path, text: str) -> None:
    """Nothing that could name another host or break out of a request line."""
    (found,) = problems(tmp_path, with_secret(f"probe = {json.dumps(text)}"))
    assert found.startswith("11: secrets[0].probe: expected a path on the Pinata API")


SCHEMAS = {name: schema for name, schema in vars(settings).items() if isinstance(schema, Schema)}


@pytest.mark.parametrize(
    ("build", "setting"),
    [(schema.build, setting) for schema in SCHEMAS.values() for setting in schema.settings],
    ids=[f"{name}-{setting.name}" for name, schema in SCHEMAS.items() for setting in schema.settings],
)
def test_values_have_the_types_of_their_fields(build: type, setting: Setting) -> None:
    """What a declaration shows can be read, and it and what stands in for it fit the field of the dataclass."""
    problems = Problems()
    value = setting.kind.read(Node(setting.presence.value, (), problems))
    hint = get_type_hints(build)[setting.target]
    assert not problems
    assert fits(value, hint)
    if isinstance(setting.presence, Required):
        assert fits(setting.presence.stand_in, hint)


def fits(value: object, hint: Any) -> bool:  # noqa: ANN401 - a type, a union, or a generic
    """Tell whether a value is of the type that a field is annotated with."""
    arguments = get_args(hint)
    match get_origin(hint):
        case None:
            return isinstance(value, hint)
        case typing.Literal:
            return value in arguments
        case types.UnionType | typing.Union:
            return any(fits(value, argument) for argument in arguments)
        case origin:
            inner = value if isinstance(value, Iterable) else ()
            return isinstance(value, origin) and all(any(fits(v, a) for a in arguments if a is not ...) for v in inner)
