"""The garbage collector: what belonged to an object that is gone goes too."""

from __future__ import annotations

from bot.playground.kube.objects import Objects
from bot.playground.kube.resources import PODS, REPLICA_SETS
from bot.playground.kube.store import Change, key_of
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

OWNED = (REPLICA_SETS, PODS)


class Garbage:
    """Deletes dependents in the background, as deletes do where nothing else is asked for."""

    def __init__(self, timeline: Timeline, objects: Objects) -> None:
        self._objects = objects
        self.queue: Workqueue[str] = Workqueue(timeline, self._collect)
        objects.store.listeners.append(self._hear)

    def _hear(self, change: Change) -> None:
        if change.kind == "DELETED" and change.resource != PODS:
            self.queue.add(change.object["metadata"]["uid"])

    def _collect(self, uid: str) -> None:
        for resource in OWNED:
            for each in self._objects.store.all(resource):
                owners = each["metadata"].get("ownerReferences", [])
                if any(owner["uid"] == uid for owner in owners):
                    self._objects.delete(key_of(resource, each), {})
