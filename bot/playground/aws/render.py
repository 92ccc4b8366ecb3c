"""Records in the form in which ECS shows them."""

from __future__ import annotations

from bot.playground.aws import stages
from bot.playground.aws.deployments import counts
from bot.playground.aws.records import (
    Cluster,
    Deployment,
    Json,
    Revision,
    Service,
    ServiceDeployment,
    Task,
    TaskDefinition,
)

STORED_ELSEWHERE = ("tags", "taskDefinition", "desiredCount", "deploymentConfiguration")


def task_definition(definition: TaskDefinition) -> Json:
    """``TaskDefinition``: the document as registered, and what ECS adds."""
    shown = {
        **definition.document,
        "taskDefinitionArn": definition.arn,
        "revision": definition.revision,
        "status": definition.status,
        "registeredAt": definition.registered_at,
    }
    if definition.deregistered_at is not None:
        shown["deregisteredAt"] = definition.deregistered_at
    return shown


def service(it: Service) -> Json:
    """``Service`` without its tags."""
    running = sum(task.running for task in it.tasks.values())
    pending = sum(task.pending for task in it.tasks.values())
    shown = {key: value for key, value in it.settings.items() if key not in STORED_ELSEWHERE}
    summaries = dict.fromkeys(each.revision for each in it.deployments)
    return {
        **shown,
        "serviceArn": it.arn,
        "serviceName": it.name,
        "clusterArn": it.cluster_arn,
        "status": it.status,
        "desiredCount": it.desired,
        "runningCount": running,
        "pendingCount": pending,
        "taskDefinition": it.primary.revision.task_definition.arn,
        "deploymentConfiguration": it.configuration,
        "deployments": [deployment(it, each) for each in _shown_deployments(it)],
        "events": list(it.events),
        "createdAt": it.created_at,
        "currentServiceDeployment": it.history[-1].arn,
        "currentServiceRevisions": [_summary(it, each) for each in summaries],
    }


def _shown_deployments(it: Service) -> list[Deployment]:
    return [] if it.status == "INACTIVE" else it.deployments


def deployment(it: Service, each: Deployment) -> Json:
    """One ``Deployment`` of a service."""
    tasks = [task for task in it.tasks.values() if task.deployment is each]
    primary = each is it.primary
    settings = each.revision.settings
    shown: Json = {
        key: settings[key]
        for key in ("launchType", "platformVersion", "platformFamily", "networkConfiguration")
        if key in settings
    }
    return {
        **shown,
        "id": each.id,
        "status": each.status,
        "taskDefinition": each.revision.task_definition.arn,
        "desiredCount": it.desired if primary else sum(task.live for task in tasks),
        "pendingCount": sum(task.pending for task in tasks),
        "runningCount": sum(task.running for task in tasks),
        "failedTasks": each.failed,
        "createdAt": each.created_at,
        "updatedAt": each.updated_at,
        "rolloutState": each.rollout_state,
        "rolloutStateReason": each.reason,
    }


def service_deployment(it: Service, record: ServiceDeployment) -> Json:
    """``ServiceDeployment``; its counts are frozen once it has ended."""
    shown: Json = {
        "serviceDeploymentArn": record.arn,
        "serviceArn": it.arn,
        "clusterArn": it.cluster_arn,
        "createdAt": record.created_at,
        "updatedAt": record.updated_at,
        "sourceServiceRevisions": [_counted(it, record, each) for each in record.sources],
        "targetServiceRevision": _counted(it, record, record.target),
        "status": record.status,
        "deploymentConfiguration": record.configuration,
        "deploymentCircuitBreaker": _breaker(record),
        "alarms": _alarms(record),
        "startedAt": record.started_at,
        "finishedAt": record.finished_at,
        "stoppedAt": record.stopped_at,
        "statusReason": record.reason,
        "rollback": record.rollback,
        **(stages.shown(record.passage) if record.passage is not None else {}),
    }
    return {key: value for key, value in shown.items() if value is not None}


def revision(it: Service, each: Revision) -> Json:
    """``ServiceRevision``."""
    resolved = {"resolvedConfiguration": {"loadBalancers": each.resolved}} if each.resolved else {}
    return {
        **each.settings,
        "serviceRevisionArn": each.arn,
        "serviceArn": it.arn,
        "clusterArn": it.cluster_arn,
        "taskDefinition": each.task_definition.arn,
        "containerImages": each.images,
        "guardDutyEnabled": False,
        "createdAt": each.created_at,
        **resolved,
    }


def task(it: Service, each: Task) -> Json:
    """``Task`` with its containers."""
    definition = each.deployment.revision.task_definition
    containers = definition.document["containerDefinitions"]
    shown: Json = {
        "taskArn": each.arn,
        "clusterArn": it.cluster_arn,
        "taskDefinitionArn": definition.arn,
        "group": f"service:{it.name}",
        "startedBy": each.started_by,
        "launchType": it.settings.get("launchType", "FARGATE"),
        "lastStatus": each.last_status,
        "desiredStatus": each.desired_status,
        "healthStatus": each.health,
        "createdAt": each.created_at,
        "version": each.version,
        "cpu": definition.document.get("cpu", "256"),
        "memory": definition.document.get("memory", "512"),
        "connectivity": "CONNECTED",
        "containers": [_container(each, one) for one in containers],
        "overrides": {"containerOverrides": [{"name": one["name"]} for one in containers]},
        "attachments": [_interface(each)],
        **each.dates,
        "stopCode": each.stop_code,
        "stoppedReason": each.stopped_reason,
    }
    return {key: value for key, value in shown.items() if value is not None}


def _interface(each: Task) -> Json:
    status = {"STOPPED": "DELETED", "RUNNING": "ATTACHED"}.get(each.last_status, "ATTACHING")
    return {
        "id": f"eni-{each.id[:17]}",
        "type": "ElasticNetworkInterface",
        "status": status,
        "details": [{"name": "privateIPv4Address", "value": each.address}],
    }


def cluster(it: Cluster) -> Json:
    """``Cluster`` with its counts."""
    tasks = [task for each in it.services.values() for task in each.tasks.values()]
    return {
        "clusterArn": it.arn,
        "clusterName": it.name,
        "status": "ACTIVE",
        "registeredContainerInstancesCount": 0,
        "runningTasksCount": sum(task.running for task in tasks),
        "pendingTasksCount": sum(task.pending for task in tasks),
        "activeServicesCount": sum(each.status == "ACTIVE" for each in it.services.values()),
    }


def _container(each: Task, definition: Json) -> Json:
    blamed = definition["name"] == each.container["name"]
    shown: Json = {
        "containerArn": each.arn.replace(":task/", ":container/")
        + f"/{each.id[:8]}-{definition['name']}",
        "taskArn": each.arn,
        "name": definition["name"],
        "image": definition["image"],
        "imageDigest": each.digests.get(definition["name"]),
        "lastStatus": each.last_status,
        "exitCode": each.exit_code if blamed or each.exit_code is None else 0,
        "reason": each.container_reason if blamed else None,
        "healthStatus": each.health if definition.get("healthCheck") else "UNKNOWN",
    }
    return {key: value for key, value in shown.items() if value is not None}


def _summary(it: Service, each: Revision) -> Json:
    requested, running, pending = counts(it, each)
    return {
        "arn": each.arn,
        "requestedTaskCount": requested,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
    }


def _counted(it: Service, record: ServiceDeployment, each: Revision) -> Json:
    shown = record.counts[each.arn] if record.counts is not None else counts(it, each)
    requested, running, pending = shown
    weights = {}
    if record.passage is not None:
        weights = {
            "requestedTestTrafficWeight": record.passage.test[each.arn],
            "requestedProductionTrafficWeight": record.passage.production[each.arn],
        }
    return {
        "arn": each.arn,
        "requestedTaskCount": requested,
        "runningTaskCount": running,
        "pendingTaskCount": pending,
        **weights,
    }


def _breaker(record: ServiceDeployment) -> Json:
    breaker = record.configuration.get("deploymentCircuitBreaker", {})
    status = "DISABLED"
    if breaker.get("enable", False):
        status = _monitor(record, tripped=record.tripped)
    return {"status": status, "failureCount": record.failures, "threshold": record.threshold}


def _alarms(record: ServiceDeployment) -> Json:
    alarms = record.configuration.get("alarms", {})
    status = "DISABLED"
    if alarms.get("enable", False):
        status = _monitor(record, tripped=bool(record.triggered_alarms))
    return {
        "status": status,
        "alarmNames": alarms.get("alarmNames", []),
        "triggeredAlarmNames": record.triggered_alarms,
    }


def _monitor(record: ServiceDeployment, *, tripped: bool) -> str:
    if tripped:
        return "TRIGGERED"
    return "MONITORING" if record.open else "MONITORING_COMPLETE"
