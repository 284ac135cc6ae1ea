"""A year of people and programs that touch a secret: each old key dies on time, and none before."""

from datetime import timedelta

import pytest

from rotator.engine.native import Rotation, Step
from rotator.engine.reconcile import step
from rotator.engine.run import Run
from rotator.model.plan import OutcomeKind
from rotator.model.secret import Demand
from rotator.sandbox.secrets_manager import rules as label_rules
from tests.builders import a_spec
from tests.simulated.scene import Scene
from tests.simulated.world import Process

HOUR = timedelta(hours=1)
GRACE = timedelta(days=1)
RUN_EVERY_H = 4
"""How often rotator looks: an old key dies so much later than its grace ends, at most."""


def touch(scene: Scene, hour: int) -> None:
    """Edit a tag and move a foreign label, as a person or Terraform does: LastChangedDate is now."""
    now_s = scene.systems.now_s
    secret = label_rules.tag(scene.secret, now_s, {"team": f"uploads {hour}"})
    where = secret.labels["AWSCURRENT"]
    held = secret.labels.get("theirs")
    if held != where:
        secret = label_rules.move_label(secret, now_s, "theirs", move_to=where, remove_from=held)
    scene.systems.secrets[scene.name] = secret


def rotate_secret(scene: Scene, number: int) -> OutcomeKind:
    """Call RotateSecret: what its first step comes to."""
    token = f"{number:036}"
    scene.systems.secrets[scene.name] = label_rules.begin_rotation(
        scene.secret, scene.systems.now_s, token=token, lambda_arn="arn:aws:lambda:eu-central-1:1:function:f"
    )
    process = Process(scene.systems, time_left_s=120.0)
    world = scene._world(process)
    run = Run(scene.systems.now(), f"{number:010}", Demand.NATIVE, process, process.now)
    described = world.store.describe(scene.name, process)
    return step(scene.spec, described, world, run, Rotation(Step.CREATE, token)).kind


@pytest.mark.slow
def test_no_touch_renews_a_grace() -> None:
    """Tags are edited each hour, RotateSecret is called each day inside a grace and refused, for a year."""
    scene = Scene.own(a_spec(grace=GRACE))
    left_at: dict[str, float] = {}
    current, rotations, refused, died = scene.current_key(), 0, 0, 0
    for hour in range(365 * 24):
        touch(scene, hour)
        now_s = scene.systems.now_s
        if hour % 24 == 13 and left_at:
            refused += rotate_secret(scene, hour) is not OutcomeKind.ROTATED
            assert scene.current_key() == current, "inside a grace nothing is rotated"
        if hour % RUN_EVERY_H == 0:
            scene.run()
        if scene.current_key() != current:
            assert current
            left_at[current], rotations = now_s, rotations + 1
            current = scene.current_key()
        for key_id in list(left_at):
            age_s = now_s - left_at[key_id]
            if key_id not in scene.live_keys():
                assert age_s >= GRACE.total_seconds() - 60
                died += 1
                del left_at[key_id]
            else:
                assert age_s <= (GRACE + RUN_EVERY_H * HOUR).total_seconds()
        scene.passes(HOUR)
    assert rotations >= 11
    assert died >= rotations - 1
    assert refused >= 10
