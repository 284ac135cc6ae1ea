"""Values for tests, with sensible defaults: a settled secret at a fixed time.

    a_spec(grace=AT_ONCE)
    an_observed(a_version(4, AWSCURRENT), a_version(3, AWSPREVIOUS), changed_at=hours_ago(30))

A version built with a generation is ours, and holds the key `key-<generation>` of the same age.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rotator.model.consumers import Standing
from rotator.model.naming import KeyFamily, version_id
from rotator.model.observed import (
    AWSCURRENT,
    AWSPENDING,
    Content,
    HasKey,
    KeyState,
    Observed,
    Proof,
    ProviderKey,
    SecretDescription,
    Unread,
    Version,
)
from rotator.model.reasons import Reason
from rotator.model.secret import JsonFields, Resources, SecretSpec

NOW = datetime(2026, 9, 21, 12, 0, tzinfo=UTC)
"""A Monday."""
ARN = "arn:aws:secretsmanager:eu-central-1:111122223333:secret:prod/pinata/uploader-AbCdEf"
FAMILY = KeyFamily.of("rotator", ARN)
AT_ONCE = timedelta(0)
NEEDS_PERSON = frozenset(reason for reason in Reason if reason.needs_person)
NATIVE_ID = "8f3b5c1a-0d2e-4c6f-9a7b-1c2d3e4f5a6b"
"""The kind of version id that AWS and people use."""


def ago(**elapsed: float) -> datetime:
    """Return the time so many days, hours, minutes or seconds before `NOW`."""
    return NOW - timedelta(**elapsed)


def a_spec(**changes: Any) -> SecretSpec:  # noqa: ANN401 - any field of the specification
    """Return a specification with the defaults of the configuration."""
    default = SecretSpec(
        name="uploader",
        secret_id="prod/pinata/uploader",
        permissions=Resources(frozenset({"org:files:write"})),
        shape=JsonFields("JWT", "pinata_api_key", "pinata_api_secret", "default"),
        max_age=timedelta(days=30),
        grace=timedelta(hours=24),
        pending_timeout=timedelta(hours=1),
        live_keys_max=3,
        verify_timeout=timedelta(seconds=30),
        timeout=timedelta(minutes=2),
        check_every=timedelta(hours=1),
        settle=timedelta(minutes=5),
    )
    return replace(default, **changes)


def own_id(generation: int, made_at: datetime | None = None) -> str:
    """Return a version id of ours."""
    return version_id(generation, made_at or ago(days=1), f"{generation:010}")


def a_version(
    generation: int | str,
    *labels: str,
    key: str | None = None,
    made_at: datetime | None = None,
    expires_at: datetime | None = None,
    content: Content | None = None,
) -> Version:
    """Return a labelled version.

    Args:
        generation: of a version of ours, or the whole id of another one.

        labels: on it.

        key: id of the key inside; by default `key-<generation>`, or `foreign`.

        made_at: its CreatedDate, a day ago by default.

        expires_at: of the token inside.

        content: instead of a key; by default a key inside AWSCURRENT and AWSPENDING, and in
            versions that are not ours, and unread in others.
    """
    made_at = made_at or ago(days=1)
    ours = isinstance(generation, int)
    held = HasKey(key or (f"key-{generation}" if ours else "foreign"), made_at, expires_at)
    read = key is not None or not ours or {AWSCURRENT, AWSPENDING} & set(labels)
    return Version(
        version_id=own_id(generation) if isinstance(generation, int) else generation,
        labels=frozenset(labels),
        content=content or (held if read else Unread()),
    )


def a_key(
    generation: int,
    key_id: str | None = None,
    *,
    name: str | None = None,
    made_at: datetime | None = None,
    **changes: Any,  # noqa: ANN401 - any field of a key
) -> ProviderKey:
    """Return a live key of ours, `key-<generation>`, made a day ago for the version `own_id` gives."""
    key = ProviderKey(
        key_id=key_id or f"key-{generation}",
        name=name or FAMILY.key_name(own_id(generation)),
        created_at=made_at or ago(days=1),
        state=KeyState.LIVE,
    )
    return replace(key, **changes)


def a_dead_key(generation: int) -> ProviderKey:
    """Return a revoked key of ours."""
    return a_key(generation, state=KeyState.REVOKED)


def an_observed(  # noqa: PLR0913 - the fields of what is observed
    *versions: Version,
    keys: Iterable[ProviderKey] | None = None,
    changed_at: datetime | None = None,
    hold: str | None = None,
    witnessed: Iterable[tuple[str, KeyState]] = (),
    protected: Iterable[str] = ("managing",),
    skew_s: float = 0.0,
    behind: Iterable[str] = (),
    failed: Iterable[str] = (),
    proof: Proof | None = None,
    contain: str | None = None,
    managing: str | None = None,
    rollout: Iterable[Standing] | None = None,
) -> Observed:
    """Return what was observed.

    Args:
        versions: the labelled versions.

        keys: of ours; by default a live one for each key id that a version holds.

        changed_at: the last change of a label, a day and an hour ago by default.

        hold: the value of the hold tag.

        witnessed: keys that testAuthentication was asked about.

        protected: keys that are never revoked.

        skew_s: the server's clock minus ours.

        behind: regions whose replica is not in sync.

        failed: regions whose replication has failed.

        proof: of the current credential; by default it is accepted, if there is one.

        contain: the value of the tag that demands a containment.

        managing: the id of the key that the run works with.

        rollout: how far consumers are; by default nobody was asked.
    """
    labels = SecretDescription(
        ARN,
        "prod/pinata/uploader",
        changed_at or ago(hours=25),
        hold,
        versions,
        skew_s,
        replicas_behind=frozenset({*behind, *failed}),
        replicas_failed=frozenset(failed),
        contain=contain,
    )
    has_key = any(AWSCURRENT in v.labels and isinstance(v.content, HasKey) for v in versions)
    inside = [v.content.key_id for v in versions if isinstance(v.content, HasKey)]
    default = (a_key(int(key_id.removeprefix("key-"))) for key_id in inside if key_id.startswith("key-"))
    return Observed(
        description=labels,
        versions=versions,
        keys=tuple(default if keys is None else keys),
        witnessed=tuple(witnessed),
        proof=proof or (Proof.ACCEPTED if has_key else Proof.NONE),
        protected=frozenset(protected),
        family=FAMILY,
        contain=contain,
        managing=managing,
        rollout=tuple(rollout) if rollout is not None else None,
    )
