"""ECS operations on service deployments and service revisions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bot.playground.aws import render
from bot.playground.aws.errors import AwsError, client_error, invalid
from bot.playground.aws.lookup import missing, page, service_of
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Json, Service, ServiceDeployment
from bot.playground.aws.services_api import remember

MOST_DESCRIBED = 20
HOOK_ID = re.compile(r"ecs-[a-z]+-[\w-]+")


@operation("ecs", "ListServiceDeployments")
def list_service_deployments(context: Context, request: Json) -> Json:
    """Newest first; filtered by status and time of creation; 20 a page unless told."""
    service = service_of(context.estate, request.get("cluster"), request["service"])
    created = request.get("createdAt", {})
    after, before = created.get("after", 0.0), created.get("before", float("inf"))
    statuses = request.get("status", [])
    shown = [
        each
        for each in reversed(_visible(context, service))
        if after <= each["createdAt"] <= before and (not statuses or each["status"] in statuses)
    ]
    found, more = page(shown, {"maxResults": MOST_DESCRIBED, **request})
    return {"serviceDeployments": [_brief(each) for each in found], **more}


@operation("ecs", "DescribeServiceDeployments")
def describe_service_deployments(context: Context, request: Json) -> Json:
    """Up to 20, of any services of the account; unknown ones become failures."""
    arns = _limited(request["serviceDeploymentArns"], "ServiceDeploymentArns")
    found, failures = [], []
    for arn in arns:
        service = _service_of_child(context, arn)
        records = _visible(context, service) if service else []
        shown = next((each for each in records if each["serviceDeploymentArn"] == arn), None)
        if shown is None:
            failures.append(missing(arn))
        else:
            found.append(shown)
    return {"serviceDeployments": found, "failures": failures}


@operation("ecs", "DescribeServiceRevisions")
def describe_service_revisions(context: Context, request: Json) -> Json:
    """Up to 20; unknown ones become failures."""
    arns = _limited(request["serviceRevisionArns"], "ServiceRevisionArns")
    found, failures = [], []
    for arn in arns:
        service = _service_of_child(context, arn)
        revisions = service.revisions if service else []
        revision = next((each for each in revisions if each.arn == arn), None)
        if service is None or revision is None:
            failures.append(missing(arn))
        else:
            found.append(render.revision(service, revision))
    return {"serviceRevisions": found, "failures": failures}


@operation("ecs", "StopServiceDeployment")
def stop_service_deployment(context: Context, request: Json) -> Json:
    """Stop one that is under way; ROLLBACK unless told. One that is being stopped goes on so."""
    arn = request["serviceDeploymentArn"]
    for service, record in _all(context):
        if record.arn == arn:
            if not record.open:
                raise AwsError(
                    "ConflictException",
                    f"Service deployment cannot be stopped in the {record.status} state.",
                    extra={"resourceIds": [arn]},
                )
            if record.status in {"PENDING", "IN_PROGRESS"}:
                remember(context, service)
                stop_type = request.get("stopType", "ROLLBACK")
                context.engine.deployments.stop(service, record, stop_type)
            return {"serviceDeploymentArn": arn}
    raise AwsError("ServiceDeploymentNotFoundException", "Service deployment not found.")


@operation("ecs", "ContinueServiceDeployment")
def continue_service_deployment(context: Context, request: Json) -> Json:
    """Continue one that is paused, or have it rolled back; CONTINUE unless told.

    The texts are those that ECS's Developer Guide quotes under "Troubleshooting Amazon ECS
    blue/green deployments". The codes are assumed, but for the missing deployment's.
    """
    arn, identifier = request["serviceDeploymentArn"], request["hookId"]
    if not HOOK_ID.fullmatch(identifier):
        raise invalid("Invalid hookId: hookId must follow the format: ecs-{hookType}-{id}")
    found = next((each for each in _all(context) if each[1].arn == arn), None)
    if found is None:
        missing_one = "The service deployment does not exist."
        raise AwsError("ServiceDeploymentNotFoundException", missing_one)
    service, record = found
    if not record.open:
        raise client_error(
            "Continuing a service deployment is not allowed for service deployment in terminal "
            "states."
        )
    hook = record.passage.hook(identifier) if record.passage is not None else None
    if hook is None or record.status != "IN_PROGRESS":
        raise invalid(
            "Provided hookId is either completed, unavailable, or not associated with the given "
            "Resource ARN"
        )
    remember(context, service)
    shifting = context.engine.scheduler.shifting
    shifting.answer(service, hook, request.get("action", "CONTINUE"))
    return {"serviceDeploymentArn": arn}


def _limited(arns: list[str], name: str) -> list[str]:
    if not arns:
        raise invalid(f"{name} cannot be empty.")
    if len(arns) > MOST_DESCRIBED:
        raise invalid(f"{name} cannot have more than 20 elements.")
    return arns


def _visible(context: Context, service: Service) -> list[Json]:
    if service.stale is not None and context.now < service.stale.until:
        return service.stale.records
    return [render.service_deployment(service, each) for each in service.history]


def _brief(shown: Json) -> Json:
    kept = ("serviceDeploymentArn", "serviceArn", "clusterArn", "createdAt", "status")
    optional = ("startedAt", "finishedAt", "statusReason")
    return {
        **{key: shown[key] for key in kept},
        **{key: shown[key] for key in optional if key in shown},
        "targetServiceRevisionArn": shown["targetServiceRevision"]["arn"],
    }


def _service_of_child(context: Context, arn: str) -> Service | None:
    _, cluster, service, _ = ([*arn.split("/"), "", "", ""])[:4]
    found = context.estate.clusters.get(cluster)
    return found.services.get(service) if found else None


def _all(context: Context) -> Iterator[tuple[Service, ServiceDeployment]]:
    for cluster in context.estate.clusters.values():
        for service in cluster.services.values():
            for record in service.history:
                yield service, record
