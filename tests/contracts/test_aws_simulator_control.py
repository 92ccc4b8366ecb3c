"""The local AWS's own levers for load balancers and visitors, over HTTP, and its blueprint."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bot.playground.aws import World
from tests.contracts.stages import virtual_world
from tests.fakes.aws_world import Clients, clients_of


@pytest.fixture
def world() -> Iterator[World]:
    with virtual_world() as started:
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


def control(world: World, verb: str, body: Any = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(world.serve().removeprefix("http://"), timeout=10)
    try:
        sent = None if body is None else json.dumps(body)
        connection.request("GET" if body is None else "POST", f"/_control/{verb}", sent)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def do(world: World, verb: str, **given: Any) -> Any:
    status, content = control(world, verb, given)
    assert status == 200, content
    return content


def test_a_service_behind_a_rule_comes_with_an_hour_of_history(world: World, aws: Clients) -> None:
    world.push("backend", "v1")
    front = world.balancers.create_service("prod", "backend", image="v1", per_second=30, desired=3)

    assert world.balancers.weights(front.rule) == {front.stable: 100, front.canary: 0}
    (service,) = aws.ecs.describe_services(cluster="prod", services=["backend"])["services"]
    assert service["loadBalancers"] == [
        {"targetGroupArn": front.stable, "containerName": "backend", "containerPort": 8080}
    ]
    assert service["deployments"][0]["rolloutState"] == "COMPLETED"
    assert [each.state for each in world.balancers.targets(front.stable)] == ["healthy"] * 3
    assert world.balancers.targets(front.canary) == []
    now = world.moment()
    dimensions = {
        "LoadBalancer": front.load_balancer.partition("loadbalancer/")[2],
        "TargetGroup": front.stable.rpartition(":")[2],
    }
    query = {
        "Id": "requests",
        "MetricStat": {
            "Metric": {
                "Namespace": "AWS/ApplicationELB",
                "MetricName": "RequestCount",
                "Dimensions": [{"Name": k, "Value": v} for k, v in dimensions.items()],
            },
            "Period": 60,
            "Stat": "Sum",
        },
    }
    (result,) = aws.cloudwatch.get_metric_data(
        MetricDataQueries=[query],
        StartTime=datetime.fromtimestamp(now - 3600, UTC),
        EndTime=datetime.fromtimestamp(now - 120, UTC),
    )["MetricDataResults"]
    assert len(result["Values"]) == 58
    assert all(abs(each - 1800) < 6 * 1800**0.5 for each in result["Values"])


def test_everything_can_be_moved_over_http(world: World) -> None:
    pushed = do(world, "push", repository="backend", tag="v1")
    front = do(
        world,
        "create-balanced-service",
        cluster="prod",
        service="backend",
        image="v1",
        per_second=40,
        history=0,
    )
    weights = {front["stable"]: 1, front["canary"]: 0}
    do(world, "weights", rule=front["rule"], weights=weights)
    assert control(world, f"weights?rule={front['rule']}") == (200, weights)
    do(world, "traffic", where=front["rule"], per_second=10, wobble=0.1)
    do(world, "burst", where=front["rule"], factor=10, seconds=60)
    do(world, "incident", load_balancer=front["load_balancer"], errors=0.1, seconds=60)
    levers = do(world, "version", digest=pushed["digest"], errors=0.5, latency_per_minute=0.1)
    assert (levers["errors"], levers["leak_latency"]) == (0.5, 0.1)
    do(world, "backfill", where=front["load_balancer"], minutes=3)
    do(world, "advance", seconds=55)
    do(world, "alarm", name="backend-5xx", state="ALARM")
    assert do(world, "publication", least=0, most=0)["settled"] == 180

    _, recent = control(world, f"recent?group={front['stable']}&seconds=50")
    requests = sum(each["requests"] for each in recent["moments"])
    errors = sum(each["errors"] for each in recent["moments"])
    assert requests == pytest.approx(5000, rel=0.2)
    assert errors == pytest.approx(0.6 * requests, rel=0.1)
    status, moment = control(world, "moment")
    assert (status, moment) == (200, {"moment": world.moment(), "speed": 0.0})


@pytest.mark.parametrize(
    ("verb", "body", "said"),
    [
        ("version", {"digest": "sha256:0", "speed": 1}, "no lever speed"),
        ("alarm", {"name": "x", "state": "LOUD"}, "never LOUD"),
        ("publication", {"soon": 1}, "soon"),
        ("traffic", {"where": "arn:aws:elasticloadbalancing:x:y:loadbalancer/z"}, "per_second"),
    ],
    ids=["version", "alarm", "publication", "traffic"],
)
def test_a_wrong_lever_is_told_what_is_wrong(
    world: World, verb: str, body: dict[str, Any], said: str
) -> None:
    status, content = control(world, verb, body)

    assert status == 400
    assert said in content["error"]


def test_a_service_that_is_gone_is_not_shown_any_more(world: World, aws: Clients) -> None:
    world.push("backend", "v1")
    world.create_service("prod", "backend", image="v1")
    aws.ecs.delete_service(cluster="prod", service="backend", force=True)
    assert [each.status for each in world.services()] == ["DRAINING"]
    world.advance(30)

    assert world.services() == []
    assert control(world, "state")[1]["services"] == []
