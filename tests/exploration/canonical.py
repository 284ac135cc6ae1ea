"""One form for all worlds that differ only in names: so that any number of runs visits finitely many worlds.

Between two runs nobody remembers anything, so names do not matter but for their order and for who is named after whom.

- Generations are renumbered 1, 2, 3 in their order; version ids, key ids, tokens and values follow.
- A time becomes an age in one of a few classes, and only where a rule compares it: the age of the current version with
  `max_age`, of a pending one with `pending_timeout`, of a key with `settle`, of the last change with `grace`.
- What no rule can see is dropped: dead keys that no label leads to, foreign keys that nobody mentions, versions
  without a label.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from rotator.model.credential import Sensitive
from rotator.model.naming import NONCE_LENGTH, SINCE_PREFIX, nonce_of, since_in, since_label
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, OURS, REPLACED_PREFIX
from rotator.model.tags import CONTAIN_TAG
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.secrets_manager.state import Secret, Version
from tests.exploration.truth import Keys, Past
from tests.exploration.universe import Universe, World, Zombie
from tests.simulated.values import Held, generation_in_name, generation_of, held_by, lives, spoiled, value_of_key
from tests.simulated.world import START_S, Operation

SETTLE_S = 600.0
"""Longer than `settle`, shorter than `pending_timeout`."""
GRACE_S = 90_000.0
"""Longer than `grace` and `pending_timeout`, shorter than `max_age`."""
AGE_S = 2_678_400.0
"""Longer than `max_age`."""
_READ = frozenset({AWSCURRENT, AWSPENDING, AWSPREVIOUS})
"""Labels whose versions are read; of others only the label and the id matter."""
_OF_KEYS = frozenset({Operation.CREATE_KEY, Operation.REVOKE_KEY})
NOBODYS = "f" * 20
"""The id of a key that nobody has, or that is dead and forgotten."""
_OF_TAGS = frozenset({Operation.TAG, Operation.UNTAG})
_SLACK_S = 1.0
"""Writes within one instant are a millisecond apart."""
_TIME = "20260921T000000Z"
"""The time in a version id is an index that no rule of a run looks at."""


@dataclass(slots=True)
class Forms:
    """The canonical world of each world, found once."""

    universe: Universe
    _numbers: dict[int, int] = field(default_factory=dict)

    def of(self, number: int) -> int:
        """Return the number of the canonical world of a world without runs."""
        form = self._numbers.get(number)
        if form is None:
            world = canonical(self.universe, self.universe.worlds[number])
            form = self._numbers[number] = self.universe.number(world)
            self._numbers.setdefault(form, form)
        return form


def canonical(universe: Universe, world: World) -> World:
    """Return the world that stands for all that are like this one, as they are when no run is at work."""
    return _Renaming(universe, world).renamed()


def _leaked(secret: Secret) -> tuple[str, ...]:
    """Return what the tag names, where it names keys."""
    return tuple(secret.tags.get(CONTAIN_TAG, "").partition(" ")[0].split("+"))


def _state(record: KeyRecord) -> float | None:
    """Return when a key was revoked, as far as that matters."""
    return record.revoked_at if lives(record) else 0.0


class _Call(NamedTuple):
    """The names in a delayed request."""

    operation: Operation
    args: tuple[object, ...]


@dataclass(slots=True)
class _Renaming:
    """The new names of one world."""

    universe: Universe
    world: World
    ids: dict[str, str] = field(default_factory=dict)
    """Version ids."""
    keys: dict[str, KeyRecord] = field(default_factory=dict)
    """The new record of each key that is kept, by its old id."""
    order: list[str] = field(default_factory=list)
    works: bool = field(init=False)
    """Whether the current version holds a live key."""

    def __post_init__(self) -> None:
        current = self.world.secret.labels.get(AWSCURRENT)
        held = self._held(current) if current else None
        self.works = held is not None and any(k.jwt == held.jwt and lives(k) for k in self.world.keys)

    def renamed(self) -> World:
        """Return the world under its new names."""
        world = self.world
        self.keys[world.keys[0].key] = world.keys[0]  # the managing key has one name
        kept_versions = self._kept_versions()
        kept_keys = self._kept_keys(kept_versions)
        self._name_versions(kept_versions, kept_keys)
        self._name_keys(kept_keys)
        return World(
            START_S,
            self._secret(world.secret),
            self._listed(world.keys),
            self._secret(world.secret_before),
            self._listed(world.keys_before),
            self._past(world.past),
            tuple(sorted(map(self._zombie, world.zombies), key=self.universe.order)),
        )

    # What is kept

    def _calls(self) -> list[_Call]:
        requests = self.universe.instances.requests
        return [_Call(requests[z.request].operation, requests[z.request].args) for z in self.world.zombies]

    def _kept_versions(self) -> set[str]:
        kept = {*self.world.secret.labels.values(), *self.world.secret_before.labels.values()}
        return {v for v in kept | self._sent() if v in self.world.secret.versions}

    def _sent(self) -> set[str]:
        """Return what delayed requests name, versions among it."""
        moves = (args for operation, args in self._calls() if operation not in _OF_KEYS | _OF_TAGS)
        return {a for args in moves for a in args[1:] if isinstance(a, str)}

    def _kept_keys(self, versions: set[str]) -> list[KeyRecord]:
        world, universe = self.world, self.universe
        sent = self._sent()
        named = {h.key_id for v in versions & (self._labelled() | sent) if (h := self._held(v))}
        for secret in (world.secret, world.secret_before):
            named |= {label.removeprefix(REPLACED_PREFIX) for label in secret.labels}
            named |= set(_leaked(secret))
        for operation, args in self._calls():
            if operation is Operation.REVOKE_KEY:
                named.add(str(args[1]))
            if operation is Operation.PUT_VALUE and isinstance(args[2], Sensitive):
                held = held_by(args[2].reveal())
                named |= {held.key_id} if held else set()
        live = {k.key for k in (*world.keys, *world.keys_before) if lives(k)}
        kept_in_mind = world.past.adopted | world.past.replaced | world.past.elsewhere | world.past.holding
        return [
            k
            for k in world.keys[1:]
            if k.key in named
            or (k.key in live and (universe.prefix in k.name or k.key in kept_in_mind))
            or self._is_counted(k)
        ]

    def _is_counted(self, record: KeyRecord) -> bool:
        """Tell whether a dead key of ours is an attempt that the back-off counts."""
        is_ours = generation_in_name(self.universe.prefix, record.name) > 0
        return bool(self.universe.spec.settle) and is_ours and self.world.now_s - record.created_at < GRACE_S

    def _held(self, version_id: str) -> Held | None:
        value = self.world.secret.versions[version_id].value
        return held_by(value) if isinstance(value, str) else None

    def _holds(self, version_id: str, record: KeyRecord) -> bool:
        if version_id not in self.world.secret.versions:
            return False
        held = self._held(version_id)
        return held is not None and held.key_id == record.key

    def _is_restamped(self, record: KeyRecord) -> bool:
        """Tell whether a labelled version holds a key that was not made for it: its age is the key's own."""
        prefix = self.universe.prefix
        return any(
            self._holds(version_id, record) and record.name != prefix + version_id for version_id in self._labelled()
        )

    def _labelled(self) -> set[str]:
        """Return the versions that some rule may read."""
        return {
            version_id
            for secret in (self.world.secret, self.world.secret_before)
            for label, version_id in secret.labels.items()
            if label in _READ
        }

    # New names

    def _name_versions(self, versions: set[str], keys: list[KeyRecord]) -> None:
        prefix = self.universe.prefix
        found = set(versions)
        found |= {k.name.removeprefix(prefix) for k in keys if generation_in_name(self.universe.prefix, k.name)}
        for operation, args in self._calls():
            if operation is Operation.CREATE_KEY:
                found.add(str(args[1]).removeprefix(prefix))
            elif operation not in _OF_TAGS | _OF_KEYS:
                places = args[1:2] if operation is Operation.PUT_VALUE else args[2:]
                found |= {a for a in places if isinstance(a, str)}
        own = sorted((v for v in found if generation_of(v)), key=self._looks)
        foreign = sorted(found - set(own), key=self._looks)
        ties = {nonce_of(v): f"n{i:09}" for i, v in enumerate(foreign)}
        ranks = {g: i + 1 for i, g in enumerate(sorted({generation_of(v) for v in own}))}
        for i, version_id in enumerate(own):
            rank = ranks[generation_of(version_id)]
            nonce = ties.get(version_id[-NONCE_LENGTH:], f"c{i:09}")
            self.ids[version_id] = f"g{rank:06}-{_TIME}-{nonce}"
        for version_id in foreign:  # a key's name may be tied to the id of its version
            self.ids[version_id] = f"{ties[nonce_of(version_id)]}-not-of-our-making"

    def _looks(self, version_id: str) -> tuple[object, ...]:
        """Return what tells a version from others, its name last."""
        world = self.world
        name = self.universe.prefix + version_id
        key = next((k for k in world.keys if k.name == name), None)
        version = world.secret.versions.get(version_id)
        held = self._held(version_id) if version else None
        return (
            generation_of(version_id),
            sorted(world.secret.labels_of(version_id)),
            sorted(world.secret_before.labels_of(version_id)),
            self._put_at(version_id, version.created) if version else 0.0,
            self._made_at(key) if key else 0.0,
            key is not None and key.revoked_at is None,
            held is not None and key is not None and held.key_id == key.key,
            version_id,
        )

    def _name_keys(self, keys: list[KeyRecord]) -> None:
        universe = self.universe

        def place(record: KeyRecord) -> tuple[object, ...]:
            own = generation_in_name(universe.prefix, record.name) > 0
            inside = sorted(self.ids[v] for v in self.ids if self._holds(v, record))
            name = self.ids[record.name.removeprefix(universe.prefix)] if own else ""
            return name, inside, str(_state(record)), self._made_at(record), record.key

        for serial, record in enumerate(sorted(keys, key=place), start=2):
            own = generation_in_name(universe.prefix, record.name) > 0
            name = universe.prefix + self.ids[record.name.removeprefix(universe.prefix)] if own else record.name
            self.order.append(record.key)
            renamed = universe.key(serial, name, self._made_at(record), live=True, scopes=record.permissions)
            self.keys[record.key] = replace(renamed, revoked_at=_state(record))

    # The parts under their new names

    def _secret(self, secret: Secret) -> Secret:
        labels = {self._label(label): self.ids[v] for label, v in secret.labels.items()}
        versions = {
            self.ids[v]: Version(self._put_at(v, found.created), self._value(found.value))
            for v, found in secret.versions.items()
            if v in self.ids
        }
        return Secret(
            created=START_S - AGE_S,
            last_changed=self._changed_at(secret),
            versions=dict(sorted(versions.items())),
            labels=dict(sorted(labels.items())),
            tags=self._tags(secret),
            replicas=secret.replicas,
        )

    def _tags(self, secret: Secret) -> Mapping[str, str]:
        text = secret.tags.get(CONTAIN_TAG, "")
        first, _, rest = text.partition(" ")
        if not rest or not all(len(key_id) == len(NOBODYS) for key_id in first.split("+")):
            return secret.tags  # a reason alone
        return {**secret.tags, CONTAIN_TAG: f"{'+'.join(map(self._leaked_id, first.split('+')))} {rest}"}

    def _leaked_id(self, key_id: str) -> str:
        return self.keys[key_id].key if key_id in self.keys else NOBODYS

    def _label(self, label: str) -> str:
        if (at := since_in(label)) is not None:
            return since_label(datetime.fromtimestamp(self._time(at.timestamp(), GRACE_S), UTC))
        if not label.startswith(REPLACED_PREFIX) or label == OURS:
            return label
        record = self.keys.get(label.removeprefix(REPLACED_PREFIX))
        return REPLACED_PREFIX + (record.key if record else "gone")

    def _value(self, value: object) -> str | None:
        if not isinstance(value, str):
            return None
        held = held_by(value)
        if held is None:
            return value
        if held.key_id not in self.keys:
            return "read by nobody"
        record, old = self.keys[held.key_id], self._old(held.key_id)
        jwt = None if held.jwt == old.jwt else spoiled(record.jwt)
        return value_of_key(record, jwt, held.extras)

    def _old(self, key_id: str) -> KeyRecord:
        return next(k for k in self.world.keys if k.key == key_id)

    def _listed(self, keys: Keys) -> Keys:
        by_id = {record.key: record for record in keys}
        listed = (replace(self.keys[old], revoked_at=_state(by_id[old])) for old in self.order if old in by_id)
        return (keys[0], *listed)

    def _past(self, past: Past) -> Past:
        keys = self.keys

        def those(named: frozenset[str]) -> frozenset[str]:
            return frozenset(keys[k].key for k in named if k in keys)

        grace_s = self.universe.spec.grace.total_seconds()
        in_grace = [(k, at) for k, at in past.left if self.world.now_s - at < grace_s]
        left = sorted((keys[k].key, self._time(at)) for k, at in in_grace if k in keys)
        return Past(
            left=tuple(left),
            adopted=those(past.adopted),
            replaced=those(past.replaced),
            edited=those(past.edited),
            excused=those(past.excused),
            elsewhere=those(past.elsewhere),
            holding=frozenset(keys[k].key if k in keys else NOBODYS for k in past.holding),
            rolling=past.rolling,
        )

    def _zombie(self, zombie: Zombie) -> Zombie:
        request = self.universe.instances.requests[zombie.request]
        args = request.args
        match request.operation:
            case Operation.CREATE_KEY:
                prefix = self.universe.prefix
                name = prefix + self.ids[str(args[1]).removeprefix(prefix)]
                args = (args[0], name, *args[2:4])  # it lands whatever becomes of the key that it was sent with
            case Operation.REVOKE_KEY:
                record = self.keys.get(str(args[1]))
                args = (args[0], record.key if record else "gone")
            case Operation.PUT_VALUE:
                text = args[2]
                assert isinstance(text, Sensitive)
                value = Sensitive(self._value(text.reveal()) or "")
                labels = tuple(self._label(str(label)) for label in args[3])  # type: ignore[attr-defined]  # a union member
                args = (args[0], self.ids[str(args[1])], value, labels)
            case Operation.TAG | Operation.UNTAG:
                pass  # a tag that names a key is written by a run, while that key is there
            case _:
                moved = (self.ids[str(a)] if a is not None else None for a in args[2:])
                args = (args[0], self._label(str(args[1])), *moved)
        return Zombie(self.universe.instances.request_id(request._replace(args=args)), zombie.demand)

    # Times

    def _changed_at(self, secret: Secret) -> float:
        pending = secret.versions.get(secret.labels.get(AWSPENDING, ""))
        empty = pending is not None and pending.value is None  # its age is that of the last change
        counts = empty or self.universe.spec.grace
        return self._time(secret.last_changed, GRACE_S) if counts else START_S

    def _put_at(self, version_id: str, at_s: float) -> float:
        return self._time(at_s, *self._ages_of_version(version_id))

    def _ages_of_version(self, version_id: str) -> Iterator[float]:
        labels = (*self.world.secret.labels_of(version_id), *self.world.secret_before.labels_of(version_id))
        if AWSCURRENT in labels:
            yield AGE_S
        if any(label.startswith(SINCE_PREFIX) for label in labels):  # which counts only if it is no older than this
            yield GRACE_S
        if AWSPENDING in labels:
            yield GRACE_S
        if not self.works:  # a young refusal says nothing yet, and a placeholder is given less time
            yield SETTLE_S

    def _made_at(self, record: KeyRecord) -> float:
        own = record.name.removeprefix(self.universe.prefix)
        version = self.world.secret.versions.get(own)
        if version and record.revoked_at is None and not self.universe.spec.settle:
            return self._put_at(own, version.created)
        return self._time(record.created_at, *self._ages_of_key(record))

    def _ages_of_key(self, record: KeyRecord) -> Iterator[float]:
        if record.revoked_at is None and self._is_restamped(record):
            yield AGE_S
        if self.universe.spec.settle:
            yield SETTLE_S
            yield GRACE_S  # past the day in which it counts as an attempt

    def _time(self, at_s: float, *classes: float) -> float:
        age_s = self.world.now_s - at_s + _SLACK_S
        return START_S - max((least for least in classes if age_s >= least), default=0.0)
