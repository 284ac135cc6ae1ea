"""Named states of the two systems, each made by what people, machines and other programs do to them.

Each function takes a fresh `Stage` (a hand-made key in the one secret; no grace, no settling) and leaves it in the
state that its name and its docstring say.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

from rotator.sandbox.pinata.faults import Operation, Respond, Side
from rotator.sandbox.pinata.records import Bearer
from rotator.sandbox.pinata.switches import Delay, Generation, NameForm, RevokedFilter
from rotator.sandbox.running import ACCOUNT, ADMIN_SECRET, REGION, SECRET, value_of
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
def denied(stage: Stage, operation: str, times: int = 1_000_000) -> Iterator[None]:
    """Let AWS deny an operation, so many times."""
    operations = stage.sandbox.secrets_manager.secrets._operations
    answer, left = operations[operation], times

    def deny(call: Call) -> Json:
        nonlocal left
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


def refused_on_hold(stage: Stage) -> None:
    """A token that is refused, and the tag that stops us."""
    damaged_token(stage)
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


# A: the credential that consumers read does not work ------------------------------------------------


def damaged_token(stage: Stage) -> None:
    """A1: the pair is right, the token lost its last characters."""
    ours(stage)
    damage_token(stage)


def damaged_token_never_ours(stage: Stage) -> None:
    """A1 in a secret that was never ours."""
    damage_token(stage)


def damaged_pair(stage: Stage) -> None:
    """A1 the other way round: the token is right, the secret of the pair is not."""
    put(stage, "{}")
    key = stage.sandbox.seed_key("by hand, for the pair")
    stage.put(json.dumps({"JWT": key.jwt, "pinata_api_key": key.key, "pinata_api_secret": "0" * 64}))
    stage.passes(HOUR_S)


def damaged_in_grace(stage: Stage) -> None:
    """A2: A1 while the key before is alive in its grace."""
    old_key_in_grace(stage)
    damage_token(stage)


def damaged_after_grace(stage: Stage) -> None:
    """A2: A1 while the key before is alive though its grace is over."""
    old_key_overdue(stage)
    damage_token(stage)


def dead_key_put_back(stage: Stage) -> None:
    """A3: the hand-made key, long revoked, is put back by value."""
    before = stage.text()
    put(stage, before)


def dead_key_moved_back(stage: Stage) -> None:
    """A3: AWSCURRENT is moved back to the hand-made key, long revoked."""
    before = stage.labels()["AWSCURRENT"]
    ours(stage)
    move_current(stage, before)
    stage.passes(HOUR_S)


def own_dead_key_moved_back(stage: Stage) -> None:
    """A3: AWSCURRENT is moved back to a key of ours that is revoked."""
    aged(stage)
    before = stage.labels()["AWSCURRENT"]
    ours(stage)
    move_current(stage, before)
    stage.passes(HOUR_S)


def revoked_in_pinata(stage: Stage) -> None:
    """Somebody revoked our key in Pinata."""
    ours(stage)
    revoke(stage, stage.sandbox.current_key_id())
    stage.passes(HOUR_S)


def revoked_and_denied(stage: Stage) -> None:
    """Our key is revoked, and Pinata's plan allows no other key."""
    revoked_in_pinata(stage)
    stage.switch(live_keys_max=1)


def two_keys(stage: Stage) -> None:
    """A4: the value names two different keys that both live."""
    key = stage.sandbox.seed_key("by hand, half of it")
    ours(stage)
    stage.put(json.dumps(held(stage) | {"pinata_api_key": key.key, "pinata_api_secret": key.secret}))
    stage.passes(HOUR_S)


def two_keys_refused(stage: Stage) -> None:
    """A4: the value names two keys, and its token is refused."""
    two_keys(stage)
    revoke(stage, str(json.loads(stage.text())["pinata_api_key"]))
    live = held(stage)
    stage.put(json.dumps(live | {"JWT": live["JWT"][:-_TRUNCATED]}))
    stage.passes(HOUR_S)


def other_json(stage: Stage) -> None:
    """A4: JSON without the configured fields, perhaps another program's."""
    put(stage, '{"user": "postgres", "password": "hunter2"}')


def other_text(stage: Stage) -> None:
    """A4: text that is not JSON."""
    put(stage, "CHANGEME")


# D: values as people have them -----------------------------------------------------------------------


def blank_object(stage: Stage) -> None:
    """D1: the `{}` of infrastructure code, in a secret that was never ours."""
    stage.empty()
    stage.put("{}")


def blank_object_over_ours(stage: Stage) -> None:
    """D1: `{}` in place of a key of ours: an outage."""
    put(stage, "{}")


def blank_name(stage: Stage) -> None:
    """D1: `{"": ""}`, which the console writes."""
    stage.empty()
    stage.put('{"": ""}')


def blank_fields(stage: Stage) -> None:
    """D1: our fields are there, and empty; another field is not ours."""
    stage.empty()
    stage.put('{"JWT": "", "pinata_api_key": "", "pinata_api_secret": "", "note": "kept"}')


def placeholders(stage: Stage) -> None:
    """D1: CHANGEME in each of our fields."""
    stage.empty()
    stage.put('{"JWT": "CHANGEME", "pinata_api_key": "CHANGEME", "pinata_api_secret": "CHANGEME"}')


def byte_order_mark(stage: Stage) -> None:
    """D2: a byte order mark before a value that is right."""
    stage.put("\ufeff" + stage.text())


def broken_line(stage: Stage) -> None:
    """D3: the token ends in a newline."""
    value = held(stage)
    stage.put(json.dumps(value | {"JWT": value["JWT"] + "\n"}))


def bearer_in_front(stage: Stage) -> None:
    """D3: the token has `Bearer ` in front."""
    value = held(stage)
    stage.put(json.dumps(value | {"JWT": "Bearer " + value["JWT"]}))


def near_names(stage: Stage) -> None:
    """D4: the fields are called PINATA_JWT and PINATA_API_KEY."""
    value = held(stage)
    stage.put(json.dumps({"PINATA_JWT": value["JWT"], "PINATA_API_KEY": value["pinata_api_key"]}))


def unknown_scope(stage: Stage) -> None:
    """D7: a scope that this release does not know, and Pinata does not either."""
    stage.edit('["org:files:write"]', '["!org:new:write"]')


def held_by_another(stage: Stage) -> None:
    """D8: a hand-made key that a secret which is not configured holds as well."""
    stage.sandbox.create_secret("prod/pinata/other", stage.text())


def created_anew(stage: Stage) -> None:
    """D9: the secret was deleted for good, with a live key of ours in it, and created anew under its name."""
    ours(stage)
    stage.sandbox.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True})
    stage.sandbox.create_secret(SECRET)


# B: what cannot be written, and what is altered ------------------------------------------------------


def replica(stage: Stage) -> None:
    """B1: the configured region holds a replica of a secret, and the managing key as well."""
    stage.sandbox.call(
        "ReplicateSecretToRegions", {"SecretId": SECRET, "AddReplicaRegions": [{"Region": OTHER_REGION}]}
    )
    stage.edit(f'region = "{REGION}"', f'region = "{OTHER_REGION}"')
    sent = {"Name": ADMIN_SECRET, "SecretString": stage.sandbox.admin_jwt, "ClientRequestToken": "v1" * 16}
    stage.sandbox.secrets_manager.secrets.answer("CreateSecret", sent, Scope(ACCOUNT, OTHER_REGION))


def replica_of_ours(stage: Stage) -> None:
    """B1: the same, of a secret that was ours."""
    ours(stage)
    replica(stage)


def foreign_owner(stage: Stage) -> None:
    """B1: an AWS service manages the secret."""
    stage.sandbox.secrets_manager.secrets.set_owner(SECRET, "rds")


def to_be_deleted(stage: Stage) -> None:
    """B1: somebody deleted the secret, and may restore it for a month."""
    stage.sandbox.call("DeleteSecret", {"SecretId": SECRET})


def full_value(stage: Stage) -> None:
    """B2: another field fills the value so that the token of a first key does not fit in."""
    stage.empty()
    stage.put(json.dumps({"JWT": "", "blob": "x" * 65_400}))


def compact_value(stage: Stage) -> None:
    """B2: compact JSON that only just fits, and would not with spaces."""
    value = held(stage) | {str(n): n for n in range(100)}
    room = 65_520 - len(json.dumps(value | {"blob": ""}, separators=(",", ":")))
    stage.put(json.dumps(value | {"blob": "x" * room}, separators=(",", ":")))


def names_cut(stage: Stage) -> None:
    """B4: Pinata keeps 64 characters of a name."""
    stage.switch(name_cut_at=64)


def names_lowered(stage: Stage) -> None:
    """B4: Pinata keeps names in lower case."""
    stage.switch(name_form=NameForm.LOWER_CASED)


def filter_inverted(stage: Stage) -> None:
    """Pinata lists dead keys where live ones were asked for."""
    stage.switch(revoked_filter=RevokedFilter.INVERTED)


def filter_ignored(stage: Stage) -> None:
    """Pinata ignores the filter, and lists dead keys among the live ones."""
    stage.switch(revoked_filter=RevokedFilter.IGNORED)
    ours(stage)
    stage.passes(100 * DAY_S)


def plan_exhausted(stage: Stage) -> None:
    """B5: Pinata answers a create with 403, for its plan's limit."""
    refusal = Respond(Side.BEFORE, 403, '{"error": {"reason": "PLAN_LIMIT", "details": "API key limit reached"}}')
    stage.inject(refusal, Operation.CREATE, None)


def list_not_found(stage: Stage) -> None:
    """B5: Pinata has no list of keys under the configured paths."""
    stage.inject(Respond(Side.BEFORE, 404), Operation.LIST, None)


def list_down(stage: Stage) -> None:
    """Pinata's list of keys is down."""
    stage.inject(Respond(Side.BEFORE, 503), Operation.LIST, None)


# Half-way ---------------------------------------------------------------------------------------------


def placeholder_pending(stage: Stage) -> None:
    """RotateSecret made a version without a value a moment ago, and its rotation is at work."""
    ours(stage)
    begin_rotation(stage)


def placeholder_forgotten(stage: Stage) -> None:
    """RotateSecret made a version without a value two hours ago, and nobody filled it."""
    placeholder_pending(stage)
    stage.passes(2 * HOUR_S)


def placeholder_and_refused(stage: Stage) -> None:
    """A1 while RotateSecret's placeholder is pending, longer than `settle`."""
    damaged_token(stage)
    begin_rotation(stage)
    stage.passes(60.0)


def begin_rotation(stage: Stage) -> None:
    """Label a version without a value, as RotateSecret does, with no function at work on it."""
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
    damaged_token(stage)
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
