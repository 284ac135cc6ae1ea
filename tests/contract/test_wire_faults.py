"""Every wire fault x every call of the real adapters, over real sockets: its class, its requests, and the world after.

One table says what each fault is to each call. Beside it stands a law that no row may break: an error that says
"surely no effect" is never told of a call that had one.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from types import SimpleNamespace

import boto3
import httpx
import pytest
from botocore.config import Config

from rotator.aws.client import client_config
from rotator.aws.store import SecretsManagerStore
from rotator.model.credential import Sensitive, Token
from rotator.model.errors import (
    CreateOutcomeUnknownError,
    ProviderContractError,
    ProviderDeniedError,
    ProviderRejectedError,
    ProviderUnavailableError,
    RotatorError,
    StoreDeniedError,
    StoreRejectedError,
    StoreUnavailableError,
)
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, REPLACED_PREFIX
from rotator.model.ports import Authentication, ProbeAnswer
from rotator.model.secret import Endpoints, Resources
from rotator.pinata import transport as pinata_transport
from rotator.pinata.client import PinataClient
from rotator.pinata.requests import ATTEMPTS_MAX
from rotator.pinata.transport import RateLimiter, http_client
from rotator.sandbox.pinata.scopes import Permissions as Scopes
from rotator.sandbox.pinata.server import PinataServer
from rotator.sandbox.pinata.switches import UNLIMITED, Switches
from rotator.sandbox.pinata.world import PinataWorld, seeded
from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.server import SecretsManagerServer
from rotator.sandbox.secrets_manager.store import Scope
from tests.contract.faulty_wire import FAULTS, Reach, Wire, faulty_wire, refusing_port, unanswered_port

TIMEOUT_S = 0.1
PATIENCE_S = 600.0
"""Where no timeout is wanted, on however busy a machine."""
TIME_S = 600.0
TIMEOUTS = ("read timeout before the effect", "read timeout after the effect")
Verdict = type[RotatorError] | object
OK = "done"


@dataclass
class Clock:
    """A clock that moves when somebody sleeps, and the deadline on it."""

    now_s: float = 1_790_000_000.0
    ends_s: float = 1_790_000_000.0 + TIME_S

    def time(self) -> float:
        """Return the time, in epoch seconds."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.ends_s - self.now_s

    def restart(self, left_s: float) -> None:
        """Give so much time from now."""
        self.ends_s = self.now_s + left_s


def table(calls: tuple[str, ...], *rows: tuple[str, str]) -> dict[str, dict[str, str]]:
    """Return the verdicts by fault and call; a row has one word per call, the last one repeated."""
    read: dict[str, dict[str, str]] = {}
    for fault, words in rows:
        verdicts = words.split()
        verdicts += verdicts[-1:] * (len(calls) - len(verdicts))
        read[fault] = dict(zip(calls, verdicts, strict=True))
    assert read.keys() == FAULTS.keys()
    return read


# Pinata

NAME = "rotator/111122223333/eu-central-1/prod/uploader-AbCdEf/g000002-20261122T000000Z-aaaaaaaaaa"
NOBODY = Scopes(resources=("org:files:read",))
KEY_CALLS = ("create", "list", "revoke", "authenticate", "probe")
PROVIDER_VERDICTS: dict[str, Verdict] = {
    "unknown": CreateOutcomeUnknownError,
    "unavailable": ProviderUnavailableError,
    "denied": ProviderDeniedError,
    "contract": ProviderContractError,
    "refused": Authentication.REFUSED,
    "forbidden": ProbeAnswer.FORBIDDEN,
    "ok": OK,
}
KEY_TABLE = table(
    KEY_CALLS,
    ("connection refused", "unavailable"),
    ("read timeout before the effect", "unknown unavailable"),
    ("read timeout after the effect", "unknown unavailable"),
    ("reset before the effect", "unknown unavailable"),
    ("reset after the effect", "unknown unavailable"),
    ("closed after the effect", "unknown unavailable"),
    ("reset mid-body", "unknown unavailable"),
    ("closed mid-body", "unknown unavailable"),
    ("429", "unavailable"),
    ("429 with Retry-After", "unavailable"),
    ("500 before the effect", "unknown unavailable"),
    ("500 after the effect", "unknown unavailable"),
    ("502 after the effect", "unknown unavailable"),
    ("503", "unknown unavailable"),
    ("504 after the effect", "unknown unavailable"),
    ("401", "denied denied denied refused forbidden"),
    ("403", "denied denied denied refused forbidden"),
    ("200 with HTML", "unknown contract ok contract ok"),
    ("200 with nothing", "unknown contract ok contract ok"),
    ("200 with cut-off JSON", "unknown contract ok contract ok"),
    ("200 without a field", "unknown contract ok ok ok"),
    ("200 with further fields", "ok"),
    ("200 of another type", "unknown contract ok contract ok"),
    ("gzip bomb", "unknown contract"),
    ("two megabytes", "unknown contract"),
    ("redirect", "unknown contract"),
)
SURELY_NOT_MADE = (ProviderUnavailableError, ProviderDeniedError, ProviderRejectedError)
FIRST_LINE = {
    "create": "POST ",
    "list": "GET /v3/api_keys",
    "revoke": "DELETE ",
    "authenticate": "GET /data/",
    "probe": "GET /v3/files",
}

FIRST_LINE_OF_CREATE = {
    "v3": "POST /v3/api_keys",
    "v3-pinata": "POST /v3/pinata/keys",
    "legacy": "POST /users/generateApiKey",
}


@dataclass
class Pinata:
    """The real client, a faulty wire, and the simulated Pinata behind it."""

    server: PinataServer
    wire: Wire
    http: httpx.Client
    clock: Clock
    admin: str
    api: str = "v3"
    url: str = ""

    @property
    def made(self) -> list[bool]:
        """The keys that exist under the new key's name: whether each lives."""
        keys = self.server.site.world.keys.values()
        return [record.revoked_at is None for record in keys if record.name == NAME]

    def sent(self, call: str) -> int:
        """Return how many requests a call has sent."""
        return sum(line.startswith(FIRST_LINE[call]) for line in self.wire.sent)

    def alive(self, key_id: str) -> bool:
        """Tell whether a key lives."""
        return self.server.site.world.keys[key_id].revoked_at is None

    def client(self) -> PinataClient:
        """Return a client on the wire."""
        return PinataClient(
            api_url=self.url or self.wire.url,
            api=self.api,
            token=Sensitive(self.admin),
            client=self.http,
            limiter=RateLimiter(
                per_minute=10_000, data_per_minute=10_000, monotonic=self.clock.time, sleep=self.clock.sleep
            ),
            monotonic=self.clock.time,
            sleep=self.clock.sleep,
        )

    def do(self, call: str, key_id: str, jwt: str) -> object:
        """Make a call; OK if it says what it says without faults, else what it says."""
        client, clock = self.client(), self.clock
        try:
            match call:
                case "create":
                    wanted = Endpoints(frozenset({"data.pinList"}))
                    v3 = Resources(frozenset({"org:files:read"}))
                    client.create_key(NAME, wanted if self.api == "legacy" else v3, None, clock)
                case "list":
                    assert [key.key_id for key in client.list_keys("seeded", frozenset(), clock)] == [key_id]
                case "revoke":
                    client.revoke_key(key_id, clock)
                case "authenticate":
                    said = client.authenticate(Token(Sensitive(jwt)), clock)
                    return OK if said is Authentication.ACCEPTED else said
                case _:
                    answer = client.probe(Token(Sensitive(jwt)), "/v3/files/public?limit=1", clock)
                    return OK if answer is ProbeAnswer.ALLOWED else answer
        except RotatorError as error:
            return type(error)
        return OK


@pytest.fixture(scope="module")
def served_pinata() -> Iterator[Pinata]:
    """One server, wire and HTTP client for all tests."""
    clock = Clock()
    world = PinataWorld(clock.time, seeded("wire"), Switches(limits=UNLIMITED))
    with PinataServer(world) as server, faulty_wire(server.url) as wire, http_client() as http:
        yield Pinata(server, wire, http, clock, server.seed_admin())


@pytest.fixture
def pinata(served_pinata: Pinata) -> Pinata:
    """A Pinata as new."""
    served_pinata.server.site.reset()
    served_pinata.wire.mend()
    served_pinata.clock.restart(TIME_S)
    served_pinata.api, served_pinata.url = "v3", ""
    return served_pinata


ON_THE_WIRE = [name for name in FAULTS if name != "connection refused"]


def _meet(pinata: Pinata, fault: str, call: str, monkeypatch: pytest.MonkeyPatch) -> tuple[object, str]:
    """Make a call that meets a fault every time; return what it came to, and the key it was about."""
    key = pinata.server.site.world.seed("seeded", NOBODY)
    pinata.wire.fault, pinata.wire.at = FAULTS[fault], FIRST_LINE[call]
    if fault in TIMEOUTS:
        monkeypatch.setattr(pinata_transport, "READ_S", TIMEOUT_S)
        pinata.clock.restart(1.0)
    return pinata.do(call, key.key, key.jwt), key.key


@pytest.mark.parametrize("call", KEY_CALLS)
@pytest.mark.parametrize("fault", ON_THE_WIRE)
def test_a_lasting_fault_of_a_pinata_call_has_one_class(
    pinata: Pinata, fault: str, call: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the class of the table after a bounded number of requests, and the world shows their effect."""
    came_to, key_id = _meet(pinata, fault, call, monkeypatch)
    assert came_to == PROVIDER_VERDICTS[KEY_TABLE[fault][call]]
    repeated = call != "create" and came_to is ProviderUnavailableError
    attempts = (2 if fault in TIMEOUTS else ATTEMPTS_MAX) if repeated else 1
    assert pinata.wire.settled(attempts)
    assert pinata.sent(call) == attempts
    assert "GET /elsewhere" not in pinata.wire.sent
    seen = FAULTS[fault].reach is Reach.SEEN
    assert len(pinata.made) == (call == "create" and seen)
    assert pinata.alive(key_id) == (call != "revoke" or not seen)


@pytest.mark.parametrize("call", [call for call in KEY_CALLS if call != "create"])
@pytest.mark.parametrize(
    "fault", [f for f in ON_THE_WIRE if KEY_TABLE[f]["list"] == "unavailable" and f not in TIMEOUTS]
)
def test_a_passing_fault_of_a_pinata_call_is_outlived(pinata: Pinata, fault: str, call: str) -> None:
    """What is safe to repeat is repeated once the wire is mended, and comes to what it would have without a fault."""
    key = pinata.server.site.world.seed("seeded", NOBODY)
    pinata.wire.fault, pinata.wire.at, pinata.wire.times = FAULTS[fault], FIRST_LINE[call], 2
    assert pinata.do(call, key.key, key.jwt) == OK
    assert pinata.sent(call) == 3
    assert pinata.alive(key.key) == (call != "revoke")


@pytest.mark.parametrize("api", FIRST_LINE_OF_CREATE)
@pytest.mark.parametrize("fault", ON_THE_WIRE)
def test_a_create_is_sent_once_on_every_set_of_paths(
    pinata: Pinata, fault: str, api: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither transport nor retries repeat a create, and one that made a key is never called harmless."""
    pinata.api = api
    came_to, _ = _meet(pinata, fault, "create", monkeypatch)
    assert pinata.wire.settled(1)
    assert [line for line in pinata.wire.sent if line.startswith("POST ")] == [FIRST_LINE_OF_CREATE[api]]
    assert len(pinata.made) == (FAULTS[fault].reach is Reach.SEEN)
    assert not (pinata.made and came_to in SURELY_NOT_MADE)


@pytest.mark.parametrize("call", KEY_CALLS)
@pytest.mark.parametrize("port", [refusing_port, unanswered_port], ids=lambda port: port.__name__)
def test_a_pinata_that_cannot_be_reached_is_unavailable(
    pinata: Pinata, call: str, port: Callable[[], AbstractContextManager[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused, or not even that: nothing was sent, and so a create did surely nothing."""
    monkeypatch.setattr(pinata_transport, "CONNECT_S", TIMEOUT_S)
    key = pinata.server.site.world.seed("seeded", NOBODY)
    pinata.clock.restart(1.0)
    with port() as number:
        pinata.url = f"http://127.0.0.1:{number}"
        came_to = pinata.do(call, key.key, key.jwt)
    assert came_to == PROVIDER_VERDICTS[KEY_TABLE["connection refused"][call]]
    assert (pinata.made, pinata.alive(key.key), pinata.wire.sent) == ([], True, [])


# Secrets Manager

SCOPE = Scope("123456789012", "eu-central-1")
SECRET = "prod/pinata/uploader"
OLD = "g000001-20261101T000000Z-aaaaaaaaaa"
NEW = "g000002-20261122T000000Z-bbbbbbbbbb"
OTHER = "g000003-20261122T000001Z-cccccccccc"
REPEATS = 3
STORE_CALLS = {
    "describe": "DescribeSecret",
    "survey": "ListSecrets",
    "read": "GetSecretValue",
    "read_current": "GetSecretValue",
    "put": "PutSecretValue",
    "promote": "UpdateSecretVersionStage",
    "remove": "UpdateSecretVersionStage",
    "attach": "UpdateSecretVersionStage",
}
MARK = f"{REPLACED_PREFIX}0123456789abcdef0123"
BEFORE = {AWSCURRENT: OLD, AWSPENDING: NEW}
EFFECT = {
    "put": {AWSCURRENT: OLD, AWSPENDING: OTHER},
    "promote": {AWSCURRENT: NEW, AWSPREVIOUS: OLD, AWSPENDING: NEW},
    "remove": {AWSCURRENT: OLD},
    "attach": {AWSCURRENT: OLD, AWSPENDING: NEW, MARK: NEW},
}
STORE_VERDICTS: dict[str, Verdict] = {
    "unavailable": StoreUnavailableError,
    "rejected": StoreRejectedError,
    "denied": StoreDeniedError,
    "ok": OK,
}
SURELY_NOT_DONE = (StoreRejectedError, StoreDeniedError)
# A label move whose answer is lost is judged by where the label is: done, if it is where it should be.
LOST_BEFORE, LOST_AFTER = "unavailable", " ".join(["unavailable"] * 5 + ["ok"])
STORE_TABLE = table(
    tuple(STORE_CALLS),
    ("connection refused", LOST_BEFORE),
    ("read timeout before the effect", LOST_BEFORE),
    ("read timeout after the effect", LOST_AFTER),
    ("reset before the effect", LOST_BEFORE),
    ("reset after the effect", LOST_AFTER),
    ("closed after the effect", LOST_AFTER),
    ("reset mid-body", LOST_AFTER),
    ("closed mid-body", LOST_AFTER),
    ("429", "unavailable unavailable unavailable unavailable rejected"),
    ("429 with Retry-After", "unavailable unavailable unavailable unavailable rejected"),
    ("500 before the effect", LOST_BEFORE),
    ("500 after the effect", LOST_AFTER),
    ("502 after the effect", LOST_AFTER),
    ("503", LOST_BEFORE),
    ("504 after the effect", LOST_AFTER),
    ("401", "denied"),
    ("403", "denied"),
    ("200 with HTML", LOST_AFTER),
    ("200 with nothing", LOST_AFTER),
    ("200 with cut-off JSON", LOST_AFTER),
    ("200 without a field", LOST_AFTER),
    ("200 with further fields", "ok"),
    ("200 of another type", LOST_AFTER),
    ("gzip bomb", LOST_AFTER),
    ("two megabytes", "ok"),
    ("redirect", LOST_BEFORE),
)
REPEATED_BY_BOTOCORE = (
    *TIMEOUTS,
    "reset before the effect",
    "reset after the effect",
    "closed after the effect",
    "reset mid-body",
    "429",
    "429 with Retry-After",
    "500 before the effect",
    "500 after the effect",
    "502 after the effect",
    "503",
    "504 after the effect",
)
"""An answer of 200 that is cut off or spoilt is not: a run does without it, and the next one asks again."""


@dataclass
class Aws:
    """The real store, a faulty wire, and the strict Secrets Manager behind it."""

    secrets: SecretsManager
    wire: Wire
    clock: Clock
    store: SecretsManagerStore

    @property
    def arn(self) -> str:
        """The ARN of the secret."""
        return str(self.secrets.answer("DescribeSecret", {"SecretId": SECRET}, SCOPE)["ARN"])

    def holders(self) -> dict[str, str]:
        """Return which version carries each label."""
        described = self.secrets.answer("DescribeSecret", {"SecretId": SECRET}, SCOPE)
        stages = described["VersionIdsToStages"]
        return {label: version for version, labels in stages.items() for label in labels}

    def versions(self) -> set[str]:
        """Return every version, labelled or not."""
        asked = {"SecretId": SECRET, "IncludeDeprecated": True}
        listed = self.secrets.answer("ListSecretVersionIds", asked, SCOPE)["Versions"]
        return {version["VersionId"] for version in listed}

    def patient(self, timeout_s: float) -> "Aws":
        """Return the same with a client of its own: its budget of retries is whole."""
        return replace(self, store=_store(self.wire.url, self.clock, timeout_s))

    def begin(self) -> None:
        """Begin anew with OLD as AWSCURRENT and NEW as AWSPENDING."""
        self.secrets.reset()
        self.wire.mend()
        self.clock.restart(TIME_S)
        made = {"Name": SECRET, "SecretString": "old", "ClientRequestToken": OLD}
        self.secrets.answer("CreateSecret", made, SCOPE)
        put = {"SecretId": SECRET, "SecretString": "new", "ClientRequestToken": NEW}
        self.secrets.answer("PutSecretValue", put | {"VersionStages": [AWSPENDING]}, SCOPE)

    def do(self, call: str) -> object:
        """Make a call; OK if it comes to what it does without faults, else the class of its error."""
        store, arn, clock = self.store, self.arn, self.clock
        try:
            match call:
                case "describe":
                    assert len(store.describe(SECRET, clock).versions) == 2
                case "survey":
                    assert len(store.survey((SECRET,), clock)[SECRET].versions) == 2
                case "read":
                    value = store.read(arn, NEW, clock)
                    assert value
                    assert value.text == Sensitive("new")
                case "read_current":
                    assert store.read_current(SECRET, clock) == Sensitive("old")
                case "put":
                    store.put_pending(arn, OTHER, Sensitive("other"), frozenset(), clock)
                case "promote":
                    store.promote(arn, NEW, OLD, clock)
                case "attach":
                    store.attach(arn, NEW, MARK, clock)
                case _:
                    store.remove(arn, NEW, AWSPENDING, clock)
        except RotatorError as error:
            return type(error)
        return OK


@pytest.fixture(scope="module")
def served_aws() -> Iterator[Aws]:
    """One server, wire and client for all tests."""
    clock = Clock()
    secrets = SecretsManager(clock=clock.time)
    with SecretsManagerServer(secrets, clock=clock.time) as server, faulty_wire(server.endpoint_url) as wire:
        yield Aws(secrets, wire, clock, _store(wire.url, clock, PATIENCE_S))


@pytest.fixture
def aws(served_aws: Aws, monkeypatch: pytest.MonkeyPatch) -> Aws:
    """A Secrets Manager as new; botocore repeats at once."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))
    served_aws.begin()
    return served_aws


def _store(url: str, clock: Clock, timeout_s: float) -> SecretsManagerStore:
    patience = Config(connect_timeout=timeout_s, read_timeout=timeout_s)
    client = boto3.client("secretsmanager", endpoint_url=url, config=client_config().merge(patience))
    return SecretsManagerStore(client, clock=clock.time, sleep=clock.sleep)


@pytest.mark.parametrize("call", STORE_CALLS)
@pytest.mark.parametrize("fault", ON_THE_WIRE)
def test_a_lasting_fault_of_a_store_call_has_one_class(aws: Aws, fault: str, call: str) -> None:
    """It is the class of the table after a bounded number of requests, and the world shows their effect."""
    operation = STORE_CALLS[call]
    aws.wire.fault, aws.wire.at = FAULTS[fault], operation
    came_to = aws.patient(TIMEOUT_S if fault in TIMEOUTS else PATIENCE_S).do(call)
    assert came_to is STORE_VERDICTS[STORE_TABLE[fault][call]]
    attempts = REPEATS if fault in REPEATED_BY_BOTOCORE else 1
    assert aws.wire.settled(attempts)
    assert aws.wire.sent.count(operation) == attempts
    assert "GET /elsewhere" not in aws.wire.sent
    seen = FAULTS[fault].reach is Reach.SEEN
    assert aws.holders() == (EFFECT.get(call, BEFORE) if seen else BEFORE)
    assert aws.versions() == {OLD, NEW} | ({OTHER} if call == "put" and seen else set())
    assert not (seen and came_to in SURELY_NOT_DONE)


@pytest.mark.parametrize("call", STORE_CALLS)
@pytest.mark.parametrize("fault", REPEATED_BY_BOTOCORE)
def test_a_passing_fault_of_a_store_call_is_outlived(aws: Aws, fault: str, call: str) -> None:
    """One lost request, before its effect or after it, leaves the same world as none: writes are done once."""
    aws.wire.fault, aws.wire.at, aws.wire.times = FAULTS[fault], STORE_CALLS[call], 1
    assert aws.patient(TIMEOUT_S * 3 if fault in TIMEOUTS else PATIENCE_S).do(call) is OK
    assert aws.holders() == EFFECT.get(call, BEFORE)
    assert aws.versions() == {OLD, NEW} | ({OTHER} if call == "put" else set())


@dataclass
class UntilSent(Clock):
    """A deadline that is over once a request has gone over the wire, as when the process is told to stop."""

    sent: list[str] = field(default_factory=list)

    def remaining_s(self) -> float:
        """Return the seconds left."""
        return -1.0 if self.sent else 60.0


@pytest.mark.parametrize("call", ["read", "put"])
def test_no_attempt_begins_after_the_deadline(aws: Aws, call: str) -> None:
    """Botocore would repeat a request that was lost; time is up, and one that writes may have had its effect."""
    aws.wire.fault, aws.wire.at = FAULTS["reset after the effect"], STORE_CALLS[call]
    hurried = replace(aws.patient(PATIENCE_S), clock=UntilSent(sent=aws.wire.sent))
    assert hurried.do(call) is StoreUnavailableError
    assert aws.wire.settled(1)
    assert aws.wire.sent.count(STORE_CALLS[call]) == 1


@pytest.mark.parametrize("call", STORE_CALLS)
@pytest.mark.parametrize("port", [refusing_port, unanswered_port], ids=lambda port: port.__name__)
def test_a_secrets_manager_that_cannot_be_reached_is_unavailable(
    aws: Aws, call: str, port: Callable[[], AbstractContextManager[int]]
) -> None:
    """Refused, or not even that: no answer was of use, and nothing was changed."""
    with port() as number:
        cut_off = replace(aws, store=_store(f"http://127.0.0.1:{number}", aws.clock, TIMEOUT_S))
        assert cut_off.do(call) is STORE_VERDICTS[STORE_TABLE["connection refused"][call]]
    assert (aws.holders(), aws.wire.sent) == (BEFORE, [])
