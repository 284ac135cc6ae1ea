"""The JSON of Secrets Manager: what answers look like, filters, and pages.

Shapes are those of botocore's service model; filters follow the user guide's page on finding
secrets (a prefix match for names and tags, words without regard to case otherwise, `!` negates).
"""

import base64
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Self, TypeVar

from rotator.sandbox.secrets_manager.state import Found, InvalidParameterError, Secret
from rotator.sandbox.secrets_manager.store import Entry, Json

PAGE_MAX = 100

Item = TypeVar("Item")


def identity(entry: Entry) -> Json:
    """ARN and name, which every answer carries."""
    return {"ARN": entry.arn, "Name": entry.name}


def description(entry: Entry, secret: Secret, stages_key: str) -> Json:
    """What DescribeSecret and ListSecrets say of a secret; only the key of the stages differs."""
    answer = {
        **identity(entry),
        "CreatedDate": secret.created,
        "LastChangedDate": secret.last_changed,
        "Tags": [{"Key": key, "Value": value} for key, value in secret.tags.items()],
    }
    if entry.primary_region or secret.replicas:
        answer["PrimaryRegion"] = entry.primary_region or entry.region
    if secret.replicas and stages_key == "VersionIdsToStages":  # ListSecrets tells of none
        answer |= replication(secret)
    if secret.labels:
        answer[stages_key] = secret.describe()
    optional = {
        "Description": secret.details.description,
        "KmsKeyId": secret.details.kms_key_id,
        "DeletedDate": secret.deletion,
        "LastRotatedDate": entry.last_rotated,
        "OwningService": entry.owning_service,
    }
    answer.update({key: value for key, value in optional.items() if value})
    if secret.rotation_lambda_arn:
        answer["RotationEnabled"] = entry.rotation_enabled
        answer["RotationLambdaARN"] = secret.rotation_lambda_arn
        answer["RotationRules"] = dict(entry.rotation_rules)
    return answer


def replication(secret: Secret) -> Json:
    """What DescribeSecret and the replicating operations say of replicas."""
    status = [{"Region": region, "Status": seen} for region, seen in secret.replicas.items()]
    return {"ReplicationStatus": status}


def secret_value(entry: Entry, found: Found) -> Json:
    """What GetSecretValue says."""
    value = found.value
    shown = {"SecretBinary": base64.b64encode(value).decode()} if isinstance(value, bytes) else {"SecretString": value}
    return {**identity(entry), **version(found), **shown}


def version(found: Found) -> Json:
    """What is said of one version."""
    return {"VersionId": found.version_id, "VersionStages": list(found.labels), "CreatedDate": found.version.created}


@dataclass(frozen=True, slots=True)
class Page:
    """What a client asked for: at most `size` items with a serial above `after`.

    A token is the serial of the last item shown, so deletions between two pages hide nothing.
    """

    after: int
    size: int

    @classmethod
    def asked(cls, sent: Json, size_max: int = PAGE_MAX) -> Self:
        """Parse `NextToken` and `MaxResults`. Raises InvalidParameterError if One of them is not valid. ."""
        token, size = sent.get("NextToken") or "0", sent.get("MaxResults") or size_max
        if not isinstance(size, int) or not 1 <= size <= size_max or not str(token).isdecimal():
            raise InvalidParameterError(f"MaxResults must be 1 to {size_max}, and NextToken from an earlier answer.")
        return cls(int(token), size)

    def cut(self, items: Iterable[Item], serial: Callable[[Item], int]) -> tuple[Sequence[Item], Json]:
        """The first items, all with a serial above `after`, and the token of a next page if any."""
        found = list(islice(items, self.size + 1))
        shown = found[: self.size]
        return shown, {"NextToken": str(serial(shown[-1]))} if len(found) > self.size else {}


def selected(entry: Entry, secret: Secret, filters: Iterable[tuple[str, Sequence[str]]]) -> bool:
    """Whether a secret passes every filter. Raises InvalidParameterError if A filter's key is unknown. ."""
    return all(_passes(entry, secret, key, values) for key, values in filters)


def _passes(entry: Entry, secret: Secret, key: str, values: Sequence[str]) -> bool:
    prefixes = {"name": [entry.name], "tag-key": list(secret.tags), "tag-value": list(secret.tags.values())}
    texts = {
        "description": [secret.details.description],
        "all": [entry.name, secret.details.description, *secret.tags, *secret.tags.values()],
        "owning-service": [entry.owning_service],
        "primary-region": [entry.primary_region or (entry.region if secret.replicas else "")],
    }
    if key in prefixes:
        return any(_hit(value, prefixes[key], _prefixed) for value in values)
    if key in texts:
        return any(_hit(value, texts[key], _has_words) for value in values)
    raise InvalidParameterError(f"Unknown filter key {key}.")


def _hit(wanted: str, texts: Sequence[str], test: Callable[[str, str], bool]) -> bool:
    negated = wanted.startswith("!")
    return any(test(wanted.removeprefix("!"), text) for text in texts) is not negated


def _prefixed(wanted: str, text: str) -> bool:
    return text.startswith(wanted)


def _has_words(wanted: str, text: str) -> bool:
    words = re.split(r"[\W_]+", text.lower())
    asked = [word for word in re.split(r"[\W_]+", wanted.lower()) if word]
    return bool(asked) and all(any(w.startswith(word) for w in words) for word in asked)
