"""Everything that one look at a canary behind an HTTPRoute shows, and where git says it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from bot.model.canary import Aim, Arms, Crew, Stand
from bot.model.canary_plan import Route
from bot.model.places import Manifests
from bot.model.rollout import End
from bot.providers.gateway.views import Split, runs
from bot.providers.kube.workload import Workload
from bot.providers.manifests import Spot

#: The stable version has to have so much of itself available before traffic goes back to it.
SOUND = 0.5


@dataclass(frozen=True, slots=True)
class Spots:
    """Where git says what is shifted."""

    image: Spot
    replicas: Spot
    stable: Spot
    canary: Spot

    @property
    def all(self) -> tuple[Spot, ...]:
        """All of them."""
        return self.image, self.replicas, self.stable, self.canary


@dataclass(frozen=True, slots=True)
class Scene:
    """One look. ``digest`` is the one of the canary's image."""

    route: Route
    split: Split
    stable: Workload
    canary: Workload
    digest: str

    @property
    def ours(self) -> bool:
        """Whether the canary's Deployment is to run the canary's image."""
        return runs(self.canary, self.digest)

    @property
    def sound(self) -> bool:
        """Whether the stable version can take all the traffic."""
        available = self.stable.available
        return available >= 1 and available >= SOUND * self.stable.desired

    @property
    def ready(self) -> bool:
        """Whether all pods that the canary is to have are there, and serve."""
        pods = self.canary
        seen = pods.observed >= pods.generation
        return seen and min(pods.updated, pods.available) >= pods.desired

    @property
    def rolls(self) -> bool:
        """Whether the stable Deployment is to run the canary's image, or has pods that go yet."""
        pods = self.stable
        unseen = pods.observed < pods.generation
        return unseen or runs(pods, self.digest) or pods.replicas > pods.updated

    def tasks(self, aim: Aim) -> int:
        """How many pods the canary is to have."""
        return aim.tasks or max(1, ceil(aim.share * self.stable.desired))


def spots_of(manifests: Manifests, route: Route) -> Spots:
    """By the catalog's plan."""
    file, other = manifests.inside(route.file), manifests.inside(route.canary_file)
    return Spots(
        Spot(other, "image", route.deployment, route.container),
        Spot(other, "replicas", route.deployment),
        Spot(file, "weight", route.name, route.stable),
        Spot(file, "weight", route.name, route.canary),
    )


def stands(  # noqa: PLR0913 - the ways in which a look can differ, each by its name
    scene: Scene,
    *,
    reached: bool = False,
    doing: str = "",
    blocked: str = "",
    foreign: str = "",
    end: End | None = None,
    said: str = "",
    code: str = "",
    events: tuple[str, ...] = (),
) -> Stand:
    """How the canary stands."""
    return Stand(
        reached=reached,
        share=None if scene.split.wrong else scene.split.share,
        canary=_crew(scene.canary) if scene.ours else Crew(),
        stable=_crew(scene.stable),
        doing=doing,
        blocked=foreign or blocked,
        foreign=bool(foreign),
        end=end,
        explanation=said,
        reason_code=code,
        events=events,
        arms=Arms(scene.route.stable, scene.route.canary),
    )


def _crew(pods: Workload) -> Crew:
    return Crew(pods.desired, pods.replicas, pods.available)
