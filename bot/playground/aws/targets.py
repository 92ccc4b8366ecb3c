"""Which tasks a target group knows, and how healthy each is: a reading of the tasks themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bot.playground.aws.balancing import TargetGroup
from bot.playground.aws.records import Estate, Json, Service, Task
from bot.playground.aws.tasks import Timings

REGISTERING = 1.0  # virtual seconds from RUNNING until health checks begin
NOTICED = 5.0  # virtual seconds until a target that died is taken out
DESCRIPTIONS = {
    "Elb.RegistrationInProgress": "Target registration is in progress",
    "Elb.InitialHealthChecking": "Initial health checks in progress",
    "Target.FailedHealthChecks": "Health checks failed",
    "Target.DeregistrationInProgress": "Target deregistration is in progress",
    "Target.NotInUse": "Target group is not configured to receive traffic from the load balancer",
    "Target.NotRegistered": "Target is not registered to the target group",
}


@dataclass(frozen=True, slots=True)
class Target:
    """A registered task. ``state`` is ELB's; a ``dead`` one answers nobody, unknown to ELB yet."""

    service: Service
    task: Task
    port: int
    state: str
    reason: str | None = None
    dead: bool = False


def balancers_of(task: Task) -> list[Json]:
    """The ``loadBalancers`` that the task's service revision came with, as ECS resolved them."""
    return task.deployment.revision.balancers


def delay_of(estate: Estate, task: Task) -> float:
    """How many seconds the task is draining: the longest of its target groups' delays."""
    groups = estate.balancing.groups
    delays = [
        groups[each["targetGroupArn"]].deregistration_delay
        for each in balancers_of(task)
        if each.get("targetGroupArn") in groups
    ]
    return max(delays, default=0.0)


def registered(estate: Estate, now: float, timings: Timings) -> dict[str, list[Target]]:
    """The targets of every target group of ``estate`` by its ARN, those that drain too."""
    found: dict[str, list[Target]] = {arn: [] for arn in estate.balancing.groups}
    for cluster in estate.clusters.values():
        for service in cluster.services.values():
            for task in service.tasks.values():
                for balancer in balancers_of(task):
                    group = estate.balancing.groups.get(balancer.get("targetGroupArn", ""))
                    target = group and _target(service, task, group, (now, timings))
                    if group and target:
                        found[group.arn].append(target)
    return found


def _target(
    service: Service, task: Task, group: TargetGroup, at: tuple[float, Timings]
) -> Target | None:
    now, timings = at
    if task.running_at is None:
        return None
    port = next(
        int(each["containerPort"])
        for each in balancers_of(task)
        if each.get("targetGroupArn") == group.arn
    )
    if task.leaving_at is not None:
        return _leaving(service, task, group, (now - task.leaving_at, port))
    if task.ready:
        return Target(service, task, port, "healthy")
    age = now - task.running_at
    if age < REGISTERING:
        return Target(service, task, port, "initial", "Elb.RegistrationInProgress")
    if age < max(timings.unhealthy, timings.health * (1 + timings.jitter)):
        return Target(service, task, port, "initial", "Elb.InitialHealthChecking")
    return Target(service, task, port, "unhealthy", "Target.FailedHealthChecks")


def _leaving(
    service: Service, task: Task, group: TargetGroup, at: tuple[float, int]
) -> Target | None:
    since, port = at
    died = task.stop_code == "EssentialContainerExited"
    if died and since < NOTICED and task.was_ready:
        return Target(service, task, port, "healthy", dead=True)
    if since < group.deregistration_delay + (NOTICED if died else 0.0):
        return Target(service, task, port, "draining", "Target.DeregistrationInProgress")
    return None


def receiving(targets: Iterable[Target]) -> list[Target]:
    """Those that get requests: the healthy ones; where none is, those that failed their checks.

    Source: "Health checks for Application Load Balancer target groups": a group that has only
    unhealthy targets fails open.
    """
    everyone = list(targets)
    healthy = [each for each in everyone if each.state == "healthy"]
    return healthy or [each for each in everyone if each.state == "unhealthy"]
