"""The shape of an audit event: class API Activity of OCSF (ocsf.io), version 1.8.0.

One event is one step. `status_id` tells an outcome that nobody knows (0) from success (1) and
failure (2); steps that are no call with an outcome have 99. What the class has no place for stands
in `unmapped`; so does the attestation, which OCSF calls `attestation_list` at the top level from
version 1.9.0 on.

Class and objects: schema.ocsf.io/1.8.0/classes/api_activity (its `actor`, `api`, `api.request.uid`,
`src_endpoint` and `metadata` are required).
"""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeAlias, assert_never

from rotator.audit.attestation import Event as OcsfEvent
from rotator.audit.attestation import Json, event_uid, fingerprint_object
from rotator.audit.redaction import redacted
from rotator.model.events import Decided, Done, Ended, Event, Intent, Operation, Result, Subject
from rotator.model.plan import OutcomeKind

SCHEMA_VERSION = "1.8.0"
LOG_NAME = "rotation-audit"
CATEGORY_UID = 6
"""Application Activity."""
CLASS_UID = 6003
"""API Activity."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who writes events: a program, what started it, and the identity it acts under."""

    name: str
    version: str
    trigger: str
    """What started the program, such as `cli`, `daemon` or `lambda`."""
    user: str
    """The caller's ARN, or whatever names the identity best."""
    hostname: str


@dataclass(frozen=True, slots=True)
class RunIdentity:
    """One run: one reconcile of one secret. Both are empty where a file itself is the matter."""

    run_id: str
    secret: str
    arn: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry belongs: its run, its number in the run's chain, its time, and its call."""

    run: RunIdentity
    sequence: int
    time_ms: int
    """Milliseconds since 1970, UTC."""
    call_uid: str
    """The same for a call's intent and its outcome."""


@dataclass(frozen=True, slots=True)
class Started:
    """A run has begun."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """A run was found that can never end, because the process that wrote it is gone."""

    unanswered: str
    """The id of the last call without an outcome; empty if there is none."""
    operation: str
    """What that call was."""


@dataclass(frozen=True, slots=True)
class Repaired:
    """A file ended in the remains of a torn write; they stay there, with a line break added."""

    length: int
    """Bytes of what is no event, with the line break that closes it."""
    sha256: str


Entry: TypeAlias = Started | Event | Recovered | Repaired


class Kind(StrEnum):
    """What an event tells, for readers of the trail."""

    STARTED = "started"
    DECIDED = "decided"
    INTENT = "intent"
    DONE = "done"
    ENDED = "ended"
    RECOVERED = "recovered"
    REPAIRED = "repaired"


class Activity(IntEnum):
    """`activity_id` of API Activity."""

    CREATE = 1
    READ = 2
    UPDATE = 3
    DELETE = 4
    OTHER = 99


class Status(IntEnum):
    """`status_id` of every OCSF class."""

    UNKNOWN = 0
    SUCCESS = 1
    FAILURE = 2
    OTHER = 99


class Severity(IntEnum):
    """`severity_id` of every OCSF class, as far as it is used."""

    INFORMATIONAL = 1
    MEDIUM = 3


_CALLS: dict[Operation, tuple[str, Activity]] = {
    Operation.CREATE_KEY: ("pinata", Activity.CREATE),
    Operation.PUT_PENDING: ("secretsmanager", Activity.UPDATE),
    Operation.VERIFY_KEY: ("pinata", Activity.READ),
    Operation.PROMOTE: ("secretsmanager", Activity.UPDATE),
    Operation.LABEL: ("secretsmanager", Activity.UPDATE),
    Operation.UNLABEL: ("secretsmanager", Activity.UPDATE),
    Operation.REVOKE_KEY: ("pinata", Activity.DELETE),
    Operation.PROVE_DEAD: ("pinata", Activity.READ),
}
_RESULTS = {
    Result.SUCCESS: (Status.SUCCESS, "Success", Severity.INFORMATIONAL),
    Result.FAILURE: (Status.FAILURE, "Failure", Severity.MEDIUM),
    Result.UNKNOWN: (Status.UNKNOWN, "Unknown", Severity.MEDIUM),
}
_OUTCOMES = {
    OutcomeKind.ROTATED: (Status.SUCCESS, "Success", Severity.INFORMATIONAL),
    OutcomeKind.UP_TO_DATE: (Status.SUCCESS, "Success", Severity.INFORMATIONAL),
    OutcomeKind.WAITING: (Status.OTHER, "Waiting", Severity.INFORMATIONAL),
    OutcomeKind.HELD: (Status.OTHER, "Held", Severity.MEDIUM),
    OutcomeKind.FAILED: (Status.FAILURE, "Failure", Severity.MEDIUM),
}


def render(entry: Entry, place: Place, writer: Writer) -> OcsfEvent:
    """Return an entry as an event that lacks only its attestation."""
    run, sequence = place.run, place.sequence
    facts = _facts(entry)
    status, status_text, severity = facts.status
    event = redacted(
        {
            "category_uid": CATEGORY_UID,
            "class_uid": CLASS_UID,
            "activity_id": int(facts.activity),
            "activity_name": facts.activity.name.capitalize(),
            "type_uid": CLASS_UID * 100 + facts.activity,
            "time": place.time_ms,
            "severity_id": int(severity),
            "status_id": int(status),
            "status": status_text,
            "status_detail": facts.detail,
            "metadata": {
                "version": SCHEMA_VERSION,
                "uid": event_uid(run.run_id, sequence),
                "correlation_uid": run.run_id,
                "sequence": sequence,
                "product": {"name": writer.name, "version": writer.version},
                "log_name": LOG_NAME,
            },
            "actor": {"app_name": writer.name, "app_uid": writer.trigger, "user": {"uid": writer.user}},
            "src_endpoint": {"hostname": writer.hostname},
            "api": {
                "operation": facts.operation,
                "service": {"name": facts.service},
                "request": {"uid": place.call_uid},
            },
            "resources": _resources(run, facts.subject),
            "unmapped": {"kind": facts.kind.value, **facts.extra},
        }
    )
    assert isinstance(event, dict)  # noqa: S101 - a dict goes in, a dict comes out
    if isinstance(entry, Repaired):
        # Added last: the digest of torn bytes is 64 hex digits, and no secret.
        torn: Json = {"length": entry.length, "fingerprint": fingerprint_object(entry.sha256)}
        event["unmapped"] = {"kind": facts.kind.value, "torn": torn}
    return event


@dataclass(frozen=True, slots=True)
class _Facts:
    kind: Kind
    operation: str
    service: str
    activity: Activity
    status: tuple[Status, str, Severity]
    subject: Subject = field(default_factory=Subject)
    detail: str = ""
    extra: dict[str, Json] = field(default_factory=dict)


def _facts(entry: Entry) -> _Facts:
    match entry:
        case Decided(reason, actions, generation):
            extra: dict[str, Json] = {"reason": reason.value, "actions": list(actions), "generation": generation}
            return _own(Kind.DECIDED, "Decide", "Decided", extra=extra)
        case Intent(operation, subject):
            status = Status.OTHER, "Intent", Severity.INFORMATIONAL
            return _call(Kind.INTENT, operation, subject, status)
        case Done(operation, subject, result, detail):
            return _call(Kind.DONE, operation, subject, _RESULTS[result], detail)
        case Ended():
            return _ended(entry)
        case Started() | Recovered() | Repaired():
            return _about_the_trail(entry)
        case _:
            assert_never(entry)


def _about_the_trail(entry: Started | Recovered | Repaired) -> _Facts:
    match entry:
        case Started():
            return _own(Kind.STARTED, "StartRun", "Started")
        case Recovered(unanswered, operation):
            lost = f"its last call, {operation}, has no known outcome"
            return _Facts(
                Kind.RECOVERED,
                "RecoverRun",
                "rotator",
                Activity.OTHER,
                (Status.UNKNOWN, "Unknown", Severity.MEDIUM),
                detail="the run did not end; " + (lost if unanswered else "no call was under way"),
                extra={"unanswered": unanswered},
            )
        case Repaired(length):
            detail = f"{length} bytes above this line are the remains of a write that was cut off"
            return _own(Kind.REPAIRED, "RepairFile", "Repaired", detail=detail)
        case _:
            assert_never(entry)


def _own(kind: Kind, operation: str, status: str, *, detail: str = "", extra: dict[str, Json] | None = None) -> _Facts:
    shown = Status.OTHER, status, Severity.INFORMATIONAL
    return _Facts(kind, operation, "rotator", Activity.OTHER, shown, detail=detail, extra=extra or {})


def _call(
    kind: Kind, operation: Operation, subject: Subject, status: tuple[Status, str, Severity], detail: str = ""
) -> _Facts:
    service, activity = _CALLS[operation]
    extra: dict[str, Json] = {"label": subject.label}
    return _Facts(kind, operation.value, service, activity, status, subject, detail, extra)


def _ended(entry: Ended) -> _Facts:
    failure, facts = entry.failure, dict[str, Json]()
    if failure:
        facts = {"error": failure.error, "remedy": failure.remedy.value, "next_step": failure.next_step}
    return _Facts(
        Kind.ENDED,
        "EndRun",
        "rotator",
        Activity.OTHER,
        _OUTCOMES[entry.outcome],
        Subject(version_id=entry.version_id, key_id=entry.key_id),
        failure.message if failure else "",
        {
            "outcome": entry.outcome.value,
            "reason": entry.reason.value if entry.reason else None,
            "revoked": list(entry.revoked),
            **facts,
        },
    )


def _resources(run: RunIdentity, subject: Subject) -> list[Json]:
    found: list[Json] = []
    if run.arn:
        secret: dict[str, Json] = {"type": "secret", "uid": run.arn, "name": run.secret}
        if subject.version_id:
            secret["version"] = subject.version_id
        found.append(secret)
    if subject.key_id or subject.key_name:
        found.append({"type": "pinata_api_key", "uid": subject.key_id, "name": subject.key_name})
    return found
