"""The objects with which a world is furnished: Deployments as a team would have written them."""

from __future__ import annotations

from typing import TypedDict

from bot.playground.kube.resources import Json

PROBE: Json = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 5}


class DeploymentOptions(TypedDict, total=False):
    """How ``KubeWorld.create_deployment`` makes one; each has the default named here.

    ``image`` (``registry.example.com/<name>:v1``), ``container`` (the name), ``replicas`` (2),
    ``readiness`` (True: a readiness probe), ``liveness`` (False), ``max_surge`` (``25%``),
    ``max_unavailable`` (0), ``recreate`` (False), ``deadline`` (600), ``history`` (10),
    ``min_ready`` (0), ``annotations``, ``labels`` (beside ``app``), ``extra`` (merged into
    ``spec``), ``settled`` (True: it has been running for long).
    """

    image: str
    container: str
    replicas: int
    readiness: bool
    liveness: bool
    max_surge: int | str
    max_unavailable: int | str
    recreate: bool
    deadline: int
    history: int
    min_ready: int
    annotations: dict[str, str]
    labels: dict[str, str]
    extra: Json
    settled: bool


def deployment_of(name: str, options: DeploymentOptions) -> Json:
    """The manifest of a Deployment."""
    labels = {"app": name, **options.get("labels", {})}
    surge, unavailable = options.get("max_surge", "25%"), options.get("max_unavailable", 0)
    strategy: Json = {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": surge, "maxUnavailable": unavailable},
    }
    metadata: Json = {"name": name, "labels": labels}
    if options.get("annotations"):
        metadata["annotations"] = options["annotations"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata,
        "spec": {
            "replicas": options.get("replicas", 2),
            "progressDeadlineSeconds": options.get("deadline", 600),
            "revisionHistoryLimit": options.get("history", 10),
            "minReadySeconds": options.get("min_ready", 0),
            "selector": {"matchLabels": {"app": name}},
            "strategy": {"type": "Recreate"} if options.get("recreate") else strategy,
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [_container(name, options)]},
            },
            **options.get("extra", {}),
        },
    }


def _container(name: str, options: DeploymentOptions) -> Json:
    container: Json = {
        "name": options.get("container", name),
        "image": options.get("image", f"registry.example.com/{name}:v1"),
        "ports": [{"containerPort": 8080}],
        "env": [{"name": "LOG_LEVEL", "value": "info"}],
    }
    if options.get("readiness", True):
        container["readinessProbe"] = PROBE
    if options.get("liveness", False):
        container["livenessProbe"] = PROBE
    return container
