"""The stack's template: alarms, fed with figures as the ticks send them, and what is off unless asked for."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.fleet.lookup import Target
from rotator.fleet.wake import Wake, wake
from rotator.model.naming import version_id
from rotator.model.observed import AWSCURRENT, AWSPREVIOUS, SecretDescription
from tests.builders import NATIVE_ID, NOW, a_spec, a_version, ago, an_observed

STACK = Path(__file__).parents[2] / "config/stack"
TICK = timedelta(minutes=5)
DEATHS = ("Errors", "Throttles")


class _Template(yaml.SafeLoader):
    """Reads a template, CloudFormation's own tags as their plain values."""


_Template.add_multi_constructor(
    "!",
    lambda loader, _, node: (
        loader.construct_scalar(node) if isinstance(node, yaml.ScalarNode) else loader.construct_sequence(node)
    ),
)


def read(path: str) -> Any:  # noqa: ANN401 - a YAML document
    """Return a part of the template."""
    return yaml.load((STACK / path).read_text(encoding="utf-8"), _Template)  # noqa: S506 - a SafeLoader with tags as text


def alarms() -> dict[str, Any]:
    """Return the properties of each alarm."""
    resources = read("alarms.cfn.yml")["Resources"]
    return {name: one["Properties"] for name, one in resources.items()}


def rings(alarm: dict[str, Any], series: Sequence[tuple[datetime, int]]) -> bool:
    """Tell whether an alarm on the maximum of a metric goes off at any time; each period has data."""
    assert alarm["Statistic"] == "Maximum"
    assert alarm["ComparisonOperator"] == "GreaterThanOrEqualToThreshold"
    peaks: dict[int, int] = {}
    for at, value in series:
        period = int(at.timestamp()) // alarm["Period"]
        peaks[period] = max(peaks.get(period, 0), value)
    points = [peaks[period] >= alarm["Threshold"] for period in sorted(peaks)]
    window = alarm["EvaluationPeriods"]
    needed = alarm.get("DatapointsToAlarm", window)
    return any(sum(points[at : at + window]) >= needed for at in range(len(points)))


def looked_at(target: Target) -> list[tuple[datetime, int]]:
    """Return a day of ticks, each with 1 if it looks at the secret closely."""
    ticks = [NOW + number * TICK for number in range(288)]
    return [(now, 0 if wake(target, now=now, since=since) is Wake.ASLEEP else 1) for since, now in pairwise(ticks)]


YOUNG = an_observed(
    a_version(version_id(2, ago(days=3), "n" * 10), AWSCURRENT),
    a_version(version_id(1, ago(days=33), "n" * 10), AWSPREVIOUS),
    changed_at=ago(days=3),
).description
NATIVE = replace(
    an_observed(a_version(NATIVE_ID, AWSCURRENT), changed_at=ago(days=3)).description, rotation_enabled=True
)


@pytest.mark.parametrize("labels", [YOUNG, NATIVE], ids=["young", "native"])
@pytest.mark.parametrize("name", ["OldKeyOverdue", "Held"])
def test_alarm_hears_of_a_secret_that_sleeps_between_its_slots(name: str, labels: SecretDescription) -> None:
    """A secret that is looked at once an hour rings the alarm, and one with nothing to tell does not."""
    series = looked_at(Target(a_spec(), labels))
    assert 20 <= sum(value for _, value in series) <= 26
    assert rings(alarms()[name], series)
    assert not rings(alarms()[name], [(at, 0) for at, _ in series])


@pytest.mark.parametrize("function", ["Work", "Native"])
@pytest.mark.parametrize("metric", DEATHS)
def test_death_and_throttling_of_a_silent_function_have_alarms(function: str, metric: str) -> None:
    """A function that prints nothing when it dies, or is not started, is watched by Lambda's own counts."""
    watched = [(one["MetricName"], one["Dimensions"][0]["Value"]) for one in alarms().values()]
    assert (metric, f"{function}LambdaFunction") in watched


def test_missed_tick_is_not_repeated() -> None:
    """Lambda does not invoke `tick` again for an old event: the next one is due in five minutes."""
    assert read("../../serverless.yml")["functions"]["tick"]["maximumRetryAttempts"] == 0


def test_configuration_elsewhere_can_be_read_by_every_function() -> None:
    """With `config_arn` all three roles may read that one place; without it, as by default, there is no such right."""
    policy = read("roles.cfn.yml")["Resources"]["ConfigPolicy"]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert policy["Condition"] == "HasConfigArn"
    assert set(policy["Properties"]["Roles"]) == {"TickRole", "WorkRole", "NativeRole"}
    assert set(statement["Action"]) == {"ssm:GetParameter", "s3:GetObject"}
    assert statement["Resource"] == "ConfigArn"
    defaults = read("parameters.yml")
    assert (defaults["config"], defaults["config_arn"]) == ("rotator.toml", "")
    assert read("../../serverless.yml")["provider"]["environment"]["ROTATOR_CONFIG"] == "${param:config}"


@pytest.mark.parametrize(
    ("name", "condition", "roles"),
    [
        ("AskConsumersPolicy", "AsksConsumers", {"TickRole", "WorkRole", "NativeRole"}),
        ("RedeployConsumersPolicy", "RedeploysConsumers", {"WorkRole"}),
    ],
)
def test_consumers_are_asked_and_redeployed_only_where_that_is_allowed(
    name: str, condition: str, roles: set[str]
) -> None:
    """By default no function has a right on ECS or Lambda; the right to redeploy is given apart."""
    policy = read("roles.cfn.yml")["Resources"][name]
    (statement,) = policy["Properties"]["PolicyDocument"]["Statement"]
    assert policy["Condition"] == condition
    assert set(policy["Properties"]["Roles"]) == roles
    writes = {action for action in listed(statement["Action"]) if ":Update" in action}
    assert writes == ({"ecs:UpdateService"} if name.startswith("Redeploy") else set())
    assert read("parameters.yml")["allow_consumers"] == "no"


def test_audit_trail_is_signed_only_where_that_is_asked_for() -> None:
    """By default there is no key; with one, the two functions that record may use it, and it and nothing else."""
    policy = read("roles.cfn.yml")["Resources"]["SignPolicy"]
    statement, witness = policy["Properties"]["PolicyDocument"]["Statement"]
    assert witness["Condition"] == {"ForAllValues:StringEquals": {"aws:TagKeys": "rotator:audit-head"}}
    assert (witness["Action"], witness["Resource"]) == ("secretsmanager:TagResource", "SecretArns")
    assert set(policy["Properties"]["Roles"]) == {"WorkRole", "NativeRole"}
    assert set(statement["Action"]) == {"kms:Sign", "kms:GetPublicKey"}
    assert statement["Resource"] == "AuditKey.Arn"
    key = read("audit.cfn.yml")["Resources"]["AuditKey"]
    assert key["Condition"] == policy["Condition"] == "SignsAudit"
    assert read("parameters.cfn.yml")["Conditions"]["SignsAudit"] == ["AuditSign", "kms"]
    assert (
        read("parameters.yml")["audit_sign"] == read("parameters.cfn.yml")["Parameters"]["AuditSign"]["Default"] == "no"
    )
    given = {
        one["ParameterKey"]: one["ParameterValue"]
        for one in read("../../serverless.yml")["provider"]["stackParameters"]
    }
    assert given["AuditSign"] == "${param:audit_sign}"


def test_key_of_the_audit_trail_outlives_the_stack_and_signs_for_its_functions_alone() -> None:
    """The key fits `[audit] sign`; removing the stack keeps it; its policy lets nothing else sign, by no wildcard."""
    key = read("audit.cfn.yml")["Resources"]["AuditKey"]
    about = key["Properties"]
    assert (about["KeySpec"], about["KeyUsage"]) == ("ECC_NIST_P256", "SIGN_VERIFY")
    assert key["DeletionPolicy"] == key["UpdateReplacePolicy"] == "Retain"
    administer, sign = about["KeyPolicy"]["Statement"]
    assert sign["Principal"] == {"AWS": ["WorkRole.Arn", "NativeRole.Arn"]}
    assert set(sign["Action"]) == {"kms:Sign", "kms:GetPublicKey"}
    assert administer["Principal"]["AWS"].endswith(":root")
    assert "kms:PutKeyPolicy" in administer["Action"]
    assert not [action for action in administer["Action"] if "*" in action or action == "kms:Sign"]


def test_nothing_is_overwritten_or_deleted_in_the_audit_bucket() -> None:
    """The bucket's policy denies deletes to all, markers included, and every write without the condition."""
    resources = read("audit.cfn.yml")["Resources"]
    statements = resources["AuditBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    denied = {
        action: statement
        for statement in statements
        if (statement["Effect"], statement["Principal"], statement["Resource"]) == ("Deny", "*", "${AuditBucket.Arn}/*")
        for action in listed(statement["Action"])
    }
    assert set(denied) == {"s3:PutObject", "s3:DeleteObject", "s3:DeleteObjectVersion"}
    assert denied["s3:PutObject"]["Condition"] == {"Null": {"s3:if-none-match": "true"}}
    assert all("Condition" not in denied[action] for action in ("s3:DeleteObject", "s3:DeleteObjectVersion"))
    assert resources["AuditBucket"]["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}


def listed(value: str | list[str]) -> list[str]:
    """Return the actions of a statement."""
    return [value] if isinstance(value, str) else value
