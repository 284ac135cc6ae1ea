"""What a run expects the two systems to look like after an action of its own.

Pure functions from one `Observed` to the next. An expectation is good for deciding that nothing remains to be done,
and never for acting: before acting, a run looks again.
"""

from dataclasses import replace
from datetime import datetime

from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    AWSPREVIOUS,
    HasKey,
    KeyState,
    Observed,
    Proof,
    ProviderKey,
    Version,
)


def pending(observed: Observed, version_id: str, labels: frozenset[str], content: HasKey) -> Observed:
    """A version was put with AWSPENDING."""
    version = Version(version_id, labels | {AWSPENDING}, content)
    cleared = without_label(observed, AWSPENDING).versions
    others = tuple(known for known in cleared if known.version_id != version_id)
    return replace(observed, versions=(*others, version))


def minted(observed: Observed, key: ProviderKey) -> Observed:
    """A key was made, or listed anew."""
    others = tuple(known for known in observed.keys if known.key_id != key.key_id)
    return replace(observed, keys=(*others, key))


def promoted(observed: Observed, version_id: str, replacing: str | None, now: datetime) -> Observed:
    """AWSCURRENT moved to a version that was proved just before; AWSPREVIOUS followed it to the version it left."""
    moved = without_label(without_label(observed, AWSPREVIOUS), AWSCURRENT)
    moved = with_label(moved, version_id, AWSCURRENT)
    if replacing is not None:
        moved = with_label(moved, replacing, AWSPREVIOUS)
    changed = replace(moved.description, changed_at=now)
    return replace(moved, description=changed, proof=Proof.ACCEPTED, rollout=None)


def revoked(observed: Observed, key_id: str) -> Observed:
    """A key was revoked."""
    key = observed.key(key_id)
    listed = observed if key is None else minted(observed, replace(key, state=KeyState.REVOKED))
    return replace(listed, witnessed=(*observed.witnessed, (key_id, KeyState.REVOKED)))


def with_label(observed: Observed, version_id: str, label: str) -> Observed:
    """A label was put on a version."""
    return replace(
        observed,
        versions=tuple(
            replace(version, labels=version.labels | {label}) if version.version_id == version_id else version
            for version in observed.versions
        ),
    )


def without_label(observed: Observed, label: str) -> Observed:
    """A label was taken off whichever version carried it."""
    return replace(
        observed, versions=tuple(replace(version, labels=version.labels - {label}) for version in observed.versions)
    )


def demanding(observed: Observed, text: str | None) -> Observed:
    """The tag `rotator:contain` was set, or taken off."""
    return replace(observed, description=replace(observed.description, contain=text), contain=text)
