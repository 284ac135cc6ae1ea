"""Looking the configured secrets up: their descriptions, in one hundredth of the calls where a fleet is large.

One secret that cannot be found stops no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rotator.engine.guards import check_clock
from rotator.model.errors import (
    ConfigError,
    DeadlineExceededError,
    RotatorError,
    SecretNotFoundError,
    StoreDeniedError,
    StoreError,
)
from rotator.model.observed import SecretDescription
from rotator.model.ports import Deadline, SecretStore
from rotator.model.secret import SecretSpec

LIST_FROM = 3
"""From this many secrets on, one page of ListSecrets is cheaper than a DescribeSecret each."""


@dataclass(frozen=True, slots=True)
class Target:
    """A configured secret and what its labels say."""

    spec: SecretSpec
    description: SecretDescription


@dataclass(frozen=True, slots=True)
class Resolved:
    """A fleet: the secrets that were found, and why the others were not."""

    targets: tuple[Target, ...]
    lost: tuple[tuple[SecretSpec, RotatorError], ...]


def resolve(
    specs: Sequence[SecretSpec], store: SecretStore, deadline: Deadline, list_from: int | None = LIST_FROM
) -> Resolved:
    """Look every secret up, as `look_up` does, where times count.

    Raises as that does; ClockError if this machine's clock is off: by a wrong one every secret may seem asleep.
    """
    found = look_up(specs, store, deadline, list_from)
    for target in found.targets:
        check_clock(target.description)
    return found


def look_up(
    specs: Sequence[SecretSpec], store: SecretStore, deadline: Deadline, list_from: int | None = LIST_FROM
) -> Resolved:
    """Look every secret up, before anything is done to any. One that cannot be found stops no other.

    From `list_from` secrets on ListSecrets is asked; None is where that is not allowed. `deadline` bounds all calls.
    Raises ConfigError if two entries are one secret, or AWS cannot be asked at all.
    """
    surveyed: dict[str, SecretDescription] = {}
    if list_from is not None and len(specs) >= list_from:
        try:
            surveyed = store.survey(tuple(spec.secret_id for spec in specs), deadline)
        except StoreDeniedError:
            surveyed = {}  # ListSecrets cannot be limited to some secrets, so a careful policy leaves it out
    targets: list[Target] = []
    lost: list[tuple[SecretSpec, RotatorError]] = []
    for spec in specs:
        try:
            description = surveyed.get(spec.secret_id) or store.describe(spec.secret_id, deadline)
        except (SecretNotFoundError, StoreError, DeadlineExceededError) as error:
            lost.append((spec, error))
        else:
            targets.append(Target(spec, description))
    _refuse_twins(targets)
    return Resolved(tuple(targets), tuple(lost))


def _refuse_twins(targets: Sequence[Target]) -> None:
    first: dict[str, str] = {}
    for target in targets:
        twin = first.setdefault(target.description.arn, target.spec.name)
        if twin != target.spec.name:
            raise ConfigError(
                f"`{twin}` and `{target.spec.name}` are one secret, {target.description.arn}: "
                "two entries for it would rotate each other's keys"
            )
