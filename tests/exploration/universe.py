"""States of the two systems as values, and every step from one to the next, each computed once.

A `World` is what the sandbox's own rules made of it; it is never changed, only followed by another. Equal worlds are
one: they are numbered, by their whole content and not by a hash of it, so a state of an exploration is a few numbers.
"""

from dataclasses import replace
from typing import NamedTuple

from rotator.model.credential import Credential, Sensitive, Token
from rotator.model.errors import RotatorError
from rotator.model.ports import Authentication
from rotator.model.secret import Demand, SecretSpec
from rotator.model.tags import CONTAIN_TAG, HOLD_TAG
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Switches
from rotator.sandbox.secrets_manager import rules
from rotator.sandbox.secrets_manager.state import Secret
from tests.exploration.fates import CHANGES, MADE_WRONG, UNANSWERED, WITHOUT_EFFECT, Fate
from tests.exploration.instances import NEIGHBOUR, Instances, Raised, Reply, Request
from tests.exploration.truth import SCOPES, Keys, Past, View, broken_by, moment_of, owned, remembered
from tests.simulated.invariants import WINDOW, Act, Moment
from tests.simulated.provider import KeyPage
from tests.simulated.values import LINGERS, forms_of, held_by, spoiled, value_of_key
from tests.simulated.world import ARN_SUFFIX, Operation, Systems

WIDER_SCOPES = Permissions(resources=("org:files:write", "org:write"))
_OF_KEYS = frozenset({Operation.CREATE_KEY, Operation.REVOKE_KEY})


class Zombie(NamedTuple):
    """A request whose sender was told nothing; it may still have its effect."""

    request: int
    demand: Demand


class World(NamedTuple):
    """Everything there is at one instant, but for the runs."""

    now_s: float
    secret: Secret
    keys: Keys
    """In the order of creation, the managing key first."""
    secret_before: Secret
    """Before the last write: what a stale read shows."""
    keys_before: Keys
    past: Past = Past()
    zombies: tuple[Zombie, ...] = ()


class Step(NamedTuple):
    """What an effect came to."""

    world: int
    reply: int
    """0 if nobody is told."""
    broken: tuple[str, ...]


class Universe:
    """All worlds met so far, and the steps between them."""

    def __init__(
        self,
        spec: SecretSpec,
        *,
        reads_lag: bool = True,
        switches: Switches = Switches(jwt_lifetime_s=None),  # noqa: B008 - it is frozen
    ) -> None:
        """Begin with no world.

        Args:
            spec: of the one secret.

            reads_lag: a read may show the state before the last write, so that state is part of a world.

            switches: the answers to what nobody knows of Pinata.
        """
        self.spec, self._reads_lag = spec, reads_lag
        self.systems = Systems.empty(switches)
        self.systems.latency_s = 0.0
        self.prefix = f"rotator/111122223333/eu-central-1/{spec.secret_id}{ARN_SUFFIX}/"
        self.worlds: list[World] = []
        self.covered: set[tuple[Operation, Fate]] = set()
        """Which fates were tried on which operation."""
        self.checked = 0
        """How many effects were held against the invariants."""
        self._world_ids: dict[object, int] = {}
        self._secret_ids: dict[object, int] = {}
        self._secrets_met: dict[int, tuple[Secret, int]] = {}
        """The number of each secret that was met, by the identity of its object, which is kept for that."""
        self._steps: dict[tuple[int, int, Fate, Demand], Step] = {}
        self._moments: dict[int, Moment] = {}
        self._known_secrets: set[str] = set()
        self._mints: dict[tuple[int, float], KeyRecord] = {}
        self.instances: Instances

    # Worlds

    def number(self, world: World) -> int:
        """Return the number of a world."""
        if not self._reads_lag:
            world = world._replace(secret_before=world.secret, keys_before=world.keys)
        content = (
            world.now_s,
            self._secret_id(world.secret),
            world.keys,
            self._secret_id(world.secret_before),
            world.keys_before,
            world.past,
            world.zombies,
        )
        number = self._world_ids.setdefault(content, len(self.worlds))
        if number == len(self.worlds):
            self.worlds.append(world)
        return number

    def _secret_id(self, secret: Secret) -> int:
        known = self._secrets_met.get(id(secret))
        if known is not None and known[0] is secret:
            return known[1]
        number = self._secret_ids.setdefault(_content(secret), len(self._secret_ids))
        self._secrets_met[id(secret)] = (secret, number)
        return number

    def moment(self, number: int) -> Moment:
        """Return the truth that the invariants judge."""
        if number not in self._moments:
            self._moments[number] = moment_of(self._view(self.worlds[number]))
        return self._moments[number]

    def _view(self, world: World) -> View:
        scopes = Permissions(admin=True) if self.spec.manages else SCOPES
        return View(world.now_s, world.secret, world.keys, world.past, self.prefix, scopes)

    # Calls

    def call(self, number: int, request_id: int, fate: Fate, demand: Demand) -> Step:
        """Return what a call comes to in a world."""
        at = (number, request_id, fate, demand)
        step = self._steps.get(at)
        if step is None:
            step = self._steps[at] = self._call(*at)
        return step

    def _call(self, number: int, request_id: int, fate: Fate, demand: Demand) -> Step:
        request, world = self.instances.requests[request_id], self.worlds[number]
        self.covered.add((request.operation, fate))
        reply_id = self.instances.reply_id
        if fate in WITHOUT_EFFECT:
            reply = 0 if fate is Fate.CRASH_BEFORE else reply_id(_unanswered(fate))
            if fate is Fate.DELAYED:
                zombies = (*world.zombies, Zombie(request_id, demand))
                number = self.number(world._replace(zombies=tuple(sorted(zombies, key=self.order))))
            return Step(number, reply, ())
        seen = world
        if fate is Fate.STALE and request.operation is not Operation.TEST_AUTHENTICATION:
            seen = world._replace(secret=world.secret_before, keys=world.keys_before)
        after, answer = self._perform(seen, request)
        if request.operation is Operation.TEST_AUTHENTICATION and fate is Fate.STALE:
            answer = self._unpropagated(world, request, answer)
        if request.operation not in CHANGES:
            return Step(number, reply_id(Reply(fate, _twisted(answer, fate))), ())
        if fate is Fate.ACKNOWLEDGED:
            return Step(number, reply_id(Reply(Fate.OK, answer)), ())
        if fate is Fate.LISTED_ONLY:
            return Step(self._listed_only(world, after), reply_id(Reply(Fate.OK, answer)), ())
        if isinstance(answer, Credential) and fate in MADE_WRONG:
            after, answer = self._spoiled(after, answer, fate)
        next_number, broken = self._follow(number, after, request.operation, demand)
        broken = (*broken, *_of_own_key(request))
        if fate is Fate.CRASH_AFTER:
            return Step(next_number, 0, broken)
        told = _unanswered(fate) if fate is Fate.LATE else Reply(fate, answer)
        return Step(next_number, reply_id(told), broken)

    def order(self, zombie: Zombie) -> tuple[str, ...]:
        """Return the place of a delayed request among others, whatever was explored before."""
        request = self.instances.requests[zombie.request]
        return request.operation, zombie.demand.name, *map(str, request.args[1:2])

    def land(self, number: int, place: int) -> Step:
        """Return what comes of a world in which a delayed request has its effect now."""
        world = self.worlds[number]
        zombie = world.zombies[place]
        left = world.zombies[:place] + world.zombies[place + 1 :]
        request = self.instances.requests[zombie.request]
        before = self.number(world._replace(zombies=left))
        after, _ = self._perform(self.worlds[before], request)
        follows, broken = self._follow(before, after, request.operation, zombie.demand)
        return Step(follows, 0, broken)

    def _perform(self, world: World, request: Request) -> tuple[World, object]:
        """Let the rules decide what a request does."""
        systems, name = self.systems, self.spec.secret_id
        systems.now_s = world.now_s
        systems.secrets[name] = world.secret
        systems.pinata.keys = {record.key: _taken(record, request) for record in world.keys}
        self._seat_neighbour(world)
        systems.pinata.serial = len(world.keys)
        systems.holding, systems.rolling = world.past.holding, world.past.rolling
        try:
            answer = request.effect(systems, *request.args)
        except RotatorError as error:
            return world, Raised(type(error), error.message)
        if request.operation not in CHANGES:
            return world, answer
        if request.operation is Operation.REDEPLOY:
            return world._replace(past=world.past._replace(rolling=systems.rolling)), answer
        secret, keys = systems.secrets[name], tuple(systems.pinata.keys.values())
        for record in keys[len(world.keys) :]:
            self._register(record)
        if request.operation in _OF_KEYS:
            keys = (
                tuple(
                    old if new.revoked_at is None and old.revoked_at == LINGERS else new
                    for old, new in zip(world.keys, keys, strict=False)
                )
                + keys[len(world.keys) :]
            )
            return world._replace(keys=keys, keys_before=world.keys), answer
        return world._replace(secret=secret, secret_before=world.secret), answer

    def _listed_only(self, before: World, after: World) -> int:
        """Number the world after a revocation that only the list knows of, of a key whose token somebody can try."""
        labelled = (before.secret.versions[v] for v in before.secret.labels.values())
        stored = {held.key_id for v in labelled if (held := held_by(str(v.value)))}
        live = {record.key for record in before.keys if record.revoked_at is None}
        keys = tuple(
            replace(k, revoked_at=LINGERS) if k.key in live & stored and k.revoked_at is not None else k
            for k in after.keys
        )
        return self.number(after._replace(keys=keys))

    def _unpropagated(self, world: World, request: Request, answer: object) -> object:
        """Return what testAuthentication says of a key whose making, or revocation, it does not know yet."""
        if answer is Authentication.ACCEPTED:
            return Authentication.REFUSED
        alive = tuple(replace(record, revoked_at=None) for record in world.keys)
        return self._perform(world._replace(keys=alive), request)[1]

    def _spoiled(self, world: World, made: Credential, fate: Fate) -> tuple[World, Credential]:
        """Return what a create came to that went wrong without an error."""
        if fate is Fate.WRONG_JWT:
            assert made.jwt is not None
            jwt = Sensitive(spoiled(made.jwt.reveal()))
            return world, replace(made, jwt=jwt, forms=(Token(jwt),))
        if fate is Fate.RENAMED:
            cut = replace(world.keys[-1], name=world.keys[-1].name[:-1])
            return world._replace(keys=(*world.keys[:-1], cut)), made
        wide = replace(world.keys[-1], permissions=SCOPES if self.spec.manages else WIDER_SCOPES)
        return world._replace(keys=(*world.keys[:-1], wide)), made

    def _seat_neighbour(self, world: World) -> None:
        """Let another configured secret hold the keys that are held elsewhere; there is at most one."""
        self.systems.secrets.pop(NEIGHBOUR, None)
        for record in world.keys:
            if record.key in world.past.elsewhere:
                made = rules.create(world.now_s, token="n" * 32, value=value_of_key(record))
                self.systems.secrets[NEIGHBOUR] = made

    def _follow(self, before: int, after: World, operation: Operation, demand: Demand) -> tuple[int, tuple[str, ...]]:
        """Number the world after an effect of ours, and hold it against the invariants."""
        truth = self.moment(before)
        after = after._replace(past=owned(self._view(after), truth, operation, demand))
        number = self.number(self.follow_up(self.worlds[before], after))
        act = Act(operation, demand, self.spec.grace.total_seconds())
        self.checked += 1
        return number, broken_by(truth, act, self.moment(number))

    def follow_up(self, before: World, after: World) -> World:
        """Note which key is no longer current, and forget the dead."""
        return after._replace(past=remembered(before.secret, self._view(after)))

    def _register(self, record: KeyRecord) -> None:
        """Know a new secret in every form in which it could leak."""
        if record.jwt not in self._known_secrets:
            self._known_secrets.add(record.jwt)
            for form in (*forms_of(record.jwt), *forms_of(record.secret)):
                self.instances.windows.update(form[i : i + WINDOW] for i in range(len(form) - WINDOW + 1))

    # Keys

    def key(self, serial: int, name: str, created_at: float, *, live: bool, scopes: Permissions = SCOPES) -> KeyRecord:
        """Return a key record as the rules would mint it: its id, token and secret depend on `serial` and the time."""
        record = self._minted(serial, created_at)
        return replace(record, name=name, revoked_at=None if live else 0.0, permissions=scopes)

    def _minted(self, serial: int, created_at: float) -> KeyRecord:
        cached = self._mints.get((serial, created_at))
        if cached is None:
            pinata = self.systems.pinata
            pinata.serial = serial - 1
            self.systems.now_s = created_at
            cached = pinata.seed("", SCOPES, age_s=0.0)
            self._mints[serial, created_at] = cached
            self._register(cached)
        return cached


def _of_own_key(request: Request) -> tuple[str, ...]:
    """Say of a request that revokes the key which it is sent with that it does."""
    senders = {sent.key_id for sent in request.args[2:] if isinstance(sent, Credential)}
    if request.operation is not Operation.REVOKE_KEY or request.args[1] not in senders:
        return ()
    return (f"I17 a run revoked {request.args[1]}, the key that it works with",)


def _unanswered(fate: Fate) -> Reply:
    """Return what a run is told that gets no answer: it cannot know whether there was an effect, or will be."""
    return Reply(Fate.LOST if fate in UNANSWERED else fate)


def _taken(record: KeyRecord, request: Request) -> KeyRecord:
    """Return a key as the rules must see it that only the list shows as revoked: its token works, it can be revoked."""
    if record.revoked_at != LINGERS or request.operation is Operation.LIST_KEYS:
        return record
    return replace(record, revoked_at=None)


def _twisted(answer: object, fate: Fate) -> object:
    match answer, fate:
        case KeyPage(keys), Fate.PARTIAL:
            return KeyPage(keys[:-1], is_last=True)
        case KeyPage(keys), Fate.SHIFTED:
            return KeyPage(keys[1:], is_last=True)
        case _:
            return answer


def _content(secret: Secret) -> tuple[object, ...]:
    """Return what makes one secret another one."""
    return (
        secret.last_changed,
        tuple(sorted(secret.labels.items())),
        tuple((i, v.created, v.value) for i, v in sorted(secret.versions.items())),
        secret.tags.get(HOLD_TAG),
        secret.tags.get(CONTAIN_TAG),
        tuple(sorted(secret.replicas.items())),
    )
