"""What of the demo's company runs in a cluster, where Argo CD brings it from git.

analytics is a Deployment; search is a Rollout of Argo Rollouts, and has canaries.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Self

from bot.playground.aws.world import World
from bot.playground.git import Entry, GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube.containers import Images
from bot.playground.kube.resources import DEPLOYMENTS, ROLLOUTS, Json, Resource
from bot.playground.tour import manifests

SERVICE, SEARCH, REPOSITORY = "analytics", "search", "acme/manifests"
#: Who changes manifests by hand.
OPERATIONS = "Olga Operations <olga@acme.example>"
_TAG: Final = re.compile(r"(?<=newTag: )\S+")
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")

#: Where each service runs, what it is there, and how many of its pods.
DEPLOYED: Final[Mapping[str, Mapping[str, int]]] = {
    SERVICE: {"staging": 2, "production": 4},
    SEARCH: {"production": 4},
}
#: Each service in each of its environments.
PLACES: Final = tuple((each, where) for each, places in DEPLOYED.items() for where in places)


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

    def place(self, service: str, environment: str) -> str:
        """Where a service runs, in the catalog's words."""
        return (
            f"argocd: {{application: {name(service, environment)}, settle: 2s, manifests: "
            f"{{repository: {self.git.url(REPOSITORY)!r}, path: {folder(service, environment)}, "
            f"kustomize: {{image: {service}}}}}}}"
        )

    def furnish(self, images: Mapping[str, tuple[str, str, str]]) -> None:
        """Write the manifests, and let Argo CD bring there what has long been running.

        ``images`` are repository, tag and digest of each service.
        """
        files = {"README.md": manifests.README}
        for service, environment in PLACES:
            registry, tag, digest = images[service]
            replicas = DEPLOYED[service][environment]
            words = {"service": service, "environment": environment, "replicas": replicas}
            write = manifests.rollout if service == SEARCH else manifests.deployment
            made, home = write(words), folder(service, environment)
            words |= {"registry": registry, "tag": tag, "digest": digest}
            files[f"{home}/kustomization.yaml"] = manifests.kustomization(made, words)
            files |= {f"{home}/{each}": text for each, text in made.items()}
        url = self.git.create(REPOSITORY, files)
        self.kube.argocd.connect_repository(url, self.git.folder(REPOSITORY))
        for service, environment in PLACES:
            self.kube.argocd.create_application(
                name(service, environment),
                repository=url,
                path=folder(service, environment),
                namespace=environment,
            )

    def workload(self, service: str, environment: str) -> Json:
        """The Deployment or Rollout as it is now. Raises ``ApiError`` where there is none."""
        return self.kube.get(kind(service), environment, service)

    def deploy_aside(self, service: str, environment: str, tag: str, digest: str) -> None:
        """Let somebody else commit another image; Argo CD is told, as by a webhook."""
        home = folder(service, environment)
        path = f"{home}/kustomization.yaml"
        text = _TAG.sub(f"{tag}@{digest}", self.git.read(REPOSITORY, path))
        self.git.commit(REPOSITORY, OPERATIONS, {path: text}, f"Put {tag} into {home}")
        self.kube.argocd.refresh(name(service, environment))

    def running(self, service: str, environment: str) -> set[str]:
        """The digests that live pods run: one, when no rollout is under way."""
        pods = self.kube.pods(environment, f"app={service}")
        live = [image_of(each) for each in pods if "deletionTimestamp" not in each["metadata"]]
        return {found[0] for each in live if (found := _DIGEST.search(each))}

    def told(self, service: str, environment: str) -> int:
        """How many commits the bot has made for it."""
        return len(list(commits(self.git.log(REPOSITORY), service, environment)))


def name(service: str, environment: str) -> str:
    """What the Application is called."""
    return f"{service}-{environment}"


def folder(service: str, environment: str) -> str:
    """Where in the repository its manifests are."""
    return f"{service}/{environment}"


def kind(service: str) -> Resource:
    """What it is in the cluster."""
    return ROLLOUTS if service == SEARCH else DEPLOYMENTS


def image_of(pod: Json) -> str:
    """The image that a pod was told to run."""
    return str(pod["spec"]["containers"][0]["image"])


def commits(log: Iterable[Entry], service: str, environment: str) -> Iterable[Entry]:
    """Those that a deployment to that environment has made."""
    wanted = f"{name(service, environment)}-"
    return (each for each in log if (each.trailer("Deployment-Id") or "").startswith(wanted))
