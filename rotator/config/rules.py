"""What holds between settings: functions that note problems and change nothing."""

from collections.abc import Iterable

from rotator.config.problems import Node
from rotator.config.tables import AuditConfig, Hook, PinataConfig
from rotator.config.values import quoted
from rotator.model.consumers import Consumer, EcsService
from rotator.model.secret import JsonFields, SecretSpec, Window
from rotator.model.times import setting_text

MANAGING_KEY = (
    "the managing key comes from `admin_secret`, a secret, or from `admin_jwt_env`, a variable; found {} of them"
)


def check_managing_key(_pinata: PinataConfig, table: Node) -> None:
    """Check that the managing key is not named twice."""
    if table.has("admin_secret") and table.has("admin_jwt_env"):
        table.at("admin_secret").note(MANAGING_KEY.format("both"))


def check_field_names(fields: JsonFields, table: Node) -> None:
    """Check that a token or a header pair is stored, and no two parts of a key in one field."""
    is_whole = fields.jwt is not None or (fields.key is not None and fields.secret is not None)
    if not is_whole and not table.is_faulty():
        table.note("names no credential: `jwt`, the field of the token, or both `key` and `secret`, or all three")
    names = [name for name in (fields.jwt, fields.key, fields.secret) if name is not None]
    if len(set(names)) < len(names):
        table.note("two of the names are the same")


def check_one_consumer(consumer: Consumer, table: Node) -> None:
    """Check that an entry names one consumer, and asks only a service to be redeployed."""
    kinds = [kind for kind in ("ecs", "lambda", "http") if table.has(kind)]
    if len(kinds) != 1 and not table.is_faulty():
        table.note(f"names one of `ecs`, `lambda` and `http`; found {len(kinds)} of them")
    if table.has("redeploy") and not isinstance(consumer, EcsService):
        table.at("redeploy").note("is for `ecs` alone; elsewhere deploy by a hook of your own")


def check_signers(audit: AuditConfig, table: Node) -> None:
    """Check that there is a key to trust where keys are named, and none twice."""
    names = [signer.fingerprint for signer in audit.signers]
    signers = table.at("signers")
    if table.has("signers") and not signers.is_faulty():
        if not names:
            signers.note("is empty, so that no seal would be trusted")
        elif len(set(names)) < len(names):
            signers.note("names a key twice")


def check_hook(hook: Hook, table: Node) -> None:
    """Check that a hook has events and a program."""
    for key, value in (("on", hook.on), ("command", hook.command)):
        if table.has(key) and not value and not table.at(key).is_faulty():
            table.at(key).note("is empty")


def check_some_day(window: Window, table: Node) -> None:
    """Check that a window has days."""
    if not window.days and not table.at("days").is_faulty():
        table.at("days").note("is empty, so that no new key could ever be made")


def check_one_shape(_spec: SecretSpec, table: Node) -> None:
    """Check that the layout of the value is not described twice."""
    if table.has("format") and table.has("fields"):
        table.at("fields").note('`format = "jwt"` is the bare token, which has no fields')


def check_together(spec: SecretSpec, table: Node, defaults: Node) -> None:
    """Check pairs of settings, where this table sets one of them and neither is faulty."""
    grace, age = spec.grace, spec.max_age
    verify, run, pending = spec.verify_timeout, spec.timeout, spec.pending_timeout
    longer, not_longer = "must be longer than", "must not be longer than"
    for key, value, demand, other, limit, holds in (
        ("grace", grace, not_longer, "max_age", age, grace <= age),
        ("verify_timeout", verify, not_longer, "timeout", run, verify <= run),
        ("pending_timeout", pending, longer, "timeout", run, pending > run),
    ):
        here = [k for k in (key, other) if table.has(k)]
        if holds or not here:
            continue
        if not any((table if table.has(k) else defaults).at(k).is_faulty() for k in (key, other)):
            shown = f"`{key}` ({setting_text(value)}) {demand} `{other}` ({setting_text(limit)})"
            table.at(here[0]).note(shown)
    probed_here = table.has("probe") or table.has("negative_probe")
    if probed_here and spec.probe is not None and spec.probe == spec.negative_probe:
        table.at("negative_probe").note("is the same path as `probe`, which cannot be both allowed and refused")


def check_distinct(key: str, values: Iterable[tuple[Node, str]]) -> None:
    """Check that no two entries have the same value, which each gives beside its table."""
    first: dict[str, int] = {}
    for number, (table, value) in enumerate(values, start=1):
        if value and first.setdefault(value, number) != number:
            table.at(key).note(f"{quoted(value)} is taken by entry {first[value]} already")
