"""Live keys of ours that belong to no configured secret: told, and never touched.

They are left behind by a secret that was deleted for good, created anew under its name (its ARN ends otherwise then),
renamed, or taken out of the configuration. No rule finds them, because every rule begins with a configured secret.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rotator.model.errors import RotatorError
from rotator.model.naming import KeyFamily, name_of, place_of, secret_of_key
from rotator.model.observed import KeyState
from rotator.model.ports import Deadline, KeyProvider
from rotator.model.status import SecretStatus

FEW = 20
"""Of so many configured secrets the keys are few enough to be listed at once."""
_SHOWN_MAX = 5


@dataclass(frozen=True, slots=True)
class Stray:
    """One such key."""

    key_id: str
    secret: str
    """The name of the secret that it was made for."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether there is such a key could not be found out."""

    why: str


def stray_keys(
    fleet: Sequence[SecretStatus], owner: str, provider: KeyProvider, deadline: Deadline
) -> tuple[Stray, ...] | Unknown:
    """Walk the owner's keys once for each account and region of a whole fleet; return those of no secret in it.

    A secret that could not be found is not judged: which keys are its own is not known.
    """
    families = {KeyFamily.of(owner, row.arn).prefix: place_of(row.arn) for row in fleet if row.arn}
    unseen = {row.secret_id.rpartition(":secret:")[2] for row in fleet if not row.arn}
    found: list[Stray] = []
    for region, account in sorted({place for place in families.values() if place}):
        try:
            listed = provider.list_keys(f"{owner}/{account}/{region}/", frozenset(), deadline)
        except RotatorError as error:
            return Unknown(error.message)
        for key in listed:
            made_for = secret_of_key(key.name)
            if made_for is None or key.state is KeyState.REVOKED or key.key_id == provider.managing_key_id:
                continue
            prefix, resource = made_for
            if prefix not in families and not {resource, name_of(resource)} & unseen:
                found.append(Stray(key.key_id, name_of(resource)))
    return tuple(found)


def with_strays(status: SecretStatus, strays: Sequence[Stray]) -> SecretStatus:
    """Count the keys of an earlier secret of the same name among the orphans of this one."""
    name = name_of(status.arn.partition(":secret:")[2])
    count = sum(stray.secret == name for stray in strays)
    return status if status.orphans is None else replace(status, orphans=status.orphans + count)


def strays_text(strays: Sequence[Stray] | Unknown) -> str:
    """Say which keys belong to nobody, and what a person does; empty if none does."""
    if isinstance(strays, Unknown):
        return f"whether keys of secrets that are no longer configured live on is not known: {strays.why}"
    if not strays:
        return ""
    shown = ", ".join(f"{stray.key_id} (made for {stray.secret})" for stray in strays[:_SHOWN_MAX])
    more = f" and {len(strays) - _SHOWN_MAX} more" if len(strays) > _SHOWN_MAX else ""
    return (
        f"live keys of rotator's that belong to no configured secret: {shown}{more}; the secret was deleted, created "
        "anew or taken out of the configuration. Nothing rotates or revokes them: if nothing uses them, revoke them in "
        "Pinata's key list"
    )
