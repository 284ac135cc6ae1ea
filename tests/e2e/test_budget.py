"""What a rotation and a look cost: calls to both systems, the one that reads the managing key included.

Pinata's free plan allows 60 requests a minute, and 30 to `/data`; so calls are what a fleet is short of. They are
counted at the simulated servers, and must not grow with what has been: dead keys, other keys, other secrets.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.model.naming import KeyFamily, version_id
from rotator.sandbox.running import SECRET, value_of
from tests.bench.fresh import run
from tests.e2e.stage import COMMAND, COMMAND_S, PERMISSIONS, Stage
from tests.yardstick import slowness

ROTATION_MAX = 17
LOOK_MAX = 5
TAKE_OVER_MAX = 18
NEIGHBOURS_A_CALL = 100
STATUS_MAX = 20
STATUS_CPU_MAX_S = 4.0


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print past the capture: it is to be seen."""

    def tell(text: str) -> None:
        with capsys.disabled():
            print(f"\n{text}")  # noqa: T201 - as above

    return tell


def with_dead_keys(stage: Stage, number: int) -> None:
    """Let the secret have rotated so many times: a dead key for each generation, and the next one is current."""
    stage.own(number + 1)
    family = KeyFamily.of("rotator", stage.arn())
    made_at = datetime(2020, 1, 1, tzinfo=UTC)
    for generation in range(1, number + 1):
        key = stage.sandbox.seed_key(family.key_name(version_id(generation, made_at, "0123456789")), age_s=9e7)
        with stage.site.lock:
            stage.site.world.keys[key.key] = replace(key, revoked_at=key.created_at + 1.0)


def with_foreign_keys(stage: Stage, number: int) -> None:
    """Let the account have so many live keys that are not ours, beside one of ours that is due."""
    stage.own()
    for index in range(number):
        stage.sandbox.seed_key(f"somebody's key {index}")


def with_neighbours(stage: Stage, number: int) -> None:
    """Let so many other secrets be configured, each with a key of ours."""
    made_at = datetime.now(UTC)
    entries = []
    for index in range(number):
        secret_id = f"prod/neighbour/{index}"
        stage.sandbox.create_secret(secret_id)
        token = version_id(1, made_at, f"{index:010x}")
        key = stage.sandbox.seed_key(KeyFamily.of("rotator", stage.arn(secret_id)).key_name(token))
        stage.put(value_of(key), secret_id, token)
        entries.append(f'\n[[secrets]]\nname = "n{index}"\nsecret_id = "{secret_id}"\n{PERMISSIONS}\n')
    with stage.sandbox.config_path.open("a") as file:
        file.writelines(entries)


def calls_of(stage: Stage, *command: str) -> tuple[dict[str, object], int]:
    """Run a command; return what it says, and how many calls both systems got."""
    before = stage.calls()
    return stage.row(*command), stage.calls() - before


@pytest.mark.parametrize(
    ("prepared", "reason"),
    [
        pytest.param(Stage.own, "AGED_OUT", id="own_key"),
        pytest.param(Stage.live_keys, "ADOPTED", id="hand_made_key"),
        pytest.param(Stage.empty, "NO_CURRENT", id="empty_secret"),
    ],
)
def test_a_rotation_stays_within_its_budget_of_calls(
    stage: Stage, printed: Callable[[str], None], prepared: Callable[[Stage], object], reason: str
) -> None:
    """Observe, create, list, store, verify, promote, revoke and prove dead, in at most so many calls."""
    prepared(stage)
    row, calls = calls_of(stage, "run")
    printed(f"{reason}: {calls} calls of at most {ROTATION_MAX}")
    assert (row["outcome"], row["reason"]) == ("rotated", reason)
    assert stage.live_keys() == [row["key_id"]]
    assert 0 < calls <= ROTATION_MAX
    look, calls = calls_of(stage, "run")
    printed(f"close look: {calls} calls of at most {LOOK_MAX}")
    assert look["outcome"] == "up_to_date"
    assert 0 < calls <= LOOK_MAX


def test_a_witness_costs_one_call(stage: Stage, printed: Callable[[str], None], tmp_path: Path) -> None:
    """What was noted on the secret is known from its description, so that the head is noted with one call."""
    key = tmp_path / "key.pem"
    made = stage.row("audit", "keygen", str(key))
    stage.edit("[audit]\n", f'[audit]\nsign = "file:{key}"\nsigners = ["{made["fingerprint"]}"]\n')
    for _ in range(2):
        row, calls = calls_of(stage, "rotate", "uploader")
        printed(f"with a witness: {calls} calls of at most {ROTATION_MAX + 1}")
        assert row["outcome"] == "rotated"
        assert calls <= ROTATION_MAX + 1
    tags = stage.sandbox.call("DescribeSecret", {"SecretId": SECRET})["Tags"]
    (head,) = [tag["Value"] for tag in tags if tag["Key"] == "rotator:audit-head"]
    assert head.startswith("2:")


@pytest.mark.parametrize(
    ("grow", "number"),
    [
        pytest.param(with_dead_keys, 0, id="no_dead_keys"),
        pytest.param(with_dead_keys, 100, id="100_dead_keys"),
        pytest.param(with_dead_keys, 1000, id="1000_dead_keys"),
        pytest.param(with_foreign_keys, 1000, id="1000_foreign_keys"),
    ],
)
def test_calls_do_not_grow_with_history_or_strangers(
    stage: Stage, printed: Callable[[str], None], grow: Callable[[Stage, int], None], number: int
) -> None:
    """A rotation and the look after it stay within the same budgets."""
    grow(stage, number)
    before = set(stage.live_keys()) - {stage.sandbox.current_key_id()}
    row, calls = calls_of(stage, "run")
    look, look_calls = calls_of(stage, "run")
    printed(f"{grow.__name__} {number}: {calls} calls of at most {ROTATION_MAX}, then {look_calls} of {LOOK_MAX}")
    assert (row["outcome"], row["reason"], look["outcome"]) == ("rotated", "AGED_OUT", "up_to_date")
    assert set(stage.live_keys()) == before | {row["key_id"]}
    assert calls <= ROTATION_MAX
    assert look_calls <= LOOK_MAX


@pytest.mark.parametrize("number", [0, 1000])
def test_a_take_over_asks_its_neighbours_by_the_hundred(
    stage: Stage, printed: Callable[[str], None], number: int
) -> None:
    """Before a hand-made key dies, what other secrets hold is known from their labels."""
    with_neighbours(stage, number)
    budget = TAKE_OVER_MAX + number // NEIGHBOURS_A_CALL
    row, calls = calls_of(stage, "run", "uploader")
    printed(f"take-over beside {number} secrets of ours: {calls} calls of at most {budget}")
    assert (row["outcome"], row["reason"]) == ("rotated", "ADOPTED")
    assert len(stage.live_keys()) == number + 1
    assert calls <= budget


def test_the_status_of_a_thousand_asks_by_the_hundred(stage: Stage, printed: Callable[[str], None]) -> None:
    """At Pinata's real limits: labels by the page, and a closer look at the one secret that is not ours yet."""
    with_neighbours(stage, 1000)
    stage.edit("requests_per_minute = 6000\ndata_", "requests_per_minute = 60\ndata_")
    stage.edit("data_requests_per_minute = 3000", "data_requests_per_minute = 30")
    before = stage.calls()
    spent = run([*COMMAND, "status"], stage.environment())
    calls, taken_s = stage.calls() - before, spent.cpu_s / slowness()
    printed(f"status of 1,001 secrets: {calls} calls of at most {STATUS_MAX}, {taken_s:.1f} s CPU")
    answer, _, *rows, again = spent.output.splitlines()
    assert answer.startswith("1,001 secrets: 1,000 fine by their labels alone, 1 being looked at closely; ")
    assert again.startswith("1,001 secrets: 1,000 fine by their labels alone, 1 due now; ")
    assert len(rows) == 1001
    assert rows[-1].split()[0] == "uploader"
    assert 0 < calls <= STATUS_MAX
    assert taken_s < STATUS_CPU_MAX_S


def test_status_tells_what_labels_say_before_pinata_has_answered(stage: Stage) -> None:
    """While Pinata is silent, all rows but one are there; that one and the answer follow its answer."""
    with_neighbours(stage, 30)
    with stage.start("status") as watching:
        assert watching.stdout
        with stage.site.lock:  # without it Pinata answers nothing
            answer, _, *known = (watching.stdout.readline() for _ in range(32))
        *last, again = watching.stdout
        assert watching.wait(COMMAND_S) == 0
    assert "30 fine by their labels alone, 1 being looked at closely" in answer
    assert sorted(row.split()[0] for row in known) == sorted(f"n{number}" for number in range(30))
    assert [row.split()[0] for row in last] == ["uploader"]
    assert "30 fine by their labels alone, 1 due now" in again
