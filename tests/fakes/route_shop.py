"""A service behind an HTTPRoute, with a second Deployment for canaries, brought there from git."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_plan import CanaryPlan, CanaryStep, Prometheus, Route
from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.errors import QuarterdeckError
from bot.model.places import ArgoCdApplication, KustomizeImage, Manifests
from bot.model.rollout import Order
from bot.playground.aws import Behaviour
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube import resources as local
from bot.playground.kube.containers import Images
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.gateway.canaries import RouteCanaries
from bot.providers.git import GitAccess, GitManifests
from bot.providers.kube.cluster import APPLICATIONS, DEPLOYMENTS
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import digest_in
from tests.fakes.clock import MachineClock
from tests.fakes.git_place import PROGRAMS
from tests.fakes.registry import digest_of
from tests.fakes.rollout_shop import REGISTRY, REPOSITORY

ALICE = Person("U0ALICE01", "alice")
FOLDER = "backend/staging"
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


class RouteShop:
    """``begin`` orders a version; ``reach`` goes on until an aim is true, as the conductor does."""

    def __init__(self, git: GitHost, kube: KubeWorld, folder: Path) -> None:
        self.git, self.kube, self.folder = git, kube, folder
        self.url = git.create(REPOSITORY, {"README.md": "What runs where.\n"})
        kube.argocd.connect_repository(self.url, git.folder(REPOSITORY))
        files = {
            KUSTOMIZATION: kustomization("v1"),
            f"{FOLDER}/deployment.yaml": deployment("backend", "backend", PODS),
            CANARY: deployment("backend-canary", f"{REGISTRY}:v0@{digest_of('v0')}", 0),
            f"{FOLDER}/services.yaml": SERVICES,
            ROUTE: HTTP_ROUTE,
        }
        self.commit(files, "Add backend")
        kube.argocd.create_application(
            "backend-staging", repository=self.url, path=FOLDER, namespace="staging"
        )
        self.pass_by(60)
        self.clusters = KubeconfigClusters(str(kube.write_kubeconfig(folder / "kubeconfig")))
        self.watches = Watches(self.clusters)
        self.spec = self.spec_with()
        self.restart()
        self.begin("backend-staging-7", self.image("v2"))

    def restart(self) -> None:
        """Forget everything that is kept in memory."""
        access = GitAccess(self.folder / "cache", token=self.git.token, environment=PROGRAMS)
        git = GitManifests(access, MachineClock())
        self.rollouts = ArgoCdRollouts(git, self.clusters, self.watches, ticks=self.ticks)
        self.canaries = RouteCanaries(self.clusters, git, git, self.rollouts)

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

    def image(self, version: str) -> Image:
        return Image(REGISTRY, digest_of(version), version)

    def begin(self, deployment_id: str, image: Image) -> None:
        base = self.rollouts.live(self.spec).revision
        self.order = Order(deployment_id, image, base, requester=ALICE)
        self.revision = self.rollouts.prepare(self.spec, self.order)

    def commit(self, files: dict[str, str], subject: str = "Change it by hand") -> None:
        self.git.commit(REPOSITORY, "Sven <sven@example.com>", files, subject)

    # --- looking -----------------------------------------------------------------------------

    def aim(self, goal: Goal, share: float = 0.0, before: float = 0.0) -> Aim:
        return Aim(goal, datetime.now(UTC), share=share, before=before)

    def look(self, aim: Aim) -> Stand:
        self.caught_up()
        return self.canaries.look(self.spec, self.order, self.revision, aim)

    def toward(self, aim: Aim) -> Stand:
        self.caught_up()
        return self.canaries.toward(self.spec, self.order, self.revision, aim)

    def reach(self, aim: Aim, seconds: int = 1200) -> Stand:
        for _ in range(seconds // 5):
            stand = self.toward(aim)
            if stand.reached or stand.blocked or stand.end is not None:
                return stand
            self.pass_by(5)
        raise AssertionError(stand)

    def on_trial(self, share: float = 0.1) -> None:
        """Bring the canary to a share."""
        assert self.reach(self.aim(Goal.SHARE, share)).reached

    # --- the cluster, and git ----------------------------------------------------------------

    def pass_by(self, seconds: float) -> None:
        self.kube.advance(seconds)

    def ticks(self) -> float:
        return self.kube.clock.now()

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
        pods = self.kube.pods("staging", f"app={name}")
        names = {digest_of(each): each for each in ("v0", "v1", "v2", "v3", "crashing")}
        return sorted(
            names[digest_in(pod["spec"]["containers"][0]["image"])]
            for pod in pods
            if "deletionTimestamp" not in pod["metadata"]
        )

    def subjects(self) -> list[str]:
        return [each.subject for each in reversed(self.git.log(REPOSITORY))]

    def text(self, file: str) -> str:
        return self.git.read(REPOSITORY, file)

    def caught_up(self) -> None:
        """Wait until the watches have told of everything there is."""
        objects = (
            (APPLICATIONS, local.APPLICATIONS, "argocd", "backend-staging"),
            (DEPLOYMENTS, local.DEPLOYMENTS, "staging", "backend"),
            (DEPLOYMENTS, local.DEPLOYMENTS, "staging", "backend-canary"),
        )
        for _ in range(5_000):
            if all(self._told(*each) for each in objects):
                return
            Event().wait(0.002)
        raise AssertionError("the watches never told")

    def _told(self, resource: Any, there: Any, namespace: str, name: str) -> bool:
        try:
            seen = self.watches.look(Where("staging", resource, namespace), name)
        except QuarterdeckError:
            return True  # what is in the way is for the test to see
        found: Any = seen.objects.get(name, {}).get("metadata", {})
        metadata = self.kube.get(there, namespace, name)["metadata"]
        return bool(found.get("resourceVersion") == metadata["resourceVersion"])


@contextmanager
def route_shop(folder: Path) -> Iterator[RouteShop]:
    crashing = digest_of("crashing")

    def behaviour(image: str) -> Behaviour:
        return Behaviour.CRASHING if digest_in(image) == crashing else Behaviour.GOOD

    with ExitStack() as stack:
        git = stack.enter_context(GitHost(folder / "git"))
        kube = stack.enter_context(KubeWorld(seed=7, images=Images(behaviour, lambda _image: None)))
        shop = RouteShop(git, kube, folder)
        stack.callback(shop.clusters.close)
        stack.callback(shop.watches.close)
        yield shop
