"""A key that has leaked: which keys a standing demand means, and what becomes of them. Pure, like the planner.

Nothing is revoked before its replacement is current and verified: a leaked key that works beats an outage that nobody
asked for. Once it is, the keys that are meant die without a grace, and no replica is waited for.
"""

from rotator.engine.superseded import keys_above_current, superseded_keys
from rotator.model.observed import HasKey, KeyState, Observed, ProviderKey
from rotator.model.plan import Action, Tag, Untag
from rotator.model.tags import Containment, containment_in


def demanded(observed: Observed) -> frozenset[str]:
    """Return the ids of the keys that are to die; none if nothing is demanded, or nobody said which key is meant."""
    if observed.contain is None:
        return frozenset()
    inside = (version.content.key_id for version in observed.versions if isinstance(version.content, HasKey))
    known = {*inside, *observed.replaced_key_ids(), *(key.key_id for key in observed.keys)}
    return frozenset(containment_in(observed.contain, known).key_ids)


def must_move(observed: Observed) -> bool:
    """Tell whether a key that is to die is current, or may become current: then another one has to be made first."""
    above = {key.key_id for key in keys_above_current(observed)}
    return bool(demanded(observed) & (above | {observed.key_inside(observed.current)}))


def is_outage(observed: Observed) -> bool:
    """Tell whether consumers have no key that is good, in a secret that was ours: none works, or it has leaked."""
    return observed.is_out() or must_move(observed) or is_unnamed(observed)


def without_grace(observed: Observed) -> frozenset[str]:
    """Return the keys that wait for no grace and no replica.

    Those that are named, and, if one that is named was the last to be current, superseded ones no younger than it.
    """
    named, previous = demanded(observed), observed.previous
    if not named or previous is None:
        return named
    of_previous = {observed.key_inside(previous), observed.family.key_name(previous.version_id)}
    ages = {key.key_id: observed.generation_of_key(key) for key in observed.keys}
    fence = max((ages[key.key_id] for key in observed.keys if _is_in(key, named, of_previous)), default=-1)
    return named | {key_id for key_id in superseded_keys(observed) if ages.get(key_id, 0) <= fence}


def _is_in(key: ProviderKey, named: frozenset[str], of_version: set[str | None]) -> bool:
    return key.key_id in named and bool({key.key_id, key.name} & of_version)


def is_proved_dead(observed: Observed, key_id: str) -> bool:
    """Tell whether a key is listed as revoked, or its token was accepted before and is refused now."""
    key = observed.key(key_id)
    if key is not None and key.state is KeyState.LIVE:
        return False
    return key is not None or not observed.is_live(key_id)


def alive(observed: Observed) -> frozenset[str]:
    """Return the keys that are to die and are not proved dead."""
    return frozenset(key_id for key_id in demanded(observed) if not is_proved_dead(observed, key_id))


def is_unnamed(observed: Observed) -> bool:
    """Tell whether somebody demands that a key be contained, and nobody has said which."""
    return observed.contain is not None and not demanded(observed)


def name_current(observed: Observed) -> tuple[Action, ...]:
    """Write into the tag that the key that is current now is meant; nothing if there is none."""
    current = observed.current_key
    if observed.description.contain is None or current is None:
        return ()
    return (Tag(Containment((current.key_id,), observed.description.contain).text),)


def settle(observed: Observed) -> tuple[Action, ...]:
    """Return what is to be done about the tag itself: it goes once each key that it names is proved dead."""
    text, named = observed.description.contain, demanded(observed)
    is_done = bool(named) and not alive(observed)
    return (Untag(text),) if text is not None and is_done else ()
