"""Whether a canary by ECS's own strategies can be, as the service stands. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from bot.model.canary_plan import CanaryPlan, in_percent
from bot.model.errors import Misconfigured
from bot.model.moments import format_duration
from bot.providers.ecs import native_settings as settings
from bot.providers.ecs.listener import IMPOSSIBLE, STICKY
from bot.providers.ecs.native_scene import Scene
from bot.providers.ecs.native_settings import BEFORE_TAG, Misfit


def refuse(wrong: Misfit | None) -> None:
    """Raise ``Misconfigured`` (``CANARY_IMPOSSIBLE``) where something is wrong."""
    if wrong is not None:
        raise Misconfigured(wrong.text, reason_code=IMPOSSIBLE, hint=wrong.hint)


def misfit(scene: Scene, plan: CanaryPlan) -> Misfit | None:
    """Why what runs does not fit the plan; the first reason there is."""
    found = (*_service(scene), *_traffic(scene), *_pauses(scene), *_time(scene, plan))
    return next(iter(found), None)


def warnings(scene: Scene, plan: CanaryPlan) -> Iterator[str]:
    """What a person should know before it starts, in clauses."""
    if any(step.tasks is not None for step in plan.steps):
        yield "ECS runs the new version at the service's full size, whatever the plan's tasks say"
    alarms = scene.service.configuration.get("alarms") or {}
    if settings.kind_of(plan) == "blue_green" and not alarms.get("enable"):
        yield (
            "all traffic is shifted at once, with no stable version beside it to compare with, "
            "and the service has no CloudWatch alarms that would take it back at once"
        )


def _service(scene: Scene) -> Iterator[Misfit]:
    view, name = scene.service.view, scene.ecs.service
    if view.status != "ACTIVE":
        yield Misfit(f"{name} is {view.status}.")
    if view.controller != "ECS":
        yield Misfit(f"{view.controller} controls the deployments of {name}.")
    if view.scheduling != "REPLICA":
        yield Misfit(f"{name} is a {view.scheduling}, whose tasks ECS replaces one by one.")
    primary = view.primary
    if scene.busy or primary is None or primary.state not in {"COMPLETED", ""}:
        yield Misfit(f"A deployment of {name} is under way, or failed.", "Wait until it has ended.")


def _traffic(scene: Scene) -> Iterator[Misfit]:
    if scene.split.wrong:
        yield Misfit(scene.split.wrong)
    if scene.split.sticky:
        yield Misfit(STICKY)
    if not scene.off:
        share = in_percent(scene.split.share)
        yield Misfit(f"The rule's weights are shifted already: {share} goes to the other group.")


def _pauses(scene: Scene) -> Iterator[Misfit]:
    configuration = scene.service.configuration
    theirs = settings.pauses_of_others(configuration) & set(settings.PAUSES)
    if settings.is_set(configuration) and BEFORE_TAG not in scene.service.tags:
        theirs = frozenset(settings.PAUSES)  # it looks like ours, and no canary noted it
    if theirs:
        name = scene.ecs.service
        yield Misfit(f"{name} has a PAUSE hook of its own at {min(theirs)}, where ours is put.")


def _time(scene: Scene, plan: CanaryPlan) -> Iterator[Misfit]:
    if plan.clean_up_after >= scene.spec.timeout:
        kept, timeout = map(format_duration, (plan.clean_up_after, scene.spec.timeout))
        yield Misfit(
            f"ECS keeps the old version for clean_up_after ({kept}) before it has finished, which "
            f"is longer than the target's timeout ({timeout}).",
            "Shorten it, or give the target a longer timeout.",
        )
