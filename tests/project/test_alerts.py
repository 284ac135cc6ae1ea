"""Alert rules and dashboard speak of metrics that exist. What the rules fire on is tested by promtool, beside them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from rotator.config.settings import EVERY_MAX
from rotator.model.errors import RotatorError
from rotator.model.plan import Outcome
from tests.builders import a_spec
from tests.project import alerts
from tests.project.test_stack_template import alarms
from tests.unit.daemon.test_metrics import FLEET, metrics_of

CONFIG = Path(__file__).parents[2] / "config"
RULES = alerts.RULES
RULES_TEST = CONFIG / "prometheus" / "rules_test.yml"
DASHBOARD = CONFIG / "grafana" / "dashboard.json"
ALARM_MAX_CHARS = 1024
"""What CloudWatch takes."""


def families() -> list[Metric]:
    """Return everything that is told to a monitoring system."""
    metrics = metrics_of(FLEET)
    metrics.tell(Outcome.failed(a_spec().name, RotatorError("x")))
    _, body = metrics.render()
    return list(text_string_to_metric_families(body.decode()))


def known() -> set[str]:
    """Return the names of all samples."""
    return {sample.name for family in families() for sample in family.samples}


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


def cases() -> list[dict[str, Any]]:
    """Return what the rule tests expect."""
    return [case for test in yaml.safe_load(RULES_TEST.read_text())["tests"] for case in test["alert_rule_test"]]


def test_every_alert_says_what_to_type_and_links_to_its_place() -> None:
    """Rules and alarms describe themselves, with a command, and link to a heading of the guide that exists."""
    guide = (CONFIG.parent / alerts.PAGE).read_text()
    places = {f"{alerts.PAGE}#{heading.lower()}" for heading in re.findall(r"^### (\S+)$", guide, re.MULTILINE)}
    of_rules = {name: (one["description"], one["runbook_url"]) for name, one in alerts.rules().items()}
    told = of_rules | alerts.descriptions()
    assert len(told) == len(rules()) + len(alarms())
    for name, (text, link) in told.items():
        assert re.search("`(rotator|curl|systemctl|aws) [^`]+`", text), name
        assert link == f"{alerts.PAGE}#{name.lower()}"
        assert link in places
    assert all(len(alarm["AlarmDescription"]) <= ALARM_MAX_CHARS for alarm in alarms().values())


def test_rule_tests_expect_what_the_rules_say() -> None:
    """Promtool compares each annotation whole: what the rule tests expect is what the rule makes of its labels."""
    for case in cases():
        for alert in case["exp_alerts"]:
            said = {name: text for name, text in alerts.rules()[case["alertname"]].items() if name != "severity"}
            expected = alert["exp_annotations"]
            assert set(expected) == set(said)
            for name, text in said.items():
                filled = text.replace(alerts.SECRET, alert["exp_labels"].get("secret", ""))
                pattern = ".+".join(map(re.escape, re.split(r"{{[^}]*}}", filled)))
                assert re.fullmatch(pattern, expected[name]), expected[name]


def test_every_rule_is_tested() -> None:
    """Each alert fires in the rule tests."""
    names = list(rules())
    assert len(names) >= 12
    assert {case["alertname"] for case in cases()} == set(names)
    assert {case["alertname"] for case in cases() if case["exp_alerts"]} == set(names), (
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


def test_dashboard_counts_nothing_twice() -> None:
    """Two daemons both report where each secret stands: that is made one first, whatever is added up after that."""
    found = [target["expr"] for panel in json.loads(DASHBOARD.read_text())["panels"] for target in panel["targets"]]
    doubled = {
        family.name
        for family in families()
        if family.type == "gauge" and any("secret" in sample.labels for sample in family.samples)
    }
    seen = set()
    for expr in found:
        assert expr.count("(") == expr.count(")"), expr
        for name in re.finditer(r"\brotator_\w+", expr):
            if name[0] in doubled:
                seen.add(name[0])
                assert re.search(r"\b(max|min) by \(job, secret\) \($", expr[: name.start()]), expr
    assert len(seen) >= 6
