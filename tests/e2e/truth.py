"""What is said of a secret, in every place that says something, and what is so in the two systems.

`Shown.of(stage)` asks `status`, the page and the metrics at once. `judge_look` and `judge_run` hold what was
said against the simulated systems themselves: they know nothing of reasons or rules, only who is served, which keys
live, and what the trail claims.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from rotator.cli.exits import Exit
from rotator.cli.watcher import Watcher
from rotator.daemon.metrics import Metrics
from rotator.model.status import FleetStatus
from rotator.page.headline import Health, headline
from rotator.page.states import count, state_of
from rotator.sandbox.pinata.records import Bearer, Credential, KeyPair, KeyRecord
from rotator.sandbox.pinata.scopes import Refused
from rotator.sandbox.pinata.tokens import claims_of
from rotator.wiring.call_counts import CallCounts
from tests.e2e.stage import Stage

Row = dict[str, Any]
FINE = "The one secret is fine"


# What is so ---------------------------------------------------------------------------------------


def accepts(stage: Stage, credential: Credential) -> bool:
    """Say whether the simulated Pinata takes a credential now."""
    with stage.site.lock:
        try:
            stage.site.world.test_authentication(credential)
        except Refused:
            return False
    return True


def _text(stage: Stage) -> str:
    """Return the value that consumers read, or would read if the secret was not marked for deletion; empty if none."""
    secret = stage.secret()
    version = secret.versions.get(secret.labels.get("AWSCURRENT", "")) if secret else None
    return str(version.value) if version else ""


def _forms(text: str) -> tuple[Credential, ...]:
    """Return what consumers can read out of a value: its token, and its pair."""
    try:
        value = json.loads(text.removeprefix("\ufeff"))
    except ValueError:
        return (Bearer(text.strip()),) if text.startswith("eyJ") else ()
    held = value if isinstance(value, dict) else {}
    token, key, secret = (held.get(name) for name in ("JWT", "pinata_api_key", "pinata_api_secret"))
    forms: list[Credential] = [Bearer(token)] if token else []
    return (*forms, KeyPair(key, secret)) if key and secret else tuple(forms)


def is_served(stage: Stage) -> bool:
    """Say whether consumers read a credential that works in each form they may use."""
    forms = _forms(_text(stage))
    return bool(forms) and all(accepts(stage, form) for form in forms)


def current_key(stage: Stage) -> str | None:
    """Return the id of the key that consumers read, by its token if there is one."""
    first = next(iter(_forms(_text(stage))), None)
    if isinstance(first, KeyPair):
        return first.key
    return str(claims_of(first.token).get("scopedKeyKey", "")) or None if isinstance(first, Bearer) else None


def spare_keys(stage: Stage) -> set[str]:
    """Return the keys that Pinata takes and that consumers do not read."""
    live = {key.key for key in stage.sandbox.rotated_keys() if accepts(stage, Bearer(key.jwt))}
    return live - {current_key(stage)}


# What is said -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shown:
    """What `status`, the page and the metrics say: one look, three readers."""

    status: Row
    code: int
    """The exit code of `status`."""
    headline: str
    metrics: dict[str, float]

    @classmethod
    def of(cls, stage: Stage) -> "Shown":
        """Ask `status`; page and metrics are made from the very fleet that it saw."""
        fleets: list[FleetStatus] = []
        look = Watcher.fleet

        def seen(watcher: Watcher) -> FleetStatus:
            fleets.append(look(watcher))
            return fleets[-1]

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Watcher, "fleet", seen)
            shown = stage.rotator("status", "--json")
        return cls(json.loads(shown.stdout), shown.returncode, headline_of(fleets[-1]), metrics_of(fleets[-1]))


def headline_of(fleet: FleetStatus) -> str:
    """Return the page's first sentence over a fleet."""
    now = fleet.taken_at
    return headline(fleet, count(state_of(secret, now) for secret in fleet.secrets), Health("", ""), now).text


def metrics_of(fleet: FleetStatus) -> dict[str, float]:
    """Return the metrics of the one secret; those with a kind have it in their names."""
    metrics = Metrics(lambda: fleet, lambda: fleet.taken_at, CallCounts(), lambda: datetime.now(UTC))
    families = text_string_to_metric_families(metrics.render()[1].decode())
    return {
        sample.name + (f":{kind}" if (kind := sample.labels.get("kind")) else ""): sample.value
        for family in families
        for sample in family.samples
        if "secret" in sample.labels
    }


# What is said, against what is so -----------------------------------------------------------------


def judge_look(stage: Stage, shown: Shown) -> None:
    """Fail where status, page or metrics claim what is not so, or call an unknown zero."""
    served, row, metrics = is_served(stage), shown.status, shown.metrics
    assert shown.headline != FINE or served, "the page says that all is fine, and nobody is served"
    assert metrics.get("rotator_current_refused") != 1 or not served, "served, and an outage by the metrics"
    if metrics.get("rotator_current_refused") == 0:
        not_ours = {"NO_CURRENT", "NO_CREDENTIAL", "NOT_YET_ACCEPTED"}
        assert served or row["reason"] in not_ours, "no outage by the metrics, and nobody is served"
    if row["attention"] == "outage":
        assert not served, "an outage is claimed, and the credential is accepted"
        assert metrics["rotator_current_refused"] == metrics["rotator_attention:outage"] == 1
    assert shown.code != 0 or row["attention"] == ""
    assert bool(row["needs_person"]) == (metrics.get("rotator_needs_person") == 1)
    assert shown.code != Exit.FAILED or shown.headline != FINE, "fine on the page, and not by the exit code"
    assert row["reason"] != "UP_TO_DATE" or served, "up to date by the plan, and nobody is served"
    _judge_counts(stage, row, metrics)


def _judge_counts(stage: Stage, row: Row, metrics: dict[str, float]) -> None:
    """What is counted is there: old keys live and are not current, orphans likewise; not known is no number."""
    spare = spare_keys(stage)
    if row["old_keys"] is None:
        assert not metrics.keys() & {"rotator_old_keys_alive", "rotator_old_keys_overdue"}
    else:
        claimed = {old["key_id"] for old in row["old_keys"]}
        assert claimed <= spare, "a key that is dead or current is called an old key that is alive"
        assert metrics["rotator_old_keys_alive"] == len(claimed)
    if row["orphans"] is None:
        assert "rotator_orphan_keys" not in metrics
    else:
        # `status` also counts the keys of an earlier secret of the same name; the daemon knows nothing of them.
        assert metrics["rotator_orphan_keys"] <= row["orphans"] <= len(spare)


@dataclass(frozen=True)
class Before:
    """What a run found, to be compared with what it left."""

    keys: dict[str, KeyRecord]
    world: object
    current: str | None

    @classmethod
    def of(cls, stage: Stage) -> "Before":
        """Remember both systems."""
        secret = stage.secret()
        current = secret.labels.get("AWSCURRENT") if secret else None
        return cls({key.key: key for key in stage.sandbox.rotated_keys()}, stage.world(), current)


def judge_run(stage: Stage, before: Before, row: Row, code: int) -> None:
    """Fail where the outcome, its message, or the trail claims what is not so."""
    after = Before.of(stage)
    said_of_error = row["error"] or ""
    if row["outcome"] in {"rotated", "up_to_date"} and code == 0:
        assert is_served(stage), "all is well by the run, and nobody is served"
    if row["outcome"] == "rotated":
        assert stage.labels()["AWSCURRENT"] == row["version_id"] != before.current
        assert current_key(stage) == row["key_id"]
        assert row["reason"] != "RETIRE_FIRST"
    if row["outcome"] in {"held", "waiting"}:
        # A label that says when something was promoted is put, or taken off where it is false; nothing else.
        assert set(row["actions"]) <= {"Stamp", "Unlabel"}
        assert (after.keys, after.current) == (before.keys, before.current)
        assert row["actions"] or after == before
    died = {key for key, old in before.keys.items() if old.revoked_at is None and after.keys[key].revoked_at}
    assert died <= set(row["revoked"]) <= set(after.keys), "a key died that the run does not speak of"
    assert all(after.keys[key].revoked_at for key in row["revoked"]), "revoked by the run, and listed as live"
    if "othing was changed" in said_of_error or "nothing was done" in said_of_error:
        assert after == before, "nothing was changed by the run, and something was"
    if row["run_id"]:
        _judge_trail(stage, before, after, row)


def _judge_trail(stage: Stage, before: Before, after: Before, row: Row) -> None:
    """Every effect that the trail of a run claims has happened, and none has happened that it does not claim."""
    events = stage.rows("audit", "show", "--run", row["run_id"])
    worked = [event for event in events if event["kind"] == "done" and event["result"] == "success"]
    done = [(event["operation"], event["key_id"]) for event in worked]
    made = [key_id for operation, key_id in done if operation == "CreateApiKey"]
    assert set(made) == after.keys.keys() - before.keys.keys()
    revoked = {key_id for operation, key_id in done if operation == "RevokeApiKey"}
    dead_before = {key for key, old in before.keys.items() if old.revoked_at}
    died = {key for key, now in after.keys.items() if now.revoked_at} - dead_before
    assert died <= revoked, "a key died, and the trail has no revocation of it"
    for operation, key_id in done:
        if operation == "ProveKeyDead":
            assert not accepts(stage, Bearer(after.keys[key_id].jwt)), (
                "proved dead by the trail, and Pinata takes its token"
            )
    promoted = [event["version_id"] for event in worked if event["operation"] == "Promote"]
    assert not promoted or promoted[-1] == after.current
    (end,) = (event for event in events if event["kind"] == "ended")
    assert (end["result"], end["reason"] or None) == (row["outcome"], row["reason"])
    assert stage.rotator("audit", "verify").returncode == 0
