"""A service behind an HTTPRoute, with a second Deployment for canaries, brought there from git."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

from bot.model.canary_plan import CanaryPlan, CanaryStep, Prometheus, Route
from bot.model.catalog import TargetSpec
from bot.model.places import ArgoCdApplication, KustomizeImage, Manifests
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube import resources as local
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.gateway.canaries import RouteCanaries
from bot.providers.kube.cluster import DEPLOYMENTS
from tests.fakes.git_shop import FOLDER, REGISTRY, GitShop, opened
from tests.fakes.registry import digest_of

ROUTE, CANARY = f"{FOLDER}/route.yaml", f"{FOLDER}/canary.yaml"
KUSTOMIZATION = f"{FOLDER}/kustomization.yaml"
PODS = 4

DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:
  replicas: COUNT  # how many
  progressDeadlineSeconds: 120
  selector:
    matchLabels: {app: NAME}
  strategy:
    rollingUpdate: {maxSurge: 1, maxUnavailable: 0}
  template:
    metadata:
      labels: {app: NAME}
    spec:
      containers:
        - name: app
          image: IMAGE
          readinessProbe:
            httpGet: {path: /healthz, port: 8080}
"""
SERVICES = """\
apiVersion: v1
kind: Service
metadata: {name: backend}
spec: {selector: {app: backend}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Service
metadata: {name: backend-canary}
spec: {selector: {app: backend-canary}, ports: [{port: 80}]}
"""
HTTP_ROUTE = """\
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: backend
spec:
  parentRefs: [{name: public}]
  rules:
    - matches: [{path: {value: /api}}]
      backendRefs:
        - {name: backend, port: 80, weight: 100}
        - {name: backend-canary, port: 80, weight: 0}  # shifted by canaries
    - backendRefs:
        - name: backend
          port: 80
          weight: 100
        - name: backend-canary
          port: 80
          weight: 0
"""


def deployment(name: str, image: str, count: int) -> str:
    made = DEPLOYMENT.replace("NAME", name).replace("IMAGE", image)
    return made.replace("COUNT", str(count))


def kustomization(version: str) -> str:
    return (
        "resources: [deployment.yaml, canary.yaml, services.yaml, route.yaml]\n"
        f"images:\n- name: backend\n  newName: {REGISTRY}\n"
        f"  newTag: {version}@{digest_of(version)}\n"
    )


class RouteShop(GitShop):
    """See ``GitShop``; canaries of it go by the HTTPRoute's weights in git."""

    WATCHED = (
        (DEPLOYMENTS, local.DEPLOYMENTS, "staging", "backend"),
        (DEPLOYMENTS, local.DEPLOYMENTS, "staging", "backend-canary"),
    )

    def __init__(self, git: GitHost, kube: KubeWorld, folder: Path) -> None:
        files = {
            KUSTOMIZATION: kustomization("v1"),
            f"{FOLDER}/deployment.yaml": deployment("backend", "backend", PODS),
            CANARY: deployment("backend-canary", f"{REGISTRY}:v0@{digest_of('v0')}", 0),
            f"{FOLDER}/services.yaml": SERVICES,
            ROUTE: HTTP_ROUTE,
        }
        super().__init__(git, kube, folder, files)
        self.spec = self.spec_with()
        self.restart()
        self.begin("backend-staging-7", self.image("v2"))

    @override
    def restart(self) -> None:
        git = self.manifests()
        self.rollouts = ArgoCdRollouts(git, self.clusters, self.watches, ticks=self.ticks)
        self.canaries = RouteCanaries(self.clusters, git, git, self.rollouts, self.ticks)

    def spec_with(self, **canary: Any) -> TargetSpec:
        plan: dict[str, Any] = {
            "route": Route(
                file="route.yaml",
                name="backend",
                stable="backend",
                canary="backend-canary",
                canary_file="canary.yaml",
                deployment="backend-canary",
                container="app",
            ),
            "steps": (CanaryStep(share=0.1), CanaryStep(share=0.5)),
            "prometheus": Prometheus(url="http://prometheus:9090", labels='service="{{version}}"'),
        } | canary
        place = ArgoCdApplication(
            cluster="staging",
            application="backend-staging",
            settle=timedelta(0),
            manifests=Manifests(
                repository=self.url, path=FOLDER, kustomize=KustomizeImage(image="backend")
            ),
        )
        return TargetSpec(
            service="backend",
            environment="staging",
            argocd=place,
            canary=CanaryPlan(**{name: part for name, part in plan.items() if part is not None}),
        )

    def route(self) -> Any:
        return self.kube.get(local.HTTP_ROUTES, "staging", "backend")

    def weights(self) -> set[tuple[int, int]]:
        """Of the stable version and the canary, in every rule."""
        rules = self.route()["spec"]["rules"]
        return {tuple(each["weight"] for each in rule["backendRefs"]) for rule in rules}

    def shift_by_hand(self, canary: int) -> None:
        """Somebody changes the weights in the cluster."""
        rules = self.route()["spec"]["rules"]
        for rule in rules:
            rule["backendRefs"][0]["weight"] = 100 - canary
            rule["backendRefs"][1]["weight"] = canary
        self.kube.apply(local.HTTP_ROUTES, "staging", "backend", {"spec": {"rules": rules}})
        self.pass_by(2)

    def running(self, name: str) -> list[str]:
        """The versions of a Deployment's pods that are not on their way out."""
        return self.versions(f"app={name}")


def route_shop(folder: Path) -> AbstractContextManager[RouteShop]:
    return opened(folder, lambda git, kube: RouteShop(git, kube, folder))
