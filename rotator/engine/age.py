"""How old the current key is, and when it is due by age or expiry."""

from datetime import datetime, timedelta

from rotator.engine.jitter import rotate_after
from rotator.model.observed import HasKey, Observed
from rotator.model.secret import SecretSpec

EXPIRY_MARGIN_MAX = timedelta(days=7)
"""A token is replaced this long before its `exp`, or in the last quarter of its life if that is shorter."""
MANAGING_EXPIRY_MARGIN_MAX = timedelta(days=30)
"""The same for the managing key, without which nothing is rotated; people are told at the same time."""


def born_at(observed: Observed) -> datetime | None:
    """Return when the age of the current key began; None if there is no key.

    A version made together with its key: the version's CreatedDate. One that was made later around an older key
    (restamped, or another field edited by hand): the key's own `createdAt`.
    """
    current, content = observed.current, observed.current_key
    if current is None or content is None:
        return None
    key = observed.key(content.key_id)
    if key is None or key.name == observed.family.key_name(current.version_id):
        return content.created_at
    return min(key.created_at, content.created_at)


def due_at(spec: SecretSpec, observed: Observed) -> datetime | None:
    """Return when the current key is due by age or expiry; None if there is none of ours."""
    if observed.generation(observed.current) == 0:
        return None
    times = (aged_out_at(spec, observed), expiring_at(spec, observed.current_key))
    return min((moment for moment in times if moment), default=None)


def aged_out_at(spec: SecretSpec, observed: Observed) -> datetime | None:
    """Return when the current key is due by age: by `max_age` at the latest, at the secret's own time."""
    born = born_at(observed)
    return born + rotate_after(spec.max_age, observed.description.arn) if born else None


def expiring_at(spec: SecretSpec, content: HasKey | None) -> datetime | None:
    """Return when a token comes near its `exp`; None if it has none."""
    if content is None or content.expires_at is None:
        return None
    life = content.expires_at - content.created_at
    margin = MANAGING_EXPIRY_MARGIN_MAX if spec.manages else EXPIRY_MARGIN_MAX
    return content.expires_at - min(margin, life / 4)


def is_managing_key_expiring(expires_at: datetime | None, now: datetime) -> bool:
    """Tell whether to warn people that the managing key expires soon; without an `exp` there is nothing to warn of."""
    return expires_at is not None and now >= expires_at - MANAGING_EXPIRY_MARGIN_MAX
