"""The rules of Secrets Manager's versions and staging labels, as AWS documents them.

Each write takes a `Secret` and the time (epoch seconds, UTC) and returns the next one, or
raises a `RuleError` and leaves nothing changed. There is no clock, no randomness, no lock and no
input or output here, so an exploration can hold millions of states. The reads are methods of
`Secret`.

A label sits on one version at a time by construction, and AWSCURRENT, once attached, can move but
never vanish.

Sources: the Secrets Manager API reference (PutSecretValue, UpdateSecretVersionStage, UpdateSecret,
RotateSecret, GetSecretValue, DescribeSecret, ListSecretVersionIds, TagResource) and the quotas
page. Points that no known source settles are marked *unsettled*.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from rotator.sandbox.secrets_manager.state import (
    CURRENT,
    LABELS_MAX,
    PENDING,
    PREVIOUS,
    UNLABELLED_KEPT_S,
    UNLABELLED_MAX,
    Details,
    InvalidParameterError,
    InvalidRequestError,
    LimitExceededError,
    PendingOnPromotion,
    ResourceExistsError,
    ResourceNotFoundError,
    RotationStart,
    Secret,
    Value,
    Version,
    check_details,
    check_label,
    check_tags,
    check_token,
    check_value,
)


def create(
    now: float,
    *,
    token: str,
    value: Value | None = None,
    tags: Mapping[str, str] | None = None,
    details: Details | None = None,
) -> Secret:
    """A new secret; with a value, its first version is current.

    Raises InvalidParameterError if A bound is exceeded. .
    """
    details = details or Details()
    check_details(details)
    check_tags(tags or {})
    now = round(now, 3)
    empty = Secret(now, now, tags=dict(tags or {}), details=details)
    if value is None:
        return empty
    check_token(token)
    check_value(value)
    return _attached(empty, [CURRENT], token, Version(now, value))


def put(secret: Secret, now: float, *, token: str, value: Value, labels: Iterable[str] = (CURRENT,)) -> Secret:
    """PutSecretValue: a new version, or the one filling of an empty placeholder.

    A repeat with the same token and value returns the very same `secret`: labels do not move. Raises
    InvalidParameterError if A bound is exceeded; InvalidRequestError if The secret is deleted; LimitExceededError if
    Too many labels, or too many young unlabelled versions; ResourceExistsError if The token belongs to a version with
    another value. .
    """
    asked = list(dict.fromkeys(labels))
    check_token(token)
    check_value(value)
    if not 1 <= len(asked) <= LABELS_MAX:
        raise InvalidParameterError(f"VersionStages must have 1 to {LABELS_MAX} members.")
    for label in asked:
        check_label(label)
    secret.check_live()
    known = secret.versions.get(token)
    if known is not None and known.value is not None:
        if known.value == value:
            return secret
        raise ResourceExistsError(f"ClientRequestToken {token} is already in use for a version with another value.")
    if CURRENT not in secret.labels and CURRENT not in asked:
        asked.append(CURRENT)
    changed = _touched(secret, now)
    version = Version(known.created if known else changed.last_changed, value)
    return _pruned(_attached(changed, asked, token, version))


def update(
    secret: Secret, now: float, *, token: str, value: Value | None = None, details: Details | None = None
) -> Secret:
    """UpdateSecret: metadata, and with a value a new current version.

    Raises InvalidParameterError if A bound is exceeded; InvalidRequestError if The secret is deleted;
    LimitExceededError if As for `put`; ResourceExistsError if The token is taken, even by the same value. .
    """
    check_details(details or secret.details)
    secret.check_live()
    if value is not None and token in secret.versions:
        raise ResourceExistsError(f"ClientRequestToken {token} is already in use for a version of the secret.")
    changed = replace(secret, details=details or secret.details)
    if value is not None:
        return put(changed, now, token=token, value=value)
    return secret if changed == secret else _touched(changed, now)


def move_label(
    secret: Secret, now: float, label: str, *, move_to: str | None = None, remove_from: str | None = None
) -> Secret:
    """UpdateSecretVersionStage: a compare-and-swap of one label.

    A finished move cannot be repeated: `remove_from` no longer holds the label. Moving a label onto the version that
    holds it, without naming another one, changes nothing (*unsettled*: AWS may refuse). Raises InvalidParameterError if
    `remove_from` does not hold the label, another version does and was not named, or the call would remove AWSCURRENT
    (*unsettled*: the exact code); InvalidRequestError if The secret is deleted; LimitExceededError if Too many labels;
    ResourceNotFoundError if A version named does not exist. .
    """
    check_label(label)
    secret.check_live()
    for version_id in (remove_from, move_to):
        if version_id is not None and version_id not in secret.versions:
            raise ResourceNotFoundError(f"Secrets Manager can't find the specified secret version: {version_id}")
    holder = secret.labels.get(label)
    _check_swap(label, holder, move_to, remove_from)
    if move_to is None:
        rest = {name: at for name, at in secret.labels.items() if name != label}
        return replace(_touched(secret, now), labels=rest)
    if holder == move_to:
        return secret
    moved = _attached(_touched(secret, now), [label], move_to, secret.versions[move_to])
    drops = secret.on_promotion is PendingOnPromotion.DROPPED and label == CURRENT
    if drops and moved.labels.get(PENDING) == move_to:
        return replace(moved, labels={k: v for k, v in moved.labels.items() if k != PENDING})
    return moved


def tag(secret: Secret, now: float, tags: Mapping[str, str]) -> Secret:
    """TagResource.

    Raises InvalidParameterError if A bound is exceeded, or a key begins with `aws:`; InvalidRequestError if The secret
    is deleted. .
    """
    secret.check_live()
    merged = {**secret.tags, **tags}
    check_tags(merged)
    return secret if merged == secret.tags else replace(_touched(secret, now), tags=merged)


def untag(secret: Secret, now: float, keys: Iterable[str]) -> Secret:
    """UntagResource; keys that are not there are ignored. Raises InvalidRequestError if The secret is deleted. ."""
    secret.check_live()
    gone = set(keys)
    rest = {key: value for key, value in secret.tags.items() if key not in gone}
    return secret if rest == secret.tags else replace(_touched(secret, now), tags=rest)


def delete(secret: Secret, now: float, *, deletion: float) -> Secret:
    """DeleteSecret with a recovery window that ends at `deletion`.

    Raises InvalidRequestError if The secret is deleted already. .
    """
    secret.check_live()
    return replace(_touched(secret, now), deletion=deletion)


def restore(secret: Secret, now: float) -> Secret:
    """RestoreSecret; no change for a secret that is not deleted (*unsettled*)."""
    return secret if secret.deletion is None else replace(_touched(secret, now), deletion=None)


def begin_rotation(secret: Secret, now: float, *, token: str, lambda_arn: str = "") -> Secret:
    """RotateSecret: AWSPENDING on a new version without a value.

    Raises InvalidParameterError if The token's length; InvalidRequestError if Deleted, no Lambda ARN known or given,
    token taken (*unsettled*: the exact code), or AWSPENDING is on a version that is not current; LimitExceededError if
    Too many labels. .
    """
    check_token(token)
    secret.check_live()
    arn = lambda_arn or secret.rotation_lambda_arn
    pending = secret.labels.get(PENDING)
    if not arn:
        raise InvalidRequestError("No Lambda rotation function ARN is associated with this secret.")
    if pending is not None and pending != secret.labels.get(CURRENT):
        raise InvalidRequestError("A previous rotation isn't complete. That rotation will be reattempted.")
    if token in secret.versions:
        raise InvalidRequestError(f"ClientRequestToken {token} is already in use for a version of the secret.")
    touched = _touched(secret, now)
    began = touched.last_changed
    changed = touched if secret.on_rotation is RotationStart.CHANGES else secret
    changed = replace(changed, rotation_lambda_arn=arn)
    return _attached(changed, [PENDING], token, Version(began, None))


def end_rotation_test(secret: Secret, now: float, *, token: str) -> Secret:
    """Remove the pending version `RotateImmediately=False` made, if nobody filled or moved it."""
    version = secret.versions.get(token)
    if version is None or version.value is not None or secret.labels_of(token) != (PENDING,):
        return secret
    versions = {i: v for i, v in secret.versions.items() if i != token}
    labels = {label: holder for label, holder in secret.labels.items() if holder != token}
    return replace(_touched(secret, now), versions=versions, labels=labels)


# Parts of the writes


def _attached(secret: Secret, asked: Iterable[str], version_id: str, version: Version) -> Secret:
    """The version stored and the labels on it; a displaced AWSCURRENT leaves AWSPREVIOUS behind."""
    labels = dict(secret.labels)
    before = labels.get(CURRENT)
    for label in asked:
        labels[label] = version_id
    if before is not None and labels[CURRENT] != before:
        labels[PREVIOUS] = before
    if len(labels) > LABELS_MAX:
        raise LimitExceededError(f"A secret can have at most {LABELS_MAX} staging labels over all its versions.")
    return replace(secret, versions={**secret.versions, version_id: version}, labels=labels)


def _pruned(secret: Secret) -> Secret:
    """Drop the oldest unlabelled versions beyond the quota, but none younger than a day."""
    held = set(secret.labels.values())
    unlabelled = [i for i in secret.versions if i not in held]
    surplus = len(unlabelled) - UNLABELLED_MAX
    if surplus <= 0:
        return secret
    limit = secret.last_changed - UNLABELLED_KEPT_S
    oldest = sorted(unlabelled, key=lambda i: secret.versions[i].created)[:surplus]
    gone = {i for i in oldest if secret.versions[i].created <= limit}
    if len(gone) < surplus:
        raise LimitExceededError(f"A secret can have about {UNLABELLED_MAX} versions younger than a day.")
    return replace(secret, versions={i: v for i, v in secret.versions.items() if i not in gone})


def _touched(secret: Secret, now: float) -> Secret:
    """Advance LastChangedDate, by a millisecond at least."""
    return replace(secret, last_changed=round(max(now, secret.last_changed + 0.001), 3))


def _check_swap(label: str, holder: str | None, move_to: str | None, remove_from: str | None) -> None:
    if move_to is None and remove_from is None:
        raise InvalidParameterError("Name a version in MoveToVersionId, RemoveFromVersionId, or both.")
    if move_to is None and label == CURRENT:
        raise InvalidParameterError(f"{CURRENT} can only be moved to another version, not removed.")
    fits = holder in (None, move_to) if remove_from is None else holder == remove_from
    if not fits:
        raise InvalidParameterError(
            f"The parameter RemoveFromVersionId can't be empty or wrong. Staging label {label} is "
            f"currently attached to version {holder}, so you must explicitly reference that "
            "version in RemoveFromVersionId."
        )
