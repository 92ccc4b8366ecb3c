"""Where the contract of rollouts is played in a cluster: under Argo CD, and on a plain Deployment.

Both speak over HTTP to the local cluster, as the bot does to a real one. Watches tell of what
happened a moment later, so each look waits until they have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

from typing_extensions import override

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image
from bot.model.errors import QuarterdeckError
from bot.model.places import (
    ArgoCdApplication,
    KubernetesDeployment,
    KustomizeImage,
    Manifests,
)
from bot.model.rollout import End
from bot.playground.aws import Behaviour, World
from bot.playground.kube import KubeWorld
from bot.playground.kube import resources as local
from bot.playground.kube.containers import Images
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.git import GitAccess, GitManifests
from bot.providers.kube.cluster import APPLICATIONS, DEPLOYMENTS, Resource
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import digest_in
from bot.providers.kubernetes.rollouts import KubernetesRollouts
from tests.contracts.stages import REPOSITORY, RolloutStage
from tests.fakes.argo_shore import ArgoShore, argo_shore
from tests.fakes.clock import MachineClock
from tests.fakes.git_place import PROGRAMS
from tests.fakes.registry import digest_of

#: The local cluster's own word for each of ours.
_LOCAL = {APPLICATIONS: local.APPLICATIONS, DEPLOYMENTS: local.DEPLOYMENTS}


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something that another thread does is done."""
    for _ in range(5_000):
        if true():
            return
        Event().wait(0.002)
    raise AssertionError("it never came true")


class ClusterStage(RolloutStage):
    """What both share: a cluster that is watched."""

    taken_back = End.FAILED
    own_revisions = forgets = False

    def __init__(self, kube: KubeWorld, folder: Path) -> None:
        self.kube = kube
        self.clusters = KubeconfigClusters(str(kube.write_kubeconfig(folder / "kubeconfig")))
        self.watches = Watches(self.clusters)
        self.watched: tuple[tuple[Resource, str, str], ...] = ()

    @override
    def caught_up(self) -> None:
        eventually(lambda: all(self._told(*each) for each in self.watched))

    def _told(self, resource: Resource, namespace: str, name: str) -> bool:
        try:
            seen = self.watches.look(Where("staging", resource, namespace), name)
        except QuarterdeckError:
            return True  # what is in the way is for the test to see
        found: Any = seen.objects.get(name, {})
        there = self.kube.get(_LOCAL[resource], namespace, name)
        return bool(
            found.get("metadata", {}).get("resourceVersion") == there["metadata"]["resourceVersion"]
        )

    @override
    def step(self) -> None:
        self.kube.advance(5)

    @override
    def deregister(self, revision: str) -> None:
        raise NotImplementedError  # any image can be written again

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

    def ticks(self) -> float:
        return self.kube.clock.now()

    def close(self) -> None:
        self.watches.close()
        self.clusters.close()


class ArgoRolloutStage(ClusterStage):
    def __init__(self, shore: ArgoShore, world: World, folder: Path) -> None:
        super().__init__(shore.kube, folder)
        self._shore, self._world = shore, world
        shore.furnish("backend", ["staging"], self.image("v1").digest)
        self.spec = TargetSpec(
            service="backend",
            environment="staging",
            argocd=ArgoCdApplication(
                cluster="staging",
                application="backend-staging",
                settle=timedelta(0),
                manifests=Manifests(
                    repository=shore.url,
                    path="backend/staging",
                    kustomize=KustomizeImage(image="backend"),
                ),
            ),
        )
        access = GitAccess(folder / "cache", token=shore.git.token, environment=PROGRAMS)
        git = GitManifests(access, MachineClock())
        self.rollouts = ArgoCdRollouts(git, self.clusters, self.watches, ticks=self.ticks)
        self.watched = (
            (APPLICATIONS, "argocd", "backend-staging"),
            (DEPLOYMENTS, "staging", "backend"),
        )

    @override
    def image(self, version: str, *, bad: bool = False) -> Image:
        kind = "crashing" if bad else "good"
        return Image(REPOSITORY, self._world.push("backend", version, kind), version)

    @override
    def settle(self) -> None:
        assert self._shore.settle("backend-staging")

    @override
    def deploy_elsewhere(self) -> None:
        self.image("elsewhere")
        self._shore.deploy_aside("backend-staging", "elsewhere")

    @override
    def lose_answer_to_start(self) -> None:
        self._shore.git.faults.lose_answer()

    @override
    def throttle_start(self) -> None:
        self._shore.git.faults.answer(429, 1, "push")

    @override
    def told(self) -> int:
        return self._shore.writes()


class KubernetesRolloutStage(ClusterStage):
    def __init__(self, kube: KubeWorld, bad: set[str], folder: Path) -> None:
        super().__init__(kube, folder)
        self._bad = bad
        first = self.image("v1")
        image = f"{first.repository}:v1@{first.digest}"
        kube.create_deployment("staging", "backend", image=image, deadline=120)
        place = KubernetesDeployment(
            cluster="staging", namespace="staging", deployment="backend", container="backend"
        )
        self.spec = TargetSpec(service="backend", environment="staging", kubernetes=place)
        self.rollouts = KubernetesRollouts(self.clusters, self.watches, self.ticks)
        self.watched = ((DEPLOYMENTS, "staging", "backend"),)

    @override
    def image(self, version: str, *, bad: bool = False) -> Image:
        image = Image(REPOSITORY, digest_of(version), version)
        if bad:
            self._bad.add(image.digest)
        return image

    @override
    def settle(self) -> None:
        assert self.kube.run_until_rolled_out("staging", "backend")

    @override
    def deploy_elsewhere(self) -> None:
        image = self.image("elsewhere")
        self.kube.set_image("staging", "backend", f"{image.repository}@{image.digest}")

    @override
    def lose_answer_to_start(self) -> None:
        self.kube.faults.lose_answer("patch")

    @override
    def throttle_start(self) -> None:
        self.kube.faults.throttle("patch")

    @override
    def told(self) -> int:
        return self.kube.count("patch", "deployments")


@contextmanager
def argo_rollouts(folder: Path) -> Iterator[RolloutStage]:
    with ExitStack() as stack:
        world = World(seed=1)
        stack.callback(world.close)
        shore = stack.enter_context(argo_shore(world, folder))
        assert isinstance(shore, ArgoShore)
        stage = ArgoRolloutStage(shore, world, folder)
        stack.callback(stage.close)
        yield stage


@contextmanager
def kubernetes_rollouts(folder: Path) -> Iterator[RolloutStage]:
    bad: set[str] = set()

    def behaviour(reference: str) -> Behaviour:
        return Behaviour.CRASHING if digest_in(reference) in bad else Behaviour.GOOD

    with KubeWorld(seed=7, images=Images(behaviour, lambda _image: None)) as kube:
        stage = KubernetesRolloutStage(kube, bad, folder)
        try:
            yield stage
        finally:
            stage.close()
