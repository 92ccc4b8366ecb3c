"""The local ECS against what AWS documents on creating a second service and on deleting one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world


class Shop:
    """A stable service in one target group; the canary's group is empty."""

    def __init__(self, world: World, aws: Clients) -> None:
        self.aws = aws
        balancers = world.balancers
        self.stable = balancers.create_target_group("stable", deregistration_delay=30)
        self.canary = balancers.create_target_group("canary", deregistration_delay=30)
        front = balancers.create_load_balancer("front")
        self.rule = balancers.create_rule(front, {self.stable: 1, self.canary: 0})
        world.create_service("prod", "backend", image="v1", target_group=self.stable)

    def request(self, **changes: Any) -> dict[str, Any]:
        balancer = {
            "targetGroupArn": self.canary,
            "containerName": "backend",
            "containerPort": 8080,
        }
        wanted = {
            "cluster": "prod",
            "serviceName": "backend-canary",
            "taskDefinition": "backend:1",
            "desiredCount": 1,
            "launchType": "FARGATE",
            "loadBalancers": [balancer],
            "healthCheckGracePeriodSeconds": 30,
            "deploymentConfiguration": {
                "deploymentCircuitBreaker": {"enable": True, "rollback": False}
            },
            "tags": [{"key": "owner", "value": "us"}],
        }
        return {**wanted, **changes}

    def create(self, **changes: Any) -> Any:
        return self.aws.ecs.create_service(**self.request(**changes))["service"]

    def delete(self, **given: Any) -> Any:
        return self.aws.ecs.delete_service(cluster="prod", service="backend-canary", **given)[
            "service"
        ]

    def shown(self) -> Any:
        (found,) = self.aws.ecs.describe_services(cluster="prod", services=["backend-canary"])[
            "services"
        ]
        return found

    def listed(self) -> list[str]:
        arns = self.aws.ecs.list_services(cluster="prod")["serviceArns"]
        return [arn.rpartition("/")[2] for arn in arns]


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        started.push("backend", "v1")
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


@pytest.fixture
def shop(world: World, aws: Clients) -> Shop:
    return Shop(world, aws)


def test_a_second_service_starts_and_registers_its_tasks(world: World, shop: Shop) -> None:
    made = shop.create()

    assert made["status"] == "ACTIVE"
    assert made["healthCheckGracePeriodSeconds"] == 30
    assert made["loadBalancers"][0]["targetGroupArn"] == shop.canary
    assert world.run_until_steady("prod", "backend-canary")
    assert [each.state for each in world.balancers.targets(shop.canary)] == ["healthy"]
    assert shop.shown()["runningCount"] == 1
    assert [each.state for each in world.balancers.targets(shop.stable)] == ["healthy"] * 2


def test_its_tags_can_be_read_and_changed(aws: Clients, shop: Shop) -> None:
    arn = shop.create()["serviceArn"]

    aws.ecs.tag_resource(resourceArn=arn, tags=[{"key": "step", "value": "1"}])

    tags = aws.ecs.list_tags_for_resource(resourceArn=arn)["tags"]
    assert tags == [{"key": "owner", "value": "us"}, {"key": "step", "value": "1"}]


def test_a_service_may_be_created_with_no_tasks_and_scaled_later(world: World, shop: Shop) -> None:
    shop.create(desiredCount=0)
    world.advance(60)
    assert shop.shown()["runningCount"] == 0
    assert shop.shown()["deployments"][0]["rolloutState"] == "COMPLETED"

    shop.aws.ecs.update_service(cluster="prod", service="backend-canary", desiredCount=3)
    world.advance(60)
    assert shop.shown()["runningCount"] == 3
    shop.aws.ecs.update_service(cluster="prod", service="backend-canary", desiredCount=0)
    world.advance(60)
    assert shop.shown()["runningCount"] == 0


@pytest.mark.parametrize(
    ("balancer", "said"),
    [
        ({"containerName": "other"}, "The container other does not exist in the task definition."),
        ({"containerPort": 81}, "The container backend did not have a container port 81 defined."),
        ({"targetGroupArn": "arn:aws:elasticloadbalancing:x"}, "does not exist"),
    ],
)
def test_a_load_balancer_that_does_not_fit_is_refused(
    shop: Shop, balancer: dict[str, Any], said: str
) -> None:
    (usual,) = shop.request()["loadBalancers"]

    with pytest.raises(shop.aws.ecs.exceptions.InvalidParameterException, match=said):
        shop.create(loadBalancers=[{**usual, **balancer}])
    assert shop.listed() == ["backend"]


def test_a_target_group_without_a_load_balancer_is_refused(world: World, shop: Shop) -> None:
    (usual,) = shop.request()["loadBalancers"]
    idle = world.balancers.create_target_group("idle")

    with pytest.raises(
        shop.aws.ecs.exceptions.InvalidParameterException,
        match="does not have an associated load balancer",
    ):
        shop.create(loadBalancers=[{**usual, "targetGroupArn": idle}])


def test_a_target_group_for_instances_does_not_fit_awsvpc(world: World, shop: Shop) -> None:
    (usual,) = shop.request()["loadBalancers"]
    group = world.balancers.create_target_group("old", target_type="instance")
    front = world.balancers.create_load_balancer("old")
    world.balancers.forward_by_default(front, {group: 1})

    with pytest.raises(
        shop.aws.ecs.exceptions.InvalidParameterException, match="incompatible with the awsvpc"
    ):
        shop.create(loadBalancers=[{**usual, "targetGroupArn": group}])


def test_a_service_with_tasks_is_not_deleted(world: World, shop: Shop) -> None:
    shop.create()
    world.run_until_steady("prod", "backend-canary")

    with pytest.raises(
        shop.aws.ecs.exceptions.InvalidParameterException,
        match="The service cannot be stopped while it is scaled above 0",
    ):
        shop.delete()
    assert shop.shown()["status"] == "ACTIVE"
    assert shop.shown()["runningCount"] == 1


@pytest.mark.parametrize("way", ["forced", "scaled down"])
def test_a_deleted_service_drains_and_becomes_inactive(world: World, shop: Shop, way: str) -> None:
    forced = way == "forced"
    shop.create()
    world.run_until_steady("prod", "backend-canary")
    if not forced:
        shop.aws.ecs.update_service(cluster="prod", service="backend-canary", desiredCount=0)

    assert shop.delete(force=forced)["status"] == "DRAINING"
    assert shop.listed() == ["backend"]
    assert shop.delete(force=forced)["status"] == "DRAINING"
    states = [each.state for each in world.balancers.targets(shop.canary)]
    assert states == ["draining"]
    world.advance(31)
    assert shop.shown()["status"] == "INACTIVE"
    assert shop.shown()["deployments"] == []
    world.advance(30)
    assert world.balancers.targets(shop.canary) == []
    (cluster,) = shop.aws.ecs.describe_clusters(clusters=["prod"])["clusters"]
    assert cluster["activeServicesCount"] == 1
    assert cluster["runningTasksCount"] == 2


def test_a_service_without_tasks_is_inactive_at_once(shop: Shop) -> None:
    shop.create(desiredCount=0)

    assert shop.delete()["status"] == "INACTIVE"


def test_what_is_being_deleted_cannot_be_updated(world: World, shop: Shop) -> None:
    shop.create()
    world.run_until_steady("prod", "backend-canary")
    shop.delete(force=True)

    for _ in range(2):
        with pytest.raises(shop.aws.ecs.exceptions.ServiceNotActiveException):
            shop.aws.ecs.update_service(cluster="prod", service="backend-canary", desiredCount=2)
        world.advance(60)


def test_a_name_is_free_again_once_inactive(world: World, shop: Shop) -> None:
    shop.create()
    world.run_until_steady("prod", "backend-canary")
    shop.delete(force=True)

    with pytest.raises(shop.aws.ecs.exceptions.InvalidParameterException, match="still Draining"):
        shop.create()
    world.advance(60)
    assert shop.create(clientToken="anew")["status"] == "ACTIVE"
    assert world.run_until_steady("prod", "backend-canary")
    assert shop.shown()["runningCount"] == 1
    assert len(shop.listed()) == 2


def test_what_is_gone_cannot_be_deleted(shop: Shop) -> None:
    missing = shop.aws.ecs.exceptions.ServiceNotFoundException
    with pytest.raises(missing):
        shop.delete()
    shop.create(desiredCount=0)
    shop.delete()
    with pytest.raises(missing):
        shop.delete()


def test_a_rolled_service_hands_its_targets_over(world: World, shop: Shop) -> None:
    """Never fewer healthy targets than wanted, all through a rollout."""
    world.push("backend", "v2")
    world.deploy_out_of_band("prod", "backend", "v2")

    least = 2
    for _ in range(40):
        world.advance(3)
        states = [each.state for each in world.balancers.targets(shop.stable)]
        least = min(least, states.count("healthy"))
    assert least == 2
    assert states == ["healthy"] * 2
    events = [each["message"] for each in world.service("prod", "backend").events]
    assert any("deregistered 1 targets in (target-group arn:" in each for each in events)
