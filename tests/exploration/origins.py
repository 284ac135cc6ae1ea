"""Where explorations begin: a secret that a key is due for, a fresh one, one made by hand, one without a value."""

from collections.abc import Callable
from dataclasses import replace

from rotator.model.observed import AWSCURRENT, OURS
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.secrets_manager import replicas, rules
from rotator.sandbox.secrets_manager.state import Secret
from tests.exploration.canonical import AGE_S, GRACE_S
from tests.exploration.truth import Past
from tests.exploration.universe import Universe, World
from tests.simulated.values import value_of_key
from tests.simulated.world import START_S

REPLICA = "eu-west-1"
_FIRST = f"g000001-20260801T000000Z-{'a' * 10}"


def _own(universe: Universe, *, age_s: float = AGE_S) -> World:
    """A secret that holds a key of ours."""
    made_s = START_S - age_s
    record = universe.key(2, universe.prefix + _FIRST, made_s, live=True)
    secret = rules.put(
        rules.create(made_s, token=_FIRST), made_s, token=_FIRST, value=value_of_key(record), labels=(AWSCURRENT, OURS)
    )
    return _world(universe, secret, record)


def _beside_others(universe: Universe) -> World:
    """As when due, and beside it keys of somebody else's whose names begin, or end, with one of ours."""
    world = _own(universe)
    names = (universe.prefix + _FIRST + "-backup", "x" + universe.prefix + _FIRST[:-1] + "b")
    theirs = (universe.key(i, n, START_S - AGE_S, live=True) for i, n in enumerate(names, start=3))
    keys = (*world.keys, *theirs)
    return world._replace(keys=keys, keys_before=keys)


def _crowded(universe: Universe) -> World:
    """A fresh key of ours, and two that its grace is over for: the one before, and one that was never stored."""
    made_s = START_S - GRACE_S
    ids = [_FIRST.replace("1", str(generation), 1) for generation in (1, 2, 3)]
    records = [
        universe.key(serial, universe.prefix + made, made_s, live=True) for serial, made in enumerate(ids, start=2)
    ]
    secret = rules.create(made_s, token=ids[0], value=value_of_key(records[0]))
    secret = rules.put(secret, made_s, token=ids[2], value=value_of_key(records[2]))
    secret = rules.move_label(secret, made_s, OURS, move_to=ids[2], remove_from=None)
    return _world(universe, secret, *records)


def _managing(universe: Universe) -> World:
    """A secret into which a person put the managing key."""
    value = value_of_key(universe.systems.admin)
    return _world(universe, rules.create(START_S - AGE_S, token="h" * 32, value=value))


def _of_managing_key(world: World) -> World:
    """As another beginning, in the managing key's own secret."""
    keys = (world.keys[0], replace(world.keys[1], permissions=Permissions(admin=True)))
    return world._replace(keys=keys, keys_before=keys)


def _shared(universe: Universe) -> World:
    """As when made by hand, and another configured secret holds the same key."""
    world = _hand_made(universe)
    return world._replace(past=Past(elsewhere=frozenset({world.keys[1].key})))


def _hand_made(universe: Universe) -> World:
    """A secret that holds a key that a person made."""
    made_s = START_S - AGE_S
    record = universe.key(2, "made by hand", made_s, live=True)
    return _world(universe, rules.create(made_s, token="h" * 32, value=value_of_key(record)), record)


def _empty(universe: Universe) -> World:
    """A secret without a value."""
    return _world(universe, rules.create(START_S - AGE_S, token="0" * 32))


def _replicated(universe: Universe) -> World:
    """As when due, with a replica in another region."""
    world = _own(universe)
    secret = replicas.replicate(world.secret, [REPLICA])
    return world._replace(secret=secret, secret_before=secret)


def _world(universe: Universe, secret: Secret, *records: KeyRecord) -> World:
    keys = (universe.systems.admin, *records)
    return World(START_S, secret, keys, secret, keys)


ORIGINS: dict[str, Callable[[Universe], World]] = {
    "due": _own,
    "fresh": lambda universe: _own(universe, age_s=0.0),
    "beside others": _beside_others,
    "hand-made": _hand_made,
    "empty": _empty,
    "replicated": _replicated,
    "crowded": _crowded,
    "managing": _managing,
    "shared": _shared,
    "managing key due": lambda universe: _of_managing_key(_own(universe)),
    "managing key hand-made": lambda universe: _of_managing_key(_hand_made(universe)),
}
