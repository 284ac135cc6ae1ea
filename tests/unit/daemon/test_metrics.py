"""Metrics: every number on the fleet, and what was counted."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from rotator.daemon.metrics import Metrics
from rotator.fleet.memory import NEVER, status_of
from rotator.model.errors import CreateOutcomeUnknownError, RotatorError, StoppedError
from rotator.model.events import Done, Operation, Result, Subject
from rotator.model.plan import Outcome
from rotator.model.status import Attention, FleetStatus, OldKey
from rotator.wiring.call_counts import Call, CallCounts
from tests.builders import NOW, a_spec, ago
from tests.page_fleets import many
from tests.yardstick import cpu_s

SCRAPE_MAX_S = 0.15

ROW = replace(
    status_of(a_spec(), None, NEVER, NOW),
    born_at=ago(days=3),
    due_at=NOW + timedelta(days=27),
    last_success_at=ago(minutes=4),
    looked_at=ago(minutes=4),
    old_keys=(OldKey("k1", ago(hours=1)), OldKey("k2", NOW + timedelta(hours=1))),
    orphans=2,
    failures=3,
    needs_person=True,
)
OTHER = status_of(a_spec(name="other", secret_id="other"), None, NEVER, NOW)
FLEET = FleetStatus(
    ago(minutes=9), (ROW, OTHER), "disk full", "", "1.2.3", managing_expires_at=NOW + timedelta(days=40)
)


def read(metrics: Metrics) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and the values of its labels."""
    kind, body = metrics.render()
    assert kind.startswith("text/plain")
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body.decode())
        for sample in family.samples
    }


def metrics_of(fleet: FleetStatus, call_counts: CallCounts | None = None) -> Metrics:
    """Return the metrics over a fleet, at `NOW`."""
    return Metrics(lambda: fleet, lambda: ago(minutes=5), call_counts or CallCounts(), lambda: NOW)


def test_status_in_numbers() -> None:
    """Ages grow with the clock though the status is older; what nobody has looked at has no series."""
    seen = read(metrics_of(FLEET))
    assert seen["rotator_credential_age_seconds", "uploader"] == 3 * 86_400
    assert seen["rotator_due_in_seconds", "uploader"] == 27 * 86_400
    assert seen["rotator_last_success_timestamp_seconds", "uploader"] == ago(minutes=4).timestamp()
    assert seen["rotator_old_keys_alive", "uploader"] == 2
    assert seen["rotator_old_keys_overdue", "uploader"] == 1
    assert seen["rotator_orphan_keys", "uploader"] == 2
    assert seen["rotator_failures_in_a_row", "uploader"] == 3
    assert seen["rotator_needs_person", "uploader"] == 1
    assert seen["rotator_build_info", "1.2.3"] == 1
    assert seen["rotator_audit_healthy",] == 0
    assert seen["rotator_config_in_force",] == 1
    assert seen["rotator_tick_healthy",] == 1
    assert seen["rotator_secrets",] == 2
    assert seen["rotator_last_tick_timestamp_seconds",] == ago(minutes=5).timestamp()
    assert [name for name, *labels in seen if labels == ["other"]] == ["rotator_max_age_seconds"]


def test_a_look_that_failed_says_nothing_of_consumers() -> None:
    """Whether they are served is told as 0 or 1 by a close look, and by nothing else."""
    (row,) = (row for row in FLEET.secrets if row.name == "uploader")
    key = ("rotator_current_refused", "uploader")
    for known, changes in ((True, {"error": ""}), (False, {"error": "x"}), (False, {"error": "", "old_keys": None})):
        fleet = replace(FLEET, secrets=(replace(row, attention=Attention.NONE, **changes),))
        assert (key in read(metrics_of(fleet))) is known
    fleet = replace(FLEET, secrets=(replace(row, attention=Attention.OUTAGE, error="x"),))
    assert read(metrics_of(fleet))[key] == 1


def test_before_the_first_tick_nothing_is_said_of_ticks() -> None:
    """Whether the trail can be written is not known before it was tried, and no tick has failed."""
    metrics = Metrics(lambda: replace(FLEET, audit_error=""), lambda: None, CallCounts(), lambda: NOW)
    seen = {name for name, *_ in read(metrics)}
    assert "rotator_config_in_force" in seen
    assert not seen & {"rotator_audit_healthy", "rotator_tick_healthy", "rotator_last_tick_timestamp_seconds"}


def test_what_is_counted() -> None:
    """Failures by class, calls by system, answers 429; being told to stop is no failure."""
    call_counts = CallCounts()
    metrics = metrics_of(FLEET, call_counts)
    for error in (CreateOutcomeUnknownError("?"), CreateOutcomeUnknownError("?"), StoppedError("")):
        metrics.tell(Outcome.failed(a_spec().name, error))
    call_counts.add(Call.PINATA)
    call_counts.add(Call.RATE_LIMITED)
    seen = read(metrics)
    assert seen["rotator_failures_total", "CreateOutcomeUnknownError", "uploader"] == 2
    assert ("rotator_failures_total", "StoppedError", "uploader") not in seen
    assert seen["rotator_calls_total", "pinata"] == 1
    assert seen["rotator_calls_total", "secrets_manager"] == 0
    assert seen["rotator_rate_limited_total",] == 1


def test_time_to_death() -> None:
    """From the revocation until the proof; a revocation that failed starts nothing."""
    now_s = 0.0
    metrics = Metrics(lambda: FLEET, lambda: None, CallCounts(), lambda: NOW, lambda: now_s)

    def done(operation: Operation, key_id: str, result: Result = Result.SUCCESS) -> None:
        metrics.listen("uploader", "r", Done(operation, Subject(key_id=key_id), result, ""))

    done(Operation.REVOKE_KEY, "k1")
    done(Operation.REVOKE_KEY, "k2", Result.UNKNOWN)
    now_s = 7.0
    for key_id in ("k1", "k1", "k2", "k3"):
        done(Operation.PROVE_DEAD, key_id)
    seen = read(metrics)
    assert seen["rotator_time_to_death_seconds_count",] == 1
    assert seen["rotator_time_to_death_seconds_sum",] == 7
    assert ("rotator_last_tick_timestamp_seconds",) not in seen


def test_names_and_labels_are_ours_and_few() -> None:
    """Every name begins alike, and labels hold configured names, versions, classes and systems alone."""
    metrics = metrics_of(FLEET)
    metrics.tell(Outcome.failed(a_spec().name, RotatorError("secret text eyJhbGciOi")))
    _, body = metrics.render()
    assert b"eyJ" not in body
    for family in text_string_to_metric_families(body.decode()):
        assert family.name.startswith("rotator_")
        for sample in family.samples:
            assert set(sample.labels) <= {"secret", "class", "kind", "system", "version", "le"}


class _Again(Collector):
    """Gives the library back what it reads in an exposition."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def collect(self) -> Iterator[Metric]:
        """Yield each family as the library's parser reads it."""
        yield from text_string_to_metric_families(self._body.decode())


def test_what_we_write_ourselves_is_what_the_library_writes() -> None:
    """Read by the library's parser and written by its `generate_latest`, the same bytes come out: with every number."""
    odd = (
        replace(ROW, name="a.b_c-d", attention=Attention.OUTAGE, born_at=ago(days=900, microseconds=1), failures=10**7),
        replace(ROW, name="young", born_at=NOW + timedelta(microseconds=7), due_at=ago(days=400), error="x"),
    )
    metrics = metrics_of(replace(FLEET, secrets=(*FLEET.secrets, *odd, *many(200).secrets)))
    metrics.tell(Outcome.failed(a_spec().name, RotatorError("x")))
    registry = CollectorRegistry()
    _, body = metrics.render()
    registry.register(_Again(body))
    assert generate_latest(registry).decode().splitlines() == body.decode().splitlines()


@pytest.mark.slow
def test_a_scrape_of_a_large_fleet_is_quick() -> None:
    """One scrape of 10,000 secrets takes less than 150 ms of CPU on a usual machine."""
    metrics = metrics_of(many())
    assert cpu_s(metrics.render, 12) < SCRAPE_MAX_S


def test_the_managing_keys_expiry_is_told_once_it_is_known() -> None:
    """A token that does not say when it ends, or that no tick has read, is no series."""
    name = "rotator_managing_key_expires_timestamp_seconds"
    assert read(metrics_of(FLEET))[name,] == (NOW + timedelta(days=40)).timestamp()
    assert (name,) not in read(metrics_of(replace(FLEET, managing_expires_at=None)))
