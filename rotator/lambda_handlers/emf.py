"""Figures for CloudWatch, in its embedded metric format: one JSON line on standard output for each invocation.

Format: "Specification: Embedded metric format", CloudWatch user guide. A document has at most 1 MiB, a directive at
most 100 metrics and 30 dimensions; ours has nine and one. Numbers only: nothing here could hold a secret.
"""

import json
from dataclasses import dataclass
from datetime import datetime

NAMESPACE = "rotator"


@dataclass(slots=True)
class Figures:
    """What one invocation came to."""

    failed_runs: int = 0
    rotated: int = 0
    held: int = 0
    outages: int = 0
    old_keys_overdue: int = 0
    managing_key_expiring: int = 0
    queued: int = 0


def document(function: str, figures: Figures, *, alive: bool, seconds: float, now: datetime) -> str:
    """Return the line to print.

    `function` is the dimension. Without a heartbeat (`alive`) an alarm on missing data goes off.
    """
    values = {
        **({"Heartbeat": 1} if alive else {}),
        "FailedRuns": figures.failed_runs,
        "Rotated": figures.rotated,
        "Held": figures.held,
        "Outages": figures.outages,
        "OldKeysOverdue": figures.old_keys_overdue,
        "ManagingKeyExpiring": figures.managing_key_expiring,
        "Queued": figures.queued,
        "Seconds": round(seconds, 3),
    }
    directive = {
        "Namespace": NAMESPACE,
        "Dimensions": [["Function"]],
        "Metrics": [{"Name": name, "Unit": "Seconds" if name == "Seconds" else "Count"} for name in values],
    }
    timestamp_ms = int(now.timestamp() * 1000)
    return json.dumps(
        {"_aws": {"Timestamp": timestamp_ms, "CloudWatchMetrics": [directive]}, "Function": function, **values}
    )
