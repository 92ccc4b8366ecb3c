"""The whole bot with canaries by Rollouts of Argo Rollouts, which Argo CD brings from git."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from typing_extensions import override

from bot.playground.aws import World
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube.containers import Images
from bot.playground.kube.resources import ROLLOUTS
from tests.fakes.argo_shore import REGISTRY, REPOSITORY, ArgoShore
from tests.fakes.harbour import Outside, outside
from tests.fakes.rollout_shop import manifest
from tests.fakes.shore import Shore
from tests.fakes.steady_prometheus import SteadyPrometheus, steady_prometheus
from tests.fakes.trial_deck import TrialDeck

#: Services that each have a Rollout of their own; a test takes one.
SERVICES = 12
NAMESPACE = "staging"
KUSTOMIZATION = """\
resources:
  - rollout.yaml
images:
  - name: backend
    newName: {registry}/{service}
    newTag: v1@{digest}
"""
CATALOG = """\
version: 1
services:
{services}
environments:
  staging: {{policy: relaxed}}
policies:
  relaxed:
    deployers: {{everyone: true}}
    approvers: {{groups: [S0CAPTAIN]}}
    incident_responders: {{users: [U0IRIS001]}}
targets:
{targets}
"""
SERVICE = """\
  {service}:
    repository: acme/{service}
    ecr: {{registry: "123456789012", region: eu-west-1, repository: {service}}}"""
TARGET = """\
  - service: {service}
    environment: staging
    timeout: 20m
    argocd:
      application: {service}-staging
      settle: 0s
      manifests:
        {{repository: "{repository}", path: {service}/staging, kustomize: {{image: backend}}}}
    canary:
      rollout: {{namespace: staging, name: {service}}}
      prometheus: {{url: "{prometheus}/{service}", labels: 'hash="{{{{version}}}}"'}}
      steps:
        - {{share: 10%, bake: 3m}}
        - {{share: 50%, bake: 2m}}
      inconclusive: extend
      clean_up_after: 10s"""


class RolloutDeck(TrialDeck):
    """``kube`` and ``git`` are where the services run, and what they are made from."""

    def __init__(self, place: Outside, clock: Path, prometheus: SteadyPrometheus) -> None:
        super().__init__(place, clock)
        assert isinstance(place.shore, ArgoShore)
        self.kube, self.git = place.shore.kube, place.shore.git
        self.argocd = self.kube.argocd
        self.prometheus = prometheus
        names = [f"svc{number}" for number in range(SERVICES)]
        self._furnish(names)
        where = {"repository": place.shore.url, "prometheus": prometheus.url}
        services = "\n".join(SERVICE.format(service=each) for each in names)
        targets = "\n".join(TARGET.format(service=each, **where) for each in names)
        place.write_catalog(CATALOG.format(services=services, targets=targets))

    def _furnish(self, names: list[str]) -> None:
        files = {}
        for name in names:
            digest = self.place.push(name, "v1")
            self.place.push(name, "v2")
            told = {"registry": REGISTRY, "service": name, "digest": digest}
            files[f"{name}/staging/kustomization.yaml"] = KUSTOMIZATION.format(**told)
            named = manifest().replace("name: backend\nspec", f"name: {name}\nspec")
            named = named.replace("app: backend", f"app: {name}")
            files[f"{name}/staging/rollout.yaml"] = named
        self.git.commit(REPOSITORY, "Ops <ops@example.com>", files, "Add services")
        for name in names:
            self.argocd.create_application(
                f"{name}-staging",
                repository=self.git.url(REPOSITORY),
                path=f"{name}/staging",
                namespace=NAMESPACE,
            )
        self.kube.advance(60)

    @override
    def service(self) -> str:
        return f"svc{next(self._numbers)}"

    @override
    def pass_time(self, seconds: float) -> None:
        """For the bot and then for the cluster, whose stamps so are never of an earlier time."""
        self.ahead(seconds)
        self.kube.advance(seconds)

    def looked_at(self, service: str) -> None:
        """Wait until the bot has looked at the Rollout, and done what it does about that."""

        def looks() -> int:
            return sum(each.name == service for each in self.kube.calls("get", "rollouts"))

        before = looks()
        self.until(lambda: looks() >= before + 2, f"two looks at {service}")

    # --- what there is ---------------------------------------------------------------------------

    def status(self, service: str) -> Any:
        return self.kube.get(ROLLOUTS, NAMESPACE, service)["status"]

    def weight(self, service: str) -> int:
        """Of the canary, in percent, as the controller has told the router."""
        weights = self.status(service).get("canary", {}).get("weights") or {}
        return int(weights.get("canary", {}).get("weight", 0))

    def written(self, service: str) -> str:
        """The version that git says, by its tag."""
        text = self.git.read(REPOSITORY, f"{service}/staging/kustomization.yaml")
        return text.partition("newTag: ")[2].partition("@")[0]

    def patches(self, service: str) -> list[Any]:
        """What the bot wrote into the Rollout's status."""
        calls = self.kube.calls("patch", "rollouts/status")
        return [each.body["status"] for each in calls if each.name == service]

    def digests(self, service: str) -> set[str]:
        """Of all its pods that are not on their way out."""
        return {
            pod["spec"]["containers"][0]["image"].partition("@")[2]
            for pod in self.kube.pods(NAMESPACE, f"app={service}")
            if "deletionTimestamp" not in pod["metadata"]
        }


def _shore(wall: Callable[[], float]) -> Callable[[World, Path], AbstractContextManager[Shore]]:
    @contextmanager
    def shore(world: World, folder: Path) -> Iterator[Shore]:
        images = Images(lambda image: world.pulled(image).behaviour, lambda _image: None)
        with (
            GitHost(folder / "git") as git,
            KubeWorld(seed=7, speed=1.0, wall=wall, images=images) as kube,
        ):
            yield ArgoShore(world, git, kube, folder)

    return shore


@contextmanager
def rollout_deck(folder: Path) -> Iterator[RolloutDeck]:
    """Stand-ins, and a bot that is ready."""
    clock = folder / "ahead"
    clock.write_text("0")

    def wall() -> float:
        return time.time() + float(clock.read_text())

    url = f"sqlite:///{folder / 'quarterdeck.db'}"
    with (
        steady_prometheus() as prometheus,
        outside(folder, url, speed=1.0, wall=wall, shore=_shore(wall)) as place,
    ):
        deck = RolloutDeck(place, clock, prometheus)
        try:
            deck.sail()
            yield deck
        finally:
            deck.ship.kill()
            deck.engine.dispose()
