"""Which keys other secrets of the fleet use."""

from dataclasses import replace

import pytest

from rotator.fleet.neighbours import Neighbours
from rotator.model.errors import StoreDeniedError, StoreUnavailableError
from rotator.model.observed import AWSCURRENT, AWSPENDING
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import a_spec
from tests.simulated.world import Fault, Operation, arn_of, on
from tests.unit.fleet.many import fleet, store_in


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
