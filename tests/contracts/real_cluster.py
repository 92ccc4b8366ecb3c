"""A namespace of a cluster, in which tests play the controllers.

The cluster is the one that the file in ``QUARTERDECK_TEST_KUBECONFIG`` names as its current one;
without it the local stand-in, in which no time passes. Of the cluster only an API server is needed
that knows the CRD of Applications: what Argo CD would write into them, the test does. Deployments
want no pods, so that it is all the same whether a controller looks after them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from kubernetes import client, config

from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.places import (
    ArgoCdApplication,
    KubernetesDeployment,
    KustomizeImage,
    Manifests,
)
from bot.model.ports import Rollouts
from bot.model.rollout import Observation, Order, Watched
from bot.playground.kube import KubeWorld
from bot.providers.argocd.rollouts import ArgoCdRollouts
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.watches import Watches
from bot.providers.kubernetes.rollouts import KubernetesRollouts
from tests.fakes.argo_views import DIGEST, OLD_VALUE, REMOTE
from tests.fakes.desired import FakeDesired

VARIABLE = "QUARTERDECK_TEST_KUBECONFIG"
GROUP = ("argoproj.io", "v1alpha1")
MERGE = "application/merge-patch+json"
IMAGE = Image("registry.example/web", DIGEST, "v1.5.0")
OLD_IMAGE = f"registry.example/web:{OLD_VALUE}"
ALICE = Person("U0ALICE01", "alice")
#: Long before anything that happens here, by whosever clock.
SINCE = datetime.now(UTC) - timedelta(hours=1)

Json = dict[str, Any]


@dataclass
class Harbour:
    """One namespace, the official client as whoever else is there, and the providers."""

    kubeconfig: Path
    namespace: str
    api: Any
    now: float = 0.0
    git: FakeDesired = field(default_factory=lambda: FakeDesired(OLD_VALUE))
    clusters: KubeconfigClusters = field(init=False)
    watches: Watches = field(init=False)
    argocd: Rollouts = field(init=False)
    kubernetes: Rollouts = field(init=False)

    def __post_init__(self) -> None:
        self.clusters = KubeconfigClusters(str(self.kubeconfig))
        self.watches = Watches(self.clusters)
        ticks = self.ticks
        self.argocd = ArgoCdRollouts(self.git, self.clusters, self.watches, ticks=ticks)
        self.kubernetes = KubernetesRollouts(self.clusters, self.watches, ticks)
        # The client's models are all optional fields; tests look at what is there.
        self._core: Any = client.CoreV1Api(self.api)
        self._apps: Any = client.AppsV1Api(self.api)
        self._custom: Any = client.CustomObjectsApi(self.api)

    def ticks(self) -> float:
        return self.now

    # --- what somebody else does ---

    def create_namespace(self) -> None:
        self._core.create_namespace({"metadata": {"name": self.namespace}})

    def delete_namespace(self) -> None:
        self._core.delete_namespace(self.namespace)

    def create_application(self, name: str = "web", **spec: Any) -> None:
        """As a team writes it; Argo CD has synced it to what git says now."""
        made = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Application",
            "metadata": {"name": name},
            "spec": {
                "project": "default",
                "source": {"repoURL": REMOTE, "path": "apps/web", "targetRevision": "main"},
                "destination": {"server": "https://elsewhere.example", "namespace": "shop"},
                "syncPolicy": {"automated": {}},
                **spec,
            },
        }
        where = (*GROUP, self.namespace, "applications")
        self._custom.create_namespaced_custom_object(*where, made)
        self.synced(name)

    def application(self, name: str = "web") -> Json:
        where = (*GROUP, self.namespace, "applications", name)
        found: Json = self._custom.get_namespaced_custom_object(*where)
        return found

    def show(self, name: str = "web", **body: Any) -> None:
        """Argo CD writes something into the Application."""
        where = (*GROUP, self.namespace, "applications", name)
        self._custom.patch_namespaced_custom_object(*where, body, _content_type=MERGE)

    def synced(self, name: str = "web", health: str = "Healthy", **status: Any) -> None:
        """Argo CD has applied the newest commit, and compared with it afterwards."""
        now = datetime.now(UTC)
        ended, compared = (f"{now + timedelta(seconds=s):%Y-%m-%dT%H:%M:%SZ}" for s in (0, 1))
        asked = self.application(name).get("operation") or {"sync": {"revision": self.git.tip}}
        state = {
            "phase": "Succeeded",
            "startedAt": ended,
            "finishedAt": ended,
            "operation": asked,
            "syncResult": {"revision": asked["sync"]["revision"], "source": {"repoURL": REMOTE}},
        }
        compared_with = {"destination": {}, "source": {"repoURL": REMOTE}}
        shown = {
            "sync": {"status": "Synced", "revision": self.git.tip, "comparedTo": compared_with},
            "health": {"status": health},
            "operationState": state,
            "reconciledAt": compared,
            **status,
        }
        annotations = {"argocd.argoproj.io/refresh": None}
        self.show(name, status=shown, operation=None, metadata={"annotations": annotations})

    def delete_application(self, name: str = "web") -> None:
        self._custom.delete_namespaced_custom_object(*GROUP, self.namespace, "applications", name)

    def create_deployment(self) -> None:
        container = {"name": "app", "image": OLD_IMAGE, "readinessProbe": {"httpGet": {"port": 80}}}
        template = {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": [container]}}
        selector = {"matchLabels": {"app": "web"}}
        spec = {"replicas": 0, "selector": selector, "template": template}
        self._apps.create_namespaced_deployment(
            self.namespace, {"metadata": {"name": "web"}, "spec": spec}
        )
        self.rolled()

    def deployment(self) -> Any:
        return self._apps.read_namespaced_deployment("web", self.namespace)

    def set_image(self, image: str) -> None:
        containers = [{"name": "app", "image": image}]
        body = {"spec": {"template": {"spec": {"containers": containers}}}}
        self._apps.patch_namespaced_deployment("web", self.namespace, body)

    def rolled(self) -> None:
        """The Deployment's controller has seen the newest change; there are no pods to count."""
        status = {"observedGeneration": self.deployment().metadata.generation}
        self._apps.patch_namespaced_deployment_status("web", self.namespace, {"status": status})

    # --- what the bot does ---

    @property
    def under_argocd(self) -> TargetSpec:
        return self.under_argocd_with()

    def under_argocd_with(self, **changes: Any) -> TargetSpec:
        place = ArgoCdApplication(
            namespace=self.namespace,
            application="web",
            settle=timedelta(seconds=10),
            manifests=Manifests(
                repository=REMOTE, path="apps/web", kustomize=KustomizeImage(image="web")
            ),
        )
        changed = place.model_copy(update=changes)
        return TargetSpec(service="web", environment="staging", argocd=changed)

    @property
    def plain(self) -> TargetSpec:
        place = KubernetesDeployment(namespace=self.namespace, deployment="web", container="app")
        return TargetSpec(service="web", environment="staging", kubernetes=place)

    def order(self, number: int = 1, base: str = OLD_VALUE, **more: Any) -> Order:
        return Order(f"web-staging-{number}", IMAGE, base, requester=ALICE, **more)

    def close(self) -> None:
        self.watches.close()
        self.clusters.close()


def begin(rollouts: Rollouts, spec: TargetSpec, order: Order) -> Watched:
    revision = rollouts.prepare(spec, order)
    handle = rollouts.start(spec, order, revision)
    return Watched(order.deployment_id, revision, handle, SINCE)


def look(rollouts: Rollouts, spec: TargetSpec, watched: Watched) -> Observation:
    looks = rollouts.observe([(spec, watched)])
    for fault in looks.faults.values():
        raise fault
    return looks[watched.deployment_id]


@contextmanager
def harbour(folder: Path) -> Iterator[Harbour]:
    """A namespace of its own, which is deleted afterwards."""
    with ExitStack() as stack:
        named = os.environ.get(VARIABLE)  # noqa: TID251 - a test's own setting
        if named:
            kubeconfig = Path(named)
        else:
            kubeconfig = stack.enter_context(KubeWorld()).write_kubeconfig(folder / "kubeconfig")
        configuration = client.Configuration()
        load: Any = config.load_kube_config  # the vendor gave it no types
        load(str(kubeconfig), client_configuration=configuration)
        api: Any = client.ApiClient(configuration)
        stack.callback(api.rest_client.pool_manager.clear)
        place = Harbour(kubeconfig, f"quarterdeck-test-{uuid4().hex[:8]}", api)
        place.create_namespace()
        stack.callback(place.delete_namespace)
        stack.callback(place.close)
        yield place
