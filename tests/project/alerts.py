"""Writes docs/alerts.md: the alert rules and the stack's alarms as they describe themselves."""

from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.project.test_stack_template import alarms

RULES = Path(__file__).parents[2] / "config" / "prometheus" / "rules.yml"
PAGE = Path("docs/alerts.md")
_HEAD = """\
# Alerts, and what to do

What each alert means, and what to type. An alert links to its part of this page (`runbook_url`, or the end of the alarm's description): as a path in this project, because only you know where you keep a copy.

This page is written by `python -m tests.project.reference` from [rules.yml](../config/prometheus/rules.yml) and [alarms.cfn.yml](../config/stack/alarms.cfn.yml); change it there.
"""  # noqa: E501 - a paragraph of a page is one line
_RULES_HEAD = """
## Alert rules for the daemon

`NAME` is the secret that the alert is about.
"""
_ALARMS_HEAD = """
## Alarms of the AWS stack

Their names begin with the name of the stack, as in `rotator-prod-tick-silent`.
"""
SECRET = "{{ $labels.secret }}"
_SHOWN = {SECRET: "NAME", "${AWS::StackName}": "rotator-prod", "${DeadLetters}": "QUEUE_URL"}
"""What Prometheus and CloudFormation put in, and what a reader is shown for it."""


def rules() -> dict[str, dict[str, str]]:
    """Return the annotations of each alert rule by its name, and its severity among them."""
    found = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"][0]["rules"]
    return {rule["alert"]: {**rule["annotations"], "severity": rule["labels"]["severity"]} for rule in found}


def descriptions() -> dict[str, tuple[str, str]]:
    """Return the name of each alarm of the stack, without the stack's, and its description and link."""
    pairs = ((one["AlarmName"], one["AlarmDescription"]) for one in alarms().values())
    return {name.removeprefix("${AWS::StackName}-"): _parted(text) for name, text in pairs}


def page() -> str:
    """Return the text of docs/alerts.md: a heading for each, to which it links."""
    return "".join([_HEAD, _RULES_HEAD, *_of_rules(), _ALARMS_HEAD, *_of_alarms()])


def _of_rules() -> Iterator[str]:
    for name, one in rules().items():
        yield f"\n### {name}\n\n*{one['severity'].capitalize()}.* {_shown(one['description'])}\n"


def _of_alarms() -> Iterator[str]:
    for name, (text, _) in descriptions().items():
        yield f"\n### {name}\n\n{_shown(text)}\n"


def _parted(description: str) -> tuple[str, str]:
    text, _, link = description.rpartition(" ")
    return text, link


def _shown(text: str) -> str:
    for inserted, shown in _SHOWN.items():
        text = text.replace(inserted, shown)
    return text
