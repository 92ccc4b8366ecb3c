"""All controllers of the local cluster, and how they are brought to rest at once."""

from __future__ import annotations

from bot.playground.aws.records import Minter
from bot.playground.kube.argocd.applications import Applications
from bot.playground.kube.argocd.comparing import Comparisons
from bot.playground.kube.argocd.rendering import Sources
from bot.playground.kube.deployments import Deployments
from bot.playground.kube.events import Recorder
from bot.playground.kube.garbage import Garbage
from bot.playground.kube.http_routes import HttpRoutes
from bot.playground.kube.objects import Objects
from bot.playground.kube.pods import Pods
from bot.playground.kube.replica_sets import ReplicaSets
from bot.playground.kube.rollouts import Rollouts
from bot.playground.timeline import Timeline

ROUNDS = 1000  # of settling; more than any furnished world takes


class Controllers:
    """The parts that set objects in motion."""

    def __init__(self, timeline: Timeline, objects: Objects, minter: Minter) -> None:
        self.recorder = Recorder(objects)
        self.pods = Pods(timeline, objects, self.recorder, minter)
        self.replica_sets = ReplicaSets(timeline, objects, self.recorder, self.pods)
        self.deployments = Deployments(timeline, objects, self.recorder)
        self.rollouts = Rollouts(timeline, objects, self.recorder)
        self.http_routes = HttpRoutes(timeline, objects)
        self.garbage = Garbage(timeline, objects)
        self.sources = Sources()
        comparisons = Comparisons(objects, self.sources)
        self.applications = Applications(timeline, objects, self.recorder, comparisons)

    def settle(self) -> None:
        """Bring about at once what good images come to; the clock stands still meanwhile."""
        self.pods.instant = self.applications.operations.instant = True
        try:
            for _ in range(ROUNDS):
                if not self.drain():
                    return
        finally:
            self.pods.instant = self.applications.operations.instant = False

    def drain(self) -> bool:
        """Let every controller look at what waits for it; whether there was anything."""
        done = [
            self.deployments.queue.drain(),
            self.rollouts.queue.drain(),
            self.replica_sets.queue.drain(),
            self.http_routes.queue.drain(),
            self.garbage.queue.drain(),
            self.applications.operations.queue.drain(),
            self.applications.queue.drain(),
        ]
        return any(done)
