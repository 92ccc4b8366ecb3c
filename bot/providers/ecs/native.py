"""Canaries by ECS's own strategies: ECS shifts the traffic, and waits for our word at each pause.

The deployment is ECS's, of the service itself; ours is its revision, by which it is found again
after any crash. Between two shifts it stands at a PAUSE hook (``native_settings``): there a share
is judged, and there alone it is answered. What a pause is about is told by the traffic it holds
and by what is aimed at, not by the name of its stage.

A deployment that ECS has finished is out of its hands: if it has to be taken back after that, the
old version is rolled out again as any other is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from typing_extensions import override

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_plan import in_percent
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.errors import AccessDenied, Misconfigured, Terminal
from bot.model.ports import Rollouts
from bot.model.rollout import End, Order
from bot.providers.aws_faults import asking
from bot.providers.aws_session import AwsClients
from bot.providers.ecs import native_settings as settings
from bot.providers.ecs.judge import taken_back
from bot.providers.ecs.listener import ALIKE
from bot.providers.ecs.native_check import misfit, plan_of, refuse, warnings
from bot.providers.ecs.native_scene import BACKWARDS, OPEN, Pause, Run, Scene, Scenes
from bot.providers.ecs.native_settings import BEFORE_TAG
from bot.providers.ecs.raw_json import with_body
from bot.providers.ecs.rollouts import safe_configuration, unchanged
from bot.providers.ecs.task_definition import short

#: How many of a service's newest events are quoted.
QUOTED = 5
#: What ECS says where somebody was faster: the next look tells what came of it.
_ANSWERED = ("hookId", "terminal state")
_OVER = "ConflictException"

#: What a step toward an aim does: at most one call that writes.
_Deed = Callable[[], None]
_Step = tuple[Stand, _Deed | None]


class NativeCanaries(Canaries):
    """Safe to share between threads. ``rollouts`` rolls the old version out again."""

    def __init__(self, clients: AwsClients, rollouts: Rollouts) -> None:
        self._clients = clients
        self._rollouts = rollouts
        self._scenes = Scenes(clients)

    @override
    def check(self, spec: TargetSpec) -> Sequence[str]:
        plan = plan_of(spec)
        refuse(settings.misfit(plan))
        scene = self._scenes.of(spec)
        refuse(misfit(scene, plan))
        return tuple(warnings(scene, plan))

    @override
    def look(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        return self._stand(self._scenes.of(spec, revision), order, revision, aim)[0]

    @override
    def toward(self, spec: TargetSpec, order: Order, revision: str, aim: Aim) -> Stand:
        stand, deed = self._stand(self._scenes.of(spec, revision), order, revision, aim)
        if deed is not None and not stand.reached and not stand.blocked and stand.end is None:
            deed()
        return stand

    def _stand(self, scene: Scene, order: Order, revision: str, aim: Aim) -> _Step:
        if scene.service.view.status != "ACTIVE":
            gone = "The ECS service was deleted while the canary ran."
            if aim.goal in {Goal.SHARE, Goal.EVERYTHING}:
                return _stands(scene, end=End.FAILED, said=gone), None
            return _stands(scene, reached=True), None
        if aim.goal is Goal.SHARE:
            return self._share(scene, order, revision, aim)
        if aim.goal is Goal.EVERYTHING:
            return self._everything(scene, order, revision, aim)
        return self._nothing(scene, order) if aim.goal is Goal.NOTHING else self._gone(scene, order)

    # --- forwards ------------------------------------------------------------------------------

    def _share(self, scene: Scene, order: Order, revision: str, aim: Aim) -> _Step:
        run = scene.run
        if run is None:
            return self._begin(scene, order, revision, aim)
        if (ended := _ended(scene, run)) is not None:
            return ended, None
        if scene.asked > aim.share + ALIKE or run.final:
            return _stands(scene, foreign=_continued(scene)), None
        return self._toward_share(scene, run, aim)

    def _toward_share(self, scene: Scene, run: Run, aim: Aim) -> _Step:
        pause = run.pause
        if not scene.agrees:
            # While ECS waits for us it shifts nothing: not a share that was there before, and not
            # one that it has brought about, as it pauses only after that.
            there = min(abs(aim.before - aim.share), abs(scene.asked - aim.share)) < ALIKE
            held = pause is not None and there
            foreign = _weighed(scene) if held else ""
            return _stands(scene, doing="ECS shifts the traffic", foreign=foreign), None
        if pause is None or not run.open:
            return _stands(scene, doing=_doing(scene, run)), None
        if abs(scene.share - aim.share) < ALIKE:
            return _stands(scene, reached=True), None
        return self._onward(scene, run, pause)

    def _everything(self, scene: Scene, order: Order, revision: str, aim: Aim) -> _Step:
        run = scene.run
        if run is None:
            return self._begin(scene, order, revision, aim)
        if (ended := _ended(scene, run)) is not None:
            return ended, None
        if run.view.status == "SUCCESSFUL":
            primary = scene.service.view.primary
            there = primary is not None and primary.revision == revision
            return _stands(scene, reached=there, doing="" if there else "ECS finishes it"), None
        if run.pause is None:
            return _stands(scene, doing=_doing(scene, run)), None
        return self._onward(scene, run, run.pause)

    def _onward(self, scene: Scene, run: Run, pause: Pause) -> _Step:
        stand = _stands(scene, doing="ECS is told to shift the traffic")
        return stand, lambda: self._answer(scene, run, pause, "CONTINUE")

    def _begin(self, scene: Scene, order: Order, revision: str, aim: Aim) -> _Step:
        """Nothing of ours is listed: ECS is told, unless it was, or does something else."""
        primary = scene.service.view.primary
        if aim.before > 0 or (primary is not None and primary.revision == revision):
            return _stands(scene, doing="ECS does not list its deployment yet"), None
        unchanged(scene.service.view, order, revision)
        if scene.busy:
            return _stands(scene, doing="another deployment of the service is under way"), None
        configuration = scene.service.configuration
        wanted = settings.before(configuration)
        if not settings.is_set(configuration) and scene.service.tags.get(BEFORE_TAG) != wanted:
            stand = _stands(scene, doing="what the service is set to is noted")
            return stand, lambda: self._note(scene, wanted)
        return _stands(scene, doing="ECS is told to deploy it"), lambda: self._tell(scene, revision)

    # --- backwards -----------------------------------------------------------------------------

    def _nothing(self, scene: Scene, order: Order) -> _Step:
        run, primary = scene.run, scene.service.view.primary
        if run is None:
            told = primary is not None and primary.revision == scene.revision
            doing = "ECS does not list its deployment yet" if told else ""
            return _stands(scene, reached=not told, doing=doing), None
        if scene.overtaken:
            return _overtaken(scene, order), None
        if run.open:
            return self._stop_it(scene, run)
        if run.view.status in BACKWARDS:
            return _stands(scene, doing="ECS takes it back"), None
        if run.view.status == "ROLLBACK_SUCCESSFUL":
            left = f"ECS has taken it back, but the rule still sends it {in_percent(scene.share)}."
            return _stands(scene, reached=scene.off, blocked="" if scene.off else left), None
        return self._return(scene, order, run)

    def _stop_it(self, scene: Scene, run: Run) -> _Step:
        if not scene.off and not scene.sound:
            said = (
                f"Only {scene.able} of {scene.stable.desired} tasks of the stable "
                "version are healthy, so the traffic stays where it is."
            )
            return _stands(scene, blocked=said), None
        stand, pause = _stands(scene, doing="ECS is told to take it back"), run.pause
        if pause is not None:
            return stand, lambda: self._answer(scene, run, pause, "ROLLBACK")
        return stand, lambda: self._stop(scene, run)

    def _return(self, scene: Scene, order: Order, run: Run) -> _Step:
        """ECS has ended it, and not by taking it back."""
        why = taken_back(run.view)
        if run.view.status == "ROLLBACK_FAILED":
            said = f"ECS could not take it back: {why} Deploy {short(order.base)} in ECS."
            return _stands(scene, blocked=said), None
        if run.view.status != "SUCCESSFUL" and not scene.off:
            said = (
                f"It was stopped in ECS without being taken back, and still gets "
                f"{in_percent(scene.share)} of the traffic. Deploy {short(order.base)} in ECS "
                "by blue/green, which brings the traffic together again."
            )
            return _stands(scene, blocked=said), None
        stand = _stands(scene, doing=f"{short(order.base)} is rolled out again")
        again = replace(order, revision=order.base)
        return stand, lambda: self._roll(scene, again)

    def _gone(self, scene: Scene, order: Order) -> _Step:
        run = scene.run
        if run is not None and run.open:
            return self._nothing(scene, order)  # an answer was lost: it began after all
        if scene.tasks and not scene.done:
            return _stands(scene, doing="its tasks end"), None
        if settings.is_set(scene.service.configuration):
            if scene.busy:
                doing = "its settings are put back after the deployment that is under way"
                return _stands(scene, doing=doing), None
            return _stands(
                scene, doing="the service's settings are put back"
            ), lambda: self._restore(scene)
        if BEFORE_TAG in scene.service.tags:
            stand = _stands(scene, doing="the note of its settings is removed")
            return stand, lambda: self._forget(scene)
        return _stands(scene, reached=True), None

    # --- one call each -------------------------------------------------------------------------

    def _note(self, scene: Scene, value: str) -> None:
        arn = scene.service.view.arn
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:TagResource", arn, writes=True):
            client.tag_resource(resourceArn=arn, tags=[{"key": BEFORE_TAG, "value": value}])

    def _forget(self, scene: Scene) -> None:
        arn = scene.service.view.arn
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        with asking("ecs:UntagResource", arn, writes=True):
            client.untag_resource(resourceArn=arn, tagKeys=[BEFORE_TAG])

    def _tell(self, scene: Scene, revision: str) -> None:
        safe = safe_configuration(scene.service.configuration)
        configuration = settings.deploying(safe, plan_of(scene.spec))
        self._update(scene, {"taskDefinition": revision, "deploymentConfiguration": configuration})

    def _restore(self, scene: Scene) -> None:
        tag = scene.service.tags.get(BEFORE_TAG)
        configuration = settings.restored(scene.service.configuration, tag)
        self._update(scene, {"deploymentConfiguration": configuration})

    def _update(self, scene: Scene, changes: dict[str, object]) -> None:
        ecs = scene.ecs
        body = {"cluster": ecs.cluster, "service": ecs.service, **changes}
        client = self._clients.ecs(ecs.region, ecs.role)
        with asking("ecs:UpdateService", f"{ecs.cluster}/{ecs.service}", writes=True):
            client.update_service(cluster=ecs.cluster, service=ecs.service, **with_body(body))

    def _answer(self, scene: Scene, run: Run, pause: Pause, action: str) -> None:
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        try:
            with asking("ecs:ContinueServiceDeployment", run.view.arn, writes=True):
                client.continue_service_deployment(
                    serviceDeploymentArn=run.view.arn,
                    hookId=pause.id,
                    action="ROLLBACK" if action == "ROLLBACK" else "CONTINUE",
                )
        except Terminal as fault:
            _unless(fault, *_ANSWERED)

    def _stop(self, scene: Scene, run: Run) -> None:
        client = self._clients.ecs(scene.ecs.region, scene.ecs.role)
        try:
            with asking("ecs:StopServiceDeployment", run.view.arn, writes=True):
                client.stop_service_deployment(
                    serviceDeploymentArn=run.view.arn, stopType="ROLLBACK"
                )
        except Terminal as fault:
            _unless(fault, _OVER)

    def _roll(self, scene: Scene, order: Order) -> None:
        self._rollouts.start(scene.spec, order, order.base)


def _unless(fault: Terminal, *words: str) -> None:
    """Raise it, unless it only says that somebody was faster."""
    if isinstance(fault, AccessDenied | Misconfigured) or not any(
        word in fault.message for word in words
    ):
        raise fault


# --- words ---------------------------------------------------------------------------------------


def _ended(scene: Scene, run: Run) -> Stand | None:
    """How it ended; one that is taken back has, for there is no way forwards any more."""
    status = run.view.status
    if scene.overtaken:
        now = short(scene.newest.revision) if scene.newest is not None else ""
        said = f"Somebody else deployed {now or 'something'} to the service meanwhile."
        return _stands(scene, end=End.SUPERSEDED, said=said)
    if status in {"ROLLBACK_IN_PROGRESS", "ROLLBACK_SUCCESSFUL"}:
        return _stands(scene, end=End.ROLLED_BACK, said=taken_back(run.view))
    if status == "ROLLBACK_FAILED":
        said = f"ECS tried to take it back and failed: {taken_back(run.view)}"
        return _stands(scene, end=End.FAILED, said=said)
    if status == "STOPPED":
        said = f"It was stopped in ECS. {taken_back(run.view)}"
        return _stands(scene, end=End.FAILED, said=said)
    return None


def _overtaken(scene: Scene, order: Order) -> Stand:
    """Ours is over once its tasks are: the newer deployment has the traffic."""
    newest = scene.newest
    if newest is not None and newest.revision == order.base:
        if newest.busy:
            return _stands(scene, doing=f"{short(order.base)} is rolled out again")
        if newest.status != "SUCCESSFUL" and scene.tasks:
            said = f"{short(order.base)} could not be rolled out again. Deploy it in ECS."
            return _stands(scene, blocked=said)
    if scene.tasks:
        return _stands(scene, doing="its tasks end")
    return _stands(scene, reached=True)


def _continued(scene: Scene) -> str:
    share = in_percent(scene.share)
    return f"Somebody else let it go on in ECS: {share} of the traffic goes to the new version."


def _weighed(scene: Scene) -> str:
    share = in_percent(scene.split.share)
    return f"Somebody else changed the rule's weights: {share} goes to the new version."


def _doing(scene: Scene, run: Run) -> str:
    """What ECS is at, one clause."""
    if run.view.status not in OPEN:
        return "ECS takes it back"
    if run.strange:
        return f"ECS waits at {run.stage} for an answer to a pause of the service's own"
    if scene.off and scene.tasks < scene.service.view.desired:
        return f"ECS starts its tasks: {scene.tasks} of {scene.service.view.desired} run"
    if scene.share > 1 - ALIKE:
        return "ECS keeps the old version for a while, and removes it then"
    return "ECS shifts the traffic"


def _stands(  # noqa: PLR0913 - the ways in which a look can differ, each by its name
    scene: Scene,
    *,
    reached: bool = False,
    doing: str = "",
    blocked: str = "",
    foreign: str = "",
    end: End | None = None,
    said: str = "",
) -> Stand:
    pause = scene.run.pause if scene.run is not None else None
    recent = sorted(scene.service.view.events, key=lambda each: each.at)[-QUOTED:]
    return Stand(
        reached=reached,
        share=scene.share,
        canary=scene.canary,
        stable=scene.stable,
        doing="" if reached else doing,
        blocked=blocked or foreign,
        foreign=bool(foreign),
        end=end,
        explanation=said,
        events=tuple(each.message for each in recent),
        arms=scene.arms,
        expires_at=pause.expires_at if pause is not None else None,
    )
