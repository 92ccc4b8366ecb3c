"""What ECS shows of a service and of its deployments, as values. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import (
        DeploymentTypeDef,
        ServiceDeploymentTypeDef,
        ServiceTypeDef,
    )


@dataclass(frozen=True, slots=True)
class DeploymentView:
    """One entry of a service's ``deployments``: ``revision`` is its task definition's ARN.

    ``status`` is PRIMARY, ACTIVE or INACTIVE; ``state`` is IN_PROGRESS, COMPLETED, FAILED or empty.
    """

    id: str
    status: str
    revision: str
    desired: int = 0
    running: int = 0
    pending: int = 0
    failed: int = 0
    state: str = ""
    reason: str = ""
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class EventView:
    """One of the service's events, of which ECS keeps the newest 100."""

    id: str
    at: datetime
    message: str


@dataclass(frozen=True, slots=True)
class ServiceView:
    """A service. ``rolls_back`` says whether ECS takes a failed deployment back by itself.

    ``current`` is the ARN of the newest service deployment, where ECS shows one.
    """

    name: str
    arn: str
    status: str
    desired: int
    running: int
    deployments: tuple[DeploymentView, ...]
    events: tuple[EventView, ...] = ()
    current: str | None = None
    controller: str = "ECS"
    scheduling: str = "REPLICA"
    rolls_back: bool = False

    @property
    def primary(self) -> DeploymentView | None:
        """The deployment ECS is heading for."""
        return next((each for each in self.deployments if each.status == "PRIMARY"), None)


@dataclass(frozen=True, slots=True)
class ServiceDeploymentView:
    """One service deployment: the only account that outlives the deployment itself.

    ``revision`` is the task definition its target service revision runs.
    """

    arn: str
    status: str
    revision: str
    reason: str = ""
    created_at: datetime | None = None
    rollback_reason: str = ""
    alarms: tuple[str, ...] = ()


def service_view(service: ServiceTypeDef) -> ServiceView:
    """From an entry of DescribeServices."""
    config = service.get("deploymentConfiguration", {})
    breaker = config.get("deploymentCircuitBreaker", {"enable": False, "rollback": False})
    alarms = config.get("alarms", {"enable": False, "rollback": False})
    return ServiceView(
        name=service["serviceName"],
        arn=service["serviceArn"],
        status=service.get("status", ""),
        desired=service.get("desiredCount", 0),
        running=service.get("runningCount", 0),
        deployments=tuple(_deployment(each) for each in service.get("deployments", ())),
        events=tuple(
            EventView(each["id"], each["createdAt"], " ".join(each["message"].split()))
            for each in service.get("events", ())
        ),
        current=service.get("currentServiceDeployment"),
        controller=service.get("deploymentController", {"type": "ECS"})["type"],
        scheduling=service.get("schedulingStrategy", "REPLICA"),
        rolls_back=any(each["enable"] and each["rollback"] for each in (breaker, alarms)),
    )


def _deployment(deployment: DeploymentTypeDef) -> DeploymentView:
    return DeploymentView(
        id=deployment["id"],
        status=deployment["status"],
        revision=deployment["taskDefinition"],
        desired=deployment.get("desiredCount", 0),
        running=deployment.get("runningCount", 0),
        pending=deployment.get("pendingCount", 0),
        failed=deployment.get("failedTasks", 0),
        state=deployment.get("rolloutState", ""),
        reason=deployment.get("rolloutStateReason", ""),
        created_at=deployment.get("createdAt"),
    )


def service_deployment_view(
    deployment: ServiceDeploymentTypeDef, revision: str
) -> ServiceDeploymentView:
    """From an entry of DescribeServiceDeployments; ``revision`` was looked up beside it."""
    return ServiceDeploymentView(
        arn=deployment["serviceDeploymentArn"],
        status=deployment.get("status", ""),
        revision=revision,
        reason=deployment.get("statusReason", ""),
        created_at=deployment.get("createdAt"),
        rollback_reason=deployment.get("rollback", {}).get("reason", ""),
        alarms=tuple(deployment.get("alarms", {}).get("triggeredAlarmNames", ())),
    )
