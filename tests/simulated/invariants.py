"""What must hold of a secret and its keys: after every effect (I), and from every quiet state (L).

Plain functions of plain values. The explorer asks them about simulated systems; a test that kills real processes can
ask them about whatever it served. Each returns a sentence that says what is broken, or None.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rotator.model.events import Done, Event, Intent, Result, Subject
from rotator.model.events import Operation as Audited
from rotator.model.secret import Demand
from tests.simulated.world import Answered, Named, Operation

EFFECTS: dict[Operation, Audited] = {
    Operation.CREATE_KEY: Audited.CREATE_KEY,
    Operation.PUT_VALUE: Audited.PUT_PENDING,
    Operation.PROMOTE: Audited.PROMOTE,
    Operation.ATTACH: Audited.LABEL,
    Operation.REMOVE: Audited.UNLABEL,
    Operation.REVOKE_KEY: Audited.REVOKE_KEY,
    Operation.TAG: Audited.TAG,
    Operation.UNTAG: Audited.UNTAG,
    Operation.REDEPLOY: Audited.REDEPLOY,
}
BY_FORCE = frozenset({Demand.FORCED})


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
    """Every labelled value holds one key's JWT, id and secret, and the same other fields as the rest."""
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
    protected: frozenset[str]
    """Live keys that nothing here may revoke: the managing one, and those that another configured secret holds."""
    stored: frozenset[str]
    """Keys inside some version: a consumer may hold them."""
    defied: int
    """Revocations since a hold was set."""
    behind: bool = False
    """Consumers in some region may read an older value."""
    leaked: frozenset[str] = frozenset()
    """Keys that the tag `rotator:contain` names."""
    condemned: frozenset[str] = frozenset()
    """Keys whose grace that ends: those, and if one of them was the last to be current, all that are no younger."""
    tagged: bool = False
    """The tag is there, whatever it says."""
    holding: frozenset[str] = frozenset()
    """The key that a configured consumer keeps."""


@dataclass(frozen=True, slots=True)
class Act:
    """An effect of ours: what kind, and by what demand its run was begun."""

    operation: Operation
    demand: Demand
    grace_s: float


@dataclass(frozen=True, slots=True)
class Conduct:
    """What one run did so far: its audit events and its calls, in order; a call stands where it was made."""

    trail: Sequence[Event | Operation | Named | Answered]
    saw_hold: bool
    """The labels it last read had the hold tag."""
    calls_max: int
    saw_behind: bool = False
    """The labels it last read told of a replica that is not in sync."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a run that ended without an error said of itself."""

    outcome: str
    ends_well: bool
    """It neither waits for anything nor for anybody."""
    key_id: str | None
    promoted: bool
    """It reports a promotion among its actions."""
    revoked: frozenset[str]
    proved_dead: frozenset[str]


# After every effect ----------------------------------------------------------------------------------------------


def i1_current_key_works(before: Moment, act: Act, after: Moment) -> str | None:
    """The key consumers read is live, its stored token is the right one, and its scopes are those configured."""
    del act
    if after.works or after.current in after.excused:
        return None  # what a person broke can stay broken for a while
    if not before.works and after.current == before.current:
        return None  # it did not work before this effect either
    if after.current is None:
        return "I1 AWSCURRENT holds no key" if before.current is not None else None
    return f"I1 the key in AWSCURRENT, {after.current}, does not work"


def i2_grace_is_kept(before: Moment, act: Act, after: Moment) -> str | None:
    """A key that was current within the last `grace` lives: consumers may still hold it."""
    for key_id in before.live - after.live - before.condemned:
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
    for key_id in before.protected - after.protected:
        return f"I3 key {key_id} was killed, and something else needs it"
    return None


def i4_generation_never_falls(before: Moment, act: Act, after: Moment) -> str | None:
    """AWSCURRENT stays where it is or moves to a higher generation; only a person may move it back."""
    del act
    if after.generation < before.generation:
        return f"I4 the generation fell from {before.generation} to {after.generation}"
    return None


def i9_values_are_credentials(before: Moment, act: Act, after: Moment) -> str | None:
    """Nothing is stored but a JWT in its field, beside the key that it names, its secret, and all other fields."""
    del act
    if before.well_formed and not after.well_formed:
        return "I9 a value was stored that holds no whole credential, or lost a field"
    return None


def i11_people_are_not_overruled(before: Moment, act: Act, after: Moment) -> str | None:
    """A key that a person put over ours stays current until somebody forces; but one that is refused serves nobody."""
    if before.works and before.current in before.edited and after.current != before.current:
        lifted = act.demand in BY_FORCE or before.tagged
        return None if lifted else "I11 a hand-edited key was replaced unasked"
    return None


def i14_current_keys_are_known(before: Moment, act: Act, after: Moment) -> str | None:
    """What a run promotes is a key whose name is ours, so that every later run knows it."""
    moved = act.operation is Operation.PROMOTE and after.current != before.current
    if moved and after.current in after.live - after.managed - after.edited:
        return f"I14 key {after.current} became current under a name that is not ours"
    return None


def i16_tag_goes_with_the_dead(before: Moment, act: Act, after: Moment) -> str | None:
    """The tag `rotator:contain` goes only when every key that it names is dead."""
    alive = before.leaked & before.live
    if act.operation is Operation.UNTAG and before.tagged and not after.tagged and alive:
        return f"I16 the tag is gone, and {sorted(alive)} lives"
    return None


def i18_consumers_come_first(before: Moment, act: Act, after: Moment) -> str | None:
    """No key dies that a configured consumer keeps, unless somebody said that it has leaked."""
    died = (before.live - after.live) & before.holding - before.condemned
    if act.operation is Operation.REVOKE_KEY and died:
        return f"I18 key {min(died)} was revoked, and a consumer still had it"
    return None


AFTER_EFFECT: tuple[Callable[[Moment, Act, Moment], str | None], ...] = (
    i1_current_key_works,
    i2_grace_is_kept,
    i3_no_foreign_key_dies,
    i4_generation_never_falls,
    i9_values_are_credentials,
    i11_people_are_not_overruled,
    i14_current_keys_are_known,
    i16_tag_goes_with_the_dead,
    i18_consumers_come_first,
)


def i5_live_keys_are_bounded(before: Moment, act: Act, after: Moment, limit: int) -> str | None:
    """No key is made beyond the limit, unless consumers have no good key, or the one they have has leaked.

    Args:
        before: the truth before the effect.

        act: the effect.

        after: the truth after it.

        limit: `live_keys_max`, and one more for each other run at work, and for a list that misled this one.
    """
    urgent = not before.works or before.tagged
    if act.operation is Operation.CREATE_KEY and not urgent and len(after.managed) > limit:
        return f"I5 {len(after.managed)} live keys of ours, of {limit} allowed"
    return None


def i15_attempts_back_off(made: int, settle_s: float) -> str | None:
    """In one hour no more keys are made than the back-off allows, whatever fails.

    Each attempt waits twice as long as the one before, beginning with `settle`.

    Args:
        made: keys of ours made within the last hour, above every one that was promoted.

        settle_s: the first wait, in seconds; with 0 there is none.
    """
    if not settle_s:
        return None
    allowed, waited_s = 1, 0.0
    while (waited_s := waited_s + settle_s * 2 ** (allowed - 1)) < HOUR_S:
        allowed += 1
    return f"I15 {made} keys were made in an hour, and {allowed} are allowed" if made > allowed else None


def i10_hold_stops_revocations(after: Moment, limit: int) -> str | None:
    """Once a hold is set, each run at work makes at most the one revocation that it had decided on.

    Args:
        after: the truth after an effect.

        limit: how many runs and delayed requests there may be.
    """
    if after.defied > limit:
        return f"I10 {after.defied} revocations since the hold was set"
    return None


def i12_nothing_dies_unproved(before: Moment, after: Moment, proved: frozenset[str]) -> str | None:
    """While the current key does not work, nothing that consumers may hold is revoked.

    Args:
        before: the truth before the effect.

        after: the truth after it.

        proved: the keys that its run saw working: one that somebody breaks right after that is not its fault.
    """
    died = (before.live - after.live) & before.stored
    if died and not before.works and not proved - died:
        return f"I12 {sorted(died)} was revoked, while the current key does not work"
    return None


# Of every run ----------------------------------------------------------------------------------------------------


def i6_effects_are_announced(conduct: Conduct) -> str | None:
    """Every effect has an acknowledged audit intent of its own just before it, which says what it is about."""
    intents: list[Intent] = []
    spent = Subject()
    for entry in conduct.trail:
        match entry:
            case Intent():
                intents.append(entry)
            case Operation() if entry in EFFECTS:
                if not intents or intents[-1].operation is not EFFECTS[entry]:
                    return f"I6 {entry} without a durable intent"
                spent = intents[-1].subject
                intents.clear()
            case Named(subject):
                if not _is_part(subject, spent):
                    return f"I6 the intent speaks of {spent}, the call of {subject}"
            case _:
                pass
    return None


def i6_effects_are_not_denied(conduct: Conduct) -> str | None:
    """A call that had an effect, or may have had one, is never recorded as a failure."""
    possible = False
    for entry in conduct.trail:
        match entry:
            case Intent():
                possible = False
            case Answered(effect_possible):
                possible |= effect_possible
            case Done(operation, _, Result.FAILURE) if possible:
                return f"I6 {operation} is recorded as a failure, and may have had its effect"
            case _:
                pass
    return None


def i6_intents_have_outcomes(conduct: Conduct) -> str | None:
    """In the trail of a run that ended, the outcome of each intent follows it."""
    opened: Intent | None = None
    for entry in conduct.trail:
        if isinstance(entry, Operation | Named | Answered):
            continue
        if opened is not None:
            match entry:
                case Done(opened.operation, subject) if _is_part(opened.subject, subject):
                    pass
                case _:
                    return f"I6 the intent of {opened.operation} has no outcome"
        opened = entry if isinstance(entry, Intent) else None
    return f"I6 the intent of {opened.operation} has no outcome" if opened else None


def _is_part(known: Subject, told: Subject) -> bool:
    """Tell whether one subject says all that another one says."""
    return all(
        not getattr(known, part) or getattr(known, part) == getattr(told, part)
        for part in ("version_id", "key_id", "key_name", "label")
    )


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
    asked = _asked(conduct)
    if conduct.saw_hold and asked in EFFECTS:
        return f"I10 {asked} though the secret is on hold"
    return None


def i13_replicas_come_first(conduct: Conduct) -> str | None:
    """A run that has read of a replica that is behind revokes nothing but what it made; asked where no key leaked."""
    made = {e.subject.key_id for e in conduct.trail if isinstance(e, Done) and e.operation is Audited.CREATE_KEY}
    named = conduct.trail[-1] if conduct.trail else None
    is_own = isinstance(named, Named) and named.subject.key_id in made
    if conduct.saw_behind and _asked(conduct) is Operation.REVOKE_KEY and not is_own:
        return "I13 a key was revoked though a replica is behind"
    return None


def _asked(conduct: Conduct) -> Operation | None:
    """Return the call that a run asks for now: the last of its trail, but for what it is about."""
    match list(conduct.trail[-2:]):
        case [Operation() as operation, Named()] | [*_, Operation() as operation]:
            return operation
        case _:
            return None


OF_A_RUN: tuple[Callable[[Conduct], str | None], ...] = (
    i6_effects_are_announced,
    i6_effects_are_not_denied,
    i8_run_is_bounded,
    i10_hold_is_respected,
    i13_replicas_come_first,
)

HOUR_S = 3600.0
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
    if named := moment.marks - moment.protected:
        return f"L1 labels still name {sorted(named)} as replaced"
    kept = moment.edited | moment.protected | {moment.current}
    if alive := (moment.replaced & moment.live) - kept:
        return f"L1 replaced foreign keys live: {sorted(alive)}"
    return None


def l5_good_end_is_good(moment: Moment, told: Told) -> str | None:
    """A run that ends without an error, and does not wait or hold, leaves consumers with a key that works."""
    if told.ends_well and not moment.works:
        return f"L5 the run ended {told.outcome}, and the key in AWSCURRENT does not work"
    return None


def l6_outcome_is_so(before: Moment, after: Moment, told: Told) -> str | None:
    """What a run says of itself is so in both systems: the current key, the rotation, the keys it calls dead."""
    if told.key_id is not None and told.key_id != after.current:
        return f"L6 the run names {told.key_id} as current, and it is {after.current}"
    if (told.outcome == "rotated") is not told.promoted:
        return f"L6 the run ended {told.outcome}, and it {'did' if told.promoted else 'did not'} promote a version"
    if alive := told.proved_dead & after.live:
        return f"L6 the run called {sorted(alive)} dead"
    if told.outcome == "up_to_date" and not told.revoked and before.works is not after.works:
        return "L6 the run says that nothing was to be done, and it changed what consumers read"
    return None


def l2_idle_run_writes_nothing(writes: int) -> str | None:
    """The run after the last one that had something to do changes nothing."""
    return f"L2 {writes} writes in a run with nothing to do" if writes else None


def l4_leaked_key_dies(before: Moment, after: Moment) -> str | None:
    """A run without faults over a key that has leaked leaves it dead, another one in its place, and no tag."""
    if before.current in after.live - after.protected:
        return f"L4 the leaked key {before.current} still lives"
    if after.tagged and before.current not in after.live:
        return f"L4 {before.current} is dead, and the tag is still there"
    return None


def l3_recovery_is_short(calls: int, calls_max: int) -> str | None:
    """All runs together that it takes to settle make at most so many calls."""
    return f"L3 recovery took {calls} calls" if calls > calls_max else None
