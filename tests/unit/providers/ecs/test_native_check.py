"""What a service must be like for a canary by ECS's own strategies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bot.model.canary_plan import CanaryPlan, CanaryStep, Native, Weighted
from bot.model.errors import Misconfigured
from bot.providers.ecs.listener import Health, Split
from bot.providers.ecs.native_check import misfit
from bot.providers.ecs.native_scene import Newest, Scene, balancer_of
from bot.providers.ecs.reads import Tagged
from bot.providers.ecs.views import DeploymentView, ServiceView
from tests.contracts.stages import SPEC

ARN = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
PAIR = Weighted(
    rule=f"{ARN}listener-rule/app/web/1/2/3",
    stable=f"{ARN}targetgroup/backend/1",
    canary=f"{ARN}targetgroup/backend-alternate/2",
)
PLAN = CanaryPlan(native=Native(), steps=(CanaryStep(share=0.1),))
PRIMARY = DeploymentView("ecs-svc/1", "PRIMARY", "backend:1", 2, 2, state="COMPLETED")
VIEW = ServiceView("backend", "arn:s", "ACTIVE", 2, 2, (PRIMARY,))
HEALTH = Health(healthy=2)
SCENE = Scene(SPEC, Tagged(VIEW, {}, {}), PAIR, Split(0.0), HEALTH, Health())


def wrong(view: ServiceView = VIEW, **changes: Any) -> str:
    found = misfit(replace(SCENE, service=Tagged(view, {}, {}), **changes), PLAN)
    return found.text if found is not None else ""


def test_one_that_fits() -> None:
    assert not wrong()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"status": "DRAINING"}, "backend is DRAINING."),
        ({"controller": "CODE_DEPLOY"}, "CODE_DEPLOY controls the deployments"),
        ({"scheduling": "DAEMON"}, "is a DAEMON"),
        ({"deployments": ()}, "is under way, or failed"),
        ({"deployments": (replace(PRIMARY, state="FAILED"),)}, "is under way, or failed"),
    ],
)
def test_a_service_that_does_not(change: dict[str, Any], said: str) -> None:
    assert said in wrong(replace(VIEW, **change))


def test_a_deployment_that_the_service_does_not_show_yet() -> None:
    assert "is under way" in wrong(newest=Newest("arn:d", "PENDING", "backend:2"))


def test_a_rule_that_does_more_than_forward() -> None:
    split = Split(0.0, wrong="The rule does more than forward: it has an action redirect.")
    assert wrong(split=split) == split.wrong


ADVANCED = {
    "alternateTargetGroupArn": PAIR.canary,
    "productionListenerRule": PAIR.rule,
    "roleArn": "arn:aws:iam::123456789012:role/ecs",
}


def balanced(*balancers: dict[str, Any]) -> str:
    """The target group that is chosen."""
    found = balancer_of(Tagged(VIEW, {"loadBalancers": balancers}, {}), SPEC.ecs)
    return str(found["targetGroupArn"])


def balancer(container: str = "backend", group: str = PAIR.stable, **advanced: str) -> Any:
    return {
        "targetGroupArn": group,
        "containerName": container,
        "advancedConfiguration": {**ADVANCED, **advanced},
    }


def test_the_load_balancer_is_that_of_the_container() -> None:
    assert balanced(balancer("proxy", group="other"), balancer()) == PAIR.stable
    assert balanced(balancer("proxy")) == PAIR.stable


@pytest.mark.parametrize(
    ("balancers", "said"),
    [
        ((), "behind no load balancer"),
        ((balancer(roleArn=""),), "has no advancedConfiguration.roleArn"),
        ((balancer(), balancer(alternateTargetGroupArn="")), "alternateTargetGroupArn"),
        (
            (balancer(productionListenerRule=f"{ARN}listener/net/web/1/2"),),
            "no rule of an application load balancer",
        ),
    ],
)
def test_load_balancers_that_cannot_do(balancers: tuple[Any, ...], said: str) -> None:
    with pytest.raises(Misconfigured, match=said) as refused:
        balanced(*balancers)
    assert refused.value.reason_code == "CANARY_IMPOSSIBLE"
