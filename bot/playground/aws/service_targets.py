"""What ECS asks of the ``loadBalancers`` of a service before it takes them."""

from __future__ import annotations

from bot.playground.aws.errors import invalid
from bot.playground.aws.networking import check_rules
from bot.playground.aws.records import Estate, Json, TaskDefinition

MOST_GROUPS = 5  # target groups of one service


def check_load_balancers(estate: Estate, request: Json, definition: TaskDefinition) -> None:
    """Hold the ``loadBalancers`` of a request against target groups and containers.

    Raises ``AwsError`` where a group is missing, belongs to no load balancer or is of the wrong
    target type, or where the task definition has no such container and port.
    """
    given = request.get("loadBalancers", [])
    if len(given) > MOST_GROUPS:
        raise invalid(f"loadBalancers can have at most {MOST_GROUPS} items.")
    for balancer in given:
        arn = balancer.get("targetGroupArn")
        if arn is None:
            raise invalid("A target group must be specified: this simulator has no classic ones.")
        _check_group(estate, arn, definition)
        _check_container(balancer, definition)
    check_rules(estate, given)


def _check_group(estate: Estate, arn: str, definition: TaskDefinition) -> None:
    group = estate.balancing.groups.get(arn)
    if group is None:
        raise invalid(f"The target group with targetGroupArn {arn} does not exist.")
    if estate.balancing.balancer_of(arn) is None:
        raise invalid(
            f"The target group with targetGroupArn {arn} does not have an associated load balancer."
        )
    if group.target_type != "ip" and definition.document.get("networkMode") == "awsvpc":
        raise invalid(
            f"The provided target group {arn} has target type {group.target_type}, which is "
            "incompatible with the awsvpc network mode specified in the task definition."
        )


def _check_container(balancer: Json, definition: TaskDefinition) -> None:
    name, port = balancer.get("containerName"), balancer.get("containerPort")
    containers = {each["name"]: each for each in definition.document["containerDefinitions"]}
    if name not in containers:
        raise invalid(f"The container {name} does not exist in the task definition.")
    ports = {each.get("containerPort") for each in containers[name].get("portMappings", [])}
    if port not in ports:
        raise invalid(f"The container {name} did not have a container port {port} defined.")
