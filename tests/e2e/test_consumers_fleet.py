"""Fifty consumers of seven kinds on one secret, through twenty rotations: every call is counted, none is refused.

Five kinds read again within an hour; for them there is a grace of two. Two read when they start, and have a gate. The
second test has neither, and shows that the first one can fail.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.e2e.consumer_kinds import (
    AGENT_S,
    EXTERNAL_SECRETS_S,
    POWERTOOLS_S,
    PYTHON_CACHE_S,
    Cache,
    Copy,
    EachUse,
    Fleet,
    Starting,
    VersionCache,
    reading,
)
from tests.e2e.consumers_aws import ConsumersAws
from tests.e2e.stage import Stage

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

MINUTE_S, HOUR_S, DAY_S = 60.0, 3600.0, 86_400.0
SIZE = 52
WEEKLY, REDEPLOYED, PROMPT = 10, 5, 5
"""How many rotations wait for deployments of ECS; deploy it anew; and have nothing to wait for but their grace."""
CALLS_EACH = 8 * (WEEKLY + REDEPLOYED) + 7 * PROMPT
"""How often each consumer calls Pinata."""
ECS = '\n[[secrets.consumers]]\necs = "prod/uploader"\n'


@dataclass(slots=True)
class Town:
    """The fleet, and those of its members that are deployed."""

    stage: Stage
    fleet: Fleet
    aws: ConsumersAws
    services: list[Starting]
    urls: list[str]


@contextmanager
def living(stage: Stage, grace: str) -> Iterator[Town]:
    """Yield a fleet whose members all have the one live key, which is ours."""
    stage.edit('grace = "0s"', f'grace = "{grace}"')
    stage.rows("run")
    stage.passes(DAY_S)
    stage.rows("run")
    with ExitStack() as open_ones:
        client = open_ones.enter_context(reading(stage.sandbox))
        patch = open_ones.enter_context(pytest.MonkeyPatch.context())
        aws = ConsumersAws(stage.text, stage.arn(), wanted=8)
        for name, url in open_ones.enter_context(aws.serving()).items():
            patch.setenv(name, url)
        aws.deploy()
        services = [Starting(stage.text) for _ in range(2)]
        urls = [open_ones.enter_context(service.answering()) for service in services]
        fleet = open_ones.enter_context(closing(Fleet(stage)))
        people(fleet, client, aws, services)
        yield Town(stage, fleet, aws, services, urls)


def people(fleet: Fleet, client: "SecretsManagerClient", aws: ConsumersAws, services: list[Starting]) -> None:
    """Fill the fleet: two kinds read by the SDK, the others what is current."""
    read = aws.read
    fleet.add("each use", *(EachUse(client).held for _ in range(4)))
    fleet.add("cache for Python", *(VersionCache(client, PYTHON_CACHE_S).held for _ in range(4)))
    fleet.add("cache for Python", *(VersionCache(client, 10 * MINUTE_S).held for _ in range(6)))
    fleet.add("Powertools", *(Cache(read, POWERTOOLS_S).held for _ in range(4)))
    fleet.add("Powertools", *(Cache(read, MINUTE_S).held for _ in range(4)))
    for number in range(6):  # clusters, whose polls are ten minutes apart
        copy = Copy(read, EXTERNAL_SECRETS_S, time.time() - number * 10 * MINUTE_S, read())
        pod = Starting(copy.held, copy.value)
        copy.pods.append(pod)
        fleet.copies.append(copy)
        fleet.add("External Secrets", copy.held, pod.held)
    for agent in (Cache(read, AGENT_S), Cache(read, AGENT_S)):  # one on each machine
        fleet.add("agent", *[agent.held] * 4)
    fleet.add("ECS", *(lambda number=number: aws.tasks[number].value for number in range(aws.wanted)))
    fleet.add("answers", *(service.held for service in services))
    assert len(fleet.members) == SIZE


def rotate(town: Town, *, prompt: bool) -> str:
    """Rotate at the worst moment, right after everyone has read; go on to the end of the grace; return the old key."""
    fleet, old = town.fleet, town.stage.sandbox.current_key_id()
    fleet.copies[0].poll()
    fleet.call()
    row = town.stage.row("rotate", "uploader")
    assert (row["outcome"], row["revoked"]) == ("rotated", [])
    fleet.call()
    for seconds in (POWERTOOLS_S, AGENT_S):
        fleet.passes(seconds)
        fleet.call()
    if prompt:
        start(town.services)
        fleet.passes(50 * MINUTE_S)  # hourly readers still have the old key
        assert row_of_run(town)[1] == []
    fleet.passes(HOUR_S)
    fleet.call()
    fleet.passes(HOUR_S)
    return old


def follow(town: Town, number: int, *, weekly: bool) -> None:
    """Let those that read when they start do so, on different days; before the last of them has, nothing is revoked."""
    assert row_of_run(town) == ("CONSUMER_BEHIND", [])
    town.fleet.passes(3 * DAY_S)
    start(town.services if weekly and number % 2 else [town.services[number % 2]])
    assert row_of_run(town) == ("CONSUMER_BEHIND", [])
    town.fleet.passes(DAY_S)
    start(town.services)
    if weekly:
        town.fleet.passes(3 * DAY_S)
        town.aws.deploy()
        town.fleet.passes(MINUTE_S)


def start(services: list[Starting]) -> None:
    """Deploy services that answer."""
    for service in services:
        service.start()


def row_of_run(town: Town) -> tuple[str, list[str]]:
    """Run, let everyone call, and return the reason and what was revoked."""
    row = town.stage.row("run")
    town.fleet.call()
    return row["reason"], row["revoked"]


@pytest.mark.slow
def test_fifty_consumers_through_twenty_rotations(stage: Stage) -> None:
    """No call is refused: ten rotations wait for a weekly deployment of ECS, ten deploy it anew themselves."""
    with living(stage, "2h") as town:
        keys = [stage.sandbox.current_key_id()]
        gates = "".join(f'\n[[secrets.consumers]]\nhttp = "{url}"\n' for url in town.urls)
        with stage.sandbox.config_path.open("a") as file:
            file.write(gates + ECS)
        for number in range(WEEKLY + REDEPLOYED + PROMPT):
            if number == WEEKLY:
                stage.edit(ECS, ECS + "redeploy = true\n")
            prompt = number >= WEEKLY + REDEPLOYED
            old = rotate(town, prompt=prompt)
            keys.append(stage.sandbox.current_key_id())
            if not prompt:
                follow(town, number, weekly=number < WEEKLY)
            assert row_of_run(town)[1] == [old]
            assert stage.live_keys() == [keys[-1]]
        assert town.aws.calls.count("UpdateService") == REDEPLOYED + PROMPT
        assert town.fleet.calls() == SIZE * CALLS_EACH
        assert town.fleet.refused() == {}
        assert [member.keys for member in town.fleet.members] == [keys] * SIZE
        assert len(set(keys)) == WEEKLY + REDEPLOYED + PROMPT + 1


def test_the_same_fleet_without_gates_and_with_a_short_grace(stage: Stage) -> None:
    """Half an hour of grace and no gate: who reads hourly or at the start is refused, nobody else."""
    with living(stage, "30m") as town:
        old = stage.sandbox.current_key_id()
        town.fleet.copies[0].poll()
        town.fleet.call()
        assert stage.row("rotate", "uploader")["revoked"] == []
        town.fleet.call()
        assert town.fleet.refused() == {}
        town.fleet.passes(31 * MINUTE_S)
        assert row_of_run(town)[1] == [old]
        assert town.fleet.calls() == 3 * SIZE
        hourly = {"cache for Python": 4, "External Secrets": 6}
        assert town.fleet.refused() == {**hourly, "ECS": 8, "answers": 2}
        town.fleet.passes(HOUR_S)
        town.fleet.call()
        assert town.fleet.refused() == {**hourly, "ECS": 16, "answers": 4}
        assert stage.live_keys() == [stage.sandbox.current_key_id()]
