"""ECS operations on tasks."""

from __future__ import annotations

from collections.abc import Iterator

from bot.playground.aws import render
from bot.playground.aws.errors import AwsError, invalid
from bot.playground.aws.lookup import cluster_of, find_service, missing, page
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Cluster, Json, Service, Task
from bot.playground.aws.tasks import STOPPED_KEPT

MOST_TASKS = 100


@operation("ecs", "ListTasks")
def list_tasks(context: Context, request: Json) -> Json:
    """ARNs of a cluster's tasks by what ECS wants of them; RUNNING unless told."""
    if "startedBy" in request and {"serviceName", "family"} & set(request):
        raise invalid("StartedBy must be the only filter.")
    cluster = cluster_of(context.estate, request.get("cluster"))
    status = request.get("desiredStatus", "RUNNING")
    wanted = request.get("serviceName")
    if wanted is not None:
        service = find_service(cluster, wanted)
        if service is None:
            raise AwsError("ServiceNotFoundException", "Service not found.")
        pairs = [(service, task) for task in service.tasks.values()]
    else:
        pairs = list(_tasks(cluster))
    arns = [
        task.arn
        for service, task in pairs
        if task.desired_status == status
        and not _forgotten(context, task)
        and _matches(request, service, task)
    ]
    found, more = page(arns, request)
    return {"taskArns": found, **more}


@operation("ecs", "DescribeTasks")
def describe_tasks(context: Context, request: Json) -> Json:
    """Up to 100 tasks of one cluster; unknown ones become failures."""
    names = request["tasks"]
    if not names:
        raise invalid("Tasks cannot be empty.")
    if len(names) > MOST_TASKS:
        raise invalid("Tasks cannot have more than 100 elements.")
    cluster = cluster_of(context.estate, request.get("cluster"))
    by_id = {task.id: (service, task) for service, task in _tasks(cluster)}
    found, failures = [], []
    for name in names:
        identifier = name.rpartition("/")[2]
        pair = by_id.get(identifier)
        if pair is None or _forgotten(context, pair[1]):
            arn = context.estate.arn("task", f"{cluster.name}/{identifier}")
            failures.append(missing(arn))
        else:
            found.append(render.task(*pair))
    return {"tasks": found, "failures": failures}


def _tasks(cluster: Cluster) -> Iterator[tuple[Service, Task]]:
    for service in cluster.services.values():
        for task in service.tasks.values():
            yield service, task


def _forgotten(context: Context, task: Task) -> bool:
    return task.gone_at is not None and context.now - task.gone_at > STOPPED_KEPT


def _matches(request: Json, service: Service, task: Task) -> bool:
    family = task.deployment.revision.task_definition.family
    launch = service.settings["launchType"]
    is_so = {"family": family, "startedBy": task.started_by, "launchType": launch}
    return all(request.get(key, value) == value for key, value in is_so.items())
