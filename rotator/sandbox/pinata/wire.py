"""The simulated Pinata's answers as bytes: real spellings, and error bodies in any shape.

Requests and answers are plain values, so that a socket server, or a client in the same process, can
carry them.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from rotator.sandbox.pinata.records import KeyRecord, Page
from rotator.sandbox.pinata.scopes import BAD_REQUEST, Refused
from rotator.sandbox.pinata.switches import ErrorShape, MaxUsesSpelling, Switches

JSON_TYPE = "application/json; charset=utf-8"
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request; header names are in lower case, `path` is still percent-encoded."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    address: str


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; the sender adds `Date`, `Content-Length` and `Connection`."""

    status: int
    body: bytes
    headers: Headers = ()
    content_type: str = JSON_TYPE


@dataclass(frozen=True, slots=True)
class CutOff:
    """An answer promised in full by `Content-Length`, of which half the body is sent."""

    answer: Answer


class HangUp(StrEnum):
    """No answer at all."""

    CLOSE = "close"
    """An orderly end of the connection."""
    RESET = "reset"
    """A TCP reset."""


Reply = Answer | CutOff | HangUp


def json_answer(status: int, value: object, headers: Headers = ()) -> Answer:
    """Answer with `value` as compact JSON."""
    return Answer(status, json.dumps(value, separators=(",", ":")).encode(), headers)


def created(record: KeyRecord) -> dict[str, object]:
    """Give the body of a create: the only place where the secret and the JWT are ever shown."""
    return {"JWT": record.jwt, "pinata_api_key": record.key, "pinata_api_secret": record.secret}


def listed(page: Page, account_id: Callable[[str], str], switches: Switches) -> dict[str, object]:
    """Give the body of a list; `account_id` gives the uuid of an account."""
    return {
        "keys": [item(record, account_id(record.account), switches) for record in page.records],
        "count": page.count,
    }


def item(record: KeyRecord, user_id: str, switches: Switches) -> dict[str, object]:
    """Give one list item, in the real mixture of casings."""
    shown: dict[str, object] = {"id": record.id, "name": record.name, "key": record.key}
    if switches.secret_listed:
        shown["secret"] = record.secret
    shown |= _max_uses(record.max_uses, switches.unlimited_max_uses)
    return shown | {
        "uses": record.uses,
        "user_id": user_id,
        "scopes": record.permissions.echo(switches),
        "revoked": record.revoked_at is not None,
        "createdAt": iso_time(record.created_at),
        "updatedAt": iso_time(record.updated_at),
    }


def refusal(refused: Refused, switches: Switches, *, v3: bool) -> Answer:
    """Answer with an error body: the legacy shape on legacy paths, the switched one on v3 paths."""
    shape = switches.v3_errors if v3 else ErrorShape.REASON_DETAILS
    if refused.reason == BAD_REQUEST:
        shape = switches.bad_request_errors
    match shape:
        case ErrorShape.STRING:
            return json_answer(refused.status, {"error": refused.details})
        case ErrorShape.REASON_DETAILS:
            error = {"reason": refused.reason, "details": refused.details}
            return json_answer(refused.status, {"error": error})
        case ErrorShape.CODE_MESSAGE:
            error_v3 = {"code": refused.status, "message": refused.details}
            return json_answer(refused.status, {"error": error_v3})
        case ErrorShape.TEXT:
            return Answer(refused.status, refused.details.encode(), content_type="text/plain")


def iso_time(epoch_s: float) -> str:
    """Spell a time as Pinata does: ISO 8601, UTC, milliseconds, `Z`."""
    moment = datetime.fromtimestamp(epoch_s, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _max_uses(max_uses: int | None, spelling: MaxUsesSpelling) -> dict[str, object]:
    if max_uses is not None:
        return {"max_uses": max_uses}
    match spelling:
        case MaxUsesSpelling.NULL:
            return {"max_uses": None}
        case MaxUsesSpelling.MISSING:
            return {}
        case MaxUsesSpelling.ZERO:
            return {"max_uses": 0}
        case MaxUsesSpelling.MINUS_ONE:
            return {"max_uses": -1}
