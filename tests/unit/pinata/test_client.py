"""The Pinata client at the wire's edge: what each fault comes to, and that nothing leaks."""

import json
import math
import pickle
import traceback
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

import rotator
from rotator.model.credential import Sensitive, Token
from rotator.model.errors import (
    ConfigError,
    CreateOutcomeUnknownError,
    DeadlineExceededError,
    ProviderContractError,
    ProviderDeniedError,
    ProviderRejectedError,
    ProviderUnavailableError,
    Remedy,
    RotatorError,
    UnsafeActionError,
)
from rotator.model.observed import KeyState, ProviderKey
from rotator.model.ports import Authentication, ProbeAnswer
from rotator.model.secret import Admin, Endpoints, Resources
from rotator.pinata.bodies import WHY_MAX_CHARS, key_page, why
from rotator.pinata.client import LIST_READS_MAX, PAGES_MAX, PinataClient
from rotator.pinata.requests import ATTEMPTS_MAX, BODY_MAX_BYTES
from rotator.pinata.transport import RateLimiter

URL = "https://pinata.invalid"
NAME = "rotator/1/eu/up/g000001-20261122T000000Z-aaaaaaaaaa"
SECRET = "5ec4e7" * 10 + "cafe"
KEY = "0" * 20
WRITE = Resources(frozenset({"org:files:write"}))


def token(key_id: str) -> str:
    """Return a JWT that names a key, with the claims that published ones have."""
    claims = {"scopedKeyKey": key_id, "scopedKeySecret": SECRET, "exp": 2_000_000_000}
    parts = (json.dumps(part).encode() for part in ({"alg": "HS256"}, claims, f"by {key_id}"))
    return ".".join(urlsafe_b64encode(part).decode().rstrip("=") for part in parts)


ADMIN, OLD, NEW = token("aaaaaaaaaaaaaaaaaaaa"), token("0" * 20), token("1" * 20)
MINTED = {"JWT": NEW, "pinata_api_key": "1" * 20, "pinata_api_secret": SECRET}
CANARIES = (ADMIN, OLD, NEW, SECRET)


@dataclass
class Clock:
    """A clock that moves when somebody sleeps, and the deadline on it."""

    now_s: float = 0.0
    ends_s: float = 120.0
    sleeps: list[float] = field(default_factory=list)

    def monotonic(self) -> float:
        """Return the time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.sleeps.append(seconds)
        self.now_s += seconds

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.ends_s - self.now_s


class Chunks(httpx.SyncByteStream):
    """A body as it comes off the wire, perhaps with a fault at its end."""

    def __init__(self, *parts: bytes | Exception | Callable[[], bytes]) -> None:
        """Send these one after the other."""
        self.parts = parts

    def __iter__(self) -> Iterator[bytes]:
        """Send."""
        for part in self.parts:
            if isinstance(part, Exception):
                raise part
            yield part if isinstance(part, bytes) else part()


Answerer = Callable[[httpx.Request], httpx.Response]


def says(status: int, body: object = None, **headers: str) -> Answerer:
    """Answer with JSON, or with a text as it is."""
    raw = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda _: httpx.Response(status, headers=named, stream=Chunks(raw.encode()))


def breaks(kind: type[Exception]) -> Answerer:
    """Raise as a library does: with the header it was given in the message."""

    def answer(request: httpx.Request) -> httpx.Response:
        raise kind(f"illegal header value {request.headers['authorization']!r}")

    return answer


def torn(_: httpx.Request) -> httpx.Response:
    """Begin a whole answer, and drop the connection."""
    start = json.dumps(MINTED).encode()[:-9]
    return httpx.Response(200, stream=Chunks(start, httpx.ReadError(NEW)))


def endless(_: httpx.Request) -> httpx.Response:
    """Send more than anybody asked for."""
    parts = [b" " * 65_536] * (BODY_MAX_BYTES // 65_536)
    return httpx.Response(200, stream=Chunks(json.dumps(MINTED).encode(), *parts))


@dataclass
class Wire:
    """A Pinata of prepared answers; the last one is given for ever."""

    answers: list[Answerer]
    clock: Clock = field(default_factory=Clock)
    requests: list[httpx.Request] = field(default_factory=list)

    def handle(self, request: httpx.Request) -> httpx.Response:
        """Answer the next request."""
        request.read()
        self.requests.append(request)
        return self.answers.pop(0)(request) if len(self.answers) > 1 else self.answers[0](request)

    @property
    def lines(self) -> list[str]:
        """The requests as method, path and query."""
        return [f"{r.method} {r.url.raw_path.decode()}" for r in self.requests]

    def client(self, api: str = "v3", jwt: str = ADMIN) -> PinataClient:
        """Return a client whose network this is."""
        clock = self.clock
        return PinataClient(
            api_url=URL,
            api=api,
            token=Sensitive(jwt),
            client=httpx.Client(transport=httpx.MockTransport(self.handle)),
            limiter=RateLimiter(
                per_minute=10_000, data_per_minute=10_000, monotonic=clock.monotonic, sleep=clock.sleep
            ),
            monotonic=clock.monotonic,
            sleep=clock.sleep,
        )


def wire(*answers: Answerer, **options: Any) -> Wire:  # noqa: ANN401 - fields of Wire
    """Return a network of these answers."""
    return Wire(list(answers), **options)


Call = Callable[[PinataClient, Clock], object]
CALLS: dict[str, Call] = {
    "create": lambda c, clock: c.create_key(NAME, WRITE, None, clock),
    "list": lambda c, clock: c.list_keys("rotator/", frozenset(), clock),
    "revoke": lambda c, clock: c.revoke_key("0" * 20, clock),
    "authenticate": lambda c, clock: c.authenticate(Token(Sensitive(OLD)), clock),
    "probe": lambda c, clock: c.probe(Token(Sensitive(OLD)), "/v3/files/public?limit=1", clock),
}

UNKNOWN, UNAVAILABLE = CreateOutcomeUnknownError, ProviderUnavailableError
DENIED, REJECTED, CONTRACT = ProviderDeniedError, ProviderRejectedError, ProviderContractError
REFUSED, ALLOWED, FORBIDDEN = Authentication.REFUSED, ProbeAnswer.ALLOWED, ProbeAnswer.FORBIDDEN
Verdict = type[RotatorError] | Authentication | ProbeAnswer | None

HTML = "<html><body>Just a moment...</body></html>"
ECHO = {"error": {"reason": "INVALID_CREDENTIALS", "details": f"no key for Bearer {ADMIN} {OLD}"}}
TABLE: dict[str, tuple[Answerer, dict[str, Verdict]]] = {}
"""Each wire fault, and what it is to create, list, revoke, authenticate and probe."""


def row(name: str, answer: Answerer, *verdicts: Verdict) -> None:
    """Add a row to the table."""
    TABLE[name] = (answer, dict(zip(CALLS, verdicts, strict=True)))


for unsent in (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
    row(unsent.__name__, breaks(unsent), *[UNAVAILABLE] * 5)
for lost in (
    httpx.WriteTimeout,
    httpx.ReadTimeout,
    httpx.ReadError,
    httpx.WriteError,
    httpx.CloseError,
    httpx.RemoteProtocolError,
    httpx.LocalProtocolError,
    UnicodeError,
):
    row(lost.__name__, breaks(lost), UNKNOWN, *[UNAVAILABLE] * 4)
row("reset mid-body", torn, UNKNOWN, *[UNAVAILABLE] * 4)
row("429", says(429, ECHO), *[UNAVAILABLE] * 5)
row("429 with Retry-After", says(429, ECHO, Retry_After="7"), *[UNAVAILABLE] * 5)
row("408", says(408, ECHO), *[UNAVAILABLE] * 5)
for status in (500, 502, 503, 504):
    row(str(status), says(status, ECHO), UNKNOWN, *[UNAVAILABLE] * 4)
row("400", says(400, ECHO), REJECTED, CONTRACT, CONTRACT, CONTRACT, CONTRACT)
row("401", says(401, ECHO), DENIED, DENIED, DENIED, REFUSED, FORBIDDEN)
row("403", says(403, ECHO), DENIED, DENIED, DENIED, REFUSED, FORBIDDEN)
row("404", says(404, ECHO), REJECTED, REJECTED, None, REJECTED, REJECTED)
row("405", says(405, ECHO), *[REJECTED] * 5)
row("402", says(402, ECHO), REJECTED, *[CONTRACT] * 4)
row("422 as text", says(422, f"no: {ADMIN}"), REJECTED, CONTRACT, CONTRACT, CONTRACT, CONTRACT)
row("302", says(302, "", Location="https://x/"), UNKNOWN, *[CONTRACT] * 4)
row("204", says(204, ""), UNKNOWN, CONTRACT, None, CONTRACT, ALLOWED)
row("HTML", says(200, HTML), UNKNOWN, CONTRACT, None, CONTRACT, ALLOWED)
row("empty", says(200, ""), UNKNOWN, CONTRACT, None, CONTRACT, ALLOWED)
row("cut off", says(200, json.dumps(MINTED)[:-9]), UNKNOWN, CONTRACT, None, CONTRACT, ALLOWED)
row("array", says(200, [MINTED]), UNKNOWN, CONTRACT, None, CONTRACT, ALLOWED)
row("deep", says(200, "[" * 100_000), UNKNOWN, CONTRACT, None, CONTRACT, ALLOWED)
row("too large", endless, UNKNOWN, *[CONTRACT] * 4)
row("gzip", says(200, MINTED, Content_Encoding="gzip"), UNKNOWN, *[CONTRACT] * 4)


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize("fault", TABLE)
def test_each_fault_of_each_call_has_one_meaning_and_leaks_nothing(fault: str, operation: str) -> None:
    """A fault is one verdict; its error holds no token, and a create is sent once."""
    answer, verdicts = TABLE[fault]
    net = wire(answer)
    verdict = verdicts[operation]
    if not isinstance(verdict, type):
        assert CALLS[operation](net.client(), net.clock) is verdict
        return
    with pytest.raises(RotatorError) as caught:
        CALLS[operation](net.client(), net.clock)
    assert type(caught.value) is verdict
    assert_no_leak(caught.value)
    if operation == "create":
        assert [line for line in net.lines if line.startswith("POST")] == ["POST /v3/api_keys"]
    elif verdict is UNAVAILABLE:
        assert len(net.requests) == ATTEMPTS_MAX
    else:
        assert len(net.requests) == 1


def assert_no_leak(error: RotatorError) -> None:
    """Look for a piece of any canary wherever an exception can carry one."""
    assert error.__cause__ is None
    assert error.__context__ is None
    shown = [str(error), repr(error), repr(error.args), repr(vars(error))]
    shown += [repr(pickle.dumps(error.args)), *getattr(error, "__notes__", [])]
    shown += traceback.format_exception(error)
    package = Path(rotator.__file__).parent
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if Path(frame.f_code.co_filename).is_relative_to(package):
            shown += [f"{name}={value!r}" for name, value in frame.f_locals.items()]
    text = "\n".join(shown)
    for canary in CANARIES:
        for at in range(len(canary) - 23):
            assert canary[at : at + 24] not in text


# Create ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "line"),
    [("v3", "POST /v3/api_keys"), ("v3-pinata", "POST /v3/pinata/keys"), ("legacy", "POST /users/generateApiKey")],
)
def test_create_sends_one_kind_of_scopes_and_no_more(api: str, line: str) -> None:
    """The body has the name and the endpoints; neither `admin` nor `maxUses` unless asked for."""
    net = wire(says(200, MINTED))
    scopes = Endpoints(frozenset({"pinning.pinFileToIPFS", "data.pinList", "pinning.unpin"}))
    made = net.client(api).create_key(NAME, scopes, None, net.clock)
    assert (made.key_id, made.jwt, made.secret) == ("1" * 20, Sensitive(NEW), Sensitive(SECRET))
    assert made.expires_at is not None
    assert net.lines == [line]
    assert json.loads(net.requests[0].content) == {
        "keyName": NAME,
        "permissions": {"endpoints": {"data": {"pinList": True}, "pinning": {"pinFileToIPFS": True, "unpin": True}}},
    }
    assert net.requests[0].headers["authorization"] == f"Bearer {ADMIN}"
    assert net.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(("scopes", "sent"), [(WRITE, {"resources": ["org:files:write"]}), (Admin(), {"admin": True})])
def test_create_sends_resources_or_admin_and_max_uses(scopes: Resources | Admin, sent: object) -> None:
    """The other two kinds of scopes, and a limit of uses."""
    net = wire(says(200, MINTED))
    net.client().create_key(NAME, scopes, 5, net.clock)
    body = json.loads(net.requests[0].content)
    assert body == {"keyName": NAME, "permissions": sent, "maxUses": 5}


def test_resources_are_refused_on_the_legacy_paths_before_any_request() -> None:
    """The legacy API would make a key without scopes, or none."""
    net = wire(says(200, MINTED))
    with pytest.raises(ConfigError, match="resources"):
        net.client("legacy").create_key(NAME, WRITE, None, net.clock)
    assert net.requests == []


@pytest.mark.parametrize(
    "answer",
    [
        {"pinata_api_key": "1" * 20, "pinata_api_secret": SECRET},
        MINTED | {"JWT": 7},
        MINTED | {"JWT": "not a token"},
        MINTED | {"JWT": NEW + "\n"},
        MINTED | {"JWT": SECRET},
        MINTED | {"JWT": OLD},
        MINTED | {"pinata_api_secret": None},
    ],
    ids=["no JWT", "number", "blank", "newline", "opaque", "foreign", "no secret"],
)
def test_a_key_without_a_usable_token_is_revoked_at_once(answer: object) -> None:
    """The error says that the key was revoked, and the create is not repeated."""
    net = wire(says(200, answer), says(200, '"Revoked"'))
    with pytest.raises(CreateOutcomeUnknownError, match=f"asked to revoke key {'1' * 20}") as caught:
        net.client().create_key(NAME, WRITE, None, net.clock)
    assert_no_leak(caught.value)
    assert net.lines == ["POST /v3/api_keys", f"DELETE /v3/api_keys/{'1' * 20}"]


def test_an_unusable_key_that_cannot_be_revoked_is_reported() -> None:
    """Failing to clean up does not hide what happened first."""
    net = wire(says(200, MINTED | {"JWT": OLD}), says(403, ECHO))
    with pytest.raises(CreateOutcomeUnknownError, match="could not be revoked") as caught:
        net.client().create_key(NAME, WRITE, None, net.clock)
    assert_no_leak(caught.value)


def test_an_unusable_answer_that_names_the_managing_key_revokes_nothing() -> None:
    """A confused answer cannot make the rotator kill its own key."""
    net = wire(says(200, MINTED | {"pinata_api_key": "a" * 20}))
    with pytest.raises(CreateOutcomeUnknownError, match="left alone"):
        net.client().create_key(NAME, WRITE, None, net.clock)
    assert net.lines == ["POST /v3/api_keys"]


def test_a_create_that_is_told_to_wait_says_for_how_long() -> None:
    """429 surely made no key, and is not waited for in place."""
    net = wire(says(429, ECHO, Retry_After="42"))
    with pytest.raises(ProviderUnavailableError, match=r"no key was made.* wait 42 s"):
        net.client().create_key(NAME, WRITE, None, net.clock)
    assert (len(net.requests), net.clock.sleeps) == (1, [])


def test_nothing_is_created_when_time_is_up() -> None:
    """The deadline is looked at before the request."""
    net = wire(says(200, MINTED), clock=Clock(ends_s=0.0))
    with pytest.raises(DeadlineExceededError):
        net.client().create_key(NAME, WRITE, None, net.clock)
    assert net.requests == []


# Revoke ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("api", "line", "body"),
    [
        ("v3", "DELETE /v3/api_keys/a%2Fb%3F..", b""),
        ("v3-pinata", "PUT /v3/pinata/keys/a%2Fb%3F..", b""),
        ("legacy", "PUT /users/revokeApiKey", b'{"apiKey": "a/b?.."}'),
    ],
)
def test_revoke_names_the_key_where_each_api_wants_it(api: str, line: str, body: bytes) -> None:
    """A key's id cannot reach another path."""
    net = wire(says(200, '"Revoked"'))
    net.client(api).revoke_key("a/b?..", net.clock)
    assert net.lines == [line]
    assert net.requests[0].content == body


@pytest.mark.parametrize("key_id", ["", ".", ".."])
def test_an_id_that_is_none_is_not_revoked(key_id: str) -> None:
    """Such an id would name the collection itself."""
    net = wire(says(200, '"Revoked"'))
    with pytest.raises(UnsafeActionError):
        net.client().revoke_key(key_id, net.clock)
    assert net.requests == []


def test_an_unknown_path_is_no_success_of_a_legacy_revoke() -> None:
    """Only v3 may say 404 for a key that is gone; legacy says "Revoked" to anything."""
    net = wire(says(404, ECHO))
    with pytest.raises(ProviderRejectedError):
        net.client("legacy").revoke_key("0" * 20, net.clock)


def test_revoke_is_repeated_until_it_gets_through() -> None:
    """Repeating it is harmless, and a lost answer says nothing."""
    net = wire(breaks(httpx.ReadTimeout), says(503, ""), says(200, '"Revoked"'))
    net.client().revoke_key("0" * 20, net.clock)
    assert len(net.requests) == 3


# Retrying ----------------------------------------------------------------------------------------

GREETING = says(200, {"message": "Congratulations!"})


def test_retry_after_in_seconds_is_honoured() -> None:
    """The client waits as long as it is asked to, then goes on."""
    net = wire(says(429, ECHO, Retry_After="60"), GREETING)
    net.client().authenticate(Token(Sensitive(OLD)), net.clock)
    assert sum(net.clock.sleeps) == 60.0


def test_retry_after_as_a_date_counts_from_the_answers_own_date() -> None:
    """The client's own clock may be wrong."""
    busy = says(503, ECHO, Date="Sun, 22 Nov 2026 10:00:00 GMT", Retry_After="Sun, 22 Nov 2026 10:00:20 GMT")
    net = wire(busy, GREETING)
    net.client().authenticate(Token(Sensitive(OLD)), net.clock)
    assert sum(net.clock.sleeps) == 20.0


@pytest.mark.parametrize("asked", ["soon", "-5", "1.5", "Sun, 99 Nov 2026 10:00:20 GMT", "9" * 99])
def test_an_unreadable_retry_after_means_the_usual_pause(asked: str) -> None:
    """Nonsense in a header neither stops nor hurries the client."""
    net = wire(says(429, ECHO, Retry_After=asked), GREETING)
    net.client().authenticate(Token(Sensitive(OLD)), net.clock)
    assert net.clock.sleeps == [0.5]


def test_pauses_grow_up_to_a_cap() -> None:
    """Without Retry-After the client backs off by itself, so many times and no more."""
    net = wire(says(500, ECHO))
    with pytest.raises(ProviderUnavailableError):
        net.client().list_keys("", frozenset(), net.clock)
    assert sum(net.clock.sleeps) == sum([0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0])


def test_a_wait_that_does_not_fit_the_deadline_is_not_begun() -> None:
    """The last answer is reported at once instead."""
    net = wire(says(429, ECHO, Retry_After="500"))
    with pytest.raises(ProviderUnavailableError, match="wait 500 s"):
        net.client().authenticate(Token(Sensitive(OLD)), net.clock)
    assert (net.clock.sleeps, len(net.requests)) == ([], 1)


def test_a_used_up_budget_after_an_attempt_does_not_deny_the_attempt() -> None:
    """A revoke that may have arrived is not reported as one that was never sent."""
    net = wire(breaks(httpx.ReadTimeout), clock=Clock(ends_s=30.0))
    client = net.client()
    client._requests.limiter._rest = client._requests.limiter._rest.__class__(maxlen=1)
    with pytest.raises(ProviderUnavailableError, match="perhaps not revoked"):
        client.revoke_key("0" * 20, net.clock)
    assert len(net.requests) == 1


def test_an_answer_that_outlasts_the_deadline_is_given_up() -> None:
    """A body that drips in ends with the deadline, however quick each packet is."""
    clock = Clock(ends_s=10.0)

    def drip() -> bytes:
        clock.now_s += 1.0
        return b" "

    net = wire(lambda _: httpx.Response(200, stream=Chunks(*[drip] * 1_000)), clock=clock)
    with pytest.raises(CreateOutcomeUnknownError):
        net.client().create_key(NAME, WRITE, None, clock)
    assert clock.now_s == 10.0


# Tokens ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spoilt", [f"{OLD}\n", f"{OLD}\r\n", f" {OLD}", f"{OLD}\0", "tökén", ""])
def test_a_token_that_cannot_stand_in_a_header_is_not_sent(spoilt: str) -> None:
    """The client checks it before a library can, and quotes nothing of it."""
    net = wire(GREETING)
    with pytest.raises(UnsafeActionError) as caught:
        net.client().authenticate(Token(Sensitive(spoilt)), net.clock)
    assert_no_leak(caught.value)
    assert net.requests == []


@pytest.mark.parametrize(
    ("spoilt", "hint"),
    [(f"{ADMIN}\n", "newline"), (f"{ADMIN}\r\n", "newline"), (f"{ADMIN} x", "white space"),
     ("", "empty"), ("a" * 8193, "too long")],
)  # fmt: skip
def test_a_managing_token_that_cannot_be_sent_is_refused_at_once(spoilt: str, hint: str) -> None:
    """The message says what is wrong with it, without quoting it."""
    with pytest.raises(ConfigError, match=hint) as caught:
        wire(GREETING).client(jwt=spoilt)
    assert_no_leak(caught.value)


def test_the_managing_key_is_known_if_its_token_tells() -> None:
    """An opaque token is as good, but names no key."""
    assert wire(GREETING).client().managing_key_id == "a" * 20
    assert wire(GREETING).client(jwt="opaque").managing_key_id is None


def test_an_unknown_api_is_refused() -> None:
    """There are three sets of paths."""
    with pytest.raises(ConfigError, match="v3, v3-pinata, legacy"):
        wire(GREETING).client("v4")


def test_cookies_of_one_answer_are_not_sent_with_the_next_request() -> None:
    """A session of one key must not vouch for another."""
    net = wire(says(200, {"message": "hello"}, Set_Cookie="session=admin"), GREETING)
    client = net.client()
    client.authenticate(Token(Sensitive(ADMIN)), net.clock)
    client.authenticate(Token(Sensitive(OLD)), net.clock)
    assert "cookie" not in net.requests[1].headers


# Authentication ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "verdict"),
    [
        (403, "NO_SCOPES_FOUND", Authentication.SCOPELESS),
        (401, "NO_SCOPES_FOUND", Authentication.REFUSED),
        (403, "API_KEY_REVOKED", Authentication.REFUSED),
        (401, "INVALID_CREDENTIALS", Authentication.REFUSED),
        (400, "KEYS_MUST_BE_STRINGS", Authentication.REFUSED),
    ],
)
def test_the_reason_of_a_refusal_is_read(status: int, code: str, verdict: Authentication) -> None:
    """NO_SCOPES_FOUND shows a living key; whatever else is refused is refused."""
    net = wire(says(status, {"error": {"reason": code, "details": "text"}}))
    assert net.client().authenticate(Token(Sensitive(OLD)), net.clock) is verdict


YES, NO = GREETING, says(401, ECHO)
WANTED = frozenset({Authentication.ACCEPTED})


@pytest.mark.parametrize(
    ("answers", "verdict", "asked"),
    [
        ((YES,), Authentication.ACCEPTED, 1),
        ((NO, YES), Authentication.ACCEPTED, 3),
        ((NO, YES, NO, YES), Authentication.ACCEPTED, 5),
        ((NO,), Authentication.REFUSED, 8),
        ((*(NO,) * 7, YES), Authentication.REFUSED, 8),
    ],
    ids=["at once", "after a while", "flapping", "never", "only at the end"],
)
def test_waiting_for_an_answer(answers: tuple[Answerer, ...], verdict: Authentication, asked: int) -> None:
    """After an unwanted answer one wanted answer is not enough."""
    net = wire(*answers)
    client = net.client()
    seen = client.await_authentication(Token(Sensitive(OLD)), WANTED, 10.0, net.clock)
    assert (seen, len(net.requests)) == (verdict, asked)
    assert net.clock.now_s <= 10.0


def test_waiting_ends_with_the_deadline_too() -> None:
    """The run's deadline is nearer than the wait that was asked for."""
    net = wire(NO, clock=Clock(ends_s=2.0))
    seen = net.client().await_authentication(Token(Sensitive(OLD)), WANTED, 100.0, net.clock)
    assert seen is Authentication.REFUSED
    assert net.clock.now_s < 2.0


def test_waiting_ends_when_the_request_budget_does_not_allow_another_question() -> None:
    """What was answered until then counts; that no more could be asked is no error."""
    net = wire(NO, clock=Clock(ends_s=30.0))
    client = net.client()
    client._requests.limiter._data = client._requests.limiter._data.__class__(maxlen=2)
    seen = client.await_authentication(Token(Sensitive(OLD)), WANTED, 20.0, net.clock)
    assert (seen, len(net.requests)) == (Authentication.REFUSED, 2)


# Probes ------------------------------------------------------------------------------------------


def test_a_probe_keeps_its_query() -> None:
    """The path is sent as configured."""
    net = wire(says(200, {"data": {}}))
    assert net.client().probe(Token(Sensitive(OLD)), "/v3/files/public?limit=1", net.clock) is ALLOWED
    assert net.lines == ["GET /v3/files/public?limit=1"]
    assert net.requests[0].headers["authorization"] == f"Bearer {OLD}"


@pytest.mark.parametrize("path", ["", "v3", "//evil.example", "https://evil.example/", "/a b", "/\n"])
def test_a_probe_elsewhere_is_refused(path: str) -> None:
    """A token never goes to another host."""
    net = wire(GREETING)
    with pytest.raises(ConfigError):
        net.client().probe(Token(Sensitive(OLD)), path, net.clock)
    assert net.requests == []


# Listing -----------------------------------------------------------------------------------------


def item(key_id: str, *, name: str | None = NAME, **fields: object) -> dict[str, object]:
    """Return one item of the key list, as the newest documents show it."""
    return {
        "id": "uuid",
        "name": name,
        "key": key_id,
        "secret": SECRET,
        "max_uses": None,
        "uses": 0,
        "user_id": "uuid",
        "scopes": {"resources": ["org:files:write"], "admin": False},
        "revoked": False,
        "createdAt": "2026-11-22T09:53:28.534Z",
        "updatedAt": "2026-11-22T09:53:28.534Z",
    } | fields


def pages(items: Callable[[int], list[dict[str, object]]], **options: Any) -> Answerer:  # noqa: ANN401 - passed on as they came
    """Serve a list: the rows as they are at each request, in pages of `size`."""
    served = 0
    size, count = options.get("size", 10), options.get("count", "page")

    def answer(request: httpx.Request) -> httpx.Response:
        nonlocal served
        rows, offset = items(served), int(request.url.params["offset"])
        served += 1
        page = rows[offset : offset + size]
        counts = {"page": {"count": len(page)}, "total": {"count": len(rows)}, "none": {}}
        return says(200, {"keys": page, **counts[count]})(request)

    return answer


@given(st.integers(0, 35), st.integers(10, 20), st.sampled_from(["page", "total", "none"]))
def test_every_key_is_listed_once_whatever_the_page_size(keys: int, size: int, count: str) -> None:
    """Neither the size of a page nor the meaning of `count` matters."""
    rows = [item(f"{n:020}") for n in range(keys)]
    net = wire(pages(lambda _: rows, size=size, count=count))
    found = net.client().list_keys("rotator/", frozenset(), net.clock)
    assert [key.key_id for key in found] == [row["key"] for row in rows]
    assert len(net.requests) <= keys // size + 2


@given(st.integers(1, 35), st.integers(1, 9))
def test_a_total_is_believed_when_pages_are_short(keys: int, size: int) -> None:
    """Pages shorter than documented end the list only where `count` does not contradict."""
    rows = [item(f"{n:020}") for n in range(keys)]
    net = wire(pages(lambda _: rows, size=size, count="total"))
    assert len(net.client().list_keys("rotator/", frozenset(), net.clock)) == keys


def test_only_keys_with_exactly_the_prefix_are_returned() -> None:
    """Pinata's filter means "contains" in any case, and knows wildcards."""
    names = [f"{NAME}", f"x{NAME}", NAME.upper(), "rotator/1/eu/upXg", "", None]
    rows = [item(f"{n:020}", name=name) for n, name in enumerate(names)]
    net = wire(pages(lambda _: rows))
    found = net.client().list_keys("rotator/1/eu/up/", frozenset(), net.clock)
    assert [key.name for key in found] == [NAME]
    assert net.lines == ["GET /v3/api_keys?name=rotator%2F1%2Feu%2Fup%2F&revoked=false&offset=0"]


def test_the_legacy_list_is_not_filtered_by_the_server() -> None:
    """Legacy documents an offset and nothing else; only an empty page ends a list that others rely on."""
    net = wire(pages(lambda _: [item("0" * 20), item("1" * 20, name="foreign")]))
    assert len(net.client("legacy").list_keys("rotator/", frozenset(), net.clock)) == 1
    assert net.lines == ["GET /users/apiKeys?offset=0", "GET /users/apiKeys?offset=2"]


@pytest.mark.parametrize("revoked", [(True, False), (False, True)])
def test_a_key_that_comes_twice_is_revoked_if_one_row_says_so(revoked: tuple[bool, bool]) -> None:
    """Rows of one key may differ while the list changes; the revoked one is the later."""
    net = wire(pages(lambda _: [item("0" * 20, revoked=flag) for flag in revoked]))
    (key,) = net.client().list_keys("rotator/", frozenset(), net.clock)
    assert key.state is KeyState.REVOKED


def test_a_key_made_between_two_pages_is_found() -> None:
    """A repeated row tells that the list has shifted; it is read again."""
    rows = [item(f"{n:020}") for n in range(15)]
    new = item("f" * 20)
    net = wire(pages(lambda served: ([new] if served else []) + rows))
    found = net.client().list_keys("rotator/", frozenset(), net.clock)
    assert {key.key_id for key in found} == {str(row["key"]) for row in [new, *rows]}


def test_a_row_that_slipped_between_two_pages_is_found() -> None:
    """A total above what was received tells that rows have moved up."""
    rows = [item(f"{n:020}") for n in range(25)]
    net = wire(pages(lambda served: rows[1:] if served else rows, count="total"))
    assert len(net.client().list_keys("rotator/", frozenset(), net.clock)) == 25


def test_a_list_that_never_stands_still_is_read_so_often_and_no_more() -> None:
    """What was seen until then is the answer: it makes the rotator revoke less, never more."""
    rows = [item(f"{n:020}") for n in range(5)]
    net = wire(pages(lambda served: rows[served % 5 :] + rows, count="page"))
    assert len(net.client().list_keys("rotator/", frozenset(), net.clock)) == 5
    assert len(net.requests) <= 2 * LIST_READS_MAX


def test_a_list_without_an_end_is_given_up() -> None:
    """A server that ignores the offset cannot keep the client for ever."""
    full = says(200, {"keys": [item(f"{n:020}") for n in range(10)], "count": 10})
    net = wire(full)
    with pytest.raises(ProviderContractError, match="does not end"):
        net.client().list_keys("rotator/", frozenset(), net.clock)
    assert len(net.requests) == PAGES_MAX


@pytest.mark.parametrize(
    "broken",
    [{"createdAt": "yesterday"}, {"createdAt": None}, {"revoked": "no"}, {"uses": "7"},
     {"max_uses": True}, {"uses": -1}, {"uses": math.nan}, {"createdAt": "2016-12-31T23:59:60Z"},
     {"createdAt": "0001-01-01T00:00:00+01:00"}, {"createdAt": "0001-01-01T00:00:00Z"},
     {"createdAt": "9999-12-31T23:59:59-01:00"}, {"createdAt": "9999-12-31T23:59:59Z"}],
)  # fmt: skip
def test_an_unreadable_key_matters_only_if_it_is_ours(broken: dict[str, object]) -> None:
    """Somebody else's odd key does not stop a rotation; one of ours does, without being quoted."""
    rows = [item("0" * 20, name="foreign") | broken, item("1" * 20)]
    net = wire(pages(lambda _: rows))
    assert [k.key_id for k in net.client().list_keys("rotator/", frozenset(), net.clock)] == ["1" * 20]
    net = wire(pages(lambda _: [item("0" * 20) | broken]))
    with pytest.raises(ProviderContractError, match="unreadable key of ours") as caught:
        net.client().list_keys("rotator/", frozenset(), net.clock)
    assert_no_leak(caught.value)


@pytest.mark.parametrize("body", [{}, {"keys": None}, {"keys": [7]}, {"keys": [{"name": NAME, "secret": SECRET}]}])
def test_a_list_of_another_shape_breaks_the_contract(body: object) -> None:
    """A shape nobody has seen is not guessed at, not repeated and not quoted."""
    net = wire(says(200, body))
    with pytest.raises(ProviderContractError) as caught:
        net.client().list_keys("rotator/", frozenset(), net.clock)
    assert_no_leak(caught.value)
    assert len(net.requests) == 1


def listed(**fields: object) -> ProviderKey:
    """Return a key as the client reads it from an item; a field that is "gone" is left out."""
    shown = {name: value for name, value in (item(KEY) | fields).items() if value != "gone"}
    net = wire(pages(lambda _: [shown]))
    return net.client().list_keys("rotator/", frozenset(), net.clock)[0]


@pytest.mark.parametrize("unlimited", [None, "gone", 0, -1])
def test_a_key_without_a_limit_is_known_in_all_spellings(unlimited: object) -> None:
    """Clients have met null, a missing field, 0 and -1."""
    assert listed(max_uses=unlimited, uses=3).max_uses is None


def test_optional_fields_may_be_missing() -> None:
    """Uses, limit, scopes and the flag of revocation are not always there."""
    key = listed(max_uses="gone", uses="gone", scopes="gone", revoked="gone", updatedAt="gone")
    assert (key.uses, key.max_uses, key.scopes, key.state) == (0, None, None, KeyState.LIVE)
    assert key.created_at.isoformat() == "2026-11-22T09:53:28.534000+00:00"


@pytest.mark.parametrize(
    ("echo", "scopes"),
    [
        ({"admin": True}, Admin()),
        ({"admin": False, "resources": ["b", "a"]}, Resources(frozenset({"a", "b"}))),
        (
            {"endpoints": {"pinning": {"unpin": True, "pinJobs": False}}, "admin": False},
            Endpoints(frozenset({"pinning.unpin"})),
        ),
        ({"admin": False}, None),
        ({"scopes": ["org:files:write"]}, None),
        ({"resources": ["a"], "endpoints": {"data": {"pinList": True}}}, None),
        ({"resources": [7]}, None),
        ({"resources": "a"}, None),
        ({"endpoints": ["pinList"]}, None),
        (["org:files:write"], None),
        (None, None),
    ],
)
def test_echoed_scopes_are_read_where_their_form_is_known(echo: object, scopes: object) -> None:
    """A form nobody has documented is no scopes at all, rather than wrong ones."""
    assert listed(scopes=echo).scopes == scopes


FIELDS = ["keys", "key", "name", "scopes", "endpoints", "resources", "count", "createdAt"]
LEAVES = st.none() | st.booleans() | st.integers() | st.text()


@given(
    st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner))
)
def test_no_json_makes_the_parser_raise(body: object) -> None:
    """Whatever a body is, it is a page or a misfit."""
    assert key_page(Sensitive(json.dumps(body))) is not None


# Waiting for a revocation ------------------------------------------------------------------------


def test_a_revoked_key_is_found_with_one_request() -> None:
    """The list of revoked keys is asked first."""
    net = wire(pages(lambda _: [item(KEY, revoked=True)]))
    seen = net.client().await_revoked(KEY, NAME, 10.0, net.clock)
    assert seen is not None
    assert seen.state is KeyState.REVOKED
    assert len(net.requests) == 1
    assert net.requests[0].url.params["revoked"] == "true"
    assert net.requests[0].url.params["name"] == NAME


def test_a_key_that_stays_alive_is_returned_as_such_when_time_is_up() -> None:
    """The last thing seen is returned, and the wait is bounded."""
    net = wire(pages(lambda _: [item(KEY)]))
    seen = net.client().await_revoked(KEY, NAME, 10.0, net.clock)
    assert seen is not None
    assert seen.state is KeyState.LIVE
    assert 5.0 < net.clock.now_s <= 10.0


def test_a_key_that_no_list_shows_is_absent() -> None:
    """A legacy list may hold active keys only, so that a dead key is simply not there."""
    net = wire(pages(lambda _: [item("1" * 20)]))
    assert net.client("legacy").await_revoked(KEY, NAME, 0.0, net.clock) is None
    assert net.lines == ["GET /users/apiKeys?offset=0"]


# What an error says ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"error": "plain text"}, "plain text"),
        ({"error": {"reason": "CODE", "details": "what"}}, "CODE: what"),
        ({"error": {"code": 401, "message": "Not Authorized"}}, "Not Authorized"),
        ("<h1>Bad\r\n\x1b[31mgateway</h1>", "<h1>Bad [31mgateway</h1>"),
        ({"error": 7}, ""),
        ([], "[]"),
        ("", ""),
    ],
)
def test_error_bodies_of_every_shape_are_read(body: object, text: str) -> None:
    """One printable line, whatever came."""
    assert why(Sensitive(body if isinstance(body, str) else json.dumps(body))) == text


@given(
    st.text(max_size=200),
    st.text("abcdefghijklmnopqrstuvwxyzABCDEF0123456789_-.", min_size=32, max_size=300),
    st.text(max_size=200),
)
def test_no_error_text_holds_a_token_or_breaks_a_line(before: str, secret: str, after: str) -> None:
    """Neither a token nor a control character gets into a message, and messages stay short."""
    shown = why(Sensitive(json.dumps({"error": f"{before} {secret} {after}"})))
    assert len(shown) <= WHY_MAX_CHARS
    assert shown.isprintable()
    assert not any(secret[at : at + 24] in shown for at in range(len(secret) - 23))


def test_a_list_that_is_not_there_asks_to_compare_the_api() -> None:
    """A 404 on the key list does not pass by itself: the paths are those of another API."""
    with pytest.raises(ProviderRejectedError) as caught:
        CALLS["list"](wire(says(404, ECHO)).client(), Clock())
    assert caught.value.remedy is Remedy.PERSON
    assert "`[pinata] api`" in caught.value.next_step


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (403, {"error": {"reason": "PLAN_LIMIT", "details": "You have reached the limit of API keys for your plan"}}),
        (403, {"error": "Please upgrade to create more keys"}),
        (402, {"error": "Payment Required"}),
    ],
)
def test_a_create_that_the_plan_does_not_allow_names_the_plan(status: int, said: object) -> None:
    """The managing key is a good one; whoever pays for the account must act."""
    net = wire(says(status, said))
    with pytest.raises(ProviderRejectedError, match="the plan of the Pinata account does not allow it") as caught:
        CALLS["create"](net.client(), net.clock)
    assert caught.value.remedy is Remedy.PERSON
    assert "plan" in caught.value.next_step
    assert len(net.requests) == 1


@pytest.mark.parametrize("code", ["NO_SCOPES_FOUND", "API_KEY_REVOKED", "INVALID_CREDENTIALS"])
def test_a_managing_key_that_is_refused_is_not_taken_for_the_plan(code: str) -> None:
    """The other reasons of a 403."""
    details = "This key does not have the required scopes associated with it"
    net = wire(says(403, {"error": {"reason": code, "details": details}}))
    with pytest.raises(ProviderDeniedError, match=code):
        CALLS["create"](net.client(), net.clock)
