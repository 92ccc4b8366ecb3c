"""ECS operations on clusters, services and tags."""

from __future__ import annotations

from bot.playground.aws import render, strategies
from bot.playground.aws.errors import AwsError, client_error, invalid
from bot.playground.aws.lookup import (
    cluster_of,
    find_definition,
    find_service,
    missing,
    page,
    service_of,
)
from bot.playground.aws.operations import Context, operation
from bot.playground.aws.records import Cluster, Json, Service, Stale, TaskDefinition
from bot.playground.aws.service_targets import check_load_balancers

MOST_SERVICES = 10
MOST_CLUSTERS = 100
LONGEST_TOKEN = 36
# A change of one of these starts a deployment; of any other setting, it does not.
DEPLOYING = (
    "capacityProviderStrategy",
    "loadBalancers",
    "networkConfiguration",
    "platformVersion",
    "serviceConnectConfiguration",
    "serviceRegistries",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)
PLAIN = (
    "availabilityZoneRebalancing",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
    "propagateTags",
)


@operation("ecs", "CreateCluster")
def create_cluster(context: Context, request: Json) -> Json:
    """Idempotent, as in ECS: the same name gives the same cluster."""
    name = request.get("clusterName", "default")
    fresh = Cluster(context.estate.arn("cluster", name), name)
    return {"cluster": render.cluster(context.estate.clusters.setdefault(name, fresh))}


@operation("ecs", "DescribeClusters")
def describe_clusters(context: Context, request: Json) -> Json:
    """Up to 100; unknown ones become failures."""
    names = request.get("clusters", ["default"])
    if len(names) > MOST_CLUSTERS:
        raise invalid("Clusters cannot have more than 100 elements.")
    found, failures = [], []
    for name in names:
        cluster = context.estate.clusters.get(name.rpartition("/")[2])
        if cluster is None:
            arn = name if name.startswith("arn:") else context.estate.arn("cluster", name)
            failures.append(missing(arn))
        else:
            found.append(render.cluster(cluster))
    return {"clusters": found, "failures": failures}


@operation("ecs", "CreateService")
def create_service(context: Context, request: Json) -> Json:
    """A new service, whose first deployment starts at once; by the same ``clientToken``, once."""
    cluster = cluster_of(context.estate, request.get("cluster"))
    name = request["serviceName"]
    _check_token(request)
    there = cluster.services.get(name)
    if there is not None and there.status == "DRAINING":
        raise invalid("Unable to Start a service that is still Draining.")
    if there is not None and there.status == "ACTIVE":
        return {"service": render.service(_created_by(there, request))}
    if "taskDefinition" not in request:
        raise invalid("TaskDefinition cannot be null for the ECS deployment controller.")
    definition = _deployable(context, request["taskDefinition"])
    _check_controller(request)
    _check_update(request)
    kept = (
        "cluster",
        "serviceName",
        "clientToken",
        "tags",
        "taskDefinition",
        "desiredCount",
        "role",
    )
    settings = {key: value for key, value in request.items() if key not in kept}
    settings.setdefault("loadBalancers", [])
    settings.setdefault("launchType", "FARGATE")
    settings.setdefault("schedulingStrategy", "REPLICA")
    settings.setdefault("deploymentController", {"type": "ECS"})
    asked = settings.get("deploymentConfiguration", {})
    settings["deploymentConfiguration"] = strategies.fresh(asked)
    service = Service(
        arn=context.estate.arn("service", f"{cluster.name}/{name}"),
        name=name,
        cluster_arn=cluster.arn,
        settings=settings,
        desired=request.get("desiredCount", 1),
        created_at=context.stamp,
        asked=request,
    )
    strategies.check(service.configuration, settings, asked)
    check_load_balancers(context.estate, request, definition)
    cluster.services[name] = service
    context.estate.tags[service.arn] = request.get("tags", [])
    context.engine.deployments.begin(service, definition)
    return {"service": render.service(service)}


def _check_token(request: Json) -> None:
    token = request.get("clientToken", "")
    if len(token) > LONGEST_TOKEN or not all("!" <= each <= "~" for each in token):
        raise invalid("ClientToken must be up to 36 ASCII characters from 33 to 126.")


def _created_by(service: Service, request: Json) -> Service:
    if not request.get("clientToken") or request != service.asked:
        raise invalid("Creation of service was not idempotent.")
    return service


@operation("ecs", "DescribeServices")
def describe_services(context: Context, request: Json) -> Json:
    """Up to 10 services of one cluster; unknown ones become failures."""
    names = request["services"]
    if not names:
        raise invalid("Services cannot be empty.")
    if len(names) > MOST_SERVICES:
        raise invalid("Services cannot have more than 10 elements.")
    cluster = cluster_of(context.estate, request.get("cluster"))
    found, failures = [], []
    for name in names:
        service = find_service(cluster, name)
        if service is None:
            there = context.estate.arn("service", f"{cluster.name}/{name}")
            failures.append(missing(name if name.startswith("arn:") else there))
            continue
        shown = _shown(context, service)
        if "TAGS" in request.get("include", []):
            shown = {**shown, "tags": context.estate.tags.get(service.arn, [])}
        found.append(shown)
    return {"services": found, "failures": failures}


@operation("ecs", "ListServices")
def list_services(context: Context, request: Json) -> Json:
    """ARNs of a cluster's services; 10 a page unless told."""
    cluster = cluster_of(context.estate, request.get("cluster"))
    size = {"maxResults": MOST_SERVICES, **request}
    active = [each.arn for each in cluster.services.values() if each.status == "ACTIVE"]
    arns, more = page(active, size)
    return {"serviceArns": arns, **more}


@operation("ecs", "UpdateService")
def update_service(context: Context, request: Json) -> Json:
    """Change settings; a deployment starts where what runs is changed, or where one is forced."""
    service = service_of(context.estate, request.get("cluster"), request["service"])
    if service.status != "ACTIVE":
        raise AwsError("ServiceNotActiveException", "Service was not ACTIVE.")
    definition = service.primary.revision.task_definition
    if "taskDefinition" in request:
        wanted = _deployable(context, request["taskDefinition"])
    else:
        wanted = definition
    _check_update(request)
    change = request.get("deploymentConfiguration", {})
    merged = strategies.merged(service.configuration, change)
    strategies.check(merged, {**service.settings, **request}, change)
    _check_controller(request)
    if {"taskDefinition", "loadBalancers"} & set(request):
        check_load_balancers(context.estate, {**service.settings, **request}, wanted)
    remember(context, service)
    changed = request.get("forceNewDeployment", False) or wanted is not definition
    for key in (*DEPLOYING, *PLAIN):
        if key in request:
            changed |= key in DEPLOYING and request[key] != service.settings.get(key)
            service.settings[key] = request[key]
    if "deploymentConfiguration" in request:
        service.settings["deploymentConfiguration"] = merged
    service.desired = request.get("desiredCount", service.desired)
    if changed:
        context.engine.deployments.begin(service, wanted)
    context.engine.scheduler.reconcile(service)
    return {"service": render.service(service)}


@operation("ecs", "DeleteService")
def delete_service(context: Context, request: Json) -> Json:
    """DRAINING at once, INACTIVE when its tasks have stopped; again while draining, the same."""
    service = service_of(context.estate, request.get("cluster"), request["service"])
    if service.status == "INACTIVE":
        raise AwsError("ServiceNotFoundException", "Service not found.")
    if service.desired and not request.get("force", False):
        raise invalid("The service cannot be stopped while it is scaled above 0.")
    if service.status == "ACTIVE":
        remember(context, service)
        service.status, service.desired = "DRAINING", 0
        context.engine.scheduler.reconcile(service)
    return {"service": render.service(service)}


@operation("ecs", "TagResource")
def tag_resource(context: Context, request: Json) -> Json:
    """Add tags, or give those with the same key another value."""
    tags = _tags_of(context, request["resourceArn"])
    for tag in request["tags"]:
        tags[:] = [each for each in tags if each.get("key") != tag.get("key")]
        tags.append(tag)
    return {}


@operation("ecs", "UntagResource")
def untag_resource(context: Context, request: Json) -> Json:
    """Remove tags by key."""
    tags = _tags_of(context, request["resourceArn"])
    tags[:] = [each for each in tags if each.get("key") not in request["tagKeys"]]
    return {}


@operation("ecs", "ListTagsForResource")
def list_tags(context: Context, request: Json) -> Json:
    """The tags of a task definition, a service or a cluster."""
    return {"tags": _tags_of(context, request["resourceArn"])}


def remember(context: Context, service: Service) -> None:
    """Let reads of ``service`` lag behind the write that follows, where a lag is set."""
    if context.lag:
        records = [render.service_deployment(service, each) for each in service.history]
        service.stale = Stale(context.now + context.lag, render.service(service), records)


def _shown(context: Context, service: Service) -> Json:
    if service.stale is not None and context.now < service.stale.until:
        return service.stale.service
    return render.service(service)


def _deployable(context: Context, name: str) -> TaskDefinition:
    # A write sees every revision at once: only reads lag.
    try:
        definition = find_definition(context.estate, name, context.now + context.lag)
    except AwsError as error:
        if error.code == "ClientException":
            raise client_error("TaskDefinition not found.") from error
        raise
    if definition.status != "ACTIVE":
        raise client_error("TaskDefinition is inactive")
    return definition


def _tags_of(context: Context, arn: str) -> list[Json]:
    estate = context.estate
    known = {each.arn for each in estate.clusters.values()}
    if arn in known or arn in estate.tags:
        return estate.tags.setdefault(arn, [])
    raise invalid("The specified resource is not found. Specify a valid resource ARN.")


def _check_update(request: Json) -> None:
    if request.get("desiredCount", 0) < 0:
        raise invalid("DesiredCount must not be negative.")


def _check_controller(request: Json) -> None:
    controller = request.get("deploymentController", {}).get("type", "ECS")
    if controller != "ECS":
        raise AwsError(
            "UnsupportedFeatureException",
            f"This simulator has the deployment controller ECS, not {controller}.",
        )
