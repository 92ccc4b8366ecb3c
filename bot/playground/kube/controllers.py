"""All controllers of the local cluster, and how they are brought to rest at once."""

from __future__ import annotations

from bot.playground.aws.records import Minter
from bot.playground.kube.deployments import Deployments
from bot.playground.kube.events import Recorder
from bot.playground.kube.garbage import Garbage
from bot.playground.kube.objects import Objects
from bot.playground.kube.pods import Pods
from bot.playground.kube.replica_sets import ReplicaSets
from bot.playground.timeline import Timeline

ROUNDS = 1000  # of settling; more than any furnished world takes


class Controllers:
    """The parts that set objects in motion."""

    def __init__(self, timeline: Timeline, objects: Objects, minter: Minter) -> None:
        self.recorder = Recorder(objects)
        self.pods = Pods(timeline, objects, self.recorder, minter)
        self.replica_sets = ReplicaSets(timeline, objects, self.recorder, self.pods)
        self.deployments = Deployments(timeline, objects, self.recorder)
        self.garbage = Garbage(timeline, objects)

    def settle(self) -> None:
        """Bring about at once what good images come to; the clock stands still meanwhile."""
        self.pods.instant = True
        try:
            for _ in range(ROUNDS):
                if not self.drain():
                    return
        finally:
            self.pods.instant = False

    def drain(self) -> bool:
        """Let every controller look at what waits for it; whether there was anything."""
        queues = (self.deployments.queue, self.replica_sets.queue, self.garbage.queue)
        return any([queue.drain() for queue in queues])  # noqa: C419 - each of them is to be drained
