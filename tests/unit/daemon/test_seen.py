"""What is remembered between two looks, and who is looked at next."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.errors import (
    CreateOutcomeUnknownError,
    KeyScopeError,
    RotatorError,
    SecretNotFoundError,
    StoppedError,
)
from rotator.fleet import Target
from rotator.model import AWSCURRENT, AWSPREVIOUS, Outcome, OutcomeKind, Plan, Reason
from rotator.naming import version_id
from rotator.seen import (
    BACK_OFF_MAX,
    NEVER,
    Seen,
    after_failure,
    after_preview,
    after_run,
    back_off,
    is_awake,
    recalled,
    standing,
    urgency,
)
from rotator.standing import OldKey
from tests.builders import NOW, a_key, a_spec, a_version, ago, an_observed

SPEC = a_spec(check_every=timedelta(days=9999))
EVERY = timedelta(minutes=5)
YOUNG = a_version(version_id(4, ago(days=3), "c" * 10), AWSCURRENT, key="key-4")
SETTLED = an_observed(YOUNG, keys=[a_key(4)], changed_at=ago(days=3))
TARGET = Target(SPEC, SETTLED.labels)


def outcome(kind: OutcomeKind, reason: Reason | None, error: RotatorError | None = None) -> Outcome:
    """Return the outcome of a run that saw the settled secret."""
    return Outcome("uploader", "r", kind, reason, None, None, (), (), error, SETTLED)


LOOKED = after_run(NEVER, SPEC, outcome(OutcomeKind.UP_TO_DATE, Reason.UP_TO_DATE), ago(hours=1))


def awake(seen: Seen, target: Target = TARGET) -> bool:
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
        pytest.param(
            replace(LOOKED, failures=2, looked_at=NOW - EVERY), id="two failures, long enough ago"
        ),
        pytest.param(
            Seen(ago(days=4), ago(days=4), "rotated"), id="changed since a look that is recalled"
        ),
    ],
)
def test_awake(seen: Seen) -> None:
    """Each of these is a reason to look closely."""
    assert awake(seen)


def test_asleep_while_backed_off() -> None:
    """After a second failure the next tick passes by."""
    assert not awake(replace(LOOKED, failures=2, looked_at=NOW - EVERY + timedelta(seconds=1)))


def test_changed_secret_is_awake() -> None:
    """Any change of labels, tags or values since the last look is looked at."""
    changed = Target(SPEC, replace(SETTLED.labels, changed_at=ago(minutes=1)))
    assert awake(LOOKED, changed)


def test_person_or_window_is_waited_for() -> None:
    """What a person holds, or what waits for a window, is not asked about at each tick."""
    old = a_version(version_id(4, ago(days=60), "c" * 10), AWSCURRENT, key="key-4")
    seen = an_observed(old, keys=[a_key(4)], changed_at=ago(days=60), hold="incident")
    held = after_run(
        NEVER,
        SPEC,
        replace(outcome(OutcomeKind.HELD, Reason.ON_HOLD), observed=seen),
        ago(hours=1),
    )
    assert "remove it" in held.needs_person
    target = Target(SPEC, seen.labels)
    assert not awake(held, target)
    assert awake(replace(held, looked_at=ago(days=59, hours=12)), target), (
        "its grace has ended since"
    )
    assert awake(replace(held, outcome="waiting"), target)


def test_back_off_doubles_and_ends() -> None:
    """At once, then one tick, three, seven, until the most; and no number is too large."""
    ticks = [back_off(failures, EVERY) / EVERY for failures in (1, 2, 3, 4, 5, 6, 10**9)]
    assert ticks == [0, 1, 3, 7, BACK_OFF_MAX / EVERY, 12, 12]


def test_failures_add_up_and_end() -> None:
    """Failures in a row are counted, keep the last success, and are forgotten with the next one."""
    lost = outcome(OutcomeKind.FAILED, None, CreateOutcomeUnknownError("no answer"))
    once = after_run(LOOKED, SPEC, lost, ago(minutes=9))
    twice = after_run(once, SPEC, lost, ago(minutes=4))
    assert (twice.failures, twice.success_at, twice.error) == (2, ago(hours=1), "no answer")
    assert twice.needs_person == ""
    scope = outcome(OutcomeKind.FAILED, None, KeyScopeError("too wide"))
    assert "permissions" in after_run(twice, SPEC, scope, NOW).needs_person
    assert after_failure(twice, SecretNotFoundError("gone"), NOW).failures == 3
    healed = after_run(twice, SPEC, outcome(OutcomeKind.ROTATED, Reason.AGED_OUT), NOW)
    assert (healed.failures, healed.error, healed.success_at) == (0, "", NOW)


def test_stop_is_no_failure() -> None:
    """A run that was told to stop leaves what was remembered as it was."""
    stopped = outcome(OutcomeKind.FAILED, Reason.AGED_OUT, StoppedError("told to stop"))
    assert after_run(LOOKED, SPEC, stopped, NOW) == LOOKED


def test_recall() -> None:
    """From the ends of runs in the trail: failures in a row, and what is a person's to do."""
    seen = recalled(NEVER, SPEC, ago(hours=3), "rotated", "")
    assert (seen.failures, seen.success_at) == (0, ago(hours=3) - SPEC.timeout)
    seen = recalled(seen, SPEC, ago(hours=2), "failed", "the next run retries: no answer")
    seen = recalled(seen, SPEC, ago(hours=1), "unknown", "the run did not end")
    assert (seen.failures, seen.success_at) == (2, ago(hours=3) - SPEC.timeout)
    seen = recalled(seen, SPEC, NOW, "failed", "a person must act: too wide")
    assert (seen.needs_person, seen.error, seen.outcome) == ("too wide", "too wide", "failed")


def test_standing_of_a_look() -> None:
    """Old keys with the end of their grace, orphans, age and next rotation."""
    current = a_version(version_id(5, ago(hours=2), "c" * 10), AWSCURRENT, key="key-5")
    previous = a_version(4, AWSPREVIOUS)
    seen = an_observed(
        current,
        previous,
        keys=[a_key(5), a_key(4), a_key(7), a_key(3)],
        changed_at=ago(hours=2),
    )
    looked = after_preview(
        NEVER, SPEC, Plan(Reason.TOO_MANY_KEYS, (), None), replace(seen, witnessed=())
    )
    row = standing(SPEC, seen.labels, looked, NOW)
    ends = ago(hours=2) + SPEC.grace
    assert row.old_keys == (OldKey("key-3", ends), OldKey("key-4", ends))
    assert row.orphans == 2, "key-7 was made and never promoted, key-3 is behind no label"
    assert (row.generation, row.arn, row.window, row.window_open) == (5, seen.labels.arn, "", True)
    assert row.born_at is not None
    assert row.due_at is not None
    assert row.needs_person


def test_standing_by_labels_alone() -> None:
    """A secret that nobody looked at closely yet shows what its version id says."""
    row = standing(SPEC, SETTLED.labels, NEVER, NOW)
    assert (row.generation, row.born_at, row.last_outcome) == (4, ago(days=3), "")
    nothing = standing(SPEC, None, NEVER, NOW)
    assert (nothing.generation, nothing.arn, nothing.due_at) == (None, "", None)


def test_order_of_a_board() -> None:
    """A person first, then failures, then what is due first, then what is never due."""
    row = standing(SPEC, SETTLED.labels, NEVER, NOW)
    rows = [
        replace(row, name="e", due_at=None),
        replace(row, name="d"),
        replace(row, name="c", due_at=NOW),
        replace(row, name="b", failures=1),
        replace(row, name="a", needs_person="act"),
    ]
    assert [r.name for r in sorted(rows, key=urgency)] == ["a", "b", "c", "d", "e"]
