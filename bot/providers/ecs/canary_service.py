"""The ECS service a canary runs in: made from the stable one's settings. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from bot.model.canary_plan import Weighted
from bot.model.places import EcsService
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG

#: What DescribeServices shows and CreateService takes just so.
_SAME = (
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "networkConfiguration",
    "placementConstraints",
    "placementStrategy",
    "healthCheckGracePeriodSeconds",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "availabilityZoneRebalancing",
)
_NONE: Mapping[str, Any] = {}
#: ECS takes up to 36 characters.
_TOKEN = 32


def name_of(ecs: EcsService, weighted: Weighted) -> str:
    """How the canary's service is called."""
    return weighted.service or f"{ecs.service}-canary"


def creation(
    stable: Mapping[str, Any],
    names: tuple[str, str],
    weighted: Weighted,
    wanted: tuple[str, str, int],
) -> dict[str, Any]:
    """The body of CreateService. ``names`` are the cluster's and the canary's, ``wanted`` the
    deployment's id, the task definition and how many tasks.

    Left out is what would send it requests past the weights: service discovery, and being an
    endpoint of Service Connect; it reaches others through it as the stable version does. Load
    balancers other than the stable group's are left out too.
    """
    cluster, name = names
    deployment_id, revision, tasks = wanted
    kept = {key: stable[key] for key in _SAME if stable.get(key) not in (None, [], "")}
    if kept.get("capacityProviderStrategy"):
        kept.pop("launchType", None)
    propagate = stable.get("propagateTags")
    if propagate and propagate != "NONE":
        kept["propagateTags"] = propagate
    tags = [each for each in stable.get("tags", ()) if not each["key"].startswith("aws:")]
    tags = [each for each in tags if each["key"] != DEPLOYMENT_TAG]
    return {
        **kept,
        **_of_deployment(stable),
        "cluster": cluster,
        "serviceName": name,
        "taskDefinition": revision,
        "desiredCount": tasks,
        "schedulingStrategy": "REPLICA",
        "clientToken": token(deployment_id, name),
        "loadBalancers": [
            {
                "targetGroupArn": weighted.canary,
                "containerName": each["containerName"],
                "containerPort": each["containerPort"],
            }
            for each in stable.get("loadBalancers", ())
            if each.get("targetGroupArn") == weighted.stable
        ],
        # There is nothing to roll back to: a canary that does not start is removed.
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": True, "rollback": False},
            "minimumHealthyPercent": 100,
            "maximumPercent": 200,
        },
        "tags": [*tags, {"key": DEPLOYMENT_TAG, "value": deployment_id}],
    }


def _of_deployment(stable: Mapping[str, Any]) -> dict[str, Any]:
    """What a service is asked for and DescribeServices shows with its deployments alone.

    https://docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Deployment.html
    """
    deployments: Sequence[Mapping[str, Any]] = stable.get("deployments", ())
    primary = next((each for each in deployments if each.get("status") == "PRIMARY"), _NONE)
    found: dict[str, Any] = {}
    if volumes := primary.get("volumeConfigurations"):
        found["volumeConfigurations"] = volumes
    connect = primary.get("serviceConnectConfiguration") or {}
    if connect.get("enabled"):
        as_client = {key: value for key, value in connect.items() if key != "services"}
        found["serviceConnectConfiguration"] = as_client
    return found


def token(deployment_id: str, name: str) -> str:
    """The same for every try of one deployment, so that one service is made."""
    return hashlib.sha256(f"{deployment_id}/{name}".encode()).hexdigest()[:_TOKEN]
