"""Figures in the embedded metric format, as its specification has it."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.lambda_handlers.emf import Figures, document

NOW = datetime(2026, 11, 24, 20, 0, 0, 250_000, tzinfo=UTC)


def written(*, alive: bool = True) -> dict[str, Any]:
    """Return a document as it is printed."""
    figures = Figures(
        failed_runs=1, rotated=2, held=3, outages=6, old_keys_overdue=4, managing_key_expiring=1, queued=5
    )
    line = document("tick", figures, alive=alive, seconds=1.23456, now=NOW)
    assert "\n" not in line
    return dict(json.loads(line))


def test_document_follows_the_specification() -> None:
    """Every metric named in the directive is a number at the root, every dimension a text at the root."""
    document = written()
    metadata = document["_aws"]
    assert set(metadata) == {"Timestamp", "CloudWatchMetrics"}
    assert metadata["Timestamp"] == int(NOW.timestamp() * 1000)
    (directive,) = metadata["CloudWatchMetrics"]
    assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
    assert directive["Namespace"] == "rotator"
    assert directive["Dimensions"] == [["Function"]]
    assert document["Function"] == "tick"
    names = [metric["Name"] for metric in directive["Metrics"]]
    assert {metric["Unit"] for metric in directive["Metrics"]} == {"Count", "Seconds"}
    assert 0 < len(names) <= 100
    assert all(isinstance(document[name], int | float) for name in names)
    assert set(document) == {"_aws", "Function", *names}


def test_names_and_values() -> None:
    """Alarms are set on these names."""
    assert {k: v for k, v in written().items() if k not in {"_aws", "Function"}} == {
        "Heartbeat": 1,
        "FailedRuns": 1,
        "Rotated": 2,
        "Held": 3,
        "Outages": 6,
        "OldKeysOverdue": 4,
        "ManagingKeyExpiring": 1,
        "Queued": 5,
        "Seconds": pytest.approx(1.235),
    }


def test_dead_function_has_no_heartbeat() -> None:
    """A heartbeat that is missing sets an alarm off; one of zero would not."""
    document = written(alive=False)
    assert "Heartbeat" not in document
    names = [m["Name"] for m in document["_aws"]["CloudWatchMetrics"][0]["Metrics"]]
    assert "Heartbeat" not in names
