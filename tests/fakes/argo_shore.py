"""The shore on which services run in a cluster, brought there by Argo CD from git."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from typing_extensions import override

from bot.model.deployment import Status
from bot.playground.aws import World
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube.containers import Images
from tests.fakes.shore import Shore

REPOSITORY = "acme/manifests"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
_TAG = re.compile(r"newTag: (.*)")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

KUSTOMIZATION = """\
# What runs of {service} in {environment}.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
images:
  - name: {service}
    newName: {registry}/{service}
    newTag: v1@{digest}  # changed by whoever deploys
"""
DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {service}
spec:
  replicas: 2
  progressDeadlineSeconds: 120
  selector:
    matchLabels: {{app: {service}}}
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata:
      labels: {{app: {service}}}
    spec:
      containers:
        - name: {service}
          image: {service}
          readinessProbe:
            httpGet: {{path: /healthz, port: 8080}}
"""


class ArgoShore(Shore):
    """A git host, a cluster, and Argo CD between them; one Application for each name."""

    reading, telling = "called less often", "called less often"
    taken_back = Status.FAILED  # nothing takes it back by itself

    def __init__(self, world: World, git: GitHost, kube: KubeWorld, folder: Path) -> None:
        self._world = world
        self._folder = folder
        self.git = git
        self.kube = kube
        self.url = git.create(REPOSITORY, {"README.md": "What runs where.\n"})
        kube.argocd.connect_repository(self.url, git.folder(REPOSITORY))

    @property
    @override
    def environment(self) -> Mapping[str, str]:
        return {
            "KUBECONFIG": str(self.kube.write_kubeconfig(self._folder / "kubeconfig")),
            "GIT_TOKEN": self.git.token,
        }

    @override
    def place(self, service: str, environment: str) -> str:
        return (
            f"argocd: {{application: {service}-{environment}, settle: 0s, manifests: "
            f"{{repository: {self.url!r}, path: {service}/{environment}, "
            f"kustomize: {{image: {service}}}}}}}"
        )

    @override
    def furnish(self, service: str, environments: Iterable[str], digest: str) -> None:
        files = {}
        for environment in environments:
            words = {
                "service": service,
                "environment": environment,
                "registry": REGISTRY,
                "digest": digest,
            }
            folder = f"{service}/{environment}"
            files[f"{folder}/kustomization.yaml"] = KUSTOMIZATION.format(**words)
            files[f"{folder}/deployment.yaml"] = DEPLOYMENT.format(**words)
        self.git.commit(REPOSITORY, "Ops <ops@example.com>", files, f"Add {service}")
        for environment in environments:
            self.kube.argocd.create_application(
                f"{service}-{environment}",
                repository=self.url,
                path=f"{service}/{environment}",
                namespace=environment,
            )

    @override
    def advance(self, seconds: float) -> None:
        self.kube.advance(seconds)

    @override
    def settle(self, name: str) -> bool:
        return self.kube.argocd.run_until_settled(name)

    @override
    def deploy_aside(self, name: str, image: str) -> None:
        service, path = self._file(name)
        with self._world.lock:
            found = self._world.estate().repositories[service].find(image)
        assert found is not None, image
        written = _TAG.sub(f"newTag: aside@{found.digest}", self.git.read(REPOSITORY, path))
        who = "Sven <sven@example.com>"
        self.git.commit(REPOSITORY, who, {path: written}, f"Put {image} there by hand")
        self.kube.argocd.refresh(name)

    @override
    def told(self, name: str) -> list[str]:
        return [
            entry.trailer("Image-Digest") or ""
            for entry in reversed(self.git.log(REPOSITORY))
            if (entry.trailer("Deployment-Id") or "").rpartition("-")[0] == name
        ]

    @override
    def writes(self) -> int:
        return sum(each.trailer("Deployment-Id") is not None for each in self.git.log(REPOSITORY))

    @override
    def running(self, name: str) -> str:
        service, _ = self._file(name)
        found = self.kube.deployment(name.rpartition("-")[2], service)
        image = found["spec"]["template"]["spec"]["containers"][0]["image"]
        digest = _DIGEST.search(image)
        return digest[0] if digest else ""

    def _file(self, name: str) -> tuple[str, str]:
        service, _, environment = name.rpartition("-")
        return service, f"{service}/{environment}/kustomization.yaml"

    @override
    def throttle_start(self) -> None:
        self.git.faults.answer(429, None, "list_push", "push")

    @override
    def deny_start(self) -> None:
        self.git.faults.forbid_push(1)

    @override
    def delay_start(self, seconds: float) -> None:
        self.git.faults.delaying.clear()
        self.git.faults.slow(seconds, 1, "push")

    @override
    def throttle_reads(self) -> None:
        self.git.faults.answer(429, None)

    @override
    def delay_reads(self, seconds: float, n: int | None = None) -> None:
        self.git.faults.delaying.clear()
        self.git.faults.slow(seconds, n, "list_fetch")

    @override
    def delaying(self, within: float) -> bool:
        return self.git.faults.delaying.wait(within)

    @override
    def heal(self) -> None:
        self.git.faults.clear()
        self.kube.faults.clear()


@contextmanager
def argo_shore(world: World, folder: Path) -> Iterator[Shore]:
    images = Images(lambda image: world.pulled(image).behaviour, lambda _image: None)
    with GitHost(folder / "git") as git, KubeWorld(seed=7, images=images) as kube:
        yield ArgoShore(world, git, kube, folder)
