"""A local cluster in a thread of the test process, and official clients that speak to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch

from bot.playground.aws import Behaviour
from bot.playground.kube import KubeWorld
from bot.playground.kube.containers import Images

APPLICATIONS = ("argoproj.io", "v1alpha1", "argocd", "applications")
#: The client's watch has no types of its own.
Watch: Any = watch.Watch
MERGE = "application/merge-patch+json"


def behaviour_of(reference: str) -> Behaviour:
    """An image behaves as its tag says: ``...:crashing`` crashes."""
    tag = reference.rpartition(":")[2]
    return Behaviour(tag) if tag in list(Behaviour) else Behaviour.GOOD


IMAGES = Images(behaviour_of, lambda _reference: None)


@contextmanager
def running_cluster(seed: int = 1, speed: float = 0.0) -> Iterator[KubeWorld]:
    """A cluster that serves on loopback until the block ends."""
    with KubeWorld(seed, speed, images=IMAGES) as world:
        yield world


class KubeClients:
    """The official client's APIs of one cluster, with no retries of its own."""

    def __init__(self, world: KubeWorld, folder: Path, context: str = "staging") -> None:
        path = world.write_kubeconfig(folder / "kubeconfig")
        wanted = client.Configuration()
        load: Any = config.load_kube_config  # the vendor gave it no types
        load(str(path), context=context, client_configuration=wanted)
        wanted.retries = False
        self.raw: Any = client.ApiClient(wanted)
        # The client's models are all optional fields; tests look at what is there.
        self.core: Any = client.CoreV1Api(self.raw)
        self.apps: Any = client.AppsV1Api(self.raw)
        self.custom: Any = client.CustomObjectsApi(self.raw)
        self.access: Any = client.AuthorizationV1Api(self.raw)

    def application(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.custom.get_namespaced_custom_object(*APPLICATIONS, name)
        return found

    def patch_application(self, name: str, patch: dict[str, Any]) -> dict[str, Any]:
        patched: dict[str, Any] = self.custom.patch_namespaced_custom_object(
            *APPLICATIONS, name, patch, _content_type=MERGE
        )
        return patched

    def close(self) -> None:
        """Hang up, or sockets outlive the test."""
        self.raw.close()
        self.raw.rest_client.pool_manager.clear()
