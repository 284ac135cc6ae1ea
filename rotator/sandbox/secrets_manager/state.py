"""What Secrets Manager knows of one secret, what it shows of it, its bounds and its refusals.

A `Secret` is immutable, and so by agreement are its mappings: a copy is a reference. How it
changes is in `rules`.

Sources: the API reference of GetSecretValue, DescribeSecret, ListSecretVersionIds; the string and
list bounds of botocore's service model; the quotas page of the user guide; the tag quotas of the
AWS General Reference.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import ClassVar

CURRENT = "AWSCURRENT"
PENDING = "AWSPENDING"
PREVIOUS = "AWSPREVIOUS"

LABELS_MAX = 20
LABEL_CHARS_MAX = 256
TOKEN_CHARS_MIN = 32
TOKEN_CHARS_MAX = 64
VALUE_BYTES_MAX = 65_536
DESCRIPTION_CHARS_MAX = 2_048
TAGS_MAX = 50
TAG_KEY_CHARS_MAX = 128
TAG_VALUE_CHARS_MAX = 256
UNLABELLED_MAX = 100
UNLABELLED_KEPT_S = 24 * 3600.0

Value = str | bytes


class RuleError(Exception):
    """A refusal, which changed nothing. `code` is the error code AWS puts on the wire."""

    code: ClassVar[str]


class InvalidParameterError(RuleError):
    """A parameter is out of bounds, or a compare-and-swap named the wrong version."""

    code = "InvalidParameterException"


class InvalidRequestError(RuleError):
    """The request does not fit the state of the secret: deleted, or a rotation is unfinished."""

    code = "InvalidRequestException"


class LimitExceededError(RuleError):
    """A quota of the secret would be exceeded."""

    code = "LimitExceededException"


class ResourceExistsError(RuleError):
    """The version id is taken."""

    code = "ResourceExistsException"


class ResourceNotFoundError(RuleError):
    """There is no such secret, version, or value."""

    code = "ResourceNotFoundException"


class PendingOnPromotion(Enum):
    """What UpdateSecretVersionStage of AWSCURRENT does to AWSPENDING on the version it moves to.

    The user guide says the same call removes it; users of aws-samples' rotation functions saw both
    labels stay.
    """

    KEPT = "kept"
    DROPPED = "dropped"


class RotationStart(Enum):
    """What RotateSecret itself does to LastChangedDate, before any function has run.

    The API reference says the date is that of the last modification in any way, and does not say whether a new
    version without a value is one.
    """

    CHANGES = "changes"
    KEEPS = "keeps"


class ReplicaStatus(StrEnum):
    """Status of ReplicationStatusType (API reference)."""

    IN_SYNC = "InSync"
    IN_PROGRESS = "InProgress"
    FAILED = "Failed"


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a value; `None` is the empty placeholder RotateSecret makes."""

    created: float
    value: Value | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Found:
    """What GetSecretValue answers."""

    version_id: str
    version: Version
    labels: tuple[str, ...]

    @property
    def value(self) -> Value | None:
        """The value; never `None` for what `get` returns."""
        return self.version.value


@dataclass(frozen=True, slots=True)
class Details:
    """What a person may write about a secret."""

    description: str = ""
    kms_key_id: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret without its name; `labels` maps a label to a version id, times are epoch seconds.

    `deletion` is when a recovery window ends; `on_promotion` and `on_rotation` say which AWS this secret lives in.
    `replicas` maps a region to its status, which changes only when somebody says so.
    """

    created: float
    last_changed: float
    versions: Mapping[str, Version] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    details: Details = Details()
    rotation_lambda_arn: str = ""
    deletion: float | None = None
    on_promotion: PendingOnPromotion = PendingOnPromotion.KEPT
    on_rotation: RotationStart = RotationStart.CHANGES
    replicas: Mapping[str, ReplicaStatus] = field(default_factory=dict)

    def labels_of(self, version_id: str) -> tuple[str, ...]:
        """The labels on one version."""
        return tuple(label for label, holder in self.labels.items() if holder == version_id)

    def describe(self) -> dict[str, list[str]]:
        """`VersionIdsToStages`: labelled versions only, with or without a value."""
        stages: dict[str, list[str]] = {}
        for label, holder in self.labels.items():
            stages.setdefault(holder, []).append(label)
        return stages

    def list_versions(self, *, include_deprecated: bool = False) -> tuple[Found, ...]:
        """Versions, oldest first, with or without a value (*unsettled*); unlabelled ones only on request."""
        every = (Found(i, v, self.labels_of(i)) for i, v in self.versions.items())
        return tuple(f for f in every if f.labels or include_deprecated)

    def get(self, version_id: str | None = None, label: str | None = None) -> Found:
        """The version by id, by label, or the current one.

        Raises InvalidRequestError if The secret is deleted, or the label is not on that version; ResourceNotFoundError
        if There is no such version, or it holds no value. .
        """
        self.check_live()
        wanted = label or CURRENT
        chosen = version_id or self.labels.get(wanted)
        version = self.versions.get(chosen) if chosen else None
        if version_id and label and version and self.labels.get(label) != version_id:
            raise InvalidRequestError("You provided a VersionStage that is not associated to the provided VersionId.")
        if chosen is None or version is None or version.value is None:
            what = f"VersionId: {version_id}" if version_id else f"staging label: {wanted}"
            raise ResourceNotFoundError(f"Secrets Manager can't find the specified secret value for {what}")
        return Found(chosen, version, self.labels_of(chosen))

    def check_live(self) -> None:
        """Refuse a secret that is marked for deletion. Raises InvalidRequestError if it is. ."""
        if self.deletion is not None:
            raise InvalidRequestError(
                "You can't perform this operation on the secret because it was marked for deletion."
            )


# Bounds; each raises InvalidParameterError


def _check_length(what: str, length: int, low: int, high: int) -> None:
    if not low <= length <= high:
        raise InvalidParameterError(f"{what} must have a length between {low} and {high}; it has {length}.")


def check_token(token: str) -> None:
    """A token, which becomes the version id."""
    _check_length("ClientRequestToken", len(token), TOKEN_CHARS_MIN, TOKEN_CHARS_MAX)


def check_label(label: str) -> None:
    """A staging label."""
    _check_length("VersionStage", len(label), 1, LABEL_CHARS_MAX)


def check_value(value: Value) -> None:
    """A value, by its bytes."""
    size = len(value.encode() if isinstance(value, str) else value)
    _check_length("The secret value", size, 1, VALUE_BYTES_MAX)


def check_details(details: Details) -> None:
    """A description."""
    _check_length("Description", len(details.description), 0, DESCRIPTION_CHARS_MAX)


def check_tags(tags: Mapping[str, str]) -> None:
    """All tags of a secret."""
    _check_length("Tags", len(tags), 0, TAGS_MAX)
    for key, value in tags.items():
        _check_length("A tag key", len(key), 1, TAG_KEY_CHARS_MAX)
        _check_length("A tag value", len(value), 0, TAG_VALUE_CHARS_MAX)
        if key.lower().startswith("aws:"):
            raise InvalidParameterError("Tag keys that begin with aws: are reserved.")
