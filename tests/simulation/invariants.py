"""What must hold of a secret and its keys: after every effect (I), and from every quiet state (L).

Plain functions of plain values. The explorer asks them about simulated systems; a test that kills real processes can
ask them about whatever it served. Each returns a sentence that says what is broken, or None.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rotator.events import Event, Intent
from rotator.events import Operation as Audited
from rotator.spec import Demand
from tests.simulation.world import Operation

EFFECTS: dict[Operation, Audited] = {
    Operation.CREATE_KEY: Audited.CREATE_KEY,
    Operation.PUT_VALUE: Audited.PUT_PENDING,
    Operation.PROMOTE: Audited.PROMOTE,
    Operation.ATTACH: Audited.LABEL,
    Operation.REMOVE: Audited.UNLABEL,
    Operation.REVOKE_KEY: Audited.REVOKE_KEY,
}
_NO_GRACE = frozenset({Demand.COMPROMISED, Demand.CONTAINING})
BY_FORCE = frozenset({Demand.FORCED, Demand.COMPROMISED})


@dataclass(frozen=True, slots=True)
class Moment:
    """The truth about one secret and its keys at one instant, and what must be remembered of the past."""

    at_s: float
    current: str | None
    """The key inside AWSCURRENT."""
    works: bool
    """Its stored token is accepted, and may do what was asked and nothing more."""
    generation: int
    """Of AWSCURRENT: 0 is not ours."""
    pending: bool
    """AWSPENDING is on some version."""
    well_formed: bool
    """Every labelled value holds a JWT that names the key beside it."""
    held: bool
    live: frozenset[str]
    """Live keys, but for the managing one."""
    managed: frozenset[str]
    """Those of them whose names are ours."""
    left: Mapping[str, float]
    """Live keys that were current, and since when (epoch seconds) they are not."""
    adopted: frozenset[str]
    """Foreign keys that a run of ours took over from, or marked when it began to."""
    replaced: frozenset[str]
    """Foreign keys that were current when a run of ours promoted another version."""
    edited: frozenset[str]
    """Foreign keys that a person put over ours."""
    excused: frozenset[str]
    """Keys that a person killed, or rolled back to at their own risk."""
    marks: frozenset[str]
    """Keys that labels still name as replaced."""
    set_back: bool
    """A person moved AWSCURRENT back to an older key that lives."""
    behind: bool = False
    """Consumers in some region may read an older value."""


@dataclass(frozen=True, slots=True)
class Act:
    """An effect of ours: what kind, and by what demand its run was begun."""

    operation: Operation
    demand: Demand
    grace_s: float


@dataclass(frozen=True, slots=True)
class Conduct:
    """What one run did so far: its audit events and its calls, in order; a call stands where it was made."""

    trail: Sequence[Event | Operation]
    saw_hold: bool
    """The labels it last read had the hold tag."""
    calls_max: int
    saw_behind: bool = False
    """The labels it last read told of a replica that is not in sync."""


# After every effect ----------------------------------------------------------------------------------------------


def i1_current_key_works(before: Moment, act: Act, after: Moment) -> str | None:
    """The key consumers read is live, its stored token is the right one, and its scopes are those configured."""
    del act
    if after.works or after.current in after.excused or before.current in before.excused:
        return None  # what a person broke can stay broken for a while
    if after.current is None:
        return "I1 AWSCURRENT holds no key" if before.current is not None else None
    return f"I1 the key in AWSCURRENT, {after.current}, does not work"


def i2_grace_is_kept(before: Moment, act: Act, after: Moment) -> str | None:
    """A key that was current within the last `grace` lives: consumers may still hold it."""
    if act.demand in _NO_GRACE:
        return None
    for key_id in before.live - after.live:
        left_s = before.left.get(key_id)
        early = left_s is not None and before.at_s - left_s < act.grace_s
        if early and key_id not in before.excused:
            return f"I2 key {key_id} was killed inside its grace"
    return None


def i3_no_foreign_key_dies(before: Moment, act: Act, after: Moment) -> str | None:
    """No key dies but ours, and foreign ones that a run of ours marked when it began to take over from them."""
    del act
    for key_id in before.live - after.live:
        if key_id not in before.managed | before.adopted:
            return f"I3 the foreign key {key_id} was killed"
    return None


def i4_generation_never_falls(before: Moment, act: Act, after: Moment) -> str | None:
    """AWSCURRENT stays where it is or moves to a higher generation; only a person may move it back."""
    del act
    if after.generation < before.generation:
        return f"I4 the generation fell from {before.generation} to {after.generation}"
    return None


def i9_values_are_credentials(before: Moment, act: Act, after: Moment) -> str | None:
    """Nothing is stored that is not a JWT in its field, beside the key that it names."""
    del act
    if before.well_formed and not after.well_formed:
        return "I9 a value was stored that holds no credential"
    return None


def i11_people_are_not_overruled(before: Moment, act: Act, after: Moment) -> str | None:
    """A key that a person put over ours stays current until somebody forces."""
    if before.current in before.edited and after.current != before.current:
        return None if act.demand in BY_FORCE else "I11 a hand-edited key was replaced unasked"
    return None


AFTER_EFFECT: tuple[Callable[[Moment, Act, Moment], str | None], ...] = (
    i1_current_key_works,
    i2_grace_is_kept,
    i3_no_foreign_key_dies,
    i4_generation_never_falls,
    i9_values_are_credentials,
    i11_people_are_not_overruled,
)


def i5_live_keys_are_bounded(before: Moment, act: Act, after: Moment, limit: int) -> str | None:
    """No key is made beyond the limit, unless consumers have no good key, or the one they have has leaked.

    Args:
        before: the truth before the effect.

        act: the effect.

        after: the truth after it.

        limit: `live_keys_max`, and one more for each other run at work, and for a list that misled this one.
    """
    urgent = not before.works or act.demand in _NO_GRACE
    if act.operation is Operation.CREATE_KEY and not urgent and len(after.managed) > limit:
        return f"I5 {len(after.managed)} live keys of ours, of {limit} allowed"
    return None


# Of every run ----------------------------------------------------------------------------------------------------


def i6_effects_are_announced(conduct: Conduct) -> str | None:
    """Every effect has an acknowledged audit intent of its own just before it."""
    intents: list[Audited] = []
    for entry in conduct.trail:
        if isinstance(entry, Intent):
            intents.append(entry.operation)
        elif isinstance(entry, Operation) and entry in EFFECTS:
            if intents[-1:] != [EFFECTS[entry]]:
                return f"I6 {entry} without a durable intent"
            intents.clear()
    return None


def i7_secrets_stay_inside(texts: Sequence[str], windows: frozenset[str] | set[str]) -> str | None:
    """No sink sees any 24 characters of a secret, in any of its usual forms."""
    for text in texts:
        if any(text[i : i + WINDOW] in windows for i in range(len(text) - WINDOW + 1)):
            return "I7 a secret was written to the audit trail or an error message"
    return None


def i8_run_is_bounded(conduct: Conduct) -> str | None:
    """A run makes a bounded number of calls."""
    calls = sum(isinstance(entry, Operation) for entry in conduct.trail)
    if calls > conduct.calls_max:
        return f"I8 {calls} calls in one run"
    return None


def i10_hold_is_respected(conduct: Conduct) -> str | None:
    """A run that has read the hold tag makes no effect."""
    last = conduct.trail[-1] if conduct.trail else None
    if conduct.saw_hold and isinstance(last, Operation) and last in EFFECTS:
        return f"I10 {last} though the secret is on hold"
    return None


def i12_replicas_come_first(conduct: Conduct) -> str | None:
    """A run that has read of a replica that is behind revokes nothing; asked where no key has leaked."""
    if conduct.saw_behind and conduct.trail[-1:] == [Operation.REVOKE_KEY]:
        return "I12 a key was revoked though a replica is behind"
    return None


OF_A_RUN: tuple[Callable[[Conduct], str | None], ...] = (
    i6_effects_are_announced,
    i8_run_is_bounded,
    i10_hold_is_respected,
    i12_replicas_come_first,
)

WINDOW = 24
"""Characters; a secret that was cut off still shows some window of this width."""


# From every quiet state ------------------------------------------------------------------------------------------


def l1_settled(moment: Moment) -> str | None:
    """One live key of ours is left, it is the current one, nothing is pending, and no key we replaced lives."""
    if moment.managed != {moment.current}:
        return f"L1 live keys of ours: {sorted(moment.managed)}, current: {moment.current}"
    if not moment.works:
        return "L1 the current key does not work"
    if moment.pending:
        return "L1 AWSPENDING is still on a version"
    if moment.marks:
        return f"L1 labels still name {sorted(moment.marks)} as replaced"
    if alive := (moment.replaced & moment.live) - moment.edited - {moment.current}:
        return f"L1 replaced foreign keys live: {sorted(alive)}"
    return None


def l2_idle_run_writes_nothing(writes: int) -> str | None:
    """The run after the last one that had something to do changes nothing."""
    return f"L2 {writes} writes in a run with nothing to do" if writes else None


def l3_recovery_is_short(calls: int, calls_max: int) -> str | None:
    """All runs together that it takes to settle make at most so many calls."""
    return f"L3 recovery took {calls} calls" if calls > calls_max else None
