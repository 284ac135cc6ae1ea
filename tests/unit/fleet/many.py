"""A world with many secrets, for tests of the fleet."""

from collections.abc import Sequence

from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT
from rotator.model.secret import SecretSpec
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import AT_ONCE, NATIVE_ID, a_spec
from tests.simulated.scene import Scene
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Boundary, Process, calm

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


def take_over(scene: Scene, specs: Sequence[SecretSpec]) -> None:
    """Let some secrets of a world be ours already: the same values, under version ids of our making."""
    token = version_id(1, scene.systems.now(), "n" * 10)
    for spec in specs:
        secret = scene.systems.secrets[spec.secret_id]
        value = secret.get(None, AWSCURRENT).value
        scene.systems.secrets[spec.secret_id] = label_rules.create(scene.systems.now_s, token=token, value=value)


def store_in(scene: Scene, boundary: Boundary = calm) -> SimulatedStore:
    """Return a store for a new process."""
    return SimulatedStore(Process(scene.systems, boundary))
