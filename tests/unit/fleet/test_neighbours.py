"""Which keys other secrets of the fleet use."""

from collections import Counter
from dataclasses import replace
from threading import Thread

import pytest

from rotator.fleet.lookup import resolve
from rotator.fleet.neighbours import Neighbours
from rotator.fleet.run import run_all
from rotator.model.errors import StoreDeniedError, StoreUnavailableError
from rotator.model.observed import AWSCURRENT, AWSPENDING
from rotator.model.plan import OutcomeKind
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import a_spec
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Fault, Operation, Process, arn_of, calm, on
from tests.unit.fleet.many import fleet, store_in, take_over
from tests.unit.fleet.test_run import run_of, world_of


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


@pytest.mark.parametrize(
    ("ours", "batches"), [pytest.param(1000, 0, id="a fleet of ours"), pytest.param(0, 50, id="all made by hand")]
)
def test_a_take_over_costs_little_beside_many(ours: int, batches: int) -> None:
    """Beside a thousand secrets of ours labels are enough; those made by hand are read twenty at a time."""
    scene, specs = fleet(1001)
    take_over(scene, specs[1 : ours + 1])
    process = Process(scene.systems, time_left_s=99_999)
    target = resolve(specs[:1], SimulatedStore(process), process).targets
    (outcome,) = run_all(target, world_of(specs, process), lambda _: run_of(scene, process))
    assert (outcome.kind, len(outcome.revoked)) == (OutcomeKind.ROTATED, 1)
    calls = Counter(process.calls)
    print(f"{len(process.calls)} calls: {dict(calls)}")  # noqa: T201 - the figures, shown by `pytest -s`
    assert calls[Operation.GET_VALUES] == batches
    assert len(process.calls) <= 18 + 1001 / 100 + batches  # the budget of docs/performance.md


def test_among_few_neighbours_what_ours_carry_over_counts() -> None:
    """A key that a version of ours holds in another field is found while there are so few that all can be read."""
    scene, specs = fleet(42)
    keys = {r.name: r.key for r in scene.systems.pinata.keys.values()}
    take_over(scene, specs)
    asked = frozenset({keys["n7"]})
    for number, found in ((41, asked), (42, frozenset[str]())):
        store = store_in(scene)
        assert Neighbours(specs[:number], store).holding(arn_of("s0"), asked, store.process) == found
        assert len(store.process.calls) <= 3


@pytest.mark.parametrize("fault", [None, Fault.DENIED], ids=["at once", "one by one"])
def test_values_made_by_hand_are_searched_however_they_are_read(fault: Fault | None) -> None:
    """A key is found among those of many secrets, at once or, where that is denied, one by one; bytes may hold any."""
    scene, specs = fleet(46)
    keys = {r.name: r.key for r in scene.systems.pinata.keys.values()}
    take_over(scene, specs[40:44])
    store = store_in(scene, on(Operation.GET_VALUES, fault, times=99) if fault else calm)
    asked = frozenset(keys[name] for name in ("n0", "n7", "n39", "n42", "n44")) | {"nobody's"}
    assert Neighbours(specs, store).holding(arn_of("s0"), asked, store.process) == {
        keys[name] for name in ("n7", "n39", "n44")
    }
    scene.systems.secrets["s8"] = label_rules.put(
        scene.systems.secrets["s8"], scene.systems.now_s, token="z" * 32, value=b"\x00"
    )
    assert Neighbours(specs, store).holding(arn_of("s0"), asked, store.process) == asked


def test_nobody_waits_for_another_one_who_asks() -> None:
    """While one run's calls to the neighbours take long, another run asks and is answered."""
    scene, specs = fleet(4)
    inner: list[frozenset[str]] = []

    def slow(operation: Operation) -> None:
        if operation is Operation.LIST_SECRETS and not inner:
            inner.append(frozenset())
            quick = store_in(scene)
            other = Thread(target=lambda: inner.append(neighbours.holding(arn_of("s1"), asked, quick.process)))
            neighbours._store = quick
            other.start()
            other.join(60)
            assert not other.is_alive()
            neighbours._store = store

    asked = frozenset({next(r.key for r in scene.systems.pinata.keys.values() if r.name == "n2")})
    store = store_in(scene, slow)
    neighbours = Neighbours(specs, store)
    assert neighbours.holding(arn_of("s0"), asked, store.process) == asked
    assert inner[1] == asked


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
