"""Argo CD's health rules for the kinds that the local cluster serves.

Sources: ``pkg/health`` of gitops-engine, and ``resource_customizations`` of Argo CD for Rollouts.
"""

from __future__ import annotations

from bot.playground.kube.conditions import condition_of
from bot.playground.kube.resources import Json

#: From the best to the worst; an Application is as healthy as the worst of its resources.
ORDER = ("Healthy", "Suspended", "Progressing", "Missing", "Degraded", "Unknown")
#: Kinds whose absence makes an Application Missing.
CHECKED = {"Deployment", "Rollout", "Service", "Pod", "ReplicaSet"}
WAITING = "Waiting for rollout to finish: "


def worst(codes: list[str]) -> str:
    """The health of an Application whose resources are that healthy."""
    return max(codes, key=ORDER.index, default="Healthy")


def health_of(found: Json | None, kind: str) -> Json | None:
    """Status and message of a live object; ``None`` for kinds that have no health."""
    if found is None:
        return {"status": "Missing"}
    if "deletionTimestamp" in found["metadata"]:
        return _told("Progressing", "Pending deletion")
    match kind:
        case "Deployment":
            return _deployment(found)
        case "Rollout":
            return _rollout(found)
        case "Service":
            return _told("Healthy")
        case _:
            return None


def _deployment(found: Json) -> Json:
    spec, status = found["spec"], found.get("status", {})
    if spec.get("paused"):
        return _told("Suspended", "Deployment is paused")
    if found["metadata"]["generation"] > status.get("observedGeneration", 0):
        return _told(
            "Progressing",
            WAITING + "observed deployment generation less than desired generation",
        )
    condition = condition_of(status, "Progressing")
    if condition and condition["reason"] == "ProgressDeadlineExceeded":
        name = found["metadata"]["name"]
        return _told("Degraded", f'Deployment "{name}" exceeded its progress deadline')
    missing = _missing(spec["replicas"], status)
    return _told("Progressing", WAITING + missing) if missing else _told("Healthy")


def _missing(wanted: int, status: Json) -> str:
    counts = ("replicas", "updatedReplicas", "availableReplicas")
    replicas, updated, available = (status.get(each, 0) for each in counts)
    if updated < wanted:
        return f"{updated} out of {wanted} new replicas have been updated..."
    if replicas > updated:
        return f"{replicas - updated} old replicas are pending termination..."
    if available < updated:
        return f"{available} of {updated} updated replicas are available..."
    return ""


def _rollout(found: Json) -> Json:
    status = found.get("status", {})
    if str(status.get("observedGeneration", "")) != str(found["metadata"]["generation"]):
        return _told("Progressing", "Waiting for rollout spec update to be observed")
    phase = status.get("phase", "Progressing")
    return _told("Suspended" if phase == "Paused" else phase, status.get("message", ""))


def _told(status: str, message: str = "") -> Json:
    return {"status": status, "message": message} if message else {"status": status}
