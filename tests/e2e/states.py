"""Named states of the two systems, each made by what people, machines and other programs do to them.

Each function takes a fresh `Stage` (a hand-made key in the one secret; no grace, no settling) and leaves it in the
state that its name and its docstring say.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from rotator.sandbox.pinata.records import Bearer
from rotator.sandbox.pinata.switches import Delay, Generation
from rotator.sandbox.running import ACCOUNT, REGION, SECRET, value_of
from rotator.sandbox.secrets_manager import rules
from rotator.sandbox.secrets_manager.call import Call
from rotator.sandbox.secrets_manager.state import ReplicaStatus, RuleError
from rotator.sandbox.secrets_manager.store import Json, Scope
from tests.e2e.stage import PERMISSIONS, Stage

State = Callable[[Stage], None]
DAY_S = 86_400.0
HOUR_S = 3_600.0
OTHER_REGION = "us-east-1"
_TRUNCATED = 6


# Parts that several states share -------------------------------------------------------------------


def revoke(stage: Stage, key_id: str) -> None:
    """Revoke a key in Pinata's console."""
    with stage.site.lock:
        stage.site.world.revoke(Bearer(stage.sandbox.admin_jwt), Generation.V3, key_id)


def held(stage: Stage) -> dict[str, Any]:
    """Return the JSON value that consumers read."""
    value: dict[str, Any] = json.loads(stage.text())
    return value


def with_grace(stage: Stage) -> None:
    """Give old keys a day."""
    stage.edit('grace = "0s"', 'grace = "24h"')


def move_current(stage: Stage, to: str) -> None:
    """Move AWSCURRENT, as Terraform or a person does."""
    sent = {"SecretId": SECRET, "VersionStage": "AWSCURRENT", "MoveToVersionId": to}
    stage.sandbox.call("UpdateSecretVersionStage", sent | {"RemoveFromVersionId": stage.labels()["AWSCURRENT"]})


def damage_token(stage: Stage) -> None:
    """Cut the last characters off the token that consumers read, and let the damage be an hour old."""
    value = held(stage)
    stage.put(json.dumps(value | {"JWT": value["JWT"][:-_TRUNCATED]}))
    stage.passes(HOUR_S)


def put(stage: Stage, value: str) -> None:
    """Put a value in place of ours, an hour ago."""
    ours(stage)
    stage.put(value)
    stage.passes(HOUR_S)


class DeniedError(RuleError):
    """A policy of AWS that denies a call."""

    code: ClassVar[str] = "AccessDeniedException"


@contextmanager
def denied(stage: Stage, operation: str, times: int = 1_000_000, about: str = "") -> Iterator[None]:
    """Let AWS deny an operation, so many times; with `about`, only to ids that contain it."""
    operations = stage.sandbox.secrets_manager.secrets._operations
    answer, left = operations[operation], times

    def deny(call: Call) -> Json:
        nonlocal left
        if about not in call.sent.get("SecretId", ""):
            return answer(call)
        left -= 1
        if left < 0:
            return answer(call)
        raise DeniedError(
            f"User: arn:aws:iam::{ACCOUNT}:user/sandbox is not authorized to perform: secretsmanager:{operation} "
            f"on resource: {stage.arn()} because no identity-based policy allows the secretsmanager:{operation} action"
        )

    operations[operation] = deny
    yield
    operations[operation] = answer


# A life without trouble ------------------------------------------------------------------------------


def hand_made(stage: Stage) -> None:
    """A key that was made by hand, in a secret that was never ours."""
    assert stage.live_keys()


def ours(stage: Stage) -> None:
    """A key of ours, an hour old; the hand-made one is dead."""
    stage.row("run")
    stage.passes(HOUR_S)


def aged(stage: Stage) -> None:
    """A key of ours that is older than `max_age`."""
    stage.own()


def empty(stage: Stage) -> None:
    """A secret without a value, which was never ours."""
    stage.empty()


def old_key_in_grace(stage: Stage) -> None:
    """A key of ours, and the hand-made one alive in its grace."""
    with_grace(stage)
    ours(stage)


def old_key_overdue(stage: Stage) -> None:
    """The grace of the old key is over, and nobody has come to revoke it."""
    old_key_in_grace(stage)
    stage.passes(2 * DAY_S)


def due_in_grace(stage: Stage) -> None:
    """A key of ours whose uses run out while the key before has its grace."""
    with_grace(stage)
    nearly_used_up(stage)


def due_after_grace(stage: Stage) -> None:
    """A key of ours that is due, and the key before is alive though its grace is over."""
    old_key_in_grace(stage)
    stage.passes(100 * DAY_S)


def outside_window(stage: Stage) -> None:
    """A key of ours that is due in a blackout."""
    aged(stage)
    stage.edit(PERMISSIONS, f'{PERMISSIONS}\nblackout = ["2020-01-01..2035-01-01"]')


def nearly_used_up(stage: Stage) -> None:
    """A key of ours, nine tenths of whose uses are gone."""
    stage.edit(PERMISSIONS, f"{PERMISSIONS}\nmax_uses = 100")
    ours(stage)
    with stage.site.lock:
        for _ in range(90):
            stage.site.world._use(stage.site.world.keys[stage.sandbox.current_key_id()])


def expiring(stage: Stage) -> None:
    """A key of ours whose token ends tomorrow."""
    stage.switch(jwt_lifetime_s=8 * DAY_S)
    ours(stage)
    stage.passes(7 * DAY_S)


def too_new_to_tell(stage: Stage) -> None:
    """A person put a key in a moment ago, and Pinata does not know it yet."""
    stage.switch(activation=Delay(60.0))
    stage.put(value_of(stage.sandbox.seed_key("by hand, just now", age_s=0.0)))


# People who decided ----------------------------------------------------------------------------------


def on_hold(stage: Stage) -> None:
    """A key of ours that is due, and the tag that stops us."""
    aged(stage)
    stage.sandbox.call("TagResource", {"SecretId": SECRET, "Tags": [{"Key": "rotator:hold", "Value": "migration"}]})


def drifted(stage: Stage) -> None:
    """Somebody put a hand-made key in place of ours, and it works."""
    ours(stage)
    stage.put(value_of(stage.sandbox.seed_key("by hand, again")))


def rolled_back(stage: Stage) -> None:
    """Somebody moved AWSCURRENT back to a key of ours that lives in its grace."""
    aged(stage)
    with_grace(stage)
    before = stage.labels()["AWSCURRENT"]
    ours(stage)
    move_current(stage, before)


# Half-way ---------------------------------------------------------------------------------------------


def placeholder_pending(stage: Stage) -> None:
    """RotateSecret made a version without a value a moment ago, and its rotation is at work."""
    ours(stage)
    begin_rotation(stage)


def placeholder_forgotten(stage: Stage) -> None:
    """RotateSecret made a version without a value two hours ago, and nobody filled it."""
    placeholder_pending(stage)
    stage.passes(2 * HOUR_S)


def begin_rotation(stage: Stage) -> None:
    """Put AWSPENDING on a version without a value, as RotateSecret does."""
    secrets = stage.sandbox.secrets_manager.secrets
    entry = secrets._stores[Scope(ACCOUNT, REGION)].find(SECRET, secrets._clock())
    assert entry is not None
    entry.write(rules.begin_rotation(entry.latest, secrets._clock(), token="p" * 32, lambda_arn="arn:of:a:function"))


def stopped_before_promotion(stage: Stage) -> None:
    """A run was denied the promotion: a new key waits as AWSPENDING."""
    aged(stage)
    with denied(stage, "UpdateSecretVersionStage"):
        stage.row("run", code=3)


def stopped_long_ago(stage: Stage) -> None:
    """The same, and the pending version is older than `pending_timeout`."""
    stopped_before_promotion(stage)
    stage.passes(2 * HOUR_S)


def backing_off(stage: Stage) -> None:
    """B3: an attempt failed because AWS denied the value, and the next one waits."""
    stage.edit('settle = "0s"', 'settle = "5m"')
    aged(stage)
    with denied(stage, "PutSecretValue"):
        stage.row("run", code=3)


def too_many_keys(stage: Stage) -> None:
    """A token is refused, and five keys of ours live that were made yesterday and never promoted."""
    ours(stage)
    damage_token(stage)
    with_grace(stage)
    name = stage.key(stage.sandbox.current_key_id()).name
    for number in range(2, 7):
        stage.sandbox.seed_key(name.replace("/g000001", f"/g00000{number}"), age_s=25 * HOUR_S)


def old_key_outlives(stage: Stage) -> None:
    """A revoked key that Pinata still takes after two looks."""
    stage.edit("[defaults]\n", '[defaults]\nverify_timeout = "2s"\n')
    aged(stage)
    stage.switch(revocation=Delay(DAY_S))
    stage.row("run", code=1)
    stage.passes(60.0)


def replica_behind(stage: Stage) -> None:
    """The grace of the old key is over, and a replica is not in sync yet."""
    _replicated(stage, ReplicaStatus.IN_PROGRESS)


def replica_stuck(stage: Stage) -> None:
    """The grace of the old key is over, and replication to a region has failed."""
    _replicated(stage, ReplicaStatus.FAILED)


def _replicated(stage: Stage, status: ReplicaStatus) -> None:
    sent = {"SecretId": SECRET, "AddReplicaRegions": [{"Region": OTHER_REGION}]}
    stage.sandbox.call("ReplicateSecretToRegions", sent)
    stage.edit('grace = "0s"', 'grace = "10s"')
    stage.row("run")
    stage.sandbox.secrets_manager.secrets.set_replica(SECRET, OTHER_REGION, status)
    stage.passes(60.0)


def orphan(stage: Stage) -> None:
    """A key of ours that was made above the current one, an hour ago, and is in no version."""
    ours(stage)
    stage.edit('settle = "0s"', 'settle = "2h"')
    name = stage.key(stage.sandbox.current_key_id()).name
    stage.sandbox.seed_key(name.replace("/g000001", "/g000002"), age_s=HOUR_S)


def missing(stage: Stage) -> None:
    """There is no such secret."""
    stage.sandbox.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True})
