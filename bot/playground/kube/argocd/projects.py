"""What an AppProject permits its Applications, in Argo CD's words."""

from __future__ import annotations

from fnmatch import fnmatchcase

from bot.playground.kube.resources import Json

EVERYTHING: Json = {
    "sourceRepos": ["*"],
    "destinations": [{"server": "*", "namespace": "*"}],
    "clusterResourceWhitelist": [{"group": "*", "kind": "*"}],
}


def spec_errors(application: Json, project: Json | None) -> list[str]:
    """Why the Application may not be what it says; messages of InvalidSpecError conditions."""
    spec = application["spec"]
    if project is None:
        return [f"Application referencing project {spec['project']} which does not exist"]
    allowed = project["spec"]
    errors = [
        f"application repo {each['repoURL']} is not permitted in project '{spec['project']}'"
        for each in sources_of(spec)
        if not any(fnmatchcase(each["repoURL"], p) for p in allowed.get("sourceRepos", []))
    ]
    server, namespace = spec["destination"].get("server", ""), spec["destination"].get("namespace")
    if not any(_covers(each, server, namespace or "") for each in allowed.get("destinations", [])):
        errors.append(
            f"application destination server '{server}' and namespace '{namespace}' do not match "
            f"any of the allowed destinations in project '{spec['project']}'"
        )
    return errors


def sources_of(spec: Json) -> list[Json]:
    """The sources of an Application's spec: several, or the only one."""
    return list(spec.get("sources") or ([spec["source"]] if "source" in spec else []))


def _covers(destination: Json, server: str, namespace: str) -> bool:
    return fnmatchcase(server, destination.get("server", "*")) and fnmatchcase(
        namespace, destination.get("namespace", "")
    )
