"""The scheduler and the kubelets: they run the pods that are there, on virtual time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bot.playground.aws.records import Behaviour, Minter
from bot.playground.kube import containers
from bot.playground.kube.conditions import set_condition
from bot.playground.kube.containers import Images, Timings
from bot.playground.kube.events import Recorder
from bot.playground.kube.objects import STATUS, Objects
from bot.playground.kube.resources import PODS, Json
from bot.playground.kube.store import Change, Key
from bot.playground.timeline import Timeline

KUBELET = "kubelet"
NODES = ("node-a", "node-b", "node-c")


@dataclass(frozen=True, slots=True)
class Place:
    """One container of one pod. ``uid`` tells a pod from its namesake."""

    key: Key
    uid: str
    index: int


class Pods:
    """Hears of new and of deleted pods and lets them live.

    With ``instant`` set, a new pod is at once what it comes to in the end, if it is a good one.
    """

    def __init__(
        self, timeline: Timeline, objects: Objects, recorder: Recorder, minter: Minter
    ) -> None:
        self._timeline = timeline
        self._objects = objects
        self._recorder = recorder
        self._minter = minter
        self.timings = Timings()
        self.images = Images(containers.every_image_is_good, containers.no_digest)
        self.instant = False
        self.ready_since: dict[str, float] = {}
        objects.store.listeners.append(self._hear)

    def crash(self, key: Key) -> None:
        """Let the first container of a running pod exit by itself, once."""
        found = self._objects.get(key)
        self._exit(Place(key, found["metadata"]["uid"], 0), again=False)

    def _hear(self, change: Change) -> None:
        if change.resource != PODS:
            return
        metadata = change.object["metadata"]
        key, uid = change.key, metadata["uid"]
        if change.kind == "ADDED":
            if self.instant:
                self._schedule(key, uid)
            else:
                delay = self._some(self.timings.schedule, uid)
                self._timeline.after(delay, partial(self._schedule, key, uid))
        elif change.kind == "DELETED":
            self.ready_since.pop(uid, None)
        elif metadata.get("deletionTimestamp") and not _leaving(change.before):
            stop = min(self.timings.stop, float(metadata["deletionGracePeriodSeconds"]))
            self._timeline.after(stop, partial(self._remove, key, uid))

    def _schedule(self, key: Key, uid: str) -> None:
        pod = self._alive(key, uid)
        if pod is None or pod["spec"].get("nodeName"):
            return
        node = self._minter.source(f"node/{uid}").choice(NODES)

        def place(found: Json) -> None:
            found["spec"]["nodeName"] = node

        self._objects.edit(key, place)
        self._objects.edit(key, self._begin, STATUS)
        where = f"{key[1]}/{key[2]}"
        text = f"Successfully assigned {where} to {node}"
        self._recorder.normal(pod, "Scheduled", text, "default-scheduler")
        for index, container in enumerate(pod["spec"]["containers"]):
            if self.instant and self._behaviour(container) is Behaviour.GOOD:
                self._change(Place(key, uid, index), partial(self._run, container))
                self._become_ready(Place(key, uid, index))
            else:
                self._pull(Place(key, uid, index))

    def _begin(self, pod: Json) -> None:
        now = self._objects.now()
        status = pod["status"] = {
            "phase": "Pending",
            "qosClass": "BestEffort",
            "startTime": now,
            "conditions": [],
            "containerStatuses": [containers.fresh_status(c) for c in pod["spec"]["containers"]],
        }
        for kind in ("PodScheduled", "Initialized"):
            set_condition(status, {"type": kind, "status": "True"}, now)
        self._judge(pod)

    def _pull(self, place: Place) -> None:
        container = self._container(place)
        pod = self._alive(place.key, place.uid)
        if container is None or pod is None:
            return
        image = container["image"]
        self._recorder.normal(pod, "Pulling", f'Pulling image "{image}"', KUBELET)
        seconds = self._some(self.timings.pull, place.uid)
        if self._behaviour(container) is Behaviour.UNPULLABLE:
            self._timeline.after(seconds, partial(self._fail_pull, place, self.timings.backoff))
        else:
            self._timeline.after(seconds, partial(self._pulled, place, seconds))

    def _pulled(self, place: Place, seconds: float) -> None:
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        text = f'Successfully pulled image "{container["image"]}" in {seconds:.3f}s'
        self._recorder.normal(pod, "Pulled", text, KUBELET)
        self._start(place)

    def _fail_pull(self, place: Place, backoff: float) -> None:
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        image = container["image"]
        if self._behaviour(container) is not Behaviour.UNPULLABLE:
            self._pulled(place, 1.0)
            return
        why = containers.pull_failure(image)
        self._recorder.warning(pod, "Failed", f'Failed to pull image "{image}": {why}', KUBELET)
        self._recorder.warning(pod, "Failed", "Error: ErrImagePull", KUBELET)
        self._wait(place, {"waiting": {"reason": "ErrImagePull", "message": why}})
        self._timeline.after(1.0, partial(self._back_off_pull, place, backoff))

    def _back_off_pull(self, place: Place, backoff: float) -> None:
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        text = f'Back-off pulling image "{container["image"]}"'
        self._recorder.normal(pod, "BackOff", text, KUBELET)
        self._recorder.warning(pod, "Failed", "Error: ImagePullBackOff", KUBELET)
        self._wait(place, {"waiting": {"reason": "ImagePullBackOff", "message": text}})
        longer = min(backoff * 2, self.timings.longest_backoff)
        self._timeline.after(backoff, partial(self._fail_pull, place, longer))

    def _start(self, place: Place) -> None:
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        name = container["name"]
        self._recorder.normal(pod, "Created", f"Created container {name}", KUBELET)
        self._recorder.normal(pod, "Started", f"Started container {name}", KUBELET)
        self._change(place, partial(self._run, container))
        self._after_start(place, container)

    def _run(self, container: Json, status: Json) -> None:
        status["state"] = {"running": {"startedAt": self._objects.now()}}
        status["started"] = True
        status["imageID"] = self.images.identity(container["image"])
        status["containerID"] = f"containerd://{self._minter.hexadecimal('container') * 2}"
        status["ready"] = "readinessProbe" not in container

    def _after_start(self, place: Place, container: Json) -> None:
        behaviour = self._behaviour(container)
        timings, uid = self.timings, place.uid
        if behaviour is Behaviour.CRASHING:
            self._timeline.after(self._some(timings.crash, uid), partial(self._exit, place))
        elif behaviour is Behaviour.UNHEALTHY:
            self._timeline.after(self._some(timings.probe, uid), partial(self._probe, place))
        elif "readinessProbe" in container:
            start = timings.slow if behaviour is Behaviour.SLOW else 0.0
            delay = float(container["readinessProbe"].get("initialDelaySeconds", 0))
            ready = self._some(max(start, delay) + timings.ready, uid)
            self._timeline.after(ready, partial(self._become_ready, place))

    def _become_ready(self, place: Place) -> None:
        def change(status: Json) -> None:
            if "running" in status["state"]:
                status["ready"] = True

        self._change(place, change)

    def _probe(self, place: Place) -> None:
        # A container that is not healthy fails both probes, each as often as it is asked.
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        if "readinessProbe" in container:
            text = containers.probe_failure(container, "readinessProbe")
            self._recorder.warning(pod, "Unhealthy", text, KUBELET)
        if "livenessProbe" in container:
            text = containers.probe_failure(container, "livenessProbe")
            self._recorder.warning(pod, "Unhealthy", text, KUBELET)
            text = f"Container {container['name']} failed liveness probe, will be restarted"
            self._recorder.normal(pod, "Killing", text, KUBELET)
            self._exit(place)
        else:
            self._timeline.after(self.timings.probe, partial(self._probe, place))

    def _exit(self, place: Place, *, again: bool = True) -> None:
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        code = 137 if self._behaviour(container) is Behaviour.UNHEALTHY else 1
        restarts = pod["status"]["containerStatuses"][place.index]["restartCount"]
        self._change(place, partial(self._terminate, code))
        # The first restart is at once; then the kubelet backs off, ever longer.
        if restarts == 0 or not again:
            self._timeline.after(0.5, partial(self._restart, place))
            return
        seconds = min(
            self.timings.backoff * 2 ** min(restarts - 1, 10), self.timings.longest_backoff
        )
        self._timeline.after(0.5, partial(self._back_off, place, seconds))

    def _terminate(self, code: int, status: Json) -> None:
        running = status["state"].get("running", {})
        ended = {
            "exitCode": code,
            "reason": "Error",
            "startedAt": running.get("startedAt"),
            "finishedAt": self._objects.now(),
            "containerID": status.get("containerID", ""),
        }
        status["state"] = {"terminated": ended}
        status["ready"] = status["started"] = False

    def _back_off(self, place: Place, seconds: float) -> None:
        pod, container = self._alive(place.key, place.uid), self._container(place)
        if pod is None or container is None:
            return
        name = container["name"]
        text = containers.crash_loop_event(name, pod)
        self._recorder.warning(pod, "BackOff", text, KUBELET)

        def wait(status: Json) -> None:
            status["lastState"] = status["state"]
            status["state"] = containers.crash_loop(seconds, name, pod)

        self._change(place, wait)
        self._timeline.after(seconds, partial(self._restart, place))

    def _restart(self, place: Place) -> None:
        def count(status: Json) -> None:
            if "terminated" in status["state"]:
                status["lastState"] = status["state"]
            status["restartCount"] += 1

        self._change(place, count)
        self._start(place)

    def _wait(self, place: Place, state: Json) -> None:
        def change(status: Json) -> None:
            status["state"] = state
            status["ready"] = False

        self._change(place, change)

    def _change(self, place: Place, change: Callable[[Json], None]) -> None:
        if self._alive(place.key, place.uid) is None:
            return

        def edit(pod: Json) -> None:
            change(pod["status"]["containerStatuses"][place.index])
            self._judge(pod)

        self._objects.edit(place.key, edit, STATUS)

    def _judge(self, pod: Json) -> None:
        # The phase and the conditions of a pod follow from those of its containers.
        status, now = pod["status"], self._objects.now()
        each = status["containerStatuses"]
        waiting = [s["name"] for s in each if not s["ready"]]
        started = any("running" in s["state"] or s["restartCount"] for s in each)
        if started or any("terminated" in s["state"] for s in each):
            status["phase"] = "Running"
        why = (
            {}
            if not waiting
            else {
                "reason": "ContainersNotReady",
                "message": f"containers with unready status: [{' '.join(waiting)}]",
            }
        )
        for kind in ("Ready", "ContainersReady"):
            set_condition(
                status, {"type": kind, "status": "False" if waiting else "True", **why}, now
            )
        if status["phase"] == "Running" and "podIP" not in status:
            source = self._minter.source("ip")
            status["podIP"] = f"10.42.{source.randrange(256)}.{source.randrange(2, 255)}"
            status["podIPs"] = [{"ip": status["podIP"]}]
        uid = pod["metadata"]["uid"]
        if waiting:
            self.ready_since.pop(uid, None)
        else:
            self.ready_since.setdefault(uid, self._timeline.now)

    def _remove(self, key: Key, uid: str) -> None:
        found = self._objects.store.find(*key)
        if found is not None and found["metadata"]["uid"] == uid:
            self._objects.store.remove(*key)

    def _alive(self, key: Key, uid: str) -> Json | None:
        found = self._objects.store.find(*key)
        if found is None or found["metadata"]["uid"] != uid or _leaving(found):
            return None
        return found

    def _container(self, place: Place) -> Json | None:
        found = self._objects.store.find(*place.key)
        return None if found is None else found["spec"]["containers"][place.index]

    def _behaviour(self, container: Json) -> Behaviour:
        return self.images.behaviour_of(container["image"])

    def _some(self, seconds: float, uid: str) -> float:
        chance = self._minter.source(f"life/{uid}").random()
        return seconds * (1 + self.timings.jitter * (chance - 0.5) * 2)


def _leaving(pod: Json | None) -> bool:
    return pod is not None and "deletionTimestamp" in pod["metadata"]


def is_ready(pod: Json) -> bool:
    """Whether the pod's condition Ready is true."""
    conditions = pod.get("status", {}).get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
