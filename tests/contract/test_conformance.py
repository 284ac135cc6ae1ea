"""The simulated systems of the explorer and the real adapters give equal answers, and leave equal worlds.

The explorer proves the engine over `SimulatedStore` and `SimulatedProvider`. What it proves is worth as much as they
are like the real thing, so random calls go to both: to the simulation, and through the real adapter, boto3 and httpx
to the strict sandbox. An answer is a value or the class of an error.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from types import SimpleNamespace
from typing import TypeVar

import boto3
import httpx
import pytest
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from rotator.aws.client import client_config
from rotator.aws.store import SecretsManagerStore
from rotator.model.credential import Credential, Sensitive, Token
from rotator.model.errors import RotatorError
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, ProviderKey, SecretDescription
from rotator.model.ports import Authentication, KeyProvider, SecretStore
from rotator.model.secret import Admin, Endpoints, Permissions, Resources
from rotator.model.tags import HOLD_TAG
from rotator.pinata.client import PinataClient
from rotator.pinata.transport import RateLimiter
from rotator.sandbox.pinata.records import Bearer
from rotator.sandbox.pinata.scopes import Permissions as Scopes
from rotator.sandbox.pinata.site import PinataSite
from rotator.sandbox.pinata.switches import (
    UNLIMITED,
    CountOf,
    Delay,
    DoneAlready,
    ErrorShape,
    Generation,
    Listed,
    MaxUsesSpelling,
    Order,
    Switches,
)
from rotator.sandbox.pinata.wire import Answer, Reply, Request
from rotator.sandbox.secrets_manager import replicas
from rotator.sandbox.secrets_manager import rules as label_rules
from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.state import ReplicaStatus, ResourceExistsError
from rotator.sandbox.secrets_manager.store import Scope
from rotator.sandbox.secrets_manager.under_moto import http_answer
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Process, Systems, arn_of

T = TypeVar("T")
LONG_S = 1e12
SECRET = "prod/pinata/uploader"


class Patience:
    """A deadline that never comes, but is always so near that a refused move is looked after no more than thrice."""

    def remaining_s(self) -> float:
        """Return what is left."""
        return 0.35


def _at_once(_: float) -> None:
    """Do not wait: the clock moves by its own rule alone."""


def _undated(told: T) -> T | None:
    return None if isinstance(told, datetime) else told


def outcome(call: Callable[[], T]) -> T | type[RotatorError]:
    """Return what a call answers: a value, or the class of an error."""
    try:
        return call()
    except RotatorError as error:
        return type(error)


# Secrets Manager

BEFORE_SEND = "before-send.secrets-manager"
SCOPE = Scope("123456789012", "eu-central-1")
VERSIONS = tuple(f"g{n:06}-20261122T000000Z-aaaaaaaaaa" for n in range(1, 6))
CUSTOM = tuple(f"rotator:replaced:{name}" for name in ("none", "abc"))
versions = st.sampled_from(VERSIONS)
labels = st.sampled_from([AWSCURRENT, AWSPENDING, AWSPREVIOUS, *CUSTOM])
values = st.sampled_from(["one", "two", '{"JWT": "t\u00f6ken"}'])


class StoreAgreement(RuleBasedStateMachine):
    """The same calls to both stores."""

    def __init__(self) -> None:
        """Begin with a secret without a value."""
        super().__init__()
        self.systems = Systems.empty()
        self.systems.latency_s = 0.0
        self.process = Process(self.systems, time_left_s=LONG_S)
        self.simulated = SimulatedStore(self.process)
        self.service = SecretsManager(clock=self.systems.time)
        client = boto3.client("secretsmanager", config=client_config())
        client.meta.events.register(BEFORE_SEND, self.answer)  # type: ignore[arg-type]  # the stubs say None
        self.real = SecretsManagerStore(client, clock=self.systems.time, sleep=_at_once)
        self.systems.secrets[SECRET] = label_rules.create(self.systems.now_s, token="0" * 32)
        made = self.service.answer("CreateSecret", {"Name": SECRET}, SCOPE)
        self.arn = str(made["ARN"])

    def answer(self, request: AWSRequest, **_: object) -> AWSResponse:
        """Answer a request of boto3 as the sandbox's server does, without a socket or moto on the way."""
        target = request.headers["X-Amz-Target"]
        named = target.decode() if isinstance(target, bytes) else str(target)
        operation = named.partition(".")[2]
        status, headers, answer = http_answer(
            self.service,
            operation,
            request.body,  # type: ignore[arg-type]  # the stubs say str; it is bytes by now
            SCOPE,
        )
        sent = HTTPHeaders()
        for name, value in headers.items():
            sent[name] = value
        raw = SimpleNamespace(stream=lambda *_, **__: iter([answer]))
        return AWSResponse(str(request.url), status, sent, raw)

    def agree(self, call: Callable[[SecretStore, str, Process | Patience], T]) -> None:
        """Make a call of both and compare the answers."""
        simulated = outcome(lambda: call(self.simulated, arn_of(SECRET), self.process))
        real = outcome(lambda: call(self.real, self.arn, Patience()))
        # Whether an answer had a date is not a matter of rules.
        assert _undated(simulated) == _undated(real)

    def by_hand(self, operation: str, **sent: object) -> None:
        """Have a person change the real secret; the simulated one is changed by the caller."""
        self.service.answer(operation, {"SecretId": SECRET, **sent}, SCOPE)

    @rule(seconds=st.sampled_from([0.0, 0.001, 1.5, 90_000.0]))
    def time_passes(self, seconds: float) -> None:
        """Let time pass for both."""
        self.systems.now_s += seconds

    @rule(version=versions, value=values, custom=st.sets(st.sampled_from(CUSTOM)))
    def put_pending(self, version: str, value: str, custom: set[str]) -> None:
        """Put a version, perhaps again, perhaps with another value."""
        text, wanted = Sensitive(value), frozenset(custom)
        self.agree(lambda s, arn, left: s.put_pending(arn, version, text, wanted, left))

    @rule(version=versions, replacing=st.none() | versions)
    def promote(self, version: str, replacing: str | None) -> None:
        """Compare and swap AWSCURRENT."""
        self.agree(lambda s, arn, left: s.promote(arn, version, replacing, left))

    @rule(version=versions, label=st.sampled_from(CUSTOM))
    def attach(self, version: str, label: str) -> None:
        """Put a custom label on a version."""
        self.agree(lambda s, arn, left: s.attach(arn, version, label, left))

    @rule(version=versions, label=labels)
    def remove(self, version: str, label: str) -> None:
        """Take a label off."""
        self.agree(lambda s, arn, left: s.remove(arn, version, label, left))

    @rule(version=versions)
    def read(self, version: str) -> None:
        """Read a version, there or not."""
        self.agree(lambda s, arn, left: s.read(arn, version, left))

    @rule(version=versions)
    def version_created_at(self, version: str) -> None:
        """Ask when a version was made, labelled or not, there or not."""
        self.agree(lambda s, arn, left: s.version_created_at(arn, version, left))

    @rule(unknown=st.booleans())
    def read_current_values(self, unknown: bool) -> None:
        """Read the current value among others, there or not."""

        def call(store: SecretStore, arn: str, left: Process | Patience) -> list[Sensitive | None]:
            arns = (arn, f"{arn}-none") if unknown else (arn,)
            return list(store.read_current_values(arns, left).values())

        self.agree(call)

    @rule(ids=st.sets(st.sampled_from(["name", "arn", "none"])))
    def survey(self, ids: set[str]) -> None:
        """Look a fleet over, by name, by ARN, and for what is not there."""

        def call(store: SecretStore, arn: str, left: Process | Patience) -> dict[str, SecretDescription]:
            wanted = {"name": SECRET, "arn": arn, "none": "prod/none"}
            found = store.survey(tuple(wanted[one] for one in sorted(ids)), left)
            return {"arn" if one == arn else one: comparable(row) for one, row in found.items()}

        if self.systems.secrets[SECRET].labels:  # a row without labels tells nothing: left out
            self.agree(call)

    @rule(unknown=st.booleans())
    def describe(self, unknown: bool) -> None:
        """Describe the secret, or one that is not there."""
        wanted = "prod/none" if unknown else SECRET
        self.agree(lambda s, _, left: comparable(s.describe(wanted, left)))

    @rule(version=versions, value=values, label=labels)
    def a_person_puts(self, version: str, value: str, label: str) -> None:
        """Put a value with any label by hand, if the rules allow it."""
        secret, now = self.systems.secrets[SECRET], self.systems.now_s
        try:
            put = label_rules.put(secret, now, token=version, value=value, labels=(label,))
        except ResourceExistsError:
            return
        self.systems.secrets[SECRET] = put
        sent = {"SecretString": value, "ClientRequestToken": version, "VersionStages": [label]}
        self.by_hand("PutSecretValue", **sent)

    @rule(held=st.booleans())
    def a_person_holds(self, held: bool) -> None:
        """Set the hold tag, or take it away."""
        secret, now = self.systems.secrets[SECRET], self.systems.now_s
        if held:
            self.by_hand("TagResource", Tags=[{"Key": HOLD_TAG, "Value": ""}])
            self.systems.secrets[SECRET] = label_rules.tag(secret, now, {HOLD_TAG: ""})
        else:
            self.by_hand("UntagResource", TagKeys=[HOLD_TAG])
            self.systems.secrets[SECRET] = label_rules.untag(secret, now, [HOLD_TAG])

    @rule(region=st.sampled_from(["eu-west-1", "us-east-1"]), status=st.sampled_from(ReplicaStatus))
    def a_replica_moves(self, region: str, status: ReplicaStatus) -> None:
        """Replicate the secret to a region, and let replication come to something there."""
        secret = replicas.replicate(self.systems.secrets[SECRET], [region])
        self.systems.secrets[SECRET] = replicas.set_status(secret, region, status)
        self.by_hand("ReplicateSecretToRegions", AddReplicaRegions=[{"Region": region}])
        self.service.set_replica(SECRET, region, status)

    @rule(region=st.sampled_from(["eu-west-1", "us-east-1"]))
    def a_replica_is_removed(self, region: str) -> None:
        """Remove a replica, there or not."""
        secret = self.systems.secrets[SECRET]
        self.systems.secrets[SECRET] = replicas.unreplicate(secret, [region])
        self.by_hand("RemoveRegionsFromReplication", RemoveReplicaRegions=[region])

    @invariant()
    def worlds_are_equal(self) -> None:
        """Versions, values, labels, tags and dates are the same."""
        entry = self.service._stores[SCOPE].find(SECRET, self.systems.now_s)
        assert entry
        assert entry.latest == self.systems.secrets[SECRET]


def comparable(seen: SecretDescription) -> SecretDescription:
    """Return a description without what differs by design: ARN, order, the machine's clock, and who else rotates."""
    ordered = tuple(sorted(seen.versions, key=lambda version: version.version_id))
    return replace(seen, arn="", versions=ordered, clock_skew_s=0.0, rotation_enabled=False)


# Pinata

PREFIX = "rotator/111122223333/eu-central-1/prod/uploader-AbCdEf/"
NAMES = (*(PREFIX + version for version in VERSIONS), f"x{PREFIX}", PREFIX.upper(), "by hand")
PLAIN = Switches(limits=UNLIMITED)
PINATAS = (
    PLAIN,
    replace(
        PLAIN,
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
    ),
    replace(
        PLAIN,
        unlimited_max_uses=MaxUsesSpelling.MISSING,
        activation=Delay(6.0, flap_s=1.5),
        revocation=Delay(6.0, flap_s=1.5),
        listing=Delay(4.0),
        order=Order.BY_KEY,
        page_size=3,
        count_of=CountOf.TOTAL,
        v3_errors=ErrorShape.REASON_DETAILS,
        authentication_is_a_use=True,
    ),
    replace(
        PLAIN,
        page_size=25,
        order=Order.BY_NAME,
        resources_only_authenticates=False,
        unlimited_max_uses=MaxUsesSpelling.ZERO,
        live_keys_max=6,
        name_length_max=100,
        no_credentials_status=400,
    ),
)
PERMISSIONS: tuple[Permissions, ...] = (
    Endpoints(frozenset({"data.pinList", "pinning.pinFileToIPFS"})),
    Admin(),
    Resources(frozenset({"org:files:write", "org:files:read"})),
)
ONCE_S = 0.0


class InProcess(httpx.BaseTransport):
    """The simulated site without a socket."""

    def __init__(self, site: PinataSite) -> None:
        """Carry requests to a site."""
        self.site = site

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer a request."""
        path, _, query = request.url.raw_path.decode().partition("?")
        headers = {name.lower(): value for name, value in request.headers.items()}
        replies: list[Reply] = []
        asked = Request(request.method, path, query, headers, request.read(), "127.0.0.1")
        self.site.handle(asked, replies.append)
        (reply,) = replies
        assert isinstance(reply, Answer)
        return httpx.Response(
            reply.status,
            headers=[*reply.headers, ("Content-Type", reply.content_type)],
            stream=httpx.ByteStream(reply.body),
        )


class ProviderAgreement(RuleBasedStateMachine):
    """The same calls to both providers."""

    @initialize(switches=st.sampled_from(PINATAS), generation=st.sampled_from(Generation))
    def begin(self, switches: Switches, generation: Generation) -> None:
        """Begin with two equal accounts."""
        self.systems = Systems.empty(switches)
        self.systems.latency_s = 0.0
        self.process = Process(self.systems, time_left_s=LONG_S)
        self.simulated = SimulatedProvider(self.process, generation)
        self.generation = generation
        twin = self.systems.copy()
        self.site = PinataSite(twin.pinata, _at_once)
        self.site.world.clock = self.systems.time
        clock = self.systems.time
        self.real = PinataClient(
            api_url="http://127.0.0.1:9",
            api=generation.value,
            token=Sensitive(self.systems.admin.jwt),
            client=httpx.Client(transport=InProcess(self.site)),
            limiter=RateLimiter(per_minute=10**6, data_per_minute=10**6, monotonic=clock, sleep=_at_once),
            monotonic=clock,
            sleep=_at_once,
        )

    def agree(self, call: Callable[[KeyProvider, Process | Patience], T]) -> None:
        """Make a call of both and compare the answers."""
        simulated = outcome(lambda: call(self.simulated, self.process))
        real = outcome(lambda: call(self.real, Patience()))
        assert simulated == real

    def key(self, which: int) -> str:
        """Return the id of some key, or of none."""
        return (*self.systems.pinata.keys, "0" * 20)[which % (len(self.systems.pinata.keys) + 1)]

    def jwt(self, which: int) -> Sensitive:
        """Return the token of some key, or one that is none."""
        record = self.systems.pinata.keys.get(self.key(which))
        return Sensitive(record.jwt if record else "a.b.c")

    @rule(seconds=st.sampled_from([0.5, 1.5, 5.0, 86_400.0]))
    def time_passes(self, seconds: float) -> None:
        """Let time pass for both."""
        self.systems.now_s += seconds

    @rule(name=st.sampled_from(NAMES), permissions=st.sampled_from(PERMISSIONS), max_uses=st.none() | st.integers(1, 3))
    def create(self, name: str, permissions: Permissions, max_uses: int | None) -> None:
        """Mint a key, if these paths can give such scopes."""
        if self.generation is Generation.LEGACY and isinstance(permissions, Resources):
            return

        def call(provider: KeyProvider, left: Process | Patience) -> Credential:
            return provider.create_key(name, permissions, max_uses, left)

        self.agree(call)

    @rule(prefix=st.sampled_from([PREFIX, "rotator/", "nobody's"]))
    def list_keys(self, prefix: str) -> None:
        """List what is ours; no source documents an order."""

        def call(provider: KeyProvider, left: Process | Patience) -> list[ProviderKey]:
            listed = provider.list_keys(prefix, frozenset(), left)
            # The simulated one shows more than the adapter, on purpose: every name that contains the prefix.
            begins = (key for key in listed if key.name.startswith(prefix))
            return sorted(begins, key=lambda key: key.key_id)

        self.agree(call)

    @rule(part=st.sampled_from([PREFIX, f"{PREFIX}g00000", "nobody's"]))
    def list_revoked(self, part: str) -> None:
        """List what is dead; where paths have no filter, what lives comes along."""

        def call(provider: KeyProvider, left: Process | Patience) -> list[ProviderKey]:
            listed = (key for key in provider.list_revoked(part, left) if part in key.name)
            return sorted(listed, key=lambda key: key.key_id)

        self.agree(call)

    @rule(which=st.integers(0, 20), named=st.sampled_from([None, *NAMES]))
    def await_listed(self, which: int, named: str | None) -> None:
        """Look for a new key under its own name, or under another, with time for one look."""
        key_id = self.key(which)
        record = self.systems.pinata.keys.get(key_id)
        name = named or (record.name if record else "no such key")
        self.agree(lambda provider, left: provider.await_listed(key_id, name, ONCE_S, left))

    @rule(which=st.integers(0, 20))
    def revoke(self, which: int) -> None:
        """Revoke a key, live, dead or unknown, but not the managing one."""
        key_id = self.key(which)
        if key_id != self.systems.admin.key:
            self.agree(lambda provider, left: provider.revoke_key(key_id, left))

    @rule(which=st.integers(0, 20))
    def authenticate(self, which: int) -> None:
        """Ask about a token."""
        jwt = self.jwt(which)
        self.agree(lambda provider, left: provider.authenticate(Token(jwt), left))

    @rule(which=st.integers(0, 20), wanted=st.sets(st.sampled_from(Authentication), min_size=1))
    def await_authentication(self, which: int, wanted: set[Authentication]) -> None:
        """Ask about a token, with time for one question."""
        jwt = self.jwt(which)
        self.agree(lambda provider, left: provider.await_authentication(Token(jwt), frozenset(wanted), ONCE_S, left))

    @rule(which=st.integers(0, 20))
    def await_revoked(self, which: int) -> None:
        """Look for a key, with time for one look."""
        key_id = self.key(which)
        record = self.systems.pinata.keys.get(key_id)
        name = record.name if record else "no such key"
        self.agree(lambda provider, left: provider.await_revoked(key_id, name, ONCE_S, left))

    @rule(which=st.integers(0, 20), path=st.sampled_from(["/v3/files/public", "/data/pinList"]))
    def probe(self, which: int, path: str) -> None:
        """Use a key."""
        jwt = self.jwt(which)
        self.agree(lambda provider, left: provider.probe(Token(jwt), path, left))

    @rule(name=st.sampled_from(NAMES))
    def a_person_makes_a_key(self, name: str) -> None:
        """Make a key by hand."""
        for world in (self.systems.pinata, self.site.world):
            world.seed(name, Scopes(resources=("org:files:read",)), max_uses=2)

    @rule(which=st.integers(0, 20))
    def a_person_revokes(self, which: int) -> None:
        """Revoke a key in the web application."""
        key_id = self.key(which)
        if key_id not in {self.systems.admin.key, "0" * 20}:
            for world in (self.systems.pinata, self.site.world):
                if world.keys[key_id].revoked_at is None:
                    world.revoke(Bearer(self.systems.admin.jwt), Generation.V3, key_id)

    @invariant()
    def worlds_are_equal(self) -> None:
        """The same keys live and died, at the same time, with the same uses left."""
        if hasattr(self, "site"):
            assert self.site.world.keys == self.systems.pinata.keys


@pytest.mark.slow
def test_the_stores_agree() -> None:
    """Label rules through the simulation are those through boto3 and the real adapter."""
    run_state_machine_as_test(StoreAgreement, settings=settings(stateful_step_count=30))


@pytest.mark.slow
def test_the_providers_agree(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pinata's rules through the simulation are those through httpx and the real adapter, for every kind of Pinata."""
    monkeypatch.setattr("rotator.pinata.account.SHARED_S", 0.0)  # the simulated one shares no list
    run_state_machine_as_test(ProviderAgreement, settings=settings(stateful_step_count=30))
