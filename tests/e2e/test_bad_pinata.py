"""A Pinata that answers badly, before anything is done and in the middle: nothing is lost.

A failed call says what happened and who must act; consumers keep a live key, and the next run puts right what is left.
"""

from dataclasses import dataclass

import pytest

from rotator.pinata import transport
from rotator.sandbox.pinata.faults import Damage, Drop, Fault, Omit, Operation, Respond, Side, Slow, Spoil
from rotator.sandbox.pinata.switches import CountOf, Delay, Generation, Order
from tests.e2e.stage import FAILED, PERMISSIONS, PERSON, TWO_SECONDS, Stage

pytestmark = pytest.mark.slow  # it starts many processes

TIMEOUT_S = 120.0
"""What the configuration gives a run by default."""
HANGS_S = 3600.0
_HTML = "<!DOCTYPE html><html><body><h1>Bad gateway</h1></body></html>"


@pytest.mark.parametrize(
    ("fault", "phrase"),
    [
        pytest.param(Drop(Side.BEFORE), "no whole answer", id="hangs_up"),
        pytest.param(Respond(Side.BEFORE, 429), "answered 429", id="429"),
        pytest.param(
            Respond(Side.BEFORE, 429, headers=(("Retry-After", "600"),)),
            "asks to wait 600 s",
            id="429_with_a_long_wait",
        ),
        pytest.param(Respond(Side.BEFORE, 500), "answered 500", id="500"),
        pytest.param(Respond(Side.BEFORE, 502, _HTML, "text/html"), "answered 502", id="502_html"),
        pytest.param(Spoil(Damage.CUT_OFF), "no whole answer", id="cut_off"),
        pytest.param(Spoil(Damage.WRONG_TYPE), "list", id="wrong_type"),
        pytest.param(Spoil(Damage.WRONG_VALUES), "list", id="wrong_values"),
        pytest.param(Spoil(Damage.EMPTY), "list", id="empty"),
        pytest.param(Spoil(Damage.HTML), "list", id="200_html"),
        pytest.param(Spoil(Damage.BIG), "more than 1048576 bytes", id="2_mib"),
        pytest.param(Spoil(Damage.GZIP_BOMB), "compressed", id="gzip_bomb"),
        pytest.param(
            Respond(Side.BEFORE, 302, headers=(("Location", "https://example.com/"),)), "answered 302", id="redirect"
        ),
    ],
)
def test_a_pinata_that_answers_badly_stops_the_run(stage: Stage, fault: Fault, phrase: str) -> None:
    """Nothing is done, within the time the configuration gives; then the next run does it all."""
    stage.inject(fault, None, None)
    stage.refused("uploader: failed", phrase, "next run", code=FAILED)
    assert stage.waited_s() <= TIMEOUT_S
    stage.heal()
    stage.heals()


def test_a_pinata_that_does_not_answer_stops_the_run(stage: Stage) -> None:
    """Each attempt is given up after a silence, here a short one, and the run after some attempts."""
    stage.inject(Slow(Side.BEFORE, HANGS_S), None, None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(transport, "READ_S", 0.2)
        stage.refused("uploader: failed", "no whole answer", "next run", code=FAILED)
    stage.heal()
    stage.heals()


def test_a_pinata_that_is_down_stops_the_run(stage: Stage) -> None:
    """Nobody listens there."""
    stage.edit(stage.sandbox.pinata.url, "http://127.0.0.1:9")
    stage.refused("no connection", "next run", code=FAILED)


def test_a_short_wait_is_waited(stage: Stage) -> None:
    """429 with `Retry-After: 2`, once, costs two seconds and no more."""
    stage.inject(Respond(Side.BEFORE, 429, headers=(("Retry-After", "2"),)), Operation.LIST, times=1)
    stage.heals()
    assert 2 <= stage.waited_s() < 3


# In the middle


@dataclass(frozen=True, slots=True)
class Struck:
    """A create that goes wrong, and whether it leaves a live key that no secret holds."""

    fault: Fault
    leaves_key: bool
    code: int = FAILED


@pytest.mark.parametrize(
    "struck",
    [
        pytest.param(Struck(Drop(Side.BEFORE), leaves_key=False), id="lost_before"),
        pytest.param(Struck(Drop(Side.AFTER), leaves_key=True), id="lost_after"),
        pytest.param(Struck(Respond(Side.BEFORE, 429), leaves_key=False), id="429"),
        pytest.param(Struck(Respond(Side.AFTER, 500), leaves_key=True), id="500_after"),
        pytest.param(Struck(Respond(Side.AFTER, 502, _HTML, "text/html"), leaves_key=True), id="502_html"),
        pytest.param(Struck(Respond(Side.BEFORE, 400), leaves_key=False, code=PERSON), id="400"),
        pytest.param(Struck(Spoil(Damage.CUT_OFF), leaves_key=True), id="cut_off"),
        pytest.param(Struck(Spoil(Damage.WRONG_TYPE), leaves_key=True), id="wrong_type"),
        pytest.param(Struck(Spoil(Damage.WRONG_VALUES), leaves_key=True), id="wrong_values"),
        pytest.param(Struck(Spoil(Damage.BIG), leaves_key=True), id="2_mib"),
        pytest.param(Struck(Omit("JWT"), leaves_key=False), id="without_a_token"),
        pytest.param(Struck(Omit("pinata_api_key"), leaves_key=True), id="without_an_id"),
        pytest.param(Struck(Spoil(Damage.FOREIGN_JWT), leaves_key=False), id="token_of_another"),
    ],
)
def test_a_create_that_goes_wrong_changes_no_secret_and_is_put_right(stage: Stage, struck: Struck) -> None:
    """The create is never repeated in place; consumers keep their key, and the next run finds the orphan."""
    (consumers_key,) = stage.live_keys()
    stage.inject(struck.fault, Operation.CREATE, times=1)
    done = stage.rotator("run")
    text = stage.said(done)
    assert done.returncode == struck.code, text
    assert "uploader: failed" in text
    assert stage.site.count(Operation.CREATE) == 1
    assert stage.sandbox.current_key_id() == consumers_key
    assert "AWSPENDING" not in stage.labels()
    assert len(stage.live_keys()) == 1 + struck.leaves_key, text
    stage.heals()


def test_a_key_that_never_works_is_not_promoted(stage: Stage) -> None:
    """The consumers' key stays; once new keys work, the next run finishes with the same one."""
    (consumers_key,) = stage.live_keys()
    stage.edit('grace = "0s"', f'grace = "0s"\n{TWO_SECONDS}')
    stage.switch(activation=Delay(3600))
    done = stage.rotator("run")
    text = stage.said(done)
    assert done.returncode == FAILED, text
    assert "testAuthentication does not accept the key's token after 2 s" in text
    assert "AWSCURRENT is unchanged" in text
    assert stage.sandbox.current_key_id() == consumers_key
    stage.switch(activation=Delay(0))
    stage.heals()
    assert stage.site.count(Operation.CREATE) == 1


def test_a_key_that_works_after_three_seconds_is_waited_for(stage: Stage) -> None:
    """Propagation is not a failure."""
    stage.switch(activation=Delay(3.0))
    stage.heals()
    assert 2 < stage.waited_s() < 10


def test_a_key_that_outlives_its_revocation_needs_a_person(stage: Stage) -> None:
    """The new key is current; the old one is reported by its id."""
    (old,) = stage.live_keys()
    stage.edit('grace = "0s"', f'grace = "0s"\n{TWO_SECONDS}')
    stage.switch(revocation=Delay(3600))
    row = stage.row("run", code=PERSON)
    assert row["outcome"] == "failed"
    assert old in row["error"]
    assert "still" in row["error"] or "its token is accepted" in row["error"]
    assert stage.sandbox.current_key_id() == row["key_id"] != old


@pytest.mark.parametrize("count_of", CountOf, ids=lambda value: value.value)
@pytest.mark.parametrize("order", [Order.NEWEST_FIRST, Order.OLDEST_FIRST, Order.UNSTABLE])
def test_a_list_that_changes_while_it_is_read_hides_no_key(stage: Stage, order: Order, count_of: CountOf) -> None:
    """On the legacy paths the whole account is paged through, and others make keys meanwhile."""
    stage.own()
    stage.edit("[pinata]\n", '[pinata]\napi = "legacy"\n')
    stage.edit(PERMISSIONS, 'permissions = { endpoints = { data = ["pinList"] } }')
    others = [stage.sandbox.seed_key(f"another service {number}").key for number in range(15)]
    stage.switch(order=order, count_of=count_of, generations=frozenset({Generation.LEGACY}))

    def make_another(_: int, operation: Operation) -> None:
        if operation is Operation.LIST and len(others) < 30:
            others.append(stage.sandbox.seed_key(f"another service {len(others)}").key)

    stage.site.after_reply = make_another
    row = stage.row("run")
    assert row["outcome"] == "rotated"
    assert sorted(stage.live_keys()) == sorted([*others, row["key_id"]])
