"""One line of an audit file, parsed: what readers, recovery and verification start from."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import BinaryIO, NoReturn

from rotator.audit.attestation import Event, Head, Json
from rotator.audit.ocsf import Kind
from rotator.model.errors import Remedy
from rotator.model.events import Failure, RunEnd, Subject
from rotator.model.plan import OutcomeKind

LINE_MAX_BYTES = 1 << 20
"""What is longer is no event."""
_TIME_MAX_MS = 253_402_300_799_999
"""The end of the year 9999."""


@dataclass(frozen=True, slots=True)
class Record:
    """One event as people and programs read it; what does not apply to its kind is empty."""

    time: datetime
    run_id: str
    sequence: int
    kind: Kind
    secret: str
    arn: str
    operation: str
    result: str
    """How it ended, in lower case: success, failure, unknown; for the end of a run its outcome."""
    subject: Subject
    detail: str
    reason: str
    actions: tuple[str, ...]
    generation: int | None
    """The generation of the current version; only a decision has one."""
    revoked: tuple[str, ...]
    trigger: str
    user: str
    program: str
    failure: Failure | None = None
    """Why a run failed; None if it did not, or if a version before 0.2 wrote it: that has a sentence in `detail`."""

    def end(self) -> RunEnd:
        """Return how a run ended, of the event that ended or recovered it.

        Neither a run that was cut short nor a version before 0.2 says who must act.
        """
        if self.result in set(OutcomeKind) - {OutcomeKind.FAILED}:
            return RunEnd(self.time, OutcomeKind(self.result), None)
        failure = self.failure or Failure("", Remedy.NEXT_RUN, self.detail, "")
        return RunEnd(self.time, OutcomeKind.FAILED, failure)


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """One line that is an event; whether it is genuine is another question."""

    event: Event
    head: Head
    """The chain up to and with this event."""
    prev_event: Json
    uid: str
    call_uid: str
    unanswered: str
    """Of a recovery: the call without an outcome."""
    torn: tuple[int, str] | None
    """Of a repair: length and SHA-256 of what is no event."""
    record: Record


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """Yield the lines of a file with their line breaks, none longer than the limit."""
    while line := stream.readline(LINE_MAX_BYTES):
        yield line


def parse(line: bytes) -> StoredEvent | None:
    """Return the event on a line, or None if there is none."""
    try:
        event = json.loads(line.decode(), parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    if not isinstance(event, dict):
        return None
    try:
        return _stored(event)
    except ValueError:
        return None


def _refuse(number: str) -> NoReturn:
    # Only integers have one canonical form in every language.
    raise ValueError(f"{number} is not an integer")


def _stored(event: Event) -> StoredEvent:
    record = _record(event)
    attested = _at(event, "unmapped", "attestation_list", 0)
    torn = _at(event, "unmapped", "torn")
    return StoredEvent(
        event=event,
        head=Head(
            run_id=_text(attested, "chain_uid"),
            sequence=record.sequence,
            time_ms=_integer(event, "time"),
            type_uid=_integer(event, "type_uid"),
            fingerprint=_text(attested, "fingerprint", "value"),
        ),
        prev_event=_at(attested, "prev_event"),
        uid=_text(event, "metadata", "uid"),
        call_uid=_text(event, "api", "request", "uid"),
        unanswered=_text(event, "unmapped", "unanswered", default=""),
        torn=(_integer(torn, "length"), _text(torn, "fingerprint", "value")) if torn else None,
        record=record,
    )


def _record(event: Event) -> Record:
    resources = {_text(r, "type"): r for r in _list(event, "resources")}
    secret, key = resources.get("secret"), resources.get("pinata_api_key")
    generation = _at(event, "unmapped", "generation")
    time_ms = _integer(event, "time")
    if not 0 <= time_ms <= _TIME_MAX_MS:
        raise ValueError("not a time")
    return Record(
        time=datetime.fromtimestamp(time_ms / 1000, UTC),
        run_id=_text(event, "metadata", "correlation_uid"),
        sequence=_integer(event, "metadata", "sequence"),
        kind=Kind(_text(event, "unmapped", "kind")),
        secret=_text(secret, "name", default=""),
        arn=_text(secret, "uid", default=""),
        operation=_text(event, "api", "operation"),
        result=_text(event, "unmapped", "outcome", default="") or _text(event, "status").lower(),
        subject=Subject(
            version_id=_text(secret, "version", default=""),
            key_id=_text(key, "uid", default=""),
            key_name=_text(key, "name", default=""),
            label=_text(event, "unmapped", "label", default=""),
        ),
        detail=_text(event, "status_detail"),
        reason=_text(event, "unmapped", "reason", default=""),
        actions=_texts(event, "unmapped", "actions"),
        generation=generation if isinstance(generation, int) else None,
        revoked=_texts(event, "unmapped", "revoked"),
        trigger=_text(event, "actor", "app_uid"),
        user=_text(event, "actor", "user", "uid"),
        program=f"{_text(event, 'metadata', 'product', 'name')} {_text(event, 'metadata', 'product', 'version')}",
        failure=_failure(event),
    )


def _failure(event: Event) -> Failure | None:
    error = _text(event, "unmapped", "error", default="")
    if not error:
        return None
    remedy = Remedy(_text(event, "unmapped", "remedy"))
    return Failure(error, remedy, _text(event, "status_detail"), _text(event, "unmapped", "next_step"))


def _at(value: Json, *path: str | int) -> Json:
    for step in path:
        match value, step:
            case dict(), str():
                value = value.get(step)
            case list(), int() if len(value) > step:
                value = value[step]
            case _:
                return None
    return value


def _text(value: Json, *path: str, default: str | None = None) -> str:
    found = _at(value, *path)
    if found is None and default is not None:
        return default
    if not isinstance(found, str):
        raise ValueError(f"{'.'.join(path)} is not a text")  # noqa: TRY004 - callers know one kind of misfit
    return found


def _integer(value: Json, *path: str) -> int:
    found = _at(value, *path)
    if not isinstance(found, int) or isinstance(found, bool):
        raise ValueError(f"{'.'.join(path)} is not an integer")  # noqa: TRY004 - as above
    return found


def _list(value: Json, *path: str) -> list[Json]:
    found = _at(value, *path)
    return found if isinstance(found, list) else []


def _texts(value: Json, *path: str) -> tuple[str, ...]:
    return tuple(text for text in _list(value, *path) if isinstance(text, str))
