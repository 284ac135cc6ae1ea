"""One secret from any state to the wanted one, over both simulated systems.

Each test asserts the final state of the two systems, and that every effect had its durable intent.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.engine.reconcile import PASSES_MAX, preview, reconcile
from rotator.engine.run import Run
from rotator.model.errors import (
    AuditUnavailableError,
    ClockError,
    CreateOutcomeUnknownError,
    DeadlineExceededError,
    KeyNotYetDeadError,
    KeyRejectedError,
    KeyScopeError,
    KeyStillAliveError,
    LabelConflictError,
    Remedy,
    SecretValueError,
    StoreRejectedError,
    UnsafeActionError,
)
from rotator.model.events import Decided, Done, Ended, Intent
from rotator.model.events import Operation as Audited
from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, OURS, REPLACED_PREFIX
from rotator.model.plan import Create, OutcomeKind, Promote, Restamp, Verify
from rotator.model.reasons import Reason
from rotator.model.secret import Demand, SecretSpec
from rotator.model.tags import CONTAIN_TAG
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Delay, Switches
from rotator.sandbox.secrets_manager import replicas
from rotator.sandbox.secrets_manager import rules as label_rules
from rotator.sandbox.secrets_manager.state import ReplicaStatus
from tests.builders import AT_ONCE, a_spec
from tests.simulated.scene import HAND_ID, Scene, effects_without_intent, events, succeeded
from tests.simulated.world import Boundary, Crash, Fault, Operation, Process, at_call, calm, just_before, meanwhile, on

LOOK = [Operation.DESCRIBE, Operation.GET_VALUE, Operation.LIST_KEYS, Operation.TEST_AUTHENTICATION]
FAST = a_spec(grace=AT_ONCE, settle=AT_ONCE)
DAY = timedelta(hours=24)
NEW = {"own": Scene.own, "hand_made": Scene.hand_made, "empty": Scene.empty}
BEGINNINGS = pytest.mark.parametrize("begin", NEW.values(), ids=NEW)
CALLS_MAX = 60


def decisions(process: Process) -> list[Reason]:
    """Return what each plan of a run decided, in order."""
    return [event.reason for event in events(process) if isinstance(event, Decided)]


def always_live(scene: Scene, inner: Boundary = calm) -> Boundary:
    """Return a boundary that checks before each call that consumers hold a live key."""

    def boundary(operation: Operation) -> Fault | None:
        check_current(scene)
        return inner(operation)

    return boundary


def check_current(scene: Scene) -> None:
    """Check that the key consumers read is live."""
    current = scene.current_key()
    assert current is None or current in scene.live_keys()


# A rotation without faults


@BEGINNINGS
def test_without_grace_one_run_leaves_one_key(begin: Callable[[SecretSpec], Scene]) -> None:
    """With a grace of zero one run replaces and retires; the next one has nothing to do."""
    scene = begin(FAST)
    before = scene.current_key()
    outcome = scene.run(boundary=always_live(scene))
    assert outcome.error is None
    assert outcome.kind is OutcomeKind.ROTATED
    assert scene.is_settled()
    assert scene.current_key() == outcome.key_id != before
    assert scene.labels()[AWSCURRENT] == outcome.version_id
    assert outcome.revoked == ((before,) if before else ())
    assert effects_without_intent(scene.last) == []
    assert scene.run().kind is OutcomeKind.UP_TO_DATE
    assert succeeded(scene.last) == []


@BEGINNINGS
def test_with_grace_the_old_key_lives_until_it_is_over(begin: Callable[[SecretSpec], Scene]) -> None:
    """The key before lives through its grace, and dies in the first run after it."""
    scene = begin(a_spec())
    before = scene.current_key()
    assert scene.run().kind is OutcomeKind.ROTATED
    rotated = scene.current_key()
    scene.passes(DAY - timedelta(minutes=1))
    assert scene.run().revoked == ()
    assert scene.live_keys() == {rotated, before} - {None}
    scene.passes(timedelta(minutes=2))
    retiring = scene.run()
    assert retiring.kind is OutcomeKind.UP_TO_DATE
    assert retiring.revoked == ((before,) if before else ())
    assert scene.is_settled()


@pytest.mark.parametrize(("begin", "calls"), [(Scene.own, 16), (Scene.hand_made, 16)], ids=["own", "hand-made"])
def test_calls_of_a_rotation(begin: Callable[[SecretSpec], Scene], calls: int) -> None:
    """A rotation with a grace of zero stays within its budget of calls."""
    scene = begin(FAST)
    assert scene.run().kind is OutcomeKind.ROTATED
    assert scene.is_settled()
    assert len(scene.last.calls) <= calls


@pytest.mark.parametrize("begin", [Scene.own, Scene.hand_made], ids=["own", "hand-made"])
def test_calls_of_a_rotation_with_grace(begin: Callable[[SecretSpec], Scene]) -> None:
    """A run that leaves only waiting to do knows that without another look."""
    scene = begin(a_spec())
    assert scene.run().kind is OutcomeKind.ROTATED
    assert len(scene.last.calls) <= 13


def test_settled_secret_costs_four_calls() -> None:
    """A close look at a settled secret reads labels, value and key list, and proves the credential."""
    scene = Scene.own(FAST)
    scene.run()
    scene.run()
    assert scene.last.calls == LOOK


def test_settled_take_over_costs_no_more() -> None:
    """Once the key we took over is dead, the secret is like any other."""
    scene = Scene.hand_made(FAST)
    scene.run()
    scene.run()
    assert scene.last.calls == LOOK


def test_first_key_of_an_empty_secret() -> None:
    """The first key is proved before it is put, since AWS makes a first version current."""
    scene = Scene.empty(FAST)
    outcome = scene.run()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.ROTATED, Reason.NO_CURRENT)
    assert scene.last.calls.index(Operation.TEST_AUTHENTICATION) < scene.last.calls.index(Operation.PUT_VALUE)
    assert scene.labels() == {AWSCURRENT: outcome.version_id, OURS: outcome.version_id}


def test_take_over_retires_the_hand_made_key_and_nothing_else() -> None:
    """The hand-made key is replaced, retired and forgotten; other keys of the account live on."""
    scene = Scene.hand_made(FAST)
    bystanders = {scene.seed(name).key for name in ("made by hand", "somebody's")}
    before = scene.current_key()
    outcome = scene.run()
    assert outcome.reason is Reason.ADOPTED
    assert outcome.revoked == (before,)
    assert scene.live_keys() == bystanders | {scene.current_key()}
    assert not [label for label in scene.labels() if label == f"{REPLACED_PREFIX}{before}"]


def test_other_fields_are_carried_over() -> None:
    """A rotation changes the fields of the credential and no other."""
    scene = Scene.hand_made(FAST)
    key = scene.seed("second")
    scene.edit(key, token="f" * 32, gateway="example.mypinata.cloud")
    scene.run()
    value = scene.secret.get().value
    assert isinstance(value, str)
    assert '"gateway": "example.mypinata.cloud"' in value
    assert scene.key_in(AWSCURRENT) != key.key


def test_audit_tells_the_whole_story() -> None:
    """The trail of a rotation: each plan, an intent before each call, its result, and the end."""
    scene = Scene.own(FAST)
    outcome = scene.run()
    told = events(scene.last)
    assert isinstance(told[0], Decided)
    assert told[0].actions == ("Create", "Verify", "Promote")
    assert isinstance(told[-1], Ended)
    assert (told[-1].key_id, told[-1].revoked) == (outcome.key_id, outcome.revoked)
    assert succeeded(scene.last) == [
        Audited.CREATE_KEY,
        Audited.PUT_PENDING,
        Audited.VERIFY_KEY,
        Audited.PROMOTE,
        Audited.UNLABEL,
        Audited.REVOKE_KEY,
        Audited.PROVE_DEAD,
    ]
    pairs = [event for event in told if isinstance(event, Intent | Done)]
    assert [e.operation for e in pairs[::2]] == [e.operation for e in pairs[1::2]]


# Crashes and faults at every call


@BEGINNINGS
@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
@pytest.mark.parametrize("demand", [Demand.DUE, Demand.FORCED], ids=lambda demand: demand.name)
@pytest.mark.parametrize(
    "orphans", [0, pytest.param(1, marks=pytest.mark.slow), pytest.param(3, marks=pytest.mark.slow)]
)
def test_fault_at_any_call_is_healed_by_the_next_run(
    begin: Callable[[SecretSpec], Scene], fault: Fault, demand: Demand, orphans: int
) -> None:
    """After one fault at any call, one run without faults leaves one live key: the current one."""
    origin = begin(FAST)
    for _ in range(orphans):
        run(origin, on(Operation.CREATE_KEY, Fault.CRASH_AFTER))
    for number in range(1, CALLS_MAX):
        scene = origin.copy()
        run(scene, always_live(scene, at_call(number, fault)), demand)
        if len(scene.last.calls) < number:
            return
        assert effects_without_intent(scene.last) == []
        check_current(scene)
        healed = scene.run(boundary=always_live(scene))
        assert healed.error is None, number
        assert scene.is_settled(), number
    pytest.fail(f"a run made more than {CALLS_MAX} calls")


@BEGINNINGS
@pytest.mark.parametrize("fault", [Fault.CRASH_AFTER, Fault.LATE], ids=lambda fault: fault.name)
def test_fault_with_grace_is_healed_after_it(begin: Callable[[SecretSpec], Scene], fault: Fault) -> None:
    """With a grace, the key consumers may still hold lives until it is over, whatever happened."""
    origin = begin(a_spec(settle=AT_ONCE))
    before = origin.current_key()
    for number in range(1, CALLS_MAX):
        scene = origin.copy()
        run(scene, at_call(number, fault))
        if len(scene.last.calls) < number:
            return
        scene.run()
        assert {before} - {None} <= scene.live_keys()
        for _ in range(3):
            scene.passes(DAY + timedelta(hours=1))
            assert scene.run(boundary=always_live(scene)).error is None
        assert scene.is_settled(), number
    pytest.fail(f"a run made more than {CALLS_MAX} calls")


def run(scene: Scene, boundary: Boundary, demand: Demand = Demand.DUE) -> None:
    """Run the program once, to its end or its death."""
    scene.run_until_crash(boundary, demand)


@BEGINNINGS
def test_dead_process_does_nothing_more(begin: Callable[[SecretSpec], Scene]) -> None:
    """No code of ours outlives the death of the process: nothing is called or recorded after it."""
    origin = begin(FAST)
    for number in range(1, CALLS_MAX):
        scene = origin.copy()
        try:
            scene.run(boundary=at_call(number, Fault.CRASH_BEFORE))
        except Crash:
            assert len(scene.last.calls) == number
            assert not isinstance(scene.last.trail[-1:], Ended)
        else:
            return
    pytest.fail("the process never ended")


# Two runs at once


@BEGINNINGS
@pytest.mark.parametrize("grace", [AT_ONCE, DAY], ids=["at once", "a day"])
@pytest.mark.parametrize(
    "demands",
    [(Demand.DUE, Demand.DUE), (Demand.FORCED, Demand.DUE), (Demand.DUE, Demand.FORCED)],
    ids=lambda demands: "-".join(demand.name for demand in demands),
)
def test_second_run_in_the_middle_of_the_first(
    begin: Callable[[SecretSpec], Scene], grace: timedelta, demands: tuple[Demand, Demand]
) -> None:
    """Wherever a whole second run falls into the first, consumers keep a live key, and all heals."""
    origin = begin(a_spec(grace=grace, settle=AT_ONCE))
    before = origin.current_key()
    for number in range(1, CALLS_MAX):
        scene = origin.copy()
        other = Scene(scene.systems, scene.spec, runs=50)
        second = meanwhile(number, lambda other=other: other.run(demands[1]))  # type: ignore[misc]  # binds the loop's variable
        run(scene, always_live(scene, second), demands[0])
        if len(scene.last.calls) < number:
            return
        check_current(scene)
        if grace and before:
            assert before in scene.live_keys()
        for _ in range(3):
            scene.passes(DAY + timedelta(hours=1))
            healed = scene.run(boundary=always_live(scene))
            assert healed.error is None, number
        assert scene.is_settled(), number
    pytest.fail("the first run never ended")


def test_loser_of_a_race_is_told() -> None:
    """Who comes second at the compare-and-swap fails; the winner's key is current."""
    scene = Scene.own(a_spec(settle=AT_ONCE))
    other = Scene(scene.systems, scene.spec, runs=50)
    outcome = scene.run(boundary=just_before(Operation.PUT_VALUE, other.run))
    assert isinstance(outcome.error, LabelConflictError)
    assert outcome.kind is OutcomeKind.FAILED
    assert scene.secret.labels[AWSCURRENT].endswith("51")


def test_no_generation_is_left_above_the_highest() -> None:
    """A key that somebody named with the last generation ends in words, not in a defect."""
    scene = Scene.own()
    scene.seed(scene.family.key_name(version_id(999_999_999, scene.systems.now(), "b" * 10)))
    outcome = scene.run()
    assert isinstance(outcome.error, UnsafeActionError)
    assert "999999999" in outcome.error.message
    assert "list" in outcome.error.next_step


def test_two_runs_may_finish_the_same_version() -> None:
    """Who finds a pending version finishes it; that the other one did so, too, is no failure."""
    scene = Scene.own(a_spec(settle=AT_ONCE))
    other = Scene(scene.systems, scene.spec, runs=50)
    outcome = scene.run(boundary=just_before(Operation.PROMOTE, other.run))
    assert (outcome.kind, outcome.error) == (OutcomeKind.ROTATED, None)
    assert scene.current_key() == outcome.key_id


# Faults by name


def test_lost_answer_to_create_is_never_repeated() -> None:
    """A create whose answer was lost is not sent again; the next run finds the key and retires it."""
    scene = Scene.own(FAST)
    outcome = scene.run(boundary=on(Operation.CREATE_KEY, Fault.LATE))
    assert isinstance(outcome.error, CreateOutcomeUnknownError)
    assert scene.last.calls.count(Operation.CREATE_KEY) == 1
    assert len(scene.live_keys()) == 2
    assert scene.run().reason is Reason.INTERRUPTED
    assert scene.is_settled()


@pytest.mark.parametrize("fault", [Fault.REJECTED, Fault.DENIED], ids=lambda fault: fault.name)
def test_refused_put_revokes_the_new_key_at_once(fault: Fault) -> None:
    """A key that surely was not stored is of no use to anybody."""
    scene = Scene.own(FAST)
    before = scene.current_key()
    outcome = scene.run(boundary=on(Operation.PUT_VALUE, fault))
    assert isinstance(outcome.error, StoreRejectedError)
    assert scene.live_keys() == {before} == {scene.current_key()}
    assert succeeded(scene.last) == [Audited.CREATE_KEY, Audited.REVOKE_KEY]
    assert AWSPENDING not in scene.labels()


def test_audit_that_fails_while_an_unstored_key_is_revoked() -> None:
    """Without a durable intent not even that revocation happens; the next run finds the key."""
    scene = Scene.own(FAST)
    refused = on(Operation.PUT_VALUE, Fault.REJECTED)
    before = ("begin", "plan", "create", "created", "put", "refused")
    outcome = scene.run(boundary=refused, audit_fails=range(len(before) + 1, 999))
    assert isinstance(outcome.error, AuditUnavailableError)
    assert Operation.REVOKE_KEY not in scene.last.calls
    scene.run()
    assert scene.is_settled()


def test_unknown_put_leaves_the_key_to_the_next_run() -> None:
    """A key that may have been stored is not revoked; the next run promotes it."""
    scene = Scene.own(FAST)
    scene.run(boundary=on(Operation.PUT_VALUE, Fault.LATE))
    pending = scene.key_in(AWSPENDING)
    assert pending in scene.live_keys()
    assert scene.run().reason is Reason.INTERRUPTED
    assert scene.current_key() == pending
    assert scene.is_settled()


def test_refused_put_and_refused_revoke() -> None:
    """If even that revocation fails, the key is found by its name."""
    scene = Scene.own(FAST)

    def boundary(operation: Operation) -> Fault | None:
        refused = operation in {Operation.PUT_VALUE, Operation.REVOKE_KEY}
        return Fault.REJECTED if refused else None

    outcome = scene.run(boundary=boundary)
    assert isinstance(outcome.error, StoreRejectedError)
    assert len(scene.live_keys()) == 2
    scene.run()
    assert scene.is_settled()


def test_key_that_never_works_is_not_promoted() -> None:
    """A new key that is never accepted stays pending, then is discarded and retired."""
    scene = Scene.own(a_spec(grace=AT_ONCE, settle=AT_ONCE, verify_timeout=timedelta(seconds=10)))
    before = scene.current_key()
    scene.systems.pinata.switches = Switches(activation=Delay(3600))
    assert isinstance(scene.run().error, KeyRejectedError)
    assert isinstance(scene.run().error, KeyRejectedError)
    assert scene.current_key() == before
    scene.systems.pinata.switches = Switches()
    scene.passes(scene.spec.pending_timeout + timedelta(minutes=1))
    assert scene.run().kind is OutcomeKind.ROTATED
    assert decisions(scene.last)[0] is Reason.STALLED
    assert scene.is_settled()
    assert scene.current_key() != before


def test_key_that_works_late_is_waited_for() -> None:
    """Within `verify_timeout` a new key may take its time, and flap."""
    scene = Scene.own(FAST, Switches(activation=Delay(12, flap_s=4)))
    assert scene.run().kind is OutcomeKind.ROTATED
    assert scene.is_settled()


def test_first_key_that_never_works_is_not_stored() -> None:
    """An empty secret stays empty rather than get a key that does not work."""
    scene = Scene.empty(FAST, Switches(activation=Delay(3600)))
    scene.systems.pinata.keys[scene.systems.admin.key] = scene.systems.admin
    assert isinstance(scene.run().error, KeyRejectedError)
    assert scene.labels() == {}
    assert scene.live_keys() == set()


def test_revoked_key_that_lives_on_is_told() -> None:
    """A key whose revocation does not take effect is reported, and tried again."""
    scene = Scene.own(FAST)
    scene.systems.pinata.switches = Switches(revocation=Delay(3600))
    outcome = scene.run()
    assert isinstance(outcome.error, KeyNotYetDeadError)
    assert (outcome.kind, outcome.error.remedy) == (OutcomeKind.ROTATED, Remedy.NEXT_RUN)
    assert Audited.PROVE_DEAD not in succeeded(scene.last)
    again = scene.run()
    assert isinstance(again.error, KeyStillAliveError)
    assert (again.kind, again.error.remedy) == (OutcomeKind.FAILED, Remedy.PERSON)


def test_revoked_key_that_stays_listed_is_told() -> None:
    """A list that goes on to show a revoked key as live is reported."""
    scene = Scene.own(FAST)
    lags = Switches(listing=Delay(60))
    outcome = scene.run(
        boundary=just_before(Operation.REVOKE_KEY, lambda: setattr(scene.systems.pinata, "switches", lags))
    )
    assert isinstance(outcome.error, KeyNotYetDeadError)


def test_death_is_waited_for() -> None:
    """Within `verify_timeout` a revoked key may take its time to die, in list and use."""
    lag = Delay(5)
    scene = Scene.own(FAST, Switches(revocation=lag, listing=lag))
    outcome = scene.run()
    assert outcome.error is None
    proof = next(e for e in events(scene.last) if isinstance(e, Done) and e.operation is Audited.PROVE_DEAD)
    assert "listed as revoked, its token is refused" in proof.detail
    assert scene.is_settled()


@pytest.mark.parametrize("record", range(1, 20))
def test_no_effect_without_a_durable_intent(record: int) -> None:
    """When the audit trail fails, nothing more happens; the next run heals what was begun."""
    scene = Scene.own(FAST)
    outcome = scene.run(audit_fails=range(record, 999), boundary=always_live(scene))
    assert isinstance(outcome.error, AuditUnavailableError)
    assert outcome.kind is OutcomeKind.FAILED
    assert effects_without_intent(scene.last) == []
    assert scene.run().error is None
    assert scene.is_settled()


def test_audit_that_fails_once_stops_the_run() -> None:
    """A single record that cannot be written ends the run, though the next one could be."""
    scene = Scene.own(FAST)
    outcome = scene.run(audit_fails={3})
    assert isinstance(outcome.error, AuditUnavailableError)
    assert scene.live_keys() == {scene.current_key()}


def test_end_that_cannot_be_recorded_is_a_failure() -> None:
    """A rotation whose end is not on record is not reported as a success."""
    scene = Scene.own(a_spec())
    whole = scene.copy()
    assert whole.run().kind is OutcomeKind.ROTATED
    outcome = scene.run(audit_fails={whole.last.records})
    assert isinstance(outcome.error, AuditUnavailableError)
    assert outcome.kind is OutcomeKind.FAILED
    assert [type(action) for action in outcome.actions] == [Create, Verify, Promote]


def test_time_is_up_before_a_key_is_made() -> None:
    """With too little time to store a key none is made."""
    scene = Scene.own(FAST)
    outcome = scene.run(time_left_s=19.0)
    assert isinstance(outcome.error, DeadlineExceededError)
    assert Operation.CREATE_KEY not in scene.last.calls


def test_short_timeout_needs_half_of_itself() -> None:
    """A timeout shorter than the reserve still lets a secret rotate."""
    scene = Scene.own(a_spec(grace=AT_ONCE, settle=AT_ONCE, timeout=timedelta(seconds=10)))
    assert scene.run().kind is OutcomeKind.ROTATED


def test_time_is_up_at_any_call() -> None:
    """Whenever time runs out, the next run finishes."""
    origin = Scene.own(FAST)
    for number in range(1, CALLS_MAX):
        scene = origin.copy()
        systems = scene.systems

        def late(systems: object = systems) -> None:
            systems.now_s += 1000  # type: ignore[attr-defined]  # the world of this round

        outcome = scene.run(boundary=meanwhile(number, late))
        if len(scene.last.calls) < number:
            return
        if number < 13:
            assert isinstance(outcome.error, DeadlineExceededError), number
        assert scene.run().error is None
        assert scene.is_settled(), number


# What people do


def test_hold_stops_everything_but_looking() -> None:
    """A held secret is left alone, also by force, and released again."""
    scene = Scene.own(FAST)
    scene.hold()
    for demand in Demand:
        outcome = scene.run(demand)
        assert (outcome.kind, outcome.reason) == (OutcomeKind.HELD, Reason.ON_HOLD)
    assert scene.is_settled()
    scene.release()
    assert scene.run().kind is OutcomeKind.ROTATED


def test_hold_in_the_middle_keeps_the_old_key() -> None:
    """A hold set while a run is at work stops it before it retires anything."""
    scene = Scene.own(FAST)
    before = scene.current_key()
    scene.run(boundary=just_before(Operation.PROMOTE, scene.hold))
    assert before in scene.live_keys()


def test_hold_between_two_revocations_stops_the_second() -> None:
    """Before each further revocation the labels are read again."""
    scene = Scene.own(FAST)
    for _ in range(2):
        run(scene, on(Operation.CREATE_KEY, Fault.CRASH_AFTER))
    outcome = scene.run(boundary=just_before(Operation.REVOKE_KEY, lambda: None))
    assert len(outcome.revoked) == 3
    scene = Scene.own(FAST)
    for _ in range(2):
        run(scene, on(Operation.CREATE_KEY, Fault.CRASH_AFTER))
    outcome = scene.run(boundary=just_before(Operation.REVOKE_KEY, scene.hold))
    assert isinstance(outcome.error, UnsafeActionError)
    assert len(outcome.revoked) == 1


def test_hand_edit_is_not_overwritten_unasked() -> None:
    """A key that a person put over ours stays until somebody forces; then it is taken over."""
    scene = Scene.own(FAST)
    scene.run()
    theirs = scene.seed("by hand")
    scene.edit(theirs)
    outcome = scene.run()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.HELD, Reason.DRIFTED)
    assert outcome.key_id == theirs.key == scene.current_key()
    assert scene.run(Demand.FORCED).kind is OutcomeKind.ROTATED
    scene.run()
    assert scene.is_settled()


@BEGINNINGS
def test_second_hand_edit_is_still_a_drift(begin: Callable[[SecretSpec], Scene]) -> None:
    """However often a person edits a secret that was ours, it stays theirs until somebody forces."""
    scene = begin(FAST)
    scene.run()
    scene.edit(scene.seed("first"), token="1" * 32)
    scene.edit(scene.seed("second"), token="2" * 32)
    assert scene.run().reason is Reason.DRIFTED


def test_forced_rotation_over_a_hand_edit_retires_the_edited_key() -> None:
    """A person edits while a rotation is unfinished, then forces: no key is forgotten."""
    scene = Scene.hand_made(FAST)
    run(scene, on(Operation.PUT_VALUE, Fault.CRASH_AFTER))
    theirs = scene.seed("by hand")
    scene.edit(theirs)
    scene.run(Demand.FORCED)
    for _ in range(3):
        scene.run(Demand.FORCED)
    assert theirs.key not in scene.live_keys()


def test_hand_edits_without_end_never_exhaust_the_labels() -> None:
    """Whoever overwrites the secret again and again within a grace is made to wait, and all is tidy afterwards."""
    scene = Scene.own(a_spec(grace=DAY))
    reasons = []
    for number in range(25):
        scene.edit(scene.seed("by hand"), token=f"{number:032}")
        outcome = scene.run(Demand.FORCED)
        assert outcome.error is None
        reasons.append(outcome.reason)
    assert reasons.index(Reason.WAITING_GRACE) == 10, "ten labels are in use"
    assert reasons[-1] is Reason.WAITING_GRACE
    assert len(scene.secret.labels) <= 20
    for _ in range(3):  # retire them, put the orphans below, replace the last edited one
        scene.passes(DAY * 2)
        assert scene.run(Demand.FORCED).error is None
    by_hand = {k.key for k in scene.systems.pinata.keys.values() if k.name == "by hand"}
    left = scene.live_keys() & by_hand
    assert scene.current_key() not in left
    # Those that a person put over one another were never ours to touch.
    assert len(left) == reasons.count(Reason.WAITING_GRACE) - 1


def test_roll_back_is_respected() -> None:
    """A label moved back by hand stays there, and nothing is retired meanwhile."""
    scene = Scene.own(a_spec())
    old = scene.labels()[AWSCURRENT]
    new = scene.run().version_id
    keys = scene.live_keys()
    scene.move(AWSCURRENT, old, new)
    scene.passes(DAY * 2)
    outcome = scene.run()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.HELD, Reason.ROLLED_BACK)
    assert (scene.labels()[AWSCURRENT], scene.live_keys()) == (old, keys)


def test_roll_back_to_a_dead_key_is_repaired() -> None:
    """A label moved back onto a key that was retired already gets a new key."""
    scene = Scene.own(FAST)
    old = scene.labels()[AWSCURRENT]
    new = scene.run().version_id
    scene.move(AWSCURRENT, old, new)
    assert scene.run().reason is Reason.KEY_REVOKED
    assert scene.is_settled()


def test_key_revoked_at_the_provider_is_replaced_inside_a_grace() -> None:
    """Consumers with a dead key get a new one at once."""
    scene = Scene.own(a_spec())
    scene.run()
    scene.revoke(scene.current_key() or "")
    outcome = scene.run()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.ROTATED, Reason.KEY_REVOKED)
    check_current(scene)


def test_key_deleted_at_the_provider_is_replaced() -> None:
    """A key that no list shows and that is refused is dead."""
    scene = Scene.own(a_spec())
    del scene.systems.pinata.keys[scene.current_key() or ""]
    assert scene.run().reason is Reason.CURRENT_REFUSED
    check_current(scene)


def test_force_inside_a_grace_waits() -> None:
    """A second rotation would expose the key before: it is refused."""
    scene = Scene.own(a_spec())
    scene.run()
    rotated = scene.current_key()
    outcome = scene.run(Demand.FORCED)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.WAITING, Reason.WAITING_GRACE)
    assert scene.current_key() == rotated


def test_leak_is_contained_in_one_run() -> None:
    """A leaked key is replaced and dead after one run, grace or not."""
    scene = Scene.own(a_spec())
    leaked = scene.current_key()
    scene.contain()
    outcome = scene.run()
    assert (outcome.reason, outcome.revoked) == (Reason.CONTAINED, (leaked,))
    assert CONTAIN_TAG not in scene.secret.tags
    assert scene.is_settled()
    assert scene.run().kind is OutcomeKind.UP_TO_DATE


def test_leak_inside_a_grace_retires_both() -> None:
    """A leak inside another rotation's grace retires every key but the new one."""
    scene = Scene.own(a_spec())
    scene.run()
    scene.contain()
    assert len(scene.run().revoked) == 2
    assert scene.is_settled()


def test_orphans_at_the_limit_are_fenced_off() -> None:
    """At the limit of keys the current one is put above every orphan; nothing is made."""
    scene = Scene.own(a_spec(settle=AT_ONCE))
    before = scene.current_key()
    for _ in range(2):
        run(scene, on(Operation.CREATE_KEY, Fault.CRASH_AFTER))
    outcome = scene.run()
    assert [type(action) for action in outcome.actions] == [Restamp, Promote]
    assert outcome.reason is Reason.FENCING
    assert scene.current_key() == before
    scene.passes(DAY * 2)
    outcome = scene.run()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.ROTATED, Reason.AGED_OUT)
    assert len(outcome.revoked) == 2


def test_native_placeholder_is_waited_for_then_discarded() -> None:
    """The empty version that RotateSecret leaves is not touched while it is young."""
    scene = Scene.own(FAST)
    scene.systems.secrets[scene.name] = label_rules.begin_rotation(
        scene.secret, scene.systems.now_s, token=HAND_ID, lambda_arn="arn:aws:lambda:x"
    )
    outcome = scene.run()
    assert (outcome.kind, outcome.reason) == (OutcomeKind.WAITING, Reason.IN_PROGRESS)
    scene.passes(timedelta(hours=2))
    assert scene.run().kind is OutcomeKind.ROTATED
    assert decisions(scene.last)[0] is Reason.STALLED
    assert scene.is_settled()


@pytest.mark.parametrize("leaks", [False, True], ids=["due", "leaked"])
def test_key_that_only_begins_like_ours_is_left_alone(*, leaks: bool) -> None:
    """A key whose name begins like those of ours, and is none of ours, is never revoked."""
    probed = a_spec(grace=AT_ONCE, settle=AT_ONCE, probe="/v3/files/public")
    scene = Scene.own(a_spec() if leaks else probed)
    if leaks:
        scene.contain()
    theirs = scene.seed(f"{scene.family.prefix}backup")
    assert theirs.key not in scene.run().revoked
    assert theirs.key in scene.live_keys()


def test_key_used_by_another_configured_secret_is_not_retired() -> None:
    """A hand-made key that two configured secrets share lives until neither uses it."""
    scene = Scene.hand_made(FAST)
    other = a_spec(name="other", secret_id="prod/pinata/other", grace=AT_ONCE, settle=AT_ONCE)
    shared = scene.systems.pinata.keys[scene.current_key() or ""]
    twin = Scene(scene.systems, other, (scene.spec,))
    scene.systems.secrets[twin.name] = label_rules.create(scene.systems.now_s, token=HAND_ID, value=scene.value(shared))
    scene.neighbours = (other,)
    assert scene.run().revoked == ()
    assert shared.key in scene.live_keys()
    twin.run()
    scene.run()
    assert shared.key not in scene.live_keys()


def test_managing_key_is_never_retired() -> None:
    """A secret that held the managing key itself gives it up, and it lives."""
    scene = Scene.empty(FAST)
    scene.edit(scene.systems.admin, token=HAND_ID)
    outcome = scene.run()
    assert (outcome.kind, outcome.revoked) == (OutcomeKind.ROTATED, ())
    assert scene.systems.pinata.keys[scene.systems.admin.key].revoked_at is None


def test_clock_skew_stops_retiring() -> None:
    """On a machine whose clock is wrong no grace can be measured, so nothing is revoked."""
    scene = Scene.own(a_spec(grace=timedelta(minutes=5)))
    before = scene.current_key()
    scene.run()
    scene.passes(timedelta(hours=1))
    scene.systems.skew_s = -61.0
    error = scene.run().error
    assert isinstance(error, ClockError)
    side = "behind" if scene.systems.skew_s > 0 else "ahead of"
    assert f"{abs(scene.systems.skew_s):.0f} s {side} AWS's" in error.message
    assert before in scene.live_keys()
    scene.systems.skew_s = -59.0
    assert scene.run().error is None
    assert scene.is_settled()


# Replicas


def replicated(spec: SecretSpec) -> Scene:
    """Return a scene with a key of ours whose secret has a replica."""
    scene = Scene.own(spec)
    scene.systems.secrets[scene.name] = replicas.replicate(scene.secret, ["eu-west-1"])
    return scene


def falls(scene: Scene, status: ReplicaStatus) -> None:
    """Let replication come to something."""
    scene.systems.secrets[scene.name] = replicas.set_status(scene.secret, "eu-west-1", status)


def test_old_key_lives_until_every_replica_is_in_sync() -> None:
    """A replica that is behind keeps the key before alive, a failed one asks for a person, one in sync lets it die."""
    scene = replicated(FAST)
    before = scene.current_key()
    falls(scene, ReplicaStatus.IN_PROGRESS)
    assert scene.run().kind is OutcomeKind.ROTATED
    assert before in scene.live_keys()
    waiting = scene.run()
    assert (waiting.kind, waiting.reason) == (OutcomeKind.WAITING, Reason.REPLICA_BEHIND)
    falls(scene, ReplicaStatus.FAILED)
    stuck = scene.run()
    assert (stuck.kind, stuck.reason) == (OutcomeKind.HELD, Reason.REPLICA_STUCK)
    assert before in scene.live_keys()
    falls(scene, ReplicaStatus.IN_SYNC)
    assert scene.run().revoked == (before,)
    assert scene.is_settled()


def test_removed_replica_keeps_nothing_alive() -> None:
    """A person who gives a failed replica up lets the key before die."""
    scene = replicated(FAST)
    falls(scene, ReplicaStatus.FAILED)
    scene.run()
    scene.systems.secrets[scene.name] = replicas.unreplicate(scene.secret, ["eu-west-1"])
    assert scene.run().kind is OutcomeKind.UP_TO_DATE
    assert scene.is_settled()


def test_leaked_key_does_not_wait_for_a_replica() -> None:
    """A key that is in wrong hands dies at once."""
    scene = replicated(a_spec())
    falls(scene, ReplicaStatus.FAILED)
    before = scene.current_key()
    scene.contain()
    assert scene.run().revoked == (before,)
    assert scene.is_settled()


def test_row_of_a_list_revokes_nothing() -> None:
    """A row of ListSecrets tells of no replica: before a key dies the secret is described, by a run and by a plan."""
    scene = replicated(a_spec())
    scene.run()
    scene.passes(DAY + timedelta(seconds=1))
    falls(scene, ReplicaStatus.FAILED)
    process = scene.last = Process(scene.systems)
    world = scene._world(process)
    row = world.store.survey((scene.name,), process)[scene.name]
    assert not row.replicas_behind
    run = Run(scene.systems.now(), "r" * 10, Demand.DUE, process, process.now)
    planned, _ = preview(scene.spec, row, world, run)
    assert (planned.reason, planned.actions) == (Reason.REPLICA_STUCK, ())
    outcome = reconcile(scene.spec, row, world, run)
    assert (outcome.kind, outcome.reason) == (OutcomeKind.HELD, Reason.REPLICA_STUCK)
    assert len(scene.live_keys()) == 2


def test_labels_are_read_anew_before_a_key_dies() -> None:
    """What happens between the first look and the revocation counts: here a hold, set while the keys are listed."""
    scene = Scene.own(a_spec())
    scene.run()
    scene.passes(DAY + timedelta(seconds=1))

    def boundary(operation: Operation) -> Fault | None:
        if operation is Operation.LIST_KEYS and "rotator:hold" not in scene.secret.tags:
            scene.hold()
        return None

    assert scene.run(boundary=boundary).kind is OutcomeKind.HELD
    assert len(scene.live_keys()) == 2


# Values and scopes


@pytest.mark.parametrize("label", [AWSPENDING, AWSPREVIOUS])
def test_binary_value_elsewhere_does_not_matter(label: str) -> None:
    """A binary value in a version that consumers do not read does not stop a rotation."""
    scene = Scene.empty(FAST)
    scene.put_raw(b"\x00\x01", "b" * 32)
    scene.edit(scene.seed("by hand"))
    if label == AWSPENDING:
        scene.put_raw(b"\x00\x02", "c" * 32, AWSPENDING)
    assert scene.run().error is None
    assert scene.is_settled()


@pytest.mark.parametrize("value", [b"\x00", "not JSON", '{"other": 1}'], ids=repr)
def test_unusable_current_value_is_left_alone(value: str | bytes) -> None:
    """A current value that is no credential is an error for a person, and stays as it is."""
    scene = Scene.empty(FAST)
    scene.put_raw(value, "b" * 32)
    outcome = scene.run(Demand.FORCED)
    assert isinstance(outcome.error, SecretValueError)
    assert scene.secret.get().value == value
    assert scene.live_keys() == set()


def test_value_that_cannot_be_written_costs_no_key() -> None:
    """A value that can be read but not composed anew leaves no live key behind."""
    scene = Scene.empty(FAST)
    key = scene.seed("by hand")
    scene.put_raw(scene.value(key)[:-1] + ', "note": "\\ud800"}', "b" * 32)
    outcome = scene.run()
    assert outcome.kind in {OutcomeKind.ROTATED, OutcomeKind.FAILED}
    assert scene.live_keys() == {scene.current_key()}


def replace_scopes(made: KeyRecord, scopes: tuple[str, ...]) -> KeyRecord:
    """Return a key with other scopes."""
    return replace(made, permissions=Permissions(resources=scopes))


@pytest.mark.parametrize("scopes", [("org:files:write", "org:write"), ("org:files:read",)], ids=["wider", "narrower"])
def test_key_with_other_scopes_is_not_promoted(scopes: tuple[str, ...]) -> None:
    """A key whose listed scopes are not those asked for is not promoted."""
    scene = Scene.own(a_spec())
    before = scene.current_key()

    def swap() -> None:
        keys = scene.systems.pinata.keys
        newest = list(keys)[-1]
        keys[newest] = replace_scopes(keys[newest], scopes)

    outcome = scene.run(boundary=just_before(Operation.LIST_KEYS, swap, nth=3))
    assert isinstance(outcome.error, KeyScopeError)
    assert scene.live_keys() == {scene.current_key()} == {before}


def test_probes_decide() -> None:
    """A key must be allowed what `probe` says, and refused what `negative_probe` says."""
    both = {"grace": AT_ONCE, "settle": AT_ONCE}
    files, pins = "/v3/files/public", "/data/pinList"
    good = Scene.own(a_spec(probe=files, negative_probe=pins, **both))
    assert good.run().kind is OutcomeKind.ROTATED
    assert isinstance(Scene.own(a_spec(probe=pins, **both)).run().error, KeyRejectedError)
    assert isinstance(Scene.own(a_spec(negative_probe=files, **both)).run().error, KeyScopeError)


# Ends


def test_preview_changes_nothing() -> None:
    """A preview is the first plan of a run, and leaves both systems as they are."""
    scene = Scene.own(FAST)
    before = (scene.labels(), scene.live_keys())
    chosen = scene.preview()
    assert chosen.reason is Reason.AGED_OUT
    assert [type(action) for action in chosen.actions] == [Create, Verify, Promote]
    assert (scene.labels(), scene.live_keys()) == before


def test_secret_that_never_settles_is_given_up() -> None:
    """A run against somebody who undoes it stops after a bounded number of plans."""
    scene = Scene.own(FAST)

    def spoil() -> None:
        name = f"p{len(scene.secret.versions):031}"
        scene.put_raw("nonsense", name, AWSPENDING)

    def boundary(operation: Operation) -> None:
        if operation is Operation.DESCRIBE:
            spoil()

    outcome = scene.run(boundary=boundary)
    assert isinstance(outcome.error, UnsafeActionError)
    assert f"{PASSES_MAX} plans" in outcome.error.message


def test_audit_that_cannot_begin() -> None:
    """Without a trail there is no run: nothing is read or written."""
    scene = Scene.own(FAST)
    outcome = scene.run(audit_fails={1})
    assert isinstance(outcome.error, AuditUnavailableError)
    assert outcome.run_id == ""
    assert scene.last.calls == [Operation.DESCRIBE]
