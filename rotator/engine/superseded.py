"""Which keys of a secret the fence allows to revoke, and which it does not: pure questions about what is seen.

A key is superseded if its generation is at or below that of AWSCURRENT, or a label names it as replaced. It is never
one in use, nor one that somebody else needs.
"""

from rotator.model.observed import OURS, REPLACED_PREFIX, Observed, Proof, ProviderKey
from rotator.model.secret import SecretSpec

REPLACED_LABELS_MAX = 10
"""Of the `LABELS_MAX` that a secret can have."""


def superseded_keys(observed: Observed) -> tuple[str, ...]:
    """Return the live keys that the fence allows to revoke once their grace is over, oldest first.

    Ours with a generation at or below the current one's, and those that a label names: hand-made ones that we took
    over from, and ours that outlived their revocation. Never a key inside AWSCURRENT or AWSPENDING, nor a protected
    one. A stale read shows a smaller generation, and so fewer keys.
    """
    fence = observed.generation(observed.current)
    if fence == 0:
        return ()
    ours = sorted(
        (observed.generation_of_key(key), key.key_id)
        for key in observed.live_keys()
        if 0 < observed.generation_of_key(key) <= fence
    )
    candidates = dict.fromkeys((*left_keys(observed), *(key_id for _, key_id in ours)))
    return tuple(key_id for key_id in candidates if key_id not in kept_keys(observed))


def left_keys(observed: Observed) -> tuple[str, ...]:
    """Return the live keys that labels say were replaced, but those in use."""
    named = dict.fromkeys(sorted(observed.replaced_key_ids()))
    return tuple(k for k in named if observed.is_live(k) and k not in kept_keys(observed))


def managing_key_left(spec: SecretSpec, observed: Observed) -> bool:
    """Tell whether this secret is the managing key's own, and the key that this run works with was superseded in it.

    A run that works with another key revokes it.
    """
    key = observed.key(observed.managing or "")
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    if not spec.manages or observed.managing is None or observed.managing in in_use:
        return False
    is_ours = key is not None and 0 < observed.generation_of_key(key) <= observed.generation(observed.current)
    return is_ours or observed.managing in observed.replaced_key_ids()


def kept_keys(observed: Observed) -> set[str | None]:
    """Return the keys that are in use, or that somebody else needs."""
    in_use = {observed.key_inside(observed.current), observed.key_inside(observed.pending)}
    return {*in_use, *observed.protected}


def is_crowded(observed: Observed) -> bool:
    """Tell whether a take-over would need a label more than there is room for.

    Each of a person's keys that was taken over from holds one of the secret's few labels until it is dead. They are
    retired under a current key of ours; but a person may put in a key of their own again and again before that.
    """
    foreign = observed.generation(observed.current) == 0
    return foreign and len(observed.replaced_key_ids()) >= REPLACED_LABELS_MAX


def unlabelled_keys(observed: Observed) -> tuple[ProviderKey, ...]:
    """Return live keys of ours that no labelled version holds or is named for: left by runs that were cut short."""
    named = {observed.family.key_name(version.version_id) for version in observed.versions}
    inside = {observed.key_inside(version) for version in observed.versions}
    known = inside | set(observed.replaced_key_ids())
    return tuple(k for k in observed.live_keys() if k.key_id not in known and k.name not in named)


def keys_above_current(observed: Observed) -> tuple[ProviderKey, ...]:
    """Return live keys of ours that the fence does not cover: made, and never promoted."""
    fence = observed.generation(observed.current)
    return tuple(key for key in observed.live_keys() if observed.generation_of_key(key) > fence)


def marks_of(observed: Observed) -> frozenset[str]:
    """Return the custom labels of a new version: what it takes over from, if the secret is not ours yet.

    A key is named only if its credential was accepted in this run: an id in a refused value is only a claim.
    """
    if observed.generation(observed.current) > 0:
        return frozenset()
    foreign = observed.key_inside(observed.current)
    if foreign is None or observed.proof is not Proof.ACCEPTED:
        return frozenset({OURS})
    return frozenset({OURS, REPLACED_PREFIX + foreign})
