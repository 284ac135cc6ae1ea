"""The planner as tables: a history in a sentence, and the plan that follows from it.

The order of the tables is the order of the rules. Unless a case says otherwise it is Monday noon,
`max_age` is 30 days, `grace` 24 hours, `settle` 5 minutes, three keys may live, every version and
key is a day old, and no label has changed for 25 hours.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from rotator.engine.age import born_at
from rotator.engine.jitter import rotate_after
from rotator.engine.planner import plan
from rotator.engine.superseded import superseded_keys
from rotator.model.consumers import EcsService, RollOut, Standing
from rotator.model.naming import since_label, version_id
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    OURS,
    REPLACED_PREFIX,
    KeyState,
    NoCredential,
    NoValue,
    Observed,
    Proof,
    ProviderKey,
)
from rotator.model.plan import (
    Action,
    Create,
    Discard,
    Promote,
    ProveDead,
    Redeploy,
    Restamp,
    Revoke,
    Stamp,
    Tag,
    Unlabel,
    Untag,
    Verify,
)
from rotator.model.reasons import Reason
from rotator.model.secret import Blackout, Demand, SecretSpec, Window
from tests.builders import (
    ARN,
    AT_ONCE,
    FAMILY,
    NATIVE_ID,
    NEEDS_PERSON,
    NOW,
    a_dead_key,
    a_key,
    a_spec,
    a_version,
    ago,
    an_observed,
    own_id,
)

OTHER_ID = "0" * 32
DUE_AFTER = rotate_after(timedelta(days=30), ARN)
REPLACED_FOREIGN = f"{REPLACED_PREFIX}foreign"
CLOSED = Window(frozenset({5, 6}), time(9), time(17), ZoneInfo("UTC"))
"""Open at weekends."""


@dataclass(frozen=True, slots=True)
class Case:
    """A history, and the plan that follows."""

    history: str
    observed: Observed
    reason: Reason
    actions: tuple[Action, ...] = ()
    spec: SecretSpec = field(default_factory=a_spec)
    demand: Demand = Demand.DUE


def new_id(generation: int) -> str:
    """Return the id that a new version gets."""
    return version_id(generation, NOW, "n" * 10)


def rotate(generation: int, replacing: int | str | None) -> tuple[Action, ...]:
    """Return the actions of a rotation."""
    return Create(new_id(generation), old(replacing), new_id(generation)), *finish(new_id(generation), replacing)


def finish(pending: str, replacing: int | str | None) -> tuple[Action, ...]:
    """Return the actions that finish a rotation."""
    return Verify(pending), Promote(pending, old(replacing))


def fence(generation: int, replacing: int | str) -> tuple[Action, ...]:
    """Return the actions that put the current key above every orphan."""
    before = replacing if isinstance(replacing, str) else own_id(replacing)
    return Restamp(new_id(generation), before), Promote(new_id(generation), before)


def retire(*key_ids: str) -> tuple[Action, ...]:
    """Return the actions that retire keys."""
    return tuple(action for key_id in key_ids for action in (Revoke(key_id), ProveDead(key_id)))


def stamp(generation: int, promoted_at: datetime) -> tuple[Action, ...]:
    """Return the action that writes down when the current version was promoted."""
    return (Stamp(own_id(generation), promoted_at),)


def old(version: int | str | None) -> str | None:
    """Return the id of a version that is given by its generation or id."""
    return own_id(version) if isinstance(version, int) else version


CURRENT = a_version(4, AWSCURRENT)
STRANGERS = "f" * 20
"""The id of a key that nobody here has."""
MANY_REPLACED = [f"{REPLACED_PREFIX}hand-{number}" for number in range(12)]
AGED = a_version(4, AWSCURRENT, made_at=ago(days=30))
PREVIOUS = a_version(3, AWSPREVIOUS)
SINCE_NOW = a_version(4, AWSCURRENT, since_label(NOW), made_at=NOW)
SINCE_LONG = a_version(4, AWSCURRENT, since_label(ago(days=2)), made_at=ago(days=2))
SERVICE, REDEPLOYED = EcsService("prod", "uploader"), EcsService("prod", "pinner", redeploy=True)
BEHIND, FOLLOWED, STUCK = (Standing(SERVICE, state) for state in (RollOut.BEHIND, RollOut.FOLLOWED, RollOut.STUCK))
REDEPLOYED_BEHIND = Standing(REDEPLOYED, RollOut.BEHIND)
REDEPLOYED_ROLLING = Standing(REDEPLOYED, RollOut.ROLLING)
FOREIGN = a_version(NATIVE_ID, AWSCURRENT)
SETTLED = an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_dead_key(3)])

HELD = [
    Case(
        "a held secret is left alone, whatever is due and whatever could be retired",
        an_observed(AGED, keys=[a_key(4), a_key(3)], hold=""),
        Reason.ON_HOLD,
    ),
    Case("nobody can force a held secret", an_observed(CURRENT, hold="incident"), Reason.ON_HOLD, demand=Demand.FORCED),
    Case("not even a leak lifts a hold", an_observed(CURRENT, hold="incident", contain="key-4 x"), Reason.ON_HOLD),
    Case("a hold comes before a drift", an_observed(FOREIGN, PREVIOUS, hold="incident"), Reason.ON_HOLD),
]

DRIFTED = [
    Case("a person put another key over ours", an_observed(FOREIGN, a_version(4, AWSPREVIOUS)), Reason.DRIFTED),
    Case(
        "a person put another key over ours, which a native rotation had made",
        an_observed(FOREIGN, a_version(OTHER_ID, AWSPREVIOUS, key="key-4"), keys=[a_key(4)]),
        Reason.DRIFTED,
    ),
    Case("a person edited twice a secret that was ours", an_observed(FOREIGN, a_version(1, OURS)), Reason.DRIFTED),
    Case(
        "a take-over that died before its promotion is no drift",
        an_observed(FOREIGN, a_version(1, AWSPENDING, OURS, REPLACED_FOREIGN, made_at=NOW)),
        Reason.INTERRUPTED,
        finish(own_id(1), NATIVE_ID),
    ),
    Case(
        "a take-over that was discarded is no drift",
        an_observed(FOREIGN, a_version(1, OURS, REPLACED_FOREIGN), keys=[a_dead_key(1)]),
        Reason.ADOPTED,
        rotate(2, NATIVE_ID),
    ),
    Case(
        "a person put another key in while we were taking over",
        an_observed(
            a_version(NATIVE_ID, AWSCURRENT, key="other"), a_version(1, AWSPENDING, OURS, REPLACED_FOREIGN, made_at=NOW)
        ),
        Reason.DRIFTED,
    ),
    Case(
        "a person put another key in while we were taking over, and forces us on",
        an_observed(
            a_version(NATIVE_ID, AWSCURRENT, key="other"), a_version(1, AWSPENDING, OURS, REPLACED_FOREIGN, made_at=NOW)
        ),
        Reason.SUPERSEDED,
        (Discard(own_id(1)),),
        demand=Demand.FORCED,
    ),
    Case(
        "a drift is lifted by force",
        an_observed(FOREIGN, a_version(4, AWSPREVIOUS), keys=[a_dead_key(4)]),
        Reason.ADOPTED,
        rotate(5, NATIVE_ID),
        demand=Demand.FORCED,
    ),
    Case(
        "a drift is lifted by a leak",
        an_observed(FOREIGN, a_version(4, AWSPREVIOUS), keys=[a_dead_key(4)], contain="foreign x"),
        Reason.CONTAINED,
        rotate(5, NATIVE_ID),
    ),
    Case(
        "a drift is not lifted by the leak of a key that nobody has",
        an_observed(FOREIGN, a_version(4, AWSPREVIOUS), contain=f"{STRANGERS} x"),
        Reason.DRIFTED,
    ),
    Case(
        "another field edited by hand around our key is no drift",
        an_observed(a_version(NATIVE_ID, AWSCURRENT, key="key-4"), a_version(4, AWSPREVIOUS), keys=[a_key(4)]),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a drift comes before a pending version",
        an_observed(FOREIGN, a_version(4, AWSPREVIOUS), a_version(5, AWSPENDING)),
        Reason.DRIFTED,
    ),
]

ROLLED_BACK = [
    Case(
        "a person moved the label back: nothing moves, nothing is retired",
        an_observed(a_version(3, AWSCURRENT), a_version(4, AWSPREVIOUS), keys=map(a_key, (2, 3, 4))),
        Reason.ROLLED_BACK,
    ),
    Case(
        "a roll-back to a dead key is repaired",
        an_observed(a_version(3, AWSCURRENT), a_version(4, AWSPREVIOUS), keys=[a_dead_key(3), a_key(4)]),
        Reason.KEY_REVOKED,
        rotate(5, 3),
    ),
    Case(
        "a roll-back is lifted by force",
        an_observed(a_version(3, AWSCURRENT), a_version(4, AWSPREVIOUS), keys=[a_key(3), a_dead_key(4)]),
        Reason.FORCED,
        rotate(5, 3),
        demand=Demand.FORCED,
    ),
    Case(
        "a roll-back comes before a pending version",
        an_observed(a_version(3, AWSCURRENT), a_version(4, AWSPREVIOUS), a_version(5, AWSPENDING)),
        Reason.ROLLED_BACK,
    ),
]

PENDING = [
    Case(
        "a run died between its promotion and clearing AWSPENDING",
        an_observed(a_version(4, AWSCURRENT, AWSPENDING), PREVIOUS, keys=[a_key(4), a_key(3)]),
        Reason.SUPERSEDED,
        (Discard(own_id(4)),),
    ),
    Case(
        "the loser of a race left a pending version of the current generation",
        an_observed(CURRENT, a_version(own_id(4, NOW), AWSPENDING, key="loser")),
        Reason.SUPERSEDED,
        (Discard(own_id(4, NOW)),),
    ),
    Case(
        "a pending version below the current generation",
        an_observed(CURRENT, a_version(3, AWSPENDING)),
        Reason.SUPERSEDED,
        (Discard(own_id(3)),),
    ),
    Case(
        "a foreign pending version beside our current one",
        an_observed(CURRENT, a_version(NATIVE_ID, AWSPENDING)),
        Reason.SUPERSEDED,
        (Discard(NATIVE_ID),),
    ),
    Case(
        "a pending version that holds no key",
        an_observed(CURRENT, a_version(5, AWSPENDING, content=NoCredential())),
        Reason.SUPERSEDED,
        (Discard(own_id(5)),),
    ),
    Case(
        "the fence comes before the age of a pending version",
        an_observed(CURRENT, a_version(3, AWSPENDING, made_at=ago(days=9))),
        Reason.SUPERSEDED,
        (Discard(own_id(3)),),
    ),
    Case(
        "a pending version older than its time-out",
        an_observed(CURRENT, a_version(5, AWSPENDING, made_at=ago(hours=1, seconds=1))),
        Reason.STALLED,
        (Discard(own_id(5)),),
    ),
    Case(
        "a pending version whose key was revoked",
        an_observed(CURRENT, a_version(5, AWSPENDING, made_at=NOW), keys=[a_key(4), a_dead_key(5)]),
        Reason.STALLED,
        (Discard(own_id(5)),),
    ),
    Case(
        "a native rotation's placeholder is old",
        an_observed(CURRENT, a_version(NATIVE_ID, AWSPENDING, content=NoValue(ago(hours=2)))),
        Reason.STALLED,
        (Discard(NATIVE_ID),),
    ),
    Case(
        "a native rotation has just begun, whatever is due",
        an_observed(AGED, a_version(NATIVE_ID, AWSPENDING, content=NoValue(ago(hours=1)))),
        Reason.IN_PROGRESS,
    ),
    Case(
        "a native rotation in progress does not stop retiring",
        an_observed(
            CURRENT,
            a_version(NATIVE_ID, AWSPENDING, content=NoValue(NOW)),
            keys=[a_key(4), a_key(3)],
            changed_at=ago(minutes=59),
        ),
        Reason.IN_PROGRESS,
        retire("key-3"),
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "a native rotation has begun on an empty secret",
        an_observed(a_version(NATIVE_ID, AWSPENDING, content=NoValue(ago(minutes=1)))),
        Reason.IN_PROGRESS,
    ),
    Case(
        "a run died before it verified",
        an_observed(CURRENT, a_version(5, AWSPENDING, made_at=ago(hours=1))),
        Reason.INTERRUPTED,
        finish(own_id(5), 4),
    ),
    Case(
        "a pending version of a secret without a current one",
        an_observed(a_version(1, AWSPENDING, made_at=NOW)),
        Reason.INTERRUPTED,
        finish(own_id(1), None),
    ),
    Case(
        "a pending version that takes over from the hand-made one beside it",
        an_observed(FOREIGN, a_version(1, AWSPENDING, REPLACED_FOREIGN, made_at=NOW)),
        Reason.INTERRUPTED,
        finish(own_id(1), NATIVE_ID),
    ),
    Case(
        "a native rotation's pending version takes its generation from the name of its key",
        an_observed(CURRENT, a_version(NATIVE_ID, AWSPENDING, key="key-5", made_at=NOW), keys=[a_key(4), a_key(5)]),
        Reason.INTERRUPTED,
        finish(NATIVE_ID, 4),
    ),
    Case(
        "a pending key that the list does not show yet",
        an_observed(CURRENT, a_version(5, AWSPENDING, made_at=NOW), keys=[a_key(4)]),
        Reason.INTERRUPTED,
        finish(own_id(5), 4),
    ),
    Case(
        "a pending version is finished outside the window, within a grace, with too many keys",
        an_observed(AGED, a_version(5, AWSPENDING, made_at=NOW), keys=map(a_key, (1, 2, 3, 4, 5)), changed_at=NOW),
        Reason.INTERRUPTED,
        finish(own_id(5), 4),
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "a leak is answered with the key that is pending already",
        an_observed(CURRENT, a_version(5, AWSPENDING, made_at=NOW), contain="key-4 x"),
        Reason.INTERRUPTED,
        finish(own_id(5), 4),
    ),
]

DUE = [
    Case("nothing to do", SETTLED, Reason.UP_TO_DATE),
    Case("a secret without a value", an_observed(), Reason.NO_CURRENT, rotate(1, None)),
    Case(
        "a secret without a value, whose first key was lost",
        an_observed(keys=[a_key(1)]),
        Reason.NO_CURRENT,
        rotate(2, None),
    ),
    Case(
        "a current version without a value",
        an_observed(a_version(4, AWSCURRENT, content=NoValue(NOW))),
        Reason.NO_CURRENT,
        rotate(5, 4),
    ),
    Case(
        "no current version comes before a leak",
        an_observed(contain=f"{STRANGERS} x"),
        Reason.NO_CURRENT,
        rotate(1, None),
    ),
    Case(
        "a leak comes before a revoked key",
        an_observed(CURRENT, keys=[a_dead_key(4)], contain="key-4 x"),
        Reason.CONTAINED,
        rotate(5, 4),
    ),
    Case(
        "the list shows the current key as revoked",
        an_observed(CURRENT, keys=[a_dead_key(4)]),
        Reason.KEY_REVOKED,
        rotate(5, 4),
    ),
    Case(
        "the list does not show the current key, and its token is refused",
        an_observed(CURRENT, keys=[], witnessed=[("key-4", KeyState.REVOKED)]),
        Reason.KEY_REVOKED,
        rotate(5, 4),
    ),
    Case(
        "the list does not show the current key, and its token is accepted",
        an_observed(CURRENT, keys=[], witnessed=[("key-4", KeyState.LIVE)]),
        Reason.UP_TO_DATE,
    ),
    Case("a key missing from the list is not a revoked one", an_observed(CURRENT, keys=[]), Reason.UP_TO_DATE),
    Case(
        "testAuthentication is believed before the list",
        an_observed(CURRENT, witnessed=[("key-4", KeyState.REVOKED)]),
        Reason.KEY_REVOKED,
        rotate(5, 4),
    ),
    Case(
        "a revoked key comes before an interrupted attempt",
        an_observed(CURRENT, keys=[a_dead_key(4), a_key(5)]),
        Reason.KEY_REVOKED,
        rotate(6, 4),
    ),
    Case(
        "a run died between making a key and storing it",
        an_observed(CURRENT, keys=[a_key(4), a_key(5, made_at=ago(minutes=5))]),
        Reason.INTERRUPTED,
        rotate(6, 4),
    ),
    Case(
        "another run may be between making a key and storing it",
        an_observed(CURRENT, keys=[a_key(4), a_key(5, made_at=ago(minutes=5, seconds=-1))]),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a lost key that is dead is no interrupted attempt, but its generation is spent",
        an_observed(AGED, keys=[a_key(4), a_dead_key(7)]),
        Reason.AGED_OUT,
        rotate(8, 4),
    ),
    Case(
        "a native rotation was discarded: its key is above the current generation",
        an_observed(CURRENT, a_version(NATIVE_ID, "custom", key="key-5"), keys=[a_key(4), a_key(5)]),
        Reason.INTERRUPTED,
        rotate(6, 4),
    ),
    Case(
        "an interrupted attempt comes before a hand-made key",
        an_observed(FOREIGN, keys=[a_key(1)]),
        Reason.INTERRUPTED,
        rotate(2, NATIVE_ID),
    ),
    Case("a hand-made key", an_observed(FOREIGN), Reason.ADOPTED, rotate(1, NATIVE_ID)),
    Case(
        "a hand-made key that was restamped",
        an_observed(
            a_version(4, AWSCURRENT, OURS, REPLACED_FOREIGN, key="foreign"), a_version(NATIVE_ID, AWSPREVIOUS), keys=[]
        ),
        Reason.ADOPTED,
        rotate(5, 4),
    ),
    Case(
        "a hand-made key comes before age",
        an_observed(a_version(NATIVE_ID, AWSCURRENT, made_at=ago(days=99))),
        Reason.ADOPTED,
        rotate(1, NATIVE_ID),
    ),
    Case("a key as old as max_age", an_observed(AGED), Reason.AGED_OUT, rotate(5, 4)),
    Case(
        "labels that name many keys, all dead, do not stop a key of ours from being replaced",
        an_observed(
            a_version(4, AWSCURRENT, *MANY_REPLACED, made_at=ago(days=30)),
            keys=[a_key(4)],
            witnessed=[(label.removeprefix(REPLACED_PREFIX), KeyState.REVOKED) for label in MANY_REPLACED],
            changed_at=NOW,
        ),
        Reason.AGED_OUT,
        rotate(5, 4),
    ),
    Case(
        "a key as old as its secret's share of max_age",
        an_observed(a_version(4, AWSCURRENT, made_at=NOW - DUE_AFTER)),
        Reason.AGED_OUT,
        rotate(5, 4),
    ),
    Case(
        "a key one second younger than its secret's share of max_age",
        an_observed(a_version(4, AWSCURRENT, made_at=NOW - DUE_AFTER + timedelta(seconds=1))),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a restamped key keeps its age",
        an_observed(a_version(5, AWSCURRENT, key="key-4"), keys=[a_key(4, made_at=ago(days=30))]),
        Reason.AGED_OUT,
        rotate(6, 5),
    ),
    Case(
        "a version around a younger key has its own age",
        an_observed(a_version(5, AWSCURRENT, key="key-4", made_at=ago(days=31)), keys=[a_key(4)]),
        Reason.AGED_OUT,
        rotate(6, 5),
    ),
    Case(
        "a key's own date is not believed where the version was made with it",
        an_observed(CURRENT, keys=[a_key(4, made_at=ago(days=99))]),
        Reason.UP_TO_DATE,
    ),
    Case(
        "age comes before uses", an_observed(AGED, keys=[a_key(4, uses=9, max_uses=10)]), Reason.AGED_OUT, rotate(5, 4)
    ),
    Case(
        "eight of ten uses are gone",
        an_observed(a_version(4, AWSCURRENT, expires_at=NOW), keys=[a_key(4, uses=8, max_uses=10)]),
        Reason.NEARLY_USED_UP,
        rotate(5, 4),
    ),
    Case("seven of ten uses are gone", an_observed(CURRENT, keys=[a_key(4, uses=7, max_uses=10)]), Reason.UP_TO_DATE),
    Case(
        "a long token is replaced a week before it ends",
        an_observed(a_version(4, AWSCURRENT, made_at=ago(days=29), expires_at=NOW + timedelta(days=7))),
        Reason.EXPIRING,
        rotate(5, 4),
    ),
    Case(
        "the token of a managing key is replaced a month before it ends",
        an_observed(a_version(4, AWSCURRENT, made_at=ago(days=90), expires_at=NOW + timedelta(days=30))),
        Reason.EXPIRING,
        rotate(5, 4),
        spec=a_spec(manages=True, max_age=timedelta(days=365)),
    ),
    Case(
        "a long token has more than a week left",
        an_observed(a_version(4, AWSCURRENT, made_at=ago(days=29), expires_at=NOW + timedelta(days=7, seconds=1))),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a short token is replaced in the last quarter of its life",
        an_observed(a_version(4, AWSCURRENT, made_at=ago(days=3), expires_at=NOW + timedelta(days=1))),
        Reason.EXPIRING,
        rotate(5, 4),
    ),
    Case(
        "a short token is not in its last quarter yet",
        an_observed(a_version(4, AWSCURRENT, made_at=ago(days=2), expires_at=NOW + timedelta(days=1))),
        Reason.UP_TO_DATE,
    ),
    Case(
        "who forces is told that, whatever else is due",
        an_observed(a_version(4, AWSCURRENT, expires_at=NOW)),
        Reason.FORCED,
        rotate(5, 4),
        demand=Demand.FORCED,
    ),
    Case("somebody wants it now", SETTLED, Reason.FORCED, rotate(5, 4), demand=Demand.FORCED),
    Case("the key has leaked", an_observed(CURRENT, contain="key-4 in a log"), Reason.CONTAINED, rotate(5, 4)),
    Case(
        "a leak was answered already, and the tag goes",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_dead_key(3)], contain="key-3 x"),
        Reason.UP_TO_DATE,
        (Untag("key-3 x"),),
    ),
    Case(
        "a person typed a reason alone: the key that is current now is meant",
        an_observed(AGED, contain="it was in a log"),
        Reason.CONTAINED,
        (Tag("key-4 it was in a log"),),
    ),
    Case(
        "a person typed a reason alone, and there is no key that could be meant",
        an_observed(a_version(4, AWSCURRENT, content=NoCredential()), contain="it was in a log"),
        Reason.CONTAIN_STUCK,
    ),
    Case(
        "the managing key was replaced by this very run, or while it was at work",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], protected={"key-3"}, managing="key-3"),
        Reason.MANAGING_WAITS,
        spec=a_spec(manages=True),
    ),
    Case(
        "a secret of consumers was taken over from the managing key, which nothing here revokes",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], protected={"key-3"}, managing="key-3"),
        Reason.UP_TO_DATE,
    ),
    Case("the tag names a key that nobody has", an_observed(CURRENT, contain=f"{STRANGERS} x"), Reason.CONTAIN_STUCK),
    Case(
        "a key that was made and never stored has leaked: another one is put above it",
        an_observed(CURRENT, keys=[a_key(4), a_key(5, created_at=NOW)], contain="key-5 x"),
        Reason.CONTAINED,
        rotate(6, 4),
    ),
    Case(
        "the pending key has leaked",
        an_observed(CURRENT, a_version(5, AWSPENDING, made_at=NOW), contain="key-5 x"),
        Reason.CONTAINED,
        (Discard(own_id(5)),),
    ),
    Case(
        "two keys have leaked, and one of them is dead",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_dead_key(3)], contain="key-3+key-4 x"),
        Reason.CONTAINED,
        rotate(5, 4),
    ),
]

WHEN = [
    Case("a new key waits for the window", an_observed(AGED), Reason.OUTSIDE_WINDOW, spec=a_spec(window=CLOSED)),
    Case(
        "a new key waits for the end of a blackout",
        an_observed(AGED),
        Reason.OUTSIDE_WINDOW,
        spec=a_spec(blackouts=(Blackout(date(2026, 9, 20), date(2026, 9, 21)),)),
    ),
    Case(
        "retiring does not wait for the window, though the grace comes after it",
        an_observed(AGED, keys=[a_key(4), a_key(3)]),
        Reason.OUTSIDE_WINDOW,
        retire("key-3"),
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "a leak that was answered does not open the window",
        an_observed(AGED, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, contain="key-3 x"),
        Reason.OUTSIDE_WINDOW,
        retire("key-3"),
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "force does not wait for the window",
        an_observed(CURRENT),
        Reason.FORCED,
        rotate(5, 4),
        spec=a_spec(window=CLOSED),
        demand=Demand.FORCED,
    ),
    Case(
        "a dead key does not wait for the window",
        an_observed(CURRENT, keys=[a_dead_key(4)]),
        Reason.KEY_REVOKED,
        rotate(5, 4),
        spec=a_spec(window=CLOSED),
    ),
    Case("nothing due does not speak of the window", SETTLED, Reason.UP_TO_DATE, spec=a_spec(window=CLOSED)),
    Case(
        "a rotation inside another one's grace is refused",
        an_observed(AGED, keys=[a_key(4), a_key(3)], changed_at=ago(hours=24, seconds=-1)),
        Reason.WAITING_GRACE,
        stamp(4, ago(hours=24, seconds=-1)),
    ),
    Case(
        "force does not shorten a grace",
        an_observed(CURRENT, keys=[a_key(4), a_key(3)], changed_at=NOW),
        Reason.WAITING_GRACE,
        stamp(4, NOW),
        demand=Demand.FORCED,
    ),
    Case(
        "the superseded key is retired before the next rotation",
        an_observed(AGED, keys=[a_key(4), a_key(3)], changed_at=ago(hours=24)),
        Reason.RETIRE_FIRST,
        retire("key-3"),
    ),
    Case(
        "a grace of zero is always over, also on a clock that is behind",
        an_observed(AGED, keys=[a_key(4), a_key(3)], changed_at=NOW + timedelta(minutes=9)),
        Reason.RETIRE_FIRST,
        retire("key-3"),
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "grace comes before room",
        an_observed(AGED, keys=map(a_key, (2, 3, 4)), changed_at=NOW),
        Reason.WAITING_GRACE,
        stamp(4, NOW),
    ),
    Case(
        "a dead current key does not wait for a grace",
        an_observed(CURRENT, keys=[a_dead_key(4), a_key(3)], changed_at=NOW),
        Reason.KEY_REVOKED,
        rotate(5, 4),
    ),
    Case(
        "a leak does not wait for a grace",
        an_observed(CURRENT, keys=[a_key(4), a_key(3)], changed_at=NOW, contain="key-4 x"),
        Reason.CONTAINED,
        rotate(5, 4),
    ),
    Case(
        "lost attempts have used up the room: the current key is put above them",
        an_observed(CURRENT, keys=[a_key(4), a_key(5), a_key(6)]),
        Reason.FENCING,
        fence(7, 4),
    ),
    Case(
        "lost take-overs have used up the room: the hand-made key is put above them",
        an_observed(FOREIGN, keys=map(a_key, (1, 2, 3))),
        Reason.FENCING,
        fence(4, NATIVE_ID),
    ),
    Case("one key more may live", an_observed(CURRENT, keys=[a_key(4), a_key(5)]), Reason.INTERRUPTED, rotate(6, 4)),
    Case(
        "no room, and nothing that could be retired or fenced",
        an_observed(AGED, keys=map(a_key, (2, 3, 4)), protected=["key-2", "key-3"]),
        Reason.TOO_MANY_KEYS,
    ),
    Case(
        "force makes no room",
        an_observed(CURRENT, keys=map(a_key, (2, 3, 4)), protected=["key-2", "key-3"]),
        Reason.TOO_MANY_KEYS,
        demand=Demand.FORCED,
    ),
    Case(
        "dead keys take no room",
        an_observed(AGED, keys=[a_key(4), *map(a_dead_key, (1, 2, 3))]),
        Reason.AGED_OUT,
        rotate(5, 4),
    ),
    Case(
        "a dead current key needs no room",
        an_observed(CURRENT, keys=[a_dead_key(4), *map(a_key, (5, 6, 7))]),
        Reason.KEY_REVOKED,
        rotate(8, 4),
    ),
    Case(
        "a leak needs no room",
        an_observed(CURRENT, keys=map(a_key, (4, 5, 6)), contain="key-4 x"),
        Reason.CONTAINED,
        rotate(7, 4),
    ),
    Case("an empty secret needs no room", an_observed(keys=map(a_key, (1, 2, 3))), Reason.NO_CURRENT, rotate(4, None)),
]

RETIRED = [
    Case(
        "a replica is behind: its consumers may read the key before",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=ago(hours=1), behind=["eu-west-1"]),
        Reason.REPLICA_BEHIND,
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "a replica is behind, and a grace runs anyway",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, failed=["x"]),
        Reason.UP_TO_DATE,
        stamp(4, NOW),
    ),
    Case(
        "a replica is behind, and there is nothing to revoke",
        an_observed(CURRENT, PREVIOUS, behind=["eu-west-1"]),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a replica that is behind for more than an hour does not follow by itself",
        an_observed(
            CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=ago(hours=1, seconds=1), behind=["eu-west-1"]
        ),
        Reason.REPLICA_STUCK,
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "a replica has failed",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, failed=["x"]),
        Reason.REPLICA_STUCK,
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "the next rotation waits for the replica, too: the key before that is still alive",
        an_observed(AGED, PREVIOUS, keys=[a_key(4), a_key(3)], failed=["x"]),
        Reason.REPLICA_STUCK,
    ),
    Case(
        "a replica is told of outside the window as well",
        an_observed(AGED, PREVIOUS, keys=[a_key(4), a_key(3)], failed=["x"]),
        Reason.REPLICA_STUCK,
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "a consumer that may hold the old key keeps it alive",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, rollout=[BEHIND]),
        Reason.CONSUMER_BEHIND,
        stamp(4, NOW),
        spec=a_spec(grace=AT_ONCE, consumers=(SERVICE,)),
    ),
    Case(
        "a consumer that nobody has asked counts as behind",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW),
        Reason.CONSUMER_BEHIND,
        stamp(4, NOW),
        spec=a_spec(grace=AT_ONCE, consumers=(SERVICE,)),
    ),
    Case(
        "once every consumer has the current key, the old one dies",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, rollout=[FOLLOWED]),
        Reason.UP_TO_DATE,
        retire("key-3"),
        spec=a_spec(grace=AT_ONCE, consumers=(SERVICE,)),
    ),
    Case(
        "a consumer that takes another version needs a person",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, rollout=[STUCK]),
        Reason.CONSUMER_STUCK,
        stamp(4, NOW),
        spec=a_spec(grace=AT_ONCE, consumers=(SERVICE,)),
    ),
    Case(
        "a consumer that has had its time needs a person",
        an_observed(SINCE_LONG, PREVIOUS, keys=[a_key(4), a_key(3)], rollout=[BEHIND]),
        Reason.CONSUMER_STUCK,
        spec=a_spec(grace=AT_ONCE, consumers=(SERVICE,), wait_at_most=timedelta(days=1)),
    ),
    Case(
        "the next rotation waits for the consumer, too",
        an_observed(AGED, PREVIOUS, keys=[a_key(4), a_key(3)], rollout=[BEHIND]),
        Reason.CONSUMER_STUCK,
        stamp(4, ago(hours=25)),
        spec=a_spec(grace=AT_ONCE, consumers=(SERVICE,), wait_at_most=timedelta(days=1)),
    ),
    Case(
        "a service that is to be redeployed is, while a since label tells for which promotion",
        an_observed(SINCE_NOW, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, rollout=[REDEPLOYED_BEHIND]),
        Reason.UP_TO_DATE,
        (Redeploy(REDEPLOYED),),
        spec=a_spec(consumers=(REDEPLOYED,)),
    ),
    Case(
        "a deployment that is under way is not begun again",
        an_observed(SINCE_NOW, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, rollout=[REDEPLOYED_ROLLING]),
        Reason.UP_TO_DATE,
        spec=a_spec(consumers=(REDEPLOYED,)),
    ),
    Case(
        "the since label stays until the deployment has begun, though no old key is alive",
        an_observed(SINCE_NOW, PREVIOUS, keys=[a_key(4)], changed_at=NOW, rollout=[REDEPLOYED_BEHIND]),
        Reason.UP_TO_DATE,
        (Redeploy(REDEPLOYED),),
        spec=a_spec(consumers=(REDEPLOYED,)),
    ),
    Case(
        "a replica that is behind keeps no rotation from its day",
        an_observed(AGED, PREVIOUS, behind=["eu-west-1"]),
        Reason.AGED_OUT,
        rotate(5, 4),
    ),
    Case(
        "what is left of a leak does not wait for a replica",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, failed=["x"], contain="key-3 x"),
        Reason.UP_TO_DATE,
        retire("key-3"),
    ),
    Case(
        "the grace of the key before is over",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=ago(hours=24)),
        Reason.UP_TO_DATE,
        retire("key-3"),
    ),
    Case(
        "the grace of the key before still runs",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=ago(hours=24, seconds=-1)),
        Reason.UP_TO_DATE,
        stamp(4, ago(hours=24, seconds=-1)),
    ),
    Case(
        "what is left of a leak has no grace",
        an_observed(CURRENT, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, contain="key-3 x"),
        Reason.UP_TO_DATE,
        retire("key-3"),
    ),
    Case(
        "many keys, oldest first, and the one we took over before them; its label goes last",
        an_observed(a_version(4, AWSCURRENT, REPLACED_FOREIGN), keys=map(a_key, (3, 4, 1))),
        Reason.UP_TO_DATE,
        (*retire("foreign", "key-1", "key-3"), Unlabel(own_id(4), REPLACED_FOREIGN)),
    ),
    Case(
        "the label of the key we took over goes when the key is dead",
        an_observed(a_version(4, AWSCURRENT, OURS, REPLACED_FOREIGN)),
        Reason.UP_TO_DATE,
        (*retire("foreign"), Unlabel(own_id(4), REPLACED_FOREIGN)),
    ),
    Case(
        "a run died before it took the label off, and the grace runs anew",
        an_observed(
            a_version(4, AWSCURRENT, OURS, REPLACED_FOREIGN), witnessed=[("foreign", KeyState.REVOKED)], changed_at=NOW
        ),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a run died before it took the label off: one refusal is no proof, so it is proved first",
        an_observed(a_version(4, AWSCURRENT, OURS, REPLACED_FOREIGN), witnessed=[("foreign", KeyState.REVOKED)]),
        Reason.UP_TO_DATE,
        (*retire("foreign"), Unlabel(own_id(4), REPLACED_FOREIGN)),
    ),
    Case(
        "the label stays as long as the key lives",
        an_observed(a_version(4, AWSCURRENT, OURS, REPLACED_FOREIGN), changed_at=NOW),
        Reason.UP_TO_DATE,
        stamp(4, NOW),
    ),
    Case(
        "a restamped key is not taken over from before it is replaced",
        an_observed(
            a_version(4, AWSCURRENT, OURS, REPLACED_FOREIGN, key="foreign"),
            keys=[],
            witnessed=[("foreign", KeyState.LIVE)],
        ),
        Reason.OUTSIDE_WINDOW,
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "a take-over that was given up retires nothing",
        an_observed(a_version(NATIVE_ID, AWSCURRENT, key="other"), a_version(1, REPLACED_FOREIGN), keys=[]),
        Reason.OUTSIDE_WINDOW,
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "a restamped key was replaced",
        an_observed(a_version(5, AWSCURRENT), a_version(4, AWSPREVIOUS, OURS, REPLACED_FOREIGN)),
        Reason.UP_TO_DATE,
        (*retire("foreign"), Unlabel(own_id(4), REPLACED_FOREIGN)),
    ),
    Case(
        "the managing key, and keys that other secrets use",
        an_observed(
            a_version(4, AWSCURRENT, REPLACED_FOREIGN), keys=[a_key(4), a_key(3)], protected=["key-3", "foreign"]
        ),
        Reason.UP_TO_DATE,
    ),
    Case(
        "the loser of a race has the generation of the current key",
        an_observed(CURRENT, keys=[a_key(4), a_key(4, "loser")]),
        Reason.UP_TO_DATE,
        retire("loser"),
    ),
    Case(
        "a key above the current generation may be another run's",
        an_observed(CURRENT, keys=[a_key(4), a_key(5, made_at=NOW)]),
        Reason.UP_TO_DATE,
    ),
    Case(
        "a key that is older than the secret's restamp, but inside it",
        an_observed(a_version(6, AWSCURRENT, key="key-4"), keys=[a_key(4), a_key(5)]),
        Reason.UP_TO_DATE,
        retire("key-5"),
    ),
    Case(
        "the key inside a native rotation that has not been promoted",
        an_observed(
            CURRENT, a_version(NATIVE_ID, AWSPENDING, content=NoValue(NOW)), keys=[a_key(4), a_key(5)], changed_at=NOW
        ),
        Reason.IN_PROGRESS,
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "nothing of ours is below a hand-made key",
        an_observed(a_version(NATIVE_ID, AWSCURRENT), a_version(3, "custom"), keys=[a_key(3, made_at=ago(seconds=1))]),
        Reason.OUTSIDE_WINDOW,
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "a key of another family is never retired",
        an_observed(CURRENT, keys=[a_key(4), a_key(3, name=f"{FAMILY.prefix}backup")]),
        Reason.UP_TO_DATE,
    ),
]

REFUSED = Proof.REFUSED
EMPTY = a_version(NATIVE_ID, AWSCURRENT, content=NoCredential())


def attempts(*minutes: float, above: int = 4) -> list[ProviderKey]:
    """Return revoked keys that were made so many minutes ago and never became current."""
    return [a_key(above + n, state=KeyState.REVOKED, made_at=ago(minutes=m)) for n, m in enumerate(minutes, 1)]


def after(*minutes: float) -> Observed:
    """Return what is seen of a secret that is due, after attempts that failed so many minutes ago."""
    return an_observed(AGED, keys=[a_key(4), *attempts(*minutes)])


def described(observed: Observed, **changes: Any) -> Observed:  # noqa: ANN401 - any field of a description
    """Return what is seen of a secret whose description says something else."""
    return replace(observed, description=replace(observed.description, **changes))


UNSERVED = [
    Case("a refused credential is replaced", an_observed(CURRENT, proof=REFUSED), Reason.CURRENT_REFUSED, rotate(5, 4)),
    Case(
        "neither grace, room nor window stands before it",
        an_observed(CURRENT, keys=[a_key(4), a_key(3), a_key(2)], changed_at=ago(minutes=1), proof=REFUSED),
        Reason.CURRENT_REFUSED,
        rotate(5, 4),
        spec=a_spec(window=CLOSED),
    ),
    Case(
        "it beats a drift",
        an_observed(FOREIGN, a_version(4, AWSPREVIOUS), proof=REFUSED),
        Reason.CURRENT_REFUSED,
        rotate(5, NATIVE_ID),
    ),
    Case(
        "it beats a roll-back",
        an_observed(a_version(3, AWSCURRENT), a_version(4, AWSPREVIOUS), keys=[a_key(3), a_key(4)], proof=REFUSED),
        Reason.CURRENT_REFUSED,
        rotate(5, 3),
    ),
    Case("a hold stops it", an_observed(CURRENT, proof=REFUSED, hold="incident"), Reason.ON_HOLD),
    Case(
        "a pending version is the quickest way out",
        an_observed(FOREIGN, a_version(5, AWSPENDING, made_at=ago(minutes=1)), proof=REFUSED),
        Reason.INTERRUPTED,
        finish(own_id(5), NATIVE_ID),
    ),
    Case(
        "a placeholder is given settle and no more",
        an_observed(CURRENT, a_version(NATIVE_ID, AWSPENDING, content=NoValue(ago(minutes=6))), proof=REFUSED),
        Reason.STALLED,
        (Discard(NATIVE_ID),),
    ),
    Case(
        "a young credential may not have propagated", an_observed(AGED, proof=Proof.TOO_YOUNG), Reason.NOT_YET_ACCEPTED
    ),
    Case("nor one that is not due", an_observed(CURRENT, proof=Proof.TOO_YOUNG), Reason.NOT_YET_ACCEPTED),
    Case(
        "whoever asks for a new key does not wait for it",
        an_observed(CURRENT, proof=Proof.TOO_YOUNG),
        Reason.FORCED,
        rotate(5, 4),
        demand=Demand.FORCED,
    ),
    Case("a placeholder gets its first key", an_observed(EMPTY), Reason.NO_CREDENTIAL, rotate(1, NATIVE_ID)),
    Case(
        "a placeholder over a key of ours is filled, too",
        an_observed(EMPTY, a_version(4, AWSPREVIOUS), keys=[a_key(4)]),
        Reason.NO_CREDENTIAL,
        rotate(5, NATIVE_ID),
    ),
    Case(
        "two keys more than usual, and no further",
        an_observed(CURRENT, keys=[a_key(n, made_at=ago(minutes=1)) for n in range(4, 9)], proof=REFUSED),
        Reason.TOO_MANY_KEYS,
    ),
    Case(
        "at the limit the oldest key that nobody can hold makes room",
        an_observed(
            CURRENT,
            keys=[a_key(n, made_at=ago(days=9 - n)) for n in range(4, 9)],
            changed_at=ago(days=3),
            proof=REFUSED,
        ),
        Reason.TOO_MANY_KEYS,
        retire("key-5"),
    ),
    Case(
        "a refused current key retires nobody",
        an_observed(CURRENT, keys=[a_key(4), a_key(3)], proof=REFUSED),
        Reason.CURRENT_REFUSED,
        rotate(5, 4),
    ),
]

BACKING_OFF = [
    Case("one attempt waits for settle", after(4), Reason.BACKING_OFF),
    Case("and no longer", after(5), Reason.AGED_OUT, rotate(6, 4)),
    Case("the second waits twice as long", after(30, 9), Reason.BACKING_OFF),
    Case("and no longer than that", after(30, 10), Reason.AGED_OUT, rotate(7, 4)),
    Case("six hours are the longest", after(*[361.0] * 9), Reason.AGED_OUT, rotate(9, 4)),
    Case(
        "one hour where nobody is served",
        an_observed(CURRENT, keys=[a_key(4), *attempts(*[61.0] * 9)], proof=REFUSED),
        Reason.CURRENT_REFUSED,
        rotate(9, 4),
    ),
    Case(
        "a promotion that did not help has failed, too",
        an_observed(
            a_version(4, AWSCURRENT, made_at=ago(minutes=2)), keys=[a_key(4, made_at=ago(minutes=2))], proof=REFUSED
        ),
        Reason.BACKING_OFF,
    ),
    Case("after a day it is forgotten", after(1440), Reason.AGED_OUT, rotate(6, 4)),
    Case("a person does not wait", after(1), Reason.FORCED, rotate(6, 4), demand=Demand.FORCED),
    Case("an attempt from the future was made now", after(-600), Reason.BACKING_OFF),
]

UNWRITABLE = [
    Case("a replica is not written", described(an_observed(AGED), primary_region="us-east-1"), Reason.WRONG_REGION),
    Case(
        "a primary that has replicas is",
        described(an_observed(AGED), primary_region="eu-central-1"),
        Reason.AGED_OUT,
        rotate(5, 4),
    ),
    Case(
        "an AWS service's own secret is not", described(an_observed(AGED), owning_service="rds"), Reason.FOREIGN_OWNER
    ),
    Case("nor one that is being deleted", described(an_observed(AGED), deleted_at=NOW), Reason.TO_BE_DELETED),
    Case(
        "nobody can force it",
        described(an_observed(AGED), primary_region="us-east-1"),
        Reason.WRONG_REGION,
        demand=Demand.FORCED,
    ),
]

CASES = UNWRITABLE + HELD + DRIFTED + ROLLED_BACK + PENDING + UNSERVED + DUE + WHEN + BACKING_OFF + RETIRED


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.history)
def test_history_leads_to_plan(case: Case) -> None:
    """Each history has its one plan and its one reason."""
    chosen = plan(
        case.spec, case.observed, now=NOW, new_version_id=new_id(case.observed.next_generation()), demand=case.demand
    )
    assert (chosen.reason, chosen.actions) == (case.reason, case.actions)


def test_every_reason_has_a_case() -> None:
    """No rule is without an example."""
    assert {case.reason for case in CASES} == set(Reason) - {Reason.ROLLING_BACK}  # that is a command


def test_needing_a_person_is_doing_nothing_forward() -> None:
    """Where a person must act, no plan of the tables moves the secret."""
    forward = (Create, Restamp, Verify, Promote, Discard)
    waiting = [case for case in CASES if case.reason in NEEDS_PERSON]
    assert waiting
    assert not [case for case in waiting for action in case.actions if isinstance(action, forward)]


@pytest.mark.parametrize(
    ("observed", "due_at"),
    [
        pytest.param(an_observed(), None, id="no value"),
        pytest.param(an_observed(FOREIGN), None, id="hand-made: due now"),
        pytest.param(an_observed(a_version(4, AWSCURRENT, content=NoValue(NOW))), None, id="no readable value"),
        pytest.param(SETTLED, ago(days=1) + DUE_AFTER, id="by age"),
        pytest.param(
            an_observed(a_version(4, AWSCURRENT, expires_at=NOW + timedelta(days=10))),
            NOW + timedelta(days=10) - timedelta(days=11) / 4,
            id="by expiry",
        ),
        pytest.param(
            an_observed(a_version(4, AWSCURRENT, expires_at=NOW + timedelta(days=365))),
            ago(days=1) + DUE_AFTER,
            id="by age, before expiry",
        ),
    ],
)
def test_due_at(observed: Observed, due_at: datetime | None) -> None:
    """A plan says when the current key is due, by age or by expiry, whichever comes first."""
    chosen = plan(a_spec(), observed, now=NOW, new_version_id=new_id(5))
    assert chosen.due_at == due_at


def test_due_at_is_when_it_becomes_due() -> None:
    """One second before `due_at` nothing is due, and at that moment it is."""
    due_at = plan(a_spec(), SETTLED, now=NOW, new_version_id=new_id(5)).due_at
    assert due_at is not None
    reasons = [
        plan(a_spec(), SETTLED, now=moment, new_version_id=new_id(5)).reason
        for moment in (due_at - timedelta(seconds=1), due_at)
    ]
    assert reasons == [Reason.UP_TO_DATE, Reason.AGED_OUT]


def test_age_begins_with_the_key() -> None:
    """The age of a key is known also where nothing is due by it: a hand-made key has one."""
    assert born_at(SETTLED) == ago(days=1)
    assert born_at(an_observed(a_version(NATIVE_ID, AWSCURRENT, made_at=ago(days=9)))) == ago(days=9)
    assert born_at(an_observed()) is None
    assert born_at(an_observed(a_version(4, AWSCURRENT, content=NoValue(NOW)))) is None


def test_pending_key_is_not_superseded() -> None:
    """A key inside AWSPENDING is kept, even below the fence."""
    seen = an_observed(CURRENT, a_version(3, AWSPENDING), keys=map(a_key, (2, 3, 4)))
    assert superseded_keys(seen) == ("key-2",)


def test_stale_labels_retire_less() -> None:
    """A read that still shows the version before retires nothing that is in use by now."""
    keys = list(map(a_key, (2, 3, 4)))
    fresh = an_observed(CURRENT, PREVIOUS, keys=keys)
    stale = an_observed(a_version(3, AWSCURRENT), a_version(2, AWSPREVIOUS), keys=keys)
    spec = a_spec(settle=timedelta(days=9))
    plans = [plan(spec, seen, now=NOW, new_version_id=new_id(5)) for seen in (fresh, stale)]
    assert [chosen.actions for chosen in plans] == [retire("key-2", "key-3"), retire("key-2")]


def test_empty_key_list_retires_nothing() -> None:
    """A list that shows nothing is no evidence."""
    seen = replace(SETTLED, keys=())
    assert plan(a_spec(), seen, now=NOW, new_version_id=new_id(5)).actions == ()


EDGES = [
    Case(
        "a person put another key over our very first one",
        an_observed(FOREIGN, a_version(1, AWSPREVIOUS)),
        Reason.DRIFTED,
    ),
    Case(
        "seventy-nine of a hundred uses are gone",
        an_observed(CURRENT, keys=[a_key(4, uses=79, max_uses=100)]),
        Reason.UP_TO_DATE,
    ),
    Case(
        "what is left of a leak does not wait for a grace before the next rotation, either",
        an_observed(AGED, PREVIOUS, keys=[a_key(4), a_key(3)], changed_at=NOW, contain="key-3 x"),
        Reason.RETIRE_FIRST,
        retire("key-3"),
    ),
    Case(
        "a dead key that consumers still read keeps its label while a native rotation is at work",
        an_observed(
            a_version(4, AWSCURRENT, REPLACED_FOREIGN, key="foreign"),
            a_version(NATIVE_ID, AWSPENDING, content=NoValue(NOW)),
            witnessed=[("foreign", KeyState.REVOKED)],
            changed_at=NOW,
        ),
        Reason.IN_PROGRESS,
        spec=a_spec(grace=AT_ONCE),
    ),
    Case(
        "a dead key that a label names, and no list, is revoked before it is called dead",
        an_observed(a_version(4, AWSCURRENT, REPLACED_FOREIGN), witnessed=[("foreign", KeyState.REVOKED)]),
        Reason.UP_TO_DATE,
        (*retire("foreign"), Unlabel(own_id(4), REPLACED_FOREIGN)),
    ),
    Case(
        "of two keys that labels name, neither is dealt with while the grace runs",
        an_observed(
            a_version(4, AWSCURRENT, f"{REPLACED_PREFIX}dead", f"{REPLACED_PREFIX}alive"),
            witnessed=[("dead", KeyState.REVOKED), ("alive", KeyState.LIVE)],
            changed_at=NOW,
        ),
        Reason.UP_TO_DATE,
        stamp(4, NOW),
    ),
]


@pytest.mark.parametrize("case", EDGES, ids=lambda case: case.history)
def test_edge_of_a_rule(case: Case) -> None:
    """A rule ends where it says, and not one step beside."""
    test_history_leads_to_plan(case)
