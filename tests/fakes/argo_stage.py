"""One Application in a fake cluster, made from fake git; the test plays Argo CD.

``sync`` is what Argo CD does when it has seen a commit and applied it; ``show`` changes anything.
Time passes only by ``pass_by``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event
from typing import Any

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.places import ArgoCdApplication, KustomizeImage, Manifests
from bot.model.rollout import Observation, Order, Watched
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.kube.cluster import APPLICATIONS, DEPLOYMENTS, Resource
from bot.providers.kube.watches import Watches, Where
from tests.fakes.argo_views import (
    DIGEST,
    OLD_VALUE,
    REMOTE,
    T0,
    VALUE,
    application,
    deployment,
    operation,
    stamp,
)
from tests.fakes.cluster import FakeCluster, FakeClusters
from tests.fakes.desired import FakeDesired

IMAGE = Image("web", DIGEST, "v1.5.0")
ALICE = Person("U0ALICE01", "alice")
PLACE = ArgoCdApplication(
    application="web",
    settle=timedelta(seconds=10),
    manifests=Manifests(repository=REMOTE, path="apps/web", kustomize=KustomizeImage(image="web")),
)


def spec_of(**changes: Any) -> TargetSpec:
    place = PLACE.model_copy(update=changes)
    return TargetSpec(service="web", environment="staging", argocd=place)


@dataclass
class ArgoStage:
    spec: TargetSpec
    cluster: FakeCluster
    git: FakeDesired
    now: float = 0.0
    due: list[float] = field(default_factory=list)
    watches: Watches = field(init=False)
    rollouts: ArgoCdRollouts = field(init=False)

    def __post_init__(self) -> None:
        clusters = FakeClusters(self.cluster)
        self.watches = Watches(clusters)
        self.rollouts = ArgoCdRollouts(
            self.git, clusters, self.watches, self.due.append, lambda: self.now
        )

    def order(self, number: int = 1, **more: Any) -> Order:
        return Order(f"web-staging-{number}", IMAGE, OLD_VALUE, requester=ALICE, **more)

    def begin(self, number: int = 1, **more: Any) -> Watched:
        order = self.order(number, **more)
        revision = self.rollouts.prepare(self.spec, order)
        handle = self.rollouts.start(self.spec, order, revision)
        return Watched(order.deployment_id, revision, handle, T0)

    def look(self, watched: Watched) -> Observation:
        """One look, by a watch that has told of everything by now."""
        self.caught_up()
        looks = self.rollouts.observe([(self.spec, watched)])
        for fault in looks.faults.values():
            raise fault
        return looks[watched.deployment_id]

    def pass_by(self, seconds: float) -> None:
        self.now += seconds

    def show(self, **body: Any) -> None:
        """Argo CD writes something into the Application."""
        self.cluster.change(APPLICATIONS, "argocd", "web", body)

    def sync(self, commit: str = "", health: str = "Healthy", at: float = 20) -> None:
        """Argo CD has seen a commit (the newest), applied it, and compared again."""
        revision = commit or self.git.tip
        done = operation(revision=revision, ended=at)
        made = application(revision, health=health, state=done, reconciled=at + 1)
        self.show(status=made["status"], operation=None)

    def rolled(self, **facts: Any) -> None:
        """The Deployment stands like this by now."""
        self.cluster.put(DEPLOYMENTS, deployment(**facts))

    def asked(self) -> list[str]:
        """What Argo CD was asked for: refresh or sync."""
        return ["sync" if "operation" in body else "refresh" for _, body in self.cluster.patches]

    def caught_up(self) -> None:
        """Wait until the watches have told of everything there is."""
        for resource, namespace in ((APPLICATIONS, "argocd"), (DEPLOYMENTS, "shop")):
            if ("list", resource) not in self.cluster.denied:
                eventually(lambda r=resource, n=namespace: self._told(r, n))  # type: ignore[misc]

    def _told(self, resource: Resource, namespace: str) -> bool:
        seen = self.watches.look(Where(None, resource, namespace), "web").objects.get("web")
        return seen == self.cluster.peek(resource, namespace, "web")


def eventually(true: Callable[[], bool]) -> None:
    """Wait until something that another thread does is done."""
    for _ in range(10_000):
        if true():
            return
        Event().wait(0.001)
    raise AssertionError("it never came true")


@contextmanager
def argo_stage(**changes: Any) -> Iterator[ArgoStage]:
    """The Application runs the old version well, as its history says."""
    cluster, git = FakeCluster(), FakeDesired(OLD_VALUE)
    first = git.tip
    cluster.put(
        APPLICATIONS,
        application(
            first,
            state=operation(revision=first, ended=-500),
            reconciled=-400,
            status={"history": [{"id": 0, "revision": first, "deployedAt": stamp(-500)}]},
        ),
    )
    cluster.put(DEPLOYMENTS, deployment(f"web:{OLD_VALUE}"))
    stage = ArgoStage(spec_of(**changes), cluster, git)
    try:
        yield stage
    finally:
        stage.watches.close()


__all__ = ["ALICE", "IMAGE", "VALUE", "ArgoStage", "argo_stage", "eventually", "spec_of"]
