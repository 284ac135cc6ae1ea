"""The real Pinata client against the simulated Pinata over HTTP, on all three sets of paths.

What the simulator keeps is asserted, not which calls were made. Client and simulator share one
clock, which moves when the client sleeps.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import httpx
import pytest

from rotator.model.credential import HeaderPair, Sensitive, Token
from rotator.model.errors import (
    CreateOutcomeUnknownError,
    KeyRejectedError,
    ProviderContractError,
    ProviderDeniedError,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from rotator.model.observed import KeyState
from rotator.model.ports import Authentication, KeyProvider, ProbeAnswer
from rotator.model.secret import Admin, Endpoints, Permissions, Resources
from rotator.pinata.client import PinataClient
from rotator.pinata.transport import RateLimiter, http_client
from rotator.sandbox.pinata import scopes as pinata_scopes
from rotator.sandbox.pinata.faults import Damage, Drop, Fault, Injection, Omit, Operation, Respond, Side, Spoil
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.server import PinataServer
from rotator.sandbox.pinata.switches import (
    UNLIMITED,
    CountOf,
    Delay,
    DoneAlready,
    ErrorShape,
    Listed,
    MaxUsesSpelling,
    Order,
    RateLimits,
    Switches,
)
from rotator.sandbox.pinata.wire import HangUp
from rotator.sandbox.pinata.world import PinataWorld, seeded

APIS = ("v3", "v3-pinata", "legacy")
PREFIX = "rotator/111122223333/eu-central-1/prod/up_loader-AbCdEf/"
NAME = f"{PREFIX}g000001-20261122T000000Z-aaaaaaaaaa"
ALIVE, DEAD = frozenset({Authentication.ACCEPTED}), frozenset({Authentication.REFUSED})
NOBODY = pinata_scopes.Permissions(resources=("org:files:read",))

LIKELY = Switches(limits=UNLIMITED)
AWKWARD = replace(
    LIKELY,
    key_digits=32,
    secret_listed=True,
    unlimited_max_uses=MaxUsesSpelling.MINUS_ONE,
    jwt_lifetime_s=None,
    unknown_key=DoneAlready.NOT_FOUND,
    already_revoked=DoneAlready.NOT_FOUND,
    count_of=CountOf.TOTAL,
    order=Order.LAST_UPDATED_FIRST,
    listed_by_default=Listed.ACTIVE_ONLY,
    resources_echo=None,
    v3_errors=ErrorShape.STRING,
    bad_request_errors=ErrorShape.TEXT,
)
SLUGGISH = replace(
    LIKELY,
    unlimited_max_uses=MaxUsesSpelling.MISSING,
    activation=Delay(6.0, flap_s=1.5),
    revocation=Delay(6.0, flap_s=1.5),
    listing=Delay(4.0),
    order=Order.BY_KEY,
    page_size=25,
    v3_errors=ErrorShape.REASON_DETAILS,
)


@dataclass
class Clock:
    """A clock that moves when somebody sleeps, and a deadline on it."""

    now_s: float = 1_790_000_000.0
    ends_s: float = 1_790_000_600.0

    def time(self) -> float:
        """Return the time, in epoch seconds."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.ends_s - self.now_s


@dataclass
class Pinata:
    """A client, and the simulated Pinata behind it."""

    api: str
    server: PinataServer
    http: httpx.Client
    clock: Clock
    admin: str

    @property
    def world(self) -> PinataWorld:
        """What Pinata knows."""
        return self.server.site.world

    @property
    def permissions(self) -> Permissions:
        """Scopes that this set of paths can give."""
        if self.api == "legacy":
            return Endpoints(frozenset({"pinning.pinFileToIPFS", "data.pinList"}))
        return Resources(frozenset({"org:files:write", "org:groups:read"}))

    @property
    def named(self) -> list[KeyRecord]:
        """The keys that exist under the name we make keys with."""
        return [record for record in self.world.keys.values() if record.name == NAME]

    def client(self, *, jwt: str = "", per_minute: int = 10_000) -> KeyProvider:
        """Return a client of its own, with the managing key's token unless given another."""
        limiter = RateLimiter(
            per_minute=per_minute,
            data_per_minute=max(per_minute // 2, 1),
            monotonic=self.clock.time,
            sleep=self.clock.sleep,
        )
        return PinataClient(
            api_url=self.server.url,
            api=self.api,
            token=Sensitive(jwt or self.admin),
            client=self.http,
            limiter=limiter,
            monotonic=self.clock.time,
            sleep=self.clock.sleep,
        )

    def inject(self, fault: Fault, operation: Operation, times: int | None = 1) -> None:
        """Let calls from now on meet a fault."""
        with self.server.site.lock:
            self.server.site.faults.add(Injection(fault, operation, times=times))


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    """One client for all, as in production."""
    with http_client() as client:
        yield client


@pytest.fixture(params=APIS)
def api(request: pytest.FixtureRequest) -> str:
    """Each set of paths."""
    return str(request.param)


@pytest.fixture
def switches() -> Switches:
    """The likely Pinata, unless a test says otherwise."""
    return LIKELY


@pytest.fixture
def pinata(api: str, switches: Switches, http: httpx.Client) -> Iterator[Pinata]:
    """A Pinata with a managing key."""
    clock = Clock()
    world = PinataWorld(clock=clock.time, digest=seeded(api), switches=switches)
    with PinataServer(world) as server:
        yield Pinata(api, server, http, clock, server.seed_admin())


EVERY_KIND = pytest.mark.parametrize("switches", [LIKELY, AWKWARD, SLUGGISH], ids=["likely", "awkward", "sluggish"])


@EVERY_KIND
def test_a_key_is_made_found_proved_and_revoked(pinata: Pinata) -> None:
    """One whole life, whatever kind of Pinata it is."""
    client, clock = pinata.client(), pinata.clock
    made = client.create_key(NAME, pinata.permissions, None, clock)
    (record,) = pinata.named
    assert (made.key_id, made.jwt, made.secret) == (record.key, Sensitive(record.jwt), Sensitive(record.secret))
    assert client.await_authentication(made.forms[0], ALIVE, 30.0, clock) is Authentication.ACCEPTED
    clock.sleep(10.0)
    (listed,) = client.list_keys(PREFIX, frozenset(), clock)
    assert (listed.key_id, listed.name, listed.state) == (record.key, NAME, KeyState.LIVE)
    assert (listed.uses, listed.max_uses) == (0, None)
    assert listed.created_at.timestamp() == pytest.approx(record.created_at, abs=0.001)
    assert listed.scopes in {pinata.permissions, None}
    for _ in range(2):
        client.revoke_key(record.key, clock)
    seen = client.await_revoked(record.key, NAME, 30.0, clock)
    hidden = pinata.api == "legacy" and pinata.world.switches.listed_by_default is Listed.ACTIVE_ONLY
    assert (seen is None) if hidden else (seen and seen.state is KeyState.REVOKED)
    assert client.await_authentication(made.forms[0], DEAD, 30.0, clock) is Authentication.REFUSED
    assert pinata.named[0].revoked_at is not None
    assert client.managing_key_id in pinata.world.keys


@EVERY_KIND
def test_a_header_pair_is_proved_alive_and_dead(pinata: Pinata) -> None:
    """The two headers are those that Pinata reads, and a pair lives and dies with its key."""
    client, clock = pinata.client(), pinata.clock
    record = pinata.world.seed(NAME, NOBODY, age_s=600.0)
    pair = HeaderPair(record.key, Sensitive(record.secret))
    mistyped = HeaderPair(record.key, Sensitive("0" * 64))
    assert client.authenticate(pair, clock) is Authentication.ACCEPTED
    assert client.authenticate(mistyped, clock) is Authentication.REFUSED
    client.revoke_key(record.key, clock)
    assert client.await_authentication(pair, DEAD, 30.0, clock) is Authentication.REFUSED
    assert client.managing_key_id in pinata.world.keys


@EVERY_KIND
def test_a_limit_of_uses_and_the_scopes_arrive(pinata: Pinata) -> None:
    """What was asked for is what the key has, and nothing more."""
    pinata.client().create_key(NAME, pinata.permissions, 7, pinata.clock)
    (record,) = pinata.named
    assert record.max_uses == 7
    has, asked = record.permissions, pinata.permissions
    assert not has.admin
    assert has.endpoints == (asked.names if isinstance(asked, Endpoints) else frozenset())
    assert set(has.resources) == (asked.names if isinstance(asked, Resources) else set())


def test_another_managing_key_acts_for_itself(pinata: Pinata) -> None:
    """It makes, lists and revokes keys, the managing key before among them; one without the right is refused."""
    client, clock = pinata.client(), pinata.clock
    before = client.managing_key_id
    new = client.create_key(NAME, Admin(), None, clock)
    acting = client.acting_as(new)
    assert (client.managing_key_id, acting.managing_key_id) == (before, new.key_id)
    consumer = acting.create_key(NAME + "-", pinata.permissions, None, clock)
    listed = {key.key_id for key in acting.list_keys(PREFIX, frozenset(), clock)}
    assert listed == {new.key_id, consumer.key_id}
    for refused in (client.acting_as(consumer), acting.acting_as(consumer)):
        with pytest.raises(ProviderDeniedError):
            refused.revoke_key(new.key_id, clock)
    assert before is not None
    acting.revoke_key(before, clock)
    with pytest.raises(ProviderDeniedError):
        client.create_key(NAME, pinata.permissions, None, clock)
    with pytest.raises(KeyRejectedError):
        client.acting_as(replace(new, jwt=None))


def test_own_changes_are_in_the_next_list(pinata: Pinata) -> None:
    """A list that was read before is not believed about what this client made or revoked since."""
    client, clock = pinata.client(), pinata.clock
    assert client.list_keys(PREFIX, frozenset(), clock) == ()
    made = client.create_key(NAME, pinata.permissions, None, clock)
    (listed,) = client.list_keys(PREFIX, frozenset(), clock)
    assert (listed.key_id, listed.state) == (made.key_id, KeyState.LIVE)
    client.revoke_key(made.key_id, clock)
    assert [key for key in client.list_keys(PREFIX, frozenset(), clock) if key.state is KeyState.LIVE] == []
    assert [key.key_id for key in client.list_revoked(NAME, clock)] == [made.key_id]


@EVERY_KIND
def test_all_own_keys_are_listed_among_many(pinata: Pinata) -> None:
    """Several pages, foreign keys that contain our prefix, names that only a wildcard matches."""
    ours = {pinata.world.seed(f"{PREFIX}g{n:06}", NOBODY).key for n in range(23)}
    for name in ("backup of " + PREFIX, PREFIX.upper(), PREFIX.replace("_", "x"), "other"):
        pinata.world.seed(name, NOBODY)
    pinata.world.seed(PREFIX, NOBODY, account="somebody else")
    found = pinata.client().list_keys(PREFIX, frozenset(), pinata.clock)
    assert {key.key_id for key in found} == ours
    assert len(found) == len(ours)


@EVERY_KIND
def test_a_foreign_key_is_revoked_and_found_by_its_name(pinata: Pinata) -> None:
    """A hand-made key that we took over may have any name, on any page."""
    keys = [pinata.world.seed(f"by hand {n}", NOBODY).key for n in range(25)]
    client = pinata.client()
    client.revoke_key(keys[7], pinata.clock)
    seen = client.await_revoked(keys[7], "by hand 7", 30.0, pinata.clock)
    assert seen is None or seen.state is KeyState.REVOKED
    revoked = [r.key for r in pinata.world.keys.values() if r.revoked_at is not None]
    assert revoked == [keys[7]]


@EVERY_KIND
def test_a_key_that_was_not_revoked_is_shown_as_live(pinata: Pinata) -> None:
    """Absence from the list of revoked keys is not taken for absence."""
    record = pinata.world.seed(NAME, NOBODY)
    seen = pinata.client().await_revoked(record.key, NAME, 2.0, pinata.clock)
    assert seen is not None
    assert seen.state is KeyState.LIVE


@pytest.mark.parametrize(
    ("switches", "verdict"),
    [
        (LIKELY, Authentication.ACCEPTED),
        (replace(LIKELY, resources_only_authenticates=False), Authentication.SCOPELESS),
    ],
    ids=["accepted", "scopeless"],
)
def test_a_key_with_resources_only_is_recognised(pinata: Pinata, verdict: Authentication) -> None:
    """Whether such a key passes testAuthentication is unknown; neither answer means it is dead."""
    jwt = Sensitive(pinata.world.seed("files", NOBODY).jwt)
    assert pinata.client().authenticate(Token(jwt), pinata.clock) is verdict


@pytest.mark.parametrize(
    ("path", "verdict"), [("/v3/files/public", ProbeAnswer.ALLOWED), ("/data/pinList", ProbeAnswer.FORBIDDEN)]
)
def test_a_probe_tells_what_a_key_may_do(pinata: Pinata, path: str, verdict: ProbeAnswer) -> None:
    """A key with v3 scopes opens v3 files and no legacy endpoint."""
    jwt = Sensitive(pinata.world.seed("files", NOBODY).jwt)
    assert pinata.client().probe(Token(jwt), path, pinata.clock) is verdict


def test_a_managing_key_without_the_right_is_denied(pinata: Pinata) -> None:
    """Every call that needs the managing key says so, and nothing changes."""
    weak = pinata.world.seed("weak", NOBODY)
    client, before = pinata.client(jwt=weak.jwt), dict(pinata.world.keys)
    with pytest.raises(ProviderDeniedError):
        client.create_key(NAME, pinata.permissions, None, pinata.clock)
    with pytest.raises(ProviderDeniedError):
        client.list_keys(PREFIX, frozenset(), pinata.clock)
    with pytest.raises(ProviderDeniedError):
        client.revoke_key(weak.key, pinata.clock)
    assert pinata.world.keys == before


# Faults ------------------------------------------------------------------------------------------

PAGE_502 = "<html><body><h1>502 Bad Gateway</h1></body></html>"
BEFORE, AFTER = Side.BEFORE, Side.AFTER


@pytest.mark.parametrize(
    ("fault", "error", "alive"),
    [
        (Drop(BEFORE), CreateOutcomeUnknownError, 0),
        (Drop(AFTER), CreateOutcomeUnknownError, 1),
        (Drop(AFTER, HangUp.RESET), CreateOutcomeUnknownError, 1),
        (Respond(BEFORE, 429, headers=(("Retry-After", "3"),)), ProviderUnavailableError, 0),
        (Respond(BEFORE, 400, "no"), ProviderRejectedError, 0),
        (Respond(BEFORE, 403), ProviderDeniedError, 0),
        (Respond(BEFORE, 503), CreateOutcomeUnknownError, 0),
        (Respond(AFTER, 502, PAGE_502, "text/html"), CreateOutcomeUnknownError, 1),
        (Respond(AFTER, 307, headers=(("Location", "/"),)), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.CUT_OFF), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.HTML), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.EMPTY), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.WRONG_TYPE), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.WRONG_VALUES), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.BIG), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.GZIP_BOMB), CreateOutcomeUnknownError, 1),
        (Spoil(Damage.FOREIGN_JWT), CreateOutcomeUnknownError, 0),
        (Omit("JWT"), CreateOutcomeUnknownError, 0),
        (Omit("pinata_api_secret"), CreateOutcomeUnknownError, 0),
        (Omit("pinata_api_key"), CreateOutcomeUnknownError, 1),
    ],
    ids=str,
)
def test_a_create_is_sent_once_and_never_called_harmless_when_it_was_not(
    pinata: Pinata, fault: Fault, error: type[ProviderError], alive: int
) -> None:
    """A key that nobody can use is revoked if the answer names it; else the error warns of it."""
    pinata.inject(fault, Operation.CREATE)
    with pytest.raises(error):
        pinata.client().create_key(NAME, pinata.permissions, None, pinata.clock)
    assert sum(record.revoked_at is None for record in pinata.named) == alive
    assert len(pinata.named) <= 1
    assert pinata.server.site.count(Operation.CREATE) == 1


def test_unknown_fields_in_answers_do_no_harm(pinata: Pinata) -> None:
    """Pinata may add fields whenever it likes."""
    for operation in Operation:
        pinata.inject(Spoil(Damage.EXTRA_FIELDS), operation, times=None)
    client, clock = pinata.client(), pinata.clock
    made = client.create_key(NAME, pinata.permissions, None, clock)
    assert client.authenticate(made.forms[0], clock) is Authentication.ACCEPTED
    assert [key.key_id for key in client.list_keys(PREFIX, frozenset(), clock)] == [made.key_id]


TRANSIENT = pytest.mark.parametrize(
    "fault",
    [
        Drop(BEFORE),
        Drop(AFTER, HangUp.RESET),
        Respond(BEFORE, 429),
        Respond(BEFORE, 429, headers=(("Retry-After", "20"),)),
        Respond(BEFORE, 500),
        Respond(AFTER, 504, PAGE_502, "text/html"),
        Spoil(Damage.CUT_OFF),
    ],
    ids=str,
)


@TRANSIENT
def test_transient_faults_of_other_calls_are_outlived(pinata: Pinata, fault: Fault) -> None:
    """List, revoke and testAuthentication get through at the third attempt."""
    record = pinata.world.seed(NAME, NOBODY)
    for operation in (Operation.LIST, Operation.REVOKE, Operation.AUTHENTICATE):
        pinata.inject(fault, operation, times=2)
    client, clock = pinata.client(), pinata.clock
    assert [key.key_id for key in client.list_keys(PREFIX, frozenset(), clock)] == [record.key]
    client.revoke_key(record.key, clock)
    assert pinata.named[0].revoked_at is not None
    assert client.authenticate(Token(Sensitive(record.jwt)), clock) is Authentication.REFUSED


@TRANSIENT
def test_lasting_faults_end_as_unavailable(pinata: Pinata, fault: Fault) -> None:
    """The attempts are bounded, and so is the time."""
    pinata.inject(fault, Operation.LIST, times=None)
    with pytest.raises(ProviderUnavailableError):
        pinata.client().list_keys(PREFIX, frozenset(), pinata.clock)
    assert pinata.clock.remaining_s() > 0


@pytest.mark.parametrize(
    "fault",
    [
        Spoil(Damage.HTML),
        Spoil(Damage.EMPTY),
        Spoil(Damage.WRONG_TYPE),
        Spoil(Damage.WRONG_VALUES),
        Spoil(Damage.BIG),
        Spoil(Damage.GZIP_BOMB),
        Omit("key"),
        Omit("createdAt"),
        Omit("keys"),
    ],
    ids=str,
)
def test_a_list_that_cannot_be_read_is_no_empty_list(pinata: Pinata, fault: Fault) -> None:
    """Keys that are there must not look absent."""
    pinata.world.seed(NAME, NOBODY)
    pinata.inject(fault, Operation.LIST)
    with pytest.raises(ProviderContractError):
        pinata.client().list_keys(PREFIX, frozenset(), pinata.clock)


@pytest.mark.parametrize("switches", [Switches(limits=RateLimits())], ids=["documented limits"])
def test_the_client_keeps_to_the_documented_limits(pinata: Pinata) -> None:
    """Far more calls than a minute allows, and not one 429."""
    client, clock = pinata.client(per_minute=60), pinata.clock
    for _ in range(70):
        client.authenticate(Token(Sensitive(pinata.admin)), clock)
        client.list_keys(PREFIX, frozenset(), clock)
    assert {line.status for line in pinata.server.site.log} == {200}
