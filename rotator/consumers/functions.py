"""Lambda functions: one that was changed since a promotion has no instance left that read an older value.

Facts: AWS Lambda API reference (GetFunctionConfiguration, GetAlias); LastModified is like 2026-11-25T23:15:00.000+0000.
"""

from datetime import datetime, timedelta
from typing import Any

from rotator.model.consumers import READ_LAG, LambdaFunction, Promotion, RollOut, Standing


def ask_function(client: Any, function: LambdaFunction, promotion: Promotion, now: datetime) -> Standing:  # noqa: ANN401 - a boto3 client
    """Return whether each version that runs was changed after the promotion, and what ran before has timed out."""
    for version in _versions(client, function):
        found = client.get_function_configuration(FunctionName=function.function, **version)
        changed_at = datetime.fromisoformat(found["LastModified"])
        if changed_at < promotion.at + READ_LAG:
            return Standing(function, RollOut.BEHIND, "it was not changed since the promotion")
        if found.get("LastUpdateStatus", "Successful") != "Successful":
            return Standing(function, RollOut.ROLLING, "its update is not done")
        if now < changed_at + timedelta(seconds=found["Timeout"]):
            return Standing(function, RollOut.ROLLING, "what began before its update may still run")
    return Standing(function, RollOut.FOLLOWED)


def _versions(client: Any, function: LambdaFunction) -> list[dict[str, str]]:  # noqa: ANN401 - a boto3 client
    if not function.alias:
        return [{}]
    alias = client.get_alias(FunctionName=function.function, Name=function.alias)
    weighted = (alias.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or {}
    return [{"Qualifier": version} for version in (alias["FunctionVersion"], *weighted)]
