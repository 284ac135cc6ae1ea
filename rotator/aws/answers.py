"""What Secrets Manager answers, as values of ours.

Shapes: DescribeSecret, ListSecrets and GetSecretValue, API reference. An answer holds a secret's value: none of these
functions raises anything that would show it.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import mktime_tz, parsedate_tz
from typing import TYPE_CHECKING, Any

from rotator.model.credential import Sensitive
from rotator.model.observed import SecretDescription, Version
from rotator.model.ports import StoredValue
from rotator.model.tags import AUDIT_HEAD_TAG, CONTAIN_TAG, HOLD_TAG
from rotator.model.times import reckoned

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager.type_defs import (
        DescribeSecretResponseTypeDef,
        ListSecretVersionIdsResponseTypeDef,
        SecretListEntryTypeDef,
    )


def described(answer: "DescribeSecretResponseTypeDef", skew_s: float) -> SecretDescription:
    """Return what DescribeSecret tells."""
    status = {
        replica.get("Region", "a region without a name"): replica.get("Status")
        for replica in answer.get("ReplicationStatus", ())
    }
    behind = frozenset(region for region, seen in status.items() if seen != "InSync")
    failed = frozenset(region for region, seen in status.items() if seen == "Failed")
    return _labels(answer, answer.get("VersionIdsToStages", {}), skew_s, behind, failed)


def listed(row: "SecretListEntryTypeDef", skew_s: float) -> SecretDescription | None:
    """Return what a row of ListSecrets tells: nothing of replicas. None if it lacks labels or a usable date."""
    stages = row.get("SecretVersionsToStages")
    if not stages or "LastChangedDate" not in row:
        return None
    try:
        return _labels(row, stages, skew_s, frozenset(), frozenset())
    except ValueError:
        return None


def stored(answer: Mapping[str, Any]) -> StoredValue | None:
    """Return what GetSecretValue tells; None for a binary value."""
    if "SecretBinary" in answer:
        return None
    return StoredValue(
        version_id=answer["VersionId"],
        text=Sensitive(answer["SecretString"]),
        created_at=reckoned(answer["CreatedDate"]),
    )


def version_dates(answer: "ListSecretVersionIdsResponseTypeDef") -> dict[str, datetime]:
    """Return the CreatedDate of each labelled version; there are 20 labels at most, so one page shows them all."""
    return {
        row["VersionId"]: reckoned(row["CreatedDate"])
        for row in answer["Versions"]
        if "VersionId" in row and "CreatedDate" in row
    }


def current_values(asked: Iterable[str], answer: Mapping[str, Any]) -> dict[str, Sensitive | None]:
    """Return what BatchGetSecretValue tells of secrets that were asked for by ARN.

    None where it tells no text: bytes, an error, or nothing at all. Missing is a secret without a value.
    """
    values: dict[str, Sensitive | None] = dict.fromkeys(asked)
    for error in answer.get("Errors", ()):
        if error.get("ErrorCode") == "ResourceNotFoundException":
            values.pop(error.get("SecretId"), None)
    for row in answer["SecretValues"]:
        values[row["ARN"]] = Sensitive(row["SecretString"]) if "SecretString" in row else None
    return values


def _labels(
    row: "DescribeSecretResponseTypeDef | SecretListEntryTypeDef",
    stages: Mapping[str, list[str]],
    skew_s: float,
    behind: frozenset[str],
    failed: frozenset[str],
) -> SecretDescription:
    tags = {tag["Key"]: tag.get("Value", "") for tag in row.get("Tags", ()) if "Key" in tag}
    return SecretDescription(
        arn=row["ARN"],
        name=row["Name"],
        changed_at=reckoned(row["LastChangedDate"]),
        hold=tags.get(HOLD_TAG),
        contain=tags.get(CONTAIN_TAG),
        audit_head=tags.get(AUDIT_HEAD_TAG),
        versions=tuple(Version(v, frozenset(labels)) for v, labels in stages.items() if labels),
        clock_skew_s=skew_s,
        rotation_enabled=row.get("RotationEnabled", False),
        replicas_behind=behind,
        replicas_failed=failed,
        primary_region=row.get("PrimaryRegion", ""),
        owning_service=row.get("OwningService", ""),
        deleted_at=reckoned(row["DeletedDate"]) if "DeletedDate" in row else None,
    )


def answered_at(answer: Mapping[str, Any]) -> datetime | None:
    """Return the Date header of an answer; None if it has none."""
    date = parsedate_tz(answer["ResponseMetadata"].get("HTTPHeaders", {}).get("date", ""))
    return datetime.fromtimestamp(mktime_tz(date), UTC) if date else None


def moved_at(answer: Mapping[str, Any]) -> datetime | None:
    """Return when a label was moved, by the answer that says so."""
    return answered_at(answer) if answer["ARN"] else None


def skew_s(answer: Mapping[str, Any], clock_s: float) -> float:
    """Return the server's clock minus ours, to the second; 0 if the answer has no date."""
    at = answered_at(answer)
    return at.timestamp() - clock_s if at else 0.0
