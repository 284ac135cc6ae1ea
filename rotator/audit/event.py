"""The schema of an audit event, once: writing, reading and checking all derive from the fields below.

An event is one step, as API Activity of OCSF 1.8.0 (schema.ocsf.io/1.8.0/classes/api_activity). What
that class has no place for is in `unmapped`. So is the attestation, which `rotator.audit.attestation`
adds and reads: OCSF has `attestation_list` at the top level from version 1.9.0 on.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, NamedTuple, NoReturn, TypeVar

from rotator.audit.attestation import SHA_256, Head, Json, JsonObject, attestation_of, seal
from rotator.audit.record import EventKind, Record, Repaired, Writer
from rotator.audit.redaction import redacted
from rotator.model.errors import Remedy
from rotator.model.events import Failure, Operation, Result, Subject
from rotator.model.plan import OutcomeKind

LINE_MAX_BYTES = 1 << 20
"""Nothing longer is an event."""
_TIME_MAX_MS = 253_402_300_799_999
"""The end of the year 9999."""
_CLASS_UID = 6003
"""API Activity; its category, Application Activity, is 6."""
_CALLS: dict[str, tuple[str, int, str]] = {
    Operation.CREATE_KEY: ("pinata", 1, "Create"),
    Operation.PUT_PENDING: ("secretsmanager", 3, "Update"),
    Operation.VERIFY_KEY: ("pinata", 2, "Read"),
    Operation.PROMOTE: ("secretsmanager", 3, "Update"),
    Operation.LABEL: ("secretsmanager", 3, "Update"),
    Operation.UNLABEL: ("secretsmanager", 3, "Update"),
    Operation.REVOKE_KEY: ("pinata", 4, "Delete"),
    Operation.PROVE_DEAD: ("pinata", 2, "Read"),
}
"""Service, `activity_id` and `activity_name` of each call."""
_INFORMATIONAL, _MEDIUM = 1, 3
"""`severity_id`, as far as it is used."""
_STATUSES: dict[str, tuple[int, str, int]] = {
    Result.SUCCESS: (1, "Success", _INFORMATIONAL),
    Result.FAILURE: (2, "Failure", _MEDIUM),
    Result.UNKNOWN: (0, "Unknown", _MEDIUM),
    OutcomeKind.ROTATED: (1, "Success", _INFORMATIONAL),
    OutcomeKind.UP_TO_DATE: (1, "Success", _INFORMATIONAL),
    OutcomeKind.HELD: (99, "Held", _MEDIUM),
    OutcomeKind.FAILED: (2, "Failure", _MEDIUM),
}
"""`status_id`, `status` and `severity_id` of a result: 0 is unknown, and any other result has 99 and its own name."""
T = TypeVar("T")


def _call(record: Record) -> tuple[str, int, str]:
    return _CALLS.get(record.operation, ("rotator", 99, "Other"))


def _status(record: Record) -> tuple[int, str, int]:
    return _STATUSES.get(record.result, (99, record.result.capitalize(), _INFORMATIONAL))


def _text(value: Json) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - callers know one kind of misfit
    return value


def _text_if_any(value: Json) -> str | None:
    return None if value is None else _text(value) or None


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(text for text in value if isinstance(text, str)) if isinstance(value, list) else ()


def _integer(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("not an integer")  # noqa: TRY004 - as above
    return value


def _integer_if_any(value: Json) -> int | None:
    return value if isinstance(value, int) else None


def _time_ms(value: Json) -> int:
    if not 0 <= (time_ms := _integer(value)) <= _TIME_MAX_MS:
        raise ValueError("not a time")
    return time_ms


def _about_a_version(record: Record) -> str:
    return record.arn and record.subject.version_id


def _about_a_key(record: Record) -> str:
    return record.subject.key_id or record.subject.key_name


def _of(*kinds: EventKind) -> Callable[[Record], object]:
    return lambda record: record.kind in kinds


class _Field(NamedTuple, Generic[T]):
    """One field of an event: where it is, how it is written, what it is read as, and which records have it.

    The dotted path is that of its object, in which a resource goes by its type. A field without a name is only
    written; what is read as None leaves the record as it is; without a condition every event has the field.
    """

    path: str
    key: str
    write: Callable[[T], Json]
    name: str = ""
    read: Callable[[Json], object] = _text
    condition: Callable[[Record], object] | None = None


_CALLED = _of(EventKind.INTENT, EventKind.DONE)
_CONCLUDED = _of(EventKind.DECIDED, EventKind.ENDED)
_DECIDED, _ENDED, _RECOVERED = _of(EventKind.DECIDED), _of(EventKind.ENDED), _of(EventKind.RECOVERED)
_FIELDS: tuple[_Field[Record], ...] = (
    _Field("", "category_uid", lambda _: 6),
    _Field("", "class_uid", lambda _: _CLASS_UID),
    _Field("", "activity_id", lambda r: _call(r)[1]),
    _Field("", "activity_name", lambda r: _call(r)[2]),
    _Field("", "type_uid", lambda r: _CLASS_UID * 100 + _call(r)[1], "type_uid", _integer),
    _Field("", "time", lambda r: r.time_ms, "time_ms", _time_ms),
    _Field("", "severity_id", lambda r: _status(r)[2]),
    _Field("", "status_id", lambda r: _status(r)[0]),
    _Field("", "status", lambda r: _status(r)[1], "status", lambda v: v),
    _Field("", "status_detail", lambda r: r.detail, "detail"),
    _Field("metadata", "version", lambda _: "1.8.0"),
    _Field("metadata", "uid", lambda r: r.uid, "uid"),
    _Field("metadata", "correlation_uid", lambda r: r.run_id, "run_id"),
    _Field("metadata", "sequence", lambda r: r.sequence, "sequence", _integer),
    _Field("metadata", "log_name", lambda _: "rotation-audit"),
    _Field("api", "operation", lambda r: r.operation, "operation"),
    _Field("api.service", "name", lambda r: _call(r)[0]),
    _Field("api.request", "uid", lambda r: r.call_uid, "call_uid"),
    _Field("", "resources", lambda _: {}),
    _Field("resources.secret", "uid", lambda r: r.arn, "arn", _text_if_any, lambda r: r.arn),
    _Field("resources.secret", "name", lambda r: r.secret, "secret", _text_if_any, lambda r: r.arn),
    _Field("unmapped", "kind", lambda r: r.kind, "kind", lambda v: EventKind(_text(v))),
    _Field("unmapped", "reason", lambda r: r.reason or None, "reason", _text_if_any, _CONCLUDED),
    _Field("unmapped", "actions", lambda r: [*r.actions], "actions", _texts, _DECIDED),
    _Field("unmapped", "generation", lambda r: r.generation, "generation", _integer_if_any, _DECIDED),
    _Field("unmapped", "outcome", lambda r: r.result, "result", _text_if_any, _ENDED),
    _Field("unmapped", "revoked", lambda r: [*r.revoked], "revoked", _texts, _ENDED),
    _Field("unmapped", "unanswered", lambda r: r.unanswered, "unanswered", _text_if_any, _RECOVERED),
)
_WRITER: tuple[_Field[Writer], ...] = (
    _Field("metadata.product", "name", lambda w: w.name, "name"),
    _Field("metadata.product", "version", lambda w: w.version, "version"),
    _Field("actor", "app_name", lambda w: w.name),
    _Field("actor", "app_uid", lambda w: w.trigger, "trigger"),
    _Field("actor.user", "uid", lambda w: w.user, "user"),
    _Field("src_endpoint", "hostname", lambda w: w.hostname, "hostname", lambda v: v if isinstance(v, str) else ""),
)
_SUBJECT: tuple[_Field[Subject], ...] = (
    _Field("resources.secret", "version", lambda s: s.version_id, "version_id", _text_if_any, _about_a_version),
    _Field("resources.pinata_api_key", "uid", lambda s: s.key_id, "key_id", _text_if_any, _about_a_key),
    _Field("resources.pinata_api_key", "name", lambda s: s.key_name, "key_name", _text_if_any, _about_a_key),
    _Field("unmapped", "label", lambda s: s.label, "label", _text_if_any, _CALLED),
)
_FAILURE: tuple[_Field[Failure], ...] = (
    _Field("unmapped", "error", lambda f: f.error, "error"),
    _Field("unmapped", "remedy", lambda f: f.remedy, "remedy", lambda v: Remedy(_text(v))),
    _Field("unmapped", "next_step", lambda f: f.next_step, "next_step"),
)
_TORN: tuple[_Field[Repaired], ...] = (
    _Field("unmapped.torn", "length", lambda t: t.length, "length", _integer),
    _Field("unmapped.torn.fingerprint", "algorithm_id", lambda _: SHA_256),
    _Field("unmapped.torn.fingerprint", "value", lambda t: t.sha256, "sha256"),
)


def render(record: Record) -> JsonObject:
    """Return an event that lacks only its attestation, without what looks like secret material."""
    event: dict[str, Any] = {}
    _write(event, _FIELDS, record, record)
    _write(event, _WRITER, record.writer, record)
    _write(event, _SUBJECT, record.subject, record)
    if record.failure:
        _write(event, _FAILURE, record.failure, record)
    if record.torn:
        # Not redacted: the digest of torn bytes looks like a secret, and is not one.
        _write(event, _TORN, record.torn, record, clear=lambda value: value)
    return _listed(event)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One line that is an event; whether it is genuine is another question."""

    event: JsonObject
    head: Head
    """The chain up to and with this event."""
    prev_event: Json
    record: Record


def parse(line: bytes) -> StoredEvent | None:
    """Return the event on a line, or None if there is none."""
    try:
        event = json.loads(line.decode(), parse_float=_refuse, parse_constant=_refuse)
        return _stored(event) if isinstance(event, dict) else None
    except (ValueError, RecursionError):
        return None


def key_paths(event: Json) -> set[str]:
    """Return the path of every key in an event; the items of a list share one."""
    found: set[str] = set()
    pending = [("", event)]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(prefix + key)
                pending.append((f"{prefix}{key}.", inner))
        elif isinstance(value, list):
            pending.extend((prefix, inner) for inner in value)
    return found


def _write(
    event: dict[str, Any],
    fields: Iterable[_Field[T]],
    part: T,
    record: Record,
    clear: Callable[[Json], Json] = redacted,
) -> None:
    """Write the fields that a record has into an event, from the part of the record that they are about."""
    inner, at = event, ""
    for parent, key, write, _, _, condition in fields:
        if condition is None or condition(record):
            if parent != at:
                inner, at = _made(event, parent), parent
            inner[key] = clear(write(part))


def _made(event: dict[str, Any], path: str) -> dict[str, Any]:
    """Return the object at a path of an event, made if it is not there yet."""
    for key in path.split(".") if path else ():
        event = event.setdefault(key, {})
    return event


def _listed(event: dict[str, Any]) -> JsonObject:
    """Return an event with its resources, so far by type, as a list."""
    resources: list[Json] = [{"type": kind, **resource} for kind, resource in event["resources"].items()]
    return {**event, "resources": resources}


def _refuse(number: str) -> NoReturn:
    # Only integers have one canonical form in every language.
    raise ValueError(f"{number} is not an integer")


def _stored(event: JsonObject) -> StoredEvent:
    resources = event.get("resources")
    by_type = {_text(_at(found, "type")): found for found in resources} if isinstance(resources, list) else {}
    view: JsonObject = {**event, "resources": by_type}
    found = _read(_FIELDS, view)
    type_uid, status = found.pop("type_uid"), found.pop("status", None)
    if "result" not in found:
        found["result"] = _text(status).lower()
    if _text_if_any(_at(view, "unmapped.error")):
        found["failure"] = Failure(message=found["detail"], **_read(_FAILURE, view))
    if _at(view, "unmapped.torn"):
        found["torn"] = Repaired(**_read(_TORN, view))
    record = Record(writer=Writer(**_read(_WRITER, view)), subject=Subject(**_read(_SUBJECT, view)), **found)
    chain_uid, fingerprint, prev_event = attestation_of(event)
    head = Head(_text(chain_uid), record.sequence, record.time_ms, type_uid, _text(fingerprint))
    return StoredEvent(event, head, prev_event, record)


def _read(fields: Iterable[_Field[T]], view: JsonObject) -> dict[str, Any]:
    found: dict[str, Any] = {}
    inner: Json = view
    at = ""
    for parent, key, _, name, read, _ in fields:
        if parent != at:
            inner, at = _at(view, parent), parent
        if name and (value := read(inner.get(key) if isinstance(inner, dict) else None)) is not None:
            found[name] = value
    return found


def _at(value: Json, path: str) -> Json:
    for key in path.split(".") if path else ():
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _paths(fields: Iterable[_Field[Any]], head: Head | None) -> frozenset[str]:
    """Return the paths of fields, and those of the attestation of an event after `head`."""
    event: dict[str, Any] = {}
    for field in fields:
        _made(event, f"{field.path}.{field.key}".removeprefix("."))
    return frozenset(key_paths(json.loads(seal(_listed(event), head, ""))))


REQUIRED_PATHS = _paths([*(f for f in _FIELDS if not f.condition), *_WRITER], None)
"""What every event has."""
KNOWN_PATHS = _paths((*_FIELDS, *_WRITER, *_SUBJECT, *_FAILURE, *_TORN), Head("", 0, 0, 0, ""))
"""What an event may have: also what is no longer written stays a field, for new programs verify old trails."""
