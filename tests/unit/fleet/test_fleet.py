"""Many secrets: who is found, who sleeps, and one secret's failure that stops no other."""

from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from rotator.engine.jitter import rotate_after
from rotator.engine.run import Run, World
from rotator.fleet.lookup import Target, resolve
from rotator.fleet.neighbours import Neighbours
from rotator.fleet.run import run_all
from rotator.fleet.wake import Wake, wake
from rotator.model.errors import ConfigError, RotatorError, SecretNotFoundError, StoreDeniedError, StoreUnavailableError
from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, SecretDescription, Version
from rotator.model.plan import OutcomeKind
from rotator.model.secret import Demand, SecretSpec
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import ARN, AT_ONCE, NATIVE_ID, NOW, a_spec, a_version, ago, an_observed
from tests.simulated.provider import SimulatedProvider
from tests.simulated.scene import Scene
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Boundary, Fault, Operation, Process, arn_of, calm, on

FAST = a_spec(grace=AT_ONCE, settle=AT_ONCE)


def fleet(size: int) -> tuple[Scene, tuple[SecretSpec, ...]]:
    """Return a world with several hand-made secrets, and their specifications."""
    scene = Scene.empty(FAST)
    del scene.systems.secrets[scene.name]
    specs = []
    for number in range(size):
        spec = a_spec(name=f"n{number}", secret_id=f"s{number}", grace=AT_ONCE, settle=AT_ONCE)
        scene.systems.secrets[spec.secret_id] = label_rules.create(
            scene.systems.now_s, token=NATIVE_ID, value=scene.value(scene.seed(spec.name))
        )
        specs.append(spec)
    return scene, tuple(specs)


def store_in(scene: Scene, boundary: Boundary = calm) -> SimulatedStore:
    """Return a store for a new process."""
    return SimulatedStore(Process(scene.systems, boundary))


# Finding


def test_few_secrets_are_described() -> None:
    """Two secrets are looked at one by one."""
    scene, specs = fleet(2)
    store = store_in(scene)
    targets = resolve(specs, store, store.process).targets
    assert [(t.spec, t.description.arn) for t in targets] == [(s, arn_of(s.secret_id)) for s in specs]
    assert store.process.calls == [Operation.DESCRIBE] * 2


def test_many_secrets_are_listed() -> None:
    """Three secrets cost one page of ListSecrets."""
    scene, specs = fleet(3)
    store = store_in(scene)
    assert [t.description.name for t in resolve(specs, store, store.process).targets] == ["s0", "s1", "s2"]
    assert store.process.calls == [Operation.LIST_SECRETS]


def test_list_that_is_not_allowed_is_not_asked_for() -> None:
    """Without the right to ListSecrets many secrets are looked at one by one, too."""
    scene, specs = fleet(3)
    store = store_in(scene)
    assert len(resolve(specs, store, store.process, None).targets) == 3
    assert store.process.calls == [Operation.DESCRIBE] * 3


def test_secret_that_the_list_does_not_show_is_described() -> None:
    """A list may lag: what it leaves out is looked at by itself."""

    class Lagging(SimulatedStore):
        def survey(self, secret_ids: tuple[str, ...], deadline: object) -> dict[str, SecretDescription]:
            found = SimulatedStore.survey(self, secret_ids, deadline)  # type: ignore[arg-type]  # passed on
            return {k: v for k, v in found.items() if k != "s1"}

    scene, specs = fleet(3)
    store = Lagging(Process(scene.systems))
    assert len(resolve(specs, store, store.process).targets) == 3
    assert store.process.calls == [Operation.LIST_SECRETS, Operation.DESCRIBE]


def test_policy_without_the_right_to_list_is_enough() -> None:
    """ListSecrets cannot be limited to some secrets; without it each is described."""
    scene, specs = fleet(3)
    store = store_in(scene, on(Operation.LIST_SECRETS, Fault.DENIED))
    assert len(resolve(specs, store, store.process).targets) == 3
    assert store.process.calls.count(Operation.DESCRIBE) == 3


def test_list_that_fails_otherwise_stops_the_fleet() -> None:
    """An outage is no missing right."""
    scene, specs = fleet(3)
    store = store_in(scene, on(Operation.LIST_SECRETS, Fault.LOST))
    with pytest.raises(StoreUnavailableError):
        resolve(specs, store, store.process)


def test_missing_secrets_stop_no_other() -> None:
    """What cannot be found is told with its reason; the rest of the fleet goes on."""
    scene, specs = fleet(2)
    missing = (a_spec(name="gone", secret_id="x"), a_spec(name="lost", secret_id="y"))
    store = store_in(scene)
    found = resolve((*specs, *missing), store, store.process)
    assert [target.spec.name for target in found.targets] == ["n0", "n1"]
    assert [(spec.name, type(error)) for spec, error in found.lost] == [
        ("gone", SecretNotFoundError),
        ("lost", SecretNotFoundError),
    ]


def test_two_entries_for_one_secret_are_refused() -> None:
    """A name and an ARN may be one secret."""
    scene, specs = fleet(1)
    twin = a_spec(name="twin", secret_id=arn_of("s0"))
    store = store_in(scene)
    with pytest.raises(ConfigError, match="`n0` and `twin` are one secret"):
        resolve((*specs, twin), store, store.process)


# Sleeping

SINCE = NOW - timedelta(minutes=1)


def labelled(*versions: Version, changed_at: datetime = ago(days=3)) -> SecretDescription:  # noqa: B008 - a constant
    """Return the labels of a secret."""
    return an_observed(*versions, changed_at=changed_at).description


def current(made_at: datetime, *, generation: int = 4) -> Version:
    """Return a current version of ours, made at a time."""
    return a_version(version_id(generation, made_at, "c" * 10), AWSCURRENT)


def asleep(labels: SecretDescription, spec: SecretSpec | None = None) -> bool:
    """Tell whether a secret sleeps in a tick of the last minute."""
    spec = spec or a_spec(check_every=timedelta(days=9999))
    return wake(Target(spec, labels), now=NOW, since=SINCE) is Wake.ASLEEP


SETTLED = labelled(current(ago(days=3)))


@pytest.mark.parametrize(
    ("labels", "sleeps"),
    [
        pytest.param(SETTLED, True, id="nothing to do"),
        pytest.param(replace(SETTLED, hold=""), False, id="on hold"),
        pytest.param(labelled(), False, id="no value"),
        pytest.param(labelled(a_version(NATIVE_ID, AWSCURRENT)), False, id="not ours"),
        pytest.param(labelled(current(ago(days=3)), a_version(5, AWSPENDING)), False, id="unfinished"),
        pytest.param(labelled(current(ago(days=30)), changed_at=ago(days=30)), False, id="old enough"),
        pytest.param(
            labelled(
                current(NOW - rotate_after(timedelta(days=30), ARN) + timedelta(seconds=1)),
                changed_at=NOW - rotate_after(timedelta(days=30), ARN) + timedelta(seconds=1),
            ),
            True,
            id="not old enough",
        ),
        pytest.param(labelled(current(ago(days=2)), changed_at=ago(days=3)), False, id="a time that is not believed"),
        pytest.param(labelled(current(ago(days=3)), a_version(5, AWSPREVIOUS)), False, id="rolled back"),
        pytest.param(labelled(current(ago(days=3)), a_version(3, AWSPREVIOUS)), True, id="rolled forward"),
        pytest.param(labelled(current(ago(days=3)), changed_at=ago(hours=24)), False, id="grace ends now"),
        pytest.param(
            labelled(current(ago(days=3)), changed_at=ago(hours=24, minutes=1)), True, id="grace ended before this tick"
        ),
        pytest.param(labelled(current(ago(days=3)), changed_at=ago(hours=23)), True, id="grace still runs"),
    ],
)
def test_sleep(labels: SecretDescription, *, sleeps: bool) -> None:
    """A secret sleeps if its labels show nothing that is due, unfinished or about to end."""
    assert asleep(labels) is sleeps


@pytest.mark.parametrize("enabled", [False, True])
def test_version_of_secrets_managers_sleeps(*, enabled: bool) -> None:
    """Where Secrets Manager keeps a schedule, an id of its making wakes a secret at its slot, not at every tick."""
    version = Version(NATIVE_ID, frozenset({AWSCURRENT}))
    labels = replace(labelled(version), rotation_enabled=enabled)
    assert asleep(labels) is enabled
    pending = Version("p" * 36, frozenset({AWSPENDING}))
    assert not asleep(replace(labels, versions=(version, pending)))


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({}, True),
        ({"hold": "incident"}, False),
        ({"changed_at": ago(hours=1)}, False),
        ({"versions": (Version(NATIVE_ID, frozenset({AWSCURRENT})),)}, False),
        ({"versions": (current(ago(days=1)),)}, False),
        ({"versions": (current(ago(days=99)), Version("p" * 36, frozenset({AWSPENDING})))}, False),
        (
            {
                "versions": (
                    current(ago(days=99)),
                    Version(version_id(9, ago(days=9), "b" * 10), frozenset({AWSPREVIOUS})),
                )
            },
            False,
        ),
    ],
    ids=str,
)
def test_due_by_labels_alone(changes: dict[str, Any], *, due: bool) -> None:
    """A version of ours that is too old is due without a closer look, unless its labels show anything else."""
    labels = replace(labelled(current(ago(days=99))), **changes)
    assert (wake(Target(a_spec(), labels), now=NOW, since=NOW) is Wake.DUE) is due


def test_every_secret_wakes_once_per_period() -> None:
    """Over `check_every` each secret is looked at exactly once, and a fleet is spread evenly."""
    spec = a_spec(check_every=timedelta(hours=1))
    ticks = [NOW + timedelta(minutes=minute) for minute in range(61)]
    awake = dict.fromkeys(ticks[1:], 0)
    for number in range(300):
        target = Target(spec, replace(SETTLED, arn=arn_of(f"s{number}")))
        slots = [now for since, now in pairwise(ticks) if wake(target, now=now, since=since) is not Wake.ASLEEP]
        assert len(slots) == 1
        awake[slots[0]] += 1
    assert max(awake.values()) <= 20


# Running


def world_of(specs: tuple[SecretSpec, ...], process: Process) -> World:
    """Return the world of a fleet in one process."""
    store = SimulatedStore(process)
    return World("rotator", SimulatedProvider(process), store, process, Neighbours(specs, store).holding)


def run_of(scene: Scene, process: Process) -> Run:
    """Return what a run is given."""
    return Run(scene.systems.now(), "n" * 10, Demand.DUE, process)


def test_one_secret_is_used_as_read() -> None:
    """The labels of a single secret are not read twice."""
    scene, specs = fleet(1)
    process = Process(scene.systems, time_left_s=9999)
    targets = resolve(specs, SimulatedStore(process), process).targets
    outcomes = list(run_all(targets, world_of(specs, process), lambda _: run_of(scene, process)))
    assert [outcome.kind for outcome in outcomes] == [OutcomeKind.ROTATED]
    assert process.calls[:2] == [Operation.DESCRIBE, Operation.GET_VALUE]


def test_no_secrets_is_no_work() -> None:
    """An empty fleet yields nothing."""
    scene, specs = fleet(0)
    process = Process(scene.systems)
    assert not list(run_all((), world_of(specs, process), lambda _: run_of(scene, process)))


def test_failures_and_defects_stop_no_other_secret() -> None:
    """A secret whose value is nonsense, one that vanished, and a defect of ours fail alone."""
    scene, specs = fleet(5)
    process = Process(scene.systems, time_left_s=99_999)
    targets = resolve(specs, SimulatedStore(process), process).targets
    scene.systems.secrets["s0"] = label_rules.put(
        scene.systems.secrets["s0"], scene.systems.now_s, token="x" * 32, value="nonsense"
    )
    del scene.systems.secrets["s1"]

    def run(spec: SecretSpec) -> Run:
        if spec.name == "n2":
            raise ZeroDivisionError("canary-d41d8cd98f")
        return run_of(scene, process)

    world = world_of(specs, process)
    ended = {outcome.secret: outcome for outcome in run_all(targets, world, run)}
    failed = {name for name, outcome in ended.items() if outcome.kind is OutcomeKind.FAILED}
    assert failed == {"n0", "n1", "n2"}
    assert {ended[n].kind for n in ("n3", "n4")} == {OutcomeKind.ROTATED}
    assert isinstance(ended["n1"].error, SecretNotFoundError)
    defect = ended["n2"].error
    assert isinstance(defect, RotatorError)
    assert "ZeroDivisionError at test_fleet.py:" in defect.message
    assert "canary" not in defect.message


# Neighbours


def test_neighbours_that_use_a_key() -> None:
    """A key that is current or pending elsewhere is held, whatever shape the value has."""
    scene, specs = fleet(4)
    keys = {r.name: r for r in scene.systems.pinata.keys.values()}

    def put(name: str, value: str, *labels: str) -> None:
        scene.systems.secrets[name] = label_rules.put(
            scene.systems.secrets[name], scene.systems.now_s, token="y" * 32, value=value, labels=labels
        )

    put("s2", keys["n0"].jwt, AWSPENDING)
    put("s3", "something else", AWSCURRENT)
    missing = a_spec(name="missing", secret_id="missing")
    store = store_in(scene)
    neighbours = Neighbours((*specs, missing), store)
    asked = frozenset(keys[name].key for name in ("n0", "n1", "n3"))
    held = neighbours.holding(arn_of("s0"), asked, store.process)
    assert held == {keys["n0"].key, keys["n1"].key}


def test_the_secret_itself_is_no_neighbour() -> None:
    """That the secret itself uses a key is not asked, and costs nothing."""
    scene, specs = fleet(1)
    store = store_in(scene)
    key = frozenset(r.key for r in scene.systems.pinata.keys.values())
    for secret_id in ("s0", arn_of("s0"), arn_of("s0")[:-7]):
        own = (replace(specs[0], secret_id=secret_id),)
        assert Neighbours(own, store).holding(arn_of("s0"), key, store.process) == frozenset()
    assert store.process.calls == []


def test_unreadable_neighbour_may_use_any_key() -> None:
    """It is safer to revoke less."""
    scene, specs = fleet(2)
    scene.systems.secrets["s1"] = label_rules.put(
        scene.systems.secrets["s1"], scene.systems.now_s, token="z" * 32, value=b"\x00"
    )
    store = store_in(scene)
    asked = frozenset({"any", "key"})
    assert Neighbours(specs, store).holding(arn_of("s0"), asked, store.process) == asked


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.DENIED], ids=lambda fault: fault.name)
def test_neighbour_that_cannot_be_asked_is_an_error(fault: Fault) -> None:
    """Who cannot ask does not guess."""
    scene, specs = fleet(2)
    store = store_in(scene, on(Operation.DESCRIBE, fault))
    with pytest.raises((StoreUnavailableError, StoreDeniedError)):
        Neighbours(specs, store).holding(arn_of("s0"), frozenset({"k"}), store.process)


def test_neighbour_without_a_value_uses_nothing() -> None:
    """A placeholder of a native rotation holds no key."""
    scene, specs = fleet(2)
    scene.systems.secrets["s1"] = label_rules.begin_rotation(
        label_rules.create(scene.systems.now_s, token="0" * 32),
        scene.systems.now_s,
        token="y" * 32,
        lambda_arn="arn:aws:lambda:x",
    )
    store = store_in(scene)
    asked = frozenset({"any"})
    assert Neighbours(specs, store).holding(arn_of("s0"), asked, store.process) == frozenset()
