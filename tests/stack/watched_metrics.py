"""What the alarms watch, against what the functions really sent: an alarm on a misspelt metric never rings."""

import json

from tests.stack.aws.functions import Metric
from tests.stack.compared_rights import FUNCTIONS
from tests.stack.deployment import Deployment

NAMESPACE = "rotator"


def unknown(stack: Deployment) -> list[str]:
    """Return the metrics of ours that are watched and that no function sent."""
    template = json.loads(stack.template.read_text(encoding="utf-8"))
    sent = {_spelt(one) for short in FUNCTIONS for one in stack.aws.functions.metrics(stack.function(short))}
    watched = set()
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::CloudWatch::Alarm":
            alarm = resource["Properties"]
            if alarm["Namespace"] == NAMESPACE:
                (dimension,) = alarm["Dimensions"]
                watched.add(f"{alarm['MetricName']} of {dimension['Value']}")
    assert watched
    return sorted(watched - sent)


def _spelt(metric: Metric) -> str:
    assert metric.namespace == NAMESPACE
    ((_, function),) = metric.dimensions
    return f"{metric.name} of {function}"
