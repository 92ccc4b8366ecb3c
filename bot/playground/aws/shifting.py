"""Blue/green, linear and canary deployments: green beside blue, and the traffic from one to other.

What is documented (ECS's Developer Guide: the workflow of blue/green deployments, canary and linear
deployments, lifecycle hooks, pause hooks, troubleshooting; botocore 1.44's model):

- the stages and their order; green is scaled up to the whole desired count before any traffic is
  shifted, and blue is kept at it until CLEAN_UP;
- a canary is shifted in two steps, a linear deployment in equal ones, with a bake time between two
  steps and none after 100 percent; then comes the deployment's own bake time;
- PAUSE hooks hold a deployment up at RECONCILE_SERVICE, PRE_SCALE_UP, POST_SCALE_UP,
  POST_TEST_TRAFFIC_SHIFT, PRE_PRODUCTION_TRAFFIC_SHIFT and POST_PRODUCTION_TRAFFIC_SHIFT, never at
  TEST_TRAFFIC_SHIFT or PRODUCTION_TRAFFIC_SHIFT;
- at PRE_PRODUCTION_TRAFFIC_SHIFT they do so before *each* shift of a linear or canary deployment,
  once in a blue/green one; at the other stages once in a deployment. Each time has a ``hookId`` of
  its own. Five linear steps are five pauses;
- all hooks of a stage run side by side, and all must be continued; one that rolls back rolls back
  the deployment; one that is not answered in time does what its ``timeoutConfiguration`` says;
- alarms and the circuit breaker go on watching while a deployment is paused;
- a stage that takes 24 hours fails the deployment, but for a pause, which may take 14 days.

What is assumed:

- the bake time of a step comes before the pause ahead of the next one, and PRODUCTION_TRAFFIC_SHIFT
  is shown for it; the pause ahead of the first step is right after POST_TEST_TRAFFIC_SHIFT;
- ``lifecycleHookDetails`` keeps what has been answered, and those nobody can answer any more are
  FAILED;
- a first deployment, which has no blue, goes through the same stages and pauses, with one shift;
- the stages of the test traffic are gone through without a test listener rule too;
- on the way back: the traffic first, at once and whole, then green's tasks
  (PRODUCTION_TRAFFIC_SHIFT, TEST_TRAFFIC_SHIFT, CLEAN_UP). Where blue had begun to go, it is scaled
  up before (SCALE_UP);
- ``lifecycleStage`` shows PRE_PRODUCTION_TRAFFIC_SHIFT, as the documentation's text has it, and not
  another stage for it, as the enum would have it (``by_the_enum``);
- RECONCILE_SERVICE takes the traffic back to blue and stops what an overtaken deployment started;
- a deployment that is stopped without a rollback stays as it is, weights and tasks;
- how long a stage without work of its own takes (``Timings.stage``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from bot.playground.aws import stages
from bot.playground.aws.deployments import Deployments
from bot.playground.aws.events import Journal
from bot.playground.aws.records import (
    Deployment,
    Json,
    Service,
    ServiceDeployment,
    Task,
)
from bot.playground.aws.stages import BEFORE_SCALING, Hook, Passage, Stage
from bot.playground.aws.tasks import TaskLife
from bot.playground.timeline import Timeline

MINUTE, DAY = 60.0, 86400.0
DEFAULT_MINUTES = 1440

#: Told a listener rule and the share of each target group, in percent.
Route = Callable[[str, Mapping[str, float]], None]
#: Says why the traffic of a service cannot be shifted; ``None`` where it can.
Problem = Callable[[Service], str | None]


class Shifting:
    """Takes deployments that shift traffic from stage to stage, and back."""

    def __init__(
        self, timeline: Timeline, tasks: TaskLife, deployments: Deployments, journal: Journal
    ) -> None:
        self._timeline = timeline
        self._tasks = tasks
        self._deployments = deployments
        self._journal = journal
        self.by_the_enum = False
        #: How many seconds of this world go by in one of those who answer pauses.
        self.pace = 1.0
        self.route: Route = lambda _rule, _shares: None
        self.problem: Problem = lambda _service: None

    def governs(self, service: Service) -> bool:
        """Whether such a deployment of the service is under way."""
        primary = service.primary
        return primary.record.passage is not None and primary.rollout_state == "IN_PROGRESS"

    def reconcile(self, service: Service) -> None:
        """Bring the deployment under way one step nearer to its end."""
        passage = service.primary.record.passage
        if passage is None:
            return
        if service.primary.is_rollback and not passage.turned_back:
            self._turn_back(service, passage)
        elif passage.stage is None:
            self._enter(service, passage, self._first_stage(service))
            problem = self.problem(service)
            if problem is not None:
                self._deployments.fail_by_stage(service, problem)
                return
        self._keep(service, passage)
        self._drop_gone(service, passage)
        if self._done(service, passage):
            self._go_on(service, passage)

    def answer(self, service: Service, hook: Hook, action: str) -> None:
        """Somebody continues the deployment that ``hook`` holds up, or has it rolled back."""
        record = service.primary.record
        passage = record.passage
        if passage is None:
            return
        wait = self._tasks.timings.accept
        record.updated_at = self._timeline.stamp()
        if action == "CONTINUE":
            hook.status = "SUCCEEDED"
            passage.due = self._timeline.now + wait
            self._timeline.after(wait, lambda: self._wake(service, record))
            return
        hook.status = "FAILED"
        passage.due = math.inf  # nothing goes on until the rollback begins
        reason = _because(f"{hook.stage} lifecycle hook(s) failed.")
        self._timeline.after(wait, self._failing(service, passage, reason))

    # From stage to stage

    def _first_stage(self, service: Service) -> Stage:
        others = {each.revision.arn for each in service.deployments[1:]}
        return Stage.RECONCILE_SERVICE if len(others) > 1 else Stage.PRE_SCALE_UP

    def _turn_back(self, service: Service, passage: Passage) -> None:
        passage.turned_back = True
        whole = len(live_tasks(service, service.primary)) >= service.desired
        stage = Stage.PRODUCTION_TRAFFIC_SHIFT if whole else Stage.SCALE_UP
        self._enter(service, passage, stage)

    def _enter(self, service: Service, passage: Passage, stage: Stage) -> None:
        record = service.primary.record
        passage.stage, passage.turn = stage, passage.turn + 1
        passage.by_the_enum = self.by_the_enum
        record.updated_at = self._timeline.stamp()
        self._shift(service, passage, stage)
        wait = self._least(record, passage, stage)
        passage.due = self._timeline.now + wait
        self._timeline.after(wait, lambda: self._wake(service, record))
        if passage.turned_back:
            return  # nothing pauses on the way back
        for hook in record.configuration.get("lifecycleHooks", []):
            if stage in hook["lifecycleStages"]:
                self._pause(service, passage, stage, hook.get("timeoutConfiguration", {}))
        if stage is Stage.SCALE_UP:
            reason = _because("SCALE_UP lifecycle stage timed out.")
            self._timeline.after(DAY, self._failing(service, passage, reason))

    def _shift(self, service: Service, passage: Passage, stage: Stage) -> None:
        before = (dict(passage.production), dict(passage.test))
        if stage is Stage.RECONCILE_SERVICE:
            passage.give_green(0.0)
        elif stage is Stage.TEST_TRAFFIC_SHIFT and _has_test_rule(service):
            passage.give_green_tests(0.0 if passage.turned_back else stages.WHOLE)
        elif stage is Stage.PRODUCTION_TRAFFIC_SHIFT and passage.turned_back:
            passage.give_green(0.0)
        elif stage is Stage.PRODUCTION_TRAFFIC_SHIFT:
            passage.give_green(passage.steps[passage.shifted])
            passage.shifted += 1
        # Rules that are as they should be are left alone, whoever else is at them.
        if (passage.production, passage.test) != before:
            self._route_all(service)

    def _route_all(self, service: Service) -> None:
        """Let the listener rules have the weights that the newest deployment asks for."""
        passage = service.primary.record.passage
        if passage is None:
            return
        revisions = {each.arn: each for each in service.revisions}
        for place, balancer in enumerate(service.settings.get("loadBalancers", [])):
            advanced = balancer.get("advancedConfiguration", {})
            for name, weights in (
                ("productionListenerRule", passage.production),
                ("testListenerRule", passage.test),
            ):
                by_group: dict[str, float] = {}
                for arn, percent in weights.items():
                    group = revisions[arn].target_groups[place]
                    by_group[group] = by_group.get(group, 0.0) + percent
                if name in advanced and any(by_group.values()):
                    self.route(advanced[name], by_group)

    def _least(self, record: ServiceDeployment, passage: Passage, stage: Stage) -> float:
        # How long the stage takes at least.
        minutes = 0.0
        if not passage.turned_back:
            if stage is Stage.BAKE_TIME:
                minutes = record.configuration.get("bakeTimeInMinutes", 0)
            elif stage is Stage.PRODUCTION_TRAFFIC_SHIFT and passage.shifted < len(passage.steps):
                minutes = stages.minutes_between(record.configuration)
        return self._tasks.timings.stage + minutes * MINUTE

    def _pause(self, service: Service, passage: Passage, stage: Stage, timeout: Json) -> None:
        seconds = timeout.get("timeoutInMinutes", DEFAULT_MINUTES) * MINUTE * self.pace
        hook = Hook(
            id=self._deployments.hook_id(service),
            stage=stage,
            expires_at=self._timeline.stamp_in(seconds),
            timeout_action=timeout.get("action", "ROLLBACK"),
        )
        passage.hooks.append(hook)
        record = service.primary.record

        def expire() -> None:
            if not hook.awaiting:
                return
            hook.status = "TIMED_OUT"
            if hook.timeout_action == "CONTINUE":
                self._wake(service, record)
            else:
                reason = _because(f"{hook.stage} pause hook timed out.")
                self._deployments.fail_by_stage(service, reason)

        self._timeline.after(seconds, expire)

    def _done(self, service: Service, passage: Passage) -> bool:
        moving = service.primary.record.status in {"IN_PROGRESS", "ROLLBACK_IN_PROGRESS"}
        if not moving or self._timeline.now < passage.due or any(passage.awaiting()):
            return False
        primary, stage = service.primary, passage.stage
        if stage is Stage.SCALE_UP:
            ready = sum(task.ready for task in live_tasks(service, primary))
            return ready >= service.desired
        if stage is Stage.RECONCILE_SERVICE:
            kept = (primary, service.completed)
            return not any(t.live and t.deployment not in kept for t in service.tasks.values())
        if stage is Stage.CLEAN_UP:
            return service.deployments == [primary]
        return True

    def _go_on(self, service: Service, passage: Passage) -> None:
        stage = passage.next_stage()
        if stage is None:
            self._deployments.complete(service)
            self._deployments.changed(service)
        else:
            self._enter(service, passage, stage)
            self.reconcile(service)

    def _wake(self, service: Service, record: ServiceDeployment) -> None:
        if record is service.primary.record and self.governs(service):
            self._deployments.changed(service)

    def _failing(self, service: Service, passage: Passage, reason: str) -> Callable[[], None]:
        turn = passage.turn

        def fail() -> None:
            current = service.primary.record.passage is passage and passage.turn == turn
            if current and self.governs(service):
                self._deployments.fail_by_stage(service, reason)

        return fail

    # Tasks

    def _keep(self, service: Service, passage: Passage) -> None:
        for deployment in list(service.deployments):
            wanted = self._wanted(service, passage, deployment)
            if wanted is None:
                continue
            live = live_tasks(service, deployment)
            held = deployment is service.primary and self._timeline.now < service.hold_until
            missing = 0 if held else wanted - len(live)
            batch = [self._tasks.launch(service, deployment) for _ in range(missing)]
            if batch:
                self._journal.started(service, batch)
            self._stop(service, live[wanted:])

    def _wanted(self, service: Service, passage: Passage, deployment: Deployment) -> int | None:
        # None: as many as there are.
        if deployment is service.primary:
            waits = not passage.turned_back and passage.stage in BEFORE_SCALING
            return 0 if waits else service.desired
        if passage.stage is Stage.CLEAN_UP:
            return 0
        if passage.turned_back:
            return None
        return service.desired if deployment is service.completed else 0

    def _stop(self, service: Service, leaving: list[Task]) -> None:
        if leaving:
            self._journal.stopped(service, leaving)
        for task in leaving:
            why = f"Scaling activity initiated by (deployment {service.primary.id})"
            self._tasks.stop(service, task, why, "ServiceSchedulerInitiated")

    def _drop_gone(self, service: Service, passage: Passage) -> None:
        for deployment in service.deployments[1:]:
            there = any(
                t.deployment is deployment and not t.stopped for t in service.tasks.values()
            )
            if not there and self._wanted(service, passage, deployment) == 0:
                deployment.status = "INACTIVE"
                service.deployments.remove(deployment)


def live_tasks(service: Service, deployment: Deployment) -> list[Task]:
    """The tasks of a deployment that are to run: healthy first, as a surplus goes from the end."""
    tasks = [t for t in service.tasks.values() if t.live and t.deployment is deployment]
    return sorted(tasks, key=lambda task: not task.ready)


def _has_test_rule(service: Service) -> bool:
    return any(
        "testListenerRule" in each.get("advancedConfiguration", {})
        for each in service.settings.get("loadBalancers", [])
    )


def _because(why: str) -> str:
    return f"Service deployment rolled back because {why}"
