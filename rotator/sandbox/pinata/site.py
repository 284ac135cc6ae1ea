"""The simulated Pinata as a web site without sockets: requests in, replies out, over one world.

In this order: routing, rate limit, a fault before the effect, the rules, a fault after the effect,
the log, the hook `before_reply`, sending, the hook `after_reply`. The world changes under one lock;
hooks, waits and sending happen outside it, so a hook may look at the world, or kill the client.
"""

import json
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import assert_never
from urllib.parse import parse_qs

from rotator.sandbox.pinata.faults import FaultPlan, Operation, Side, Slow, instead, spoil
from rotator.sandbox.pinata.limits import Bucket, Limiter
from rotator.sandbox.pinata.records import Anonymous, Bearer, Credential, KeyPair, ListQuery
from rotator.sandbox.pinata.routes import Call, NoSuchMethod, NoSuchPath, route
from rotator.sandbox.pinata.scopes import Refused, bad_request
from rotator.sandbox.pinata.switches import LimitScope
from rotator.sandbox.pinata.wire import (
    Answer,
    CutOff,
    HangUp,
    Headers,
    Reply,
    Request,
    created,
    json_answer,
    listed,
    refusal,
)
from rotator.sandbox.pinata.world import PinataWorld, key_named_by

LOG_LINES_MAX = 100_000
_GREETING = {"message": "Congratulations! You are communicating with the Pinata API!"}


@dataclass(frozen=True, slots=True)
class Logged:
    """One request as it was answered; no header, query, body or key is kept.

    `operation` is None for an unknown path, `status` None if the connection was dropped.
    """

    number: int
    at: float
    method: str
    template: str
    operation: Operation | None
    status: int | None


Hook = Callable[[int, Operation], None]
"""Called with the number of the request (1 is the first) and what it asked for.

Also for a request that a limit or a fault kept from having its effect; not for unknown paths.
"""


def no_hook(number: int, operation: Operation) -> None:
    """Do nothing."""


class PinataSite:
    """One Pinata: its world, faults, limits, log and hooks. `handle` may be called by many threads.

    Whoever touches `world` or `faults` while requests run does so under `lock`.
    """

    def __init__(self, world: PinataWorld, wait: Callable[[float], object]) -> None:
        """Serve `world`; `wait` sleeps the given seconds and may return early."""
        self.world = world
        self.faults = FaultPlan()
        self.before_reply: Hook = no_hook
        self.after_reply: Hook = no_hook
        self.lock = threading.RLock()
        self._limiter = Limiter()
        self._log: deque[Logged] = deque(maxlen=LOG_LINES_MAX)
        self._logged = threading.Condition(self.lock)
        self._arrived = 0
        self._beginning = world.copy()
        self._wait = wait

    @property
    def log(self) -> tuple[Logged, ...]:
        """The answered requests, oldest first."""
        with self.lock:
            return tuple(self._log)

    def count(self, operation: Operation) -> int:
        """Return how many answered requests asked for `operation`."""
        return sum(line.operation is operation for line in self.log)

    def wait_for(self, requests: int, timeout_s: float) -> bool:
        """Wait until so many requests are logged; False if time ran out."""
        with self._logged:
            return self._logged.wait_for(lambda: len(self._log) >= requests, timeout_s)

    def begin_here(self) -> None:
        """Make the present world what `reset` goes back to, instead of the given one."""
        with self.lock:
            self._beginning = self.world.copy()

    def reset(self) -> None:
        """Go back to the beginning, without faults, log lines or used-up limits."""
        with self.lock:
            self.world = self._beginning.copy()
            self.faults.clear()
            self._limiter.clear()
            self._log.clear()
            self._arrived = 0

    def handle(self, request: Request, send: Callable[[Reply], None]) -> None:
        """Answer one request by calling `send` once."""
        with self.lock:
            self._arrived += 1
            number = self._arrived
            found = route(request.method, request.path, self.world.switches.generations)
        match found:
            case NoSuchPath():
                reply = _not_found()
                self._note(number, request, "(unknown)", None, reply)
                send(reply)
            case NoSuchMethod(template, allowed):
                reply = _not_allowed(allowed)
                self._note(number, request, template, None, reply)
                send(reply)
            case Call():
                self._handle_call(number, found, request, send)
            case _:
                assert_never(found)

    def _handle_call(self, number: int, call: Call, request: Request, send: Callable[[Reply], None]) -> None:
        with self.lock:
            refused, limit_headers = self._limit(call, request)
            fault = None if refused else self.faults.next_fault(call.operation)
        if isinstance(fault, Slow) and fault.side is Side.BEFORE:
            self._wait(fault.seconds)
        reply = refused or instead(fault, Side.BEFORE)
        if reply is None:
            with self.lock:
                answer = self._perform(call, request)
                answer = replace(answer, headers=_own_headers(call) + limit_headers)
                reply = spoil(fault, answer, self.world.foreign_jwt)
            reply = instead(fault, Side.AFTER) or reply
        self._note(number, request, call.template, call.operation, reply)
        self.before_reply(number, call.operation)
        if isinstance(fault, Slow) and fault.side is Side.AFTER:
            self._wait(fault.seconds)
        send(reply)
        self.after_reply(number, call.operation)

    def _limit(self, call: Call, request: Request) -> tuple[Answer | None, Headers]:
        limits = self.world.switches.limits
        bucket = Bucket.DATA if call.template.startswith("/data/") else Bucket.OTHER
        subject = self._subject(request, limits.scope)
        reading = self._limiter.admit(bucket, subject, limits, self.world.clock())
        if reading is None:
            return None, ()
        headers = reading.headers(limits, v3=call.v3)
        if reading.wait_s <= 0:
            return None, headers
        refused = Refused(429, "RATE_LIMITED", "Too many requests, please try again later")
        answer = refusal(refused, self.world.switches, v3=call.v3)
        return replace(answer, headers=_own_headers(call) + headers), headers

    def _subject(self, request: Request, scope: LimitScope) -> str:
        if scope is LimitScope.ADDRESS:
            return request.address
        record = self.world.keys.get(key_named_by(_credential(request, v3=False)))
        if record is None:
            return request.address
        return record.key if scope is LimitScope.KEY else record.account

    def _perform(self, call: Call, request: Request) -> Answer:
        try:
            return json_answer(200, self._result(call, request))
        except Refused as refused:
            return refusal(refused, self.world.switches, v3=call.v3)

    def _result(self, call: Call, request: Request) -> object:
        world, credential = self.world, _credential(request, v3=call.v3)
        match call.operation:
            case Operation.CREATE:
                return created(world.create(credential, call.generation, _json_of(request)))
            case Operation.LIST:
                page = world.list_keys(credential, call.generation, _list_query(request.query))
                return listed(page, world.account_id, world.switches)
            case Operation.REVOKE:
                key = call.key or _key_to_revoke(_json_of(request))
                world.revoke(credential, call.generation, key)
                return "Revoked"
            case Operation.AUTHENTICATE:
                world.test_authentication(credential)
                return _GREETING
            case Operation.PINS:
                world.open_endpoint(credential, "data.pinList")
                return {"count": 0, "rows": []}
            case Operation.FILES:
                world.open_resource(credential, "org:files:read")
                return {"data": {"files": [], "next_page_token": ""}}

    def _note(self, number: int, request: Request, template: str, operation: Operation | None, reply: Reply) -> None:
        match reply:
            case Answer(status):
                seen: int | None = status
            case CutOff(answer):
                seen = answer.status
            case HangUp():
                seen = None
        with self._logged:
            at = self.world.clock()
            self._log.append(Logged(number, at, request.method, template, operation, seen))
            self._logged.notify_all()


def _credential(request: Request, *, v3: bool) -> Credential:
    """Read the credential; v3 knows the bearer token only (OpenAPI, v3)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token:
        return Bearer(token.strip())
    key = request.headers.get("pinata_api_key")
    secret = request.headers.get("pinata_secret_api_key")
    if v3 or key is None or secret is None:
        return Anonymous()
    return KeyPair(key, secret)


def _json_of(request: Request) -> object:
    try:
        value: object = json.loads(request.body)
    except ValueError:
        raise bad_request("the body is not JSON") from None
    return value


def _key_to_revoke(body: object) -> str:
    key = body.get("apiKey") if isinstance(body, dict) else None
    if not isinstance(key, str) or not key:
        raise bad_request("apiKey must be a string and not empty")
    return key


def _list_query(text: str) -> ListQuery:
    given = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    offset = given.get("offset", "0")
    if not (offset.isascii() and offset.isdigit()):
        raise bad_request("offset must be a number")
    return ListQuery(
        offset=int(offset),
        name=given.get("name"),
        revoked=_flag(given, "revoked"),
        limited_use=_flag(given, "limitedUse"),
        exhausted=_flag(given, "exhausted"),
    )


def _flag(given: dict[str, str], name: str) -> bool | None:
    match given.get(name):
        case None:
            return None
        case "true":
            return True
        case "false":
            return False
        case _:
            raise bad_request(f"{name} must be true or false")


def _own_headers(call: Call) -> Headers:
    if call.v3:
        return (("Strict-Transport-Security", "max-age=31536000"),)
    return (("X-Powered-By", "Express"),)


def _not_found() -> Answer:
    return json_answer(404, {"error": {"reason": "NOT_FOUND", "details": "No such path"}})


def _not_allowed(allowed: tuple[str, ...]) -> Answer:
    error = {"reason": "METHOD_NOT_ALLOWED", "details": "The path has other methods"}
    return json_answer(405, {"error": error}, (("Allow", ", ".join(allowed)),))
