"""The schema of an audit event, once: writing, reading and checking all derive from the fields below.

An event is one step, as API Activity of OCSF 1.8.0 (schema.ocsf.io/1.8.0/classes/api_activity). What
that class has no place for is in `unmapped`. So is the attestation, which `rotator.audit.attestation`
adds and reads: OCSF has `attestation_list` at the top level from version 1.9.0 on.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple, NoReturn, TypeAlias

from rotator.audit.attestation import SHA_256, TIME_MAX_MS, Head, Json, JsonObject, attestation_of, seal
from rotator.audit.record import EventKind, Record, Repaired, Writer
from rotator.audit.redaction import redacted
from rotator.model.errors import Remedy
from rotator.model.events import Failure, Operation, Result, Subject
from rotator.model.plan import OutcomeKind

LINE_MAX_BYTES = 1 << 20
"""Nothing longer is an event."""
_CLASS_UID = 6003
"""API Activity; its category, Application Activity, is 6."""
_CALLS: dict[str, tuple[str, int, str]] = {
    Operation.CREATE_KEY: ("pinata", 1, "Create"),
    Operation.PUT_PENDING: ("secretsmanager", 3, "Update"),
    Operation.VERIFY_KEY: ("pinata", 2, "Read"),
    Operation.PROMOTE: ("secretsmanager", 3, "Update"),
    Operation.LABEL: ("secretsmanager", 3, "Update"),
    Operation.UNLABEL: ("secretsmanager", 3, "Update"),
    Operation.TAG: ("secretsmanager", 3, "Update"),
    Operation.UNTAG: ("secretsmanager", 3, "Update"),
    Operation.REDEPLOY: ("ecs", 3, "Update"),
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
"""`status_id`, `status` and `severity_id` of a result; any other result has 99 and its own name."""


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


def _ids(value: Json) -> tuple[str, ...]:
    return _texts([value] if value and isinstance(value, str) else value)


def _integer(value: Json) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError("not an integer")  # noqa: TRY004 - as above
    return value


def _integer_if_any(value: Json) -> int | None:
    return None if value is None else _integer(value)


def _time_ms(value: Json) -> int:
    if not 0 <= (time_ms := _integer(value)) <= TIME_MAX_MS:
        raise ValueError("not a time")
    return time_ms


def _about_a_key(record: Record) -> str:
    return record.subject.key_id or record.subject.key_name


def _of(*kinds: EventKind) -> Callable[[Record], object]:
    return lambda record: record.kind in kinds


class _Field(NamedTuple):
    parents: tuple[str, ...]
    key: str
    part: str
    name: str
    read: Callable[[Json], object]
    condition: Callable[[Record], object] | None
    write: Callable[[Record], Json]


def _field(
    path: str,
    attribute: str = "",
    read: Callable[[Json], object] = _text,
    condition: Callable[[Record], object] | None = None,
    write: Callable[[Record], Json] | None = None,
) -> _Field:
    """Declare the field at a dotted path, in which a resource goes by its type.

    Its value is an attribute of the record, or else what `write` returns; `read` turns it back into the attribute,
    and None into its default. Without a condition, every event has the field.
    """
    (*parents, key), (part, _, name) = path.split("."), attribute.rpartition(".")
    return _Field(tuple(parents), key, part, name, read, condition, write or attrgetter(attribute))


_CALLED, _DECIDED = _of(EventKind.INTENT, EventKind.DONE), _of(EventKind.DECIDED)
_ENDED, _CONCLUDED = _of(EventKind.ENDED), _of(EventKind.DECIDED, EventKind.ENDED)
_FAILED, _TORN, _ABOUT_A_SECRET = attrgetter("failure"), attrgetter("torn"), attrgetter("arn")
_FIELDS = (
    _field("category_uid", write=lambda _: 6),
    _field("class_uid", write=lambda _: _CLASS_UID),
    _field("activity_id", write=lambda r: _call(r)[1]),
    _field("activity_name", write=lambda r: _call(r)[2]),
    _field("type_uid", "type_uid", _integer, write=lambda r: _CLASS_UID * 100 + _call(r)[1]),
    _field("time", "time_ms", _time_ms),
    _field("severity_id", write=lambda r: _status(r)[2]),
    _field("status_id", write=lambda r: _status(r)[0]),
    _field("status", "status", lambda v: v, write=lambda r: _status(r)[1]),
    _field("status_detail", "detail"),
    _field("metadata.version", write=lambda _: "1.8.0"),
    _field("metadata.uid", "uid"),
    _field("metadata.correlation_uid", "run_id"),
    _field("metadata.sequence", "sequence", _integer),
    _field("metadata.log_name", write=lambda _: "rotation-audit"),
    _field("metadata.product.name", "writer.name"),
    _field("metadata.product.version", "writer.version"),
    _field("actor.app_name", write=lambda r: r.writer.name),
    _field("actor.app_uid", "writer.trigger"),
    _field("actor.user.uid", "writer.user"),
    _field("src_endpoint.hostname", "writer.hostname", lambda v: v if isinstance(v, str) else ""),
    _field("api.operation", "operation"),
    _field("api.service.name", write=lambda r: _call(r)[0]),
    _field("api.request.uid", "call_uid"),
    _field("resources", write=lambda _: {}),
    _field("resources.secret.uid", "arn", _text_if_any, _ABOUT_A_SECRET),
    _field("resources.secret.name", "secret", _text_if_any, _ABOUT_A_SECRET),
    _field("resources.secret.version", "subject.version_id", _text_if_any, lambda r: r.arn and r.subject.version_id),
    _field("resources.pinata_api_key.uid", "subject.key_id", _text_if_any, _about_a_key),
    _field("resources.pinata_api_key.name", "subject.key_name", _text_if_any, _about_a_key),
    _field("unmapped.kind", "kind", lambda v: EventKind(_text(v))),
    _field("unmapped.label", "subject.label", _text_if_any, _CALLED),
    _field("unmapped.reason", "reason", _text_if_any, _CONCLUDED, lambda r: r.reason or None),
    _field("unmapped.actions", "actions", _texts, _DECIDED, lambda r: [*r.actions]),
    _field("unmapped.generation", "generation", lambda v: v if isinstance(v, int) else None, _DECIDED),
    _field("unmapped.outcome", "result", _text_if_any, _ENDED),
    _field("unmapped.revoked", "revoked", _texts, _ENDED, lambda r: [*r.revoked]),
    _field("unmapped.error", "failure.error", _text, _FAILED),
    _field("unmapped.remedy", "failure.remedy", lambda v: Remedy(_text(v)), _FAILED),
    _field("unmapped.next_step", "failure.next_step", _text, _FAILED),
    _field("unmapped.unanswered", "unanswered", _ids, _of(EventKind.RECOVERED), lambda r: [*r.unanswered]),
    _field("unmapped.audit_head", "audit_head", _text_if_any, attrgetter("audit_head")),
    _field("unmapped.listed", "listed", lambda v: v is True, attrgetter("listed")),
    _field("unmapped.torn.length", "torn.length", _integer, _TORN),
    _field("unmapped.torn.offset", "torn.offset", _integer_if_any, _TORN),
    _field("unmapped.torn.fingerprint.algorithm_id", condition=_TORN, write=lambda _: SHA_256),
    _field("unmapped.torn.fingerprint.value", "torn.sha256", _text, _TORN),
)

READ_FIELDS = tuple(field for field in _FIELDS if field.name)
"""What makes a record."""
Parts: TypeAlias = dict[str, dict[str, Any]]


def render(record: Record) -> JsonObject:
    """Return an event that lacks only its attestation, without what looks like secret material."""
    event: dict[str, Any] = {}
    inner = event
    at: tuple[str, ...] = ()
    for parents, key, part, _, _, condition, write in _FIELDS:
        if condition is None or condition(record):
            if parents != at:
                inner, at = _made(event, parents), parents
            value = write(record)
            # The digest of torn bytes looks like a secret, and is not one.
            inner[key] = value if part == "torn" else redacted(value)
    return _listed(event)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One line that is an event; whether it is genuine is another question."""

    event: JsonObject
    head: Head
    """The chain up to and with this event."""
    prev_event: Json
    record: Record

    @property
    def about(self) -> tuple[str, str]:
        """The secret and its ARN."""
        return self.record.secret, self.record.arn

    @property
    def call_uid(self) -> str:
        """The id of the call."""
        return self.record.call_uid


def parse(line: bytes) -> StoredEvent | None:
    """Return the event on a line, or None if there is none."""
    try:
        event = decoded(line.decode())
        return _stored(event) if isinstance(event, dict) else None
    except (ValueError, RecursionError):
        return None


def key_paths(event: Json) -> set[str]:
    """Return the path of every key in an event; the items of a list share one."""
    found: set[str] = set()
    pending: list[tuple[str, Json]] = [("", event)]
    while pending:
        prefix, value = pending.pop()
        if isinstance(value, dict):
            for key, inner in value.items():
                found.add(path := prefix + key)
                if isinstance(inner, dict | list):
                    pending.append((path + ".", inner))
        elif isinstance(value, list):
            pending += [(prefix, inner) for inner in value if isinstance(inner, dict | list)]
    return found


def decoded(text: str) -> Json:
    """Return what a JSON text says. Raises ValueError if it says nothing, or has a number that is no integer."""
    value: Json = _DECODER.decode(text)
    return value


def _refuse(number: str) -> NoReturn:
    raise ValueError(f"{number} is not an integer, and only those have one canonical form in every language")


_DECODER = json.JSONDecoder(parse_float=_refuse, parse_constant=_refuse)


def _stored(event: JsonObject) -> StoredEvent:
    type_uid, record = record_of(parts_of(event))
    chain_uid, fingerprint, prev_event = attestation_of(event)
    head = Head(_text(chain_uid), record.sequence, record.time_ms, type_uid, _text(fingerprint))
    return StoredEvent(event, head, prev_event, record)


def record_of(parts: Parts) -> tuple[int, Record]:
    """Return the `type_uid` and the record of which these are the parts; it uses them up."""
    found = parts[""]
    type_uid, status = found.pop("type_uid"), found.pop("status", None)
    if "result" not in found:
        found["result"] = _text(status).lower()
    if "failure" in parts:
        found["failure"] = Failure(message=found["detail"], **parts["failure"])
    if "torn" in parts:
        found["torn"] = Repaired(**{"offset": None, **parts["torn"]})
    return type_uid, Record(writer=Writer(**parts["writer"]), subject=Subject(**parts["subject"]), **found)


def parts_of(event: JsonObject, fields: Iterable[_Field] = READ_FIELDS) -> Parts:
    """Return what an event, or what of it has these fields, is to a record, by the part of the record it belongs to."""
    resources = event.get("resources")
    by_type = {_text(_at(found, "type")): found for found in resources} if isinstance(resources, list) else {}
    event = {**event, "resources": by_type}
    parts: Parts = {"": {}, "writer": {}, "subject": {}}
    if _text_if_any(_at(event, "unmapped", "error")):
        parts["failure"] = {}
    if _at(event, "unmapped", "torn"):
        parts["torn"] = {}
    inner: Json = event
    at: tuple[str, ...] = ()
    for parents, key, part, name, read, _, _ in fields:
        if part in parts:
            if parents != at:
                inner, at = _at(event, *parents), parents
            value = read(inner.get(key) if isinstance(inner, dict) else None)
            if value is not None:
                parts[part][name] = value
    return parts


def _at(value: Json, *keys: str) -> Json:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _made(event: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    for key in keys:
        event = event.setdefault(key, {})
    return event


def _listed(event: dict[str, Any]) -> JsonObject:
    """Return an event with its resources, so far by type, as a list."""
    event["resources"] = [{"type": kind, **found} for kind, found in event["resources"].items()]
    return event


def _paths(fields: Iterable[_Field], head: Head | None) -> frozenset[str]:
    """Return the paths of fields, and those of the attestation of an event after `head`."""
    event: dict[str, Any] = {}
    for field in fields:
        _made(event, (*field.parents, field.key))
    return frozenset(key_paths(json.loads(seal(_listed(event), head, ""))))


REQUIRED_PATHS = _paths((field for field in _FIELDS if not field.condition), None)
"""What every event has."""
KNOWN_PATHS = _paths(_FIELDS, Head("", 0, 0, 0, ""))
"""What an event may have. A field that is no longer written stays declared: new programs verify old trails."""
