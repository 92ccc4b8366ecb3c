"""How a service's deployments begin, complete, fail, roll back and replace one another."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable

from bot.playground.aws import stages, target_groups
from bot.playground.aws.events import Journal
from bot.playground.aws.records import (
    BASE62,
    Deployment,
    Json,
    Minter,
    Revision,
    Service,
    ServiceDeployment,
    TaskDefinition,
)
from bot.playground.aws.strategies import SHIFTING
from bot.playground.aws.tasks import TaskLife
from bot.playground.timeline import Timeline

BASE64URL = f"{BASE62}-_"
HOOK_ID_LENGTH = 43
BREAKER_LEAST, BREAKER_MOST = 3, 200  # bounds of the default threshold type, BOUNDED_PERCENT
BREAKER_SHARE = 50  # percent of the desired count
REVISION_SETTINGS = (
    "launchType",
    "capacityProviderStrategy",
    "platformVersion",
    "platformFamily",
    "loadBalancers",
    "serviceRegistries",
    "networkConfiguration",
    "serviceConnectConfiguration",
    "volumeConfigurations",
    "vpcLatticeConfigurations",
)


class Deployments:
    """Writes deployments and the service deployments that record them."""

    def __init__(
        self, timeline: Timeline, minter: Minter, journal: Journal, tasks: TaskLife
    ) -> None:
        self._timeline = timeline
        self._minter = minter
        self._journal = journal
        self._tasks = tasks
        self.changed: Callable[[Service], None] = lambda _service: None

    def begin(self, service: Service, definition: TaskDefinition) -> Deployment:
        """Start rolling to ``definition``; whatever was under way is replaced."""
        now = self._timeline.stamp()
        sources = list(dict.fromkeys(each.revision for each in service.deployments))
        self._supersede(service)
        revision = self._revise(service, definition)
        record = ServiceDeployment(
            arn=self._child(service, "service-deployment", self._minter.word(service.arn)),
            created_at=now,
            updated_at=now,
            sources=sources,
            target=revision,
            configuration=service.configuration,
            threshold=threshold(service.configuration, service.desired),
        )
        if service.configuration["strategy"] in SHIFTING:
            record.passage = self._passage(service, revision)
        service.history.append(record)
        deployment = self._enter(service, revision, record)
        deployment.reason = f"ECS deployment {deployment.id} in progress."
        self._timeline.after(self._tasks.timings.accept, lambda: self._accept(service, deployment))
        return deployment

    def settle(self, service: Service) -> None:
        """Make the first deployment one that completed long ago."""
        service.primary.accepted = True
        service.primary.record.status = "IN_PROGRESS"
        service.primary.record.started_at = self._timeline.stamp()
        for _ in range(service.desired):
            self._tasks.settle(service, service.primary)
        if service.primary.record.passage is not None:
            service.primary.record.passage.arrive()
        self.complete(service)
        service.steady, service.steady_since = True, self._timeline.now
        self._journal.steady(service)

    def complete(self, service: Service) -> None:
        """PRIMARY has settled: every task of it is healthy, and no other is left."""
        deployment, record = service.primary, service.primary.record
        deployment.rollout_state = "COMPLETED"
        deployment.reason = f"ECS deployment {deployment.id} completed."
        deployment.updated_at = self._timeline.stamp()
        service.completed = deployment
        self._journal.completed(service, deployment)
        if record.open:
            self._close(service, record, "ROLLBACK_SUCCESSFUL" if record.rollback else "SUCCESSFUL")

    def on_healthy(self, service: Service, deployment: Deployment) -> None:
        """A task of it has become healthy: consecutive failures are over."""
        breaker = service.configuration.get("deploymentCircuitBreaker", {})
        if breaker.get("resetOnHealthyTask", True):
            deployment.failed = 0

    def on_failed_task(self, service: Service, deployment: Deployment) -> None:
        """A task of it has failed before it was ever healthy."""
        if deployment.rollout_state != "IN_PROGRESS":
            return
        deployment.failed += 1
        deployment.updated_at = self._timeline.stamp()
        record = deployment.record
        breaker = service.configuration.get("deploymentCircuitBreaker", {})
        if not breaker.get("enable", False) or deployment is not service.primary:
            return
        record.failures = deployment.failed
        record.threshold = threshold(service.configuration, service.desired)
        if deployment.failed >= record.threshold:
            record.tripped = True
            self._fail_by_breaker(service, rollback=bool(breaker.get("rollback", False)))

    def on_alarm(self, service: Service, name: str) -> None:
        """A CloudWatch alarm went off; it matters to a deployment that watches it."""
        alarms = service.configuration.get("alarms", {})
        record = service.primary.record
        watched = alarms.get("enable", False) and name in alarms.get("alarmNames", [])
        if not watched or record.status != "IN_PROGRESS":
            return
        record.triggered_alarms.append(name)
        self._fail(service, "ECS deployment failed: alarm detected.", "alarm detected.")
        because = "because an alarm was detected."
        if alarms.get("rollback", False):
            self._roll_back(service, f"Service deployment rolled back {because}", "alarm")
        else:
            self._stop(service, f"Service deployment stopped {because}")
        self.changed(service)

    def stop(self, service: Service, record: ServiceDeployment, stop_type: str) -> None:
        """Somebody asked to stop ``record``, which is PENDING or IN_PROGRESS."""
        record.status = "ROLLBACK_REQUESTED" if stop_type == "ROLLBACK" else "STOP_REQUESTED"
        record.updated_at = self._timeline.stamp()

        def act() -> None:
            if record is not service.primary.record or not record.open:
                return  # superseded or ended meanwhile
            self._fail(service, "ECS deployment stopped by a user.", "stopped by a user.")
            service.primary.accepted = True
            if stop_type == "ROLLBACK":
                self._roll_back(
                    service, "Service deployment rolled back because of a user request.", "stopped"
                )
            else:
                self._stop(service, "Service deployment stopped because of a user request.")
            self.changed(service)

        self._timeline.after(self._tasks.timings.accept, act)

    def hook_id(self, service: Service) -> str:
        """The id of the next time that a PAUSE hook of the service is reached."""
        source = self._minter.source(f"hook/{service.arn}")
        return "ecs-pause-" + "".join(source.choice(BASE64URL) for _ in range(HOOK_ID_LENGTH))

    def fail_by_stage(self, service: Service, reason: str) -> None:
        """A stage of a deployment that shifts traffic went wrong: it is rolled back."""
        self._fail(service, reason, reason)
        self._roll_back(service, reason, "lifecycle stage")
        self.changed(service)

    def _fail_by_breaker(self, service: Service, *, rollback: bool) -> None:
        why = "ECS deployment circuit breaker: tasks failed to start."
        again = service.primary.is_rollback
        self._fail(service, why, "tasks failed to start.")
        because = "because the circuit breaker threshold was exceeded."
        if again:
            self._close(service, service.primary.record, "ROLLBACK_FAILED")
        elif rollback:
            self._roll_back(service, f"Service deployment rolled back {because}", "circuit breaker")
        else:
            self._stop(service, f"Service deployment stopped {because}")

    def _fail(self, service: Service, state_reason: str, event: str) -> None:
        deployment = service.primary
        deployment.rollout_state = "FAILED"
        deployment.reason = state_reason
        deployment.updated_at = self._timeline.stamp()
        if deployment.record.passage is not None:
            deployment.record.passage.abandon()
        self._journal.failed(service, deployment, event)

    def _stop(self, service: Service, reason: str) -> None:
        record = service.primary.record
        record.reason, record.stopped_at = reason, self._timeline.stamp()
        self._close(service, record, "STOPPED")

    def _roll_back(self, service: Service, reason: str, by: str) -> None:
        record, candidate = service.primary.record, service.completed
        record.reason = reason
        record.updated_at = self._timeline.stamp()
        if candidate is None:
            record.reason = f"{reason} No rollback candidate was found to run the rollback."
            self._close(service, record, "ROLLBACK_FAILED")
            return
        record.status = "ROLLBACK_IN_PROGRESS"
        record.rollback = {
            "reason": reason,
            "startedAt": self._timeline.stamp(),
            "serviceRevisionArn": candidate.revision.arn,
        }
        self._journal.rolling_back(service, candidate.id)
        kept = [t for t in service.tasks.values() if t.live and t.deployment is candidate]
        deployment = self._enter(service, candidate.revision, record)
        deployment.accepted = deployment.is_rollback = True
        deployment.reason = f"ECS deployment {by}: rolling back to deploymentId {candidate.id}."
        # The surviving tasks are of that very revision, so ECS goes on with them.
        for task in kept:
            task.deployment = deployment

    def _enter(self, service: Service, revision: Revision, record: ServiceDeployment) -> Deployment:
        now = self._timeline.stamp()
        for each in service.deployments:
            each.status, each.updated_at = "ACTIVE", now
        deployment = Deployment(
            id=f"ecs-svc/{self._minter.number(f'deployment/{service.arn}')}",
            revision=revision,
            created_at=now,
            updated_at=now,
            record=record,
        )
        service.deployments.insert(0, deployment)
        service.hold_until, service.failure_rounds = 0.0, 0
        service.steady, service.steady_since = False, None
        return deployment

    def _accept(self, service: Service, deployment: Deployment) -> None:
        record = deployment.record
        if record.status == "PENDING":
            record.status = "IN_PROGRESS"
            record.started_at = record.updated_at = self._timeline.stamp()
        if deployment is service.primary:
            deployment.accepted = True
            self.changed(service)

    def _supersede(self, service: Service) -> None:
        for record in service.history:
            if record.open:
                record.status = "STOP_REQUESTED"
                record.reason = "Service deployment stopped because a newer one was started."
                if record.passage is not None:
                    record.passage.abandon()
                record.updated_at = self._timeline.stamp()
                bow_out = functools.partial(self._bow_out, service, record)
                self._timeline.after(self._tasks.timings.accept, bow_out)

    def _bow_out(self, service: Service, record: ServiceDeployment) -> None:
        if record.status == "STOP_REQUESTED":
            record.stopped_at = self._timeline.stamp()
            self._close(service, record, "STOPPED")

    def _close(self, service: Service, record: ServiceDeployment, status: str) -> None:
        record.status = status
        record.finished_at = record.updated_at = self._timeline.stamp()
        record.counts = {
            revision.arn: counts(service, revision) for revision in (*record.sources, record.target)
        }

    def _revise(self, service: Service, definition: TaskDefinition) -> Revision:
        images = []
        for container in definition.document["containerDefinitions"]:
            pulled = self._tasks.pull(container["image"])
            image: Json = {"containerName": container["name"], "image": container["image"]}
            if pulled.image is not None:
                image["imageDigest"] = pulled.image.digest
            images.append(image)
        number = self._minter.number(f"revision/{service.arn}")
        revision = Revision(
            arn=self._child(service, "service-revision", number),
            task_definition=definition,
            created_at=self._timeline.stamp(),
            images=images,
            settings={k: service.settings[k] for k in REVISION_SETTINGS if k in service.settings},
            resolved=target_groups.resolve(
                service, shifting=service.configuration["strategy"] in SHIFTING
            ),
        )
        service.revisions.append(revision)
        return revision

    def _passage(self, service: Service, green: Revision) -> stages.Passage:
        # What serves now is the last that completed: all others only got as far as they did.
        blue = service.completed.revision if service.completed else None
        sources = [each.revision.arn for each in service.deployments]
        last = service.history[-1].passage if service.history else None
        before = last.production if last else {blue.arn: stages.WHOLE} if blue else {}
        return stages.Passage(
            blue=blue.arn if blue else None,
            green=green.arn,
            steps=stages.shares(service.configuration, first=blue is None),
            production={arn: before.get(arn, 0.0) for arn in (*sources, green.arn)},
            test=dict.fromkeys((*sources, green.arn), 0.0),
        )

    def _child(self, service: Service, kind: str, name: str) -> str:
        return service.arn.replace(":service/", f":{kind}/") + f"/{name}"


def threshold(configuration: Json, desired: int) -> int:
    """How many failures trip the breaker: half of the desired count, at least 3, at most 200.

    Source: ``ThresholdConfiguration`` in the ECS API reference.
    """
    chosen = configuration.get("deploymentCircuitBreaker", {}).get("thresholdConfiguration", {})
    kind = chosen.get("type", "BOUNDED_PERCENT")
    value = int(chosen.get("value", BREAKER_SHARE))
    if kind == "COUNT":
        return value
    share = math.ceil(desired * value / 100)
    if kind == "UNBOUNDED_PERCENT":
        return max(share, 1)
    return min(max(share, BREAKER_LEAST), BREAKER_MOST)


def counts(service: Service, revision: Revision) -> tuple[int, int, int]:
    """Requested, running and pending tasks of a revision."""
    tasks = [t for t in service.tasks.values() if t.deployment.revision is revision]
    running = sum(task.running for task in tasks)
    pending = sum(task.pending for task in tasks)
    wanted = service.primary.revision is revision
    return (service.desired if wanted else sum(t.live for t in tasks), running, pending)
