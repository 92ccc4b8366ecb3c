"""The simulated cluster as pictures: each Application with its pods, ReplicaSets and commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.playground.git import Entry
from bot.playground.kube.resources import REPLICA_SETS, Json
from bot.playground.kube.revisions import HASH_LABEL, REVISION
from bot.playground.kube.rollouts import HASH as ROLLOUT_HASH
from bot.playground.page.world import (
    EVENTS,
    TASKS,
    Commit,
    Event,
    Phase,
    Picture,
    Release,
    Square,
    age,
    id_of,
)
from bot.playground.tour.cluster import PLACES, REPOSITORY, Cluster, folder, image_of, name
from bot.playground.tour.stage import SPEED

#: A service in one of its environments.
Place = tuple[str, str]
#: Commits that one picture shows.
COMMITS = 3
_MOODS = {"Healthy": "good", "Degraded": "bad", "Missing": "bad", "Suspended": "warn"}
_BROKEN = {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "Error"}


@dataclass(slots=True)
class Applications:
    """Pictures of one cluster; git's log is read again only when its head has moved."""

    cluster: Cluster
    speed: float = SPEED
    _head: str = ""
    _logs: dict[Place, list[Entry]] = field(default_factory=dict)

    def pictures(self) -> list[Picture]:
        """One of each Application."""
        self._look_at_git()
        return [self._picture(*each) for each in PLACES]

    def _look_at_git(self) -> None:
        git = self.cluster.git
        head = git.head(REPOSITORY)
        if head != self._head:
            self._logs = {
                each: git.log(REPOSITORY, limit=COMMITS, path=folder(*each)) for each in PLACES
            }
            self._head = head

    def _picture(self, service: str, environment: str) -> Picture:
        kube = self.cluster.kube
        with kube.store.lock:
            status = kube.argocd.application(name(service, environment)).get("status", {})
            workload = self.cluster.workload(service, environment)
            pods = kube.pods(environment, f"app={service}")
            sets = [
                each for each in kube.store.all(REPLICA_SETS, environment) if _is_of(each, service)
            ]
            events = [each for each in kube.events(environment) if _tells_of(each, service)]
        health = status.get("health", {}).get("status", "Unknown")
        synced = status.get("sync", {}).get("status", "Unknown")
        newest = _newest(workload, sets)
        squares = [_square(each, newest) for each in pods]
        counts, log = workload.get("status", {}), self._logs[service, environment]
        ready = counts.get("readyReplicas", 0)
        return Picture(
            id=id_of(service, environment),
            service=service,
            environment=environment,
            desired=workload["spec"].get("replicas", 1),
            running=ready,
            pending=max(0, counts.get("replicas", 0) - ready),
            state=f"{synced}, {health}",
            reason=status.get("operationState", {}).get("message", ""),
            squares=squares[:TASKS],
            hidden=max(len(squares) - TASKS, 0),
            releases=[_release(each, newest) for each in _shown(sets, newest)],
            events=[self._event(each, kube.clock.wall()) for each in reversed(events[-EVENTS:])],
            place="Argo CD",
            mood=_mood(synced, health),
            commits=tuple(map(_commit, log)),
            deployed_at=_last_changed(log),
        )

    def _event(self, event: Json, now: float) -> Event:
        whole = f"{event['involvedObject']['name']}: {event['message']}"
        passed = max(now - _seconds(event), 0.0) * (self.speed or 1.0)
        return Event(str(event["message"]), whole, age(passed))


def _seconds(event: Json) -> float:
    moment = event.get("lastTimestamp") or event["metadata"]["creationTimestamp"]
    return datetime.fromisoformat(moment).timestamp()


def _commit(entry: Entry) -> Commit:
    return Commit(
        entry.hash[:7],
        entry.author.partition(" <")[0],
        entry.subject,
        ours=entry.trailer("Deployment-Id") is not None,
    )


def _last_changed(log: list[Entry]) -> float:
    """When what git says of it was changed last; that it was made does not count."""
    return log[0].at.timestamp() if len(log) > 1 else 0.0


def _mood(synced: str, health: str) -> str:
    if health in _MOODS and (synced == "Synced" or health != "Healthy"):
        return _MOODS[health]
    return "busy"


def _is_of(replica_set: Json, service: str) -> bool:
    return any(each["name"] == service for each in replica_set["metadata"]["ownerReferences"])


def _tells_of(event: Json, service: str) -> bool:
    """Its pods and ReplicaSets are named after it."""
    of = str(event["involvedObject"]["name"])
    return of == service or of.startswith(f"{service}-")


def _newest(workload: Json, sets: list[Json]) -> str:
    """The template hash of the newest ReplicaSet. A Rollout names it, a Deployment its revision."""
    current = workload.get("status", {}).get("currentPodHash")
    if current is not None:
        return str(current)
    revision = workload["metadata"].get("annotations", {}).get(REVISION)
    for each in sets:
        if each["metadata"].get("annotations", {}).get(REVISION) == revision:
            return _hash(each)
    return ""


def _hash(found: Json) -> str:
    """What tells the pods of one version, and their ReplicaSet, from others."""
    labels = found["metadata"]["labels"]
    return str(labels.get(ROLLOUT_HASH) or labels.get(HASH_LABEL, ""))


def _shown(sets: list[Json], newest: str) -> list[Json]:
    """The newest, and those that still have pods."""
    live = [each for each in sets if _hash(each) == newest or each["spec"].get("replicas", 0)]
    return sorted(live, key=lambda each: _hash(each) != newest)


def _release(replica_set: Json, newest: str) -> Release:
    is_new = _hash(replica_set) == newest
    wanted = replica_set["spec"].get("replicas", 0)
    ready = replica_set.get("status", {}).get("readyReplicas", 0)
    image = str(replica_set["spec"]["template"]["spec"]["containers"][0]["image"])
    return Release(
        status="NEWEST" if is_new else "OLDER",
        side="new" if is_new else "old",
        version=_version(image),
        state="COMPLETED" if is_new and wanted and ready == wanted else f"{ready}/{wanted} ready",
        reason="",
        failed=0,
        mood="good" if ready == wanted else "busy",
    )


def _version(image: str) -> str:
    tagged, _, digest = image.partition("@")
    tag = tagged.rpartition("/")[2].partition(":")[2]
    return tag or digest.removeprefix("sha256:")[:12]


def _square(pod: Json, newest: str) -> Square:
    phase, why = _phase(pod)
    side = "new" if _hash(pod) == newest else "old"
    said = f" ({why})" if why else ""
    title = f"Pod {pod['metadata']['name']}, {_version(image_of(pod))}: {phase.meaning}{said}"
    return Square(phase, side, title)


def _phase(pod: Json) -> tuple[Phase, str]:
    status: Mapping[str, Any] = pod.get("status", {})
    containers = status.get("containerStatuses", [])
    waiting = [each.get("state", {}).get("waiting", {}).get("reason", "") for each in containers]
    if "deletionTimestamp" in pod["metadata"]:
        return Phase.DRAINING, ""
    if status.get("phase") == "Failed" or _BROKEN.intersection(waiting):
        return Phase.FAILED, next(iter(filter(None, waiting)), "")
    if status.get("phase") != "Running":
        scheduled = any(
            each["type"] == "PodScheduled" and each["status"] == "True"
            for each in status.get("conditions", [])
        )
        return (Phase.PENDING if scheduled else Phase.PROVISIONING), ""
    return (Phase.HEALTHY if all(each.get("ready") for each in containers) else Phase.RUNNING), ""
