"""Applications as Argo CD writes them, for tests: JSON with the few fields that matter."""

from __future__ import annotations

from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
OURS, OLD, LATER = "a" * 40, "0" * 40, "c" * 40
REMOTE = "https://git.example/acme/manifests.git"
DIGEST = "sha256:" + "a1" * 32
OLD_DIGEST = "sha256:" + "b2" * 32
VALUE, OLD_VALUE = f"v1.5.0@{DIGEST}", f"v1.4.0@{OLD_DIGEST}"

Json = dict[str, Any]


def stamp(seconds: float) -> str:
    """A moment so many seconds after ``T0``, as the API server writes it."""
    return f"{T0 + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%SZ}"


def operation(
    phase: str = "Succeeded",
    revision: str = OURS,
    message: str = "",
    ended: float | None = 20,
    **more: Any,
) -> Json:
    """An ``operationState``."""
    state: Json = {
        "phase": phase,
        "message": message,
        "startedAt": stamp(10),
        "operation": {"sync": {"revision": revision}, "initiatedBy": {"automated": True}},
        "syncResult": {"revision": revision, "source": {"repoURL": REMOTE}},
    }
    if ended is not None and phase not in {"Running", "Terminating"}:
        state["finishedAt"] = stamp(ended)
    return merged(state, more)


def application(
    revision: str = OURS,
    synced: str = "Synced",
    health: str = "Healthy",
    state: Json | None = None,
    reconciled: float | None = 21,
    **more: Any,
) -> Json:
    """An Application of one source, auto-synced, in the cluster that Argo CD runs in."""
    status: Json = {
        "sync": {"status": synced, "revision": revision},
        "health": {"status": health},
        "resources": [
            {
                "group": "apps",
                "version": "v1",
                "kind": "Deployment",
                "namespace": "shop",
                "name": "web",
                "status": synced,
                "health": {"status": health},
            }
        ],
    }
    if state is not None:
        status["operationState"] = state
    if reconciled is not None:
        status["reconciledAt"] = stamp(reconciled)
    made = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": "web", "namespace": "argocd", "resourceVersion": "7"},
        "spec": {
            "project": "default",
            "source": {"repoURL": REMOTE, "path": "apps/web", "targetRevision": "main"},
            "destination": {"server": "https://kubernetes.default.svc", "namespace": "shop"},
            "syncPolicy": {"automated": {"selfHeal": True}},
        },
        "status": status,
    }
    return merged(made, more)


def deployment(
    image: str = f"web:{VALUE}",
    *,
    desired: int = 2,
    updated: int = 2,
    available: int = 2,
    total: int = 2,
    observed: int = 3,
    **more: Any,
) -> Json:
    """A Deployment of generation 3 that rolls without downtime."""
    made = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "web",
            "namespace": "shop",
            "uid": "u-1",
            "generation": 3,
            "resourceVersion": "9",
        },
        "spec": {
            "replicas": desired,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0}},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {
                    "containers": [
                        {"name": "app", "image": image, "readinessProbe": {"httpGet": {}}}
                    ]
                },
            },
        },
        "status": {
            "observedGeneration": observed,
            "replicas": total,
            "updatedReplicas": updated,
            "availableReplicas": available,
        },
    }
    return merged(made, more)


def merged(base: Json, changes: Json) -> Json:
    """``base`` with ``changes`` by RFC 7386: null takes away, a list is whole."""
    made = deepcopy(base)
    for key, value in changes.items():
        if value is None:
            made.pop(key, None)
        elif isinstance(value, dict) and isinstance(made.get(key), dict):
            made[key] = merged(made[key], value)
        else:
            made[key] = deepcopy(value)
    return made
