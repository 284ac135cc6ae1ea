"""Requests to Pinata: sent within its budgets and the deadline, and repeated where that is safe.

A reply is always a value, never an exception: what a library raises may quote the token it was given (h11 prints a
header that it refuses), so nothing of it leaves this module. Nothing else retries. Neither paths nor the JSON of keys
are known here.
"""

import json
import re
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from typing import assert_never

import httpx

from rotator.model.credential import Form, HeaderPair, Sensitive, Token
from rotator.model.errors import DeadlineExceededError, UnsafeActionError
from rotator.model.ports import Deadline
from rotator.pinata.obstacles import Lasting, NoConnectionError, Obstacle, Passing, proxy_obstacle
from rotator.pinata.transport import LOOK_S, RateLimiter, timeouts

ATTEMPTS_MAX = 8
BODY_MAX_BYTES = 1024 * 1024
RETRY_AFTER_MAX_S = 86_400.0
_BACKOFF_S = 0.5
_BACKOFF_MAX_S = 8.0

_SENDABLE = re.compile(r"[\x21-\x7e]{1,8192}")
_TRANSIENT = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol, httpx.InvalidURL)
_LOST = (httpx.HTTPError, httpx.StreamError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class Request:
    """What to ask; it holds no secret, for the token goes beside it.

    `params`, if given, replaces a query in `path`; `body` is sent as JSON.
    """

    method: str
    path: str
    params: Mapping[str, str] | None = None
    body: Mapping[str, object] | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. The body of a create holds secrets."""

    status: int
    body: Sensitive
    retry_after_s: float | None = None

    @property
    def ok(self) -> bool:
        """Whether the request succeeded."""
        return HTTPStatus.OK <= self.status < HTTPStatus.MULTIPLE_CHOICES

    @property
    def denied(self) -> bool:
        """Whether the credential was refused."""
        return self.status in {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN}

    @property
    def rejected(self) -> bool:
        """Whether the request surely had no effect."""
        return HTTPStatus.BAD_REQUEST <= self.status < HTTPStatus.INTERNAL_SERVER_ERROR

    @property
    def transient(self) -> bool:
        """Whether the same request may fare better later."""
        return self.status in _TRANSIENT or self.status >= HTTPStatus.INTERNAL_SERVER_ERROR


@dataclass(frozen=True, slots=True)
class Garbled:
    """An answer that was not read, because it is compressed or too large; `detail` says which."""

    detail: str


@dataclass(frozen=True, slots=True)
class Lost:
    """The request may have arrived; no whole answer did. `detail` says what happened."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unsent:
    """The request did not leave, so it surely had no effect. `detail` says why."""

    detail: str
    repeats: bool = True
    """Whether it may leave later in this run."""


Reply = Answer | Garbled | Lost | Unsent | Lasting


@dataclass(frozen=True, slots=True)
class Requests:
    """The way to one Pinata, with what is repeated and how long is waited in between."""

    api_url: str
    """Scheme and host, without a slash at the end."""
    http: httpx.Client = field(repr=False)
    limiter: RateLimiter = field(repr=False)
    sleep: Callable[[float], None] = field(repr=False)

    def once(self, request: Request, form: Form, deadline: Deadline) -> Reply:
        """Send a request, when the budgets allow it.

        Raises DeadlineExceededError if that is not in time, and UnsafeActionError if the credential cannot stand
        in a header; nothing was sent then.
        """
        if not _is_sendable(form):
            raise UnsafeActionError("the credential cannot stand in a header; nothing was sent")
        self.limiter.wait(request.path, deadline)
        return exchange(self.http, self.api_url, request, form, deadline)

    def repeated(self, request: Request, form: Form, deadline: Deadline) -> Reply:
        """Send a request that is safe to repeat, again after each transient fault; as for `once`.

        Waits as long as Pinata asks, or longer and longer, if that fits the deadline; otherwise
        the last reply is returned as it is.
        """
        from tenacity import RetryCallState, Retrying, retry_if_result  # noqa: PLC0415 - slow: it brings asyncio

        reply: Reply = Unsent("no attempt was made")

        def wait_s(state: RetryCallState) -> float:
            return pause_s(reply, state.attempt_number)

        def is_over(state: RetryCallState) -> bool:
            tried_enough = state.attempt_number >= ATTEMPTS_MAX
            return tried_enough or state.upcoming_sleep >= deadline.remaining_s()

        for attempt in Retrying(
            sleep=lambda wait_s: self._pause(wait_s, deadline),
            retry=retry_if_result(is_transient),
            wait=wait_s,
            stop=is_over,
            retry_error_callback=lambda _: None,
        ):
            try:
                reply = self.once(request, form, deadline)
            except DeadlineExceededError:
                # Raised after an attempt, it would deny that there was one.
                if attempt.retry_state.attempt_number == 1:
                    raise
                break
            attempt.retry_state.set_result(reply)
        return reply

    def _pause(self, wait_s: float, deadline: Deadline) -> None:
        """Wait so long, or until the time is up."""
        while wait_s > 0 and deadline.remaining_s() > 0:
            self.sleep(min(wait_s, LOOK_S))
            wait_s -= LOOK_S


def exchange(http: httpx.Client, api_url: str, request: Request, form: Form, deadline: Deadline) -> Reply:
    """Send one request with a credential, once, and read the answer before the deadline."""
    if deadline.remaining_s() <= 0:
        return Unsent("no time was left")
    try:
        response = http.send(
            _wire_request(api_url, request, form, deadline.remaining_s), stream=True, follow_redirects=False
        )
        with closing(response):
            return _read(response, deadline)
    except httpx.ProxyError as error:
        return _kept_off(proxy_obstacle(error))
    except _NOT_SENT as error:
        if isinstance(error.__cause__, NoConnectionError):
            return _kept_off(error.__cause__.obstacle)
        return Unsent(f"no connection ({type(error).__name__})")
    except _LOST as error:
        return Lost(f"no whole answer ({type(error).__name__})")


def _kept_off(obstacle: Obstacle) -> Reply:
    match obstacle:
        case Lasting():
            return obstacle
        case Passing(detail, repeats):
            return Unsent(f"no connection: {detail}", repeats)
        case _:
            assert_never(obstacle)


def sendable(token: Sensitive) -> bool:
    """Tell whether a token can stand in a header: visible ASCII, at most 8 KiB."""
    return _SENDABLE.fullmatch(token.reveal()) is not None


def _is_sendable(form: Form) -> bool:
    match form:
        case Token(jwt=jwt):
            return sendable(jwt)
        case HeaderPair(key_id=key_id, secret=secret):
            return sendable(Sensitive(key_id)) and sendable(secret)
        case _:
            assert_never(form)


def _headers_of(form: Form) -> dict[str, str]:
    match form:
        case Token(jwt=jwt):
            return {"Authorization": f"Bearer {jwt.reveal()}"}
        case HeaderPair(key_id=key_id, secret=secret):
            return {"pinata_api_key": key_id, "pinata_secret_api_key": secret.reveal()}
        case _:
            assert_never(form)


def is_transient(reply: Reply) -> bool:
    """Tell whether a request that is safe to repeat may fare better later."""
    match reply:
        case Answer():
            return reply.transient
        case Garbled() | Lasting():
            return False
        case Unsent():
            return reply.repeats
        case Lost():
            return True


def pause_s(reply: Reply, attempt: int) -> float:
    """Return how long to wait after an attempt (1 is the first): as asked, or ever longer."""
    asked_s = reply.retry_after_s if isinstance(reply, Answer) else None
    return max(asked_s or 0.0, min(_BACKOFF_S * 2.0 ** (attempt - 1), _BACKOFF_MAX_S))


def _wire_request(api_url: str, request: Request, form: Form, remaining_s: Callable[[], float]) -> httpx.Request:
    """Build a request without the client, which would add cookies.

    A cookie set for one token would vouch for the next one, which testAuthentication is to judge.
    """
    headers = {"Accept": "application/json", "Accept-Encoding": "identity", "User-Agent": "rotator"}
    body = None if request.body is None else json.dumps(request.body).encode()
    if body is not None:
        headers["Content-Type"] = "application/json"
    return httpx.Request(
        request.method,
        api_url + request.path,
        params=request.params,
        headers=headers | _headers_of(form),
        content=body,
        extensions={"timeout": timeouts(remaining_s()), "remaining_s": remaining_s},
    )


def _read(response: httpx.Response, deadline: Deadline) -> Reply:
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        return Garbled("a compressed answer, which was not asked for")
    body = bytearray()
    for chunk in response.iter_raw():
        body += chunk
        if len(body) > BODY_MAX_BYTES:
            return Garbled(f"an answer of more than {BODY_MAX_BYTES} bytes")
        if deadline.remaining_s() <= 0:
            return Lost("the answer took longer than the time that was left")
    text = Sensitive(body.decode(errors="replace"))
    return Answer(response.status_code, text, _retry_after_s(response.headers))


def _retry_after_s(headers: httpx.Headers) -> float | None:
    """Read `Retry-After`, seconds or a date; a date counts from the answer's own `Date`."""
    asked = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"[0-9]{1,9}", asked):
        return min(float(asked), RETRY_AFTER_MAX_S)
    until, now = _moment(asked), _moment(headers.get("Date", ""))
    if until is None or now is None:
        return None
    return min(max((until - now).total_seconds(), 0.0), RETRY_AFTER_MAX_S)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%a, %d %b %Y %H:%M:%S GMT").replace(tzinfo=UTC)
    except ValueError:
        return None
