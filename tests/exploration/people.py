"""What time and people do to the two systems, past every rule of the program."""

import json
from collections.abc import Iterator
from dataclasses import replace

from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS
from rotator.model.tags import CONTAIN_TAG, HOLD_TAG
from rotator.sandbox.secrets_manager import rules
from rotator.sandbox.secrets_manager.state import ReplicaStatus
from tests.exploration.universe import Universe, World
from tests.simulated.values import EXTRAS, held_in, spoiled, value_of_key
from tests.simulated.world import Operation

PLACEHOLDER = json.dumps(json.loads(EXTRAS) | {"JWT": "CHANGEME", "pinata_api_key": "", "pinata_api_secret": ""})
"""As templates of infrastructure code leave it."""


def tick(universe: Universe, number: int, seconds: float) -> int:
    """Return the world after some time; by then reads have caught up."""
    world = universe.worlds[number]
    return universe.number(
        world._replace(now_s=world.now_s + seconds, secret_before=world.secret, keys_before=world.keys)
    )


def people(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield what an operator could do, and the world after it."""
    world = universe.worlds[number]
    secret = world.secret
    if secret.replicas:  # replication alone is looked at then
        yield "replication goes on or fails", toggle_replicas(universe, number)
        return
    for label in (AWSCURRENT, AWSPENDING):
        held = held_in(secret, label)
        if held and held.key_id in universe.moment(number).live:
            yield f"revoke the {label} key in the UI", _killed(universe, world, held.key_id)
    if AWSPREVIOUS in secret.labels and AWSCURRENT in secret.labels:
        yield "roll AWSCURRENT back", _rolled_back(universe, number)
    yield "put a hand-made key", _edited(universe, number)
    yield "hold" if HOLD_TAG not in secret.tags else "release", toggle_hold(universe, number)


def break_value(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield how somebody could leave consumers without a key that works, and the world after it."""
    world = universe.worlds[number]
    held = held_in(world.secret, AWSCURRENT)
    yield "put a hand-made key that is dead", _edited(universe, number, live=False)
    yield "put a hand-made key", _edited(universe, number)
    if held:
        record = next(k for k in world.keys if k.key == held.key_id)
        yield "damage the token", _put(universe, world, value_of_key(record, spoiled(record.jwt), held.extras))
    yield "put a placeholder", _put(universe, world, PLACEHOLDER)
    if AWSPREVIOUS in world.secret.labels and AWSCURRENT in world.secret.labels:
        yield "roll AWSCURRENT back", _rolled_back(universe, number)


def roll_back(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield the world after AWSCURRENT was moved back by hand."""
    labels = universe.worlds[number].secret.labels
    if AWSPREVIOUS in labels and AWSCURRENT in labels:
        yield "roll AWSCURRENT back", _rolled_back(universe, number)


def deploy(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield the world after a consumer that keeps its key has read the current one."""
    world = universe.worlds[number]
    current = held_in(world.secret, AWSCURRENT)
    if current and world.past.holding != {current.key_id}:
        yield "the consumer is deployed anew", deployed(universe, number)


def go_back(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield the world after a consumer has gone back to the key before, as one does that starts from an old image."""
    world = universe.worlds[number]
    previous = held_in(world.secret, AWSPREVIOUS)
    if previous and previous.key_id in universe.moment(number).live and world.past.holding != {previous.key_id}:
        yield "the consumer goes back", _holds(universe, world, previous.key_id)


def leak_or_deploy(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield what people say of leaks, once, and what becomes of a consumer meanwhile."""
    if CONTAIN_TAG not in universe.worlds[number].secret.tags:
        yield from leak(universe, number)
    yield from deploy(universe, number)


def deployed(universe: Universe, number: int) -> int:
    """Return the world after the consumer has read the current key."""
    world = universe.worlds[number]
    held = held_in(world.secret, AWSCURRENT)
    return _holds(universe, world, held.key_id) if held else number


def _holds(universe: Universe, world: World, key_id: str) -> int:
    past = world.past._replace(holding=frozenset({key_id}), rolling=False)
    return universe.number(world._replace(past=past))


def leak(universe: Universe, number: int) -> Iterator[tuple[str, int]]:
    """Yield how a person could say that a key has leaked, or change their mind, and the world after it."""
    world = universe.worlds[number]
    if CONTAIN_TAG in world.secret.tags:
        yield "take rotator:contain off", toggle_contain(universe, number, "")
        return
    for label in (AWSCURRENT, AWSPREVIOUS, AWSPENDING):
        if held := held_in(world.secret, label):
            yield f"say that the {label} key has leaked", toggle_contain(universe, number, f"{held.key_id} leaked")
    yield "say that something has leaked", toggle_contain(universe, number, "it was in a log")
    yield "hold" if HOLD_TAG not in world.secret.tags else "release", toggle_hold(universe, number)


def toggle_contain(universe: Universe, number: int, text: str) -> int:
    """Return the world after the tag that says what has leaked was set, or was taken away."""
    world = universe.worlds[number]
    if text:
        secret = rules.tag(world.secret, world.now_s, {CONTAIN_TAG: text})
    else:
        secret = rules.untag(world.secret, world.now_s, [CONTAIN_TAG])
    return universe.number(world._replace(secret=secret, secret_before=world.secret))


def _put(universe: Universe, world: World, value: str) -> int:
    token = f"put{len(world.secret.versions):029}"
    secret = rules.put(world.secret, world.now_s, token=token, value=value)
    after = world._replace(secret=secret, secret_before=world.secret)
    return universe.number(universe.follow_up(world, after))


def toggle_hold(universe: Universe, number: int) -> int:
    """Return the world after the hold tag was set, or taken away."""
    world = universe.worlds[number]
    if HOLD_TAG in world.secret.tags:
        secret = rules.untag(world.secret, world.now_s, [HOLD_TAG])
    else:
        secret = rules.tag(world.secret, world.now_s, {HOLD_TAG: "incident"})
    past = world.past._replace(defied=0)
    return universe.number(world._replace(secret=secret, secret_before=world.secret, past=past))


def toggle_replicas(universe: Universe, number: int) -> int:
    """Return the world after replication has failed everywhere, or has caught up."""
    world = universe.worlds[number]
    behind = universe.moment(number).behind
    status = ReplicaStatus.IN_SYNC if behind else ReplicaStatus.FAILED
    secret = replace(world.secret, replicas=dict.fromkeys(world.secret.replicas, status))
    return universe.number(world._replace(secret=secret, secret_before=world.secret))


def _killed(universe: Universe, world: World, key_id: str) -> int:
    keys = tuple(replace(k, revoked_at=0.0) if k.key == key_id else k for k in world.keys)
    past = world.past._replace(excused=world.past.excused | {key_id})
    after = world._replace(keys=keys, keys_before=world.keys, past=past)
    return universe.number(universe.follow_up(world, after))


def _rolled_back(universe: Universe, number: int) -> int:
    world = universe.worlds[number]
    labels = world.secret.labels
    to, away = labels[AWSPREVIOUS], labels[AWSCURRENT]
    secret = rules.move_label(world.secret, world.now_s, AWSCURRENT, move_to=to, remove_from=away)
    held = held_in(secret, AWSCURRENT)
    past = world.past
    left_s = dict(past.left).get(held.key_id) if held else None
    over = left_s is None or world.now_s - left_s >= universe.spec.grace.total_seconds()
    if held and over:  # to a key that may be dead, or about to be: at one's own risk
        past = past._replace(excused=past.excused | {k.key for k in world.keys[1:]})
    elif held and _may_come_back(universe, world, away):
        past = past._replace(excused=past.excused | {held.key_id})
    after = world._replace(secret=secret, secret_before=world.secret, past=past)
    return universe.number(universe.follow_up(world, after))


def _may_come_back(universe: Universe, world: World, version_id: str) -> bool:
    """Tell whether a delayed request moves AWSCURRENT to a version again.

    If no run looks in between, nobody can see afterwards that it was away.
    """
    requests = (universe.instances.requests[zombie.request] for zombie in world.zombies)
    return any(asked.operation is Operation.PROMOTE and version_id in asked.args for asked in requests)


def _edited(universe: Universe, number: int, *, live: bool = True) -> int:
    world = universe.worlds[number]
    record = universe.key(len(world.keys) + 1, "made by hand", world.now_s, live=live)
    token = f"hand{len(world.keys):028}"
    secret = rules.put(world.secret, world.now_s, token=token, value=value_of_key(record))
    moment = universe.moment(number)
    past = world.past
    if moment.generation > 0 or moment.current in past.edited:
        past = past._replace(edited=past.edited | {record.key})
    after = world._replace(
        secret=secret, secret_before=world.secret, keys=(*world.keys, record), keys_before=world.keys, past=past
    )
    return universe.number(universe.follow_up(world, after))
