"""How one task lives: PROVISIONING, PENDING, RUNNING, HEALTHY, and the ways in which it stops."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from bot.playground.aws.events import Journal
from bot.playground.aws.records import (
    Behaviour,
    Deployment,
    Image,
    Json,
    Minter,
    Service,
    Task,
    TaskDefinition,
)
from bot.playground.timeline import Timeline

LONG = 3600.0  # virtual seconds that a task has been running that "has been running for long"
STOPPED_KEPT = 3600.0  # ECS shows stopped tasks for at least an hour.


@dataclass(frozen=True, slots=True)
class Timings:
    """How long things take, in virtual seconds; each task varies by up to ``jitter`` of it.

    ``crash`` is counted from RUNNING and must be less than ``health`` and ``steady``: a container
    that dies at once must not look steady first.
    """

    accept: float = 1.0
    provision: float = 4.0
    pull: float = 8.0
    slow: float = 120.0
    health: float = 10.0
    crash: float = 3.0
    unhealthy: float = 30.0
    stop: float = 6.0
    steady: float = 6.0
    stage: float = 2.0
    retry: float = 10.0
    longest_retry: float = 1620.0
    jitter: float = 0.2


@dataclass(frozen=True, slots=True)
class Pulled:
    """What an image reference led to; ``image`` is None where nothing can be pulled."""

    reference: str
    image: Image | None
    behaviour: Behaviour


class TaskLife:
    """Launches and stops tasks; tells ``changed`` whenever one has moved on."""

    def __init__(self, timeline: Timeline, minter: Minter, journal: Journal) -> None:
        self._timeline = timeline
        self._minter = minter
        self._journal = journal
        self.timings = Timings()
        self.pull: Callable[[str], Pulled] = lambda reference: Pulled(
            reference, None, Behaviour.GOOD
        )
        self.changed: Callable[[Service, Task], None] = lambda _service, _task: None
        #: How many virtual seconds load balancers finish what they have begun with a task.
        self.drain: Callable[[Service, Task], float] = lambda _service, _task: 0.0

    def launch(self, service: Service, deployment: Deployment) -> Task:
        """Start one task of ``deployment`` and let it live."""
        chance = self._minter.source(f"life/{service.arn}")
        definition = deployment.revision.task_definition
        container, pulled = self._start_of(deployment, definition)
        identifier = self._minter.hexadecimal(f"task/{service.arn}")
        prefix, _, cluster = service.cluster_arn.partition(":cluster/")
        task = Task(
            id=identifier,
            arn=f"{prefix}:task/{cluster}/{identifier}",
            deployment=deployment,
            started_by=deployment.id,
            created_at=self._timeline.stamp(),
            container=container,
            digests={
                each["containerName"]: each["imageDigest"]
                for each in deployment.revision.images
                if "imageDigest" in each
            },
        )
        service.tasks[task.arn] = task
        self._prune(service)
        self._bring_up(service, task, pulled, chance)
        return task

    def settle(self, service: Service, deployment: Deployment) -> Task:
        """Put a task there that has been running for long."""
        task = self.launch(service, deployment)
        task.last_status, task.ready, task.was_ready = "RUNNING", True, True
        task.health = "HEALTHY" if health_checked(task) else "UNKNOWN"
        task.dates = {"startedAt": self._timeline.stamp()}
        task.running_at = self._timeline.now - LONG
        return task

    def stop(self, service: Service, task: Task, reason: str, code: str) -> None:
        """Tell a task to stop; it is drained first, and is gone ``timings.stop`` after that."""
        was_running = task.running
        self._end(service, task, reason, code)
        task.last_status = "DEACTIVATING" if service.settings.get("loadBalancers") else "STOPPING"
        draining = self.drain(service, task) if was_running else 0.0
        if draining:
            self._timeline.after(draining, lambda: self._drained(service, task))
        self._timeline.after(draining + self.timings.stop, lambda: self._gone(service, task))

    def kill(self, service: Service, task: Task, exit_code: int) -> None:
        """Let the task's essential container exit by itself."""
        if task.live:
            task.exit_code = exit_code
            self._collapse(
                service, task, "Essential container in task exited", "EssentialContainerExited"
            )

    def _start_of(self, deployment: Deployment, definition: TaskDefinition) -> tuple[Json, Pulled]:
        # The first container that will make trouble decides how the task lives.
        containers = definition.document["containerDefinitions"]
        starts = [(each, self.pull(self._pinned(deployment, each))) for each in containers]
        bad = [start for start in starts if start[1].behaviour is not Behaviour.GOOD]
        essential = [start for start in starts if start[0].get("essential", True)]
        return next(iter(bad or essential or starts))

    def _pinned(self, deployment: Deployment, container: dict[str, object]) -> str:
        # Version consistency: every task of a revision runs the digest that its tag had at first.
        reference = str(container["image"])
        for image in deployment.revision.images:
            if image["containerName"] == container["name"] and "imageDigest" in image:
                return reference.partition("@")[0] + "@" + str(image["imageDigest"])
        return reference

    def _bring_up(
        self, service: Service, task: Task, pulled: Pulled, chance: random.Random
    ) -> None:
        def some(seconds: float) -> float:
            return seconds * (1 + self.timings.jitter * (chance.random() - 0.5) * 2)

        provisioned = some(self.timings.provision)
        pulled_at = provisioned + some(self.timings.pull)
        self._timeline.after(provisioned, lambda: self._pulling(task))
        if pulled.behaviour is Behaviour.UNPULLABLE:
            self._timeline.after(pulled_at, lambda: self._unpullable(service, task, pulled))
            return
        running_at = pulled_at
        if pulled.behaviour is Behaviour.SLOW:
            running_at += some(self.timings.slow)
        self._timeline.after(running_at, lambda: self._run(service, task))
        self._after_start(service, task, pulled.behaviour, running_at)

    def _after_start(
        self, service: Service, task: Task, behaviour: Behaviour, running_at: float
    ) -> None:
        if behaviour is Behaviour.CRASHING:
            crash = running_at + self.timings.crash
            self._timeline.after(crash, lambda: self.kill(service, task, 1))
        elif not checked(service, task):
            return
        elif behaviour is Behaviour.UNHEALTHY and self._seen_to_fail(service, task):
            grace = float(service.settings.get("healthCheckGracePeriodSeconds", 0))
            found = running_at + max(self.timings.unhealthy, grace)
            self._timeline.after(found, lambda: self._unhealthy(service, task))
        else:
            healthy = running_at + self.timings.health
            self._timeline.after(healthy, lambda: self._healthy(service, task))

    def _seen_to_fail(self, service: Service, task: Task) -> bool:
        return bool(task.container.get("healthCheck") or service.settings.get("loadBalancers"))

    def _pulling(self, task: Task) -> None:
        if task.live and task.last_status == "PROVISIONING":
            task.last_status = "PENDING"
            task.dates["pullStartedAt"] = self._timeline.stamp()
            task.version += 1

    def _run(self, service: Service, task: Task) -> None:
        if not task.live or task.last_status == "RUNNING":
            return
        task.last_status = "RUNNING"
        task.dates["pullStoppedAt"] = task.dates["startedAt"] = self._timeline.stamp()
        task.running_at = self._timeline.now
        task.version += 1
        for group in task.deployment.revision.target_groups:
            self._journal.registered(service, group)
        if not checked(service, task):
            task.ready = task.was_ready = True
        self.changed(service, task)

    def _healthy(self, service: Service, task: Task) -> None:
        if task.live and task.running and not task.ready:
            task.ready = task.was_ready = True
            task.health = "HEALTHY" if health_checked(task) else "UNKNOWN"
            task.version += 1
            self.changed(service, task)

    def _unhealthy(self, service: Service, task: Task) -> None:
        if not task.live or not task.running:
            return
        if task.container.get("healthCheck"):
            task.health = "UNHEALTHY"
            why = "failed container health checks."
            reason = "Task failed container health checks"
        else:
            group = task.deployment.revision.target_groups[0]
            why = f"is unhealthy in (target-group {group}) due to (reason Health checks failed)"
            reason = f"Task failed ELB health checks in (target-group {group})"
        task.ready = False
        self._journal.unhealthy(service, task, why)
        self.stop(service, task, reason, "ServiceSchedulerInitiated")
        task.exit_code = 137
        self.changed(service, task)

    def _unpullable(self, service: Service, task: Task, pulled: Pulled) -> None:
        if not task.live:
            return
        task.container_reason = (
            "CannotPullContainerError: pull image manifest has been retried 5 time(s): failed to "
            f"resolve ref {pulled.reference}: {pulled.reference}: not found"
        )
        self._collapse(service, task, task.container_reason, "TaskFailedToStart")

    def _collapse(self, service: Service, task: Task, reason: str, code: str) -> None:
        self._end(service, task, reason, code)
        task.last_status = "DEPROVISIONING"
        self._timeline.after(1.0, lambda: self._gone(service, task))
        self.changed(service, task)

    def _end(self, service: Service, task: Task, reason: str, code: str) -> None:
        del service
        task.desired_status = "STOPPED"
        task.stopped_reason, task.stop_code = reason, code
        task.dates["stoppingAt"] = self._timeline.stamp()
        task.leaving_at = self._timeline.now
        task.ready = False
        task.version += 1

    def _drained(self, service: Service, task: Task) -> None:
        if task.last_status == "DEACTIVATING":
            task.last_status = "STOPPING"
            for group in task.deployment.revision.target_groups:
                self._journal.deregistered(service, group)
            self.changed(service, task)

    def _gone(self, service: Service, task: Task) -> None:
        if task.stopped:
            return
        task.last_status = "STOPPED"
        task.dates["stoppedAt"] = task.dates["executionStoppedAt"] = self._timeline.stamp()
        task.gone_at = self._timeline.now
        if task.exit_code is None and "startedAt" in task.dates:
            task.exit_code = 0
        task.version += 1
        self.changed(service, task)

    def _prune(self, service: Service) -> None:
        oldest = self._timeline.now - STOPPED_KEPT
        for arn, task in list(service.tasks.items()):
            if task.gone_at is not None and task.gone_at < oldest:
                del service.tasks[arn]


def checked(service: Service, task: Task) -> bool:
    """Whether anything tells ECS that the task is healthy; if not, RUNNING is healthy enough."""
    return health_checked(task) or bool(service.settings.get("loadBalancers"))


def health_checked(task: Task) -> bool:
    """Whether a container of the task has a health check of its own."""
    containers = task.deployment.revision.task_definition.document["containerDefinitions"]
    return any(each.get("healthCheck") for each in containers)
