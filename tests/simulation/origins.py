"""Where explorations begin: a secret that a key is due for, a fresh one, one made by hand, one without a value."""

from collections.abc import Callable

from rotator.model import AWSCURRENT, OURS
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.secrets_manager import replicas, rules
from rotator.sandbox.secrets_manager.state import Secret
from tests.simulation.canonical import AGE_S
from tests.simulation.universe import Universe, World
from tests.simulation.values import value_of_key
from tests.simulation.world import START_S

REPLICA = "eu-west-1"
_FIRST = f"g000001-20260801T000000Z-{'a' * 10}"


def _own(universe: Universe, *, age_s: float = AGE_S) -> World:
    """A secret that holds a key of ours."""
    made_s = START_S - age_s
    record = universe.key(2, universe.prefix + _FIRST, made_s, live=True)
    secret = rules.put(
        rules.create(made_s, token=_FIRST),
        made_s,
        token=_FIRST,
        value=value_of_key(record),
        labels=(AWSCURRENT, OURS),
    )
    return _world(universe, secret, record)


def _beside_others(universe: Universe) -> World:
    """As when due, and beside it a key of somebody else's whose name begins with one of ours."""
    world = _own(universe)
    theirs = universe.key(3, universe.prefix + _FIRST + "-backup", START_S - AGE_S, live=True)
    keys = (*world.keys, theirs)
    return world._replace(keys=keys, keys_before=keys)


def _hand_made(universe: Universe) -> World:
    """A secret that holds a key that a person made."""
    made_s = START_S - AGE_S
    record = universe.key(2, "made by hand", made_s, live=True)
    return _world(
        universe, rules.create(made_s, token="h" * 32, value=value_of_key(record)), record
    )


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
}
