"""Conditions in a status, kept as ``SetDeploymentCondition`` and the kubelet keep them."""

from __future__ import annotations

from bot.playground.kube.resources import Json


def condition_of(status: Json, kind: str) -> Json | None:
    """The condition of that type."""
    return next((each for each in status.get("conditions", []) if each["type"] == kind), None)


def set_condition(status: Json, wanted: Json, now: str) -> None:
    """Put a condition (type, status, reason, message) there.

    One with the same status and reason stays as it is; the transition's time is that of the last
    change of ``status``.
    """
    found = condition_of(status, wanted["type"])
    if found and (found["status"], found.get("reason")) == (wanted["status"], wanted.get("reason")):
        return
    same = found is not None and found["status"] == wanted["status"]
    since = found["lastTransitionTime"] if found and same else now
    drop_condition(status, wanted["type"])
    status["conditions"].append({**wanted, "lastUpdateTime": now, "lastTransitionTime": since})


def drop_condition(status: Json, kind: str) -> None:
    """Take the condition of that type away."""
    status["conditions"] = [each for each in status.get("conditions", []) if each["type"] != kind]
