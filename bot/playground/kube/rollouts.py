"""The controller of Argo Rollouts, as far as a canary of weights and pauses goes.

Follows ``rollout/canary.go``, ``rollout/trafficrouting.go`` and ``utils/rollout`` of Argo Rollouts.
Where ``trafficRouting`` is given the stable pods stay, and a router that always obeys is told the
weights; else they are counts of pods. Blue-green and analyses are not simulated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil

from bot.playground.kube.argocd.windows import seconds
from bot.playground.kube.conditions import condition_of, set_condition
from bot.playground.kube.events import Recorder
from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.replica_sets import owned, owner_of, owner_reference
from bot.playground.kube.resources import REPLICA_SETS, ROLLOUTS, Json, cloned
from bot.playground.kube.revisions import scaled, template_hash
from bot.playground.kube.store import Change, Key, key_of
from bot.playground.kube.workqueue import Workqueue
from bot.playground.timeline import Timeline

COMPONENT = "rollouts-controller"
HASH = "rollouts-pod-template-hash"
REVISION = "rollout.argoproj.io/revision"
FAILED = ("RolloutAborted", "ProgressDeadlineExceeded")
ALL = 100
#: Seconds for which pods without traffic are kept where a router divides it.
SCALE_DOWN_DELAY = 30


@dataclass
class Canary:
    """A Rollout in one go: its new ReplicaSet, the others, and the status in the making."""

    rollout: Json
    new: Json
    old: list[Json]
    status: Json
    steps: list[Json] = field(default_factory=list)

    @property
    def replicas(self) -> int:
        """How many pods are wanted in all."""
        return int(self.rollout["spec"].get("replicas", 1))

    @property
    def hash(self) -> str:
        """The new ReplicaSet's hash."""
        return str(self.new["metadata"]["labels"][HASH])

    @property
    def step(self) -> Json | None:
        """The step that is being taken."""
        index = self.status.get("currentStepIndex", len(self.steps))
        return self.steps[index] if index < len(self.steps) else None

    @property
    def weight(self) -> int:
        """How many percent of the pods are to be new."""
        if self.status.get("stableRS", "") in {"", self.hash}:
            return ALL
        if self.status.get("abort"):
            return 0
        done = self.steps[: self.status.get("currentStepIndex", 0) + 1]
        if self.step is None:
            return ALL
        return next((each["setWeight"] for each in done[::-1] if "setWeight" in each), 0)

    @property
    def wanted(self) -> int:
        """How many new pods there are to be."""
        return ceil(self.replicas * self.weight / ALL)

    @property
    def strategy(self) -> Json:
        """How it is rolled."""
        found: Json = self.rollout["spec"].get("strategy", {}).get("canary", {})
        return found

    @property
    def routed(self) -> bool:
        """Whether a router divides the traffic."""
        return "trafficRouting" in self.strategy

    @property
    def promoted(self) -> bool:
        """Whether what is to run is what got through all steps last."""
        return self.status.get("stableRS", "") in {"", self.hash}

    @property
    def stable(self) -> Json | None:
        """What got through all steps last, where that is another one."""
        stable = self.status.get("stableRS", "")
        return next((e for e in self.old if e["metadata"]["labels"].get(HASH) == stable), None)

    @property
    def in_place(self) -> bool:
        """Whether the pods are as the weight says."""
        if self.routed:
            stable = self.stable
            whole = stable is None or _available(stable) == self.replicas
            return _available(self.new) == self.wanted and whole
        older = sum(each.get("status", {}).get("replicas", 0) for each in self.old)
        return _available(self.new) == self.wanted and older == self.replicas - self.wanted

    @property
    def routed_weight(self) -> int:
        """What the router is told: less than the step says while the pods are not there yet."""
        if self.promoted or self.status.get("abort") or not _available(self.new):
            return 0
        before: Json = self.status.get("canary", {}).get("weights", {}).get("canary", {})
        if self.status.get("promoteFull"):
            return int(before.get("weight", 0))
        if self.in_place or self.step is None:
            return self.weight
        done = self.steps[: self.status.get("currentStepIndex", 0)]
        return next((each["setWeight"] for each in done[::-1] if "setWeight" in each), 0)


class Rollouts:
    """Looks at a Rollout whenever it or one of its ReplicaSets has changed."""

    def __init__(self, timeline: Timeline, objects: Objects, recorder: Recorder) -> None:
        self._timeline = timeline
        self._objects = objects
        self._recorder = recorder
        self._since: dict[str, float] = {}  # when the pause began, by uid
        self._moved: dict[str, tuple[object, float]] = {}
        self._halted = False
        self._idle: dict[str, float] = {}  # since when pods have no traffic, by their set's uid
        self.queue: Workqueue[Key] = Workqueue(timeline, self._sync)
        objects.store.listeners.append(self._hear)

    def halt(self, *, halted: bool) -> None:
        """Whether it looks at nothing: it is down."""
        self._halted = halted
        for each in self._objects.store.all(ROLLOUTS):
            self.queue.add(key_of(ROLLOUTS, each))

    def _hear(self, change: Change) -> None:
        if change.resource == ROLLOUTS and change.kind != "DELETED":
            self.queue.add(change.key)
        elif change.resource == REPLICA_SETS:
            owner = owner_of(change.object, "Rollout")
            if owner:
                self.queue.add((ROLLOUTS, change.key[1], owner["name"]))

    def _sync(self, key: Key) -> None:
        rollout = self._objects.store.find(*key)
        if self._halted or rollout is None or "deletionTimestamp" in rollout["metadata"]:
            return
        canary = self._canary(rollout)
        if not rollout["spec"].get("paused"):
            self._walk(key, canary)
            self._route(canary)
            self._scale(key, canary)
        self._count(canary)
        self._judge(key, canary)
        status = canary.status

        def change(found: Json) -> None:
            found["status"] = status

        self._objects.edit(key, change, STATUS)

    def _canary(self, rollout: Json) -> Canary:
        sets = owned(self._objects, REPLICA_SETS, rollout)
        suffix = template_hash(rollout["spec"]["template"])
        same = [each for each in sets if each["metadata"]["labels"].get(HASH) == suffix]
        new = same[0] if same else self._make(rollout, suffix, len(sets) + 1)
        status = cloned(rollout.get("status", {}))
        steps = rollout["spec"].get("strategy", {}).get("canary", {}).get("steps") or []
        if status.get("currentPodHash") != suffix:
            for each in ("abort", "abortedAt", "promoteFull", "pauseConditions", "controllerPause"):
                status.pop(each, None)
            restarts = status.get("stableRS", suffix) != suffix
            status["currentStepIndex"] = 0 if restarts else len(steps)
            status["conditions"] = []
            status["currentPodHash"] = suffix
        old = [each for each in sets if each is not new]
        # The steps may have become fewer.
        status["currentStepIndex"] = min(status.get("currentStepIndex", 0), len(steps))
        return Canary(rollout, new, old, status, steps)

    def _make(self, rollout: Json, suffix: str, revision: int) -> Json:
        template = cloned(rollout["spec"]["template"])
        labels = {**template.setdefault("metadata", {}).get("labels", {}), HASH: suffix}
        template["metadata"]["labels"] = labels
        selector = cloned(rollout["spec"]["selector"])
        selector.setdefault("matchLabels", {})[HASH] = suffix
        metadata = {
            "name": f"{rollout['metadata']['name']}-{suffix}",
            "labels": labels,
            "annotations": {REVISION: str(revision)},
            "ownerReferences": [owner_reference(rollout)],
        }
        spec = {"replicas": 0, "selector": selector, "template": template}
        namespace = rollout["metadata"]["namespace"]
        return self._objects.create(REPLICA_SETS, namespace, {"metadata": metadata, "spec": spec})

    def _walk(self, key: Key, canary: Canary) -> None:
        status = canary.status
        if status.get("promoteFull"):
            status["currentStepIndex"] = len(canary.steps)
            status.pop("abort", None)  # one that is asked for later has no effect either
        if not status.get("abort"):
            status.pop("abortedAt", None)
        elif not canary.promoted:
            status["currentStepIndex"] = 0
        step = canary.step
        if status.get("abort") or canary.promoted or step is None:
            status.pop("pauseConditions", None)
            status.pop("controllerPause", None)
        elif "pause" in step:
            self._pause(key, canary, step["pause"] or {})
        elif not status.get("pauseConditions") and ("setWeight" not in step or canary.in_place):
            self._next(key, canary)

    def _pause(self, key: Key, canary: Canary, pause: Json) -> None:
        status, uid = canary.status, canary.rollout["metadata"]["uid"]
        now = self._timeline.now
        if not status.get("pauseConditions"):
            if status.get("controllerPause"):  # somebody has taken the condition away
                self._next(key, canary)
                return
            begun = {"reason": "CanaryPauseStep", "startTime": self._objects.now()}
            status["pauseConditions"] = [begun]
            status["controllerPause"] = True
            self._since[uid] = now
            text = "Rollout is paused (CanaryPauseStep)"
            self._recorder.normal(canary.rollout, "RolloutPaused", text, COMPONENT)
        if "duration" in pause:
            left = self._since.setdefault(uid, now) + seconds(str(pause["duration"])) - now
            if left <= 0:
                self._next(key, canary)
            else:
                self.queue.add_after(key, left)

    def _next(self, key: Key, canary: Canary) -> None:
        canary.status["currentStepIndex"] += 1
        canary.status.pop("pauseConditions", None)
        canary.status.pop("controllerPause", None)
        self.queue.add(key)

    def _route(self, canary: Canary) -> None:
        if not canary.routed:
            canary.status.pop("canary", None)
            return
        weight, strategy = canary.routed_weight, canary.strategy
        stable = canary.status.get("stableRS", "") or canary.hash
        told = (
            ("canary", weight, canary.hash, strategy.get("canaryService", "")),
            ("stable", ALL - weight, stable, strategy.get("stableService", "")),
        )
        canary.status["canary"] = {
            "weights": {
                name: {"weight": each, "podTemplateHash": pods, "serviceName": service}
                for name, each, pods, service in told
            }
        }

    def _scale(self, key: Key, canary: Canary) -> None:
        if canary.routed:
            self._scale_routed(key, canary)
            return
        surge = scaled(canary.strategy.get("maxSurge", "25%"), canary.replicas, up=True)
        room = canary.replicas + max(1, surge)
        older = sum(each["spec"]["replicas"] for each in canary.old)
        has = canary.new["spec"]["replicas"]
        if canary.wanted < has:
            self._resize(canary.new, canary.wanted)
        elif canary.wanted > has:
            self._resize(canary.new, min(canary.wanted, max(has, room - older)))
        stable, rest = canary.status.get("stableRS", ""), canary.replicas - canary.wanted
        for each in canary.old:
            if each["metadata"]["labels"].get(HASH) != stable:
                self._resize(each, 0)
            elif each["spec"]["replicas"] <= rest:
                self._resize(each, rest)
            else:  # as many stay as are not replaced yet
                self._resize(each, max(rest, canary.replicas - _available(canary.new)))

    def _scale_routed(self, key: Key, canary: Canary) -> None:
        stable = canary.stable
        if stable is not None:
            self._idle.pop(stable["metadata"]["uid"], None)
            self._resize(stable, canary.replicas)
        if canary.status.get("abort"):
            self._dismiss(key, canary, canary.new, "abortScaleDownDelaySeconds")
        else:
            self._idle.pop(canary.new["metadata"]["uid"], None)
            self._resize(canary.new, canary.wanted)
        for each in canary.old:
            if each is not stable:
                self._dismiss(key, canary, each, "scaleDownDelaySeconds")

    def _dismiss(self, key: Key, canary: Canary, found: Json, delay: str) -> None:
        """End pods that have no traffic any more, after a while."""
        if not found["spec"]["replicas"]:
            return
        wait, now = canary.strategy.get(delay, SCALE_DOWN_DELAY), self._timeline.now
        left = self._idle.setdefault(found["metadata"]["uid"], now) + wait - now
        if left <= 0 and not (delay.startswith("abort") and wait == 0):
            self._resize(found, 0)
        elif left > 0:
            self.queue.add_after(key, left)

    def _resize(self, found: Json, size: int) -> None:
        def change(each: Json) -> None:
            each["spec"]["replicas"] = size

        if found["spec"]["replicas"] != size:
            self._objects.edit(key_of(REPLICA_SETS, found), change)

    def _count(self, canary: Canary) -> None:
        status, sets = canary.status, [canary.new, *canary.old]
        if canary.weight == ALL and canary.step is None and canary.in_place:
            status["stableRS"] = canary.hash
            status.pop("promoteFull", None)
        for each in ("replicas", "readyReplicas", "availableReplicas"):
            status[each] = sum(found.get("status", {}).get(each, 0) for found in sets)
        status["updatedReplicas"] = canary.new.get("status", {}).get("replicas", 0)
        status["observedGeneration"] = str(canary.rollout["metadata"]["generation"])

    def _judge(self, key: Key, canary: Canary) -> None:
        status, spec = canary.status, canary.rollout["spec"]
        if status.get("abort"):
            status.setdefault("abortedAt", self._objects.now())
            revision = canary.new["metadata"]["annotations"][REVISION]
            text = f"Rollout aborted update to revision {revision}"
            self._say(canary, "False", "RolloutAborted", text)
        elif status.get("stableRS") == canary.hash and canary.in_place:
            text = f'ReplicaSet "{canary.new["metadata"]["name"]}" has successfully progressed.'
            self._say(canary, "True", "NewReplicaSetAvailable", text)
        elif spec.get("paused") or status.get("pauseConditions"):
            self._say(canary, "Unknown", "RolloutPaused", "Rollout is paused")
        else:
            self._watch_deadline(key, canary)
        status["phase"], status["message"] = phase_of(canary)
        if not status["message"]:
            del status["message"]

    def _watch_deadline(self, key: Key, canary: Canary) -> None:
        status, metadata = canary.status, canary.rollout["metadata"]
        names = ("currentPodHash", "currentStepIndex", "updatedReplicas", "availableReplicas")
        seen = [status.get(each) for each in names]
        was, since = self._moved.get(metadata["uid"], (None, 0.0))
        if was != seen:
            since = self._timeline.now
            self._moved[metadata["uid"]] = (seen, since)
        name = canary.new["metadata"]["name"]
        deadline = float(canary.rollout["spec"].get("progressDeadlineSeconds", 600))
        left = since + deadline - self._timeline.now
        if left <= 0:
            text = f'ReplicaSet "{name}" has timed out progressing.'
            self._say(canary, "False", "ProgressDeadlineExceeded", text)
        else:
            if was != seen:
                self.queue.add_after(key, left)
            text = f'ReplicaSet "{name}" is progressing.'
            self._say(canary, "True", "ReplicaSetUpdated", text)

    def _say(self, canary: Canary, status: str, reason: str, message: str) -> None:
        canary.status.setdefault("conditions", [])
        told = {"type": "Progressing", "status": status, "reason": reason, "message": message}
        set_condition(canary.status, told, self._objects.now())


def phase_of(canary: Canary) -> tuple[str, str]:
    """The phase and its message, as ``CalculateRolloutPhase`` tells them."""
    status = canary.status
    condition = condition_of(status, "Progressing") or {}
    if condition.get("reason") in FAILED:
        return "Degraded", f"{condition['reason']}: {condition['message']}"
    if canary.rollout["spec"].get("paused"):
        return "Paused", "manually paused"
    if status.get("pauseConditions"):
        return "Paused", str(status["pauseConditions"][0]["reason"])
    return _progress(canary)


def _progress(canary: Canary) -> tuple[str, str]:
    status = canary.status
    if status["updatedReplicas"] < canary.replicas:
        return "Progressing", "more replicas need to be updated"
    if status["availableReplicas"] < status["updatedReplicas"]:
        return "Progressing", "updated replicas are still becoming available"
    if status["replicas"] > status["updatedReplicas"] and not canary.routed:
        return "Progressing", "old replicas are pending termination"
    if status.get("stableRS") != canary.hash:
        return "Progressing", "waiting for all steps to complete"
    return "Healthy", ""


def _available(found: Json) -> int:
    return int(found.get("status", {}).get("availableReplicas", 0))
