"""The texts of service events, as ECS writes them."""

from __future__ import annotations

from collections.abc import Sequence

from bot.playground.aws.records import Deployment, Minter, Service, Task
from bot.playground.timeline import Timeline


class Journal:
    """Writes a service's events, newest first."""

    def __init__(self, timeline: Timeline, minter: Minter) -> None:
        self._timeline = timeline
        self._minter = minter

    def write(self, service: Service, text: str) -> None:
        """Add an event saying ``(service <name>) <text>``."""
        identifier = self._minter.hexadecimal(f"event/{service.arn}")
        groups = (identifier[:8], identifier[8:12], identifier[12:16], identifier[16:20])
        service.events.appendleft(
            {
                "id": "-".join((*groups, identifier[20:])),
                "createdAt": self._timeline.stamp(),
                "message": f"(service {service.name}) {text}",
            }
        )

    def started(self, service: Service, tasks: Sequence[Task]) -> None:
        """Tasks were launched."""
        self.write(service, f"has started {len(tasks)} tasks: {_named(tasks)}.")

    def stopped(self, service: Service, tasks: Sequence[Task]) -> None:
        """Tasks were told to stop."""
        running = [task for task in tasks if task.was_ready or task.running]
        pending = [task for task in tasks if task not in running]
        if running:
            self.write(service, f"has stopped {len(running)} running tasks: {_named(running)}.")
        if pending:
            self.write(service, f"has stopped {len(pending)} pending tasks: {_named(pending)}.")

    def registered(self, service: Service, group: str) -> None:
        """A task was registered as a target."""
        self.write(service, f"registered 1 targets in (target-group {group})")

    def deregistered(self, service: Service, group: str) -> None:
        """A target has been drained."""
        self.write(service, f"deregistered 1 targets in (target-group {group})")

    def unhealthy(self, service: Service, task: Task, why: str) -> None:
        """A task failed its health checks."""
        self.write(service, f"(task {task.id}) {why}")

    def inconsistent(self, service: Service) -> None:
        """Tasks keep failing."""
        self.write(
            service,
            "is unable to consistently start tasks successfully. For more information, see the "
            "Troubleshooting section of the Amazon ECS Developer Guide.",
        )

    def completed(self, service: Service, deployment: Deployment) -> None:
        """A deployment settled."""
        self.write(service, f"(deployment {deployment.id}) deployment completed.")

    def failed(self, service: Service, deployment: Deployment, why: str) -> None:
        """A deployment failed; ``why`` is a whole sentence."""
        self.write(service, f"(deployment {deployment.id}) deployment failed: {why}")

    def rolling_back(self, service: Service, to: str) -> None:
        """A rollback began; ``to`` is the id of the deployment that had completed."""
        self.write(service, f"rolling back to deployment {to}.")

    def steady(self, service: Service) -> None:
        """Running equals desired."""
        self.write(service, "has reached a steady state.")


def _named(tasks: Sequence[Task]) -> str:
    return " ".join(f"(task {task.id})" for task in tasks)
