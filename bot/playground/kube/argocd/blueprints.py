"""Applications and projects as a team would have written them."""

from __future__ import annotations

from typing import TypedDict

from bot.playground.kube.argocd.projects import EVERYTHING
from bot.playground.kube.resources import Json

HERE = "https://kubernetes.default.svc"
NAMESPACE = "argocd"


class ApplicationOptions(TypedDict, total=False):
    """How ``ArgoCd.create_application`` makes one; each has the default named here.

    ``repository`` and ``path`` (of its only source), ``branch`` (``main``), ``sources`` (several,
    instead), ``namespace`` (``default``: where it brings its objects), ``argocd_namespace``
    (``argocd``: where it stands itself), ``project`` (``default``), ``automated`` (True),
    ``self_heal`` and ``prune`` (False), ``extra`` (merged into ``spec``), ``settled`` (True: it has
    been Synced for long, and Healthy where its images are good).
    """

    repository: str
    path: str
    branch: str
    sources: list[Json]
    namespace: str
    argocd_namespace: str
    project: str
    automated: bool
    self_heal: bool
    prune: bool
    extra: Json
    settled: bool


def application_of(name: str, options: ApplicationOptions) -> Json:
    """The manifest of an Application."""
    destination = {"server": HERE, "namespace": options.get("namespace", "default")}
    spec: Json = {"project": options.get("project", "default"), "destination": destination}
    if "sources" in options:
        spec["sources"] = options["sources"]
    else:
        spec["source"] = {
            "repoURL": options["repository"],
            "path": options.get("path", "."),
            "targetRevision": options.get("branch", "main"),
        }
    if options.get("automated", True):
        spec["syncPolicy"] = policy_of(
            self_heal=options.get("self_heal", False), prune=options.get("prune", False)
        )
    spec |= options.get("extra", {})
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {"name": name, "namespace": options.get("argocd_namespace", NAMESPACE)},
        "spec": spec,
    }


def policy_of(*, self_heal: bool, prune: bool) -> Json:
    """The ``syncPolicy`` of an Application that Argo CD syncs by itself."""
    automated = {"selfHeal": self_heal, "prune": prune}
    return {"automated": {key: each for key, each in automated.items() if each}}


def project_of(name: str) -> Json:
    """The manifest of an AppProject that permits everything, as the one called ``default``."""
    return {"metadata": {"name": name}, "spec": {**EVERYTHING}}


def by_hand(username: str = "admin") -> Json:
    """A sync as a person begins one."""
    return {"sync": {}, "initiatedBy": {"username": username}}
