"""Alert rules and dashboard speak of metrics that exist. What the rules fire on is tested by promtool, beside them."""

import json
import re
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from rotator.config.settings import EVERY_MAX
from rotator.model.errors import RotatorError
from rotator.model.plan import Outcome
from tests.builders import a_spec
from tests.unit.daemon.test_metrics import FLEET, metrics_of

CONFIG = Path(__file__).parents[2] / "config"
RULES = CONFIG / "prometheus" / "rules.yml"
RULES_TEST = CONFIG / "prometheus" / "rules_test.yml"
DASHBOARD = CONFIG / "grafana" / "dashboard.json"


def known() -> set[str]:
    """Return the names of all samples."""
    metrics = metrics_of(FLEET)
    metrics.tell(Outcome.failed(a_spec().name, RotatorError("x")))
    _, body = metrics.render()
    return {sample.name for family in text_string_to_metric_families(body.decode()) for sample in family.samples}


@pytest.mark.parametrize("path", [RULES, RULES_TEST, DASHBOARD], ids=lambda path: path.name)
def test_only_metrics_that_exist(path: Path) -> None:
    """A misspelt name would be silent for ever."""
    used = set(re.findall(r"\brotator_[a-z_]+", path.read_text())) - {"rotator_yml"}
    assert used
    assert used <= known()


def rules() -> dict[str, str]:
    """Return the text of each rule by the name of its alert."""
    _, *parts = re.split(r"- alert: ", RULES.read_text())
    return {part.split()[0]: part for part in parts}


def test_every_rule_is_tested_and_described() -> None:
    """Each alert fires in the rule tests, and stands in the operations guide."""
    names = list(rules())
    tests = RULES_TEST.read_text()
    guide = (CONFIG.parent / "docs" / "daemon.md").read_text()
    assert len(names) >= 12
    for name in names:
        assert f"`{name}`" in guide, name
    cases = [case for test in yaml.safe_load(tests)["tests"] for case in test["alert_rule_test"]]
    assert {case["alertname"] for case in cases} == set(names)
    assert {case["alertname"] for case in cases if case["exp_alerts"]} == set(names), (
        "a test that expects silence alone passes for a rule that never fires"
    )


def test_silence_fires() -> None:
    """Nothing scraped fires one alert; whatever tells that a process works fires when one tells nothing."""
    assert "absent(" in rules()["RotatorGone"]
    scraped = "group by (job, instance) (rotator_build_info) unless on (job, instance)"
    assert {name for name, text in rules().items() if scraped in text} >= {
        "RotatorTicksStopped",
        "RotatorTicksFail",
        "RotatorAuditUnwritable",
        "RotatorNoSuccess",
    }


def test_nothing_is_added_up_over_installations() -> None:
    """A rule that forgets `job` takes one installation's number for another's."""
    for name, text in rules().items():
        assert not re.search(r"\b(min|max|sum|count|group) ?\(", text), name
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", text):
            assert "job" in labels, name


def test_a_pause_between_ticks_is_no_stop() -> None:
    """The longest pause that can be configured, and half as much again for the tick itself, fire nothing."""
    limit = re.search(r"time\(\) - rotator_last_tick_timestamp_seconds > (\d+)", rules()["RotatorTicksStopped"])
    assert limit
    assert int(limit[1]) >= 1.5 * EVERY_MAX.total_seconds()


def test_dashboard_is_one() -> None:
    """It parses, and its panels do not overlap."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        cells = {(at["x"] + i, at["y"] + j) for i in range(at["w"]) for j in range(at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
