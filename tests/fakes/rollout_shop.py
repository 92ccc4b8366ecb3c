"""A service that a Rollout of Argo Rollouts runs, brought to the local cluster from git."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from typing_extensions import override

from bot.model.canary_plan import CanaryPlan, CanaryStep, Prometheus, Rollout
from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.places import ArgoCdApplication, KustomizeImage, Manifests
from bot.model.rollout import Observation, Order, Watched
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube import resources as local
from bot.providers.argo_rollouts.canaries import RolloutCanaries
from bot.providers.argo_rollouts.unjudged import UnjudgedRollouts
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.kube.cluster import ROLLOUTS
from tests.fakes.git_shop import REGISTRY, GitShop, opened
from tests.fakes.registry import digest_of

FILE, MANIFEST = "backend/staging/kustomization.yaml", "backend/staging/rollout.yaml"
REPLICAS = 4

KUSTOMIZATION = """\
resources:
  - rollout.yaml
images:
  - name: backend
    newName: {repository}
    newTag: {tag}@{digest}  # changed by whoever deploys
"""
TEMPLATE = """\
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata:
  name: backend
spec:
  replicas: 4
  progressDeadlineSeconds: 120
  selector:
    matchLabels: {app: backend}
  strategy:
    canary:
      maxUnavailable: 0
      stableService: backend-stable
      canaryService: backend-canary
      ROUTING
      steps: STEPS
  template:
    metadata:
      labels: {app: backend}
    spec:
      containers:
        - name: backend
          image: backend
          readinessProbe:
            httpGet: {path: /healthz, port: 8080}
"""
STEPS = "[{setWeight: 10}, {pause: {}}, {setWeight: 50}, {pause: {}}]"
ROUTED = "trafficRouting: {nginx: {stableIngress: backend}}"


def manifest(steps: str = STEPS, routing: str = ROUTED) -> str:
    return TEMPLATE.replace("STEPS", steps).replace("ROUTING", routing)


def kustomization(version: str) -> str:
    return KUSTOMIZATION.format(repository=REGISTRY, tag=version, digest=digest_of(version))


class RolloutShop(GitShop):
    """See ``GitShop``; canaries of it go by the Rollout's steps."""

    WATCHED = ((ROLLOUTS, local.ROLLOUTS, "staging", "backend"),)

    def __init__(self, git: GitHost, kube: KubeWorld, folder: Path, rollout: str) -> None:
        super().__init__(git, kube, folder, {FILE: kustomization("v1"), MANIFEST: rollout})
        self.v1 = self.image("v1")
        self.spec = self.spec_with()
        self.restart()
        self.live = self.rollouts.live(self.spec)
        self.begin("backend-staging-7", self.image("v2"))

    @override
    def restart(self) -> None:
        self.desired = self.manifests()
        self.rollouts = ArgoCdRollouts(self.desired, self.clusters, self.watches, ticks=self.ticks)
        self.canaries = RolloutCanaries(self.clusters, self.desired, self.rollouts, self.ticks)

    def spec_with(self, canary: dict[str, Any] | None = None, **place: Any) -> TargetSpec:
        plan: dict[str, Any] = {
            "rollout": Rollout(namespace="staging", name="backend"),
            "steps": (CanaryStep(share=0.1), CanaryStep(share=0.5)),
            "prometheus": Prometheus(url="http://prometheus:9090", labels='hash="{{version}}"'),
        }
        plan |= canary or {}
        manifests = {
            "repository": self.url,
            "path": "backend/staging",
            "kustomize": KustomizeImage(image="backend"),
            "delivery": place.pop("delivery", "direct"),
        }
        return TargetSpec(
            service="backend",
            environment="staging",
            argocd=ArgoCdApplication(
                cluster="staging",
                application="backend-staging",
                settle=timedelta(0),
                manifests=Manifests(**manifests),
                **place,
            ),
            canary=CanaryPlan(**{name: part for name, part in plan.items() if part is not None}),
        )

    def roll(self, image: Image, seconds: int = 3600) -> Observation:
        """Deploy a version that is no canary, and watch it to its end."""
        unjudged = UnjudgedRollouts(self.rollouts, self.clusters)
        order = Order("backend-staging-9", image, unjudged.live(self.spec).revision)
        revision = unjudged.prepare(self.spec, order)
        handle = unjudged.start(self.spec, order, revision)
        self.watched = Watched(order.deployment_id, revision, handle, datetime.now(UTC))
        for _ in range(seconds // 5):
            self.pass_by(5)
            seen = self.observed()
            if seen.end is not None:
                break
        return seen

    def observed(self) -> Observation:
        """What is seen of it now."""
        self.caught_up()
        unjudged = UnjudgedRollouts(self.rollouts, self.clusters)
        return unjudged.observe([(self.spec, self.watched)])[self.watched.deployment_id]

    # --- the cluster -------------------------------------------------------------------------

    def rollout(self) -> Any:
        return self.kube.get(local.ROLLOUTS, "staging", "backend")

    def status(self) -> Any:
        return self.rollout()["status"]

    def weight(self) -> int:
        return int(self.status()["canary"]["weights"]["canary"]["weight"])

    def patches(self) -> list[Any]:
        """What we wrote into the Rollout's status."""
        return [each.body["status"] for each in self.kube.calls("patch", "rollouts/status")]

    def tell(self, status: dict[str, Any]) -> None:
        """Somebody else writes into the Rollout's status."""
        self.kube.tell_rollout("staging", "backend", status)

    def by_hand(self, patch: dict[str, Any]) -> None:
        """Somebody else changes the Rollout in the cluster."""
        self.kube.apply(local.ROLLOUTS, "staging", "backend", patch)

    def set_image(self, image: Image) -> None:
        """Somebody else makes it run another image, as git would have written it."""
        (container,) = self.rollout()["spec"]["template"]["spec"]["containers"]
        changed = {**container, "image": f"{REGISTRY}:{image.ref}@{image.digest}"}
        self.by_hand({"spec": {"template": {"spec": {"containers": [changed]}}}})

    def delete(self) -> None:
        """Somebody deletes the Rollout."""
        self.kube.objects.delete((local.ROLLOUTS, "staging", "backend"), {})

    def break_pods(self, version: str, count: int) -> None:
        """So many pods of a version exit."""
        digest = digest_of(version)
        pods = [
            pod["metadata"]["name"]
            for pod in self.kube.pods("staging")
            if digest in pod["spec"]["containers"][0]["image"]
        ]
        for name in pods[:count]:
            self.kube.crash_pod("staging", name)
        self.pass_by(0.5)

    def images(self) -> set[str]:
        """The versions of all pods that are not on their way out."""
        return set(self.versions())

    # --- git ---------------------------------------------------------------------------------

    def written(self) -> str:
        """The version that git says, by its tag."""
        return self.text(FILE).partition("newTag: ")[2].partition("@")[0]

    def write(self, version: str) -> None:
        """Somebody else writes a version."""
        self.commit({FILE: kustomization(version)}, "Write another version")
        self.kube.argocd.refresh("backend-staging")


def rollout_shop(folder: Path, rollout: str = "") -> AbstractContextManager[RolloutShop]:
    manifests = rollout or manifest()
    return opened(folder, lambda git, kube: RolloutShop(git, kube, folder, manifests))
