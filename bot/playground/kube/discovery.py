"""What the API server says of itself: versions, groups, resources, health."""

from __future__ import annotations

from bot.playground.kube.resources import RESOURCES, Json, Resource

VERSION: Json = {
    "major": "1",
    "minor": "31",
    "gitVersion": "v1.31.4+quarterdeck",
    "gitCommit": "0" * 40,
    "gitTreeState": "clean",
    "buildDate": "2024-12-11T00:00:00Z",
    "goVersion": "go1.22.9",
    "compiler": "gc",
    "platform": "linux/amd64",
}
HEALTH = ("/healthz", "/livez", "/readyz")
ALL_VERBS = ["create", "delete", "get", "list", "patch", "update", "watch"]


def found_at(path: str) -> Json | None:
    """The document of a discovery path, ``None`` where that is none."""
    match path.strip("/").split("/"):
        case ["version"]:
            return VERSION
        case ["api"]:
            return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
        case ["api", "v1"]:
            return _resources("v1")
        case ["apis", *steps]:
            return _below_apis(steps)
        case _:
            return None


def _below_apis(steps: list[str]) -> Json | None:
    groups = _groups()
    match steps:
        case []:
            named = [_group(name, versions) for name, versions in groups.items()]
            return {"kind": "APIGroupList", "apiVersion": "v1", "groups": named}
        case [group] if group in groups:
            return {"kind": "APIGroup", "apiVersion": "v1", **_group(group, groups[group])}
        case [group, version] if version in groups.get(group, []):
            return _resources(f"{group}/{version}")
        case _:
            return None


def _groups() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for each in RESOURCES:
        if each.group and each.version not in found.setdefault(each.group, []):
            found[each.group].append(each.version)
    return found


def _group(name: str, versions: list[str]) -> Json:
    named = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    return {"name": name, "versions": named, "preferredVersion": named[0]}


def _resources(group_version: str) -> Json:
    entries = []
    for each in RESOURCES:
        if each.api_version == group_version:
            entries.append(_entry(each))
            entries += [_subresource(each, name) for name in each.subresources]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": entries,
    }


def _entry(resource: Resource) -> Json:
    return {
        "name": resource.plural,
        "singularName": resource.kind.lower(),
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["create"] if resource.virtual else ALL_VERBS,
        **({"shortNames": list(resource.short)} if resource.short else {}),
    }


def _subresource(resource: Resource, name: str) -> Json:
    scale = {"group": "autoscaling", "version": "v1", "kind": "Scale"} if name == "scale" else {}
    return {
        "name": f"{resource.plural}/{name}",
        "singularName": "",
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": ["get"] if name == "log" else ["get", "patch", "update"],
        **scale,
    }
