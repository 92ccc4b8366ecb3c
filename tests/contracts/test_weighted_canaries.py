"""Canaries by a rule's weights, on the local AWS: what is read back, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_plan import CanaryPlan, CanaryStep, Weighted
from bot.model.deployment import Image
from bot.model.errors import Misconfigured, Unknown
from bot.model.rollout import End, Order
from bot.providers.ecs.weighted import WeightedCanaries
from tests.contracts.stages import REPOSITORY, SPEC, LocalAws, local_aws

TASKS = 4


class Shop:
    """A service behind a rule with two target groups, and the canary of one deployment."""

    def __init__(self, aws: LocalAws, behaviour: str = "good") -> None:
        self.aws, self.world = aws, aws.world
        first = self.push("v1")
        self.front = self.world.balancers.create_service(
            "staging", "backend", image=first.digest, desired=TASKS, per_second=50.0, history=0
        )
        self.spec = SPEC.model_copy(update={"canary": self.plan()})
        self.canaries = WeightedCanaries(aws.clients, aws.rollouts)
        self.live = aws.rollouts.live(self.spec)
        self.begin("backend-staging-7", self.push("v2", behaviour))

    def begin(self, deployment_id: str, image: Image) -> None:
        self.order = Order(deployment_id, image, base=self.live.revision)
        self.revision = self.aws.rollouts.prepare(self.spec, self.order)

    def push(self, version: str, behaviour: str = "good") -> Image:
        return Image(REPOSITORY, self.world.push("backend", version, behaviour), version)

    def plan(self) -> CanaryPlan:
        front = self.front
        weighted = Weighted(rule=front.rule, stable=front.stable, canary=front.canary)
        return CanaryPlan(weighted=weighted, steps=(CanaryStep(share=0.1), CanaryStep(share=0.5)))

    def now(self) -> datetime:
        return self.aws.now()

    def aim(self, goal: Goal, share: float = 0.0, before: float = 0.0) -> Aim:
        return Aim(goal, self.now(), share=share, before=before)

    def look(self, aim: Aim) -> Stand:
        return self.canaries.look(self.spec, self.order, self.revision, aim)

    def toward(self, aim: Aim) -> Stand:
        return self.canaries.toward(self.spec, self.order, self.revision, aim)

    def reach(self, aim: Aim, seconds: int = 600) -> Stand:
        """As the conductor does it: again and again until it is so, or cannot be."""
        for _ in range(seconds // 5):
            stand = self.toward(aim)
            if stand.reached or stand.blocked or stand.end is not None:
                return stand
            self.world.advance(5)
        raise AssertionError(stand)

    def weights(self) -> tuple[int, int]:
        found = self.world.balancers.weights(self.front.rule)
        return found[self.front.stable], found[self.front.canary]

    def counts(self, *operations: str) -> list[int]:
        return [self.world.count(operation) for operation in operations]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalAws]:
    with local_aws(monkeypatch) as aws:
        yield aws


@pytest.fixture
def shop(aws: LocalAws) -> Shop:
    return Shop(aws)


def test_from_the_first_task_to_the_whole_service_and_to_nothing_left(shop: Shop) -> None:
    assert shop.canaries.check(shop.spec) == ()
    first = shop.aim(Goal.SHARE, 0.1)
    assert shop.reach(first).share == pytest.approx(0.1)
    assert shop.weights() == (90, 10)
    stand = shop.look(first)
    assert (stand.canary.healthy, stand.stable.healthy) == (1, TASKS)
    assert stand.arms is not None
    assert stand.arms.load_balancer.startswith("app/backend/")

    shop.reach(shop.aim(Goal.SHARE, 0.5, before=0.1))
    assert shop.weights() == (50, 50)
    assert shop.look(first).canary.healthy == 2
    assert shop.look(first).stable.desired == TASKS, "the stable version keeps its size"

    shop.reach(shop.aim(Goal.EVERYTHING, before=0.5), 3600)
    assert shop.weights() == (100, 0)
    assert shop.aws.rollouts.live(shop.spec).image == shop.order.image
    shop.reach(shop.aim(Goal.GONE), 3600)
    shop.world.advance(600)
    assert shop.counts("CreateService", "DeleteService") == [1, 1]
    assert shop.canaries.check(shop.spec) == ()


def test_taken_back_the_traffic_goes_first(shop: Shop) -> None:
    shop.reach(shop.aim(Goal.SHARE, 0.1))
    tasks = shop.look(shop.aim(Goal.NOTHING)).canary.running
    shop.reach(shop.aim(Goal.NOTHING))
    assert shop.weights() == (100, 0)
    assert shop.look(shop.aim(Goal.NOTHING)).canary.running == tasks == 1
    shop.reach(shop.aim(Goal.GONE), 3600)
    assert shop.look(shop.aim(Goal.GONE)).canary.running == 0
    assert shop.aws.rollouts.live(shop.spec).image == shop.live.image


def test_taken_back_in_mid_promotion_it_says_that_the_service_itself_still_rolls(
    shop: Shop,
) -> None:
    shop.reach(shop.aim(Goal.SHARE, 0.1))
    assert shop.reach(shop.aim(Goal.NOTHING)).explanation == ""
    promotion = shop.aim(Goal.EVERYTHING, before=0.0)
    while not shop.counts("UpdateService")[0]:
        shop.toward(promotion)
        shop.world.advance(5)
    back = shop.reach(shop.aim(Goal.NOTHING))
    assert back.reached
    assert "ECS still rolls the service itself to the new version" in back.explanation
    assert "/rollback takes that back" in back.explanation


def test_an_aim_that_is_reached_is_only_looked_at(shop: Shop) -> None:
    aim = shop.aim(Goal.SHARE, 0.1)
    shop.reach(aim)
    writes = ("CreateService", "UpdateService", "ModifyRule", "DeleteService")
    before = shop.counts(*writes)
    for _ in range(3):
        assert shop.toward(aim).reached
    assert shop.counts(*writes) == before


@pytest.mark.parametrize("operation", ["CreateService", "ModifyRule", "UpdateService"])
def test_an_answer_that_is_lost_is_made_up_for_by_the_next_look(shop: Shop, operation: str) -> None:
    shop.world.faults.lose_answer(operation)
    lost = 0
    for aim in (
        shop.aim(Goal.SHARE, 0.5),
        shop.aim(Goal.EVERYTHING, before=0.5),
        shop.aim(Goal.GONE),
    ):
        for _ in range(600):
            try:
                if shop.toward(aim).reached:
                    break
            except Unknown:
                lost += 1
            shop.world.advance(5)
        else:
            raise AssertionError(aim)
    assert lost == 1
    assert shop.world.count("CreateService") == 1
    assert shop.aws.rollouts.live(shop.spec).image == shop.order.image


def test_a_canary_that_does_not_start_ends(aws: LocalAws) -> None:
    shop = Shop(aws, "crashing")
    stand = shop.reach(shop.aim(Goal.SHARE, 0.1), 7200)
    assert stand.end is End.FAILED
    assert stand.share == 0.0
    assert stand.explanation
    shop.reach(shop.aim(Goal.NOTHING))
    shop.reach(shop.aim(Goal.GONE), 3600)


def test_weights_that_somebody_else_changed_are_left_alone(shop: Shop) -> None:
    aim = shop.aim(Goal.SHARE, 0.1)
    shop.reach(aim)
    shop.world.balancers.set_weights(shop.front.rule, {shop.front.stable: 1, shop.front.canary: 1})
    stand = shop.toward(aim)
    assert (stand.foreign, stand.share) == (True, 0.5)
    assert "50% goes to the canary" in stand.blocked
    assert shop.weights() == (1, 1)
    taken = replace(aim, before=0.5)
    shop.reach(taken)
    assert shop.weights() == (90, 10)


def test_nothing_is_shifted_back_onto_a_broken_stable_version(shop: Shop) -> None:
    shop.reach(shop.aim(Goal.SHARE, 0.1))
    for _ in range(TASKS - 1):
        shop.world.kill_task("staging", "backend")
        shop.world.advance(1)
    stand = shop.toward(shop.aim(Goal.NOTHING))
    assert "healthy, so the traffic stays where it is" in stand.blocked
    assert shop.weights() == (90, 10)


def test_a_canary_service_that_was_removed_by_hand_is_an_end(shop: Shop) -> None:
    shop.reach(shop.aim(Goal.SHARE, 0.1))
    shop.aws.clients.ecs("eu-west-1").delete_service(
        cluster="staging", service="backend-canary", force=True
    )
    shop.world.advance(600)
    stand = shop.toward(shop.aim(Goal.SHARE, 0.1, before=0.1))
    assert stand.end is End.FAILED
    assert "somebody removed it" in stand.explanation


# --- plans that cannot be ------------------------------------------------------------------------


def test_weights_that_are_shifted_already_are_refused(shop: Shop) -> None:
    shop.world.balancers.set_weights(
        shop.front.rule, {shop.front.stable: 80, shop.front.canary: 20}
    )
    with pytest.raises(Misconfigured, match="shifted already: 20%") as refused:
        shop.canaries.check(shop.spec)
    assert refused.value.reason_code == "CANARY_IMPOSSIBLE"


def test_a_third_target_group_is_refused(shop: Shop) -> None:
    third = shop.world.balancers.create_target_group("third")
    shop.world.balancers.set_weights(
        shop.front.rule, {shop.front.stable: 80, shop.front.canary: 0, third: 20}
    )
    with pytest.raises(Misconfigured, match="another target group as well"):
        shop.canaries.check(shop.spec)


@pytest.mark.parametrize(
    ("part", "said"),
    [("rule", "There is no listener rule"), ("canary", "There is no target group")],
)
def test_what_does_not_exist_is_named(shop: Shop, part: str, said: str) -> None:
    weighted = shop.plan().weighted
    assert weighted is not None
    broken = weighted.model_copy(update={part: getattr(weighted, part)[:-4] + "0000"})
    plan = shop.plan().model_copy(update={"weighted": broken})
    with pytest.raises(Misconfigured, match=said):
        shop.canaries.check(shop.spec.model_copy(update={"canary": plan}))


def test_a_service_of_that_name_is_refused(shop: Shop) -> None:
    shop.reach(shop.aim(Goal.SHARE, 0.1))
    shop.reach(shop.aim(Goal.NOTHING))
    with pytest.raises(Misconfigured, match="It was made for backend-staging-7"):
        shop.canaries.check(shop.spec)


def test_a_rule_that_does_not_name_the_canary_s_group_is_refused(shop: Shop) -> None:
    """ECS takes no service whose target group belongs to no load balancer."""
    shop.world.balancers.set_weights(shop.front.rule, {shop.front.stable: 100})
    with pytest.raises(Misconfigured, match="give it a weight of 0"):
        shop.canaries.check(shop.spec)


def test_a_rule_that_somebody_edited_is_left_alone(shop: Shop) -> None:
    """A third group at the same share: the next shift would throw it out unseen."""
    aim = shop.aim(Goal.SHARE, 0.1)
    shop.reach(aim)
    third = shop.world.balancers.create_target_group("third")
    edited = {shop.front.stable: 80, shop.front.canary: 10, third: 10}
    shop.world.balancers.set_weights(shop.front.rule, edited)
    for wanted in (aim, shop.aim(Goal.SHARE, 0.5, before=0.1)):
        for _ in range(5):
            stand = shop.toward(wanted)
            shop.world.advance(5)
        assert stand.foreign
        assert "Somebody else changed the rule. The rule forwards to another" in stand.blocked
    assert shop.world.balancers.weights(shop.front.rule) == edited


def test_a_rule_that_keeps_clients_with_their_group_is_refused(shop: Shop) -> None:
    """Group stickiness goes before weights, so that a weight of 0 would not free them."""
    sticky = {"Enabled": True, "DurationSeconds": 3600}
    client = shop.aws.clients.elb("eu-west-1")
    groups = [
        {"TargetGroupArn": shop.front.stable, "Weight": 100},
        {"TargetGroupArn": shop.front.canary, "Weight": 0},
    ]
    forward: Any = {"TargetGroups": groups, "TargetGroupStickinessConfig": sticky}
    client.modify_rule(
        RuleArn=shop.front.rule, Actions=[{"Type": "forward", "ForwardConfig": forward}]
    )
    with pytest.raises(Misconfigured, match="Turn its stickiness off"):
        shop.canaries.check(shop.spec)
