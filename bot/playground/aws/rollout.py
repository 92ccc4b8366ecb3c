"""The service scheduler: keeps desired tasks running and rolls from one deployment to the next.

The rules are ECS's for the rolling update: at most ``maximumPercent`` of the desired count at a
time, never fewer healthy tasks than ``minimumHealthyPercent`` of it, tasks are healthy when their
health check says so (or when RUNNING, without one). Failures of a deployment lead to
``deployments.Deployments.trip``.
"""

from __future__ import annotations

import math

from bot.playground.aws.deployments import Deployments
from bot.playground.aws.events import Journal
from bot.playground.aws.records import Service, Task
from bot.playground.aws.shifting import Shifting, live_tasks
from bot.playground.aws.tasks import TaskLife
from bot.playground.timeline import Timeline

INCONSISTENT_AFTER = 2  # rounds of failures before ECS complains in an event


class Scheduler:
    """Decides, whenever something has changed, what to launch, to stop and to call settled."""

    def __init__(
        self, timeline: Timeline, tasks: TaskLife, deployments: Deployments, journal: Journal
    ) -> None:
        self._timeline = timeline
        self._tasks = tasks
        self._deployments = deployments
        self._journal = journal
        self.shifting = Shifting(timeline, tasks, deployments, journal)
        tasks.changed = self.on_task
        deployments.changed = self.reconcile

    def on_task(self, service: Service, task: Task) -> None:
        """A task has moved on."""
        if task.ready:
            self._deployments.on_healthy(service, task.deployment)
            service.failure_rounds = 0
        elif _failed(task) and not task.stopped:
            self._on_failure(service, task)
        self.reconcile(service)

    def reconcile(self, service: Service) -> None:
        """Bring the service one step nearer to what is wanted."""
        if service.status != "ACTIVE":
            self._wind_up(service)
            return
        if not service.primary.accepted:
            return
        if self.shifting.governs(service):
            self.shifting.reconcile(service)
            return
        self._launch(service)
        self._retire(service)
        self._drop_empty(service)
        self._settle(service)

    def _wind_up(self, service: Service) -> None:
        leaving = [task for task in service.tasks.values() if task.live]
        if leaving:
            self._journal.stopped(service, leaving)
        for task in leaving:
            why = f"Scaling activity initiated by (deployment {service.primary.id})"
            self._tasks.stop(service, task, why, "ServiceSchedulerInitiated")
        if not leaving and all(
            task.last_status in {"STOPPING", "DEPROVISIONING", "STOPPED"}
            for task in service.tasks.values()
        ):
            service.status = "INACTIVE"

    def _on_failure(self, service: Service, task: Task) -> None:
        if task.deployment is not service.primary:
            return
        # What stops after it was RUNNING holds nothing back, however soon it stops.
        if "startedAt" not in task.dates and self._timeline.now >= service.hold_until:
            service.failure_rounds += 1
            wait = min(
                self._tasks.timings.retry * 2 ** (service.failure_rounds - 1),
                self._tasks.timings.longest_retry,
            )
            service.hold_until = self._timeline.now + wait
            self._timeline.after(wait, lambda: self.reconcile(service))
            if service.failure_rounds == INCONSISTENT_AFTER:
                self._journal.inconsistent(service)
        if not task.was_ready:
            self._deployments.on_failed_task(service, task.deployment)

    def _launch(self, service: Service) -> None:
        primary = service.primary
        if primary.rollout_state == "FAILED" or self._timeline.now < service.hold_until:
            return
        wanted = service.desired - len(live_tasks(service, primary))
        ceiling = math.floor(service.desired * service.configuration["maximumPercent"] / 100)
        room = max(ceiling, 1) - sum(not task.stopped for task in service.tasks.values())
        batch = [self._tasks.launch(service, primary) for _ in range(min(wanted, room))]
        if batch:
            self._journal.started(service, batch)

    def _retire(self, service: Service) -> None:
        primary = service.primary
        surplus = live_tasks(service, primary)[service.desired :]
        old: list[Task] = []
        if primary.rollout_state != "FAILED":
            old = [t for t in service.tasks.values() if t.live and t.deployment is not primary]
        floor = math.ceil(service.desired * service.configuration["minimumHealthyPercent"] / 100)
        ready = sum(task.live and task.ready for task in service.tasks.values())
        spare = max(ready - floor - sum(task.ready for task in surplus), 0)
        # What never became healthy serves nobody, so it needs no replacement first.
        leaving = [task for task in old if not task.ready]
        leaving += [task for task in old if task.ready][:spare]
        leaving += surplus
        if leaving:
            self._journal.stopped(service, leaving)
        for task in leaving:
            why = f"Scaling activity initiated by (deployment {primary.id})"
            self._tasks.stop(service, task, why, "ServiceSchedulerInitiated")

    def _drop_empty(self, service: Service) -> None:
        for deployment in service.deployments[1:]:
            if not any(
                t.deployment is deployment and not t.stopped for t in service.tasks.values()
            ):
                deployment.status = "INACTIVE"
                service.deployments.remove(deployment)

    def _settle(self, service: Service) -> None:
        if not _as_wanted(service):
            service.steady_since, service.steady = None, False
            return
        if service.steady_since is None:
            service.steady_since = since = self._timeline.now
            wait = self._hold(service)
            self._timeline.after(wait, lambda: self._conclude(service, since))

    def _conclude(self, service: Service, since: float) -> None:
        if service.steady_since != since or service.steady:
            return
        if service.primary.rollout_state == "IN_PROGRESS":
            self._deployments.complete(service)
        service.steady = True
        self._journal.steady(service)

    def _hold(self, service: Service) -> float:
        configuration = service.configuration
        watched = configuration.get("alarms", {}).get("enable", False)
        bake = configuration.get("bakeTimeInMinutes", 0) * 60.0 if watched else 0.0
        under_way = service.primary.rollout_state == "IN_PROGRESS"
        return max(self._tasks.timings.steady, bake if under_way else 0.0)


def _as_wanted(service: Service) -> bool:
    there = [task for task in service.tasks.values() if not task.stopped]
    return len(service.deployments) == 1 and (
        len(there) == service.desired and all(task.ready for task in there)
    )


def _failed(task: Task) -> bool:
    if task.live:
        return False
    return not (task.stopped_reason or "").startswith("Scaling activity")
