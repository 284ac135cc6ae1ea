"""The configuration: one TOML file, read into frozen values, every problem reported at once.

`load` either returns a `Config` that needs no further checking, or raises one `ConfigError` with a line for each
problem. It reads the one file and nothing else: no AWS, no environment, no substitution within values. No secret
belongs in the file; what looks like a secret is refused, and never quoted.
"""

import re
import stat
import tomllib
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from rotator.config import rules
from rotator.config.permissions import check_holder
from rotator.config.problems import KeyPath, Node, Position, Problems
from rotator.config.schema import Schema
from rotator.config.settings import DEFAULTS, ENTRY, SECTIONS, STAND_INS
from rotator.config.tables import (
    AdminSecret,
    AuditConfig,
    AwsConfig,
    DaemonConfig,
    FileKey,
    Hook,
    PinataConfig,
    RunConfig,
)
from rotator.config.values import described
from rotator.model.errors import ConfigError
from rotator.model.naming import ids_of
from rotator.model.secrecy import looks_secret, secrets_in
from rotator.model.secret import JsonFields, SecretSpec

DEFAULT_PATH = Path("config/rotator.toml")
SIZE_MAX_BYTES = 1024 * 1024
_NO_FILE = "Write one with `rotator init`, or name another with --config or $ROTATOR_CONFIG."
_LEAKED = (
    "this looks like a token or another secret, and this file must not hold one; revoke the key, then name the secret"
    " or the variable that holds its successor"
)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_POSITION = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)")


@dataclass(frozen=True, slots=True)
class Config:
    """The whole file."""

    pinata: PinataConfig
    aws: AwsConfig
    audit: AuditConfig
    secrets: tuple[SecretSpec, ...]
    path: Path
    daemon: DaemonConfig
    run: RunConfig
    hooks: tuple[Hook, ...] = ()

    def entry_of(self, arn: str) -> SecretSpec | None:
        """Return the entry of a secret, by its whole ARN; None if it is not configured."""
        ids = ids_of(arn)
        return next((spec for spec in self.secrets if spec.secret_id in ids), None)


def find_path(option: Path | None, env: Mapping[str, str]) -> Path:
    """Return `--config`, else `$ROTATOR_CONFIG`, else `config/rotator.toml`."""
    if option is not None:
        return option
    return Path(env.get("ROTATOR_CONFIG") or DEFAULT_PATH)


def load(path: Path) -> Config:
    """Read the file. Raises ConfigError if it cannot be used; the message has one line for each problem."""
    problems = Problems()
    return _read(_text(_content(path, problems), str(path), problems), path, str(path), problems)


def parse(content: bytes, source: str, folder: Path) -> Config:
    """Read a configuration that is not a file of this machine.

    `source` is its address, for messages; relative paths start at `folder`. Raises ConfigError if it cannot be used;
    the message has one line for each problem.
    """
    problems = Problems()
    return _read(_text(content, source, problems), folder / DEFAULT_PATH.name, source, problems)


def _read(text: str, path: Path, source: str, problems: Problems) -> Config:
    raw = _parsed(text, problems)
    public = _fingerprints(raw)
    for found in secrets_in(text):
        if found[0] not in public:
            before = text[: found.start()]
            problems.add(Position(before.count("\n") + 1, found.start() - before.rfind("\n")), _LEAKED)
    config = _config(Node(raw, (), problems), path) if raw is not None else None
    if problems or config is None:
        raise ConfigError(problems.report(source, text))
    return config


def _content(path: Path, problems: Problems) -> bytes:
    """Return what the file holds; a symbolic link is followed, as Kubernetes mounts need."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise _unreadable(str(path), problems, "is not a regular file")
        with path.open("rb") as file:
            content = file.read(SIZE_MAX_BYTES + 1)
    except FileNotFoundError:
        raise _unreadable(str(path), problems, "does not exist", _NO_FILE) from None
    except OSError as error:
        raise _unreadable(str(path), problems, f"cannot be read: {error.strerror}") from None
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        problems.add((), "can be written by others, who could redirect keys; run `chmod go-w` on it")
    return content


def _text(content: bytes, source: str, problems: Problems) -> str:
    if len(content) > SIZE_MAX_BYTES:
        raise _unreadable(source, problems, f"is larger than {SIZE_MAX_BYTES} bytes")
    if content.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        raise _unreadable(source, problems, "is UTF-16 text, as PowerShell writes by default; save it as UTF-8")
    try:
        return content.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
    raise _unreadable(source, problems, f"is not UTF-8 text; the first wrong byte is on line {line}")


def _unreadable(source: str, problems: Problems, reason: str, next_step: str | None = None) -> ConfigError:
    problems.add((), reason)
    return ConfigError(problems.report(source, ""), next_step=next_step)


def _fingerprints(raw: Mapping[str, object] | None) -> set[str]:
    """Return what may stand in the file though it looks like a secret: the fingerprints of the trail's signers."""
    audit = raw.get("audit") if raw else None
    signers = audit.get("signers") if isinstance(audit, dict) else None
    texts = [text for text in signers if isinstance(text, str)] if isinstance(signers, list) else []
    return {found[0] for text in texts for found in secrets_in(text) if _DIGEST.fullmatch(found[0])}


def _parsed(text: str, problems: Problems) -> dict[str, object] | None:
    """Return the tables of the text; quote the parser's message only if nothing in the text looks like a secret."""
    try:
        return tomllib.loads(text)
    except RecursionError:
        problems.add((), "is nested too deeply")
    except ValueError as error:
        message = str(error)
        position = _POSITION.search(message)
        at: KeyPath | Position = ()
        if position:
            end = Position(text.count("\n") + 1, len(text) - text.rfind("\n"))
            at = Position(int(position[1]), int(position[2])) if position[1] else end
        reason = "it cannot be parsed" if looks_secret(text) else _POSITION.sub("", message)
        problems.add(at, f"not TOML: {reason}")
    return None


def _config(root: Node, path: Path) -> Config:
    entries = _entries(root)
    config = Schema(Config, SECTIONS).read(root, {"path": path, "secrets": tuple(spec for _, spec in entries)})
    rules.check_distinct("name", ((node, spec.name) for node, spec in entries))
    rules.check_distinct("secret_id", ((node, spec.secret_id) for node, spec in entries))
    if not entries and not root.at("secrets").is_faulty():
        root.at("secrets").note("expected at least one [[secrets]] entry")
    pinata = config.pinata
    if not any(root.at("pinata").at(key).is_faulty() for key in ("admin_secret", "admin_jwt_env")):
        managing_id = pinata.admin.secret_id if isinstance(pinata.admin, AdminSecret) else None
        for node, spec in entries:
            check_holder(spec, node, pinata.api, managing_id)
        own = tuple(replace(spec, manages=spec.secret_id == managing_id) for spec in config.secrets)
        config = replace(config, secrets=own)
    folder = path.absolute().parent
    return replace(
        config,
        pinata=replace(pinata, ca_file=pinata.ca_file and folder / pinata.ca_file),
        audit=_audit(config.audit, folder),
    )


def _audit(audit: AuditConfig, folder: Path) -> AuditConfig:
    """Return `[audit]` with its paths made absolute."""
    sign = FileKey(folder / audit.sign.path) if isinstance(audit.sign, FileKey) else audit.sign
    return replace(audit, directory=audit.directory and folder / audit.directory, sign=sign)


def _entries(root: Node) -> list[tuple[Node, SecretSpec]]:
    """Read `[defaults]` and the entries by the same declarations, each entry on top of what it inherits.

    So a key means the same in both, and a mistake in the defaults is reported once, not by every entry.
    """
    defaults = root.at("defaults")
    inherited = _inherited(defaults)
    entries = []
    for node in root.at("secrets").elements():
        if isinstance(node.value, dict):
            spec = ENTRY.read(node, inherited)
            rules.check_together(spec, node, defaults)
            entries.append((node, spec))
        else:
            node.note(f"expected a table, found {described(node.value)}")
    return entries


def _inherited(defaults: Node) -> dict[str, object]:
    for key in ("name", "secret_id"):
        if defaults.has(key):
            defaults.at(key).note("has no default: it belongs in each [[secrets]] entry")
    spec = DEFAULTS.read(defaults, STAND_INS)
    rules.check_together(spec, defaults, defaults)
    if isinstance(spec.shape, JsonFields) and not defaults.has("fields"):
        spec = replace(spec, shape=replace(spec.shape, named_by="default"))
    missing = {"name", "secret_id"} if defaults.has("permissions") else STAND_INS
    return {field.name: getattr(spec, field.name) for field in fields(spec) if field.name not in missing}
