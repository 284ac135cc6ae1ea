"""What is seen: a secret's versions and staging labels in Secrets Manager, and its keys at the provider.

Frozen values, and the questions that rules ask of them. Nothing here can hold secret material: a test walks the fields.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum

from rotator.model.consumers import Standing
from rotator.model.naming import SINCE_PREFIX, KeyFamily, generation_of_version, place_of, since_in
from rotator.model.secret import Permissions
from rotator.model.tags import hold_ends_at

AWSCURRENT = "AWSCURRENT"
AWSPENDING = "AWSPENDING"
AWSPREVIOUS = "AWSPREVIOUS"
LABELS_MAX = 20
"""Staging labels of all versions of a secret together (Secrets Manager, quotas)."""
REPLACED_PREFIX = "rotator:replaced:"
"""Custom label on a version, followed by the id of a key that it replaced and that is not proved dead.

A version that takes over from a hand-made key is put with it. A key of ours gets it if it still works after it was
revoked. Either way it is removed once the key is proved dead.
"""
OURS = f"{REPLACED_PREFIX}none"
"""Custom label on the version with which a secret became ours: it tells a hand edit from a first take-over."""
SINCE_TOLERANCE = timedelta(seconds=2)
"""A since label is believed between the version's CreatedDate and LastChangedDate, give or take so much."""


class KeyState(Enum):
    """Whether the provider still takes a key."""

    LIVE = "live"
    REVOKED = "revoked"


class Proof(Enum):
    """What testAuthentication says of the credential in AWSCURRENT, asked in each form that the value holds."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    """One form was refused at two asks, and the version is old enough to have propagated."""
    TOO_YOUNG = "refused, but made too recently to tell"
    NONE = "there is no credential to ask with"


@dataclass(frozen=True, slots=True)
class ProviderKey:
    """One key in the provider's list; never its secret."""

    key_id: str
    name: str
    created_at: datetime
    state: KeyState
    uses: int = 0
    max_uses: int | None = None
    scopes: Permissions | None = None
    """The scopes the list echoes; None where it echoes none, or in a form nobody has documented."""


@dataclass(frozen=True, slots=True)
class HasKey:
    """A version whose value is a credential."""

    key_id: str
    created_at: datetime
    """CreatedDate of the version."""
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class NoValue:
    """A labelled version without a value, as RotateSecret leaves them."""

    created_at: datetime
    """CreatedDate of the version."""


@dataclass(frozen=True, slots=True)
class NoCredential:
    """A version whose value holds no credential: in AWSCURRENT a placeholder, in AWSPENDING anything."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A version whose value no rule needs."""


Content = HasKey | NoValue | NoCredential | Unread


@dataclass(frozen=True, slots=True)
class Version:
    """One labelled version of the secret."""

    version_id: str
    labels: frozenset[str]
    content: Content = field(default_factory=Unread)

    def replaced(self) -> tuple[str, ...]:
        """Return the keys that this version's labels say it replaced, and that are not proved dead."""
        return tuple(
            label.removeprefix(REPLACED_PREFIX)
            for label in sorted(self.labels)
            if label.startswith(REPLACED_PREFIX) and label != OURS
        )

    def since(self) -> datetime | None:
        """Return the latest time that this version's since labels name."""
        return max((time for label in self.labels if (time := since_in(label))), default=None)


@dataclass(frozen=True, slots=True)
class SecretDescription:
    """What DescribeSecret or one row of ListSecrets tells about a secret."""

    arn: str
    name: str
    changed_at: datetime
    """LastChangedDate: the last change of a value, label or tag."""
    hold: str | None
    """The value of the tag `rotator:hold`, if it is set; whether it holds now, `hold_at` says."""
    versions: tuple[Version, ...]
    """Labelled versions, contents unread."""
    clock_skew_s: float = 0.0
    """The server's clock minus ours, from the answer's Date header."""
    rotation_enabled: bool = False
    """Secrets Manager rotates the secret by a schedule of its own (RotationEnabled)."""
    replicas_behind: frozenset[str] = frozenset()
    """Regions whose replica is not InSync: its consumers may read an older value. ListSecrets tells of none."""
    replicas_failed: frozenset[str] = frozenset()
    """Those of them whose replication has failed: it does not go on by itself."""
    primary_region: str = ""
    """PrimaryRegion: where the secret is written, if it has replicas; empty if it has none."""
    owning_service: str = ""
    """OwningService: the AWS service that manages the secret, which nobody else may write; empty if none does."""
    deleted_at: datetime | None = None
    """DeletedDate: when its deletion was asked for; None if it was not."""
    contain: str | None = None
    """The value of the tag `rotator:contain`, if somebody demands that a key be contained."""
    audit_head: str | None = None
    """The value of the tag `rotator:audit-head`, if it is set; no run goes by it."""

    def hold_at(self, now: datetime) -> str | None:
        """Return why the secret is on hold at a time; None if it is not."""
        ends_at = hold_ends_at(self.hold) if self.hold else None
        return None if ends_at and ends_at <= now else self.hold

    def promoted_at(self) -> datetime:
        """Return when AWSCURRENT moved to where it is, at the latest: by its since label, else LastChangedDate."""
        since = next((v.since() for v in self.versions if AWSCURRENT in v.labels), None)
        return since if since and since <= self.changed_at + SINCE_TOLERANCE else self.changed_at

    def standing(self) -> tuple[object, ...]:
        """Return what a revocation rests on: where labels are that say which keys are in use, and what people want."""
        labels = frozenset(
            (label, version.version_id)
            for version in self.versions
            for label in version.labels
            if label in {AWSCURRENT, AWSPENDING} or label.startswith(SINCE_PREFIX)
        )
        return labels, self.hold, self.contain

    def is_replica(self) -> bool:
        """Tell whether this is a replica of a secret in another region, which cannot be written."""
        place = place_of(self.arn)
        return bool(self.primary_region) and place is not None and place[0] != self.primary_region

    def is_writable(self) -> bool:
        """Tell whether a value can be put into the secret here, as far as its description says."""
        return not (self.is_replica() or self.owning_service or self.deleted_at)


@dataclass(frozen=True, slots=True)
class Observed:
    """Both systems as one run saw them, and the questions rules ask of it."""

    description: SecretDescription
    versions: tuple[Version, ...]
    """The labelled versions, with the contents that rules need."""
    keys: tuple[ProviderKey, ...]
    """Keys of ours for this secret: all that live, and of the revoked ones those that a rule needs. No foreign keys."""
    witnessed: tuple[tuple[str, KeyState], ...]
    """Superseded keys that testAuthentication was asked about: the list does not show them, or is not believed."""
    proof: Proof
    """Whether consumers are served."""
    protected: frozenset[str]
    """Key ids that are never revoked: the managing key."""
    family: KeyFamily
    contain: str | None = None
    """What is demanded about leaked keys: the tag `rotator:contain`, or what this process alone was told."""
    managing: str | None = None
    """The id of the key that this run works with, if its token tells."""
    rollout: tuple[Standing, ...] | None = None
    """How far each consumer has followed; None if nobody was asked."""

    def promoted_at(self) -> datetime:
        """Return when AWSCURRENT moved, at the latest; a since label that is older than its version does not count."""
        since, content = self.description.promoted_at(), self.current_key
        is_false = content is not None and since < content.created_at - SINCE_TOLERANCE
        return self.description.changed_at if is_false else since

    def false_since(self) -> tuple[tuple[str, str], ...]:
        """Return the since labels that are not on AWSCURRENT, with their versions: they say nothing that is so."""
        return tuple(
            (version.version_id, label)
            for version in sorted(self.versions, key=lambda version: version.version_id)
            for label in sorted(version.labels)
            if label.startswith(SINCE_PREFIX) and AWSCURRENT not in version.labels
        )

    @property
    def current(self) -> Version | None:
        """The version consumers read."""
        return self.version_labelled(AWSCURRENT)

    @property
    def pending(self) -> Version | None:
        """The version a rotation is working on."""
        return self.version_labelled(AWSPENDING)

    @property
    def previous(self) -> Version | None:
        """The version that was current before."""
        return self.version_labelled(AWSPREVIOUS)

    @property
    def current_key(self) -> HasKey | None:
        """What AWSCURRENT holds, if it is a credential."""
        current = self.current
        return current.content if current and isinstance(current.content, HasKey) else None

    def is_unserved(self) -> bool:
        """Tell whether consumers have no key that works, as far as was seen."""
        current = self.current_key
        return current is None or self.proof is Proof.REFUSED or not self.is_live(current.key_id)

    def is_out(self) -> bool:
        """Tell whether consumers have no key that works, in a secret that was ours before."""
        return self.is_unserved() and (self.current_key is not None or self.was_ours())

    def version_labelled(self, label: str) -> Version | None:
        """Return the version that carries a label."""
        return next((v for v in self.versions if label in v.labels), None)

    def version(self, version_id: str | None) -> Version | None:
        """Return a labelled version by its id."""
        return next((v for v in self.versions if v.version_id == version_id), None)

    def key(self, key_id: str) -> ProviderKey | None:
        """Return a key of ours by its id."""
        return next((k for k in self.keys if k.key_id == key_id), None)

    def key_inside(self, version: Version | None) -> str | None:
        """Return the id of the key that a version's value holds, as far as it was read."""
        return version.content.key_id if version and isinstance(version.content, HasKey) else None

    def may_hold(self, key_id: str) -> tuple[Version, ...]:
        """Return the labelled versions that the token of a superseded key may be in: the last one, and its own."""
        key = self.key(key_id)
        own = key.name if key else None
        return tuple(v for v in self.versions if AWSPREVIOUS in v.labels or self.family.key_name(v.version_id) == own)

    def generation(self, version: Version | None) -> int:
        """Return the higher of the generations in a version's id and in the name of its key; 0 is not ours."""
        key = self.key(self.key_inside(version) or "")
        in_name = self.family.generation(key.name) if key else 0
        return max(generation_of_version(version.version_id) if version else 0, in_name)

    def generation_of_key(self, key: ProviderKey) -> int:
        """Return the generation in a key's name."""
        return self.family.generation(key.name)

    def decade(self) -> range:
        """Return the ten generations, the first of them 0, 10, ..., in which the next key is made.

        They begin with what labels and live keys show, so that one query finds every attempt that failed since.
        """
        seen = 1 + max([0, *map(self.generation, self.versions), *map(self.generation_of_key, self.live_keys())])
        return range(seen - seen % 10, seen - seen % 10 + 10)

    def next_generation(self) -> int:
        """Return the generation of the next key: above every one seen, but never beyond its decade.

        The last number of a decade is used again, by a key with another nonce: the fence compares, it does not count.
        """
        decade = self.decade()
        seen = [*map(self.generation, self.versions), *map(self.generation_of_key, self.keys)]
        return min(1 + max([0, *(generation for generation in seen if generation <= decade[-1])]), decade[-1])

    def was_ours(self) -> bool:
        """Tell whether the secret was ours before: by a label or by a key of ours."""
        return bool(self.keys) or any(OURS in v.labels or self.generation(v) for v in self.versions)

    def live_keys(self) -> tuple[ProviderKey, ...]:
        """Return the keys of ours that are not shown as revoked."""
        return tuple(k for k in self.keys if k.state is KeyState.LIVE)

    def is_live(self, key_id: str) -> bool:
        """Tell whether a key works: by testAuthentication if it was asked, else by the list.

        Missing from the list is never "revoked".
        """
        key = self.key(key_id)
        listed = key.state if key else KeyState.LIVE
        return dict(self.witnessed).get(key_id, listed) is KeyState.LIVE

    def replaced_key_ids(self) -> tuple[str, ...]:
        """Return the keys that labels say were replaced, and that are not proved dead."""
        return tuple(key_id for version in self.versions for key_id in version.replaced())
