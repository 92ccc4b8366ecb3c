"""Whether a canary by a rule's weights can be, as the service and the rule stand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bot.model.canary_plan import CanaryPlan, in_percent
from bot.providers.ecs.listener import LEAST, STICKY
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG
from bot.providers.ecs.weighted_scene import Scene


def misfit(scene: Scene, plan: CanaryPlan) -> str:
    """Why what runs does not fit the plan, as a sentence; nothing where it does."""
    return next(filter(None, _misfits(scene, plan)), "")


def _misfits(scene: Scene, plan: CanaryPlan) -> Iterator[str]:
    if any(step.share < LEAST for step in plan.steps):
        yield f"A rule's weights cannot express a share below {in_percent(LEAST)}."
    yield from _rule_misfits(scene)
    balanced = {each.get("targetGroupArn") for each in scene.stable.body.get("loadBalancers", ())}
    if scene.weighted.stable not in balanced:
        yield f"{scene.ecs.service} is not registered with the stable target group."
    if (controller := scene.stable.view.controller) != "ECS":
        yield f"{controller} controls the deployments of {scene.ecs.service}."
    if scene.canary is not None and scene.canary.alive:
        owner = scene.canary.tags.get(DEPLOYMENT_TAG)
        whose = f"It was made for {owner}." if owner else "Quarterdeck did not make it."
        yield f"There is a service {scene.name} already. {whose}"
    if scene.canary_health.healthy:
        yield "The canary's target group has targets already, which are not a canary's."


def _rule_misfits(scene: Scene) -> Iterator[str]:
    if not scene.is_at(0.0):
        share = in_percent(scene.split.share)
        yield f"The rule's weights are shifted already: {share} goes to the canary's group."
    named = {each["TargetGroupArn"] for each in scene.split.forward.get("TargetGroups", ())}
    if scene.weighted.canary not in named:
        # ECS makes no service for a group that belongs to no load balancer.
        yield "The rule does not forward to the canary's target group: give it a weight of 0 there."
    if scene.split.sticky:
        yield STICKY
