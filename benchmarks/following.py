"""From the moment ECS settles to the final card, and what that costs, beside botocore's waiter.

The bots (one on each database) and the waiters each have a cloud of their own with the same seed:
the very same rollouts, of a minute and a half, twenty at once, in real time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import boto3

from benchmarks.cloud import CLUSTER, service_name
from benchmarks.commands import typed
from benchmarks.databases import NewDatabase
from benchmarks.place import Fleet, Place, ecs_calls, place
from benchmarks.verdict import Verdict, at_most
from bot.playground.aws.blueprints import REGION

if TYPE_CHECKING:
    from mypy_boto3_ecs import ECSClient

AT_ONCE = 20
SHARE = 1 / 3
FLEET = Fleet(AT_ONCE, limited=True)
NAMES = [f"{service_name(number)}-staging" for number in range(AT_ONCE)]
#: Calls that look at a service. Those after ECS was first told are counted as following.
FOLLOWING = frozenset(
    {
        "DescribeServices",
        "DescribeServiceDeployments",
        "DescribeServiceRevisions",
        "ListServiceDeployments",
        "ListTasks",
        "DescribeTasks",
    }
)


@dataclass(frozen=True, slots=True)
class Followed:
    """``lags`` in seconds, one per rollout; ``calls`` to ECS per rollout, some to follow it."""

    lags: list[float]
    calls: float
    following: float


def measure(databases: dict[str, NewDatabase]) -> Iterator[Verdict]:
    """All at the same time: nobody does much but wait."""
    with ThreadPoolExecutor(len(databases) + 1) as pool:
        ours = {kind: pool.submit(_bot, new()) for kind, new in databases.items()}
        theirs = pool.submit(_waiters).result()
        for kind, future in ours.items():
            found = future.result()
            name = f"{AT_ONCE} rollouts, {kind}"
            lags = (median(found.lags), median(theirs.lags))
            yield at_most(f"{name}: ECS settled to final card, median", *lags, "s", SHARE)
            yield at_most(f"{name}: ECS calls per rollout", found.calls, theirs.calls, "", 1)
            followed = (found.following, theirs.following)
            yield at_most(f"{name}: ECS calls to follow one", *followed, "", 1)


def _bot(database_url: str) -> Followed:
    with place(database_url, FLEET) as stack:
        bodies = [typed(f"{service_name(number)} staging v1") for number in range(AT_ONCE)]
        stack.fire(AT_ONCE, "is queued", bodies)
        made = {deployment.id: deployment for deployment in stack.until_settled()}
        stack.until(lambda: len(_finals(stack)) == AT_ONCE, "the final cards")
        calls, finals = stack.ecs_calls(), _finals(stack)
        settled = _settled(_ecs(stack.aws_url))
        lags = [
            finals[each.id] - settled[f"{each.target.service}-{each.target.environment}"]
            for each in made.values()
        ]
        return _followed(lags, calls)


def _followed(lags: list[float], calls: list[dict[str, Any]]) -> Followed:
    told = min(call["at"] for call in calls if call["operation"] == "UpdateService")
    following = [c for c in calls if c["at"] > told and c["operation"] in FOLLOWING]
    return Followed(lags, len(calls) / AT_ONCE, len(following) / AT_ONCE)


def _finals(stack: Place) -> dict[str, float]:
    """When each deployment's card first said that it had succeeded."""
    shown: dict[str, float] = {}
    for call in (*stack.slack_calls("chat.postMessage"), *stack.slack_calls("chat.update")):
        words = str(call["args"].get("text", "")).split()
        if "succeeded:" in words:
            shown.setdefault(words[1], call["at"])
    return shown


def _ecs(url: str) -> ECSClient:
    return boto3.client(
        "ecs",
        region_name=REGION,
        endpoint_url=url,
        aws_access_key_id="AKIAREFERENCE0000000",
        aws_secret_access_key="reference",
    )


def _settled(ecs: ECSClient) -> dict[str, float]:
    """When each service's newest deployment ended, by ECS's own record."""
    found: dict[str, float] = {}
    for name in NAMES:
        listed = ecs.list_service_deployments(cluster=CLUSTER, service=name)["serviceDeployments"]
        newest = max(listed, key=lambda each: each["createdAt"])
        if newest["status"] != "SUCCESSFUL":
            raise AssertionError(f"{name} is {newest['status']}")
        ended: datetime = newest["finishedAt"]
        found[name] = ended.timestamp()
    return found


def _waiters() -> Followed:
    """What a deployment script does, twenty times at once: register, update, wait."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        cloud = stack.enter_context(FLEET.cloud(Path(name)))
        url = cloud.first_line()
        clients = [_ecs(url) for _ in NAMES]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            ends = dict(zip(NAMES, pool.map(_roll_and_wait, clients, NAMES), strict=True))
        calls = ecs_calls(url)
        settled = _settled(clients[0])
        return _followed([ends[each] - settled[each] for each in NAMES], calls)


def _roll_and_wait(ecs: ECSClient, name: str) -> float:
    service = ecs.describe_services(cluster=CLUSTER, services=[name])["services"][0]
    old: Any = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])
    old = old["taskDefinition"]
    container: Any = dict(old["containerDefinitions"][0])
    container["image"] = str(container["image"]).partition("@")[0] + ":v1"
    kept = ("family", "networkMode", "requiresCompatibilities", "cpu", "memory", "executionRoleArn")
    new = ecs.register_task_definition(
        **{key: old[key] for key in kept}, containerDefinitions=[container]
    )
    arn = new["taskDefinition"]["taskDefinitionArn"]
    ecs.update_service(cluster=CLUSTER, service=name, taskDefinition=arn)
    ecs.get_waiter("services_stable").wait(cluster=CLUSTER, services=[name])
    return time.time()
