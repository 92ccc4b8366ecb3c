"""The ReplicaSet controller: as many pods as are wanted, and a status that counts them."""

from __future__ import annotations

from bot.playground.kube.events import Recorder
from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.pods import Pods, is_ready
from bot.playground.kube.resources import PODS, REPLICA_SETS, Json, Resource
from bot.playground.kube.store import Change, Key, key_of
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

COMPONENT = "replicaset-controller"


class ReplicaSets:
    """Looks at a ReplicaSet whenever it or one of its pods has changed."""

    def __init__(
        self, timeline: Timeline, objects: Objects, recorder: Recorder, pods: Pods
    ) -> None:
        self._timeline = timeline
        self._objects = objects
        self._recorder = recorder
        self._pods = pods
        self.queue: Workqueue[Key] = Workqueue(timeline, self._sync)
        objects.store.listeners.append(self._hear)

    def pods_of(self, owner: Json) -> list[Json]:
        """The pods that belong to a ReplicaSet and are not on their way out."""
        return [
            each
            for each in owned(self._objects, PODS, owner)
            if "deletionTimestamp" not in each["metadata"]
        ]

    def _hear(self, change: Change) -> None:
        if change.resource == REPLICA_SETS and change.kind != "DELETED":
            self.queue.add(change.key)
        elif change.resource == PODS:
            owner = owner_of(change.object, "ReplicaSet")
            if owner:
                self.queue.add((REPLICA_SETS, change.key[1], owner["name"]))

    def _sync(self, key: Key) -> None:
        found = self._objects.store.find(*key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        pods = self.pods_of(found)
        missing = found["spec"]["replicas"] - len(pods)
        for _ in range(missing):
            self._make(found)
        for pod in sorted(pods, key=self._dispensable)[: max(0, -missing)]:
            self._objects.delete(key_of(PODS, pod), {})
            text = f"Deleted pod: {pod['metadata']['name']}"
            self._recorder.normal(found, "SuccessfulDelete", text, COMPONENT)
        self._count(key, found)

    def _make(self, owner: Json) -> None:
        metadata, template = owner["metadata"], owner["spec"]["template"]
        pod: Json = {
            "metadata": {
                "generateName": f"{metadata['name']}-",
                "labels": template["metadata"].get("labels", {}),
                "ownerReferences": [owner_reference(owner)],
            },
            "spec": template["spec"],
        }
        if template["metadata"].get("annotations"):
            pod["metadata"]["annotations"] = template["metadata"]["annotations"]
        made = self._objects.create(PODS, metadata["namespace"], pod)
        if not self._pods.instant:
            self._objects.edit(key_of(PODS, made), _pending, STATUS)
        text = f"Created pod: {made['metadata']['name']}"
        self._recorder.normal(owner, "SuccessfulCreate", text, COMPONENT)

    def _count(self, key: Key, found: Json) -> None:
        pods = self.pods_of(found)
        ready = [each for each in pods if is_ready(each)]
        wait = float(found["spec"].get("minReadySeconds", 0))
        ages = [self._age(each) for each in ready]
        for age in ages:
            if age < wait:
                self.queue.add_after(key, wait - age)
        counts = {
            "replicas": len(pods),
            "fullyLabeledReplicas": len(pods),
            "readyReplicas": len(ready),
            "availableReplicas": sum(age >= wait for age in ages),
            "observedGeneration": found["metadata"]["generation"],
        }
        shown = {k: v for k, v in counts.items() if v or k == "replicas"}

        def change(each: Json) -> None:
            each["status"] = shown

        self._objects.edit(key, change, STATUS)

    def _age(self, pod: Json) -> float:
        since = self._pods.ready_since.get(pod["metadata"]["uid"], self._timeline.now)
        return self._timeline.now - since

    def _dispensable(self, pod: Json) -> tuple[bool, bool, float, str]:
        # Those that serve nobody go first, then the youngest.
        pending = pod.get("status", {}).get("phase", "Pending") == "Pending"
        return not pending, is_ready(pod), self._age(pod), pod["metadata"]["name"]


def _pending(pod: Json) -> None:
    pod["status"] = {"phase": "Pending", "qosClass": "BestEffort"}


def owner_of(found: Json, kind: str) -> Json | None:
    """The reference to the controller of that kind that an object has."""
    references = found["metadata"].get("ownerReferences", [])
    return next((r for r in references if r.get("controller") and r["kind"] == kind), None)


def owned(objects: Objects, resource: Resource, owner: Json) -> list[Json]:
    """The objects of that kind that ``owner`` controls."""
    namespace, uid = owner["metadata"]["namespace"], owner["metadata"]["uid"]
    return [
        each
        for each in objects.store.all(resource, namespace)
        if any(r["uid"] == uid for r in each["metadata"].get("ownerReferences", []))
    ]


def owner_reference(owner: Json) -> Json:
    """How an object names its controller."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
