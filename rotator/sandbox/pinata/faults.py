"""Faults that a test injects into calls of the simulated Pinata, before or after their effect.

An injection names an operation and which of its calls are hit, counted from the moment it is added;
the first injection that hits decides. `Drop`, `Respond` and `Slow` say on which side of the effect
they strike; the others change the true answer, so the effect has happened. An answer that has no
such part (no JWT in a list) is left as it is.
"""

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from typing import assert_never

from rotator.sandbox.pinata.wire import JSON_TYPE, Answer, CutOff, HangUp, Headers, Reply

BIG_BODY_BYTES = 2 * 1024 * 1024
BOMB_BYTES = 64 * 1024 * 1024


class Operation(StrEnum):
    """What a call asks for, whatever its generation."""

    CREATE = "create"
    LIST = "list"
    REVOKE = "revoke"
    AUTHENTICATE = "authenticate"
    FILES = "files"
    PINS = "pins"


class Side(StrEnum):
    """When a fault strikes."""

    BEFORE = "before"
    """Instead of the effect."""
    AFTER = "after"
    """The effect has happened, the client does not learn of it."""


class Damage(StrEnum):
    """What becomes of a true answer; the status stays."""

    CUT_OFF = "cut-off"
    """Less is sent than `Content-Length` says."""
    HTML = "html"
    EMPTY = "empty"
    WRONG_TYPE = "wrong-type"
    """The JSON value is wrapped in an array."""
    WRONG_VALUES = "wrong-values"
    """Every value of the JSON object is the number 7."""
    EXTRA_FIELDS = "extra-fields"
    """Unknown fields in the object and in its list items."""
    BIG = "big"
    """Two mebibytes of white space around the JSON."""
    GZIP_BOMB = "gzip-bomb"
    """Some kilobytes that unpack to 64 MiB."""
    FOREIGN_JWT = "foreign-jwt"
    """The JWT names another key."""


@dataclass(frozen=True, slots=True)
class Drop:
    """End the connection without an answer."""

    side: Side
    how: HangUp = HangUp.CLOSE


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer something else: a 429, a 502 page, a redirect (`headers=(("Location", ...),)`)."""

    side: Side
    status: int
    body: str = "{}"
    content_type: str = JSON_TYPE
    headers: Headers = ()


@dataclass(frozen=True, slots=True)
class Slow:
    """Wait, then go on; the wait ends early when the server stops."""

    side: Side
    seconds: float


@dataclass(frozen=True, slots=True)
class Spoil:
    """Damage the true answer."""

    damage: Damage


@dataclass(frozen=True, slots=True)
class Omit:
    """Leave a field out of the true answer's object and of its list items."""

    field: str


Fault = Drop | Respond | Slow | Spoil | Omit


@dataclass(frozen=True, slots=True)
class Injection:
    """A fault for `times` calls of an operation, from the `nth` on (1 is the next one).

    `operation` None is any operation, `times` None is for ever.
    """

    fault: Fault
    operation: Operation | None = None
    nth: int = 1
    times: int | None = 1


class FaultPlan:
    """The injections in force. Not safe for threads by itself: the site calls it under its lock."""

    def __init__(self) -> None:
        """Start without faults."""
        self._seen: list[tuple[Injection, int]] = []

    @property
    def injections(self) -> tuple[Injection, ...]:
        """Everything injected and not cleared, spent or not, oldest first."""
        return tuple(injection for injection, _ in self._seen)

    def add(self, injection: Injection) -> None:
        """Put `injection` in force from the next call on."""
        self._seen.append((injection, 0))

    def clear(self) -> None:
        """Heal everything."""
        self._seen.clear()

    def next_fault(self, operation: Operation) -> Fault | None:
        """Count one call of `operation` and return the fault that hits it."""
        hit: Fault | None = None
        for index, (injection, seen) in enumerate(self._seen):
            if injection.operation not in {None, operation}:
                continue
            self._seen[index] = (injection, seen + 1)
            past = seen + 1 - injection.nth
            if hit is None and past >= 0 and (injection.times is None or past < injection.times):
                hit = injection.fault
        return hit


def instead(fault: Fault | None, side: Side) -> Reply | None:
    """Return what `fault` puts in the place of the true reply on this side, if anything."""
    match fault:
        case Drop(at, how) if at is side:
            return how
        case Respond(at, status, body, content_type, headers) if at is side:
            return Answer(status, body.encode(), headers, content_type)
        case _:
            return None


def spoil(fault: Fault | None, answer: Answer, foreign_jwt: Callable[[str], str]) -> Reply:
    """Change the true answer as `fault` says; `foreign_jwt` gives another key's token."""
    match fault:
        case Spoil(damage):
            return _damaged(answer, damage, foreign_jwt)
        case Omit(field):
            return _edited(answer, lambda fields: {k: v for k, v in fields.items() if k != field})
        case None | Drop() | Respond() | Slow():
            return answer
        case _:
            assert_never(fault)


def _damaged(answer: Answer, damage: Damage, foreign_jwt: Callable[[str], str]) -> Reply:  # noqa: PLR0911 - one return per damage
    match damage:
        case Damage.CUT_OFF:
            return CutOff(answer)
        case Damage.HTML:
            page = b"<!DOCTYPE html><html><body><h1>Just a moment...</h1></body></html>"
            return replace(answer, body=page, content_type="text/html; charset=utf-8")
        case Damage.EMPTY:
            return replace(answer, body=b"")
        case Damage.WRONG_TYPE:
            return replace(answer, body=b"[" + answer.body + b"]")
        case Damage.WRONG_VALUES:
            return _edited(answer, lambda fields: dict.fromkeys(fields, 7))
        case Damage.EXTRA_FIELDS:
            extra = {"plan": "FREE", "links": {"self": None}, "warnings": [1, "two"]}
            return _edited(answer, lambda fields: fields | extra)
        case Damage.BIG:
            return replace(answer, body=answer.body.ljust(BIG_BODY_BYTES))
        case Damage.GZIP_BOMB:
            headers = (*answer.headers, ("Content-Encoding", "gzip"))
            return replace(answer, body=_bomb(), headers=headers)
        case Damage.FOREIGN_JWT:
            return _edited(answer, lambda fields: _with_foreign_jwt(fields, foreign_jwt))


def _edited(answer: Answer, edit: Callable[[dict[str, object]], dict[str, object]]) -> Answer:
    value = json.loads(answer.body) if answer.content_type == JSON_TYPE else None
    if not isinstance(value, dict):
        return answer
    if isinstance(value.get("keys"), list):
        value["keys"] = [edit(item) for item in value["keys"]]
    return replace(answer, body=json.dumps(edit(value), separators=(",", ":")).encode())


def _with_foreign_jwt(fields: dict[str, object], foreign_jwt: Callable[[str], str]) -> dict[str, object]:
    if "JWT" not in fields:
        return fields
    return fields | {"JWT": foreign_jwt(str(fields["pinata_api_key"]))}


@cache
def _bomb() -> bytes:
    return gzip.compress(bytes(BOMB_BYTES), compresslevel=9, mtime=0)
