"""What the API server fills in, and what it turns away, for the objects that it knows."""

from __future__ import annotations

from typing import Any

from bot.playground.kube.refusals import invalid
from bot.playground.kube.resources import (
    APPLICATIONS,
    DEPLOYMENTS,
    EVENTS,
    NAMESPACES,
    PODS,
    REPLICA_SETS,
    ROLLOUTS,
    Json,
    Resource,
    cloned,
)
from bot.playground.kube.selectors import matches_labels

POD_DEFAULTS: Json = {
    "restartPolicy": "Always",
    "terminationGracePeriodSeconds": 30,
    "dnsPolicy": "ClusterFirst",
    "securityContext": {},
    "schedulerName": "default-scheduler",
}
CONTAINER_DEFAULTS: Json = {
    "resources": {},
    "terminationMessagePath": "/dev/termination-log",
    "terminationMessagePolicy": "File",
}
PROBE_DEFAULTS: Json = {
    "timeoutSeconds": 1,
    "periodSeconds": 10,
    "successThreshold": 1,
    "failureThreshold": 3,
}
PROBES = ("readinessProbe", "livenessProbe", "startupProbe")
DEPLOYMENT_DEFAULTS: Json = {
    "replicas": 1,
    "revisionHistoryLimit": 10,
    "progressDeadlineSeconds": 600,
}


def defaulted(resource: Resource, wanted: Json) -> Json:
    """A copy with everything filled in that the API server fills in. CRDs get nothing here."""
    if resource.custom:
        return wanted
    result = cloned(wanted)
    if resource in {DEPLOYMENTS, REPLICA_SETS}:
        spec = result.setdefault("spec", {})
        if resource == DEPLOYMENTS:
            _fill(spec, DEPLOYMENT_DEFAULTS)
            _strategy(spec)
        _fill(spec, {"replicas": 1})
        template = spec.setdefault("template", {})
        template.setdefault("metadata", {}).setdefault("creationTimestamp", None)
        _pod(template.setdefault("spec", {}))
    elif resource == PODS:
        _pod(result.setdefault("spec", {}))
    elif resource == NAMESPACES:
        result.setdefault("spec", {"finalizers": ["kubernetes"]})
        result["status"] = {"phase": "Active"}
    return result


def check(resource: Resource, wanted: Json, before: Json | None) -> None:
    """Raise ``ApiError`` (422) where validation would not let the object through."""
    name = wanted["metadata"].get("name", "")
    if resource in {DEPLOYMENTS, REPLICA_SETS}:
        _check_workload(resource, name, wanted["spec"], before)
    elif resource == APPLICATIONS:
        for field in ("project", "destination"):
            if field not in wanted.get("spec", {}):
                raise invalid(resource, name, f"spec.{field}", "Required value")
    elif resource == ROLLOUTS and "spec" not in wanted:
        raise invalid(resource, name, "spec", "Required value")
    elif resource == EVENTS and "involvedObject" not in wanted:
        raise invalid(resource, name, "involvedObject", "Required value")


def _check_workload(resource: Resource, name: str, spec: Json, before: Json | None) -> None:
    labels = spec["template"]["metadata"].get("labels") or {}
    selector = spec.get("selector")
    if not selector:
        raise invalid(resource, name, "spec.selector", "Required value")
    if not matches_labels(selector, labels):
        why = f"Invalid value: {labels}: `selector` does not match template `labels`"
        raise invalid(resource, name, "spec.template.metadata.labels", why)
    if before is not None and before["spec"]["selector"] != selector:
        why = f"Invalid value: {selector}: field is immutable"
        raise invalid(resource, name, "spec.selector", why)
    if spec["replicas"] < 0:
        why = f"Invalid value: {spec['replicas']}: must be greater than or equal to 0"
        raise invalid(resource, name, "spec.replicas", why)
    _check_containers(resource, name, spec["template"]["spec"])
    rolling = spec.get("strategy", {}).get("rollingUpdate") or {}
    if rolling and all(rolling[each] in {0, "0%"} for each in ("maxSurge", "maxUnavailable")):
        why = "Invalid value: 0: may not be 0 when `maxSurge` is 0"
        raise invalid(resource, name, "spec.strategy.rollingUpdate.maxUnavailable", why)


def _check_containers(resource: Resource, name: str, pod: Json) -> None:
    place = "spec.template.spec.containers"
    containers = pod.get("containers") or []
    if not containers:
        raise invalid(resource, name, place, "Required value")
    seen: set[str] = set()
    for index, each in enumerate(containers):
        for field in ("name", "image"):
            if not each.get(field):
                raise invalid(resource, name, f"{place}[{index}].{field}", "Required value")
        if each["name"] in seen:
            why = f'Duplicate value: "{each["name"]}"'
            raise invalid(resource, name, f"{place}[{index}].name", why)
        seen.add(each["name"])


def _strategy(spec: Json) -> None:
    strategy = spec.setdefault("strategy", {})
    strategy.setdefault("type", "RollingUpdate")
    if strategy["type"] == "RollingUpdate":
        rolling = strategy["rollingUpdate"] = dict(strategy.get("rollingUpdate") or {})
        _fill(rolling, {"maxUnavailable": "25%", "maxSurge": "25%"})


def _pod(spec: Json) -> None:
    _fill(spec, POD_DEFAULTS)
    for container in [*spec.get("containers", []), *spec.get("initContainers", [])]:
        _fill(container, CONTAINER_DEFAULTS)
        tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
        always = tag in {"", "latest"} and "@" not in str(container.get("image", ""))
        _fill(container, {"imagePullPolicy": "Always" if always else "IfNotPresent"})
        for port in container.get("ports", []):
            _fill(port, {"protocol": "TCP"})
        for probe in PROBES:
            if probe in container:
                _fill(container[probe], PROBE_DEFAULTS)
                _fill(container[probe].get("httpGet", {}), {"path": "/", "scheme": "HTTP"})


def _fill(target: dict[str, Any], defaults: Json) -> None:
    for key, value in defaults.items():
        target.setdefault(key, cloned(value))
