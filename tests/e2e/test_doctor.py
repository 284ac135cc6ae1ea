"""`rotator doctor`: it names what is wrong by its check, says nothing of a healthy fleet, and changes nothing."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.model.naming import since_label
from rotator.sandbox.pinata.faults import Operation, Respond, Side
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.running import ACCOUNT, ADMIN_SECRET, REGION, SECRET, value_of
from tests.e2e import broken, states
from tests.e2e.stage import FAILED, PERSON, Stage
from tests.e2e.states import DAY_S, denied, ours, revoke

CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def _managing_key(stage: Stage) -> str:
    with stage.site.lock:
        return next(key.key for key in stage.site.world.keys_of("sandbox") if key.permissions.admin)


def _tagged(stage: Stage, key: str, value: str) -> None:
    ours(stage)
    stage.sandbox.call("TagResource", {"SecretId": SECRET, "Tags": [{"Key": key, "Value": value}]})


def _labelled(stage: Stage, label: str, version: str) -> None:
    sent = {"SecretId": SECRET, "VersionStage": label, "MoveToVersionId": stage.labels()[version]}
    stage.sandbox.call("UpdateSecretVersionStage", sent)


def _open_policy(stage: Stage, **more: object) -> None:
    ours(stage)
    allow = {"Effect": "Allow", "Principal": "*", "Action": "secretsmanager:Get*", "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow | more]})
    stage.sandbox.call("PutResourcePolicy", {"SecretId": SECRET, "ResourcePolicy": policy})


def managing_key_revoked(stage: Stage) -> None:
    """Somebody revoked the managing key."""
    ours(stage)
    revoke(stage, _managing_key(stage))


def managing_key_gone(stage: Stage) -> None:
    """Somebody emptied the managing key's secret."""
    stage.put(json.dumps({"JWT": ""}), ADMIN_SECRET)


def managing_key_expires(stage: Stage) -> None:
    """The managing key's token ends in three weeks."""
    ours(stage)
    stage.switch(jwt_lifetime_s=21 * DAY_S)
    stage.put(value_of(stage.seed("a second managing key", Permissions(admin=True))), ADMIN_SECRET)


def on_hold(stage: Stage) -> None:
    """Somebody put the secret on hold."""
    _tagged(stage, "rotator:hold", "migration until=2040-01-01T00:00:00Z")


def contained(stage: Stage) -> None:
    """Somebody demands that a key be contained, which no run has done."""
    _tagged(stage, "rotator:contain", "it is in a public repository")


def unknown_label(stage: Stage) -> None:
    """A label that no release knows is on a version."""
    ours(stage)
    _labelled(stage, "rotator:canary", "AWSPREVIOUS")


def since_label_astray(stage: Stage) -> None:
    """A since label is on a version that is not current."""
    ours(stage)
    _labelled(stage, since_label(datetime.now(UTC)), "AWSPREVIOUS")


def labels_used_up(stage: Stage) -> None:
    """Others have put sixteen labels on the secret."""
    ours(stage)
    for number in range(16):
        _labelled(stage, f"blue-{number}", "AWSCURRENT")


def stray(stage: Stage) -> None:
    """A key of a secret that is gone is alive."""
    ours(stage)
    stage.sandbox.seed_key(f"rotator/{ACCOUNT}/{REGION}/prod/gone-AbCdEf/g000003-20261122T095328Z-9f3c1a2b4d")


def silent(stage: Stage) -> None:
    """Nobody has run for three days."""
    ours(stage)
    stage.passes(3 * DAY_S)


def open_to_all(stage: Stage) -> None:
    """The secret's policy lets everybody read it."""
    _open_policy(stage)


def open_to_the_account(stage: Stage) -> None:
    """The secret's policy lets every identity of the account read it."""
    _open_policy(stage, Condition={"StringEquals": {"aws:PrincipalAccount": ACCOUNT}})


def open_audit(stage: Stage) -> None:
    """Others may write into the audit directory."""
    ours(stage)
    stage.sandbox.audit_directory.chmod(0o777)


def over_budget(stage: Stage) -> None:
    """The budget allows fewer looks than `check_every` asks for."""
    ours(stage)
    stage.edit("data_requests_per_minute = 3000", "data_requests_per_minute = 2")
    stage.edit("[defaults]\n", '[defaults]\ncheck_every = "1m"\n')
    for number in range(2):
        name = f"prod/pinata/more-{number}"
        stage.sandbox.create_secret(name, value_of(stage.sandbox.seed_key(name)))
        stage.add_secret(f"more-{number}", name)


def clock_off(stage: Stage) -> None:
    """AWS's clock is ten minutes ahead of ours."""
    ours(stage)
    gate: Any = stage.sandbox.secrets_manager._gate
    clock = gate._clock
    gate._clock = lambda: clock() + 600.0


FAULTS: dict[Callable[[Stage], None], set[str]] = {
    managing_key_revoked: {"managing-key"},
    managing_key_gone: {"managing-key"},
    managing_key_expires: {"managing-key-expiry"},
    states.missing: {"found"},
    broken.replica: {"region"},
    broken.foreign_owner: {"owner"},
    broken.to_be_deleted: {"deletion"},
    broken.full_value: {"value"},
    states.replica_stuck: {"replica"},
    contained: {"contain", "credential"},
    labels_used_up: {"label-room"},
    states.placeholder_forgotten: {"pending"},
    states.old_key_overdue: {"old-key"},
    states.backing_off: {"attempts", "last-run"},
    states.drifted: {"decision"},
    broken.damaged_token: {"credential"},
    silent: {"silence"},
    open_to_all: {"policy"},
    open_to_the_account: {"policy"},
    open_audit: {"audit"},
    over_budget: {"budget"},
    clock_off: {"clock"},
}
ADVICE: dict[Callable[[Stage], None], set[str]] = {
    on_hold: {"hold"},
    unknown_label: {"unknown-label"},
    since_label_astray: {"since-label"},
    states.orphan: {"orphan"},
    stray: {"stray-key"},
}


@contextmanager
def _unchanged(stage: Stage) -> Iterator[None]:
    def everything() -> object:
        secret, trail = stage.secret(), stage.sandbox.audit_directory
        files = {path.name: path.read_bytes() for path in trail.iterdir()}
        return stage.world(), secret, files, [vars_of(key) for key in stage.sandbox.rotated_keys()]

    def vars_of(key: Any) -> object:  # noqa: ANN401 - a record of the sandbox
        return key.key, key.revoked_at, key.name

    before = everything()
    yield
    assert everything() == before


@pytest.mark.parametrize("state", [*FAULTS, *ADVICE], ids=lambda state: state.__name__)
def test_each_fault_is_named_and_nothing_changes(stage: Stage, state: Callable[[Stage], None]) -> None:
    """A fault ends with 3, advice with 0; each finding says why and what to type; both systems are as they were."""
    state(stage)
    with _unchanged(stage):
        rows = stage.rows("doctor", code=PERSON if state in FAULTS else 0)
        done = stage.rotator("doctor")
    checks = FAULTS.get(state) or ADVICE[state]
    named = {row["check"] for row in rows}
    assert checks <= named <= checks | {"silence"}, rows
    assert {row["severity"] for row in rows} >= ({"fault"} if state in FAULTS else {"advice"})
    for row in rows:
        assert list(row) == ["check", "secret", "severity", "what", "why", "command"]
        assert row["what"]
        assert row["why"]
        assert row["command"]
    text = stage.said(done)
    for row in rows:
        assert f"$ {row['command']}" in text


@pytest.mark.parametrize("state", [states.hand_made, states.empty, ours, states.old_key_in_grace])
def test_a_healthy_fleet_has_no_findings(stage: Stage, state: Callable[[Stage], None]) -> None:
    """Before the first key and after it, one line says what was checked, and JSON says nothing."""
    state(stage)
    with _unchanged(stage):
        assert stage.rows("doctor") == []
        text = stage.said(stage.rotator("doctor"))
    assert text.startswith("no findings: 1 secret, ")
    assert text.endswith("nothing was changed")


@pytest.mark.parametrize(
    ("operation", "check"),
    [("GetSecretValue", "readable"), ("PutSecretValue", "writable"), ("UpdateSecretVersionStage", "writable")],
    ids=str,
)
def test_a_missing_right_is_found_before_it_is_needed(stage: Stage, operation: str, check: str) -> None:
    """What AWS denies is named with the right that is missing, although no rotation is due."""
    ours(stage)
    with _unchanged(stage), denied(stage, operation, about=SECRET):
        (row,) = stage.rows("doctor", code=PERSON)
    assert (row["check"], row["secret"]) == (check, "uploader")
    assert f"secretsmanager:{operation}" in row["what"]


def test_a_managing_key_that_may_not_be_read_is_a_fault(stage: Stage) -> None:
    """Without it nothing else can be asked, and the right that is missing is named."""
    with denied(stage, "GetSecretValue", about=ADMIN_SECRET):
        (row,) = stage.rows("doctor", code=PERSON)
    assert row["check"] == "managing-key"
    assert "secretsmanager:GetSecretValue" in row["what"]


def test_a_policy_that_may_not_be_read_is_advice(stage: Stage) -> None:
    """The right to read resource policies is not in the least policy: once for all secrets, it is asked for."""
    ours(stage)
    with denied(stage, "GetResourcePolicy"):
        (row,) = stage.rows("doctor")
    assert (row["check"], row["secret"], row["severity"]) == ("policy", None, "advice")


def test_what_could_not_be_checked_is_not_fine(stage: Stage) -> None:
    """While Pinata is out of order there is no verdict: 1, and the same world."""
    ours(stage)
    stage.inject(Respond(Side.BEFORE, 503), Operation.LIST, None)
    with _unchanged(stage):
        rows = stage.rows("doctor", code=FAILED)
    assert {row["check"] for row in rows} == {"managing-key", "readable"}
    assert all(row["what"].startswith("not checked: ") for row in rows)


def test_an_environment_that_weakens_tls_is_told(stage: Stage) -> None:
    """What would log secrets on the wire is a fault; what says whom to trust is advice."""
    ours(stage)
    refused = stage.rotator("doctor", "--json", env={"SSLKEYLOGFILE": "keys.log"})
    assert (refused.returncode, json.loads(refused.stdout)["check"]) == (PERSON, "environment")
    advised = stage.rotator("doctor", "--json", env={"AWS_CA_BUNDLE": CERTIFICATES})
    assert (advised.returncode, json.loads(advised.stdout)["severity"]) == (0, "advice")


def test_mint_makes_a_key_and_revokes_it_at_once(stage: Stage) -> None:
    """The managing key is proved by a key that no secret holds, and the trail tells of it."""
    ours(stage)
    live, made = stage.live_keys(), stage.site.count(Operation.CREATE)
    assert stage.rows("doctor", "--mint") == []
    assert stage.live_keys() == live
    assert stage.site.count(Operation.CREATE) == made + 1
    operations = [row["operation"] for row in stage.rows("audit", "show", "--secret", "doctor") if row.get("operation")]
    assert [operations.count(name) for name in ("CreateApiKey", "RevokeApiKey")] == [2, 2]
    assert stage.rows("doctor") == []


def test_a_managing_key_that_cannot_revoke_is_found_by_minting(stage: Stage) -> None:
    """The key that was made lives on, and is named."""
    ours(stage)
    stage.inject(Respond(Side.BEFORE, 403), Operation.REVOKE, None)
    (row,) = stage.rows("doctor", "--mint", code=PERSON)
    (left,) = set(stage.live_keys()) - {stage.sandbox.current_key_id()}
    assert row["check"] == "mint"
    assert left in row["why"]


def test_a_minted_key_that_is_not_listed_dies_all_the_same(stage: Stage) -> None:
    """A list that fails after the create keeps nothing alive."""
    stage.edit("[defaults]\n", '[defaults]\nverify_timeout = "2s"\n')
    ours(stage)
    live = stage.live_keys()
    stage.site.before_reply = lambda _, operation: (
        stage.inject(Respond(Side.BEFORE, 400), Operation.LIST, None) if operation is Operation.CREATE else None
    )
    rows = stage.rows("doctor", "--mint", code=PERSON)
    stage.heal()
    assert {row["check"] for row in rows} == {"mint"}
    assert stage.live_keys() == live


def test_a_hundred_secrets_take_few_calls(stage: Stage) -> None:
    """No secret costs more than seven calls to AWS, and Pinata is asked for pages, not for secrets."""
    for number in range(100):
        stage.sandbox.create_secret(f"prod/many/{number}", value_of(stage.sandbox.seed_key(f"by hand {number}")))
        stage.add_secret(f"many-{number}", f"prod/many/{number}")
    before = stage.calls(), len(stage.site.log)
    assert stage.rows("doctor") == []
    calls, asked = stage.calls() - before[0], len(stage.site.log) - before[1]
    assert asked <= 70
    assert calls - asked <= 7 * 101
