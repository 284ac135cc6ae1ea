"""A fleet on the legacy paths, whose list has no filters: what it costs, and what is said when that is too much."""

from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.running import value_of
from tests.e2e.stage import PERMISSIONS, PERSON, Stage

FOREIGN = 250
SECRETS = 6
ENDPOINTS = 'permissions = { endpoints = { data = ["pinList"] } }'
NOBODY = Permissions(endpoints=frozenset({"data.pinList"}))


def legacy(stage: Stage) -> int:
    """Configure six secrets on the legacy paths, in a large account; return the pages of one walk."""
    stage.edit('api_url = "', 'api = "legacy"\napi_url = "')
    for number in range(1, SECRETS):
        stage.sandbox.create_secret(f"prod/more-{number}", value_of(stage.sandbox.seed_key(f"more {number}")))
        stage.add_secret(f"more-{number}", f"prod/more-{number}")
    path = stage.sandbox.config_path
    path.write_text(path.read_text().replace(PERMISSIONS, ENDPOINTS))
    for number in range(FOREIGN):
        stage.seed(f"somebody's {number}", NOBODY)
    with stage.site.lock:
        return -(-len(stage.site.world.keys) // 10) + 1


def test_all_secrets_of_a_run_share_one_walk(stage: Stage) -> None:
    """A look costs no page of its own; a rotation walks for its new key, and once more for the dead one."""
    walk = legacy(stage)
    assert {row["reason"] for row in stage.rows("plan")} == {"ADOPTED"}
    assert stage.site.count(Operation.LIST) <= walk + 1
    before = stage.site.count(Operation.LIST)
    assert {row["outcome"] for row in stage.rows("run")} == {"rotated"}
    assert len(stage.live_keys()) == SECRETS + FOREIGN
    assert stage.site.count(Operation.LIST) - before <= walk + SECRETS * 2 * (walk + 1)
    before = stage.site.count(Operation.LIST)
    assert {row["reason"] for row in stage.rows("run")} == {"UP_TO_DATE"}
    assert stage.site.count(Operation.LIST) - before <= walk + 3


def test_an_account_that_is_too_large_is_told(stage: Stage) -> None:
    """Where one walk does not fit the budget and the time of a run, no key is made, and the way out is named."""
    legacy(stage)
    stage.edit("\nrequests_per_minute = 6000", "\nrequests_per_minute = 5")
    world = stage.world()
    rows = stage.rows("run", code=PERSON)
    assert len(rows) == SECRETS
    assert all("lists the whole account only" in str(row["error"]) for row in rows)
    assert stage.world() == world
    assert 'api = "v3"' in stage.said(stage.rotator("plan"))
