"""ECS services: their tasks are given the value when they start, so a task that started too early has an older one.

Facts: Amazon ECS API reference (ListTasks, DescribeTasks, DescribeServices, UpdateService), and the developer guide on
secrets: `valueFrom` is `ARN:JSON-KEY:VERSION-STAGE:VERSION-ID`, the last three optional.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from rotator.model.consumers import READ_LAG, EcsService, Promotion, RollOut, Standing
from rotator.model.observed import AWSCURRENT

_PAGES_MAX = 50
_PAGE = 100
"""The most tasks that one call lists or describes."""
_ARN_PARTS = 7


def ask_service(ecs: Any, service: EcsService, promotion: Promotion) -> Standing:  # noqa: ANN401 - a boto3 client
    """Return whether every task that is not stopped was made after the promotion, and takes AWSCURRENT."""
    described = ecs.describe_services(cluster=service.cluster, services=[service.service])
    found = [row for row in described["services"] if row["status"] != "INACTIVE"]
    if not found:
        return Standing(service, RollOut.UNKNOWN, "there is no such service")
    definition = ecs.describe_task_definition(taskDefinition=found[0]["taskDefinition"])["taskDefinition"]
    if pinned := _pinned(definition, promotion.arn):
        return Standing(service, RollOut.STUCK, f"its task definition takes {pinned}")
    from_then = promotion.at + READ_LAG
    older = sum(task["createdAt"] < from_then for task in _tasks(ecs, service))
    if not older:
        return Standing(service, RollOut.FOLLOWED)
    why = f"tasks from before the promotion: {older}"
    deployments = found[0].get("deployments", ())
    if any(d["status"] == "PRIMARY" and d["createdAt"] >= from_then for d in deployments):
        return Standing(service, RollOut.ROLLING, why)
    return Standing(service, RollOut.BEHIND, why)


def deploy_anew(ecs: Any, service: EcsService) -> None:  # noqa: ANN401 - a boto3 client
    """Let ECS replace every task of a service; repeating it is harmless."""
    ecs.update_service(cluster=service.cluster, service=service.service, forceNewDeployment=True)


def _tasks(ecs: Any, service: EcsService) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - a boto3 client
    """Yield the tasks that are not stopped, those too that are to stop and still run."""
    for wanted in ("RUNNING", "STOPPED"):
        for arns in _listed(ecs, service, wanted):
            described = ecs.describe_tasks(cluster=service.cluster, tasks=arns)
            yield from (task for task in described["tasks"] if task["lastStatus"] != "STOPPED")


def _listed(ecs: Any, service: EcsService, wanted: str) -> Iterator[list[str]]:  # noqa: ANN401 - a boto3 client
    token: dict[str, str] = {}
    for _ in range(_PAGES_MAX):
        page = ecs.list_tasks(
            cluster=service.cluster, serviceName=service.service, desiredStatus=wanted, maxResults=_PAGE, **token
        )
        if page["taskArns"]:
            yield page["taskArns"]
        if not page.get("nextToken"):
            return
        token = {"nextToken": page["nextToken"]}
    raise ValueError("the list of its tasks does not end")


def _pinned(definition: Mapping[str, Any], arn: str) -> str:
    """Return which version a task definition takes of this secret, if it is not the current one."""
    for container in definition["containerDefinitions"]:
        for secret in container.get("secrets", ()):
            parts = str(secret["valueFrom"]).split(":")
            if ":".join(parts[:_ARN_PARTS]) != arn:
                continue
            stage, version = (*parts[_ARN_PARTS + 1 :], "", "")[:2]
            if version:
                return f"version {version}"
            if stage not in {"", AWSCURRENT}:
                return stage
    return ""
