"""What of the demo's company runs in a cluster: analytics, which Argo CD brings there from git."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from bot.playground.aws.world import World
from bot.playground.git import Entry, GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube.containers import Images
from bot.playground.kube.resources import Json

SERVICE, REPOSITORY = "analytics", "acme/manifests"
#: Who changes manifests by hand.
OPERATIONS = "Olga Operations <olga@acme.example>"
_TAG: Final = re.compile(r"(?<=newTag: )\S+")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

_README = """\
# What runs in the clusters

Argo CD follows this repository. Quarterdeck changes the `newTag` of a kustomization, one commit for
each deployment.
"""
_KUSTOMIZATION = """\
# What runs in {environment}. Quarterdeck writes the tag; everything else is yours.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
resources:
  - deployment.yaml
images:
  - name: analytics
    newName: {registry}
    newTag: {tag}@{digest}
"""
_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: analytics
spec:
  replicas: {replicas}
  progressDeadlineSeconds: 90
  selector:
    matchLabels: {{app: analytics}}
  strategy:
    type: RollingUpdate
    rollingUpdate: {{maxSurge: 1, maxUnavailable: 0}}
  template:
    metadata:
      labels: {{app: analytics}}
    spec:
      containers:
        - name: app
          image: analytics
          readinessProbe:
            httpGet: {{path: /healthz, port: 8080}}
            periodSeconds: 5
"""


class Cluster:
    """A git host, a cluster and Argo CD between them, beside a local AWS that has the images.

    A context manager: leaving it stops both servers. ``speed`` is that of the AWS.
    """

    def __init__(self, world: World, folder: Path, speed: float) -> None:
        images = Images(lambda image: world.pulled(image).behaviour, lambda _image: None)
        self.git = GitHost(folder / "git")
        self.kube = KubeWorld(speed=speed, images=images)
        self._folder = folder
        #: With it a person may clone and push, too.
        self._guest = secrets.token_hex(8)
        self.git.grant(self._guest, "guest")

    def __enter__(self) -> Self:
        """Listen."""
        self.git.serve()
        self.kube.serve()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self.kube.close()
        self.git.close()

    def environment(self) -> dict[str, str]:
        """What points the bot at it."""
        return {
            "KUBECONFIG": str(self.kube.write_kubeconfig(self._folder / "kubeconfig")),
            "GIT_TOKEN": self.git.token,
            "QUARTERDECK_CACHE": str(self._folder / "cache"),
        }

    def clone_url(self) -> str:
        """What somebody clones the manifests from, in order to look at them and to push."""
        scheme, _, rest = self.git.url(REPOSITORY).partition("://")
        return f"{scheme}://guest:{self._guest}@{rest}"

    def place(self, environment: str) -> str:
        """Where analytics runs, in the catalog's words."""
        return (
            f"argocd: {{application: {name(environment)}, settle: 2s, manifests: {{repository: "
            f"{self.git.url(REPOSITORY)!r}, path: {folder(environment)}, "
            f"kustomize: {{image: {SERVICE}}}}}}}"
        )

    def furnish(self, tasks: dict[str, int], image: tuple[str, str, str]) -> None:
        """Write the manifests, and let Argo CD bring them there.

        ``image`` is repository, tag and digest; ``tasks`` how many pods run in each environment.
        """
        registry, tag, digest = image
        files = {"README.md": _README}
        for environment, replicas in tasks.items():
            words = {"environment": environment, "registry": registry, "tag": tag, "digest": digest}
            files[f"{folder(environment)}/kustomization.yaml"] = _KUSTOMIZATION.format(**words)
            files[f"{folder(environment)}/deployment.yaml"] = _DEPLOYMENT.format(replicas=replicas)
        url = self.git.create(REPOSITORY, files)
        self.kube.argocd.connect_repository(url, self.git.folder(REPOSITORY))
        for environment in tasks:
            self.kube.argocd.create_application(
                name(environment), repository=url, path=folder(environment), namespace=environment
            )

    def deploy_aside(self, environment: str, tag: str, digest: str) -> None:
        """Let somebody else commit another image; Argo CD is told, as by a webhook."""
        path = f"{folder(environment)}/kustomization.yaml"
        text = _TAG.sub(f"{tag}@{digest}", self.git.read(REPOSITORY, path))
        self.git.commit(
            REPOSITORY, OPERATIONS, {path: text}, f"Put {tag} into {folder(environment)}"
        )
        self.kube.argocd.refresh(name(environment))

    def running(self, environment: str) -> set[str]:
        """The digests that live pods run: one, when no rollout is under way."""
        pods = self.kube.pods(environment, f"app={SERVICE}")
        live = [image_of(each) for each in pods if "deletionTimestamp" not in each["metadata"]]
        return {found[0] for each in live if (found := _DIGEST.search(each))}

    def told(self, environment: str) -> int:
        """How many commits the bot has made for it."""
        return len(list(commits(self.git.log(REPOSITORY), environment)))


def name(environment: str) -> str:
    """What the Application is called."""
    return f"{SERVICE}-{environment}"


def folder(environment: str) -> str:
    """Where in the repository its manifests are."""
    return f"{SERVICE}/{environment}"


def image_of(pod: Json) -> str:
    """The image that a pod was told to run."""
    return str(pod["spec"]["containers"][0]["image"])


def commits(log: Iterable[Entry], environment: str) -> Iterable[Entry]:
    """Those that a deployment to that environment has made."""
    wanted = f"{name(environment)}-"
    return (each for each in log if (each.trailer("Deployment-Id") or "").startswith(wanted))
