"""What is true of the two systems at one instant, and what must be remembered of the past to judge the next.

Pure functions of what the sandbox's own records hold, read without any code of the program that is judged. The explorer
asks them about worlds in memory; a test that kills real processes asks them about the systems that it serves.
"""

from collections.abc import Mapping
from typing import NamedTuple

from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS
from rotator.model.secret import Demand
from rotator.model.tags import CONTAIN_TAG, HOLD_TAG
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.secrets_manager.state import ReplicaStatus, Secret
from tests.simulated.invariants import AFTER_EFFECT, BY_FORCE, Act, Moment
from tests.simulated.values import generation_in_name, generation_of, held_by, held_in, lives, marks
from tests.simulated.world import Operation

SCOPES = Permissions(resources=("org:files:write",))
"""What every configured secret here asks for."""
Keys = tuple[KeyRecord, ...]
_VALUED = frozenset({AWSCURRENT, AWSPENDING})


class Past(NamedTuple):
    """What the systems do not show, and the invariants must remember; the fields are those of `Moment`."""

    left: tuple[tuple[str, float], ...] = ()
    adopted: frozenset[str] = frozenset()
    replaced: frozenset[str] = frozenset()
    edited: frozenset[str] = frozenset()
    excused: frozenset[str] = frozenset()
    elsewhere: frozenset[str] = frozenset()
    """Keys that another configured secret holds."""
    holding: frozenset[str] = frozenset()
    rolling: bool = False
    """The consumer is being deployed anew."""
    defied: int = 0


class View(NamedTuple):
    """One secret and the keys of one Pinata account, as they are."""

    at_s: float
    secret: Secret
    keys: Keys
    """In the order of creation, the managing key first."""
    past: Past
    prefix: str
    """Of the names of keys that are ours for this secret."""
    scopes: Permissions = SCOPES
    """What the secret asks for."""


def moment_of(view: View) -> Moment:
    """Return the truth that the invariants judge."""
    secret, past = view.secret, view.past
    records = {record.key: record for record in view.keys}
    alive = frozenset(k.key for k in view.keys if lives(k))
    live = alive - {view.keys[0].key}
    current = held_in(secret, AWSCURRENT)
    record = records.get(current.key_id) if current else None
    leaked = frozenset(secret.tags.get(CONTAIN_TAG, "").partition(" ")[0].split("+")) & records.keys()
    return Moment(
        at_s=view.at_s,
        current=current.key_id if current else None,
        works=current is not None
        and record is not None
        and lives(record)
        and record.jwt == current.jwt
        and record.permissions == view.scopes,
        generation=_generation(view, secret.labels.get(AWSCURRENT)),
        pending=AWSPENDING in secret.labels,
        well_formed=_is_well_formed(secret, records),
        held=HOLD_TAG in secret.tags,
        live=live,
        managed=frozenset(k.key for k in view.keys if k.key in live and generation_in_name(view.prefix, k.name)),
        left=dict(past.left),
        adopted=past.adopted | past.replaced,
        replaced=past.replaced,
        edited=past.edited,
        excused=past.excused,
        marks=marks(secret),
        set_back=_is_set_back(view),
        leaked=leaked,
        condemned=leaked | _no_younger(view, leaked),
        tagged=CONTAIN_TAG in secret.tags,
        behind=bool(set(secret.replicas.values()) - {ReplicaStatus.IN_SYNC}),
        protected=(past.elsewhere | {view.keys[0].key}) & alive,
        stored=frozenset(held.key_id for v in secret.versions.values() if (held := held_by(str(v.value)))),
        defied=past.defied,
        holding=past.holding,
    )


def _is_well_formed(secret: Secret, records: Mapping[str, KeyRecord]) -> bool:
    """Tell whether each labelled value holds one whole key, and all the same fields beside it."""
    extras = set[str]()
    for version_id in {v for label, v in secret.labels.items() if label in _VALUED}:
        value = secret.versions[version_id].value
        if value is None:
            continue
        held = held_by(str(value))
        if held is None or not held.agrees:
            return False
        record = records.get(held.key_id)
        if record is not None and held.secret not in {None, record.secret}:
            return False
        extras.add(held.extras)
    return len(extras) <= 1


def _no_younger(view: View, leaked: frozenset[str]) -> frozenset[str]:
    """Return the keys whose generation is not above that of a leaked key which was the last to be current."""
    held = held_in(view.secret, AWSPREVIOUS)
    made = {k.key: generation_in_name(view.prefix, k.name) for k in view.keys[1:]}
    fence = made.get(held.key_id, 0) if held and held.key_id in leaked else -1
    return frozenset(key_id for key_id, generation in made.items() if generation <= fence)


def _is_set_back(view: View) -> bool:
    labels = view.secret.labels
    current, previous = (_generation(view, labels.get(v)) for v in (AWSCURRENT, AWSPREVIOUS))
    held = held_in(view.secret, AWSCURRENT)
    live = {k.key for k in view.keys if lives(k)}
    return 0 < current < previous and held is not None and held.key_id in live


def _generation(view: View, version_id: str | None) -> int:
    """Return the generation of a version: the higher of those in its id and in its key's name."""
    if version_id is None:
        return 0
    held = held_by(str(view.secret.versions[version_id].value))
    name = next((k.name for k in view.keys if held and k.key == held.key_id), "")
    return max(generation_of(version_id), generation_in_name(view.prefix, name))


def owned(after: View, truth: Moment, operation: Operation, demand: Demand) -> Past:
    """Return the past once a run of ours has begun to take a foreign current key over, or a person let it."""
    past = after.past
    if operation is Operation.CREATE_KEY and not generation_in_name(after.prefix, after.keys[-1].name):
        past = past._replace(adopted=past.adopted | {after.keys[-1].key})  # the run knows it by its id
    if operation is Operation.PUT_VALUE:
        ours = {k.key for k in after.keys if generation_in_name(after.prefix, k.name)}
        past = past._replace(adopted=past.adopted | marks(after.secret) - ours)
    if operation is Operation.PROMOTE and truth.current:
        if truth.works:  # an id in a value that is refused is only a claim
            past = past._replace(replaced=past.replaced | {truth.current} - truth.managed)
        if demand in BY_FORCE or truth.tagged:
            past = past._replace(edited=past.edited - {truth.current})
    if operation is Operation.REVOKE_KEY and truth.held:
        past = past._replace(defied=past.defied + 1)
    return past


def remembered(before: Secret, after: View) -> Past:
    """Return the past once the key that is no longer current is noted, and the dead are forgotten."""
    old, new = held_in(before, AWSCURRENT), held_in(after.secret, AWSCURRENT)
    live = {k.key for k in after.keys if lives(k)}
    left = dict(after.past.left)
    if old and new and old.key_id != new.key_id:
        left[old.key_id] = after.at_s
        left.pop(new.key_id, None)
    return after.past._replace(left=tuple(sorted((k, at) for k, at in left.items() if k in live)))


def broken_by(before: Moment, act: Act, after: Moment) -> tuple[str, ...]:
    """Return what an effect broke."""
    return tuple(message for rule in AFTER_EFFECT if (message := rule(before, act, after)))
