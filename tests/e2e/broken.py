"""Named states in which something is broken: the value, what it names, what may be written, what a provider answers.

As in `states`, each function takes a fresh `Stage` and leaves it in the state that its docstring says.
"""

import json

from rotator.sandbox.pinata.faults import Operation, Respond, Side
from rotator.sandbox.pinata.switches import NameForm, RevokedFilter
from rotator.sandbox.running import ACCOUNT, ADMIN_SECRET, REGION, SECRET
from rotator.sandbox.secrets_manager.store import Scope
from tests.e2e.stage import Stage
from tests.e2e.states import (
    DAY_S,
    HOUR_S,
    OTHER_REGION,
    aged,
    begin_rotation,
    damage_token,
    held,
    move_current,
    old_key_in_grace,
    old_key_overdue,
    ours,
    put,
    revoke,
)

TRUNCATED = 6


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
    stage.put(json.dumps(live | {"JWT": live["JWT"][:-TRUNCATED]}))
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


def refused_on_hold(stage: Stage) -> None:
    """A token that is refused, and the tag that stops us."""
    damaged_token(stage)
    stage.sandbox.call("TagResource", {"SecretId": SECRET, "Tags": [{"Key": "rotator:hold", "Value": "migration"}]})


def placeholder_and_refused(stage: Stage) -> None:
    """A1 while RotateSecret's placeholder is pending, longer than `settle`."""
    damaged_token(stage)
    begin_rotation(stage)
    stage.passes(60.0)
