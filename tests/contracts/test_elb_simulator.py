"""The local Elastic Load Balancing against what AWS documents on rules, weights and targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bot.playground.aws import World
from tests.fakes.aws_world import Clients, clients_of, running_world


class Front:
    """A load balancer with a rule between a stable and a canary target group."""

    def __init__(self, world: World, aws: Clients) -> None:
        balancers = world.balancers
        self.aws = aws
        self.arn = balancers.create_load_balancer("front")
        self.stable = balancers.create_target_group("stable", deregistration_delay=60)
        self.canary = balancers.create_target_group("canary")
        self.rule = balancers.create_rule(self.arn, {self.stable: 100, self.canary: 0})
        self.listener = balancers.listener(self.arn)

    def forward(self, weights: dict[str, int], **more: Any) -> dict[str, Any]:
        groups = [{"TargetGroupArn": arn, "Weight": each} for arn, each in weights.items()]
        return {"Type": "forward", "ForwardConfig": {"TargetGroups": groups, **more}}

    def shift(self, weights: dict[str, int], **more: Any) -> Any:
        actions = [self.forward(weights, **more)]
        return self.aws.elb.modify_rule(RuleArn=self.rule, Actions=actions)["Rules"][0]

    def shown(self) -> Any:
        return self.aws.elb.describe_rules(RuleArns=[self.rule])["Rules"][0]

    def health(self, group: str, **given: Any) -> list[tuple[str, str | None]]:
        found = self.aws.elb.describe_target_health(TargetGroupArn=group, **given)
        states = [each["TargetHealth"] for each in found["TargetHealthDescriptions"]]
        return [(each["State"], each.get("Reason")) for each in states]


@pytest.fixture
def world() -> Iterator[World]:
    with running_world() as started:
        for tag in ("good", "unhealthy", "crashing"):
            started.push("backend", tag, tag)
        yield started


@pytest.fixture
def aws(world: World) -> Iterator[Clients]:
    with clients_of(world) as clients:
        yield clients


@pytest.fixture
def front(world: World, aws: Clients) -> Front:
    return Front(world, aws)


def code_of(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as raised:
        call()
    return str(raised.value.response["Error"]["Code"])


def test_load_balancers_are_found_by_arn_and_by_name(aws: Clients, front: Front) -> None:
    (by_arn,) = aws.elb.describe_load_balancers(LoadBalancerArns=[front.arn])["LoadBalancers"]
    (by_name,) = aws.elb.describe_load_balancers(Names=["front"])["LoadBalancers"]

    assert by_arn == by_name
    assert by_arn["Type"] == "application"
    assert by_arn["State"] == {"Code": "active"}
    assert by_arn["LoadBalancerArn"].partition("loadbalancer/")[2].startswith("app/front/")
    missing = aws.elb.exceptions.LoadBalancerNotFoundException
    with pytest.raises(missing):
        aws.elb.describe_load_balancers(Names=["nothing"])
    with pytest.raises(missing):
        aws.elb.describe_target_groups(LoadBalancerArn=front.arn + "x")


def test_listeners_show_their_default_actions(aws: Clients, front: Front) -> None:
    (listener,) = aws.elb.describe_listeners(LoadBalancerArn=front.arn)["Listeners"]

    assert listener["ListenerArn"] == front.listener
    assert (listener["Protocol"], listener["Port"]) == ("HTTP", 80)
    assert [each["Type"] for each in listener["DefaultActions"]] == ["fixed-response"]
    (again,) = aws.elb.describe_listeners(ListenerArns=[front.listener])["Listeners"]
    assert again == listener
    with pytest.raises(aws.elb.exceptions.ListenerNotFoundException):
        aws.elb.describe_listeners(ListenerArns=[front.listener + "x"])
    assert code_of(aws.elb.describe_listeners) == "ValidationError"


def test_rules_come_by_priority_and_the_default_one_last(aws: Clients, front: Front) -> None:
    rules = aws.elb.describe_rules(ListenerArn=front.listener)["Rules"]

    assert [each["Priority"] for each in rules] == ["10", "default"]
    assert [each["IsDefault"] for each in rules] == [False, True]
    assert rules[0]["Conditions"][0]["HostHeaderConfig"] == {"Values": ["*.example.com"]}
    assert aws.elb.describe_rules(RuleArns=[front.rule])["Rules"] == rules[:1]
    assert code_of(aws.elb.describe_rules) == "ValidationError"


def test_rules_page_by_marker(aws: Clients, front: Front) -> None:
    first = aws.elb.describe_rules(ListenerArn=front.listener, PageSize=1)
    rest = aws.elb.describe_rules(ListenerArn=front.listener, Marker=first["NextMarker"])

    assert [each["Priority"] for each in first["Rules"]] == ["10"]
    assert [each["Priority"] for each in rest["Rules"]] == ["default"]
    assert "NextMarker" not in rest


def test_weights_are_what_the_rule_says_from_then_on(front: Front) -> None:
    answered = front.shift({front.stable: 999, front.canary: 0})
    assert answered == front.shown()
    front.shift({front.stable: 90, front.canary: 10})

    (action,) = front.shown()["Actions"]
    assert action["ForwardConfig"]["TargetGroups"] == [
        {"TargetGroupArn": front.stable, "Weight": 90},
        {"TargetGroupArn": front.canary, "Weight": 10},
    ]
    # With more than one group the action itself names none.
    assert "TargetGroupArn" not in action
    assert front.shown()["Conditions"][0]["Field"] == "host-header"


def test_one_target_group_may_be_named_by_the_action_itself(aws: Clients, front: Front) -> None:
    action = {"Type": "forward", "TargetGroupArn": front.stable}
    (rule,) = aws.elb.modify_rule(RuleArn=front.rule, Actions=[action])["Rules"]

    assert rule["Actions"] == [
        {
            "Type": "forward",
            "TargetGroupArn": front.stable,
            "ForwardConfig": {
                "TargetGroups": [{"TargetGroupArn": front.stable, "Weight": 1}],
                "TargetGroupStickinessConfig": {"Enabled": False},
            },
        }
    ]
    both = {**front.forward({front.canary: 1}), "TargetGroupArn": front.stable}
    refused = code_of(lambda: aws.elb.modify_rule(RuleArn=front.rule, Actions=[both]))
    assert refused == "ValidationError"


def test_stickiness_is_kept_as_it_is_given(front: Front) -> None:
    sticky = {"Enabled": True, "DurationSeconds": 3600}
    front.shift({front.stable: 9, front.canary: 1}, TargetGroupStickinessConfig=sticky)

    (action,) = front.shown()["Actions"]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == sticky
    # Actions are replaced as a whole: what is left out is off again.
    front.shift({front.stable: 8, front.canary: 2})
    (action,) = front.shown()["Actions"]
    assert action["ForwardConfig"]["TargetGroupStickinessConfig"] == {"Enabled": False}


def test_actions_before_the_forward_one_are_kept(aws: Clients, front: Front) -> None:
    login = {
        "Type": "authenticate-cognito",
        "Order": 1,
        "AuthenticateCognitoConfig": {
            "UserPoolArn": "arn:aws:cognito-idp:eu-west-1:123456789012:userpool/x",
            "UserPoolClientId": "client",
            "UserPoolDomain": "domain",
            "SessionTimeout": 60,
            "AuthenticationRequestExtraParams": {"prompt": "login"},
        },
    }
    forward = {**front.forward({front.stable: 1}), "Order": 2}
    aws.elb.modify_rule(RuleArn=front.rule, Actions=[forward, login])

    shown = front.shown()["Actions"]
    assert shown[0] == login
    assert shown[1]["Type"] == "forward"


REFUSED: dict[str, tuple[Callable[[Front], Any], str]] = {
    "too heavy": (lambda front: front.shift({front.stable: 1000}), "ValidationError"),
    "negative": (lambda front: front.shift({front.stable: -1}), "ValidationError"),
    "no group": (lambda front: front.shift({}), "ValidationError"),
    "unknown group": (lambda front: front.shift({front.stable + "x": 1}), "TargetGroupNotFound"),
    "sticky for no time": (
        lambda front: front.shift({front.stable: 1}, TargetGroupStickinessConfig={"Enabled": True}),
        "ValidationError",
    ),
    "unknown rule": (
        lambda front: front.aws.elb.modify_rule(
            RuleArn=front.rule + "x", Actions=[front.forward({front.stable: 1})]
        ),
        "RuleNotFound",
    ),
    "nothing that ends it": (
        lambda front: front.aws.elb.modify_rule(RuleArn=front.rule, Actions=[]),
        "InvalidLoadBalancerAction",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_a_rule_refuses_changes_nothing(front: Front, what: str) -> None:
    change, code = REFUSED[what]
    before = front.shown()

    assert code_of(lambda: change(front)) == code
    assert front.shown() == before


def test_up_to_five_target_groups_once_each(world: World, front: Front) -> None:
    groups = [world.balancers.create_target_group(f"more-{each}") for each in range(6)]

    assert len(front.shift(dict.fromkeys(groups[:5], 1))["Actions"]) == 1
    assert code_of(lambda: front.shift(dict.fromkeys(groups, 1))) == "ValidationError"
    twice = [{"TargetGroupArn": front.stable, "Weight": 1}] * 2
    action = {"Type": "forward", "ForwardConfig": {"TargetGroups": twice}}
    refused = code_of(lambda: front.aws.elb.modify_rule(RuleArn=front.rule, Actions=[action]))
    assert refused == "ValidationError"


def test_a_target_group_belongs_to_one_load_balancer(world: World, front: Front) -> None:
    other = world.balancers.create_load_balancer("other")
    theirs = world.balancers.create_target_group("theirs")
    world.balancers.forward_by_default(other, {theirs: 1})

    assert code_of(lambda: front.shift({theirs: 1})) == "TargetGroupAssociationLimit"


def test_the_default_rule_is_changed_through_its_listener(aws: Clients, front: Front) -> None:
    default = aws.elb.describe_rules(ListenerArn=front.listener)["Rules"][-1]
    actions = [front.forward({front.stable: 3, front.canary: 1})]

    refused = code_of(lambda: aws.elb.modify_rule(RuleArn=default["RuleArn"], Actions=actions))
    assert refused == "OperationNotPermitted"
    (listener,) = aws.elb.modify_listener(ListenerArn=front.listener, DefaultActions=actions)[
        "Listeners"
    ]
    weights = listener["DefaultActions"][0]["ForwardConfig"]["TargetGroups"]
    assert [each["Weight"] for each in weights] == [3, 1]
    rules = aws.elb.describe_rules(ListenerArn=front.listener)["Rules"]
    assert rules[-1]["Actions"] == listener["DefaultActions"]


def test_target_groups_name_the_load_balancer_that_uses_them(
    world: World, aws: Clients, front: Front
) -> None:
    idle = world.balancers.create_target_group("idle")

    groups = aws.elb.describe_target_groups()["TargetGroups"]
    owners = {each["TargetGroupArn"]: each["LoadBalancerArns"] for each in groups}
    assert owners == {front.stable: [front.arn], front.canary: [front.arn], idle: []}
    mine = aws.elb.describe_target_groups(LoadBalancerArn=front.arn)["TargetGroups"]
    assert [each["TargetGroupName"] for each in mine] == ["stable", "canary"]
    (named,) = aws.elb.describe_target_groups(Names=["canary"])["TargetGroups"]
    assert named["TargetType"] == "ip"
    missing = aws.elb.exceptions.TargetGroupNotFoundException
    with pytest.raises(missing):
        aws.elb.describe_target_groups(TargetGroupArns=[idle + "x"])
    with pytest.raises(missing):
        aws.elb.describe_target_health(TargetGroupArn=idle + "x")


def test_the_deregistration_delay_is_an_attribute(aws: Clients, front: Front) -> None:
    def shown(group: str) -> str:
        found = aws.elb.describe_target_group_attributes(TargetGroupArn=group)["Attributes"]
        values = {each["Key"]: each["Value"] for each in found}
        return str(values["deregistration_delay.timeout_seconds"])

    assert shown(front.stable) == "60"
    assert shown(front.canary) == "300"
    aws.elb.modify_target_group_attributes(
        TargetGroupArn=front.canary,
        Attributes=[{"Key": "deregistration_delay.timeout_seconds", "Value": "15"}],
    )
    assert shown(front.canary) == "15"


def test_a_target_goes_from_initial_to_healthy(world: World, front: Front) -> None:
    world.create_service(
        "prod", "backend", image="good", desired=1, settled=False, target_group=front.stable
    )
    seen = []
    for _ in range(60):
        seen += [each for each in front.health(front.stable) if each not in seen]
        world.advance(1)

    assert seen == [
        ("initial", "Elb.RegistrationInProgress"),
        ("initial", "Elb.InitialHealthChecking"),
        ("healthy", None),
    ]


def test_targets_are_the_tasks_by_address_and_port(
    world: World, aws: Clients, front: Front
) -> None:
    world.create_service("prod", "backend", image="good", target_group=front.stable)

    found = aws.elb.describe_target_health(TargetGroupArn=front.stable)
    targets = [each["Target"] for each in found["TargetHealthDescriptions"]]
    arns = aws.ecs.list_tasks(cluster="prod", serviceName="backend")["taskArns"]
    tasks = aws.ecs.describe_tasks(cluster="prod", tasks=arns)["tasks"]
    addresses = {
        detail["value"]
        for task in tasks
        for detail in task["attachments"][0]["details"]
        if detail["name"] == "privateIPv4Address"
    }
    assert {each["Id"] for each in targets} == addresses
    assert {each["Port"] for each in targets} == {8080}


def test_a_target_that_fails_its_checks_is_unhealthy_within_the_grace_period(
    world: World, front: Front
) -> None:
    world.create_service(
        "prod",
        "backend",
        image="unhealthy",
        desired=1,
        settled=False,
        grace=120,
        health_check=False,
        target_group=front.stable,
    )
    world.advance(80)

    assert front.health(front.stable) == [("unhealthy", "Target.FailedHealthChecks")]


def test_a_stopped_task_is_drained_for_the_delay(world: World, aws: Clients, front: Front) -> None:
    world.create_service("prod", "backend", image="good", desired=2, target_group=front.stable)
    aws.ecs.update_service(cluster="prod", service="backend", desiredCount=1)

    draining = ("draining", "Target.DeregistrationInProgress")
    assert sorted(front.health(front.stable)) == [draining, ("healthy", None)]
    (stopping,) = aws.ecs.list_tasks(cluster="prod", desiredStatus="STOPPED")["taskArns"]

    def status() -> str:
        (task,) = aws.ecs.describe_tasks(cluster="prod", tasks=[stopping])["tasks"]
        return task["lastStatus"]

    assert status() == "DEACTIVATING"
    world.advance(59)
    assert draining in front.health(front.stable)
    assert status() == "DEACTIVATING"
    world.advance(2)
    assert front.health(front.stable) == [("healthy", None)]
    assert status() == "STOPPING"
    world.advance(10)
    assert status() == "STOPPED"


def test_targets_of_a_group_that_no_rule_uses_are_unused(world: World, front: Front) -> None:
    world.create_service("prod", "backend", image="good", desired=1, target_group=front.canary)
    assert front.health(front.canary) == [("healthy", None)]

    front.shift({front.stable: 1})

    assert front.health(front.canary) == [("unused", "Target.NotInUse")]


def test_a_stranger_is_not_registered(world: World, front: Front) -> None:
    world.create_service("prod", "backend", image="good", desired=1, target_group=front.stable)

    found = front.health(front.stable, Targets=[{"Id": "10.1.2.3", "Port": 8080}])

    assert found == [("unused", "Target.NotRegistered")]


def test_the_query_protocol_has_errors_of_its_own(world: World, front: Front) -> None:
    world.faults.throttle("DescribeRules")
    assert code_of(front.shown) == "Throttling"
    world.faults.expire_credentials("DescribeRules", n=1)
    assert code_of(front.shown) == "ExpiredToken"
    world.faults.fail("DescribeRules")
    assert code_of(front.shown) == "ServiceUnavailable"
    world.faults.deny("ModifyRule")
    with pytest.raises(ClientError) as raised:
        front.shift({front.stable: 1})
    error = raised.value.response["Error"]
    assert error["Code"] == "AccessDenied"
    assert "not authorized to perform: elasticloadbalancing:ModifyRule" in error["Message"]
    assert f"on resource: {front.rule}" in error["Message"]


def test_an_answer_that_is_lost_took_effect(world: World, front: Front) -> None:
    world.faults.lose_answer("ModifyRule")
    with pytest.raises(Exception, match="closed"):
        front.shift({front.stable: 50, front.canary: 50})

    assert world.balancers.weights(front.rule) == {front.stable: 50, front.canary: 50}
    assert world.count("ModifyRule") == 1


def test_weights_can_be_changed_by_somebody_else(world: World, front: Front) -> None:
    sticky = {"Enabled": True, "DurationSeconds": 60}
    front.shift({front.stable: 1}, TargetGroupStickinessConfig=sticky)
    world.balancers.set_weights(front.rule, {front.stable: 1, front.canary: 2})

    groups = front.shown()["Actions"][0]["ForwardConfig"]["TargetGroups"]
    assert [each["Weight"] for each in groups] == [1, 2]
    forwarded = front.shown()["Actions"][0]["ForwardConfig"]
    assert forwarded["TargetGroupStickinessConfig"] == sticky
    assert len(world.calls("ModifyRule")) == 1
