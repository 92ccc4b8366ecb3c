"""What the local ECS takes for a deployment configuration, with boto3 as the client."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        started.push("backend", "latest")
        started.create_service("prod", "backend", strategy="CANARY", percent=10)
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


def pausing(*stages: str, **others: Any) -> dict[str, Any]:
    return {"lifecycleHooks": [{"targetType": "PAUSE", "lifecycleStages": [*stages], **others}]}


def shown(aws: Clients, service: str = "backend") -> Any:
    return aws.ecs.describe_services(cluster="prod", services=[service])["services"][0]


def refused(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value.response["Error"]
    return error["Code"], error["Message"]


def update(aws: Clients, **changes: Any) -> tuple[str, str]:
    """What an update is refused with."""
    change = functools.partial(aws.ecs.update_service, cluster="prod", service="backend")
    return refused(functools.partial(change, **changes))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"canaryConfiguration": {"canaryPercent": 0.05}}, "between 0.1 and 100"),
        ({"canaryConfiguration": {"canaryPercent": 100.1}}, "between 0.1 and 100"),
        ({"canaryConfiguration": {"canaryPercent": 10.25}}, "multiple of 0.1"),
        ({"canaryConfiguration": {"canaryBakeTimeInMinutes": 1441}}, "between 0 and 1440"),
        ({"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 2.9}}, "3.0 and 100"),
        (
            {"strategy": "LINEAR", "linearConfiguration": {"stepBakeTimeInMinutes": -1}},
            "between 0 and 1440",
        ),
        ({"linearConfiguration": {"stepPercent": 10}}, "strategy is LINEAR"),
        ({"strategy": "BLUE_GREEN"}, "bakeTimeInMinutes is required"),
        ({"bakeTimeInMinutes": 1441}, "between 0 and 1440"),
        (pausing("TEST_TRAFFIC_SHIFT"), "Invalid lifecycle stage provided for Pause Hook"),
        (
            pausing("PRE_SCALE_UP", "PRODUCTION_TRAFFIC_SHIFT"),
            "Invalid lifecycle stage provided for Pause Hook",
        ),
        (pausing(), "lifecycleStages"),
        (pausing("SCALE_UP"), "SCALE_UP is no valid value"),
        (
            pausing("PRE_SCALE_UP", timeoutConfiguration={"timeoutInMinutes": 20161}),
            "between 1 and 20160",
        ),
        ({"lifecycleHooks": pausing("PRE_SCALE_UP")["lifecycleHooks"] * 11}, "10 pause hooks"),
    ],
)
def test_what_ecs_does_not_take_changes_nothing(
    world: World, aws: Clients, change: dict[str, Any], said: str
) -> None:
    before = shown(aws)["deploymentConfiguration"]
    code, message = update(aws, forceNewDeployment=True, deploymentConfiguration=change)
    assert code == "InvalidParameterException"
    assert said in message
    assert shown(aws)["deploymentConfiguration"] == before
    assert len(world.service("prod", "backend").history) == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"lifecycleHooks": [{"hookTargetArn": "arn:x", "lifecycleStages": ["PRE_SCALE_UP"]}]},
            "AWS_LAMBDA",
        ),
        ({"strategy": "ROLLING", **pausing("PRE_SCALE_UP")}, "rolling"),
    ],
)
def test_what_is_not_simulated_is_refused_by_name(
    aws: Clients, change: dict[str, Any], said: str
) -> None:
    code, message = update(aws, deploymentConfiguration=change)
    assert (code, said in message) == ("UnsupportedFeatureException", True)
    assert shown(aws)["deploymentConfiguration"]["strategy"] == "CANARY"


@pytest.mark.parametrize(
    ("strategy", "part"),
    [
        (
            "CANARY",
            {"canaryConfiguration": {"canaryPercent": 5.0, "canaryBakeTimeInMinutes": 10}},
        ),
        ("LINEAR", {"linearConfiguration": {"stepPercent": 10.0, "stepBakeTimeInMinutes": 6}}),
    ],
)
def test_what_is_not_said_has_its_default(
    world: World, aws: Clients, strategy: str, part: dict[str, Any]
) -> None:
    world.create_service("prod", "other", strategy=strategy)
    found = shown(aws, "other")["deploymentConfiguration"]
    assert {name: found[name] for name in part} == part


def test_another_strategy_drops_what_only_the_last_one_needs(world: World, aws: Clients) -> None:
    change = {"strategy": "LINEAR", "linearConfiguration": {"stepPercent": 50}}
    world.update_out_of_band("prod", "backend", deploymentConfiguration=change)
    found = shown(aws)["deploymentConfiguration"]
    assert "canaryConfiguration" not in found
    assert found["linearConfiguration"] == {"stepPercent": 50, "stepBakeTimeInMinutes": 6}


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (
            None,
            "ClientException",
            (
                "advancedConfiguration field is required for all loadBalancers when using the "
                "canary deployment strategy"
            ),
        ),
        ({"alternateTargetGroupArn": ""}, "InvalidParameterException", "alternateTargetGroup"),
        ({"roleArn": ""}, "InvalidParameterException", "roleArn"),
        (
            {"productionListenerRule": "arn:aws:elasticloadbalancing:eu:1:listener/app/x"},
            "InvalidParameterException",
            (
                "productionListenerRule has an invalid ARN format. Must be RuleArn for ALB or "
                "ListenerArn for NLB. Got: arn:aws:elasticloadbalancing:eu:1:listener/app/x"
            ),
        ),
        (
            {"testListenerRule": "the same"},
            "InvalidParameterException",
            "The following rules cannot be used as both production and test listener rules: ",
        ),
    ],
)
def test_what_the_load_balancer_must_have(
    aws: Clients, change: dict[str, str] | None, code: str, said: str
) -> None:
    balancer = dict(shown(aws)["loadBalancers"][0])
    advanced = balancer.pop("advancedConfiguration")
    if change is not None:
        rule = advanced["productionListenerRule"]
        change = {k: rule if each == "the same" else each for k, each in change.items()}
        balancer["advancedConfiguration"] = {**advanced, **change}
    answered, message = update(aws, loadBalancers=[balancer])
    assert answered == code
    assert said in message


def test_the_alternate_group_must_be_there(aws: Clients) -> None:
    balancer = shown(aws)["loadBalancers"][0]
    arn = balancer["targetGroupArn"] + "0"
    advanced = {**balancer["advancedConfiguration"], "alternateTargetGroupArn": arn}
    code, message = update(aws, loadBalancers=[{**balancer, "advancedConfiguration": advanced}])
    assert (code, message) == (
        "InvalidParameterException",
        f"The target group with targetGroupArn {arn} does not exist.",
    )


def test_a_group_that_the_production_rule_does_not_know_needs_a_test_rule(
    world: World, aws: Clients
) -> None:
    balancer = shown(aws)["loadBalancers"][0]
    rule = balancer["advancedConfiguration"]["productionListenerRule"]
    world.balancers.set_weights(rule, {balancer["targetGroupArn"]: 1})
    code, message = update(aws, loadBalancers=[balancer])
    assert code == "InvalidParameterException"
    assert message == (
        "For Application LoadBalancer, testListenerRule is required when productionListenerRule "
        "is not associated with both targetGroup and alternateTargetGroup"
    )


def test_load_balancers_are_all_of_one_kind_and_each_is_named_once(aws: Clients) -> None:
    first = shown(aws)["loadBalancers"][0]
    plain = {k: each for k, each in first.items() if k != "advancedConfiguration"}
    for balancers, said in (
        ([first, {**plain, "targetGroupArn": "arn:another"}], "Either all or none"),
        ([first, first], f"Duplicate targetGroupArn found: {first['targetGroupArn']}"),
    ):
        code, message = update(aws, loadBalancers=balancers)
        assert (code, said in message) == ("InvalidParameterException", True)


@pytest.mark.parametrize("strategy", ["CANARY", "LINEAR"])
def test_only_blue_green_does_without_a_load_balancer(aws: Clients, strategy: Any) -> None:
    code, message = refused(
        lambda: aws.ecs.create_service(
            cluster="prod",
            serviceName="bare",
            taskDefinition="backend",
            deploymentConfiguration={"strategy": strategy},
        )
    )
    assert (code, "load balancer" in message) == ("InvalidParameterException", True)
