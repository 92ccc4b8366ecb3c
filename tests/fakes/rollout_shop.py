"""A service that a Rollout of Argo Rollouts runs, brought to the local cluster from git."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_plan import CanaryPlan, CanaryStep, Prometheus, Rollout
from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.errors import QuarterdeckError
from bot.model.places import ArgoCdApplication, KustomizeImage, Manifests
from bot.model.rollout import Observation, Order, Watched
from bot.playground.aws import Behaviour
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube import resources as local
from bot.playground.kube.containers import Images
from bot.providers.argo_rollouts.canaries import RolloutCanaries
from bot.providers.argo_rollouts.unjudged import UnjudgedRollouts
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.git import GitAccess, GitManifests
from bot.providers.kube.cluster import APPLICATIONS, ROLLOUTS
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import digest_in
from tests.fakes.clock import MachineClock
from tests.fakes.git_place import PROGRAMS
from tests.fakes.registry import digest_of

REPOSITORY = "acme/manifests"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend"
FILE, MANIFEST = "backend/staging/kustomization.yaml", "backend/staging/rollout.yaml"
ALICE = Person("U0ALICE01", "alice")
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


class RolloutShop:
    """``begin`` orders a version; ``reach`` goes on until an aim is true, as the conductor does."""

    def __init__(self, git: GitHost, kube: KubeWorld, folder: Path, rollout: str) -> None:
        self.git, self.kube = git, kube
        self.bad: set[str] = set()
        self.url = git.create(REPOSITORY, {"README.md": "What runs where.\n"})
        kube.argocd.connect_repository(self.url, git.folder(REPOSITORY))
        self.v1 = self.image("v1")
        self.commit({FILE: kustomization("v1"), MANIFEST: rollout}, "Add backend")
        kube.argocd.create_application(
            "backend-staging", repository=self.url, path="backend/staging", namespace="staging"
        )
        self.pass_by(60)
        self.folder = folder
        self.clusters = KubeconfigClusters(str(kube.write_kubeconfig(folder / "kubeconfig")))
        self.watches = Watches(self.clusters)
        self.spec = self.spec_with()
        self.restart()
        self.live = self.rollouts.live(self.spec)
        self.begin("backend-staging-7", self.image("v2"))

    def restart(self) -> None:
        """Forget everything that is kept in memory."""
        access = GitAccess(self.folder / "cache", token=self.git.token, environment=PROGRAMS)
        self.desired = GitManifests(access, MachineClock())
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
        step = 1 if share == 0.5 else 0
        return Aim(goal, datetime.now(UTC), step, share=share, before=before)

    def look(self, aim: Aim) -> Stand:
        self.caught_up()
        return self.canaries.look(self.spec, self.order, self.revision, aim)

    def toward(self, aim: Aim) -> Stand:
        self.caught_up()
        return self.canaries.toward(self.spec, self.order, self.revision, aim)

    def reach(self, aim: Aim, seconds: int = 600) -> Stand:
        for _ in range(seconds // 5):
            stand = self.toward(aim)
            if stand.reached or stand.blocked or stand.end is not None:
                return stand
            self.pass_by(5)
        raise AssertionError(stand)

    def on_trial(self, share: float = 0.1) -> None:
        """Bring the canary to a share."""
        assert self.reach(self.aim(Goal.SHARE, share)).reached

    def roll(self, image: Image, seconds: int = 3600) -> Observation:
        """Deploy a version that is no canary, and watch it to its end."""
        unjudged = UnjudgedRollouts(self.rollouts, self.clusters)
        order = Order("backend-staging-9", image, unjudged.live(self.spec).revision)
        revision = unjudged.prepare(self.spec, order)
        handle = unjudged.start(self.spec, order, revision)
        watched = Watched(order.deployment_id, revision, handle, datetime.now(UTC))
        for _ in range(seconds // 5):
            self.pass_by(5)
            self.caught_up()
            seen = unjudged.observe([(self.spec, watched)])[order.deployment_id]
            if seen.end is not None:
                break
        return seen

    # --- the cluster -------------------------------------------------------------------------

    def pass_by(self, seconds: float) -> None:
        self.kube.advance(seconds)

    def ticks(self) -> float:
        return self.kube.clock.now()

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

    def application(self) -> Any:
        return self.kube.argocd.application("backend-staging")

    def syncing(self) -> bool:
        """Whether Argo CD is applying something."""
        state = self.application()["status"].get("operationState", {})
        return bool(state.get("phase") == "Running")

    def images(self) -> set[str]:
        """The versions of all pods that are not on their way out."""
        pods = [p for p in self.kube.pods("staging") if "deletionTimestamp" not in p["metadata"]]
        digests = {digest_in(each["spec"]["containers"][0]["image"]) for each in pods}
        names = {digest_of(name): name for name in ("v1", "v2", "v3", "crashing")}
        return {names[each] for each in digests}

    # --- git ---------------------------------------------------------------------------------

    def written(self) -> str:
        """The version that git says, by its tag."""
        text = self.git.read(REPOSITORY, FILE)
        return text.partition("newTag: ")[2].partition("@")[0]

    def write(self, version: str) -> None:
        """Somebody else writes a version."""
        self.commit({FILE: kustomization(version)}, "Write another version")
        self.kube.argocd.refresh("backend-staging")

    def subjects(self) -> list[str]:
        return [each.subject for each in reversed(self.git.log(REPOSITORY))]

    def caught_up(self) -> None:
        """Wait until the watches have told of everything there is."""
        objects = (
            (APPLICATIONS, local.APPLICATIONS, "argocd", "backend-staging"),
            (ROLLOUTS, local.ROLLOUTS, "staging", "backend"),
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
def rollout_shop(folder: Path, rollout: str = "") -> Iterator[RolloutShop]:
    crashing = digest_of("crashing")

    def behaviour(image: str) -> Behaviour:
        return Behaviour.CRASHING if digest_in(image) == crashing else Behaviour.GOOD

    with ExitStack() as stack:
        git = stack.enter_context(GitHost(folder / "git"))
        kube = stack.enter_context(KubeWorld(seed=7, images=Images(behaviour, lambda _image: None)))
        shop = RolloutShop(git, kube, folder, rollout or manifest())
        stack.callback(shop.clusters.close)
        stack.callback(shop.watches.close)
        yield shop
