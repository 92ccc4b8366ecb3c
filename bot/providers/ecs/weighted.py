"""Canaries on ECS by the weights of a listener rule: a service of their own beside the stable one.

The stable service stays at its full size until the promotion. Each look reads both services, the
rule and the health of both target groups; what is changed follows from what was read, so that any
call may be repeated after a crash. The canary's service carries the deployment's id as a tag.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from typing_extensions import override

from bot.model.canary import Aim, Arms, Crew, Goal, Stand
from bot.model.canary_plan import CanaryPlan, Weighted, in_percent
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.places import EcsService
from bot.model.ports import Rollouts
from bot.model.rollout import End, Observation, Order, Told, Watched
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients
from bot.providers.ecs.canary_service import creation, name_of
from bot.providers.ecs.listener import ALIKE, IMPOSSIBLE, LEAST, STICKY, Health, Listener, Split
from bot.providers.ecs.raw_json import body_of, with_body
from bot.providers.ecs.reads import account_of, unknown_service
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG, short
from bot.providers.ecs.views import ServiceView, service_view

#: The stable version has to have so much of itself healthy before traffic goes back to it.
SOUND = 0.5
#: How many of a service's newest events are quoted.
QUOTED = 5


@dataclass(frozen=True, slots=True)
class _Service:
    view: ServiceView
    body: Mapping[str, Any]

    @property
    def tags(self) -> dict[str, str]:
        return {each["key"]: each.get("value", "") for each in self.body.get("tags", ())}

    @property
    def alive(self) -> bool:
        return self.view.status == "ACTIVE"


@dataclass(frozen=True, slots=True)
class _Scene:
    """Everything that was read for one look."""

    spec: TargetSpec
    weighted: Weighted
    stable: _Service
    canary: _Service | None
    split: Split
    stable_health: Health
    canary_health: Health

    @property
    def ecs(self) -> EcsService:
        return self.spec.ecs

    @property
    def name(self) -> str:
        return name_of(self.ecs, self.weighted)

    @property
    def able(self) -> int:
        """Tasks of the stable version that can serve: a target that has just died still counts as
        healthy until its checks fail."""
        return min(self.stable_health.healthy, self.stable.view.running)

    @property
    def sound(self) -> bool:
        """Whether the stable version can take all the traffic."""
        return self.able >= 1 and self.able >= SOUND * self.stable.view.desired

    def is_at(self, share: float) -> bool:
        return abs(self.split.share - share) < ALIKE


#: What a step toward an aim does: at most one call that writes.
_Deed = Callable[[], None]


class WeightedCanaries(Canaries):
    """Safe to share between threads. ``rollouts`` rolls the whole service in the end."""

    def __init__(self, clients: AwsClients, rollouts: Rollouts) -> None:
        self._clients = clients
        self._rollouts = rollouts
        self._listener = Listener(clients)

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        scene = self._scene(spec)
        plan = _plan(spec)
        if wrong := scene.split.wrong or _misfit(scene, plan):
            raise Misconfigured(
                wrong,
                reason_code=IMPOSSIBLE,
                hint="Set that right, or deploy with --rolling.",
            )
        return ()

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._stand(self._scene(spec), order, revision, aim)[0]

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        stand, deed = self._stand(self._scene(spec), order, revision, aim)
        if deed is not None and not stand.reached and not stand.blocked and stand.end is None:
            deed()
        return stand

    # --- reading -----------------------------------------------------------------------------

    def _scene(self, spec: TargetSpec) -> _Scene:
        weighted = _plan(spec).weighted
        if weighted is None:
            raise Misconfigured(f"{spec.key} has no weighted canaries by now.")
        account = account_of(spec.ecs)
        found = self._services(spec.ecs, name_of(spec.ecs, weighted))
        stable = found.get(spec.ecs.service)
        if stable is None:
            raise unknown_service(spec.ecs)
        return _Scene(
            spec,
            weighted,
            stable,
            found.get(name_of(spec.ecs, weighted)),
            self._listener.split(account, weighted),
            self._listener.health(account, weighted.stable),
            self._listener.health(account, weighted.canary),
        )

    def _services(self, ecs: EcsService, canary: str) -> dict[str, _Service]:
        client = self._clients.ecs(ecs.region, ecs.role)
        with asking("ecs:DescribeServices", f"{ecs.cluster}/{ecs.service}"):
            answer = client.describe_services(
                cluster=ecs.cluster, services=[ecs.service, canary], include=["TAGS"]
            )
            return {
                each["serviceName"]: _Service(service_view(each), raw)
                for each, raw in zip(answer["services"], body_of(answer)["services"], strict=True)
            }

    # --- judging, and what to do next ----------------------------------------------------------

    def _stand(
        self, scene: _Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        toward = {
            Goal.SHARE: self._share,
            Goal.EVERYTHING: self._everything,
            Goal.NOTHING: self._nothing,
            Goal.GONE: self._gone,
        }
        return toward[aim.goal](scene, order, revision, aim)

    def _share(
        self, scene: _Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        tasks = aim.tasks or max(1, ceil(aim.share * scene.stable.view.desired))
        service = scene.canary
        if service is None or not service.alive:
            return self._missing(scene, order, revision, aim, tasks)
        if wrong := _not_ours(service, order, revision):
            return _stands(scene, foreign=wrong), None
        failed = next((d for d in service.view.deployments if d.state == "FAILED"), None)
        if failed is not None:
            said = failed.reason or "The canary's tasks do not start."
            return _stands(scene, end=End.FAILED, said=said), None
        if service.view.desired < tasks:
            return _stands(scene, doing=f"scaled to {tasks} tasks"), lambda: self._scale(
                scene, tasks
            )
        return self._weigh(scene, aim, tasks)

    def _missing(
        self, scene: _Scene, order: Order, revision: str, aim: Aim, tasks: int
    ) -> tuple[Stand, _Deed | None]:
        if scene.canary is not None and scene.canary.view.status == "DRAINING":
            return _stands(scene, doing="an earlier canary's service is being removed"), None
        if aim.before > 0:
            gone = f"The canary's service {scene.name} is gone: somebody removed it."
            return _stands(scene, end=End.FAILED, said=gone), None
        if scene.split.wrong:
            return _stands(scene, foreign=_edited(scene)), None
        if not scene.is_at(0.0):
            return _stands(scene, foreign=_foreign(scene)), None
        return _stands(scene, doing="its service is made"), lambda: self._create(
            scene, order, revision, tasks
        )

    def _weigh(self, scene: _Scene, aim: Aim, tasks: int) -> tuple[Stand, _Deed | None]:
        if scene.split.wrong:  # a shift would undo it
            return _stands(scene, foreign=_edited(scene)), None
        if not scene.is_at(aim.share) and not scene.is_at(aim.before):
            return _stands(scene, foreign=_foreign(scene)), None
        healthy = scene.canary_health.healthy
        if healthy < tasks:
            why = "; ".join(scene.canary_health.reasons)
            waits = f"{healthy} of {tasks} tasks are healthy"
            return _stands(scene, doing=waits, said=why), None
        if scene.is_at(aim.share):
            return _stands(scene, reached=True), None
        doing = f"the rule's weights go to {in_percent(aim.share)}"
        return _stands(scene, doing=doing), lambda: self._shift(scene, aim.share)

    def _everything(
        self, scene: _Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        """The stable service is rolled like any other; then the canary has nothing to do."""
        primary = scene.stable.view.primary
        handle = primary.id if primary is not None and primary.revision == revision else None
        if handle is None:
            back = self._rollouts.read_back(scene.spec, order, revision, aim.since)
            if back.told is Told.NO:
                return _stands(
                    scene, doing="the whole service is told to roll"
                ), lambda: self._roll(scene, order, revision)
            if back.told is not Told.YES:
                end = End.SUPERSEDED if back.told is Told.SOMEONE_ELSE else End.UNKNOWN
                return _stands(scene, end=end, said=back.explanation), None
            handle = back.handle
        watched = Watched(order.deployment_id, revision, handle, aim.since)
        looks = self._rollouts.observe([(scene.spec, watched)])
        if order.deployment_id in looks.faults:
            raise looks.faults[order.deployment_id]
        seen = looks.get(order.deployment_id)
        if seen is None or seen.end is None:
            return _rolling(scene, seen), None
        if seen.end is not End.SUCCEEDED:
            return _stands(scene, end=seen.end, said=seen.explanation), None
        return self._nothing(scene, order, revision, aim)

    def _nothing(
        self, scene: _Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        del order, revision, aim
        if scene.is_at(0.0):
            return _stands(scene, reached=True), None
        if scene.split.wrong:
            return _stands(scene, blocked=f"{scene.split.wrong} Its weights are left alone."), None
        if not scene.sound:
            said = (
                f"Only {scene.able} of {scene.stable.view.desired} tasks of the stable version are "
                "healthy, so the traffic stays where it is."
            )
            return _stands(scene, blocked=said), None
        return _stands(scene, doing="the rule's weights go to 0%"), lambda: self._shift(scene, 0.0)

    def _gone(
        self, scene: _Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        del revision, aim
        service = scene.canary
        # Another one's by now, where it has another's tag.
        if service is None or service.tags.get(DEPLOYMENT_TAG) != order.deployment_id:
            return _stands(scene, reached=True), None
        if service.view.status == "INACTIVE":
            return _stands(scene, reached=True), None
        if not scene.is_at(0.0):
            said = (
                "The rule sends it traffic again, so that its tasks stay. They go once its weight "
                "is set to 0 again."
            )
            return _stands(scene, blocked=said), None
        if service.alive and service.view.desired > 0:
            return _stands(scene, doing="its tasks are ended"), lambda: self._scale(scene, 0)
        if service.alive and service.view.running == 0:
            return _stands(scene, doing="its service is removed"), lambda: self._delete(scene)
        return _stands(scene, doing="its last requests end"), None

    # --- one call each -------------------------------------------------------------------------

    def _create(self, scene: _Scene, order: Order, revision: str, tasks: int) -> None:
        names = (scene.ecs.cluster, scene.name)
        wanted = (order.deployment_id, revision, tasks)
        body = creation(scene.stable.body, names, scene.weighted, wanted)
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:CreateService", "/".join(names), writes=True):
            client.create_service(serviceName=scene.name, **with_body(body))

    def _scale(self, scene: _Scene, tasks: int) -> None:
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:UpdateService", f"{scene.ecs.cluster}/{scene.name}", writes=True):
            client.update_service(cluster=scene.ecs.cluster, service=scene.name, desiredCount=tasks)

    def _delete(self, scene: _Scene) -> None:
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:DeleteService", f"{scene.ecs.cluster}/{scene.name}", writes=True):
            client.delete_service(cluster=scene.ecs.cluster, service=scene.name)

    def _shift(self, scene: _Scene, share: float) -> None:
        self._listener.shift(account_of(scene.ecs), scene.weighted, share, scene.split)

    def _roll(self, scene: _Scene, order: Order, revision: str) -> None:
        self._rollouts.start(scene.spec, order, revision)


def _plan(spec: TargetSpec) -> CanaryPlan:
    if spec.canary is None:
        raise Misconfigured(
            f"The catalog has no plan for canaries of {spec.key} any more.",
            hint="Put it back until this one has ended.",
        )
    return spec.canary


def _misfit(scene: _Scene, plan: CanaryPlan) -> str:
    """Why what runs does not fit the plan, as a sentence; nothing where it does."""
    return next(filter(None, _misfits(scene, plan)), "")


def _misfits(scene: _Scene, plan: CanaryPlan) -> Iterator[str]:
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


def _rule_misfits(scene: _Scene) -> Iterator[str]:
    if not scene.is_at(0.0):
        share = in_percent(scene.split.share)
        yield f"The rule's weights are shifted already: {share} goes to the canary's group."
    named = {each["TargetGroupArn"] for each in scene.split.forward.get("TargetGroups", ())}
    if scene.weighted.canary not in named:
        # ECS makes no service for a group that belongs to no load balancer.
        yield "The rule does not forward to the canary's target group: give it a weight of 0 there."
    if scene.split.sticky:
        yield STICKY


def _not_ours(service: _Service, order: Order, revision: str) -> str:
    owner = service.tags.get(DEPLOYMENT_TAG)
    if owner != order.deployment_id:
        whose = f"belongs to {owner}" if owner else "was not made by Quarterdeck"
        return f"The service {service.view.name} {whose}."
    primary = service.view.primary
    if primary is not None and primary.revision != revision:
        return f"Somebody deployed {short(primary.revision)} to the canary's service."
    return ""


def _edited(scene: _Scene) -> str:
    return f"Somebody else changed the rule. {scene.split.wrong}"


def _foreign(scene: _Scene) -> str:
    share = in_percent(scene.split.share)
    return f"Somebody else changed the rule's weights: {share} goes to the canary."


def _stands(  # noqa: PLR0913 - the ways in which a look can differ, each by its name
    scene: _Scene,
    *,
    reached: bool = False,
    doing: str = "",
    blocked: str = "",
    foreign: str = "",
    end: End | None = None,
    said: str = "",
) -> Stand:
    service = scene.canary.view if scene.canary is not None and scene.canary.alive else None
    stable = scene.stable.view
    return Stand(
        reached=reached,
        share=scene.split.share,
        canary=Crew(
            service.desired if service else 0,
            service.running if service else 0,
            scene.canary_health.healthy if service else 0,
        ),
        stable=Crew(stable.desired, stable.running, scene.stable_health.healthy),
        doing=doing,
        blocked=blocked or foreign,
        foreign=bool(foreign),
        end=end,
        explanation=said,
        events=_events(service),
        arms=Arms(scene.weighted.stable, scene.weighted.canary, scene.weighted.load_balancer),
    )


def _events(service: ServiceView | None) -> tuple[str, ...]:
    if service is None:
        return ()
    recent = sorted(service.events, key=lambda each: each.at)[-QUOTED:]
    return tuple(each.message for each in recent)


def _rolling(scene: _Scene, seen: Observation | None) -> Stand:
    if seen is None:
        return _stands(scene, doing="the whole service rolls")
    progress = seen.progress
    counts = f"{progress.running} of {progress.desired} tasks"
    return _stands(scene, doing=f"the whole service rolls: {counts}", said=seen.explanation)
