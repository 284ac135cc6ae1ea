"""Every setting of the file, declared once.

The file is read by these declarations (`file`), and the starter file (`starter`) and docs/configuration.md are written
from them. A new setting is one `Setting` here and one field of the dataclass that its schema builds; a new section is
one more line of `SECTIONS`. What holds between settings is in `rules`.
"""

from datetime import UTC, time, timedelta
from typing import get_args

from rotator.config import permissions, rules, values
from rotator.config.kinds import FLAG, array, chosen, integer, like, span, table, text
from rotator.config.schema import Default, Example, Kind, Required, Schema, Setting
from rotator.config.secret_ids import secret_id
from rotator.config.tables import (
    AdminEnvironment,
    AdminSecret,
    Api,
    AwsConfig,
    DaemonConfig,
    Hook,
    HookEvent,
    PinataConfig,
    RunConfig,
    Witness,
)
from rotator.model.secret import REGION, BareJwt, JsonFields, SecretSpec, Window
from rotator.model.times import setting_text

EVERY_MAX = timedelta(minutes=30)
"""A daemon that ticks less often could not be told from one that has stopped."""

_ANY_TIME, _SOME_TIME = span(timedelta(0)), span(timedelta(seconds=1))
_URL = text(values.base_url, "a URL, https://HOST[:PORT]")
_ID = 'the name or the ARN of a secret, such as "prod/pinata/uploader"'
_SECRET_ID = text(secret_id, _ID)

_VARIABLE = like("[A-Za-z_][A-Za-z0-9_]{0,127}", 'the name of a variable, such as "PINATA_ADMIN_JWT"', AdminEnvironment)
_API = chosen({name: name for name in get_args(Api)}, '"v3", "v3-pinata" or "legacy"')
_OWNER = like("[a-z0-9-]{1,32}", 'a name of 1 to 32 small letters, digits and "-"')
_RATE = integer(1, 100_000)
PINATA = Schema(
    PinataConfig,
    (
        Setting(
            "admin_secret",
            text(lambda written: AdminSecret(secret_id(written)), _ID),
            Required("pinata/admin", AdminSecret(""), rules.MANAGING_KEY.format("neither"), unless="admin_jwt_env"),
            "the secret that holds the managing key",
            "Its value is the JWT, or a JSON object with the field `JWT`.",
            field="admin",
        ),
        Setting(
            "admin_jwt_env",
            _VARIABLE,
            Example("PINATA_ADMIN_JWT"),
            "instead of admin_secret: the variable that holds the JWT",
            field="admin",
        ),
        Setting("api_url", _URL, Default("https://api.pinata.cloud"), "Pinata's address: https; http only on loopback"),
        Setting("api", _API, Default("v3"), '"v3" and "v3-pinata" (two spellings of v3), or "legacy"'),
        Setting(
            "proxy",
            text(values.proxy_url, "a URL, http://HOST:PORT or https://HOST:PORT"),
            Example("http://proxy.example.com:3128"),
            "the proxy for Pinata; for AWS set HTTPS_PROXY",
            "Requests go through it inside TLS; a loopback `api_url` needs no proxy. `USER:PASSWORD@` may stand before "
            "the host; then let no other user read this file.",
        ),
        Setting(
            "ca_file",
            text(values.path, 'the path of a file, such as "/etc/ssl/corporate.pem"'),
            Example("/etc/ssl/corporate.pem"),
            "the certificate authorities for Pinata, instead of the usual ones",
            "PEM; needed where a proxy inspects TLS. A relative path starts at this file's folder; no other user may "
            "be able to write it. Variables such as SSL_CERT_FILE are ignored.",
        ),
        Setting("owner", _OWNER, Default("rotator"), "begins every key's name; one for each installation"),
        Setting("requests_per_minute", _RATE, Default(60), "what your Pinata plan allows the whole account"),
        Setting("data_requests_per_minute", _RATE, Default(30), "the same for /data, where keys are verified"),
    ),
    rules.check_managing_key,
)

_REGION = like(REGION, 'a region such as "eu-central-1"')
_ROLE = like(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,576}", "the ARN of an IAM role")
_ACCOUNT = like(r"\d{12}", 'an account of 12 digits as a string, "111122223333"')
AWS = Schema(
    AwsConfig,
    (
        Setting("region", _REGION, Example("eu-central-1"), "without it AWS's own settings decide"),
        Setting("endpoint_url", _URL, Example("http://127.0.0.1:4566"), "another Secrets Manager: loopback, or https"),
        Setting("sts_endpoint_url", _URL, Example("https://sts.example.com"), "another STS, for roles and identities"),
        Setting("s3_endpoint_url", _URL, Example("https://s3.example.com"), "another S3, for the audit trail"),
        Setting("role_arn", _ROLE, Example("arn:aws:iam::111122223333:role/rotator"), "a role to assume first"),
        Setting("expected_account", _ACCOUNT, Example("111122223333"), "refuse to run in any other account"),
    ),
)

_DIRECTORY = text(values.path, 'the path of a directory, such as "/var/lib/rotator/audit"')
_BUCKET = text(values.bucket_prefix, '"s3://BUCKET" or "s3://BUCKET/PREFIX"')
_WITNESS = chosen({name: name for name in get_args(Witness)}, '"tag" or "none"')
_SIGN = text(values.signing_key, '"file:PATH" or "kms:KEY_ARN"')
_SIGNERS = text(values.pinned_signer, 'a fingerprint, "sha256:" and 64 digits from 0 to f')
AUDIT = Schema(
    values.audit,
    (
        Setting(
            "directory",
            _DIRECTORY,
            Required("/var/lib/rotator/audit", None, unless="s3"),
            "where runs are recorded; a relative path starts at this file's folder",
        ),
        Setting("s3", _BUCKET, Example("s3://my-audit-trail/rotator"), "a bucket as well, or instead: docs/audit.md"),
        Setting(
            "sign",
            _SIGN,
            Example("file:/etc/rotator/audit-key.pem"),
            "the key that signs it; or kms:KEY_ARN",
            "`rotator audit keygen` makes a key in a file, for its owner alone; a relative path starts at this file's "
            "folder. A key of AWS KMS has the spec `ECC_NIST_P256` and the usage `SIGN_VERIFY`.",
        ),
        Setting(
            "signers",
            array(_SIGNERS),
            Example([f"sha256:{'0' * 64}"]),
            "the keys that are trusted; without it that of sign",
            "Behind a fingerprint, ` until 2026-12-01T00:00:00Z` ends the trust in a key that was replaced.",
        ),
        Setting("witness", _WITNESS, Example("tag"), '"tag" or "none"; without it "tag" if sign is set'),
    ),
    rules.check_signers,
)

_LISTEN = text(values.listen_address, 'an address such as "127.0.0.1:9118"')
_EVERY = span(timedelta(seconds=1), EVERY_MAX)
_HOSTS = array(text(values.host_entry, "a host or a network, without a port"), frozenset)
_PING = text(values.ping_url, "a URL, https://HOST[:PORT]/PATH")
RUN = Schema(
    RunConfig,
    (
        Setting(
            "ping_url",
            _PING,
            Example("https://hc.example.com/id"),
            "requested after each run in which nothing failed",
            "A monitor that expects it notices a schedule that has stopped. It may be a secret, and is never shown.",
        ),
    ),
)
_EVENTS = {event.value: event for event in HookEvent}
HOOK = Schema(
    Hook,
    (
        Setting(
            "on",
            array(chosen(_EVENTS, 'an event such as "promoted"'), frozenset),
            Required(["promoted"], frozenset()),
            "the events that it is started for",
            "`promoted`, `revoked`, `failed`, `attention`: docs/consumers.md#hooks.",
        ),
        Setting(
            "command",
            array(like(".{1,4096}", "a program or an argument")),
            Required(["/usr/local/bin/push-to-vercel"], ()),
            "the program and its arguments",
            "No shell reads them. It gets one JSON object on its standard input, without secret material.",
        ),
        Setting("timeout", span(timedelta(seconds=1), timedelta(minutes=10)), Default("30s"), "then it is killed"),
    ),
    rules.check_hook,
)
DAEMON = Schema(
    DaemonConfig,
    (
        Setting(
            "listen",
            _LISTEN,
            Default("127.0.0.1:9118"),
            "where probes, metrics and the page are served",
            "With port 0 the system chooses one. An address other than loopback needs `hosts`.",
        ),
        Setting("every", _EVERY, Default("5m"), f"how often the fleet is checked, at most {setting_text(EVERY_MAX)}"),
        Setting("hosts", _HOSTS, Example(["rotator.example.com"]), "names the page answers to, besides loopback"),
        Setting("ping_url", _PING, Example("https://hc.example.com/id"), "requested after each tick that did not fail"),
    ),
)

_PART = like(".{1,256}", "the name of a field of the JSON value")
FIELDS = Schema(
    JsonFields,
    (
        Setting(
            "jwt",
            _PART,
            Example("JWT"),
            "the field that holds the token",
            "Without it consumers use the header pair alone: then both `key` and `secret` are needed, and a key is "
            "proved by its pair.",
        ),
        Setting("key", _PART, Example("pinata_api_key"), "the field that holds the API key"),
        Setting("secret", _PART, Example("pinata_api_secret"), "the field that holds the API secret"),
    ),
    rules.check_field_names,
)

_DAYS = {name: day for day, name in enumerate(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"))}
_WEEKDAYS = array(chosen(_DAYS, 'a day such as "Mon"'), frozenset)
_CLOCK = text(values.clock_time, 'a time of day such as "02:00"')
_ZONE = text(values.time_zone, 'a time zone such as "Europe/Berlin"')
WINDOW = Schema(
    Window,
    (
        Setting("days", _WEEKDAYS, Default(list(_DAYS)), "the days on which it opens"),
        Setting("from", _CLOCK, Required("02:00", time.min), "when it opens", field="start"),
        Setting("to", _CLOCK, Required("05:00", time.min), "when it closes: the next day, if not later", field="end"),
        Setting("zone", _ZONE, Required("Europe/Berlin", UTC), "the time zone of its days and times"),
    ),
    rules.check_some_day,
)

CONSUMER = Schema(
    values.consumer,
    (
        Setting(
            "ecs",
            like(r"[\w-]{1,255}/[\w-]{1,255}", 'CLUSTER/SERVICE, such as "prod/uploader"'),
            Example("prod/uploader"),
            "an ECS service, CLUSTER/SERVICE",
            "It has the current key when none of its running tasks was made before the promotion.",
        ),
        Setting(
            "lambda",
            like(r"[\w-]{1,64}(:[\w-]{1,128})?", 'FUNCTION or FUNCTION:ALIAS, such as "pinner:live"'),
            Example("pinner:live"),
            "or a Lambda function, FUNCTION or FUNCTION:ALIAS",
            "It has the current key when the version that runs was changed after the promotion.",
            field="function",
        ),
        Setting(
            "http",
            _PING,
            Example("https://uploader.internal/credential"),
            "or a service that answers with its key id",
            'Every address of the name is asked; each answers `{"key_id": "..."}` or `{"version_id": "..."}`.',
            field="url",
        ),
        Setting("redeploy", FLAG, Default(value=False), "with ecs: whether to replace its tasks after a promotion"),
    ),
    rules.check_one_consumer,
)

_NAME = like("[A-Za-z0-9._-]{1,64}", 'a name of 1 to 64 letters, digits, ".", "_" and "-"')
_PATH = like(r"/(?!/)(?:(?![\\#])[!-~]){0,1023}", 'a path on the Pinata API, such as "/v3/files?limit=1"')
_BLACKOUT = text(values.blackout, 'a day or a range of days, such as "2026-12-24" or "2026-12-24..2027-01-02"')
_FORMAT = chosen({"jwt": BareJwt()}, '"jwt", or no such key')
_ENTRY = (
    Setting("name", _NAME, Required("uploader", ""), "what the command line calls it"),
    Setting("secret_id", _SECRET_ID, Required("prod/pinata/uploader", ""), "its name or ARN in Secrets Manager"),
    Setting(
        "permissions",
        table(permissions.PERMISSIONS),
        Required({"resources": ["org:files:write"]}, permissions.NO_PERMISSIONS, permissions.MISSING),
        'what a key may do; or { endpoints = { data = ["pinList"] } }',
        "It can be set in `[defaults]` instead.",
    ),
    Setting(
        "fields",
        table(FIELDS),
        Default({"jwt": "JWT", "key": "pinata_api_key", "secret": "pinata_api_secret"}),
        "the JSON fields that hold a key",
        "All other fields stay as they are. A field that you name must be in an existing value; a default need not.",
        field="shape",
    ),
    Setting("format", _FORMAT, Example("jwt"), "instead of fields: the value is the bare token", field="shape"),
    Setting("max_uses", integer(100, 1_000_000_000), Example(1_000_000), "how often a key can be used"),
    Setting("probe", _PATH, Example("/v3/files/public?limit=1"), "a GET that a new key must be allowed"),
    Setting("negative_probe", _PATH, Example("/v3/pinata/keys"), "a GET that a new key must be refused"),
    Setting(
        "blackout",
        array(_BLACKOUT),
        Example(["2026-12-24..2027-01-02"]),
        "days without new keys, both included",
        "They begin and end in the zone of the window, or in UTC without one.",
        field="blackouts",
    ),
    Setting(
        "manages",
        FLAG,
        Default(value=False),
        "whether this is the managing key's own secret",
        "Its `secret_id` is spelled like `admin_secret`, and its permissions can manage keys. A new key is promoted "
        "once it has listed, made and revoked a key; the old one is revoked by a run that uses the new one.",
    ),
    Setting(
        "consumers",
        array(table(CONSUMER)),
        Example([{"ecs": "prod/uploader"}]),
        "who keeps a key after reading it",
        "An old key is revoked once each of them has the current one: docs/consumers.md.",
    ),
    Setting(
        "window",
        table(WINDOW),
        Example({"days": ["Mon"], "from": "02:00", "to": "05:00", "zone": "Europe/Berlin"}),
        "when new keys are made",
    ),
)
_SHARED = (
    Setting("max_age", _SOME_TIME, Default("30d"), "the age at which a key is replaced"),
    Setting("grace", _ANY_TIME, Default("24h"), "the old key lives on: longer than any consumer's cache"),
    Setting("pending_timeout", _SOME_TIME, Default("1h"), "when to give up an unfinished rotation; above timeout"),
    Setting("live_keys_max", integer(2, 100), Default(3), "the most live keys for one secret; 2 or more"),
    Setting("verify_timeout", _SOME_TIME, Default("30s"), "how long a new key may take to work"),
    Setting("timeout", _SOME_TIME, Default("2m"), "how long one run over one secret may take"),
    Setting("check_every", _ANY_TIME, Default("1h"), "how often a secret that is not due is checked at Pinata"),
    Setting("wait_at_most", _SOME_TIME, Default("14d"), "how long a consumer may be behind until a person is asked"),
    Setting("settle", _ANY_TIME, Default("5m"), "how old an interrupted attempt is when taken up again"),
)
ENTRY = Schema(SecretSpec, _ENTRY + _SHARED, rules.check_one_shape)
OWN = frozenset({"name", "secret_id", "manages", "consumers"})
DEFAULTS = ENTRY._replace(settings=tuple(s for s in ENTRY.settings if s.name not in OWN))
STAND_INS = {s.target: s.presence.stand_in for s in ENTRY.settings if isinstance(s.presence, Required)}
"""What an entry has before it is read."""

# `file` reads what these two hold, because entries inherit.
_SHARED_TABLE = Kind("a table", "", dict, lambda *_: None, settings=_SHARED)
_ENTRY_TABLES = Kind("an array of tables", "", list, lambda *_: None, "[[secrets]] entries", _ENTRY)
SECTIONS = (
    Setting("pinata", table(PINATA), Default({}), ""),
    Setting("aws", table(AWS), Default({}), ""),
    Setting("audit", table(AUDIT), Default({}), ""),
    Setting("run", table(RUN), Default({}), "read by `rotator run` alone"),
    Setting("daemon", table(DAEMON), Default({}), "read by `rotator daemon` alone"),
    Setting(
        "defaults",
        _SHARED_TABLE,
        Default({}),
        "any key of [[secrets]] except name, secret_id, manages and consumers",
        "`grace` is at most `max_age`, `verify_timeout` at most `timeout`, `pending_timeout` longer than `timeout`.",
    ),
    Setting("hooks", array(table(HOOK)), Example([]), "programs that are told what has become of a key"),
    Setting("secrets", _ENTRY_TABLES, Default([]), "one such entry for each secret"),
)
