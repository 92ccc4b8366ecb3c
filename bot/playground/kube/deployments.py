"""The Deployment controller: from a pod template to ReplicaSets, one step at a time.

Follows ``pkg/controller/deployment`` of Kubernetes: rolling.go, recreate.go, sync.go, progress.go.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bot.playground.kube import progress
from bot.playground.kube.events import Recorder
from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.replica_sets import owned, owner_of, owner_reference
from bot.playground.kube.resources import DEPLOYMENTS, PODS, REPLICA_SETS, Json, cloned
from bot.playground.kube.revisions import (
    DESIRED,
    HASH_LABEL,
    max_surge,
    max_unavailable,
    newest_first,
    replica_annotations,
    revision_annotations,
    revision_of,
    same_template,
    template_hash,
)
from bot.playground.kube.store import Change, Key, key_of
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

COMPONENT = "deployment-controller"


@dataclass
class Scene:
    """A Deployment and its ReplicaSets, as the controller sees them in one go."""

    deployment: Json
    new: Json | None
    old: list[Json] = field(default_factory=list)

    @property
    def all(self) -> list[Json]:
        """Old ones and the new one."""
        return [*self.old, *([self.new] if self.new else [])]

    @property
    def wanted(self) -> int:
        """How many pods are wanted."""
        return int(self.deployment["spec"]["replicas"])


class Deployments:
    """Looks at a Deployment whenever it, its ReplicaSets or their pods have changed."""

    def __init__(self, timeline: Timeline, objects: Objects, recorder: Recorder) -> None:
        self._timeline = timeline
        self._objects = objects
        self._recorder = recorder
        self._progress = progress.Progress(timeline, objects)
        self.queue: Workqueue[Key] = Workqueue(timeline, self._sync)
        objects.store.listeners.append(self._hear)

    def _hear(self, change: Change) -> None:
        if change.resource == DEPLOYMENTS and change.kind != "DELETED":
            self.queue.add(change.key)
        elif change.resource == REPLICA_SETS:
            owner = owner_of(change.object, "Deployment")
            if owner:
                self.queue.add((DEPLOYMENTS, change.key[1], owner["name"]))
        elif change.resource == PODS and change.kind == "DELETED":
            self._pod_gone(change)

    def _pod_gone(self, change: Change) -> None:
        # Recreate waits until the last old pod is gone.
        owner = owner_of(change.object, "ReplicaSet")
        found = owner and self._objects.store.find(REPLICA_SETS, change.key[1], owner["name"])
        above = owner_of(found, "Deployment") if found else None
        if above:
            self.queue.add((DEPLOYMENTS, change.key[1], above["name"]))

    def _sync(self, key: Key) -> None:
        found = self._objects.store.find(*key)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return
        self._progress.note_pause(key)
        scene = self._scene(key, create=False)
        spec = scene.deployment["spec"]
        if spec.get("paused") or _is_scaling(scene):
            self._scale(scene)
            self._finish(key, estimate=False)
            return
        if spec["strategy"]["type"] == "Recreate":
            self._recreate(key, scene)
        else:
            self._roll(self._scene(key, create=True))
        self._finish(key, estimate=True)

    def _scene(self, key: Key, *, create: bool) -> Scene:
        found = self._objects.get(key)
        sets = newest_first(owned(self._objects, REPLICA_SETS, found))
        template = found["spec"]["template"]
        # The oldest of several equal ones is taken, as the controller does.
        same = [each for each in sets if same_template(template, each["spec"]["template"])]
        new = same[-1] if same else None
        old = [each for each in sets if each is not new]
        revision = max([revision_of(each) for each in old], default=0) + 1
        if new is not None:
            new = self._number(key, new, revision)
        elif create:
            new = self._make(key, old, revision)
        return Scene(self._objects.get(key), new, old)

    def _number(self, key: Key, new: Json, revision: int) -> Json:
        deployment = self._objects.get(key)

        def annotate(found: Json) -> None:
            found["metadata"]["annotations"] = revision_annotations(deployment, new, revision)
            found["spec"]["minReadySeconds"] = deployment["spec"].get("minReadySeconds", 0)

        new = self._objects.edit(key_of(REPLICA_SETS, new), annotate)
        name = new["metadata"]["name"]
        self._progress.note(
            key,
            revision_of(new),
            progress.true("FoundNewReplicaSet", f'Found new replica set "{name}"'),
            only_first=True,
        )
        return new

    def _make(self, key: Key, old: list[Json], revision: int) -> Json:
        deployment = self._objects.get(key)
        template = cloned(deployment["spec"]["template"])
        suffix = template_hash(template)
        labels = {**template["metadata"].get("labels", {}), HASH_LABEL: suffix}
        template["metadata"]["labels"] = labels
        selector = cloned(deployment["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH_LABEL] = suffix
        name = f"{key[2]}-{suffix}"
        fresh: Json = {
            "metadata": {
                "name": name,
                "labels": labels,
                "annotations": revision_annotations(deployment, None, revision),
                "ownerReferences": [owner_reference(deployment)],
            },
            "spec": {
                "replicas": 0,
                "minReadySeconds": deployment["spec"].get("minReadySeconds", 0),
                "selector": selector,
                "template": template,
            },
        }
        fresh["spec"]["replicas"] = _room(Scene(deployment, fresh, old))
        made = self._objects.create(REPLICA_SETS, key[1], fresh)
        if fresh["spec"]["replicas"]:
            text = f"Scaled up replica set {name} to {fresh['spec']['replicas']}"
            self._recorder.normal(deployment, "ScalingReplicaSet", text, COMPONENT)
        created = progress.true("NewReplicaSetCreated", f'Created new replica set "{name}"')
        self._progress.note(key, revision, created)
        return made

    def _roll(self, scene: Scene) -> None:
        assert scene.new is not None  # noqa: S101 - it was created just before
        replicas = scene.new["spec"]["replicas"]
        if replicas != scene.wanted:
            room = scene.wanted if replicas > scene.wanted else _room(scene)
            if room != replicas:
                self._resize(scene, scene.new, room)
                return
        self._scale_down(scene)

    def _scale_down(self, scene: Scene) -> None:
        assert scene.new is not None  # noqa: S101 - it was created just before
        fewest = scene.wanted - max_unavailable(scene.deployment)
        unavailable = scene.new["spec"]["replicas"] - _available([scene.new])
        most = _replicas(scene.all) - fewest - unavailable
        if not _replicas(scene.old) or most <= 0:
            return
        oldest_first = newest_first(scene.old)[::-1]
        sizes = {each["metadata"]["name"]: each["spec"]["replicas"] for each in oldest_first}
        cleaned = 0
        for each in oldest_first:  # those that serve nobody first
            name = each["metadata"]["name"]
            fewer = min(most - cleaned, sizes[name] - _available([each]))
            sizes[name] -= max(0, fewer)
            cleaned += max(0, fewer)
        spare = _available(scene.all) - fewest
        for each in oldest_first:
            name = each["metadata"]["name"]
            fewer = max(0, min(sizes[name], spare))
            sizes[name] -= fewer
            spare -= fewer
        for each in oldest_first:
            self._resize(scene, each, sizes[each["metadata"]["name"]])

    def _recreate(self, key: Key, scene: Scene) -> None:
        active = [each for each in scene.old if each["spec"]["replicas"]]
        for each in active:
            self._resize(scene, each, 0)
        # Also pods that are on their way out still run: nothing new beside them.
        if active or any(owned(self._objects, PODS, each) for each in scene.old):
            return
        scene = self._scene(key, create=True)
        assert scene.new is not None  # noqa: S101 - it was created just before
        self._resize(scene, scene.new, scene.wanted)

    def _scale(self, scene: Scene) -> None:
        """Follow a change of ``replicas``, also while paused; several active sets share it."""
        active = [each for each in scene.all if each["spec"]["replicas"]]
        newest = newest_first(scene.all)
        if len(active) <= 1:
            only = active or [scene.new or newest[0]] if newest else []
            for each in only:
                self._resize(scene, each, scene.wanted)
            return
        room = scene.wanted + max_surge(scene.deployment) if scene.wanted else 0
        before = _replicas(active)
        left = room
        for each in newest_first(active)[1:]:
            share = min(left, round(each["spec"]["replicas"] * room / before))
            self._resize(scene, each, share)
            left -= share
        self._resize(scene, newest_first(active)[0], left)

    def _resize(self, scene: Scene, found: Json, size: int) -> None:
        before = found["spec"]["replicas"]

        def change(each: Json) -> None:
            each["spec"]["replicas"] = size
            annotations = each["metadata"].setdefault("annotations", {})
            annotations.update(replica_annotations(scene.deployment))

        self._objects.edit(key_of(REPLICA_SETS, found), change)
        if size != before:
            way, name = ("up" if size > before else "down"), found["metadata"]["name"]
            text = f"Scaled {way} replica set {name} to {size} from {before}"
            self._recorder.normal(scene.deployment, "ScalingReplicaSet", text, COMPONENT)

    def _finish(self, key: Key, *, estimate: bool) -> None:
        scene = self._scene(key, create=False)
        status = counted(scene, self._objects.now())
        if estimate:
            wait = self._progress.judge(scene.deployment, status, scene.new)
            if wait is not None:
                self.queue.add_after(key, wait)

        def change(found: Json) -> None:
            found["status"] = status

        self._objects.edit(key, change, STATUS)
        if progress.complete(scene.deployment, status):
            self._clean(scene)

    def _clean(self, scene: Scene) -> None:
        limit = scene.deployment["spec"].get("revisionHistoryLimit", 10)
        empty = [each for each in scene.old if not each["spec"]["replicas"]]
        empty = [each for each in empty if not each.get("status", {}).get("replicas")]
        for each in sorted(empty, key=revision_of)[: max(0, len(scene.old) - limit)]:
            self._objects.delete(key_of(REPLICA_SETS, each), {})


def counted(scene: Scene, now: str) -> Json:
    """The status that follows from the ReplicaSets, with the conditions so far."""
    actual = _total(scene.all, "replicas")
    available = _available(scene.all)
    counts = {
        "observedGeneration": scene.deployment["metadata"]["generation"],
        "replicas": actual,
        "updatedReplicas": _total([scene.new] if scene.new else [], "replicas"),
        "readyReplicas": _total(scene.all, "readyReplicas"),
        "availableReplicas": available,
        "unavailableReplicas": max(0, _replicas(scene.all) - available),
    }
    before = scene.deployment.get("status", {})
    status: Json = {key: each for key, each in counts.items() if each}
    status["conditions"] = cloned(before.get("conditions", []))
    enough = available >= scene.wanted - max_unavailable(scene.deployment)
    progress.say_available(status, enough=enough, now=now)
    return status


def _is_scaling(scene: Scene) -> bool:
    for each in scene.all:
        told = (each["metadata"].get("annotations") or {}).get(DESIRED)
        if each["spec"]["replicas"] and told is not None and int(told) != scene.wanted:
            return True
    return False


def _room(scene: Scene) -> int:
    """How many pods the new ReplicaSet may have now."""
    assert scene.new is not None  # noqa: S101 - it is what is asked about
    replicas = int(scene.new["spec"]["replicas"])
    if scene.deployment["spec"]["strategy"]["type"] == "Recreate":
        return scene.wanted
    free = scene.wanted + max_surge(scene.deployment) - _replicas(scene.all)
    return replicas if free <= 0 else replicas + min(free, scene.wanted - replicas)


def _replicas(sets: list[Json]) -> int:
    return sum(each["spec"]["replicas"] for each in sets)


def _total(sets: list[Json], what: str) -> int:
    return sum(each.get("status", {}).get(what, 0) for each in sets)


def _available(sets: list[Json]) -> int:
    return _total(sets, "availableReplicas")
