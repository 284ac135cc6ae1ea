"""Names that carry state: version ids, and the provider keys that are named for them.

A version id is `g<generation>-<UTC time>-<nonce>`; a key is named `<owner>/<account>/<region>/<ARN resource>/<version
id>`. The name is how a key that was lost between "created" and "stored" is found again, and how two installations that
share one Pinata account tell their keys apart. A name that is not exactly ours belongs to somebody else.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from rotator.model.times import reckoned

_VERSION_ID = re.compile(r"g(?P<generation>\d{6,9})-(?P<time>\d{8}T\d{6}Z)-(?P<nonce>[0-9A-Za-z-]{10})", re.ASCII)
_SECRET_ARN = re.compile(
    r"arn:aws[a-z-]*:secretsmanager:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):secret:(?P<resource>[^\s:]+)"
)
_KEY_NAME = re.compile(
    r"(?P<prefix>[^/]+/\d{12}/[^/]+/(?P<resource>[^\s:]+-[A-Za-z0-9]{6})/)(?P<version>[^/]+)", re.ASCII
)
_FULL_ARN = re.compile(r"arn:.*-[A-Za-z0-9]{6}", re.ASCII)
_TIME_FORMAT = "%Y%m%dT%H%M%SZ"
SINCE_PREFIX = "rotator:since:"
"""Custom label on AWSCURRENT, followed by when it was promoted, while a key that it superseded is alive.

Grace runs from there. LastChangedDate would do if nothing but a promotion moved it; but every tag, label and
RotateSecret does.
"""
NONCE_LENGTH = 10
GENERATION_MAX = 999_999_999
_NOT_IN_NONCE = re.compile(r"[^0-9A-Za-z-]", re.ASCII)
_SUFFIX_LENGTH = len("-AbCdEf")
"""Secrets Manager ends every ARN with a hyphen and six characters (user guide, what is in a secret)."""


def version_id(generation: int, now: datetime, nonce: str) -> str:
    """Return the id of a new version, 35 characters; Secrets Manager takes 32 to 64."""
    made = f"g{generation:06}-{now.astimezone(UTC).strftime(_TIME_FORMAT)}-{nonce}"
    if not _VERSION_ID.fullmatch(made):
        raise ValueError(f"not a version id: {made}")
    return made


def nonce_of(foreign_id: str) -> str:
    """Return what ties a key's name to a version whose id is not of our making: the first ten characters of the id.

    Under Secrets Manager's own rotation the version id is the token of the rotation, and only the name of the key
    carries the generation.
    """
    return _NOT_IN_NONCE.sub("-", foreign_id[:NONCE_LENGTH])


def generation_of_version(version_id: str) -> int:
    """Return the generation in a version id; 0 if the id is not of our making."""
    match = _VERSION_ID.fullmatch(version_id)
    return int(match["generation"]) if match else 0


def time_of_version(version_id: str) -> datetime | None:
    """Return the time in a version id of ours: an index, not evidence."""
    match = _VERSION_ID.fullmatch(version_id)
    if not match:
        return None
    try:
        return reckoned(datetime.strptime(match["time"], _TIME_FORMAT).replace(tzinfo=UTC))
    except ValueError:
        return None


def since_label(promoted_at: datetime) -> str:
    """Return the label that says when a version was promoted."""
    return SINCE_PREFIX + promoted_at.astimezone(UTC).strftime(_TIME_FORMAT)


def since_in(label: str) -> datetime | None:
    """Return the time in a since label, in whole seconds; None for any other label."""
    if not label.startswith(SINCE_PREFIX):
        return None
    try:
        return reckoned(datetime.strptime(label.removeprefix(SINCE_PREFIX), _TIME_FORMAT).replace(tzinfo=UTC))
    except ValueError:
        return None


def ids_of(arn: str) -> frozenset[str]:
    """Return every id that a secret may be configured by: its ARN, with or without its suffix, and its name.

    What looks like a full ARN is never taken for one without its suffix: a secret named `a-bbbbbb` would be mistaken
    for the secret `a` with the suffix `-bbbbbb`.
    """
    short = arn[:-_SUFFIX_LENGTH]
    ids = {arn, short.partition(":secret:")[2]}
    return frozenset(ids if _FULL_ARN.fullmatch(short) else ids | {short})


def place_of(arn: str) -> tuple[str, str] | None:
    """Return the region and the account of a secret's whole ARN, suffix and all; None for any other text."""
    match = _SECRET_ARN.fullmatch(arn)
    return (match["region"], match["account"]) if match and _FULL_ARN.fullmatch(arn) else None


def secret_of_key(key_name: str) -> tuple[str, str] | None:
    """Return the prefix of the family of a key's name, and the end of the ARN of its secret; None if it is not ours."""
    match = _KEY_NAME.fullmatch(key_name)
    return (match["prefix"], match["resource"]) if match and generation_of_version(match["version"]) else None


def name_of(resource: str) -> str:
    """Return a secret's name from the end of its ARN."""
    return resource[:-_SUFFIX_LENGTH]


@dataclass(frozen=True, slots=True)
class KeyFamily:
    """The names of all keys made for one secret by one owner."""

    prefix: str
    """Everything before the version id, with the last slash."""

    @classmethod
    def of(cls, owner: str, arn: str) -> "KeyFamily":
        """Return the family of a secret's keys. Raises ValueError if the ARN is not that of a secret."""
        match = _SECRET_ARN.fullmatch(arn)
        if not match:
            raise ValueError(f"not the ARN of a secret: {arn}")
        return cls(f"{owner}/{match['account']}/{match['region']}/{match['resource']}/")

    def key_name(self, version_id: str) -> str:
        """Return the name of the key that is minted for a version."""
        return self.prefix + version_id

    def generation(self, key_name: str) -> int:
        """Return the generation in a key's name; 0 if the name is not exactly one of this family."""
        if not key_name.startswith(self.prefix):
            return 0
        return generation_of_version(key_name.removeprefix(self.prefix))
