"""The requests with which a world is furnished: services as a team would have made them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.playground.aws.records import Json
from bot.playground.aws.shifting_blueprints import (
    ShiftingOptions,
    shifting_configuration,
)

ACCOUNT = "123456789012"
REGION = "eu-west-1"
PORT = 8080
ADDED_BY_ECS = {"compatibilities", "requiresAttributes", "registeredBy"}


class ServiceOptions(ShiftingOptions, total=False):
    """How ``World.create_service`` makes a service; each has the default named here.

    ``family`` (the service's name), ``container`` (the service's name), ``image`` (a tag, a digest
    or a whole reference; ``latest``), ``repository`` (the service's name), ``desired`` (2),
    ``region``, ``settled`` (True: it has been running for long), ``health_check`` (True: the
    container has one), ``grace`` (health check grace period in seconds, 0), ``breaker`` (True),
    ``rollback`` (True: the breaker rolls back), ``minimum_healthy`` (100), ``maximum`` (200),
    ``alarms`` (names that roll back), ``bake_minutes`` (0), ``load_balanced`` (False: whether it
    gets a target group behind a load balancer of its own), ``target_group`` (ARN of one that is
    there), ``extra`` (fields added to the task definition), ``tags``; and those of
    ``ShiftingOptions``.
    """

    family: str
    container: str
    image: str
    repository: str
    desired: int
    region: str
    settled: bool
    health_check: bool
    grace: int
    breaker: bool
    rollback: bool
    minimum_healthy: int
    maximum: int
    alarms: Sequence[str]
    bake_minutes: int
    load_balanced: bool
    target_group: str
    extra: Json
    tags: list[Json]


def reference(repository_uri: str, image: str) -> str:
    """The whole image reference of a tag or a digest; a whole reference stays as it is."""
    if "/" in image:
        return image
    return f"{repository_uri}{'@' if image.startswith('sha256:') else ':'}{image}"


def definition_of(service: str, repository_uri: str, options: ServiceOptions) -> Json:
    """The task definition that ``World.create_service`` registers."""
    container: Json = {
        "name": options.get("container", service),
        "image": reference(repository_uri, options.get("image", "latest")),
        "essential": True,
        "portMappings": [{"containerPort": PORT, "hostPort": PORT, "protocol": "tcp"}],
        "environment": [{"name": "LOG_LEVEL", "value": "info"}],
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": f"/ecs/{service}", "awslogs-region": REGION},
        },
    }
    if options.get("health_check", True):
        command = ["CMD-SHELL", "curl -f http://localhost:8080/healthz || exit 1"]
        container["healthCheck"] = {"command": command, "interval": 10, "retries": 3}
    return {
        "family": options.get("family", service),
        "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"],
        "cpu": "256",
        "memory": "512",
        "executionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/ecs-execution",
        "containerDefinitions": [container],
        **options.get("extra", {}),
    }


def service_request(cluster: str, name: str, definition: str, options: ServiceOptions) -> Json:
    """The CreateService request of ``World.create_service``."""
    configuration: Json = {
        "deploymentCircuitBreaker": {
            "enable": options.get("breaker", True),
            "rollback": options.get("rollback", True),
        },
        "minimumHealthyPercent": options.get("minimum_healthy", 100),
        "maximumPercent": options.get("maximum", 200),
        "bakeTimeInMinutes": options.get("bake_minutes", 0),
        **shifting_configuration(options),
    }
    if options.get("alarms"):
        names = list(options["alarms"])
        configuration["alarms"] = {"alarmNames": names, "enable": True, "rollback": True}
    balancers: list[Json] = []
    if "target_group" in options:
        group, container = options["target_group"], options.get("container", name)
        balancers = [{"targetGroupArn": group, "containerName": container, "containerPort": PORT}]
    if "advanced" in options and balancers:
        balancers[0]["advancedConfiguration"] = options["advanced"]
    return {
        "cluster": cluster,
        "serviceName": name,
        "taskDefinition": definition,
        "desiredCount": options.get("desired", 2),
        "launchType": "FARGATE",
        "loadBalancers": balancers,
        "healthCheckGracePeriodSeconds": options.get("grace", 0),
        "deploymentConfiguration": configuration,
        "tags": options.get("tags", []),
    }


def changed_definition(document: Json, image: str) -> Json:
    """A registered definition with another image in its first container that comes from ECR."""
    definition = {key: each for key, each in document.items() if key not in ADDED_BY_ECS}
    containers = [dict(each) for each in definition["containerDefinitions"]]
    ours = next((each for each in containers if ".dkr.ecr." in each["image"]), containers[0])
    home, slash, name = ours["image"].partition("@")[0].rpartition("/")
    ours["image"] = reference(f"{home}{slash}{name.partition(':')[0]}", image)
    return {**definition, "containerDefinitions": containers}
