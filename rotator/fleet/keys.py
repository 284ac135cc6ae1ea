"""Every key of the Pinata account: whose it is, and which configured secrets hold it. It touches none."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from rotator.fleet.lookup import Resolved, Target
from rotator.fleet.run import WORKERS_MAX
from rotator.model.credential import Sensitive
from rotator.model.errors import RotatorError, SecretNotFoundError
from rotator.model.jwt import mentioned
from rotator.model.naming import KeyFamily, generation_of_version, name_of, nonce_of, place_of, secret_of_key
from rotator.model.observed import AWSCURRENT, AWSPENDING, AWSPREVIOUS, KeyState, ProviderKey, SecretDescription
from rotator.model.ports import Deadline, SecretStore

_HOLDING = {AWSCURRENT, AWSPENDING, AWSPREVIOUS}


class Owner(StrEnum):
    """Whose a key is, what matters first first."""

    ORPHAN = "orphan"
    """Made by this installation, and in no secret that is configured."""
    CONFIGURED = "secret"
    """Made for a configured secret, or inside one."""
    MANAGING = "managing"
    """The key that rotator itself uses."""
    INSTALLATION = "installation"
    """Made by a rotator with another `owner`, or in another account or region."""
    OTHER = "other"
    """Somebody's: rotator did not make it."""


@dataclass(frozen=True, slots=True)
class OwnedKey:
    """A key of the account, and whose it is."""

    key: ProviderKey
    owner: Owner
    secret: str | None
    """The configured name of the secret that it was made for or that holds it, else the name of the secret in AWS."""
    generation: int | None
    held_by: tuple[str, ...] | None
    """The configured secrets of which a labelled version holds it; None if no value that was read does, but some could
    not be read."""


@dataclass(frozen=True, slots=True)
class Values:
    """What the labelled versions of the configured secrets hold."""

    texts: Mapping[str, tuple[Sensitive, ...]]
    """By configured name."""
    unread: Mapping[str, RotatorError]
    """Why not all of a secret's values could be read, by configured name."""


def read_values(found: Resolved, store: SecretStore, deadline: Deadline) -> Values:
    """Read AWSCURRENT, AWSPENDING and AWSPREVIOUS of each secret, several at a time. What cannot be read is told."""
    texts: dict[str, tuple[Sensitive, ...]] = {}
    unread = {spec.name: error for spec, error in found.lost if not isinstance(error, SecretNotFoundError)}

    def read(target: Target) -> None:
        arn, held = target.description.arn, []
        for version in target.description.versions:
            if version.labels & _HOLDING:
                try:
                    stored = store.read(arn, version.version_id, deadline)
                except RotatorError as error:
                    unread[target.spec.name] = error
                else:
                    held += [stored.text] if stored else []
        texts[target.spec.name] = tuple(held)

    with ThreadPoolExecutor(WORKERS_MAX, "read") as pool:
        list(pool.map(read, found.targets))
    return Values(texts, unread)


def owned(
    keys: Sequence[ProviderKey], owner: str, managing_key_id: str | None, found: Resolved, values: Values
) -> tuple[OwnedKey, ...]:
    """Say of each key whose it is, what matters first first."""
    ids = frozenset(key.key_id for key in keys)
    holders: dict[str, list[str]] = {}
    for name, texts in values.texts.items():
        for key_id in frozenset[str]().union(*(mentioned(text, ids) for text in texts)):
            holders.setdefault(key_id, []).append(name)
    families = {KeyFamily.of(owner, target.description.arn).prefix: target for target in found.targets}
    places = {place_of(target.description.arn) for target in found.targets}
    rows = []
    for key in keys:
        held = tuple(sorted(holders.get(key.key_id, ())))
        is_dead, whose = key.state is KeyState.REVOKED, _whose(key, owner, families, places, found)
        match whose:
            case (_, secret, generation) if key.key_id == managing_key_id:
                whose = (Owner.MANAGING, secret, generation)
            case (Owner.ORPHAN, secret, generation) if held or (is_dead and secret in values.texts):
                whose = (Owner.CONFIGURED, secret, generation)
            case (Owner.OTHER, _, _) if held:
                whose = (Owner.CONFIGURED, held[0], None)
            case _:
                pass
        rows.append(OwnedKey(key, *whose, None if values.unread and not held else held))
    return tuple(sorted(rows, key=_what_matters))


def _whose(
    key: ProviderKey, owner: str, families: Mapping[str, Target], places: set[tuple[str, str] | None], found: Resolved
) -> tuple[Owner, str | None, int | None]:
    """Say by its name whose a key is."""
    made_for = secret_of_key(key.name)
    if made_for is None:
        return Owner.OTHER, None, None
    prefix, resource = made_for
    generation = generation_of_version(key.name.removeprefix(prefix))
    if target := families.get(prefix):
        is_known = is_labelled(key, target.description, prefix)
        return Owner.CONFIGURED if is_known else Owner.ORPHAN, target.spec.name, generation
    key_owner, account, region, _ = prefix.split("/", 3)
    for spec, error in found.lost if key_owner == owner else ():
        # Its ARN is not known, so whether it is this very secret is not known either.
        is_gone, last = isinstance(error, SecretNotFoundError), spec.secret_id.rpartition(":secret:")[2]
        if not is_gone and last in {resource, name_of(resource)}:
            return Owner.CONFIGURED, spec.name, generation
    is_ours = key_owner == owner and ((region, account) in places or not found.targets)
    return Owner.ORPHAN if is_ours else Owner.INSTALLATION, name_of(resource), generation


def is_labelled(key: ProviderKey, description: SecretDescription, prefix: str) -> bool:
    """Tell whether a labelled version is named like a key of ours, or says that it replaced it."""
    minted_as = key.name.removeprefix(prefix)
    return any(
        minted_as == version.version_id
        or (not generation_of_version(version.version_id) and minted_as.endswith(nonce_of(version.version_id)))
        or key.key_id in version.replaced()
        for version in description.versions
    )


def _what_matters(row: OwnedKey) -> tuple[bool, int, str, float]:
    """Sort live orphans before all else, and the newest key of each secret first."""
    return (
        row.key.state is KeyState.REVOKED,
        list(Owner).index(row.owner),
        row.secret or "",
        -row.key.created_at.timestamp(),
    )
