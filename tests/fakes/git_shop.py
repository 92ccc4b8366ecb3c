"""What the shops have in common whose canaries git brings to the local cluster."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, TypeVar

from bot.model.canary import Aim, Goal, Stand
from bot.model.canary_ports import Canaries
from bot.model.catalog import TargetSpec
from bot.model.deployment import Image, Person
from bot.model.errors import QuarterdeckError
from bot.model.ports import Rollouts
from bot.model.rollout import Order
from bot.playground.aws import Behaviour
from bot.playground.git import GitHost
from bot.playground.kube import KubeWorld
from bot.playground.kube import resources as local
from bot.playground.kube.containers import Images
from bot.providers.git import GitAccess, GitManifests
from bot.providers.kube.cluster import APPLICATIONS
from bot.providers.kube.clusters import KubeconfigClusters
from bot.providers.kube.watches import Watches, Where
from bot.providers.kube.workload import digest_in
from tests.fakes.clock import MachineClock
from tests.fakes.git_place import PROGRAMS
from tests.fakes.registry import digest_of

REPOSITORY = "acme/manifests"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/backend"
FOLDER = "backend/staging"
ALICE = Person("U0ALICE01", "alice")
_NAMED = ("v0", "v1", "v2", "v3", "crashing")

Shop = TypeVar("Shop", bound="GitShop")


class GitShop(ABC):
    """``begin`` orders a version; ``reach`` goes on until an aim is true, as the conductor does."""

    #: What the watches have to have told before a look: ours and the cluster's resource, and names.
    WATCHED: ClassVar[tuple[tuple[Any, Any, str, str], ...]] = ()

    spec: TargetSpec
    rollouts: Rollouts
    canaries: Canaries

    def __init__(self, git: GitHost, kube: KubeWorld, folder: Path, files: dict[str, str]) -> None:
        self.git, self.kube, self.folder = git, kube, folder
        self.url = git.create(REPOSITORY, {"README.md": "What runs where.\n"})
        kube.argocd.connect_repository(self.url, git.folder(REPOSITORY))
        self.commit(files, "Add backend")
        kube.argocd.create_application(
            "backend-staging", repository=self.url, path=FOLDER, namespace="staging"
        )
        self.pass_by(60)
        self.clusters = KubeconfigClusters(str(kube.write_kubeconfig(folder / "kubeconfig")))
        self.watches = Watches(self.clusters)

    @abstractmethod
    def restart(self) -> None:
        """Forget everything that is kept in memory."""

    def manifests(self) -> GitManifests:
        """Git as a process knows it that has just begun."""
        access = GitAccess(self.folder / "cache", token=self.git.token, environment=PROGRAMS)
        return GitManifests(access, MachineClock())

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

    def reach(self, aim: Aim, seconds: int = 1200) -> Stand:
        for _ in range(seconds // 5):
            stand = self.toward(aim)
            if stand.reached or stand.blocked or stand.end is not None:
                return stand
            self.pass_by(5)
        raise AssertionError(stand)

    def on_trial(self, share: float = 0.1) -> None:
        """Bring the canary to a share."""
        assert self.reach(self.aim(Goal.SHARE, share)).reached

    def fetches_of(self, aim: Aim, looks: int) -> int:
        """How often git is asked in so many looks, a second apart, at one that waits."""
        before = len(self.git.requests("git-upload-pack"))
        for _ in range(looks):
            assert not self.toward(aim).reached
            self.pass_by(1)
        return len(self.git.requests("git-upload-pack")) - before

    # --- the cluster, and git ----------------------------------------------------------------

    def pass_by(self, seconds: float) -> None:
        self.kube.advance(seconds)

    def ticks(self) -> float:
        return self.kube.clock.now()

    def application(self) -> Any:
        return self.kube.argocd.application("backend-staging")

    def syncing(self) -> bool:
        """Whether Argo CD is applying something, or is about to."""
        found = self.application()
        state = found["status"].get("operationState", {})
        return "operation" in found or state.get("phase") == "Running"

    def versions(self, selector: str = "") -> list[str]:
        """The versions of all pods that are not on their way out."""
        names = {digest_of(each): each for each in _NAMED}
        return sorted(
            names[digest_in(pod["spec"]["containers"][0]["image"])]
            for pod in self.kube.pods("staging", selector)
            if "deletionTimestamp" not in pod["metadata"]
        )

    def subjects(self) -> list[str]:
        return [each.subject for each in reversed(self.git.log(REPOSITORY))]

    def text(self, file: str) -> str:
        return self.git.read(REPOSITORY, file)

    def caught_up(self) -> None:
        """Wait until the watches have told of everything there is."""
        application = (APPLICATIONS, local.APPLICATIONS, "argocd", "backend-staging")
        for _ in range(5_000):
            if all(self._told(*each) for each in (application, *self.WATCHED)):
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
def opened(folder: Path, make: Callable[[GitHost, KubeWorld], Shop]) -> Iterator[Shop]:
    """A shop with its git and its cluster, in which the version ``crashing`` does not start."""
    crashing = digest_of("crashing")

    def behaviour(image: str) -> Behaviour:
        return Behaviour.CRASHING if digest_in(image) == crashing else Behaviour.GOOD

    with ExitStack() as stack:
        git = stack.enter_context(GitHost(folder / "git"))
        kube = stack.enter_context(KubeWorld(seed=7, images=Images(behaviour, lambda _image: None)))
        shop = make(git, kube)
        stack.callback(shop.clusters.close)
        stack.callback(shop.watches.close)
        yield shop
