"""Which pods of a Rollout get how much of its traffic: a reading of what the cluster holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bot.playground.kube import KubeWorld
from bot.playground.kube.pods import is_ready
from bot.playground.kube.refusals import ApiError
from bot.playground.kube.resources import ROLLOUTS, Json
from bot.playground.kube.rollouts import ALL, HASH


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod. ``life`` is another one after each restart of its container.

    Whoever is ``running`` can be scraped; ``ready`` ones get requests.
    """

    name: str
    life: str
    hash: str
    image: str
    instance: str
    running: bool
    ready: bool


@dataclass(frozen=True, slots=True)
class Serving:
    """One moment. Hashes tell versions apart: ``canary`` is empty where there is none.

    ``shares``, from 0 to 1, say how much of the traffic each hash gets.
    """

    stable: str = ""
    canary: str = ""
    shares: Mapping[str, float] = field(default_factory=dict)
    pods: Sequence[Pod] = ()

    def receiving(self, pods: str) -> list[Pod]:
        """Those of that hash that get requests."""
        return [each for each in self.pods if each.hash == pods and each.ready]


def serving(kube: KubeWorld, namespace: str, name: str) -> Serving:
    """Nobody serves where the Rollout is not there."""
    with kube.store.lock:
        try:
            rollout = kube.get(ROLLOUTS, namespace, name)
        except ApiError:
            return Serving()
        labels = rollout["spec"]["selector"]["matchLabels"]
        found = kube.pods(namespace, ",".join(f"{key}={each}" for key, each in labels.items()))
    pods = [_pod(each) for each in found]
    status = rollout.get("status", {})
    current = status.get("currentPodHash", "")
    stable = status.get("stableRS") or current
    canary = current if current != stable else ""
    return Serving(stable, canary, _shares(status, pods), pods)


def _shares(status: Json, pods: Sequence[Pod]) -> Mapping[str, float]:
    """By the weights that a router was told; without one every ready pod gets as much."""
    shares: dict[str, float] = {}
    weights = status.get("canary", {}).get("weights")
    if weights:
        for each in (weights["stable"], weights["canary"]):
            pods_of = each["podTemplateHash"]
            shares[pods_of] = shares.get(pods_of, 0.0) + each["weight"] / ALL
        return shares
    ready = [each for each in pods if each.ready]
    for pod in ready:
        shares[pod.hash] = shares.get(pod.hash, 0.0) + 1 / len(ready)
    return shares


def _pod(found: Json) -> Pod:
    metadata, status = found["metadata"], found.get("status", {})
    container: Json = next(iter(status.get("containerStatuses", [])), {})
    return Pod(
        name=metadata["name"],
        life=f"{metadata['uid']}/{container.get('restartCount', 0)}",
        hash=metadata["labels"].get(HASH, ""),
        image=found["spec"]["containers"][0]["image"],
        instance=f"{status.get('podIP', '')}:8080",
        running="running" in container.get("state", {}),
        ready=is_ready(found) and "deletionTimestamp" not in metadata,
    )
