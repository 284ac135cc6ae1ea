"""The store's promises against the strict Secrets Manager, in this process and on a port.

Time is simulated: what sleeps moves the clock that the store, the deadline and the service share.
Each test ends by looking at what the service holds, not at what the store said.
"""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Barrier
from types import SimpleNamespace
from urllib.request import Request, urlopen

import boto3
import pytest
from moto import mock_aws

from rotator.aws.client import client_config
from rotator.aws.store import SecretsManagerStore
from rotator.model.credential import Sensitive
from rotator.model.errors import (
    LabelConflictError,
    RotatorError,
    SecretNotFoundError,
    SecretValueError,
    StoreRejectedError,
    StoreUnavailableError,
)
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS
from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.faults import Fault, Kind, Moment
from rotator.sandbox.secrets_manager.server import SecretsManagerServer
from rotator.sandbox.secrets_manager.store import Lag, Scope
from rotator.sandbox.secrets_manager.under_moto import strict
from tests.yardstick import cpu_s

NAME = "prod/pinata/uploader"
SCOPE = Scope("123456789012", "eu-central-1")
PREFIX = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:"
OLD = "g000001-20261101T000000Z-aaaaaaaaaa"
NEW = "g000002-20261122T000000Z-bbbbbbbbbb"
OTHER = "g000002-20261122T000001Z-cccccccccc"
REPLACED = "rotator:replaced:none"
ATTEMPTS = 3


@dataclass
class Clock:
    """Seconds since the epoch; sleeping moves it, and nothing else does."""

    now_s: float = 1_795_000_000.0

    def read(self) -> float:
        """Return the time."""
        return self.now_s

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


@dataclass
class Until:
    """A deadline on that clock."""

    clock: Clock
    at_s: float

    def remaining_s(self) -> float:
        """Return what is left."""
        return self.at_s - self.clock.now_s


@dataclass
class World:
    """A store, the service behind it, and one secret with OLD as AWSCURRENT."""

    store: SecretsManagerStore
    secrets: SecretsManager
    clock: Clock
    server: SecretsManagerServer | None = None
    arn: str = ""
    deadline: Until = field(init=False)

    def __post_init__(self) -> None:
        self.deadline = self.within(120)
        self.arn = self.create(NAME)

    def within(self, seconds: float) -> Until:
        """Return a deadline."""
        return Until(self.clock, self.clock.now_s + seconds)

    def create(self, name: str, **given: object) -> str:
        """Make a secret directly in the service, by default with a value; return its ARN."""
        content = given or {"SecretString": "old", "ClientRequestToken": OLD}
        return str(self.secrets.answer("CreateSecret", {"Name": name, **content}, SCOPE)["ARN"])

    def do(self, operation: str, **given: object) -> None:
        """Do something to the secret directly in the service."""
        self.secrets.answer(operation, {"SecretId": self.arn, **given}, SCOPE)

    def put(self, *version_ids: str) -> None:
        """Put versions through the store; each takes AWSPENDING from the one before."""
        for version_id in version_ids:
            text = Sensitive(f"value of {version_id}")
            self.store.put_pending(self.arn, version_id, text, frozenset(), self.deadline)

    def holders(self) -> dict[str, str]:
        """Return which version carries each label, without any lag."""
        self.secrets.lag = Lag()
        stages = self.secrets.answer("DescribeSecret", {"SecretId": self.arn}, SCOPE)
        versions = stages["VersionIdsToStages"]
        return {label: version for version, labels in versions.items() for label in labels}

    def version_ids(self) -> set[str]:
        """Return the versions that hold a value."""
        self.secrets.lag = Lag()
        asked = {"SecretId": self.arn, "IncludeDeprecated": True}
        listed = self.secrets.answer("ListSecretVersionIds", asked, SCOPE)
        return {version["VersionId"] for version in listed["Versions"]}


@pytest.fixture(autouse=True)
def _no_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore repeat at once."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None))


@pytest.fixture(params=["in-process", "http"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """The same service, reached in two ways."""
    with ExitStack() as stack:
        clock = Clock()
        secrets = SecretsManager(clock=clock.read)
        server = None
        if request.param == "http":
            server = stack.enter_context(SecretsManagerServer(secrets, clock=clock.read))
        else:
            stack.enter_context(mock_aws())
            stack.enter_context(strict(secrets))
        yield _world(clock, secrets, server)


@pytest.fixture
def served() -> Iterator[tuple[World, SecretsManagerServer]]:
    """The service on a port, which can be told to fail."""
    clock = Clock()
    secrets = SecretsManager(clock=clock.read)
    with SecretsManagerServer(secrets, clock=clock.read) as server:
        yield _world(clock, secrets, server), server


def _world(clock: Clock, secrets: SecretsManager, server: SecretsManagerServer | None) -> World:
    client = boto3.client(
        "secretsmanager",
        region_name="eu-central-1",
        endpoint_url=server.endpoint_url if server else None,
        config=client_config(),
    )
    store = SecretsManagerStore(client, clock=clock.read, sleep=clock.sleep)
    return World(store, secrets, clock, server)


class TestDescribe:
    def test_labels_dates_and_hold(self, world: World) -> None:
        """A description has every label, the last change in UTC, and the hold tag."""
        world.put(NEW)
        world.clock.sleep(60)
        world.do("TagResource", Tags=[{"Key": "rotator:hold", "Value": "ask Ada"}])
        labels = world.store.describe(NAME, world.deadline)
        assert labels.arn == world.arn
        assert labels.name == NAME
        assert labels.changed_at.timestamp() == pytest.approx(world.clock.now_s)
        assert labels.changed_at.utcoffset() == timedelta(0)
        assert labels.hold == "ask Ada"
        seen = {version.version_id: version.labels for version in labels.versions}
        assert seen == {OLD: {AWSCURRENT}, NEW: {AWSPENDING}}

    def test_unknown_secret(self, world: World) -> None:
        """A secret that is not there is a mistake in the configuration."""
        with pytest.raises(SecretNotFoundError, match="prod/none"):
            world.store.describe("prod/none", world.deadline)

    def test_name_with_the_end_of_an_arn(self, world: World) -> None:
        """Who cut the name out of an ARN with its suffix is told the name."""
        suffix = world.arn[-7:]
        with pytest.raises(SecretNotFoundError) as lost:
            world.store.describe(NAME + suffix, world.deadline)
        assert f'set `secret_id = "{NAME}"`' in lost.value.next_step
        assert world.store.describe(world.arn.removesuffix(suffix), world.deadline).arn == world.arn

    def test_deleted_secret(self, world: World) -> None:
        """A secret marked for deletion is described as such: it is told apart from one that never was."""
        assert world.store.describe(NAME, world.deadline).deleted_at is None
        world.do("DeleteSecret")
        described = world.store.describe(NAME, world.deadline)
        assert described.deleted_at is not None
        assert not described.is_writable()
        with pytest.raises(SecretNotFoundError, match="marked for deletion"):
            world.store.read(world.arn, OLD, world.deadline)
        with pytest.raises(StoreRejectedError, match="marked for deletion"):
            world.put(NEW)
        world.do("RestoreSecret")
        assert world.version_ids() == {OLD}

    def test_replicas(self, served: tuple[World, SecretsManagerServer]) -> None:
        """Over the wire: what replication comes to is described, and a list tells nothing of it."""
        world, server = served
        regions = [{"Region": "eu-west-1"}, {"Region": "us-east-1"}]
        world.do("ReplicateSecretToRegions", AddReplicaRegions=regions)
        assert world.store.describe(NAME, world.deadline).replicas_behind == set()
        for region, status in (("eu-west-1", "Failed"), ("us-east-1", "InProgress")):
            sent = json.dumps({"secret_id": NAME, "region": region, "status": status})
            url = f"{server.endpoint_url}/_sandbox/replica"
            asked = Request(url, sent.encode(), method="PUT")  # noqa: S310 - loopback
            with urlopen(asked) as answer:  # noqa: S310 - loopback
                assert answer.status == 200
        seen = world.store.describe(NAME, world.deadline)
        assert seen.replicas_behind == {"eu-west-1", "us-east-1"}
        assert seen.replicas_failed == {"eu-west-1"}
        assert world.store.survey((NAME,), world.deadline)[NAME].replicas_behind == set()
        world.do("RemoveRegionsFromReplication", RemoveReplicaRegions=["eu-west-1", "us-east-1"])
        assert world.store.describe(NAME, world.deadline).replicas_behind == set()

    def test_clock_skew(self, served: tuple[World, SecretsManagerServer]) -> None:
        """A service whose clock runs ahead of ours is noticed to the second."""
        world, server = served
        slow = SecretsManagerStore(
            boto3.client("secretsmanager", endpoint_url=server.endpoint_url),
            clock=lambda: world.clock.now_s - 90,
            sleep=world.clock.sleep,
        )
        assert slow.describe(NAME, world.deadline).clock_skew_s == pytest.approx(90, abs=1)
        assert world.store.describe(NAME, world.deadline).clock_skew_s == pytest.approx(0, abs=1)


class TestReadCurrentValues:
    def test_each_is_read_missing_or_unknown(self, world: World) -> None:
        """A value is read; one in bytes or of a deleted secret is unknown; one without a value is left out."""
        binary = world.create("binary", SecretBinary="AAE=", ClientRequestToken=OLD)
        empty = world.create("empty", Description="no value yet")
        deleted = world.create("deleted")
        world.secrets.answer("DeleteSecret", {"SecretId": deleted}, SCOPE)
        read = world.store.read_current_values((world.arn, binary, empty, deleted, f"{empty}x"), world.deadline)
        assert read == {world.arn: Sensitive("old"), binary: None, deleted: None}

    def test_twenty_at_once(self, world: World) -> None:
        """A call takes twenty, and not one more."""
        arns = tuple(world.create(f"n{number}") for number in range(21))
        assert len(world.store.read_current_values(arns[:20], world.deadline)) == 20
        with pytest.raises(StoreRejectedError):
            world.store.read_current_values(arns, world.deadline)


class TestSurvey:
    def test_answers_by_the_id_as_given(self, world: World) -> None:
        """Name, ARN and ARN without its suffix find the secret; what is not there is missing."""
        partial = PREFIX + NAME
        found = world.store.survey((NAME, world.arn, partial, "prod/none"), world.deadline)
        described = world.store.describe(NAME, world.deadline)
        assert found == dict.fromkeys((NAME, world.arn, partial), described)

    def test_goes_through_all_pages(self, world: World) -> None:
        """The last of 250 secrets is found, and so is the first."""
        arns = [world.create(f"fleet/{n:03}") for n in range(250)]
        wanted = ("fleet/000", arns[99], "fleet/100", "fleet/249")
        assert set(world.store.survey(wanted, world.deadline)) == set(wanted)

    def test_full_arn_is_not_taken_for_a_partial_one(self, world: World) -> None:
        """A secret named like another one's ARN, suffix and all, is not confused with it."""
        lookalike = world.arn.removeprefix(PREFIX)
        world.create(lookalike)
        found = world.store.survey((world.arn, lookalike), world.deadline)
        assert found[world.arn].name == NAME
        assert found[lookalike].name == lookalike

    def test_secret_without_a_value_is_left_out(self, world: World) -> None:
        """A row that tells nothing about labels is not taken for knowledge."""
        world.create("prod/empty", Description="no value yet")
        assert set(world.store.survey((NAME, "prod/empty"), world.deadline)) == {NAME}

    def test_nothing_wanted_is_nothing_asked(self, served: tuple[World, SecretsManagerServer]) -> None:
        """An empty fleet costs no call."""
        world, server = served
        assert world.store.survey((), world.deadline) == {}
        assert not server.requests

    def test_stops_at_the_last_wanted_secret(self, served: tuple[World, SecretsManagerServer]) -> None:
        """Pages after the last id that was wanted are not asked for, complete row or not."""
        world, server = served
        world.create("prod/empty", Description="no value yet")
        for n in range(250):
            world.create(f"fleet/{n:03}")
        world.store.survey((NAME, "prod/empty", "fleet/150"), world.deadline)
        assert len(server.requests) == 2

    @pytest.mark.slow
    def test_ten_thousand_secrets(self, served: tuple[World, SecretsManagerServer]) -> None:
        """A fleet of 10,000 is looked over in 100 calls and little CPU time."""
        world, server = served
        world.do("DeleteSecret", ForceDeleteWithoutRecovery=True)
        names = tuple(f"fleet/{n:05}" for n in range(10_000))
        for name in names:
            world.create(name)
        found = world.store.survey(names, world.deadline)
        assert len(found) == 10_000
        assert len(server.requests) == 100
        assert cpu_s(lambda: world.store.survey(names, world.deadline), 2) < 2.5  # 1.1 s on a machine of 2026


class TestRead:
    def test_value_by_its_version(self, world: World) -> None:
        """Each version reads as itself, whatever is current."""
        world.put(NEW)
        value = world.store.read(world.arn, NEW, world.deadline)
        assert value is not None
        assert value.version_id == NEW
        assert value.text.reveal() == f"value of {NEW}"
        assert value.created_at.timestamp() == pytest.approx(world.clock.now_s, abs=1)

    def test_unknown_version_is_none(self, world: World) -> None:
        """Not there, or not visible yet: the store cannot tell, and does not."""
        assert world.store.read(world.arn, NEW, world.deadline) is None

    def test_binary_value_is_refused(self, world: World) -> None:
        """A binary value is no value of ours."""
        world.do("PutSecretValue", ClientRequestToken=NEW, SecretBinary="AAAA")
        with pytest.raises(SecretValueError, match="bytes"):
            world.store.read(world.arn, NEW, world.deadline)

    def test_current_value(self, world: World) -> None:
        """The managing key is read by the secret's name, as it is now."""
        world.put(NEW)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        value = world.store.read_current(NAME, world.deadline)
        assert value.reveal() == f"value of {NEW}"

    @pytest.mark.parametrize("name", ["prod/none", "prod/empty"])
    def test_no_current_value(self, world: World, name: str) -> None:
        """No such secret, or none with a value: the configuration names the wrong one."""
        world.create("prod/empty", Description="no value yet")
        with pytest.raises(SecretNotFoundError, match=name):
            world.store.read_current(name, world.deadline)

    def test_awaited_value_shows_late(self, world: World) -> None:
        """A reader that lags three seconds behind is waited for."""
        world.clock.sleep(10)
        world.put(NEW)
        written_s = world.clock.now_s
        world.secrets.lag = Lag(age_s=3)
        value = world.store.await_value(world.arn, NEW, world.deadline)
        assert value.text.reveal() == f"value of {NEW}"
        assert 3 <= world.clock.now_s - written_s <= 5

    @pytest.mark.parametrize(("time_s", "waits_s"), [(60, 15), (4, 4)])
    def test_awaited_value_never_shows(self, world: World, time_s: int, waits_s: int) -> None:
        """Waiting ends after 15 seconds, or when the run's time is up."""
        asked_s = world.clock.now_s
        with pytest.raises(StoreUnavailableError, match="did not show"):
            world.store.await_value(world.arn, NEW, world.within(time_s))
        assert waits_s / 2 < world.clock.now_s - asked_s <= waits_s


class TestPutPending:
    def test_labels(self, world: World) -> None:
        """The version carries AWSPENDING and what was asked; AWSCURRENT stays."""
        world.store.put_pending(world.arn, NEW, Sensitive("new"), frozenset({REPLACED}), world.deadline)
        assert world.holders() == {AWSCURRENT: OLD, AWSPENDING: NEW, REPLACED: NEW}

    def test_repeated(self, world: World) -> None:
        """The version id is the token: a repeat leaves one version."""
        world.put(NEW, NEW)
        assert world.version_ids() == {OLD, NEW}

    def test_version_id_of_another_value(self, world: World) -> None:
        """A version is immutable; a used id is refused and says so."""
        with pytest.raises(StoreRejectedError, match="already holds another value"):
            world.put(OLD)
        value = world.store.read(world.arn, OLD, world.deadline)
        assert value is not None
        assert value.text.reveal() == "old"

    def test_too_many_labels(self, world: World) -> None:
        """A quota is a refusal: nothing was written."""
        labels = frozenset(f"label-{n}" for n in range(19))
        with pytest.raises(StoreRejectedError, match="This call changed nothing"):
            world.store.put_pending(world.arn, NEW, Sensitive("new"), labels, world.deadline)
        assert world.version_ids() == {OLD}


class TestPromote:
    def test_moves_current(self, world: World) -> None:
        """AWSCURRENT moves, AWSPREVIOUS follows."""
        world.put(NEW)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        assert world.holders()[AWSCURRENT] == NEW
        assert world.holders()[AWSPREVIOUS] == OLD

    def test_repeated(self, world: World) -> None:
        """A finished move is refused by AWS, and success here."""
        world.put(NEW)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        assert world.holders()[AWSCURRENT] == NEW

    def test_repeated_while_reads_lag(self, world: World) -> None:
        """Stale looks do not turn a success into a conflict."""
        world.clock.sleep(10)
        world.put(NEW)
        world.clock.sleep(10)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        world.secrets.lag = Lag(age_s=1)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        assert world.holders()[AWSCURRENT] == NEW

    def test_repeated_while_reads_never_catch_up(self, world: World) -> None:
        """Refused, and no look shows why: that is no success, and no conflict either."""
        world.put(NEW)
        world.store.promote(world.arn, NEW, OLD, world.deadline)
        world.secrets.lag = Lag(writes=1)
        with pytest.raises(StoreRejectedError) as caught:
            world.store.promote(world.arn, NEW, OLD, world.deadline)
        assert not isinstance(caught.value, LabelConflictError)
        assert world.holders()[AWSCURRENT] == NEW

    def test_conflict(self, world: World) -> None:
        """Somebody else was first: their version stays."""
        world.put(NEW, OTHER)
        world.store.promote(world.arn, OTHER, OLD, world.deadline)
        with pytest.raises(LabelConflictError, match=f"it is on {OTHER}"):
            world.store.promote(world.arn, NEW, OLD, world.deadline)
        assert world.holders()[AWSCURRENT] == OTHER

    def test_first_version_of_an_empty_secret(self, world: World) -> None:
        """AWS makes a first version current by itself; promoting it is a success."""
        world.arn = world.create("prod/empty", Description="no value yet")
        world.put(NEW)
        world.store.promote(world.arn, NEW, None, world.deadline)
        assert world.holders() == {AWSCURRENT: NEW, AWSPENDING: NEW}

    def test_nothing_to_replace_but_there_is(self, world: World) -> None:
        """A run that saw no current version does not overrule one."""
        world.put(NEW)
        with pytest.raises(LabelConflictError):
            world.store.promote(world.arn, NEW, None, world.deadline)
        assert world.holders()[AWSCURRENT] == OLD

    def test_unknown_version(self, world: World) -> None:
        """A version that is not there cannot be promoted, and nothing moves."""
        with pytest.raises(StoreRejectedError):
            world.store.promote(world.arn, NEW, OLD, world.deadline)
        assert world.holders()[AWSCURRENT] == OLD

    def test_race(self, world: World) -> None:
        """Of two threads with one store, one wins and the other one is told."""
        version_ids = [f"g{n:06}-20261122T000000Z-bbbbbbbbbb" for n in range(1, 17)]
        world.put(*version_ids)
        replacing = OLD
        for pair in zip(version_ids[::2], version_ids[1::2], strict=True):
            outcomes = _at_once(
                [lambda v=v, r=replacing: _promoted(world, v, r) for v in pair]  # type: ignore[misc]  # mypy sees no defaults
            )
            (winner,) = [v for v, won in zip(pair, outcomes, strict=True) if won]
            replacing = world.holders()[AWSCURRENT]
            assert replacing == winner


class TestRemove:
    def test_remove(self, world: World) -> None:
        """A label goes; if it is gone or elsewhere, or the version never was, that is a success."""
        world.put(NEW)
        world.store.remove(world.arn, OLD, AWSPENDING, world.deadline)
        world.store.remove(world.arn, OTHER, AWSPENDING, world.deadline)
        assert world.holders()[AWSPENDING] == NEW
        world.store.remove(world.arn, NEW, AWSPENDING, world.deadline)
        world.store.remove(world.arn, NEW, AWSPENDING, world.deadline)
        assert world.holders() == {AWSCURRENT: OLD}

    def test_current_cannot_be_removed(self, world: World) -> None:
        """Consumers keep their version."""
        with pytest.raises(StoreRejectedError):
            world.store.remove(world.arn, OLD, AWSCURRENT, world.deadline)
        assert world.holders() == {AWSCURRENT: OLD}


WRITES: dict[str, tuple[str, Callable[[World], object], dict[str, str]]] = {
    "put": ("PutSecretValue", lambda w: w.put(OTHER), {AWSCURRENT: OLD, AWSPENDING: OTHER}),
    "promote": (
        "UpdateSecretVersionStage",
        lambda w: w.store.promote(w.arn, NEW, OLD, w.deadline),
        {AWSCURRENT: NEW, AWSPREVIOUS: OLD, AWSPENDING: NEW},
    ),
    "remove": (
        "UpdateSecretVersionStage",
        lambda w: w.store.remove(w.arn, NEW, AWSPENDING, w.deadline),
        {AWSCURRENT: OLD},
    ),
}
BEFORE = {AWSCURRENT: OLD, AWSPENDING: NEW}


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("kind", [Kind.DROP, Kind.ERROR, Kind.THROTTLE])
@pytest.mark.parametrize("write", WRITES)
def test_one_fault_is_got_over(
    served: tuple[World, SecretsManagerServer], write: str, kind: Kind, moment: Moment
) -> None:
    """Whether a request was lost before its effect or after it, the write is done once."""
    world, server = served
    world.put(NEW)
    operation, call, after = WRITES[write]
    server.faults.add(Fault(kind, operation, moment))
    call(world)
    assert world.holders() == after


@pytest.mark.parametrize(
    ("kind", "error"),
    [(Kind.THROTTLE, StoreRejectedError), (Kind.ERROR, StoreUnavailableError), (Kind.DROP, StoreUnavailableError)],
)
@pytest.mark.parametrize("write", WRITES)
def test_no_attempt_gets_through(
    served: tuple[World, SecretsManagerServer], write: str, kind: Kind, error: type[RotatorError]
) -> None:
    """Throttling surely changed nothing; of anything else that cannot be known."""
    world, server = served
    world.put(NEW)
    operation, call, _ = WRITES[write]
    server.faults.add(Fault(kind, operation, times=ATTEMPTS))
    with pytest.raises(RotatorError) as caught:
        call(world)
    assert type(caught.value) is error
    assert world.holders() == {AWSCURRENT: OLD, AWSPENDING: NEW}


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.ERROR])
@pytest.mark.parametrize("write", ["promote", "remove"])
def test_label_move_whose_every_answer_is_lost(
    served: tuple[World, SecretsManagerServer], write: str, kind: Kind
) -> None:
    """The labels show that it was done: a success."""
    world, server = served
    world.put(NEW)
    operation, call, after = WRITES[write]
    server.faults.add(Fault(kind, operation, Moment.AFTER, times=ATTEMPTS))
    call(world)
    assert world.holders() == after


@pytest.mark.parametrize("kind", [Kind.DROP, Kind.ERROR])
def test_put_whose_every_answer_is_lost(served: tuple[World, SecretsManagerServer], kind: Kind) -> None:
    """It is not called unwritten, and a repeat leaves one version."""
    world, server = served
    server.faults.add(Fault(kind, "PutSecretValue", Moment.AFTER, times=ATTEMPTS))
    with pytest.raises(StoreUnavailableError, match="may or may not"):
        world.put(NEW)
    assert world.holders() == {AWSCURRENT: OLD, AWSPENDING: NEW}
    world.put(NEW)
    assert world.version_ids() == {OLD, NEW}


def test_lost_promotion_is_a_success_while_reads_lag(served: tuple[World, SecretsManagerServer]) -> None:
    """The answer was lost and the labels lag two seconds behind: looked for until they show it."""
    world, server = served
    world.clock.sleep(10)
    world.put(NEW)
    world.clock.sleep(10)
    world.secrets.lag = Lag(age_s=2)
    server.faults.add(Fault(Kind.DROP, "UpdateSecretVersionStage", Moment.AFTER, times=ATTEMPTS))
    world.store.promote(world.arn, NEW, OLD, world.deadline)
    assert world.holders()[AWSCURRENT] == NEW


def _at_once(calls: list[Callable[[], bool]]) -> list[bool]:
    barrier = Barrier(len(calls))

    def run(call: Callable[[], bool]) -> bool:
        barrier.wait(600)
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def _promoted(world: World, version_id: str, replacing: str) -> bool:
    try:
        world.store.promote(world.arn, version_id, replacing, world.deadline)
    except LabelConflictError:
        return False
    return True
