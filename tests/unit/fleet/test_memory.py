"""What is remembered between two looks, and who is looked at next."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.fleet.lookup import Target
from rotator.fleet.memory import (
    BACK_OFF_MAX,
    NEVER,
    LastLook,
    after_failure,
    after_preview,
    after_run,
    back_off,
    is_awake,
    recalled,
    status_of,
)
from rotator.model.errors import (
    CreateOutcomeUnknownError,
    KeyScopeError,
    RotatorError,
    SecretNotFoundError,
    StoppedError,
)
from rotator.model.events import Failure, RunEnd
from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT, AWSPREVIOUS, OURS
from rotator.model.plan import Outcome, OutcomeKind, Plan
from rotator.model.reasons import Reason
from rotator.model.status import Attention, OldKey, urgency
from tests.builders import NOW, a_key, a_spec, a_version, ago, an_observed

SPEC = a_spec(check_every=timedelta(days=9999))
EVERY = timedelta(minutes=5)
YOUNG = a_version(version_id(4, ago(days=3), "c" * 10), AWSCURRENT, key="key-4")
SETTLED = an_observed(YOUNG, keys=[a_key(4)], changed_at=ago(days=3))
TARGET = Target(SPEC, SETTLED.description)


def outcome(kind: OutcomeKind, reason: Reason | None, error: RotatorError | None = None) -> Outcome:
    """Return the outcome of a run that saw the settled secret."""
    return Outcome("uploader", "r", kind, reason, error=error, observed=SETTLED)


LOOKED = after_run(NEVER, SPEC, outcome(OutcomeKind.UP_TO_DATE, Reason.UP_TO_DATE), ago(hours=1))


def awake(seen: LastLook, target: Target = TARGET) -> bool:
    """Tell whether a secret is looked at closely now."""
    return is_awake(target, seen, now=NOW, every=EVERY)


def test_settled_secret_sleeps() -> None:
    """Nothing is due, nothing changed, it is not its slot."""
    assert not awake(LOOKED)


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(NEVER, id="never looked at"),
        pytest.param(replace(LOOKED, looked_at=NOW + timedelta(days=1)), id="a look in the future"),
        pytest.param(replace(LOOKED, failures=1), id="a failure"),
        pytest.param(replace(LOOKED, failures=2, looked_at=NOW - EVERY), id="two failures, long enough ago"),
        pytest.param(
            LastLook(looked_at=ago(days=4), outcome=OutcomeKind.ROTATED), id="changed since a look that is recalled"
        ),
    ],
)
def test_awake(seen: LastLook) -> None:
    """Each of these is a reason to look closely."""
    assert awake(seen)


def test_asleep_while_backed_off() -> None:
    """After a second failure the next tick passes by."""
    assert not awake(replace(LOOKED, failures=2, looked_at=NOW - EVERY + timedelta(seconds=1)))


def test_changed_secret_is_awake() -> None:
    """Any change of labels, tags or values since the last look is looked at."""
    changed = Target(SPEC, replace(SETTLED.description, changed_at=ago(minutes=1)))
    assert awake(LOOKED, changed)


def test_person_or_window_is_waited_for() -> None:
    """What a person holds, or what waits for a window, is not asked about at each tick."""
    old = a_version(version_id(4, ago(days=60), "c" * 10), AWSCURRENT, key="key-4")
    seen = an_observed(old, keys=[a_key(4)], changed_at=ago(days=60), hold="incident")
    held = after_run(NEVER, SPEC, replace(outcome(OutcomeKind.HELD, Reason.ON_HOLD), observed=seen), ago(hours=1))
    assert "rotator release" in status_of(SPEC, seen.description, held, NOW).next_step
    target = Target(SPEC, seen.description)
    assert not awake(held, target)
    assert awake(replace(held, looked_at=ago(days=59, hours=12)), target), "its grace has ended since"
    assert awake(replace(held, outcome=OutcomeKind.WAITING), target)


def test_back_off_doubles_and_ends() -> None:
    """At once, then one tick, three, seven, until the most; and no number is too large."""
    ticks = [back_off(failures, EVERY) / EVERY for failures in (1, 2, 3, 4, 5, 6, 10**9)]
    assert ticks == [0, 1, 3, 7, BACK_OFF_MAX / EVERY, 12, 12]


def test_failures_add_up_and_end() -> None:
    """Failures in a row are counted, keep the last success, and are forgotten with the next one."""
    lost = outcome(OutcomeKind.FAILED, None, CreateOutcomeUnknownError("no answer"))
    once = after_run(LOOKED, SPEC, lost, ago(minutes=9))
    twice = after_run(once, SPEC, lost, ago(minutes=4))
    assert (twice.failures, twice.success_at) == (2, ago(hours=1))
    status = status_of(SPEC, SETTLED.description, twice, NOW)
    assert (status.error, status.attention) == ("no answer", Attention.FAILING)
    scope = outcome(OutcomeKind.FAILED, None, KeyScopeError("too wide"))
    thrice = status_of(SPEC, SETTLED.description, after_run(twice, SPEC, scope, NOW), NOW)
    assert "permissions" in thrice.next_step
    assert thrice.needs_person
    assert after_failure(twice, SecretNotFoundError("gone"), NOW).failures == 3
    healed = after_run(twice, SPEC, outcome(OutcomeKind.ROTATED, Reason.AGED_OUT), NOW)
    assert (healed.failures, healed.failure, healed.success_at) == (0, None, NOW)


def test_stop_is_no_failure() -> None:
    """A run that was told to stop leaves what was remembered as it was."""
    stopped = outcome(OutcomeKind.FAILED, Reason.AGED_OUT, StoppedError("told to stop"))
    assert after_run(LOOKED, SPEC, stopped, NOW) == LOOKED


def test_recall() -> None:
    """From the ends of runs in the trail: failures in a row, and what is a person's to do."""
    look = recalled(NEVER, SPEC, RunEnd(ago(hours=3), OutcomeKind.ROTATED, None))
    assert (look.failures, look.success_at) == (0, ago(hours=3) - SPEC.timeout)
    for hours, error in ((2, CreateOutcomeUnknownError("no answer")), (1, KeyScopeError("wide"))):
        end = RunEnd(ago(hours=hours), OutcomeKind.FAILED, Failure.of(error))
        look = recalled(look, SPEC, end)
    assert (look.failures, look.success_at) == (2, ago(hours=3) - SPEC.timeout)
    status = status_of(SPEC, SETTLED.description, look, NOW)
    assert (status.error, status.next_step) == ("wide", KeyScopeError("").next_step)
    assert (status.needs_person, status.last_outcome) == (True, OutcomeKind.FAILED)


def test_status_of_a_look() -> None:
    """Old keys with the end of their grace, orphans, age and next rotation."""
    current = a_version(version_id(5, ago(hours=2), "c" * 10), AWSCURRENT, key="key-5")
    previous = a_version(4, AWSPREVIOUS)
    seen = an_observed(current, previous, keys=[a_key(5), a_key(4), a_key(7), a_key(3)], changed_at=ago(hours=2))
    looked = after_preview(NEVER, SPEC, Plan(Reason.TOO_MANY_KEYS, (), None), replace(seen, witnessed=()), NOW)
    row = status_of(SPEC, seen.description, looked, NOW)
    ends = ago(hours=2) + SPEC.grace
    assert row.old_keys == (OldKey("key-3", ends), OldKey("key-4", ends))
    assert row.orphans == 2, "key-7 was made and never promoted, key-3 is behind no label"
    assert (row.generation, row.arn, row.window, row.window_open) == (5, seen.description.arn, "", True)
    assert row.born_at is not None
    assert row.due_at is not None
    assert row.needs_person


def test_status_by_labels_alone() -> None:
    """A secret that nobody looked at closely yet shows what its version id says."""
    row = status_of(SPEC, SETTLED.description, NEVER, NOW)
    assert (row.generation, row.born_at, row.last_outcome) == (4, ago(days=3), None)
    assert (row.old_keys, row.orphans) == (None, None), "nobody has looked"
    nothing = status_of(SPEC, None, NEVER, NOW)
    assert (nothing.generation, nothing.arn, nothing.due_at) == (None, "", None)


def test_waiting_for_attempts_that_failed_is_a_failure() -> None:
    """A look that backs off found nothing wrong by itself; that nothing gets done is said all the same."""
    looked = after_preview(NEVER, SPEC, Plan(Reason.BACKING_OFF, (), None), SETTLED, NOW)
    row = status_of(SPEC, SETTLED.description, looked, NOW)
    assert (row.attention, row.needs_person) == (Attention.FAILING, False)
    assert "rotator history uploader" in row.next_step


def test_what_is_not_writable_was_not_read() -> None:
    """Of a replica only the description is known: nothing is counted, and nobody is called unserved."""
    ours = a_version(version_id(4, ago(days=3), "c" * 10), AWSCURRENT, OURS)
    seen = an_observed(ours, keys=())
    seen = replace(seen, description=replace(seen.description, primary_region="us-east-1"))
    looked = after_preview(NEVER, SPEC, Plan(Reason.WRONG_REGION, (), None), seen, NOW)
    row = status_of(SPEC, seen.description, looked, NOW)
    assert seen.description.is_replica()
    assert (row.old_keys, row.orphans, row.generation) == (None, None, 4)
    assert row.attention is Attention.PERSON


def test_order_of_a_fleet() -> None:
    """A person first, then failures, then what is due first, then what is never due."""
    row = status_of(SPEC, SETTLED.description, NEVER, NOW)
    rows = [
        replace(row, name="e", due_at=None),
        replace(row, name="d"),
        replace(row, name="c", due_at=NOW),
        replace(row, name="b", attention=Attention.FAILING),
        replace(row, name="a", attention=Attention.PERSON),
    ]
    assert [r.name for r in sorted(rows, key=urgency)] == ["a", "b", "c", "d", "e"]
