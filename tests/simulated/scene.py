"""One configured secret in a simulated world, with words for what people and runs do to it."""

import json
from collections.abc import Container
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Self

from rotator.engine.reconcile import preview, reconcile
from rotator.engine.run import Run, World
from rotator.fleet.neighbours import Neighbours
from rotator.model.credential import Credential, Sensitive
from rotator.model.errors import RotatorError
from rotator.model.events import Decided, Done, Ended, Event, Intent, Result
from rotator.model.events import Operation as Audited
from rotator.model.naming import KeyFamily, version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, OURS
from rotator.model.payload import credential_in
from rotator.model.plan import Outcome, Plan
from rotator.model.secret import Demand, SecretSpec
from rotator.model.tags import CONTAIN_TAG
from rotator.sandbox.pinata.records import Bearer, KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Generation, Switches
from rotator.sandbox.secrets_manager import rules as label_rules
from rotator.sandbox.secrets_manager.state import Secret
from tests.builders import a_spec
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.invariants import EFFECTS
from tests.simulated.provider import SimulatedProvider
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Boundary, Crash, Operation, Process, Systems, arn_of, calm

HAND_ID = "11111111-2222-4333-8444-555555555555"
FILES_WRITE = Permissions(resources=("org:files:write",))
AT_ONCE = timedelta(0)


@dataclass(slots=True)
class Scene:
    """A secret, its specification, and everything around it."""

    systems: Systems
    spec: SecretSpec
    neighbours: tuple[SecretSpec, ...] = ()
    runs: int = 0
    last: Process = field(init=False)
    """The last process that ran."""

    @classmethod
    def empty(cls, spec: SecretSpec | None = None, switches: Switches | None = None) -> Self:
        """Return a scene with a secret that has no value."""
        scene = cls(Systems.empty(switches), spec or a_spec())
        scene.systems.secrets[scene.name] = label_rules.create(scene.systems.now_s, token="0" * 32)
        return scene

    @classmethod
    def hand_made(cls, spec: SecretSpec | None = None, switches: Switches | None = None) -> Self:
        """Return a scene whose secret holds a key that a person made."""
        scene = cls.empty(spec, switches)
        scene.edit(scene.seed("made by hand"), token=HAND_ID)
        return scene

    @classmethod
    def own(cls, spec: SecretSpec | None = None, switches: Switches | None = None) -> Self:
        """Return a scene whose secret holds a key of ours, generation 1, older than `max_age`."""
        scene = cls.empty(spec, switches)
        made_at = scene.systems.now() - scene.spec.max_age - timedelta(hours=1)
        own_id = version_id(1, made_at, "a" * 10)
        age_s = (scene.systems.now() - made_at).total_seconds()
        key = scene.seed(scene.family.key_name(own_id), age_s=age_s)
        made_s = made_at.timestamp()
        empty = label_rules.create(made_s, token=own_id)
        scene.systems.secrets[scene.name] = label_rules.put(
            empty, made_s, token=own_id, value=scene.value(key), labels=(AWSCURRENT, OURS)
        )
        return scene

    def copy(self) -> "Scene":
        """Return an independent scene in the same state."""
        return Scene(self.systems.copy(), self.spec, self.neighbours, self.runs)

    # What is there

    @property
    def name(self) -> str:
        """The name of the secret."""
        return self.spec.secret_id

    @property
    def arn(self) -> str:
        """The ARN of the secret."""
        return arn_of(self.name)

    @property
    def family(self) -> KeyFamily:
        """The names of our keys."""
        return KeyFamily.of("rotator", self.arn)

    @property
    def secret(self) -> Secret:
        """The secret."""
        return self.systems.secrets[self.name]

    def labels(self) -> dict[str, str]:
        """Return which version each label is on."""
        return dict(self.secret.labels)

    def current_key(self) -> str | None:
        """Return the id of the key inside AWSCURRENT."""
        return self.key_in(AWSCURRENT)

    def key_in(self, label: str) -> str | None:
        """Return the id of the key inside the version with a label."""
        if label not in self.secret.labels:
            return None
        value = self.secret.get(label=label).value
        assert isinstance(value, str)
        return str(json.loads(value)["pinata_api_key"])

    def managing_key(self) -> Credential:
        """Return the managing key as a process finds it when it begins, where the secret is its own."""
        value = self.secret.get(label=AWSCURRENT).value
        assert isinstance(value, str)
        return credential_in(Sensitive(value), self.spec.shape)

    def live_keys(self) -> set[str]:
        """Return the live keys, but for the managing one."""
        admin = self.systems.admin.key
        keys = self.systems.pinata.keys.values()
        return {k.key for k in keys if k.revoked_at is None and k.key != admin}

    def is_settled(self) -> bool:
        """Tell whether one live key is left, it is the current one, and nothing is pending."""
        return AWSPENDING not in self.secret.labels and self.live_keys() == {self.current_key()}

    # What people do

    def seed(self, name: str, age_s: float = 86_400.0) -> KeyRecord:
        """Make a key by hand."""
        return self.systems.pinata.seed(name, FILES_WRITE, age_s=age_s)

    @staticmethod
    def value(key: KeyRecord, **more: str) -> str:
        """Return what a person stores for a key."""
        fields = {"JWT": key.jwt, "pinata_api_key": key.key, "pinata_api_secret": key.secret}
        return json.dumps(fields | more)

    def edit(self, key: KeyRecord, token: str = "e" * 32, **more: str) -> None:
        """Put a key into the secret by hand."""
        self.systems.secrets[self.name] = label_rules.put(
            self.secret, self.systems.now_s, token=token, value=self.value(key, **more)
        )

    def put_raw(self, value: str | bytes, token: str, *labels: str) -> None:
        """Put anything into the secret by hand."""
        self.systems.secrets[self.name] = label_rules.put(
            self.secret, self.systems.now_s, token=token, value=value, labels=labels or (AWSCURRENT,)
        )

    def move(self, label: str, to: str | None, away_from: str | None) -> None:
        """Move a label by hand."""
        self.systems.secrets[self.name] = label_rules.move_label(
            self.secret, self.systems.now_s, label, move_to=to, remove_from=away_from
        )

    def hold(self, why: str = "incident") -> None:
        """Put the secret on hold."""
        self.systems.secrets[self.name] = label_rules.tag(self.secret, self.systems.now_s, {"rotator:hold": why})

    def contain(self, text: str | None = None) -> None:
        """Demand that a key dies: the one that is current, if the text does not say another."""
        said = f"{self.current_key()} it was in a log" if text is None else text
        self.systems.secrets[self.name] = label_rules.tag(self.secret, self.systems.now_s, {CONTAIN_TAG: said})

    def release(self, tag: str = "rotator:hold") -> None:
        """Take the hold away, or another tag."""
        self.systems.secrets[self.name] = label_rules.untag(self.secret, self.systems.now_s, [tag])

    def revoke(self, key_id: str) -> None:
        """Revoke a key in Pinata's web application."""
        self.systems.pinata.revoke(Bearer(self.systems.admin.jwt), Generation.V3, key_id)

    def passes(self, time: timedelta) -> None:
        """Let time pass."""
        self.systems.now_s += time.total_seconds()

    # What the program does

    def run(
        self,
        demand: Demand = Demand.DUE,
        *,
        boundary: Boundary = calm,
        audit_fails: Container[int] = (),
        time_left_s: float | None = None,
        managing: Credential | None = None,
    ) -> Outcome:
        """Run the program once over the secret, with a managing key that it has read before, if one is given."""
        limit_s = self.spec.timeout.total_seconds() if time_left_s is None else time_left_s
        process = Process(self.systems, boundary, limit_s, audit_fails)
        self.last = process
        self.runs += 1
        world = self._world(process, managing)
        try:
            labels = world.store.describe(self.spec.secret_id, process)
        except RotatorError as error:  # as the fleet does
            return Outcome.failed(self.spec.name, error)
        run = Run(self.systems.now(), f"{self.runs:010}", demand, process, process.now)
        return reconcile(self.spec, labels, world, run)

    def run_until_crash(self, boundary: Boundary, demand: Demand = Demand.DUE) -> Outcome | None:
        """Run the program once; None if it died."""
        try:
            return self.run(demand, boundary=boundary)
        except Crash:
            return None

    def preview(self, demand: Demand = Demand.DUE) -> Plan:
        """Return what a run would do."""
        process = Process(self.systems)
        world = self._world(process)
        labels = world.store.describe(self.spec.secret_id, process)
        run = Run(self.systems.now(), "p" * 10, demand, process, process.now)
        return preview(self.spec, labels, world, run)[0]

    def _world(self, process: Process, managing: Credential | None = None) -> World:
        store = SimulatedStore(process)
        others = Neighbours((self.spec, *self.neighbours), store)
        managing = managing or (self.managing_key() if self.spec.manages else None)
        provider = SimulatedProvider(process, managing=managing)
        return World("rotator", provider, store, process, others.holding, SimulatedConsumers(process))


def effects_without_intent(process: Process) -> list[Operation]:
    """Return the effects of a process before which no durable intent stood, and spend each intent once."""
    intents: list[Audited] = []
    bare: list[Operation] = []
    for entry in process.trail:
        match entry:
            case Intent(operation=operation):
                intents.append(operation)
            case Operation() if entry in EFFECTS:
                if intents[-1:] != [EFFECTS[entry]]:
                    bare.append(entry)
            case _:
                pass
    return bare


def succeeded(process: Process) -> list[Audited]:
    """Return the audited operations that ended well, in order."""
    return [event.operation for event in process.trail if isinstance(event, Done) and event.result is Result.SUCCESS]


def events(process: Process) -> list[Event]:
    """Return the audit events of a process."""
    return [entry for entry in process.trail if isinstance(entry, Decided | Intent | Done | Ended)]
