"""Canaries on ECS by the weights of a listener rule: a service of their own beside the stable one.

The stable service stays at its full size until the promotion. Each look reads both services, the
rule and the health of both target groups; what is changed follows from what was read, so that any
call may be repeated after a crash. The canary's service carries the deployment's id as a tag.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil

from typing_extensions import override

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_plan import in_percent
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.errors import Misconfigured
from bot.model.places import EcsService
from bot.model.ports import Rollouts
from bot.model.rollout import End, Observation, Order, Told, Watched
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients
from bot.providers.ecs.canary_service import creation, name_of
from bot.providers.ecs.listener import IMPOSSIBLE, Listener
from bot.providers.ecs.raw_json import body_of, with_body
from bot.providers.ecs.reads import account_of, plan_of, unknown_service
from bot.providers.ecs.task_definition import DEPLOYMENT_TAG, short
from bot.providers.ecs.views import service_view
from bot.providers.ecs.weighted_check import misfit
from bot.providers.ecs.weighted_scene import Scene, Service, stands

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
        plan = plan_of(spec)
        if wrong := scene.split.wrong or misfit(scene, plan):
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
        if deed is not None:
            deed()
        return stand

    # --- reading -----------------------------------------------------------------------------

    def _scene(self, spec: TargetSpec) -> Scene:
        weighted = plan_of(spec).weighted
        if weighted is None:
            raise Misconfigured(f"{spec.key} has no weighted canaries by now.")
        account = account_of(spec.ecs)
        found = self._services(spec.ecs, name_of(spec.ecs, weighted))
        stable = found.get(spec.ecs.service)
        if stable is None:
            raise unknown_service(spec.ecs)
        return Scene(
            spec,
            weighted,
            stable,
            found.get(name_of(spec.ecs, weighted)),
            self._listener.split(account, weighted),
            self._listener.health(account, weighted.stable),
            self._listener.health(account, weighted.canary),
        )

    def _services(self, ecs: EcsService, canary: str) -> dict[str, Service]:
        client = self._clients.ecs(ecs.region, ecs.role)
        with asking("ecs:DescribeServices", f"{ecs.cluster}/{ecs.service}"):
            answer = client.describe_services(
                cluster=ecs.cluster, services=[ecs.service, canary], include=["TAGS"]
            )
            return {
                each["serviceName"]: Service(service_view(each), raw)
                for each, raw in zip(answer["services"], body_of(answer)["services"], strict=True)
            }

    # --- judging, and what to do next ----------------------------------------------------------

    def _stand(
        self, scene: Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        toward = {
            Goal.SHARE: self._share,
            Goal.EVERYTHING: self._everything,
            Goal.NOTHING: self._nothing,
            Goal.GONE: self._gone,
        }
        return toward[aim.goal](scene, order, revision, aim)

    def _share(
        self, scene: Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        tasks = aim.tasks or max(1, ceil(aim.share * scene.stable.view.desired))
        service = scene.canary
        if service is None or not service.alive:
            return self._missing(scene, order, revision, aim, tasks)
        if wrong := _not_ours(service, order, revision):
            return stands(scene, foreign=wrong), None
        failed = next((d for d in service.view.deployments if d.state == "FAILED"), None)
        if failed is not None:
            said = failed.reason or "The canary's tasks do not start."
            return stands(scene, end=End.FAILED, said=said), None
        if service.view.desired < tasks:
            return stands(scene, doing=f"scaled to {tasks} tasks"), lambda: self._scale(
                scene, tasks
            )
        return self._weigh(scene, aim, tasks)

    def _missing(
        self, scene: Scene, order: Order, revision: str, aim: Aim, tasks: int
    ) -> tuple[Stand, _Deed | None]:
        if scene.canary is not None and scene.canary.view.status == "DRAINING":
            return stands(scene, doing="an earlier canary's service is being removed"), None
        if aim.before > 0:
            gone = f"The canary's service {scene.name} is gone: somebody removed it."
            return stands(scene, end=End.FAILED, said=gone), None
        if scene.split.wrong:
            return stands(scene, foreign=_edited(scene)), None
        if not scene.is_at(0.0):
            return stands(scene, foreign=_foreign(scene)), None
        return stands(scene, doing="its service is made"), lambda: self._create(
            scene, order, revision, tasks
        )

    def _weigh(self, scene: Scene, aim: Aim, tasks: int) -> tuple[Stand, _Deed | None]:
        if scene.split.wrong:  # a shift would undo it
            return stands(scene, foreign=_edited(scene)), None
        if not scene.is_at(aim.share) and not scene.is_at(aim.before):
            return stands(scene, foreign=_foreign(scene)), None
        healthy = scene.canary_health.healthy
        if healthy < tasks:
            why = "; ".join(scene.canary_health.reasons)
            waits = f"{healthy} of {tasks} tasks are healthy"
            return stands(scene, doing=waits, said=why), None
        if scene.is_at(aim.share):
            return stands(scene, reached=True), None
        doing = f"the rule's weights go to {in_percent(aim.share)}"
        return stands(scene, doing=doing), lambda: self._shift(scene, aim.share)

    def _everything(
        self, scene: Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        """The stable service is rolled like any other; then the canary has nothing to do."""
        primary = scene.stable.view.primary
        handle = primary.id if primary is not None and primary.revision == revision else None
        if handle is None:
            back = self._rollouts.read_back(scene.spec, order, revision, aim.since)
            if back.told is Told.NO:
                return stands(scene, doing="the whole service is told to roll"), lambda: self._roll(
                    scene, order, revision
                )
            if back.told is not Told.YES:
                end = End.SUPERSEDED if back.told is Told.SOMEONE_ELSE else End.UNKNOWN
                return stands(scene, end=end, said=back.explanation), None
            handle = back.handle
        watched = Watched(order.deployment_id, revision, handle, aim.since)
        looks = self._rollouts.observe([(scene.spec, watched)])
        if order.deployment_id in looks.faults:
            raise looks.faults[order.deployment_id]
        seen = looks.get(order.deployment_id)
        if seen is None or seen.end is None:
            return _rolling(scene, seen), None
        if seen.end is not End.SUCCEEDED:
            return stands(scene, end=seen.end, said=seen.explanation), None
        return self._nothing(scene, order, revision, aim)

    def _nothing(
        self, scene: Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        del aim
        if scene.is_at(0.0):
            return stands(scene, reached=True, said=_went_on(scene, order, revision)), None
        if scene.split.wrong:
            return stands(scene, blocked=f"{scene.split.wrong} Its weights are left alone."), None
        if not scene.sound:
            said = (
                f"Only {scene.able} of {scene.stable.view.desired} tasks of the stable version are "
                "healthy, so the traffic stays where it is."
            )
            return stands(scene, blocked=said), None
        return stands(scene, doing="the rule's weights go to 0%"), lambda: self._shift(scene, 0.0)

    def _gone(
        self, scene: Scene, order: Order, revision: str, aim: Aim
    ) -> tuple[Stand, _Deed | None]:
        del revision, aim
        service = scene.canary
        # Another one's by now, where it has another's tag.
        if service is None or service.tags.get(DEPLOYMENT_TAG) != order.deployment_id:
            return stands(scene, reached=True), None
        if service.view.status == "INACTIVE":
            return stands(scene, reached=True), None
        if not scene.is_at(0.0):
            said = (
                "The rule sends it traffic again, so that its tasks stay. They go once its weight "
                "is set to 0 again."
            )
            return stands(scene, blocked=said), None
        if service.alive and service.view.desired > 0:
            return stands(scene, doing="its tasks are ended"), lambda: self._scale(scene, 0)
        if service.alive and service.view.running == 0:
            return stands(scene, doing="its service is removed"), lambda: self._delete(scene)
        return stands(scene, doing="its last requests end"), None

    # --- one call each -------------------------------------------------------------------------

    def _create(self, scene: Scene, order: Order, revision: str, tasks: int) -> None:
        names = (scene.ecs.cluster, scene.name)
        wanted = (order.deployment_id, revision, tasks)
        body = creation(scene.stable.body, names, scene.weighted, wanted)
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:CreateService", "/".join(names), writes=True):
            client.create_service(serviceName=scene.name, **with_body(body))

    def _scale(self, scene: Scene, tasks: int) -> None:
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:UpdateService", f"{scene.ecs.cluster}/{scene.name}", writes=True):
            client.update_service(cluster=scene.ecs.cluster, service=scene.name, desiredCount=tasks)

    def _delete(self, scene: Scene) -> None:
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:DeleteService", f"{scene.ecs.cluster}/{scene.name}", writes=True):
            client.delete_service(cluster=scene.ecs.cluster, service=scene.name)

    def _shift(self, scene: Scene, share: float) -> None:
        self._listener.shift(account_of(scene.ecs), scene.weighted, share, scene.split)

    def _roll(self, scene: Scene, order: Order, revision: str) -> None:
        self._rollouts.start(scene.spec, order, revision)


def _not_ours(service: Service, order: Order, revision: str) -> str:
    owner = service.tags.get(DEPLOYMENT_TAG)
    if owner != order.deployment_id:
        whose = f"belongs to {owner}" if owner else "was not made by Quarterdeck"
        return f"The service {service.view.name} {whose}."
    primary = service.view.primary
    if primary is not None and primary.revision != revision:
        return f"Somebody deployed {short(primary.revision)} to the canary's service."
    return ""


def _edited(scene: Scene) -> str:
    return f"Somebody else changed the rule. {scene.split.wrong}"


def _foreign(scene: Scene) -> str:
    share = in_percent(scene.split.share)
    return f"Somebody else changed the rule's weights: {share} goes to the canary."


def _went_on(scene: Scene, order: Order, revision: str) -> str:
    """The weights are back, but where a promotion ended too early the service itself is not."""
    primary = scene.stable.view.primary
    if primary is None or primary.revision != revision or revision == order.base:
        return ""
    rolls = "ECS still rolls" if primary.state == "IN_PROGRESS" else "ECS has rolled"
    return (
        f"No traffic goes by the canary's weight any more, but {rolls} the service itself to the "
        "new version. /rollback takes that back."
    )


def _rolling(scene: Scene, seen: Observation | None) -> Stand:
    if seen is None:
        return stands(scene, doing="the whole service rolls")
    progress = seen.progress
    counts = f"{progress.running} of {progress.desired} tasks"
    return stands(scene, doing=f"the whole service rolls: {counts}", said=seen.explanation)
