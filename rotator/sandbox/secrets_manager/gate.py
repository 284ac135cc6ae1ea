"""A WSGI application before moto: strict Secrets Manager, faults, and a record of the calls.

It belongs to `server`, which documents the controls under `/_sandbox/`.
"""

import io
import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from email.utils import formatdate
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from werkzeug.test import run_wsgi_app

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.faults import Fault, FaultPlan, Kind, Moment
from rotator.sandbox.secrets_manager.state import ReplicaStatus, RuleError
from rotator.sandbox.secrets_manager.store import READS, Json, Lag, Scope
from rotator.sandbox.secrets_manager.under_moto import LEFT_TO_MOTO, account_of, http_answer

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

CONTROLS = "/_sandbox/"
REQUESTS_MAX = 100_000
DROPPED = 0

_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/")
_TARGET = "secretsmanager."

Answer = tuple[int, dict[str, str], bytes]
OnRequest = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """One call as it was answered: operation, arrival (epoch seconds), HTTP status or `DROPPED`."""

    operation: str
    at: float
    status: int


class Gate:
    """The WSGI application. A dropped connection is a `ConnectionAbortedError` to the server.

    `on_request(n, operation)` is called for the n-th call, from 1, after its effect and before its
    answer.
    """

    def __init__(
        self,
        world: SecretsManager,
        moto: "WSGIApplication",
        clock: Callable[[], float],
        on_request: OnRequest | None = None,
    ) -> None:
        """No faults, no calls yet."""
        self.faults = FaultPlan()
        self.requests: deque[Request] = deque(maxlen=REQUESTS_MAX)
        self._world = world
        self._moto = moto
        self._clock = clock
        self._on_request = on_request
        self._numbers = count(1)

    def __call__(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer one request."""
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ["PATH_INFO"]
        if path.startswith(CONTROLS):
            control = f"{environ['REQUEST_METHOD']} {path.removeprefix(CONTROLS)}"
            status, headers, answer = self._steer(control, body)
        else:
            status, headers, answer = self._serve(_operation(environ, body), environ, body)
        headers = {"Date": formatdate(self._clock(), usegmt=True), **headers}
        headers["Content-Length"] = str(len(answer))
        start_response(f"{status} {HTTPStatus(status).phrase}", list(headers.items()))
        return [answer]

    def reset(self) -> None:
        """As new: no secrets, faults, lag or recorded calls."""
        self._world.reset()
        self.faults.clear()
        self.requests.clear()

    def _serve(self, operation: str, environ: "WSGIEnvironment", body: bytes) -> Answer:
        arrival, number = self._clock(), next(self._numbers)
        status = DROPPED
        faults = self.faults.strike(operation)
        try:
            answer = _struck(faults, Moment.BEFORE)
            if answer is None:
                answer = self._perform(operation, environ, body)
            if self._on_request is not None:
                self._on_request(number, operation)
            answer = _struck(faults, Moment.AFTER) or answer
            status = answer[0]
        finally:
            self.requests.append(Request(operation, arrival, int(status)))
        return answer

    def _perform(self, operation: str, environ: "WSGIEnvironment", body: bytes) -> Answer:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if target.startswith(_TARGET) and operation != LEFT_TO_MOTO:
            return http_answer(self._world, operation, body, _scope(environ))
        try:
            chunks, status, headers = run_wsgi_app(self._moto, environ, buffered=True)
        except NotImplementedError as error:
            return _json(HTTPStatus.NOT_IMPLEMENTED, {"__type": "NotImplemented", "message": str(error)})
        return int(status.split()[0]), dict(headers), b"".join(chunks)

    def _steer(self, control: str, body: bytes) -> Answer:
        try:
            shown = self._steered(control, json.loads(body or b"{}"))
        except (KeyError, TypeError, ValueError, RuleError) as error:
            return _json(HTTPStatus.BAD_REQUEST, {"error": str(error)})
        if shown is None:
            return _json(HTTPStatus.NOT_FOUND, {"error": f"no such control: {control}"})
        return _json(HTTPStatus.OK, shown)

    def _steered(self, control: str, sent: Json) -> Json | list[Json] | None:
        match control:
            case "POST faults":
                self.faults.add(fault_from(sent))
            case "DELETE faults":
                self.faults.clear()
            case "PUT stale":
                operations = frozenset(sent.pop("operations", READS))
                self._world.lag = Lag(operations=operations, **sent)
            case "PUT replica":
                status = ReplicaStatus(sent["status"])
                self._world.set_replica(sent["secret_id"], sent["region"], status)
            case "PUT owner":
                self._world.set_owner(sent["secret_id"], sent["service"])
            case "GET requests":
                return [asdict(request) for request in tuple(self.requests)]
            case "DELETE requests":
                self.requests.clear()
            case "POST reset":
                self.reset()
            case _:
                return None
        return {}


def fault_from(sent: Json) -> Fault:
    """A fault from its JSON. Raises KeyError, TypeError, ValueError if it is not one. ."""
    given = dict(sent)
    kind = Kind(given.pop("kind"))
    return Fault(kind, moment=Moment(given.pop("moment", Moment.BEFORE)), **given)


def _struck(faults: Iterable[Fault], moment: Moment) -> Answer | None:
    """Carry out the faults of one moment; the answer that replaces the real one, if any."""
    answer: Answer | None = None
    for fault in faults:
        if fault.moment is not moment:
            continue
        time.sleep(fault.delay_s)
        match fault.kind:
            case Kind.DROP:
                raise ConnectionAbortedError
            case Kind.THROTTLE:
                refusal = {"__type": "ThrottlingException", "message": "Rate exceeded"}
                answer = _json(HTTPStatus.BAD_REQUEST, refusal)
            case Kind.ERROR:
                refusal = {"__type": "InternalServiceError", "message": "Simulated failure"}
                answer = _json(HTTPStatus.INTERNAL_SERVER_ERROR, refusal)
            case Kind.DELAY:
                pass
    return answer


def _json(status: HTTPStatus, content: Json | list[Json]) -> Answer:
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    return status, headers, json.dumps(content).encode()


def _operation(environ: "WSGIEnvironment", body: bytes) -> str:
    """The operation of the JSON and query protocols; else the method and path (S3, Lambda)."""
    target: str = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        return target.rpartition(".")[2]
    if "form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        action = parse_qs(body.decode("utf-8", "replace")).get("Action")
        if action:
            return action[0]
    return f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}"


def _scope(environ: "WSGIEnvironment") -> Scope:
    """Account and region by the request's signature, which is not verified."""
    signed = _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    key, region = signed.group("key", "region") if signed else ("", "us-east-1")
    return Scope(account_of(key), region)
