"""The simulated cluster as pictures: each Application with its pods, ReplicaSets and commits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bot.playground.git import Entry
from bot.playground.kube.resources import REPLICA_SETS, Json
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
from bot.playground.tour.cluster import REPOSITORY, SERVICE, Cluster, folder, image_of, name
from bot.playground.tour.fleet import ENVIRONMENTS
from bot.playground.tour.stage import SPEED

#: Commits that one picture shows.
COMMITS = 3
_REVISION = "deployment.kubernetes.io/revision"
_HASH = "pod-template-hash"
_MOODS = {"Healthy": "good", "Degraded": "bad", "Missing": "bad", "Suspended": "warn"}
_BROKEN = {"CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "Error"}


@dataclass(slots=True)
class Applications:
    """Pictures of one cluster; git's log is read again only when its head has moved."""

    cluster: Cluster
    speed: float = SPEED
    _head: str = ""
    _logs: dict[str, list[Entry]] = field(default_factory=dict)

    def pictures(self) -> list[Picture]:
        """One of each Application."""
        self._look_at_git()
        return [self._picture(environment) for environment in ENVIRONMENTS]

    def _look_at_git(self) -> None:
        git = self.cluster.git
        head = git.head(REPOSITORY)
        if head != self._head:
            self._logs = {
                each: git.log(REPOSITORY, limit=COMMITS, path=folder(each)) for each in ENVIRONMENTS
            }
            self._head = head

    def _picture(self, environment: str) -> Picture:
        kube = self.cluster.kube
        with kube.store.lock:
            status = kube.argocd.application(name(environment)).get("status", {})
            deployment = kube.deployment(environment, SERVICE)
            pods = kube.pods(environment, f"app={SERVICE}")
            sets = list(kube.store.all(REPLICA_SETS, environment))
            events = kube.events(environment)[-EVENTS:]
        health = status.get("health", {}).get("status", "Unknown")
        synced = status.get("sync", {}).get("status", "Unknown")
        newest = _newest(deployment, sets)
        squares = [_square(each, newest) for each in pods]
        counts = deployment.get("status", {})
        ready = counts.get("readyReplicas", 0)
        return Picture(
            id=id_of(SERVICE, environment),
            service=SERVICE,
            environment=environment,
            desired=deployment["spec"].get("replicas", 1),
            running=ready,
            pending=max(0, counts.get("replicas", 0) - ready),
            state=f"{synced}, {health}",
            reason=status.get("operationState", {}).get("message", ""),
            squares=squares[:TASKS],
            hidden=max(len(squares) - TASKS, 0),
            releases=[_release(each, newest) for each in _shown(sets, newest)],
            events=[self._event(each, kube.clock.wall()) for each in reversed(events)],
            place="Argo CD",
            mood=_mood(synced, health),
            commits=tuple(map(_commit, self._logs[environment])),
            deployed_at=_last_changed(self._logs[environment]),
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


def _newest(deployment: Json, sets: list[Json]) -> str:
    """The template hash of the newest ReplicaSet."""
    revision = deployment["metadata"].get("annotations", {}).get(_REVISION)
    for each in sets:
        if each["metadata"].get("annotations", {}).get(_REVISION) == revision:
            return str(each["metadata"]["labels"].get(_HASH, ""))
    return ""


def _shown(sets: list[Json], newest: str) -> list[Json]:
    """The newest, and those that still have pods."""
    live = [
        each
        for each in sets
        if each["metadata"]["labels"].get(_HASH) == newest or each["spec"].get("replicas", 0)
    ]
    return sorted(live, key=lambda each: each["metadata"]["labels"].get(_HASH) != newest)


def _release(replica_set: Json, newest: str) -> Release:
    is_new = replica_set["metadata"]["labels"].get(_HASH) == newest
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
    side = "new" if pod["metadata"]["labels"].get(_HASH) == newest else "old"
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
