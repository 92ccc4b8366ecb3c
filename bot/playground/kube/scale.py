"""The ``scale`` subresource: replicas of a Deployment, a ReplicaSet or a Rollout."""

from __future__ import annotations

from typing import Any

from bot.playground.kube import refusals
from bot.playground.kube.objects import Objects, Write
from bot.playground.kube.patches import patched
from bot.playground.kube.resources import DEPLOYMENTS, Json
from bot.playground.kube.store import Key


def scale_of(found: Json) -> Json:
    """The Scale of an object."""
    metadata = found["metadata"]
    shown = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = found["spec"].get("selector", {}).get("matchLabels", {})
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: metadata[key] for key in shown},
        "spec": {"replicas": found["spec"].get("replicas", 1)},
        "status": {
            "replicas": found.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in sorted(labels.items())),
        },
    }


def replaced(objects: Objects, key: Key, body: Any, write: Write) -> Json:
    """Set what a whole Scale says. Raises ``ApiError``."""
    try:
        replicas = int(body["spec"]["replicas"])
    except (KeyError, TypeError, ValueError) as error:
        raise refusals.bad_request("the body is no Scale") from error
    version = (body.get("metadata") or {}).get("resourceVersion")
    if version and version != objects.get(key)["metadata"]["resourceVersion"]:
        raise refusals.conflict(key[0], key[2])

    def change(found: Json) -> None:
        found["spec"]["replicas"] = replicas

    return scale_of(objects.edit(key, change, Write(dry_run=write.dry_run)))


def scaled(objects: Objects, key: Key, content_type: str, patch: Any, write: Write) -> Json:
    """Patch the Scale of an object. Raises ``ApiError``."""
    # A strategic merge of a Scale has nothing strategic: it is taken as Deployments take it.
    body = patched(DEPLOYMENTS, scale_of(objects.get(key)), content_type, patch)
    return replaced(objects, key, body, write)
